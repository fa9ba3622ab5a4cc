import Logging
import MSRP
import MSRPTransport
import NIOCore

/// A participant: its dialog's place in a room, its MSRP session, and the connection while there is one.
final class Member {
    enum Phase: Equatable {
        /// Waits for the peer's first request, or for the answer to ours.
        case binding
        case active
        /// The connection is gone; the grace period runs.
        case lost
        case gone
    }

    let id: MemberID
    /// Forgets this member when it leaves, so the two don't keep each other.
    let room: Room
    let uri: String
    let displayName: String?
    let request: JoinRequest
    var rights: MemberRights
    var nickname: String?
    private(set) var isJoined = false
    private(set) var phase = Phase.binding { didSet { noteTerms() } }
    private(set) var media: PeerMedia { didSet { noteTerms() } }
    private(set) var sessionID: SessionID?
    private(set) var localPath: Path
    private(set) var connection: Connection?

    private var chat: ChatSessionState
    private var accepted: AcceptedTypes { didSet { noteTerms() } }
    private var session: EndpointSession
    /// The session's; kept here because asking the session for it copies all of it.
    private var sendLines: ByteBuffer
    private var acceptedMessages = AcceptedMessages()
    private var waiting: [Fanout] = []
    private var waitingBytes = 0
    /// Octets of messages that go out in chunks and have not been written.
    private var chunkedBytes = 0
    private var slow = SlowReceiver()
    private(set) var isSlow = false
    private var isWatched = false
    private var graceDeadline: NIODeadline?
    private var lastRemote: IPAddress?
    private var bindMessage: MessageID?
    /// The peer has had an answer to a request on this connection.
    private var isAnswered = false
    private var wasWelcomed = false

    var mixer: Mixer { room.mixer }

    init(id: MemberID, room: Room, request: JoinRequest, localPath: Path, remotePath: Path) {
        self.id = id
        self.room = room
        self.request = request
        rights = room.rights(of: request)
        uri = request.participant
        displayName = request.displayName
        media = request.media
        self.localPath = localPath
        chat = ChatSessionState(
            room: room.address, roomHosts: request.roomHosts, calledName: request.calledName, uri: request.participant,
            aliases: request.aliases,
            displayName: request.displayName, isAnonymous: request.isAnonymous, format: request.media.format)
        accepted = AcceptedTypes(request.media.acceptedWrappedTypes)
        session = EndpointSession(
            localPath: localPath, remotePath: remotePath,
            configuration: room.mixer.sessionConfiguration(format: request.media.format))
        sendLines = session.sendLines
    }

    var snapshot: MemberSnapshot {
        MemberSnapshot(
            id: id, room: room.address, uri: uri, displayName: displayName, nickname: nickname, isJoined: isJoined,
            isMediaActive: phase == .active)
    }

    // MARK: The dialog's side

    func hold(_ sessionID: SessionID) { self.sessionID = sessionID }

    func joined() {
        guard !isJoined, phase != .gone else { return }
        isJoined = true
        mixer.emit(.joined(snapshot))
        if phase == .active { mixer.emit(.mediaActive(snapshot)) }
        connectIfAsked()
    }

    /// New terms for the session there is; its remote path may have become known only now (an offerless INVITE).
    func renegotiate(_ media: PeerMedia, remotePath: Path) {
        let isNewPath = media.path != self.media.path
        self.media = media
        chat.format = media.format
        accepted = AcceptedTypes(media.acceptedWrappedTypes)
        session.configuration = mixer.sessionConfiguration(format: media.format)
        if isNewPath, connection == nil { replaceSession(localPath: localPath, remotePath: remotePath) }
        if isNewPath, connection != nil {
            session.redirect(to: remotePath)
            sendLines = session.sendLines
            activateWhenBound()
        }
        connectIfAsked()
    }

