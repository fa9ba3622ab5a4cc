import DigestAuth
import Foundation
import Logging
import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import NIOPosix
import Support
import Synchronization

@testable import RelayCore

/// An AUTH desk behind a listener on loopback, with a relay that opens sessions and does nothing else.
struct AuthFixture {
    /// How long the desk waits for a store, longer than any machine takes for a test: only `tick` makes it pass.
    static let patience = TimeAmount.hours(1)
    static let accounts = MemoryAccounts(["alice@example.com": "1234", "bob@example.com": "secret"])

    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let transport: TransportHandle
    let address: Support.SocketAddress
    let log = AuthLog()
    private let desk: NIOLoopBound<AuthDesk>
    private let opener: NIOLoopBound<OpeningRelay>

    /// - Parameter change: of a configuration that takes AUTH on plain connections.
    init(
        accounts: any AccountStore = accounts, source: NonceSource = .system, throttlesLoopback: Bool = false,
        unboundTimeout: TimeAmount = .seconds(30), serverTLS: TLSContext? = nil,
        change: (inout RelayConfiguration) -> Void = { _ in }
    ) async throws {
        var limits = TransportLimits()
        limits.lingerTimeout = .milliseconds(20)
        limits.unboundTimeout = unboundTimeout
        var logger = Logger(label: "test") { [log] _ in AuthLogHandler(log: log) }
        logger.logLevel = .warning
        transport = await TransportHandle.start(
            on: group.next(), configuration: TransportConfiguration(limits: limits, serverTLS: serverTLS),
            logger: logger)
        let addresses = try await transport.listen(on: [ListenAddress(host: "127.0.0.1", port: 0)])
        address = Support.SocketAddress(host: "127.0.0.1", port: UInt16(addresses.first?.port ?? 0))
        var configuration = RelayConfiguration(hostname: "relay.example.com", port: 2855)
        configuration.allowsPlainAuth = true
        configuration.logsFailedAuth = true
        change(&configuration)
        let (rules, log, quiet, start) = (configuration, log, logger, NIODeadline.now())
        (desk, opener) = await transport.perform { loop in
            let opener = OpeningRelay(configuration: rules, log: log)
            let desk = AuthDesk(
                transport: loop, opener: opener, accounts: accounts, logger: quiet,
                // It stands still: a slow machine is not to forgive failures, or to outdate challenges.
                clock: { start + .nanoseconds(log.passed) }, source: source)
            desk.throttlesLoopback = throttlesLoopback
            desk.patience = Self.patience
            opener.refresher = desk
            loop.authOwner = desk
            return (NIOLoopBound(desk, eventLoop: loop.eventLoop), NIOLoopBound(opener, eventLoop: loop.eventLoop))
        }
    }

    func end() async throws {
        await transport.shutdown()
        try await group.shutdownGracefully()
    }

    func connect() throws -> AuthClient { AuthClient(stream: try ByteStream(to: address)) }

    /// - Parameter identity: PEM: certificate and key.
    func connectTLS(as identity: (certificate: String, key: String)? = nil) throws -> AuthClient {
        let bytes = identity.map { (certificate: Array($0.certificate.utf8), key: Array($0.key.utf8)) }
        return AuthClient(stream: try TLSByteStream(to: address, identity: bytes))
    }

    func load() async -> (visits: Int, jobs: Int) {
        let desk = desk
        let load = await transport.perform { _ in [desk.value.load.visits, desk.value.load.jobs] }
        return (load[0], load[1])
    }

    func outcomes() async -> [String: UInt64] {
        let opener = opener
        return await transport.perform { _ in opener.value.counters.authOutcomes }
    }

    /// Lets the coarse timer strike, as if this much time had passed.
    func tick(after time: TimeAmount) async {
        await transport.perform { $0.ticked(at: .now() + time) }
    }

    /// Ends a session whose connection lives on.
    func endSession(_ id: String) async {
        await transport.perform { $0.sessions.release(SessionID(text: id)) }
    }
}

/// What happened, readable from the test's thread; and the desk's clock, moved by the test.
final class AuthLog: Sendable {
    private let state = Mutex<(events: [String], lines: [String], passed: Int64)>(([], [], 0))

    func note(_ event: String) { state.withLock { $0.events.append(event) } }
    func write(_ line: String) { state.withLock { $0.lines.append(line) } }
    func pass(seconds: Int64) { state.withLock { $0.passed += seconds * 1_000_000_000 } }
    var passed: Int64 { state.withLock { $0.passed } }
    /// What the relay was asked to do.
    var events: [String] { state.withLock { $0.events } }
    /// Log lines from warning on.
    var lines: [String] { state.withLock { $0.lines } }
}

private struct AuthLogHandler: LogHandler {
    let log: AuthLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).filter { $0.key != "peer" }.sorted { $0.key < $1.key }
        log.write("\(event.message)" + fields.map { " \($0.key)=\($0.value)" }.joined())
    }
}

/// Opens sessions with the ids 1, 2, ...
private final class OpeningRelay: SessionOpener {
    let configuration: RelayConfiguration
    var counters = RelayCounters()
    weak var refresher: (any SessionRefresher)?
    private let log: AuthLog
    private var lastSession = 0
    private var sessions: [OpenSession] = []

    init(configuration: RelayConfiguration, log: AuthLog) {
        self.configuration = configuration
        self.log = log
    }

