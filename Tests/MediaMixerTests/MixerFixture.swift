import Logging
import MSRPTransport
import MediaMixer
import NIOCore
import NIOPosix
import Support
import Synchronization

/// A mixer with one listener, and participants on bare sockets.
final class MixerFixture: Sendable {
    let group: MultiThreadedEventLoopGroup
    let transport: TransportHandle
    let mixer: MixerHandle
    let address: Support.SocketAddress
    let room = RoomAddress(user: "lobby", domain: "example.com")
    private let recorded: EventLog

    final class EventLog: Sendable {
        private let events = Mutex<[MemberEvent]>([])
        func append(_ event: MemberEvent) { events.withLock { $0.append(event) } }
        var all: [MemberEvent] { events.withLock { $0 } }
    }

    init(
        configuration: MixerConfiguration = MixerConfiguration(), welcome: RoomConfiguration.Welcome = .nobody,
        loops: Int = 1, host: String = "127.0.0.1", services: MixerServices = MixerServices(),
        adjust: (inout TransportConfiguration) -> Void = { _ in },
        inRoom: (inout RoomConfiguration) -> Void = { _ in }
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        self.group = group
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var settings = TransportConfiguration()
        settings.limits.lingerTimeout = .milliseconds(20)
        adjust(&settings)
        transport = await TransportHandle.start(
            on: Array(group.makeIterator()), configuration: settings, logger: logger)
        let addresses = try await transport.listen(on: [ListenAddress(host: host, port: 0)])
        address = Support.SocketAddress(host: host, port: UInt16(addresses.first?.port ?? 0))
        let log = EventLog()
        recorded = log
        mixer = await MixerHandle.start(
            transport: transport, configuration: configuration, services: services, logger: logger
        ) { log.append($0) }
        var rules = RoomConfiguration(address: room, title: "The lobby", welcome: welcome)
        inRoom(&rules)
        await mixer.open(RoomTerms(rules))
    }

    func end() async throws {
        await mixer.closeAll()
        await transport.shutdown()
        try await group.shutdownGracefully()
    }

    /// In words, oldest first.
    var events: [String] {
        recorded.all.map { event in
            let user = event.member.uri.split(separator: "@")[0].dropFirst(4)
            switch event {
            case .joined: return "\(user) joined"
            case .left(_, let reason): return "\(user) left \(reason)"
            case .mediaActive: return "\(user) active"
            case .mediaLost: return "\(user) lost"
            case .nicknameChanged(let member): return "\(user) is \(member.nickname ?? "nobody")"
            case .ended(_, let cause): return "\(user) ended \(cause)"
            }
        }
    }

    /// Lets the loop come round until the condition holds; its limit only ends a test that fails.
    func until(_ condition: () async throws -> Bool) async throws {
        let deadline = Deadline.after(seconds: 10)
        while try await !condition() {
            if deadline.passed { throw SupportError("it did not happen; events: \(events)") }
            await transport.performOnAll { _ in }
        }
    }

    func tick(after time: TimeAmount) async {
        let at = NIODeadline.now() + time
        await transport.performOnAll { $0.ticked(at: at) }
    }

    func media(_ user: String, adjust: (inout PeerMedia) -> Void = { _ in }) -> PeerMedia {
        var media = PeerMedia(
            path: "msrp://127.0.0.1:9/\(user);tcp", role: .peerConnects, isTLS: false, format: .cpim,
            acceptedWrappedTypes: ["*"], isChatRoomAware: true, supportsPrivateMessages: true)
        adjust(&media)
        return media
    }

    func reserve(
        _ user: String, in room: RoomAddress? = nil, creates: Bool = false, aliases: [String] = [],
        replacing replaced: MemberID? = nil, userAgent: String? = nil, adjust: (inout PeerMedia) -> Void = { _ in }
    ) async throws -> Reservation {
        try await mixer.reserve(
            JoinRequest(
                room: room ?? self.room, participant: "sip:\(user)@example.com", aliases: aliases,
                displayName: nil, account: "\(user)@example.com", isAnonymous: !aliases.isEmpty,
                terms: creates ? RoomTerms(RoomConfiguration(address: room ?? self.room)) : nil,
                replaced: replaced, media: media(user, adjust: adjust), localHost: address.host,
                localPort: Int(address.port), userAgent: userAgent))
    }

    /// Reserved, acknowledged, connected and bound.
    func join(
        _ user: String, in room: RoomAddress? = nil, creates: Bool = false, aliases: [String] = [],
        userAgent: String? = nil, adjust: (inout PeerMedia) -> Void = { _ in }
    ) async throws -> TestParticipant {
        let reservation = try await reserve(
            user, in: room, creates: creates, aliases: aliases, userAgent: userAgent, adjust: adjust)
        await mixer.joined(reservation.member)
        let participant = try TestParticipant(user, reservation, room: room ?? self.room)
        let bound = try participant.msrp.bind()
        guard bound.status == 200 else { throw SupportError("the bind was answered with \(bound.word)") }
        return participant
    }
}

final class TestParticipant: Sendable {
    let user: String
    let member: MemberID
    let msrp: RawMSRPClient
    let room: RoomAddress

    init(_ user: String, _ reservation: Reservation, room: RoomAddress) throws {
        self.user = user
        self.room = room
        member = reservation.member
        msrp = try RawMSRPClient(remotePath: reservation.localPath, localPath: "msrp://127.0.0.1:9/\(user);tcp")
    }

    var uri: String { "sip:\(user)@example.com" }

    func cpim(_ text: String, to: String? = nil) -> [UInt8] {
        RawMSRPClient.cpim(from: uri, to: to ?? room.uri, text)
    }

    @discardableResult
    func say(_ text: String, to: String? = nil, extra: String = "") throws -> Int {
        try msrp.response(to: msrp.post(cpim(text, to: to), extra: extra)).status
    }

    func hears() throws -> String { try msrp.nextMessage().cpimText }
}