    /// The peer has a new path: a new session under a new id; the old id is unknown from now on
    /// (RFC 4975 section 5.4).
    func replace(_ media: PeerMedia, sessionID: SessionID, localPath: Path, remotePath: Path) {
        let wasActive = phase == .active
        detach(.orderly)
        self.sessionID = sessionID
        self.media = media
        self.localPath = localPath
        chat.format = media.format
        accepted = AcceptedTypes(media.acceptedWrappedTypes)
        replaceSession(localPath: localPath, remotePath: remotePath)
        phase = .binding
        graceDeadline = nil
        // What was under way for the old session comes to nothing.
        isConnecting = false
        bindMessage = nil
        if wasActive, isJoined { mixer.emit(.mediaLost(snapshot)) }
        connectIfAsked()
    }

    func setDirection(_ direction: PeerMedia.Direction) { media.direction = direction }

    private func replaceSession(localPath: Path, remotePath: Path) {
        acceptedMessages.beginSession()
        session = EndpointSession(
            localPath: localPath, remotePath: remotePath,
            configuration: mixer.sessionConfiguration(format: media.format))
        sendLines = session.sendLines
        chunkedBytes = 0
    }

    /// Ends the session; nothing calls back into this member any more.
    func end(_ mode: ClosingMode) {
        detach(mode)
        phase = .gone
        waiting = []
        waitingBytes = 0
        setSlow(false)
    }

    private func detach(_ mode: ClosingMode) {
        releaseSession()
        forgetHeld()
        guard let connection else { return }
        self.connection = nil
        connection.leave(self, closing: mode)
    }

    private func releaseSession() {
        if let sessionID { mixer.transport.sessions.release(sessionID) }
        sessionID = nil
    }

    /// Octets in reassembly that the mixer counts for this member.
    private var heldBytes = 0

    private func noteHeld() {
        let held = session.heldBytes
        guard held != heldBytes else { return }
        mixer.noteHeld(held - heldBytes)
        heldBytes = held
    }

    private func forgetHeld() {
        mixer.noteHeld(-heldBytes)
        heldBytes = 0
    }

    // MARK: We connect

    private func connectIfAsked() {
        guard case .weConnect(let host, let port) = media.role, isJoined, connection == nil, phase == .binding,
            bindMessage == nil, !isConnecting
        else { return }
        isConnecting = true
        let destination = Destination(
            host: host, port: port, isTLS: media.isTLS,
            signallingSource: request.signallingSource.flatMap { IPAddress($0) }, sessionKey: relaySessionKey)
        let expected = sessionID
        mixer.transport.connector.connect(to: destination, owner: self, session: sessionID) { [self] result in
            // Unless another session has taken its place, and connects for itself.
            guard sessionID == expected else { return }
            isConnecting = false
            guard case .failure(let error) = result, phase != .gone else { return }
            mixer.logger.info(
                "cannot connect to a participant",
                metadata: ["room": "\(room.address)", "member": "\(id)", "error": "\(error)"])
            mixer.giveUp(self, cause: .connectFailed)
        }
    }
    private var isConnecting = false

    /// The participant's way leads through a relay of this process. Sessions of rooms don't count: a participant that
    /// names one of those as its own would have rooms talk to each other.
    private var relaySessionKey: String? {
        guard let key = Path(media.path)?.first.sessionKey.map(String.init),
            let owner = mixer.transport.sessions.owner(of: SessionID(text: key)), !(owner is Member)
        else { return nil }
        return key
    }

    // MARK: Media comes and goes

    private func activate() {
        guard phase == .binding || phase == .lost else { return }
        phase = .active
        graceDeadline = nil
        if isJoined { mixer.emit(.mediaActive(snapshot)) }
        let messages = waiting
        waiting = []
        waitingBytes = 0
        if !wasWelcomed {
            wasWelcomed = true
            room.welcome(self)
        }
        let now = mixer.now
        for message in messages { deliver(message, now: now) }
    }

    private func lost() {
        let wasActive = phase == .active
        guard phase != .gone else { return }
        phase = .lost
        graceDeadline = mixer.now + mixer.configuration.gracePeriod
        setSlow(false)
        chunkedBytes = 0
        if !mixer.configuration.reconnectsSameSession { releaseSession() }
        if wasActive, isJoined { mixer.emit(.mediaLost(snapshot)) }
    }

