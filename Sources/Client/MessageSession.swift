import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Payloads

/// The client's end of one MSRP session, confined to the transport's loop: binds, sends, receives.
final class MessageSession: SessionOwner {
    enum Event: Sendable {
        /// The server answered our empty SEND: messages may flow.
        case bound
        case received(contentType: String, body: ByteBuffer)
        /// What became of a message of ours.
        case delivered(Delivery)
        case nicknameAnswered(Status)
        /// A REPORT about a message of ours.
        case reported(Report)
        /// The end; nothing follows.
        case closed(String)
    }

    let id: SessionID
    private let transport: TransportLoop
    private let emit: @Sendable (Event) -> Void
    private var endpoint: EndpointSession?
    private var connection: Connection?
    private var bind: MessageID?
    private var fingerprints: [NIOGnuTLS.CertificateFingerprint] = []
    private var isOver = false
    private let chunkSize: Int?

    /// Octets that may wait for the connection before further chunks of a long message are written.
    private static let queueLimit = 1 << 20
    /// Octets in a chunk of a long message.
    private static let usualChunk = 64 << 10

    /// - Parameter chunkSize: cut messages longer than this into chunks of this size; nil for the usual rule.
    init(transport: TransportLoop, chunkSize: Int?, emit: @escaping @Sendable (Event) -> Void) {
        self.transport = transport
        self.emit = emit
        self.chunkSize = chunkSize
        // The table wants the owner, which isn't complete before it has its id: a client's session is found by the
        // connection it opened, so the id needs no entry.
        id = SessionID.random()
    }

    /// Connects to the server, whose path is `remotePath`.
    func start(localPath: Path, remotePath: Path, destination: Destination, fingerprints: [Fingerprint]) {
        var configuration = EndpointSession.Configuration(maxMessageSize: 1 << 28)
        if let chunkSize { configuration.maxUnchunked = chunkSize }
        endpoint = EndpointSession(localPath: localPath, remotePath: remotePath, configuration: configuration)
        self.fingerprints = fingerprints.compactMap { NIOGnuTLS.CertificateFingerprint($0.value) }
        transport.connector.connect(to: destination, owner: self, session: nil) { [self] result in
            if case .failure(let error) = result {
                end("can't connect to \(destination.host):\(destination.port): \(error.text)")
            }
        }
        let bound = NIOLoopBound(self, eventLoop: transport.eventLoop)
        transport.everyTick { now in bound.value.tick(now) }
    }

    /// Sends a message whole, or in chunks when it's long.
    /// - Returns: its Message-ID; nil when it can't be sent.
    func send(contentType: String, body: ByteBuffer) -> MessageID? {
        guard let connection, connection.isOpen else { return nil }
        let id = MessageID(UInt64.random(in: .min ... .max))
        let message = OutgoingMessage(messageID: id, contentType: contentType, body: body)
        let isSent = connection.withOutput { output in
            (try? endpoint?.send(message, now: .now(), into: &output)) != nil
        }
        pump()
        return isSent ? id : nil
    }

    /// Asks for a nickname (RFC 7701 section 7.1); the empty one gives it up.
    func requestNickname(_ name: String) {
        guard let connection else { return }
        let escaped = name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        connection.withOutput { output in
            _ = try? endpoint?.request(
                "NICKNAME", headers: [("Use-Nickname", "\"\(escaped)\"")], now: .now(), into: &output)
        }
    }

    /// Ends the session after what is queued was written.
    func close() {
        isOver = true
        connection?.close(.orderly)
    }

    /// Writes what was enqueued from outside of the transport's own turns.
    func flush() { transport.scheduler.flush() }

    private func end(_ reason: String) {
        guard !isOver else { return }
        isOver = true
        connection?.close(.now)
        emit(.closed(reason))
    }

    // MARK: SessionOwner

    func bound(_ connection: Connection, head: Head?) {
        self.connection = connection
        if !fingerprints.isEmpty {
            guard let certificate = connection.peerCertificate,
                NIOGnuTLS.CertificateFingerprint.match(certificate: certificate, oneOf: fingerprints)
            else { return end("the server's certificate is not the one it announced (RFC 4975 section 14.4)") }
        }
        connection.withOutput { output in
            bind = try? endpoint?.sendEmpty(now: .now(), into: &output)
        }
    }

    func part(_ part: Part, from connection: Connection) {
        let event = connection.withOutput { output in
            endpoint?.receive(part, now: .now(), into: &output)
        }
        switch event {
        case .message(let message, let pending):
            connection.withOutput { output in
                endpoint?.respond(pending, .ok, into: &output)
                endpoint?.report(on: message, .ok, into: &output)
            }
            emit(.received(contentType: message.contentType, body: message.body))
        case .request(_, _, let pending):
            connection.withOutput { endpoint?.respond(pending, .unknownMethod, into: &$0) }
        case .report(let report):
            emit(.reported(report))
        case .response(_, let status):
            emit(.nicknameAnswered(status))
        case .empty, .refused, .aborted, nil:
            break
        }
        tellDeliveries()
        pump()
    }

    func writable(_ connection: Connection) { pump() }

    func closed(_ connection: Connection, reason: CloseReason) {
        let text =
            switch reason {
            case .peerClosed: "the server closed the connection"
            case .garbage: "the server doesn't speak MSRP"
            case .tlsFailed: "TLS failed"
            case .failed, .unboundTimeout, .closedHere: "the connection was lost"
            }
        end(text)
    }

    private func tick(_ now: NIODeadline) {
        guard !isOver else { return }
        _ = endpoint?.expire(now: now)
        tellDeliveries()
    }

    private func tellDeliveries() {
        while let delivery = endpoint?.nextDelivery() {
            guard delivery.messageID == bind else {
                emit(.delivered(delivery))
                continue
            }
            bind = nil
            switch delivery.outcome {
            case .acknowledged: emit(.bound)
            case .failed(let status): end("the server refused our MSRP session: \(status)")
            case .timedOut: end("the server didn't answer on the MSRP connection")
            }
        }
    }

    /// Writes chunks of long messages as fast as the connection takes them.
    private func pump() {
        guard let connection else { return }
        while connection.isOpen, endpoint?.hasChunks == true {
            guard !connection.isCongested, connection.queuedBytes < Self.queueLimit else {
                return connection.notifyWhenWritable()
            }
            let limit = chunkSize ?? Self.usualChunk
            let isWritten = connection.withOutput { output in
                endpoint?.nextChunk(now: .now(), limit: limit, into: &output) ?? false
            }
            if !isWritten { return }
        }
    }
}

@available(*, unavailable)
extension MessageSession: Sendable {}

extension ConnectError {
    /// For people.
    fileprivate var text: String {
        switch self {
        case .unknownHost: "no such host"
        case .refusedByPolicy: "not allowed"
        case .tooManyConnections: "too many connections"
        case .timedOut: "no answer in time"
        case .failed: "nobody there"
        case .noTLS, .tlsFailed: "TLS failed"
        case .shuttingDown: "leaving"
        }
    }
}
