import FileSpool
import Logging
import MediaMixer
import Payloads
import Synchronization
import Testing

@testable import Focus
@testable import SIP

/// A focus between a stack and a mixer that only note what they are told, one after the other.
final class Bench {
    let stack: FakeStack
    let mixer: FakeMixer
    let focus: Focus
    let clock = ManualClock()
    private let journal: Journal
    private var actions: AsyncStream<Action>.Iterator
    private var lastID: UInt64 = 0

    static let room = RoomAddress(user: "lobby", domain: "example.com")
    static let quiet = Logger(label: "test") { _ in Silence() }

    init(
        listeners: [Endpoint] = [Endpoint(transport: .udp, host: "192.0.2.1", port: 5060)],
        store: (any RoomStore)? = nil, shelf: (any FileShelf)? = nil,
        _ change: (inout FocusConfiguration) -> Void = { _ in }
    ) {
        journal = Journal()
        actions = journal.stream.makeAsyncIterator()
        stack = FakeStack(journal: journal, listeners: listeners)
        mixer = FakeMixer(journal: journal)
        var configuration = FocusConfiguration(
            domains: ["example.com"], mediaListeners: [HostAndPort(host: "192.0.2.1", port: 2855)],
            media: LocalMedia(maxSize: 10_485_760, chatroom: .init(nicknames: false, privateMessages: false)))
        change(&configuration)
        focus = Focus(
            signalling: stack, mixer: mixer, store: store, shelf: shelf, configuration: configuration,
            logger: Self.quiet,
            now: { [clock] in clock.now })
    }

    /// What the focus did next.
    func next() async -> Action {
        var iterator = actions
        let action = await iterator.next()
        actions = iterator
        return action ?? .nothing
    }

    /// The next answer, with what must come before it skipped.
    func nextAnswer(_ location: SourceLocation = #_sourceLocation) async throws -> Answer {
        while true {
            switch await next() {
            case .answer(let answer): return answer
            case .nothing: throw TestFailure()
            default: continue
            }
        }
    }

    func nextTransaction() -> Transaction {
        lastID += 1
        return Transaction(id: lastID)
    }

    /// Proves that nothing else is on its way: the answer to an OPTIONS sent now comes next.
    func expectQuiet(_ location: SourceLocation = #_sourceLocation) async {
        let transaction = nextTransaction()
        await focus.handle(.request(transaction, .options("sip:example.com")))
        let action = await next()
        if case .answer(let answer) = action, answer.transaction == transaction { return }
        Issue.record("unexpected: \(action)", sourceLocation: location)
    }

    /// An INVITE, answered with 200.
    @discardableResult
    func invite(_ request: Request = .invite()) async throws -> (Call, MemberID, Answer) {
        let transaction = nextTransaction()
        let call = Call(id: transaction.id)
        await focus.handle(.invite(call, transaction, request))
        let answer = try await nextAnswer()
        try #require(answer.status == 200, "\(answer)")
        return (call, MemberID(number: mixer.lastMember), answer)
    }

    /// An INVITE, answered and acknowledged.
    func join(_ request: Request = .invite()) async throws -> (Call, MemberID, Answer) {
        let (call, member, answer) = try await invite(request)
        await focus.handle(.acknowledged(call, nil))
        #expect(await next() == .joined(member))
        return (call, member, answer)
    }

    /// A request that is refused, and how.
    func refusal(of request: Request) async throws -> Answer {
        let transaction = nextTransaction()
        switch request.method {
        case "INVITE": await focus.handle(.invite(Call(id: transaction.id), transaction, request))
        default: await focus.handle(.request(transaction, request))
        }
        return try await nextAnswer()
    }

    /// An offer within a call.
    func offer(_ call: Call, _ request: Request) async -> Transaction {
        let transaction = nextTransaction()
        await focus.handle(
            request.method == "UPDATE" ? .update(call, transaction, request) : .reinvite(call, transaction, request))
        return transaction
    }
}

struct TestFailure: Error {}

/// What the focus did.
enum Action: Equatable, Sendable {
    case answer(Answer)
    case hangUp(Call, reason: String?)
    case route(Call, Endpoint?)
    case reserve(JoinRequest)
    case renegotiate(MemberID, PeerMedia, newSession: Bool)
    case joined(MemberID)
    case leave(MemberID, LeaveReason)
    case reserveFile(FileRequest)
    case renegotiateFile(FileTransferID, PeerMedia)
    case startFile(FileTransferID)
    case endFile(FileTransferID)
    case announce(SpooledFile, RoomAddress)
    case sent(Sent)
    case close(Dialog)
    case dialogRoute(Dialog, Endpoint?)
    case acknowledge(Call)
    case cancel(Call)
    case nothing