    func giveUpSlow() {
        guard let connection, phase == .active else { return }
        mixer.counters.slowMembersRemoved &+= 1
        mixer.logger.info(
            "closing the connection of a participant that takes too little",
            metadata: ["room": "\(room.address)", "member": "\(id)", "queued": "\(queuedBytes)"])
        setSlow(false)
        connection.close(.now)
    }

    // MARK: Delivery

    var queuedBytes: Int { (connection?.queuedBytes ?? 0) + chunkedBytes }

    /// Active, and takes such content as CPIM of any size: then a delivery asks nothing more than whether octets flow.
    private var takesEverything = false
    private var takesEveryText = false

    private func noteTerms() {
        let takesCPIM =
            phase == .active && media.direction.peerReceives && media.format == .cpim
            && (media.maximumSize ?? .max) >= mixer.configuration.maximumMessageSize
        takesEverything = takesCPIM && accepted.isEverything
        takesEveryText = takesCPIM && accepted.isEveryText
    }

    /// The usual case of `deliver`: nothing has to be asked about this receiver.
    /// - Returns: false if this is another case.
    @inline(__always)
    func deliverAtOnce(id: UInt64, tail: ByteBuffer, isText: Bool, now: NIODeadline) -> Bool {
        guard isText ? takesEveryText : takesEverything, chunkedBytes == 0, let connection, connection.flows,
            session.registerShared(id: id, now: now)
        else { return false }
        connection.enqueueShared(id: id, sendLines: sendLines, tail: tail)
        return true
    }

    func deliver(_ message: Fanout, now: NIODeadline) {
        guard media.direction.peerReceives, accepted.isEverything || accepted.accepts(message.envelope.contentType)
        else { return }
        guard phase == .active, let connection else {
            keep(message)
            return
        }
        guard let form = media.format == .cpim ? message.cpim : message.text else { return }
        let size = form.size
        if let maximum = media.maximumSize, size > maximum { return }
        if connection.isCongested || chunkedBytes > 0 {
            watch()
            observe(adding: size, now: now)
            guard connection.isOpen else { return }
        }
        if form.goesInChunks {
            deliverInChunks(form, size: size, connection: connection, now: now)
        } else if session.registerShared(id: form.id, now: now) {
            connection.enqueueShared(id: form.id, sendLines: sendLines, tail: form.tail)
        } else {
            giveUpSlow()
        }
    }

    private func deliverInChunks(_ form: Fanout.Shared, size: Int, connection: Connection, now: NIODeadline) {
        let message = OutgoingMessage(messageID: form.messageID, contentType: form.contentType, body: form.body)
        do throws(EndpointSession.SendRefusal) {
            try connection.withOutput { output throws(EndpointSession.SendRefusal) in
                try session.send(message, now: now, into: &output)
            }
        } catch {
            giveUpSlow()
            return
        }
        chunkedBytes += size
        connection.notifyWhenWritable()
    }

    /// Octets of chunks given to the connection in one turn, so that other messages get in between.
    private static let chunkSize = 64 * 1024
    private static let chunksPerTurn = 4

    private func sendChunks(_ connection: Connection) {
        let now = mixer.now
        var turns = Self.chunksPerTurn
        while session.hasChunks, turns > 0, connection.isOpen {
            turns -= 1
            let before = connection.enqueuedBytes
            let wrote = connection.withOutput { session.nextChunk(now: now, limit: Self.chunkSize, into: &$0) }
            chunkedBytes = max(0, chunkedBytes - Int(clamping: connection.enqueuedBytes &- before))
            if !wrote { break }
        }
        if session.hasChunks { connection.notifyWhenWritable() } else { chunkedBytes = 0 }
    }

    /// Nobody is there to take it yet: some wait, more are lost.
    private func keep(_ message: Fanout) {
        let size = message.envelope.cpim.readableBytes
        guard phase != .gone, waiting.count < mixer.configuration.messagesBeforeBind,
            waitingBytes + size <= mixer.configuration.bytesBeforeBind
        else {
            mixer.counters.messagesDropped &+= 1
            return
        }
        waiting.append(message)
        waitingBytes += size
    }

    // MARK: Congestion

