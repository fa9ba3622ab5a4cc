package import Logging
import MSRPTransport
import NIOCore

/// Receives files through relays: reserves a URI, waits for a file, and does so again until all have come. What a session
/// left unfinished, the next one goes on with.
package actor RelayReceiver {
    package enum News: Sendable {
        /// The path to give to the sender. Another one follows when the session ended before its file was complete, or
        /// for the next file.
        case ready(path: String)
        case began(name: String, total: UInt64?, offset: UInt64)
        /// Octets of the file that are here.
        case progress(UInt64)
        case stored(path: String, size: UInt64, resumedAt: UInt64, sha256: String)
        /// The session ended with this file unfinished.
        case interrupted(reason: String, part: String, length: UInt64, total: UInt64?)
        /// The session ended with nothing received, or the relay couldn't be reached; it is tried again.
        case retrying(reason: String)
    }

    package enum Outcome: Sendable, Equatable {
        case complete
        /// The user stopped it.
        case stopped
    }

    /// Failures in a row, after a session stood once, until it gives up.
    static let mostFailures = 8

    private enum Happening: Sendable {
        case session(FileReceiver.Event)
        case timeToRetry
        case interrupted
    }

    private let options: RelayOptions
    private let folder: String
    private let count: Int
    private let largest: UInt64
    private let show: @Sendable (News) -> Void
    private let locator: RelayLocator
    private let logger: Logger
    private let happenings: AsyncStream<Happening>
    private let happened: AsyncStream<Happening>.Continuation

    /// - Parameters:
    ///   - folder: where the files go.
    ///   - count: how many to wait for.
    ///   - largest: octets that a file may have; the sender of a larger one is told to stop (413).
    package init(
        options: RelayOptions, folder: String, count: Int, largest: UInt64 = .max,
        locator: RelayLocator = RelayLocator(), logger: Logger,
        show: @escaping @Sendable (News) -> Void
    ) {
        self.options = options
        self.folder = folder
        self.count = count
        self.largest = largest
        self.locator = locator
        self.logger = logger
        self.show = show
        (happenings, happened) = AsyncStream.makeStream()
    }

    /// Ends it in an orderly way; from a signal handler's task.
    package nonisolated func stop() { happened.yield(.interrupted) }

    package func run() async throws(ClientError) -> Outcome {
        let transport = await ClientTransport.start(
            try ClientTransport.configuration(options.security), logger: logger)
        let result: Result<Outcome, ClientError>
        do throws(ClientError) {
            result = .success(try await receiveAll(over: transport))
        } catch {
            result = .failure(error)
        }
        await transport.shutdown()
        return try result.get()
    }

    private func receiveAll(over transport: TransportHandle) async throws(ClientError) -> Outcome {
        var iterator = happenings.makeAsyncIterator()
        var session = try await open(over: transport)
        var stored = 0
        var failures = 0
        var hasStood = false
        while let happening = await iterator.next(isolation: self) {
            switch happening {
            case .interrupted:
                let receiver = session
                if let part = await transport.perform({ _ in receiver.value.stop() }) { tell("stopped", part) }
                return .stopped
            case .timeToRetry:
                do throws(ClientError) {
                    session = try await open(over: transport)
                } catch {
                    failures += 1
                    try retry(after: error, failures)
                }
            case .session(.ready(let path)):
                hasStood = true
                show(.ready(path: path))
            case .session(.began(let name, let total, let offset)):
                failures = 0
                show(.began(name: name, total: total, offset: offset))
            case .session(.progress(let length)):
                show(.progress(length))
            case .session(.stored(let path, let size, let offset, let sha256)):
                stored += 1
                failures = 0
                show(.stored(path: path, size: size, resumedAt: offset, sha256: sha256))
            case .session(.ended(let error, let part)):
                if stored == count { return .complete }
                if let part {
                    tell(error.description, part)
                    session = try await open(over: transport)
                } else {
                    guard hasStood else { throw error }
                    failures += 1
                    try retry(after: error, failures)
                }
            }
        }
        return .stopped
    }

    /// Asks for another session: at once, and after 1, 2, 4, ... 32 seconds while that fails.
    private func retry(after error: ClientError, _ failures: Int) throws(ClientError) {
        switch error {
        case .lost, .noAnswer: break
        case .usage, .refused, .unusableAnswer, .denied: throw error
        }
        guard failures <= Self.mostFailures else { throw error }
        show(.retrying(reason: error.description))
        guard failures > 1 else {
            happened.yield(.timeToRetry)
            return
        }
        let happened = happened
        Task {
            try? await Task.sleep(for: .seconds(1 << min(failures - 2, 5)))
            happened.yield(.timeToRetry)
        }
    }

    private func tell(_ reason: String, _ part: FileReceiver.Event.Part) {
        show(.interrupted(reason: reason, part: part.path, length: part.length, total: part.total))
    }

    private func open(over transport: TransportHandle) async throws(ClientError) -> NIOLoopBound<FileReceiver> {
        let relays = try await RelayWay.find(options, locator: locator)
        let (options, folder, largest, happened) = (options, folder, largest, happened)
        return await transport.perform { transport in
            let link = SessionLink(transport: transport, way: .relays(relays, options))
            let receiver = FileReceiver(folder: folder, largest: largest, link: link) { happened.yield(.session($0)) }
            link.start()
            return NIOLoopBound(receiver, eventLoop: transport.eventLoop)
        }
    }
}