    static func == (left: Action, right: Action) -> Bool {
        switch (left, right) {
        case (.answer(let left), .answer(let right)): left == right
        case (.hangUp(let left, let reason), .hangUp(let right, let other)): left == right && reason == other
        case (.route(let left, let to), .route(let right, let other)): left == right && to == other
        case (.renegotiate(let left, let media, let new), .renegotiate(let right, let other, let also)):
            left == right && media == other && new == also
        case (.joined(let left), .joined(let right)): left == right
        case (.leave(let left, let reason), .leave(let right, let other)): left == right && reason == other
        case (.renegotiateFile(let left, let media), .renegotiateFile(let right, let other)):
            left == right && media == other
        case (.startFile(let left), .startFile(let right)): left == right
        case (.endFile(let left), .endFile(let right)): left == right
        case (.announce(let left, let room), .announce(let right, let other)): left == right && room == other
        case (.sent(let left), .sent(let right)): left == right
        case (.close(let left), .close(let right)): left == right
        case (.dialogRoute(let left, let to), .dialogRoute(let right, let other)): left == right && to == other
        case (.acknowledge(let left), .acknowledge(let right)): left == right
        case (.cancel(let left), .cancel(let right)): left == right
        case (.nothing, .nothing): true
        default: false
        }
    }
}

struct Answer: Equatable, Sendable {
    let transaction: Transaction
    let status: Int
    let contact: String?
    let headers: [HeaderField]
    let body: MessageBody?

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    var sdp: String { body.map { String(decoding: $0.content, as: UTF8.self) } ?? "" }

    func sdpLine(_ prefix: String) -> String? {
        sdp.split(separator: "\r\n").first { $0.hasPrefix(prefix) }.map(String.init)
    }
}

/// A request that the focus sent.
struct Sent: Equatable, Sendable {
    let method: String
    let exchange: Exchange
    /// What it was sent within; nil: outside of all dialogs.
    let dialog: DialogReference?
    let target: SIPURI?
    let from: String?
    let headers: [HeaderField]
    let body: MessageBody?

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    var text: String { body.map { String(decoding: $0.content, as: UTF8.self) } ?? "" }
}

final class Journal: Sendable {
    let stream: AsyncStream<Action>
    private let continuation: AsyncStream<Action>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func note(_ action: Action) { continuation.yield(action) }
}

final class ManualClock: Sendable {
    private let elapsed = Mutex(Duration.zero)
    private let start = ContinuousClock.now
    var now: ContinuousClock.Instant { start + elapsed.withLock { $0 } }
    func advance(by duration: Duration) { elapsed.withLock { $0 += duration } }
}

struct Silence: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {}
}

/// A stack without a wire. Its thread is an actor's; timers fire when the test says so.
final class FakeStack: Signalling {
    private actor Thread {}

    let listeners: [Endpoint]
    private let thread = Thread()
    private let journal: Journal
    private let timers = Mutex<[(Duration, @Sendable () -> Void)]>([])
    private let lastExchange = Mutex<UInt64>(1_000_000)
    private let known = Mutex<[DialogName: Call]>([:])

    init(journal: Journal, listeners: [Endpoint]) {
        self.journal = journal
        self.listeners = listeners
    }

    nonisolated var executor: UnownedSerialExecutor { thread.unownedExecutor }

    func respond(
        to transaction: Transaction, status: Int, phrase: String?, contact: String?, headers: [HeaderField],
        body: MessageBody?
    ) {
        journal.note(
            .answer(
                Answer(transaction: transaction, status: status, contact: contact, headers: headers, body: body)))
    }

    func hangUp(_ call: Call, reason: String?) { journal.note(.hangUp(call, reason: reason)) }

    func setRoute(_ call: Call, _ endpoint: Endpoint?) { journal.note(.route(call, endpoint)) }

    func find(_ name: DialogName) -> Call? {
        known.withLock { $0[DialogName(callID: name.callID, localTag: name.localTag, remoteTag: name.remoteTag)] }
    }