    private func watch() {
        guard !isWatched else { return }
        isWatched = true
        mixer.watch(self)
        connection?.notifyWhenWritable()
    }

    /// - Returns: whether the member still has to be watched.
    @discardableResult
    func observe(adding size: Int = 0, now: NIODeadline) -> Bool {
        guard let connection, phase == .active else {
            isWatched = false
            setSlow(false)
            return false
        }
        let queued = queuedBytes
        let bound = mixer.configuration.queueBound
        let verdict = slow.observe(
            queued: queued, enqueued: connection.enqueuedBytes &+ UInt64(clamping: chunkedBytes), bound: bound,
            wait: mixer.configuration.slowMemberWait, patience: mixer.configuration.slowMemberPatience, now: now)
        // A message too many for the bound would leave a hole in what this participant sees.
        if verdict == .giveUp || (size > 0 && queued + size > bound + mixer.configuration.maximumMessageSize) {
            giveUpSlow()
            isWatched = false
            return false
        }
        setSlow(verdict == .slow)
        isWatched = queued > 0 || connection.isCongested
        return isWatched
    }

    private func setSlow(_ value: Bool) {
        guard isSlow != value else { return }
        isSlow = value
        room.memberBecame(slow: value)
    }

    // MARK: Time

    func ticked(at now: NIODeadline) {
        if let graceDeadline, graceDeadline <= now {
            mixer.giveUp(self, cause: .graceExpired)
            return
        }
        guard let connection, session.outstanding > 0 || heldBytes > 0 else { return }
        // The 30 seconds start when the last octet has left (RFC 4975 section 7.1.1).
        if isWatched, connection.isCongested { return }
        let expired = session.expire(now: now)
        noteHeld()
        guard !expired.timedOut.isEmpty else { return }
        mixer.counters.transactionTimeouts &+= 1
        mixer.logger.info(
            "a participant does not answer", metadata: ["room": "\(room.address)", "member": "\(id)"])
        connection.close(.now)
    }
}

// MARK: - What the transport says

extension Member: SessionOwner {
    func bound(_ connection: Connection, head: Head?) {
        guard phase != .gone, self.connection == nil else {
            connection.close(.now)
            return
        }
        guard connection.isTLS || !media.isTLS else {
            // An msrps session is for TLS alone (RFC 4975 section 6); who comes without may not be the participant.
            connection.leave(self, closing: .now)
            return
        }
        guard mixer.isExpected(connection, by: media) else {
            mixer.logger.notice(
                "a participant's certificate is not the one in its SDP",
                metadata: ["room": "\(room.address)", "member": "\(id)"])
            connection.leave(self, closing: .now)
            mixer.giveUp(self, cause: .fingerprintMismatch)
            return
        }
        if phase == .lost, let lastRemote, connection.remoteIP != lastRemote {
            // `reconnects_same_session` is for the same client.
            connection.leave(self, closing: .now)
            return
        }
        if phase == .lost, let path = Path(media.path) { replaceSession(localPath: localPath, remotePath: path) }
        self.connection = connection
        isAnswered = false
        lastRemote = connection.remoteIP
        if head == nil { sendBind(connection) }
    }

    private func sendBind(_ connection: Connection) {
        bindMessage = connection.withOutput { output in
            try? session.sendEmpty(now: mixer.now, into: &output)
        }
    }

    func rawRead(_ buffer: inout ByteBuffer, from connection: Connection) {
        guard connection === self.connection else { return }
        _ = session.consumeExpectedResponses(&buffer)
        if bindMessage != nil { takeDeliveries() }
    }

    func part(_ part: Part, from connection: Connection) {
        guard connection === self.connection else { return }
        if case .body = part {
            session.configuration.maxReassemblyBytes = min(
                mixer.configuration.reassemblyPerMember, heldBytes + mixer.reassemblyBudgetLeft)
        }
        let now = mixer.now
        let event = connection.withOutput { session.receive(part, now: now, into: &$0) }
        if case .head = part {} else { noteHeld() }
        if let event {
            take(event, from: connection)
        } else if case .end = part {
            // A chunk binds as well as a whole message does.
            peerBound()
        }
        if bindMessage != nil { takeDeliveries() } else { while session.nextDelivery() != nil {} }
    }

