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

    // What each delivery touches comes first, so that it lies side by side: with many members the processor's caches hold
    // little more.
    /// Active, and takes such content as CPIM of any size: then a delivery asks nothing more than whether octets flow.
    var takesEverything = false
    var takesEveryText = false
    var connection: Connection?
    /// The session's; kept here because asking the session for it copies all of it.
    var sendLines: ByteBuffer
    /// Octets of chunks that wait until the connection takes more.
    var chunkedBytes = 0
    var bindMessage: MessageID?
    var session: EndpointSession

    let id: MemberID
    /// Forgets this member when it leaves, so the two don't keep each other.
    let room: Room
    let uri: String
    /// The same in the form that is compared, and its hash.
    let participant: ParticipantURI
    let participantHash: Int
    let displayName: String?
    let request: JoinRequest
    var rights: MemberRights
    var nickname: String? { didSet { chat.nickname = nickname } }
    var isJoined = false
    var phase = Phase.binding { didSet { noteTerms() } }
    var media: PeerMedia { didSet { noteTerms() } }
    var sessionID: SessionID?
    var localPath: Path

    var chat: ChatSessionState
    var accepted: AcceptedTypes { didSet { noteTerms() } }
    var acceptedMessages = AcceptedMessages()
    var backlog: Backlog
    /// Chunks that wait until the connection takes more.
    var pieces = CircularBuffer<ChunkedMessage.Piece>(initialCapacity: 0)
    /// The messages in chunks that have begun for this participant and not ended.
    var receiving: [ChunkedMessage] = []
    /// Those it gets in one SEND when they have come.
    var assembled: [StreamedMessage] = []
    /// What it says in messages that are passed on while they come.
    var streams: [StreamedMessage] = []
    /// Whether its client puts chunks together (`MixerConfiguration.agentsWithoutChunks`).
    var takesChunks: Bool
    var slow = SlowReceiver()
    var isSlow = false
    /// Messages it was not told while it was congested, since it was told how many.
    var leftOut = 0
    /// Copies it refused since that was logged.
    var failures = 0
    var failuresLogged: NIODeadline?
    var isWatched = false
    /// When it sent a request last, other than the first on its connection.
    var lastRequest: NIODeadline?
    /// The last tick at which nobody read from the connection.
    var pausedAt: NIODeadline?
    var graceDeadline: NIODeadline?
    var lastRemote: IPAddress?
    /// The peer has had an answer to a request on this connection.
    var isAnswered = false
    var wasWelcomed = false
    /// Told of the roster by SIP.
    var isSubscribed = false

    var isConnecting = false

    var mixer: Mixer { room.mixer }

    init(id: MemberID, room: Room, request: JoinRequest, localPath: Path, remotePath: Path) {
        self.id = id
        self.room = room
        self.request = request
        rights = room.rights(of: request)
        uri = request.participant
        participant = ParticipantURI(request.participant)
        participantHash = participant.hashValue
        backlog = Backlog(after: room.history)
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
            configuration: room.sessionConfiguration(format: request.media.format))
        sendLines = session.sendLines
        takesChunks = room.mixer.takesChunks(request.userAgent)
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
        room.tellJoined(self)
        if phase == .active { mixer.emit(.mediaActive(snapshot)) }
        connectIfAsked()
    }

    /// New terms for the session there is; its remote path may have become known only now (an offerless INVITE).
    func renegotiate(_ media: PeerMedia, remotePath: Path) {
        let isNewPath = media.path != self.media.path
        self.media = media
        chat.format = media.format
        accepted = AcceptedTypes(media.acceptedWrappedTypes)
        session.configuration = room.sessionConfiguration(format: media.format)
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
        if wasActive { fallBehind() }
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

    func replaceSession(localPath: Path, remotePath: Path) {
        endRememberedSession()
        session = EndpointSession(
            localPath: localPath, remotePath: remotePath,
            configuration: room.sessionConfiguration(format: media.format))
        sendLines = session.sendLines
        forgetPieces()
    }

    /// Ends the session; nothing calls back into this member any more.
    func end(_ mode: ClosingMode) {
        detach(mode)
        phase = .gone
        backlog.missed = []
        endRememberedSession()
    }

    func detach(_ mode: ClosingMode) {
        room.passOn()
        releaseSession()
        forgetHeld()
        forgetCongestion()
        abortStreams()
        forgetPieces()
        guard let connection else { return }
        self.connection = nil
        connection.leave(self, closing: mode)
    }

    func releaseSession() {
        if let sessionID { mixer.transport.sessions.release(sessionID) }
        sessionID = nil
    }

    /// Octets in reassembly that the mixer counts for this member.
    var heldBytes = 0

    func noteHeld() {
        let held = session.heldBytes
        guard held != heldBytes else { return }
        mixer.noteHeld(held - heldBytes)
        heldBytes = held
    }

    func forgetHeld() {
        mixer.noteHeld(-heldBytes)
        heldBytes = 0
    }

    // MARK: We connect

    func connectIfAsked() {
        guard case .weConnect(let host, let port) = media.role, isJoined, connection == nil, phase == .binding,
            bindMessage == nil, !isConnecting
        else { return }
        isConnecting = true
        // Under CEMA the host is a middlebox's; the certificate is that of the one behind it.
        let hop = Path(media.path)?.first
        let destination = Destination(
            host: host, port: port, isTLS: media.isTLS, serverName: hop?.host,
            signallingSource: request.signallingSource.flatMap { IPAddress($0) },
            sessionKey: hop?.sessionKey.map(String.init), reachesOwn: Self.isThroughRelay,
            verifiesName: media.verifiesName)
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

    /// The participant's way may lead through a relay of this process. Sessions of rooms don't count: a participant that
    /// names one of those as its own would have rooms talk to each other.
    static func isThroughRelay(_ owner: any SessionOwner) -> Bool { !(owner is Member) && !(owner is FileSession) }

    // MARK: Media comes and goes

    func activate() {
        guard phase == .binding || phase == .lost else { return }
        room.passOn()
        phase = .active
        graceDeadline = nil
        if isJoined { mixer.emit(.mediaActive(snapshot)) }
        if !wasWelcomed {
            wasWelcomed = true
            room.welcome(self)
        }
        catchUp()
    }

    func lost() {
        let wasActive = phase == .active
        guard phase != .gone else { return }
        room.passOn()
        if wasActive { fallBehind() }
        phase = .lost
        graceDeadline = mixer.now + mixer.configuration.gracePeriod
        forgetCongestion()
        if !mixer.configuration.reconnectsSameSession { releaseSession() }
        if wasActive, isJoined { mixer.emit(.mediaLost(snapshot)) }
    }
}

@available(*, unavailable)
extension Member: Sendable {}
