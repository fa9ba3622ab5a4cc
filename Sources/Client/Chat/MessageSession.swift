import MSRP
import MSRPTransport
import NIOCore
import Payloads

/// The client's end of one chat session, confined to the transport's loop: binds, sends, receives.
final class MessageSession: LinkUser {
    enum Event: Sendable {
        /// Our relays have given us their URIs: what to write into a=path.
        case reserved(path: String)
        /// The server answered our empty SEND, or sent its own: messages may flow.
        case bound
        case received(contentType: String, body: ByteBuffer)
        /// What became of a message of ours.
        case delivered(Delivery)
        case nicknameAnswered(Status)
        /// A REPORT about a message of ours.
        case reported(Report)
        /// The end; nothing follows.
        case closed(ClientError)
    }

    /// What the server's answer says of the session.
    struct Terms: Sendable {
        var remotePath: Path
        /// Where to connect to; of no use behind relays.
        var destination: Destination?
        /// The certificates the server announced; of no use behind relays, which present their own.
        var fingerprints: [Fingerprint]
        /// Whether we send the first, empty SEND (RFC 6135 section 4.2).
        var isActive = true
    }

    let id: SessionID
    private let transport: TransportLoop
    private let emit: @Sendable (Event) -> Void
    private var link: SessionLink?
    private var endpoint: EndpointSession?
    private var connection: Connection?
    private var terms: Terms?
    private var bind: MessageID?
    private var isBound = false
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

    /// Reserves the way through our own relays.
    func reserve(_ relays: [SessionLink.Relay], _ options: RelayOptions) {
        open(SessionLink(transport: transport, id: id, way: .relays(relays, options)))
    }

    /// Opens the session as the server's answer has it: through the relays that were reserved, or by a connection.
    func start(localPath: Path, terms: Terms) {
        self.terms = terms
        if link != nil { return begin() }
        guard let destination = terms.destination else { return end(.unusableAnswer("there is nowhere to connect to")) }
        open(SessionLink(transport: transport, id: id, way: .direct(destination), localPath: localPath))
    }

    private func open(_ link: SessionLink) {
        self.link = link
        link.user = self
        link.start()
    }

    /// Sends a message whole, or in chunks when it's long.
    /// - Parameters:
    ///   - wantsReport: whether the other end is to report that it has the message (RFC 4975 section 7.1.3).
    ///   - isFleeting: nobody needs to know what becomes of it (RFC 3994 section 4): no answers, no reports.
    /// - Returns: its Message-ID; nil when it can't be sent.
    func send(contentType: String, body: ByteBuffer, wantsReport: Bool, isFleeting: Bool = false) -> MessageID? {
        guard let connection, connection.isOpen else { return nil }
        let id = MessageID(UInt64.random(in: .min ... .max))
        let message = OutgoingMessage(
            messageID: id, contentType: contentType, body: body,
            successReport: isFleeting ? .no : wantsReport ? .yes : nil, failureReport: isFleeting ? .no : nil)
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
        link?.close()
    }

    /// Writes what was enqueued from outside of the transport's own turns.
    func flush() { transport.scheduler.flush() }

    private func end(_ error: ClientError) {
        guard !isOver else { return }
        isOver = true
        link?.close()
        emit(.closed(error))
    }

    // MARK: LinkUser

    func established(_ link: SessionLink) {
        connection = link.connection
        guard terms == nil, let own = link.localPath else { return begin() }
        // Behind relays the other side may be here before its answer: it is served, and addressed when it is known.
        makeEndpoint(localPath: own, remotePath: own)
        emit(.reserved(path: link.advertisedPath?.description ?? ""))
    }

    private func makeEndpoint(localPath: Path, remotePath: Path) {
        var configuration = EndpointSession.Configuration(maxMessageSize: 1 << 28)
        if let chunkSize { configuration.maxUnchunked = chunkSize }
        endpoint = EndpointSession(localPath: localPath, remotePath: remotePath, configuration: configuration)
    }

    private func begin() {
        guard let terms, let link, let connection, let own = link.localPath else { return }
        guard let remotePath = link.toPath(terms.remotePath) else {
            return end(.unusableAnswer("the way to the server leads over too many relays"))
        }
        if endpoint == nil {
            makeEndpoint(localPath: own, remotePath: remotePath)
        } else {
            endpoint?.redirect(to: remotePath)
        }
        guard link.shows(oneOf: terms.fingerprints) else {
            return end(.lost("the server's certificate is not the one it announced (RFC 4975 section 14.4)"))
        }
        if terms.isActive {
            connection.withOutput { output in
                bind = try? endpoint?.sendEmpty(now: .now(), into: &output)
            }
        } else if isBound {
            emit(.bound)
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
        case .empty:
            if !isBound, let terms, !terms.isActive { emit(.bound) }
            isBound = true
        case .refused, .aborted, .streamBegan, .streamOctets, .streamChunkEnded, .streamEnded, nil:
            break
        }
        tellDeliveries()
        pump()
    }

    func writable(_ connection: Connection) { pump() }

    func ended(_ error: ClientError) {
        connection = nil
        guard !isOver else { return }
        isOver = true
        // With a call there is a server that was reached, and a session that is lost.
        emit(.closed(terms == nil ? error : .lost(error.description)))
    }

    func ticked(_ now: NIODeadline) {
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
            case .acknowledged:
                isBound = true
                emit(.bound)
            case .failed(let status): end(.lost("the server refused our MSRP session: \(status)"))
            case .timedOut: end(.lost("the server didn't answer on the MSRP connection"))
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