    private func take(_ event: EndpointSession.Event, from connection: Connection) {
        switch event {
        case .message(let message, let pending):
            take(message, pending, from: connection)
        case .empty:
            peerBound()
        case .request(let head, _, let pending):
            let status = head.method == .nickname ? room.requestNickname(head.useNickname, by: self) : .unknownMethod
            connection.withOutput { session.respond(pending, status, into: &$0) }
            peerBound()
        case .response(_, let status):
            refused(by: status, connection)
        case .report(let report):
            // In namespace 000 a report means what the response would (RFC 4975 section 7.3.2).
            if report.namespace == 0 { refused(by: report.status, connection) }
        case .refused:
            mixer.counters.messagesRefused &+= 1
            peerBound()
        case .aborted:
            break
        }
    }

    /// What the peer, or a relay before it, said of a message of ours.
    private func refused(by status: Status, _ connection: Connection) {
        guard !status.isSuccess else { return }
        mixer.counters.deliveryFailures &+= 1
        switch status {
        // The session is gone at the other end, or out of reach (RFC 4975 sections 10.4, 10.8 and 10.10).
        case .noSuchSession, .timeout, .sessionInUse: connection.close(.now)
        default: break
        }
    }

    private func take(_ message: Message, _ pending: EndpointSession.PendingResponse, from connection: Connection) {
        let verdict = chat.judge(
            body: message.body, contentType: message.contentType, dateTime: mixer.dateTime())
        var status = Status.ok
        switch verdict {
        // RFC 7701 sections 6.1 and 6.2
        case .deliver(_, .room) where !rights.speaks: status = .forbidden
        case .deliver(_, .participant) where !rights.speaksPrivately: status = .forbidden
        case .deliver where acceptedMessages.isRepeated(message.messageID): break
        case .deliver(let envelope, let audience):
            status = room.accept(envelope, for: audience, from: self)
            if status == .ok { acceptedMessages.accept(message.messageID) }
        case .drop: break
        case .refuse(let refusal): status = refusal
        }
        if status == .ok {
            mixer.counters.messagesAccepted &+= 1
        } else {
            mixer.counters.messagesRefused &+= 1
        }
        connection.withOutput { output in
            session.respond(pending, status, into: &output)
            if status == .ok { session.report(on: message, status, into: &output) }
        }
        peerBound()
    }

    /// A request of the peer was answered: if it was the first one, the session is bound now.
    private func peerBound() {
        isAnswered = true
        activateWhenBound()
    }

    /// Who connects before the answer to our offer has come is bound, but its path is not known yet.
    private func activateWhenBound() {
        if isAnswered, bindMessage == nil, !media.path.isEmpty { activate() }
    }

    /// What became of our empty SEND.
    private func takeDeliveries() {
        while let delivery = session.nextDelivery() {
            guard delivery.messageID == bindMessage else { continue }
            bindMessage = nil
            if delivery.outcome == .acknowledged {
                activate()
            } else {
                mixer.giveUp(self, cause: .bindRefused)
            }
        }
    }

    func writable(_ connection: Connection) {
        guard connection === self.connection else { return }
        if session.hasChunks { sendChunks(connection) }
        if isWatched { observe(now: mixer.now) }
        if isWatched, !session.hasChunks { connection.notifyWhenWritable() }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        guard connection === self.connection else { return }
        self.connection = nil
        forgetHeld()
        if bindMessage != nil {
            bindMessage = nil
            mixer.giveUp(self, cause: .connectFailed)
            return
        }
        mixer.logger.debug(
            "a participant's connection ended",
            metadata: ["room": "\(room.address)", "member": "\(id)", "reason": "\(reason)"])
        lost()
    }

    /// A client may run its sessions of several rooms over one connection (RFC 4975 section 5.4).
    func sharing(on connection: Connection) -> ConnectionSharing { .members }

    func reservationExpired(_ session: SessionID) {
        guard session == sessionID else { return }
        sessionID = nil
        mixer.giveUp(self, cause: .neverConnected)
    }
}

@available(*, unavailable)
extension Member: Sendable {}