    /// From now on Join and Replaces find the call by these.
    func know(_ call: Call, callID: String, localTag: String, remoteTag: String) {
        known.withLock { $0[DialogName(callID: callID, localTag: localTag, remoteTag: remoteTag)] = call }
    }

    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        timers.withLock { $0.append((delay, action)) }
    }

    func accept(_ transaction: Transaction, status: Int, contact: String, headers: [HeaderField]) -> Dialog? {
        journal.note(
            .answer(
                Answer(transaction: transaction, status: status, contact: contact, headers: headers, body: nil)))
        return Dialog(id: transaction.id)
    }

    func close(_ dialog: Dialog) { journal.note(.close(dialog)) }

    func setRoute(_ dialog: Dialog, _ endpoint: Endpoint?) { journal.note(.dialogRoute(dialog, endpoint)) }

    func send(
        _ method: String, within dialog: DialogReference, contact: String?, headers: [HeaderField], body: MessageBody?
    ) -> Exchange {
        let exchange = nextExchange()
        journal.note(
            .sent(
                Sent(
                    method: method, exchange: exchange, dialog: dialog, target: nil, from: nil, headers: headers,
                    body: body)))
        return exchange
    }

    func send(
        _ method: String, to target: SIPURI, from: String, to: String?, contact: String?, route: Endpoint?,
        headers: [HeaderField], body: MessageBody?, retrying: Exchange?
    ) -> Exchange {
        let exchange = nextExchange()
        journal.note(
            .sent(
                Sent(
                    method: method, exchange: exchange, dialog: nil, target: target, from: from, headers: headers,
                    body: body)))
        return exchange
    }

    func invite(
        _ target: SIPURI, from: String, to: String?, contact: String?, route: Endpoint?, headers: [HeaderField],
        body: MessageBody?, retrying: Call?
    ) -> Call {
        let exchange = nextExchange()
        journal.note(
            .sent(
                Sent(
                    method: "INVITE", exchange: exchange, dialog: nil, target: target, from: from, headers: headers,
                    body: body)))
        return Call(id: exchange.id)
    }

    func acknowledge(_ call: Call, body: MessageBody?) { journal.note(.acknowledge(call)) }

    func cancel(_ call: Call) { journal.note(.cancel(call)) }

    /// Ids apart from those that tests draw.
    private func nextExchange() -> Exchange {
        Exchange(
            id: lastExchange.withLock { last in
                last += 1
                return last
            })
    }

    var pendingDelays: [Duration] { timers.withLock { $0.map(\.0) } }

    /// Runs the timer started first, on the focus's executor: of all, or of those that were set for `delay`.
    func fireTimer(on focus: Focus, after delay: Duration? = nil) async {
        let timer = timers.withLock { timers in
            timers.firstIndex { delay == nil || $0.0 == delay }.map { timers.remove(at: $0) }
        }
        guard let (_, action) = timer else { return }
        await focus.run(action)
    }
}

extension Focus {
    fileprivate func run(_ action: @Sendable () -> Void) { action() }
}

/// A spool without a disk.
final class FakeShelf: FileShelf {
    private struct State {
        var files: [SpooledFile] = []
        var expired: Set<String> = []
        var removed: [String] = []
    }

    let limits: SpoolLimits
    private let state = Mutex(State())

    init(_ files: [SpooledFile] = [], limits: SpoolLimits = SpoolLimits()) {
        self.limits = limits
        state.withLock { $0.files = files }
    }

    var rooms: [String] { Set(state.withLock { $0.files.map(\.room) }).sorted() }

    func files(in room: String) -> [SpooledFile] { state.withLock { $0.files.filter { $0.room == room } } }

    /// What was removed: ids of files, addresses of rooms.
    var removed: [String] { state.withLock { $0.removed } }

    func add(_ file: SpooledFile) { state.withLock { $0.files.append(file) } }

    /// Those go when they are looked for next.
    func age(_ id: String) { state.withLock { _ = $0.expired.insert(id) } }

    func remove(_ id: String) async {
        state.withLock { state in
            state.files.removeAll { $0.id == id }
            state.removed.append(id)
        }
    }

    func removeRoom(_ room: String) async {
        state.withLock { state in
            state.files.removeAll { $0.room == room }
            state.removed.append(room)
        }
    }

    func expire(now: Int64) async -> [SpooledFile] {
        state.withLock { state in
            let gone = state.files.filter { state.expired.contains($0.id) }
            state.files.removeAll { state.expired.contains($0.id) }
            return gone
        }
    }
}

