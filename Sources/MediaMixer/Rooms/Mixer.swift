import Logging
import MSRP
import MSRPTransport
import NIOCore
import Payloads

#if canImport(Glibc)
    import Glibc
#endif

/// All rooms of one event loop, and their members.
final class Mixer {
    let transport: TransportLoop
    /// What the mixers of all loops have together.
    let share: MixerShare
    let configuration: MixerConfiguration
    let services: MixerServices
    let logger: Logger
    var counters = MixerCounters()
    var generator = IDGenerator()
    private(set) var now = NIODeadline.now()
    private let events: @Sendable (MemberEvent) -> Void
    private var rooms: [RoomAddress: Room] = [:]
    private var members: [MemberID: Member] = [:]
    private var watched: [Member] = []
    private var heldBytes = 0
    /// Octets in the tails of all rooms, and how many there should be.
    var tailBytes = 0
    var tailBudget: Int { configuration.tailBudget / share.loops }
    /// Message-IDs that members have to remember.
    var rememberedMessages = 0
    /// This loop's part of the whole.
    private let reassemblyBudget: Int
    private var lastMember: UInt64 = 0
    private(set) var isClosing = false
    /// File transfers, since there was one.
    private var fileDesk: FileDesk?

    init(
        transport: TransportLoop, share: MixerShare, configuration: MixerConfiguration, services: MixerServices,
        logger: Logger,
        events: @escaping @Sendable (MemberEvent) -> Void
    ) {
        self.transport = transport
        self.share = share
        reassemblyBudget = share.reassemblyBudget(configuration)
        self.configuration = configuration
        self.services = services
        self.logger = logger
        self.events = events
        transport.everyTick { [self] now in ticked(at: now) }
    }

    func emit(_ event: MemberEvent) { events(event) }

    func member(_ id: MemberID) -> Member? { members[id] }

    // MARK: Rooms

    /// Terms that are older than what the room has come too late and change nothing.
    func open(_ terms: RoomTerms) {
        if let room = rooms[terms.address] {
            if terms.version >= room.terms.version { room.terms = terms }
        } else if !isClosing, share.takeRoom(limit: configuration.maximumRooms) {
            rooms[terms.address] = Room(mixer: self, terms: terms)
            counters.rooms = rooms.count
        }
    }

    func close(_ address: RoomAddress, version: UInt64) {
        guard let room = rooms[address], room.terms.version <= version else { return }
        room.isClosing = true
        for member in room.members { leave(member.id, reason: .removed) }
        room.history.close()
        rooms[address] = nil
        share.giveBackRooms(1)
        counters.rooms = rooms.count
    }

    func room(_ address: RoomAddress) -> Room? { rooms[address] }

    // MARK: Members

    func reserve(_ request: JoinRequest) -> Result<Reservation, JoinRefusal> {
        let result = Result { () throws(JoinRefusal) in try makeMember(request) }
        if case .failure = result { counters.joinsRefused &+= 1 }
        return result
    }

    private func makeMember(_ request: JoinRequest) throws(JoinRefusal) -> Reservation {
        if isClosing { throw .shuttingDown }
        guard share.takeMember(on: transport.place.index, limit: configuration.maximumMembers) else {
            throw .tooManyMembers
        }
        do throws(JoinRefusal) {
            return try makeCountedMember(request)
        } catch {
            share.giveBackMember(of: transport.place.index)
            throw error
        }
    }

    private func makeCountedMember(_ request: JoinRequest) throws(JoinRefusal) -> Reservation {
        if let room = rooms[request.room] {
            if let terms = request.terms, terms.version > room.terms.version { room.terms = terms }
            return try makeMember(request, in: room)
        }
        guard let terms = request.terms, terms.address == request.room else { throw .noSuchRoom }
        guard share.takeRoom(limit: configuration.maximumRooms) else { throw .tooManyRooms }
        let room = Room(mixer: self, terms: terms)
        do throws(JoinRefusal) {
            return try makeMember(request, in: room)
        } catch {
            // What it began to load is of no use.
            room.history.close()
            share.giveBackRooms(1)
            throw error
        }
    }

