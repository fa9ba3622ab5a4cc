package import Logging
import MSRP
import MSRPTransport
import NIOCore

/// Sends one file to a path that a receiver gave.
package actor FileTransmission {
    package enum News: Sendable {
        /// The receiver is there; it has `offset` octets of the file already.
        case began(offset: UInt64)
        /// Octets that came to the receiver.
        case progress(UInt64)
    }

    package enum Outcome: Sendable, Equatable {
        /// The receiver confirmed all of it.
        case arrived(sha256: String, resumedAt: UInt64)
        /// The user stopped it; so many octets came to the receiver.
        case stopped(confirmed: UInt64)
    }

    private enum Happening: Sendable {
        case session(FileSender.Event)
        case interrupted
    }

    private let file: SourceFile
    private let path: Path
    private let contentType: String
    private let chunkSize: Int
    private let relay: RelayOptions?
    private let security: LinkSecurity
    private let logger: Logger
    private let show: @Sendable (News) -> Void
    private let happenings: AsyncStream<Happening>
    private let happened: AsyncStream<Happening>.Continuation

    /// - Parameters:
    ///   - path: the receiver's a=path.
    ///   - chunkSize: octets in a chunk; nil for 64 KiB.
    ///   - relay: our own relays; nil goes straight to the first URI of the path.
    ///   - security: for going straight.
    package init(
        file: SourceFile, path: String, contentType: String, chunkSize: Int? = nil, relay: RelayOptions?,
        security: LinkSecurity,
        logger: Logger,
        show: @escaping @Sendable (News) -> Void
    ) throws(ClientError) {
        guard let remote = Path(path) else {
            throw .usage(
                "'\(path)' is no MSRP path; give the whole line that the receiver printed, in quotes, such as "
                    + "'msrps://relay.example.com:2855/4f1c;tcp msrps://10.0.0.7:40312/9be2;tcp'")
        }
        self.file = file
        self.path = remote
        self.contentType = contentType
        self.chunkSize = chunkSize ?? FileSending.usualChunk
        self.relay = relay
        self.security = security
        self.logger = logger
        self.show = show
        (happenings, happened) = AsyncStream.makeStream()
    }

    /// Ends it in an orderly way; from a signal handler's task.
    package nonisolated func stop() { happened.yield(.interrupted) }

    package func run() async throws(ClientError) -> Outcome {
        let way: SessionLink.Way
        if let relay {
            way = .relays(try await RelayWay.find(relay), relay)
        } else {
            way = .direct(
                Destination(
                    host: path.first.host, port: path.first.port ?? RelayAddress.defaultPort,
                    isTLS: path.first.scheme == .msrps, isAtPeersWord: false, verifiesName: security.verifies))
        }
        var security = relay?.security ?? security
        if relay == nil { security.usesTLS = path.first.scheme == .msrps }
        let transport = await ClientTransport.start(try ClientTransport.configuration(security), logger: logger)
        let result: Result<Outcome, ClientError>
        do throws(ClientError) {
            result = .success(try await send(way, over: transport))
        } catch {
            result = .failure(error)
        }
        await transport.shutdown()
        return try result.get()
    }

    private func send(_ way: SessionLink.Way, over transport: TransportHandle) async throws(ClientError) -> Outcome {
        let session = await open(way, over: transport)
        for await happening in happenings {
            switch happening {
            case .interrupted:
                return .stopped(confirmed: await transport.perform { _ in session.value.stop() })
            case .session(.reserved): break
            case .session(.began(let offset)): show(.began(offset: offset))
            case .session(.progress(let count)): show(.progress(count))
            case .session(.arrived(let sha256, let offset)): return .arrived(sha256: sha256, resumedAt: offset)
            case .session(.ended(.lost(let reason), let confirmed)):
                throw .lost(
                    "\(reason); the receiver confirmed \(TransferProgress.bytes(confirmed)) of "
                        + "\(TransferProgress.bytes(file.size)). Send the file again to the URI that it prints next: it "
                        + "goes on where it ended")
            case .session(.ended(let error, _)): throw error
            }
        }
        return .stopped(confirmed: 0)
    }

    private func open(
        _ way: SessionLink.Way, over transport: TransportHandle
    ) async -> NIOLoopBound<FileSender> {
        let (file, path, contentType, chunkSize, happened) = (file, path, contentType, chunkSize, happened)
        return await transport.perform { transport in
            let link = SessionLink(transport: transport, way: way)
            let sender = FileSender(
                file: file, remotePath: path, contentType: contentType, chunkSize: chunkSize, link: link
            ) {
                happened.yield(.session($0))
            }
            link.start()
            return NIOLoopBound(sender, eventLoop: transport.eventLoop)
        }
    }
}
