import DigestAuth
import MediaMixer
import Synchronization
import Testing

@testable import Focus
@testable import SIP

/// A focus at whose door one knocks.
final class AccessBench {
    let bench: Bench
    private let callers: AsyncStream<Caller>
    private let entered: AsyncStream<Caller>.Continuation
    private var iterator: AsyncStream<Caller>.Iterator

    /// Accounts: alice, bob and joe@example.com, alice@example.net.
    static let passwords = [
        "alice@example.com": "secret", "bob@example.com": "builder", "alice@example.net": "other",
        "j%@example.com": "x",
    ]

    init(_ mode: AccessConfiguration.Mode = .required, _ change: (inout FocusConfiguration) -> Void = { _ in }) {
        bench = Bench {
            $0.domains = ["example.com", "example.net"]
            $0.access.mode = mode
            $0.access.accounts = MemoryAccounts(Self.passwords)
            change(&$0)
        }
        (callers, entered) = AsyncStream.makeStream()
        iterator = callers.makeAsyncIterator()
    }

    func knock(_ request: Request, within known: Caller? = nil) async {
        let entered = entered
        await bench.focus.knock(bench.nextTransaction(), request, within: known) { entered.yield($0) }
    }

    /// Who a request is from.
    func admitted(_ request: Request, within known: Caller? = nil) async throws -> Caller {
        await knock(request, within: known)
        return try await nextCaller()
    }

    func nextCaller() async throws -> Caller {
        var copy = iterator
        let caller = await copy.next()
        iterator = copy
        return try #require(caller)
    }

    func refused(_ request: Request, within known: Caller? = nil) async throws -> Answer {
        await knock(request, within: known)
        return try await bench.nextAnswer()
    }

    /// The challenge to a request without credentials.
    func challenge(_ request: Request = .invite()) async throws -> Answer {
        let answer = try await refused(request)
        #expect(answer.status == 401)
        return answer
    }

    var counters: AccessCounters { get async { await bench.focus.accessCounters } }
}

extension Focus {
    func knock(
        _ transaction: Transaction, _ request: Request, within known: Caller?,
        _ proceed: @escaping @Sendable (Caller) -> Void
    ) {
        admit(transaction, request, within: known) { proceed($0) }
    }

    var accessLoad: (visits: Int, nonces: Int) { (access.visits.count, access.doorkeeper.nonceCount) }
}

/// A client with a password.
struct TestUser {
    var username = "alice"
    var password = "secret"
    var from = "\"Alice\" <sip:alice@example.com>;tag=a1"

    static let alice = TestUser()
    static let bob = TestUser(username: "bob", password: "builder", from: "<sip:bob@example.com>;tag=b1")

    func authorization(
        _ challenge: Answer, method: String = "INVITE", uri: String = "sip:lobby@example.com", count: UInt32 = 1,
        algorithm: DigestAlgorithm = .sha256
    ) throws -> String {
        let offers = challenge.headers.filter { $0.name == "WWW-Authenticate" }.compactMap { DigestChallenge($0.value) }
        let offer = try #require(offers.first { $0.algorithm == algorithm })
        return DigestCredentials(
            answering: offer, username: username, password: password, method: method, uri: uri,
            count: DigestCredentials.Count(cnonce: "0a4f113b", nonceCount: count)
        ).headerValue
    }

    func request(
        _ method: String = "INVITE", _ uri: String = "sip:lobby@example.com", authorization: String? = nil,
        headers: [String: String] = [:], source: Endpoint = Request.client, local: Endpoint = Request.server
    ) -> Request {
        var all = ["From": from]
        if let authorization { all["Authorization"] = authorization }
        for (name, value) in headers { all[name] = value }
        return .make(method, uri, headers: all, source: source, local: local)
    }
}

/// Accounts whose answers come when the test says so.
final class SlowAccounts: AccountStore {
    private struct State {
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var lookup: AccountLookup?
    }

    private let state = Mutex(State())
    private let aliases: [String: [String]]
    private let algorithms: [DigestAlgorithm]

    init(aliases: [String: [String]] = [:], algorithms: [DigestAlgorithm] = [.sha256, .md5], isHeld: Bool = false) {
        self.aliases = aliases
        self.algorithms = algorithms
        state.withLock { $0.isHeld = isHeld }
    }

    func say(_ lookup: AccountLookup?) { state.withLock { $0.lookup = lookup } }
    var waiting: Int { state.withLock { $0.waiting.count } }

    func goOn() {
        let waiting = state.withLock { state in
            state.isHeld = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func pass() async {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                if state.isHeld { state.waiting.append(continuation) }
                return state.isHeld
            }
            if !isHeld { continuation.resume() }
        }
    }

    func algorithms(realm: String) async -> [DigestAlgorithm] { algorithms }
    func known(username: String, realm: String) -> AccountLookup? { nil }

    func lookUp(username: String, realm: String) async -> AccountLookup {
        await pass()
        if let lookup = state.withLock({ $0.lookup }) { return lookup }
        guard let password = AccessBench.passwords["\(username)@\(realm)"] else { return .unknown }
        return .found(AccountSecrets(username: username, realm: realm, password: password))
    }

    func aliases(username: String, realm: String) async -> [String] { aliases["\(username)@\(realm)"] ?? [] }
}