    private func makeMember(_ request: JoinRequest, in room: Room) throws(JoinRefusal) -> Reservation {
        if let refusal = room.rules.refusal(of: request.media, membersInside: room.state.count) { throw refusal }
        lastMember &+= 1
        let id = MemberID(number: transport.place.number(lastMember))
        // Its path names the session, so the session comes first; the member then takes it over.
        let member = try makeMember(id, in: room, request: request)
        rooms[request.room] = room
        counters.rooms = rooms.count
        room.add(member, replacing: request.replaced)
        members[id] = member
        counters.members = members.count
        logger.info(
            "reserved",
            metadata: ["room": "\(request.room)", "member": "\(id)", "participant": "\(request.participant)"])
        return Reservation(member: id, localPath: member.localPath.description)
    }

    private func makeMember(
        _ id: MemberID, in room: Room, request: JoinRequest
    ) throws(JoinRefusal) -> Member {
        let session = transport.sessions.newID()
        guard
            let local = localPath(
                session, host: request.localHost, port: request.localPort, isTLS: request.media.isTLS)
        else {
            throw .malformedPath
        }
        let remote = try remotePath(request.media, placeholder: local)
        let member = Member(id: id, room: room, request: request, localPath: local, remotePath: remote)
        guard transport.sessions.reserve(session, owner: member, deadline: .now() + configuration.bindTimeout) else {
            throw .tooManyMembers
        }
        member.hold(session)
        return member
    }

    func renegotiate(
        _ id: MemberID, media: PeerMedia, newSession: Bool
    ) -> Result<Reservation, JoinRefusal> {
        Result { () throws(JoinRefusal) in
            guard let member = members[id] else { throw .noSuchMember }
            let remote = try remotePath(media, placeholder: member.localPath)
            // The same path asks for a new session only where the old connection is gone.
            let isNeeded =
                media.path != member.media.path || media.isTLS != member.media.isTLS || member.phase == .lost
            guard newSession, isNeeded else {
                member.renegotiate(media, remotePath: remote)
                return Reservation(member: id, localPath: member.localPath.description)
            }
            let session = transport.sessions.newID()
            guard
                let local = localPath(
                    session, host: member.request.localHost, port: member.request.localPort, isTLS: media.isTLS)
            else {
                throw .malformedPath
            }
            guard
                transport.sessions.reserve(session, owner: member, deadline: .now() + configuration.bindTimeout)
            else { throw .tooManyMembers }
            member.replace(media, sessionID: session, localPath: local, remotePath: remote)
            return Reservation(member: id, localPath: local.description)
        }
    }

    /// - Parameter port: 0 means the first listener's.
    func localPath(_ session: SessionID, host: String, port: Int, isTLS: Bool) -> Path? {
        let port = port != 0 ? port : transport.listeners.first?.port ?? 0
        let host = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        return Path("\(isTLS ? "msrps" : "msrp")://\(host):\(port)/\(session);tcp")
    }

    /// An offerless INVITE has no path of the peer until the ACK; nothing is sent before.
    func remotePath(_ media: PeerMedia, placeholder: Path) throws(JoinRefusal) -> Path {
        if media.path.isEmpty { return placeholder }
        guard let path = Path(media.path) else { throw .malformedPath }
        return path
    }

    func leave(_ id: MemberID, reason: LeaveReason) {
        guard let member = members[id] else { return }
        remove(member, .orderly)
        emit(.left(member.snapshot, reason))
        if let how = Room.Departure(reason) { member.room.tellLeft(member, how) }
    }

    func giveUp(_ member: Member, cause: EndCause) {
        guard members[member.id] != nil else { return }
        logger.info(
            "giving a participant up",
            metadata: ["room": "\(member.room.address)", "member": "\(member.id)", "cause": "\(cause)"])
        remove(member, cause == .fingerprintMismatch ? .now : .orderly)
        emit(.ended(member.snapshot, cause))
        member.room.tellLeft(member, Room.Departure(cause))
    }

