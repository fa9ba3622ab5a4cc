import FileSpool
import Logging
import MSRP
import MSRPTransport
import NIOCore

/// The MSRP session of one file transfer: what receiving and sending have in common. Confined to the mixer's loop.
///
/// It has a connection of its own (`ConnectionSharing.alone`): its back-pressure stops nothing else.
class FileSession: SessionOwner {
    enum Phase {
        /// Nobody has asked or answered anything yet.
        case binding
        case active
        /// What became of it was told.
        case settled
        /// The focus has ended it.
        case gone
    }

    let id: FileTransferID
    let desk: FileDesk
    let request: FileRequest
    let localPath: Path
    private(set) var media: PeerMedia
    private(set) var phase = Phase.binding
    var session: EndpointSession
    /// The way to the peer, as `Frame.pathLines` has it.
    private(set) var pathLines: ByteBuffer
    var ids = IDGenerator()
    var sessionID: SessionID?
    private(set) var connection: Connection?
    private var isStarted = false
    private var isConnecting = false
    /// Our empty SEND, until it is answered.
    private var bindMessage: MessageID?
    private var lastEnd = Continuation.complete
    private var progress: UInt64 = 0
    private var progressAt: NIODeadline

    var mixer: Mixer { desk.mixer }

    init(id: FileTransferID, desk: FileDesk, request: FileRequest, localPath: Path, remotePath: Path) {
        self.id = id
        self.desk = desk
        self.request = request
        self.localPath = localPath
        media = request.media
        pathLines = Frame.pathLines(to: remotePath, from: localPath)
        progressAt = desk.mixer.now
        // Content doesn't come up through the session: the receiver takes it before, and a sender wants none.
        session = EndpointSession(
            localPath: localPath, remotePath: remotePath,
            configuration: EndpointSession.Configuration(
                maxMessageSize: 0, maxReassemblyBytes: 0, maxOutstanding: Self.mostOutstanding,
                responseTimeout: desk.mixer.configuration.transactionTimeout, methods: [.fileOffset]))
    }

    /// Requests without an answer: a sender waits then.
    static let mostOutstanding = 256

    /// Neither told nor ended.
    var isUnderWay: Bool { phase == .binding || phase == .active }

    // MARK: For receiver and sender to fill in

    /// The session is bound in both directions.
    func activated() {}
    /// A part of a request that brings content.
    /// - Returns: false when the session is to have it.
    func takeContent(_ part: Part, from connection: Connection) -> Bool { false }
    /// An empty SEND was answered.
    func emptied(_ head: Head, _ continuation: Continuation) {}
    /// The peer gave a message up with an empty chunk.
    func aborted(_ id: MessageID) {}
    /// Something of ours was answered, or refused.
    func answered() {}
    /// What FILE_OFFSET is told.
    var fileOffset: Int { 0 }
    /// Whether octets may be missing for long, because we are not waiting for the peer.
    var isBusy: Bool { false }
    /// All octets have come: it doesn't matter any more whether the peer is there.
    var isComplete: Bool { false }
    /// Octets in memory that no connection has.
    var heldBytes: Int { 0 }
    /// More may be written.
    func proceed(_ connection: Connection) {}
    /// What a session that ends says to its peer.
    func takeLeave(_ connection: Connection) {}
    /// Gives back what the transfer holds; called once.
    func release() {}

    // MARK: The dialog's side

    func start() {
        isStarted = true
        connectIfAsked()
    }

    func renegotiate(_ media: PeerMedia, remotePath: Path) {
        let isNewPath = media.path != self.media.path
        self.media = media
        // Who was bound before the answer came has been compared with nothing yet.
        if let connection, isUnderWay, media.isTLS && !connection.isTLS || !mixer.isExpected(connection, by: media) {
            fail(.fingerprintMismatch)
            detach(.now)
            return
        }
        if isNewPath {
            session.redirect(to: remotePath)
            pathLines = Frame.pathLines(to: remotePath, from: localPath)
        }
        connectIfAsked()
        activateWhenBound()
    }

    func end(_ mode: ClosingMode) {
        if let connection, phase == .active { takeLeave(connection) }
        phase = .gone
        releaseOnce()
        detach(mode)
    }

    // MARK: What becomes of it

    func fail(_ failure: FileFailure) { settle(.failed(id, failure)) }

    func settle(_ event: FileEvent) {
        guard isUnderWay else { return }
        phase = .settled
        progressAt = mixer.now
        releaseOnce()
        desk.tell(event)
    }

    private func releaseOnce() {
        guard !isReleased else { return }
        isReleased = true
        release()
    }
    private var isReleased = false