/// A mixer that grants all, or refuses, now or when it is told to go on.
final class FakeMixer: Mixer {
    private struct State {
        var lastMember: UInt64 = 0
        var refusal: JoinRefusal?
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var paths = 0
        var open: [RoomAddress: RoomTerms] = [:]
        var agents: [MemberID: String] = [:]
        var subscribed: Set<MemberID> = []
        var lastTransfer: UInt64 = 0
    }

    private let journal: Journal
    private let state = Mutex(State())

    init(journal: Journal) { self.journal = journal }

    var lastMember: UInt64 { state.withLock { $0.lastMember } }

    func refuse(_ refusal: JoinRefusal?) { state.withLock { $0.refusal = refusal } }

    /// From now on nothing is answered until `goOn`.
    func hold() { state.withLock { $0.isHeld = true } }

    func goOn() {
        let waiting = state.withLock { state in
            state.isHeld = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func pass(_ action: Action) async {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                if state.isHeld { state.waiting.append(continuation) }
                return state.isHeld
            }
            journal.note(action)
            if !isHeld { continuation.resume() }
        }
    }

    func open(_ room: RoomTerms) { state.withLock { $0.open[room.address] = room } }

    func close(_ room: RoomAddress, version: UInt64) { state.withLock { $0.open[room] = nil } }

    /// What the mixer was last told of a room; nil: nothing, or that it is closed.
    func terms(of room: RoomAddress) -> RoomTerms? { state.withLock { $0.open[room] } }

    func reserve(_ request: JoinRequest) async throws(JoinRefusal) -> Reservation {
        await pass(.reserve(request))
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
        if let terms = request.terms { open(terms) }
        let member = state.withLock { state in
            state.lastMember += 1
            return state.lastMember
        }
        let scheme = request.media.isTLS ? "msrps" : "msrp"
        return Reservation(
            member: MemberID(number: member),
            localPath: "\(scheme)://\(request.localHost):\(request.localPort)/m\(member);tcp")
    }

    func renegotiate(_ member: MemberID, media: PeerMedia, newSession: Bool) async throws(JoinRefusal) -> Reservation {
        await pass(.renegotiate(member, media, newSession: newSession))
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
        let version = state.withLock { state in
            if newSession { state.paths += 1 }
            return state.paths
        }
        let suffix = version == 0 ? "" : "-\(version)"
        return Reservation(member: member, localPath: "msrp://192.0.2.1:2855/m\(member.number)\(suffix);tcp")
    }

    func setUserAgent(_ userAgent: String, of member: MemberID) { state.withLock { $0.agents[member] = userAgent } }

    func userAgent(of member: MemberID) -> String? { state.withLock { $0.agents[member] } }

    func joined(_ member: MemberID) { journal.note(.joined(member)) }

    func leave(_ member: MemberID, reason: LeaveReason) { journal.note(.leave(member, reason)) }

    func setSubscribed(_ member: MemberID, _ isSubscribed: Bool) {
        state.withLock { state in
            state.subscribed.remove(member)
            if isSubscribed { state.subscribed.insert(member) }
        }
    }

    /// Of whom the mixer was told that they see the roster.
    var subscribed: Set<MemberID> { state.withLock { $0.subscribed } }
    var lastTransfer: UInt64 { state.withLock { $0.lastTransfer } }

    func reserveFile(_ request: FileRequest) async throws(JoinRefusal) -> FileReservation {
        await pass(.reserveFile(request))
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
        let transfer = state.withLock { state in
            state.lastTransfer += 1
            return state.lastTransfer
        }
        let scheme = request.media.isTLS ? "msrps" : "msrp"
        return FileReservation(
            transfer: FileTransferID(number: transfer),
            localPath: "\(scheme)://\(request.localHost):\(request.localPort)/f\(transfer);tcp")
    }

    func renegotiateFile(_ transfer: FileTransferID, media: PeerMedia) async throws(JoinRefusal) {
        await pass(.renegotiateFile(transfer, media))
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
    }

    func startFile(_ transfer: FileTransferID) { journal.note(.startFile(transfer)) }

    func endFile(_ transfer: FileTransferID) { journal.note(.endFile(transfer)) }

    func announce(_ file: SpooledFile, in room: RoomAddress) { journal.note(.announce(file, room)) }
}