    private func remove(_ member: Member, _ mode: ClosingMode) {
        members[member.id] = nil
        share.giveBackMember(of: transport.place.index)
        counters.members = members.count
        member.end(mode)
        let room = member.room
        room.remove(member)
    }

    func closeAll() {
        isClosing = true
        for id in Array(members.keys) { leave(id, reason: .shutdown) }
        for room in rooms.values { room.history.close() }
        fileDesk?.closeAll()
        // The two keep each other.
        fileDesk = nil
        share.giveBackRooms(rooms.count)
        rooms = [:]
        counters.rooms = 0
    }

    func roster(_ address: RoomAddress) -> [MemberSnapshot] {
        rooms[address]?.members.filter(\.isJoined).map(\.snapshot) ?? []
    }

    var snapshot: MixerCounters {
        var snapshot = counters
        snapshot.queuedBytes = members.values.reduce(0) { $0 + $1.queuedBytes }
        snapshot.fileBytesHeld = fileDesk?.heldBytes ?? 0
        return snapshot
    }

    // MARK: Files

    func reserveFile(_ request: FileRequest) -> Result<FileReservation, JoinRefusal> {
        if isClosing { return .failure(.shuttingDown) }
        let desk = fileDesk ?? FileDesk(mixer: self)
        fileDesk = desk
        return desk.reserve(request)
    }

    /// Nil when there was no transfer yet.
    var files: FileDesk? { fileDesk }

    // MARK: Time and congestion

    /// The turn's time: deadlines and DateTime need no finer one.
    func turnBegan() { now = .now() }

    func watch(_ member: Member) { watched.append(member) }

    private func ticked(at now: NIODeadline) {
        self.now = now
        watched = watched.filter { $0.observe(now: now) }
        for room in rooms.values { room.ticked(at: now) }
        for member in Array(members.values) { member.ticked(at: now) }
        fileDesk?.ticked(at: now)
    }

    // MARK: What sessions share

    func sessionConfiguration(format: PeerMedia.Format) -> EndpointSession.Configuration {
        format == .cpim ? cpimSession : textSession
    }
    private lazy var cpimSession = makeSessionConfiguration(accepting: "message/cpim")
    private lazy var textSession = makeSessionConfiguration(accepting: "text/plain")

    private func makeSessionConfiguration(accepting type: String) -> EndpointSession.Configuration {
        EndpointSession.Configuration(
            maxMessageSize: configuration.maximumMessageSize, maxReassemblyBytes: configuration.reassemblyPerMember,
            maxUnchunked: configuration.maximumUnchunkedSize, responseTimeout: configuration.transactionTimeout,
            methods: [.nickname], acceptTypes: AcceptTypes([type]), streamAbove: configuration.maximumUnchunkedSize,
            maxStreams: configuration.streamsPerMember, chunkReceptionTime: configuration.chunkReceptionTime)
    }

    /// Whether a client puts messages in chunks together, as far as its User-Agent tells.
    func takesChunks(_ userAgent: String?) -> Bool {
        guard let userAgent else { return true }
        return !configuration.agentsWithoutChunks.contains { userAgent.hasPrefix($0) }
    }

    func noteHeld(_ change: Int) { heldBytes += change }

    var reassemblyBudgetLeft: Int { max(0, reassemblyBudget - heldBytes) }

    /// Whether the connection's certificate is one the peer announced (RFC 4975 section 14.4).
    func isExpected(_ connection: Connection, by media: PeerMedia) -> Bool {
        let expected = media.expectedFingerprints
        return expected.isEmpty
            || expected.contains { connection.presentedCertificate(hash: $0.hash, digest: $0.digest) }
    }

    /// Milliseconds since 1970.
    func wallMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    func dateTime() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return InternetDateTime.format(seconds: Int64(time.tv_sec), milliseconds: time.tv_nsec / 1_000_000)
    }
}

@available(*, unavailable)
extension Mixer: Sendable {}