    func open(
        account: RelayAccount, over connection: Connection, authHead: Head, clientPath: Path, expires: Int?,
        isRelayPeer: Bool
    ) -> (any OpenedSession)? {
        log.note("open \(account) \(clientPath) \(expires.map(String.init) ?? "-")")
        guard account.username != "bob" else { return nil }
        lastSession += 1
        let session = OpenSession(
            account: account, id: lastSession, isRelayPeer: isRelayPeer, refresher: refresher, log: log)
        let id = SessionID(text: "\(lastSession)")
        guard connection.transport.sessions.reserve(id, owner: session, deadline: nil) else { return nil }
        sessions.append(session)
        connection.attach(to: session, session: id, head: nil)
        return session
    }
}

private final class OpenSession: OpenedSession, SessionOwner {
    let account: RelayAccount
    let usePath: String
    private let id: Int
    private let isRelayPeer: Bool
    private weak var refresher: (any SessionRefresher)?
    private let log: AuthLog
    private var head: Head?

    init(account: RelayAccount, id: Int, isRelayPeer: Bool, refresher: (any SessionRefresher)?, log: AuthLog) {
        self.account = account
        self.id = id
        self.isRelayPeer = isRelayPeer
        self.refresher = refresher
        self.log = log
        usePath = "msrps://relay.example.com:2855/\(id);tcp"
    }

    func refreshed(expires: Int?) { log.note("refreshed \(id) \(expires.map(String.init) ?? "-")") }

    func sharing(on connection: Connection) -> ConnectionSharing { isRelayPeer ? .relaySessions : .alone }

    func bound(_ connection: Connection, head: Head?) {}

    func part(_ part: Part, from connection: Connection) {
        if case .head(let head) = part { self.head = head }
        guard case .end = part, let head else { return }
        if head.method == .auth, head.sessionKey == "\(id)" {
            refresher?.authenticate(head, over: connection, for: self)
        } else {
            connection.withOutput { _ = Frame.writeRefusal(of: head, status: .noSuchSession, into: &$0) }
        }
    }

    func closed(_ connection: Connection, reason: CloseReason) { log.note("closed \(id)") }
}

@available(*, unavailable)
extension OpeningRelay: Sendable {}

@available(*, unavailable)
extension OpenSession: Sendable {}

/// A client that writes AUTHs by hand. It waits on a thread of its own: the pool's few are for the account store.
final class AuthClient: @unchecked Sendable {
    // Unchecked: a test awaits each of its calls before the next.
    static let target = "msrps://example.com:2855;tcp"
    static let path = "msrps://10.0.0.1:9/c;tcp"

    let stream: ByteStream
    private var bytes: [UInt8] = []

    init(stream: ByteStream) { self.stream = stream }

    static func request(
        _ id: String = "a1b2", to target: String = target, from path: String = path, authorization: String? = nil,
        expires: String? = nil
    ) -> String {
        var text = "MSRP \(id) AUTH\r\nTo-Path: \(target)\r\nFrom-Path: \(path)\r\n"
        if let expires { text += "Expires: \(expires)\r\n" }
        if let authorization { text += "Authorization: \(authorization)\r\n" }
        return text + "-------\(id)$\r\n"
    }

    func auth(
        to target: String = target, from path: String = path, authorization: String? = nil, expires: String? = nil
    ) async throws -> MSRPFrame {
        try stream.send(Self.request(to: target, from: path, authorization: authorization, expires: expires))
        return try await receive()
    }

    /// The next whole message.
    func receive(within seconds: Double = 30) async throws -> MSRPFrame {
        try await aside { try self.next(.after(seconds: seconds)) }
    }

    private func next(_ deadline: Deadline) throws -> MSRPFrame {
        while true {
            if let (frame, end) = try MSRPFrame.parse(bytes, from: 0) {
                bytes.removeFirst(end)
                return frame
            }
            let more = try stream.receive(deadline)
            guard !more.isEmpty else { throw SupportError("closed") }
            bytes += more
        }
    }

    /// What comes until the other side closes.
    func rest(within seconds: Double = 30) async throws -> String {
        try await aside { try self.all(.after(seconds: seconds)) }
    }

    private func aside<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }

    private func all(_ deadline: Deadline) throws -> String {
        while true {
            let more = try stream.receive(deadline)
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    /// The Authorization that answers a 401, or a 200's next nonce.
    static func answer(
        to response: MSRPFrame, dialect: DigestDialect = .msrplib, as user: String = "alice",
        password: String = "1234", target: String = target, change: (inout DigestAnswer) -> Void = { _ in }
    ) -> DigestAnswer {
        let challenges = response.fields.filter { $0.name == "WWW-Authenticate" }.map(\.value)
        var challenge = DigestAnswer.parameters((dialect == .msrplib ? challenges.last : challenges.first) ?? "")
        if challenges.isEmpty {
            challenge = ["realm": "example.com"]
            challenge["nonce"] = DigestAnswer.parameters(response["Authentication-Info"] ?? "")["nextnonce"]
        }
        var answer = DigestAnswer(username: user, password: password, uri: target, challenge: challenge)
        answer.dialect = dialect
        change(&answer)
        return answer
    }

    /// AUTH, 401, AUTH: the last response.
    func authenticate(
        _ dialect: DigestDialect = .msrplib, from path: String = path, as user: String = "alice",
        password: String = "1234", expires: String? = nil, change: (inout DigestAnswer) -> Void = { _ in }
    ) async throws -> MSRPFrame {
        let challenge = try await auth(from: path)
        let answer = Self.answer(to: challenge, dialect: dialect, as: user, password: password, change: change)
        let response = try await auth(from: path, authorization: answer.header, expires: expires)
        if response.status == 200 { try answer.check(authenticationInfo: response["Authentication-Info"] ?? "") }
        return response
    }
}