    /// - Returns: false when it is over for good.
    func ticked(at now: NIODeadline) -> Bool {
        if phase == .settled { return now - progressAt < desk.limits.lingerTimeout }
        if let connection {
            let taken = connection.enqueuedBytes &- UInt64(clamping: connection.queuedBytes)
            let seen = connection.bytesReceived &+ taken
            if seen != progress || isBusy {
                progress = seen
                progressAt = now
            } else if now - progressAt >= desk.limits.idleTimeout {
                mixer.logger.info("a file transfer has stopped", metadata: ["transfer": "\(id)"])
                fail(.interrupted)
                detach(.now)
            }
        }
        return true
    }

    private func detach(_ mode: ClosingMode) {
        if let sessionID { mixer.transport.sessions.release(sessionID) }
        sessionID = nil
        guard let connection else { return }
        self.connection = nil
        connection.leave(self, closing: mode)
    }

    // MARK: We connect

    private func connectIfAsked() {
        guard case .weConnect(let host, let port) = media.role, isStarted, connection == nil, phase == .binding,
            !isConnecting
        else { return }
        isConnecting = true
        // Under CEMA the host is a middlebox's; the certificate is that of the one behind it.
        let hop = Path(media.path)?.first
        let destination = Destination(
            host: host, port: port, isTLS: media.isTLS, serverName: hop?.host,
            signallingSource: request.signallingSource.flatMap { IPAddress($0) },
            sessionKey: hop?.sessionKey.map(String.init), reachesOwn: Member.isThroughRelay,
            verifiesName: media.verifiesName)
        mixer.transport.connector.connect(to: destination, owner: self, session: sessionID) { [self] result in
            isConnecting = false
            guard case .failure(let error) = result, isUnderWay else { return }
            mixer.logger.info(
                "cannot connect for a file transfer", metadata: ["transfer": "\(id)", "error": "\(error)"])
            fail(.connectFailed)
        }
    }

    // MARK: The transport's side

    func bound(_ connection: Connection, head: Head?) {
        guard isUnderWay, self.connection == nil else { return connection.leave(self, closing: .now) }
        guard connection.isTLS || !media.isTLS else { return connection.leave(self, closing: .now) }
        guard mixer.isExpected(connection, by: media) else {
            connection.leave(self, closing: .now)
            fail(.fingerprintMismatch)
            return
        }
        self.connection = connection
        progressAt = mixer.now
        guard head == nil else { return }
        bindMessage = connection.withOutput { try? session.sendEmpty(now: mixer.now, into: &$0) }
    }

    func rawRead(_ buffer: inout ByteBuffer, from connection: Connection) {
        guard connection === self.connection, session.consumeExpectedResponses(&buffer) > 0 else { return }
        takeAnswers()
    }

    func part(_ part: Part, from connection: Connection) {
        guard connection === self.connection, phase != .gone else { return }
        if takeContent(part, from: connection) { return }
        if case .end(let continuation) = part { lastEnd = continuation }
        let event = connection.withOutput { session.receive(part, now: mixer.now, into: &$0) }
        switch event {
        case .empty(let head):
            peerBound()
            emptied(head, lastEnd)
        case .request(_, _, let pending):
            let headers = [(name: "Offset", value: "\(fileOffset)")]
            connection.withOutput { session.respond(pending, .ok, headers: headers, into: &$0) }
            peerBound()
        case .message(_, let pending):
            connection.withOutput { session.respond(pending, .ok, into: &$0) }
        case .aborted(let id): aborted(id)
        case .response(_, let status): judge(status)
        case .report(let report): if report.namespace == 0 { judge(report.status) }
        default: break
        }
        takeAnswers()
    }

    /// What the peer, or a relay before it, says of what we sent.
    private func judge(_ status: Status) {
        guard !status.isSuccess else { return }
        switch status {
        case .noSuchSession, .timeout, .sessionInUse: fail(.interrupted)
        default: fail(.abandoned)
        }
    }

    private func takeAnswers() {
        while let delivery = session.nextDelivery() {
            guard delivery.messageID == bindMessage else { continue }
            bindMessage = nil
            guard delivery.outcome == .acknowledged else { return fail(.connectFailed) }
            activateWhenBound(isAnswered: true)
        }
        answered()
    }

    /// A request of the peer was answered.
    func peerBound() {
        hasHeard = true
        activateWhenBound()
    }
    private var hasHeard = false

    private func activateWhenBound(isAnswered: Bool = false) {
        hasHeard = hasHeard || isAnswered
        guard phase == .binding, hasHeard, bindMessage == nil, !media.path.isEmpty else { return }
        phase = .active
        activated()
    }

    func writable(_ connection: Connection) {
        guard connection === self.connection, phase == .active else { return }
        proceed(connection)
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        guard connection === self.connection else { return }
        self.connection = nil
        if !isComplete { fail(bindMessage != nil ? .connectFailed : .interrupted) }
    }

    func reservationExpired(_ session: SessionID) {
        guard session == sessionID else { return }
        sessionID = nil
        fail(.interrupted)
    }
}

@available(*, unavailable)
extension FileSession: Sendable {}
