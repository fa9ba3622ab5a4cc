import DigestAuth
import MSRPTransport
import NIOCore
import Support
import Synchronization
import Testing

@testable import RelayCore

@Suite("AUTH and accounts that take their time")
struct AuthStoreTests {
    @Test("the loop goes on while the store is asked, and nothing more of the client is read")
    func waiting() async throws {
        let store = SlowStore()
        let fixture = try await AuthFixture(accounts: store)
        store.open()
        let slow = try fixture.connect()
        let answer = AuthClient.answer(to: try await slow.auth())
        store.close()
        // Pipelined, which AUTHs may not be (RFC 4976 section 9.1): the second is judged when the first is answered.
        try slow.stream.send(
            AuthClient.request("first", authorization: answer.header)
                + AuthClient.request("second", to: "msrps://relay.example.com:2855/1;tcp"))
        await store.asked(times: 2)
        let other = try fixture.connect()
        try other.stream.send(
            "MSRP x1x2 SEND\r\nTo-Path: msrp://a:1/none;tcp\r\nFrom-Path: msrp://b:1/x;tcp\r\n-------x1x2$\r\n")
        #expect(try await other.receive().status == 481)
        #expect(await fixture.load().jobs == 1)
        store.open()
        let first = try await slow.receive()
        #expect(first.transactionID == "first" && first.status == 200)
        let second = try await slow.receive()
        #expect(second.transactionID == "second" && second.status == 401)
        try await fixture.end()
    }

    @Test("an unavailable store gets 408, and no attempt is counted")
    func unavailable() async throws {
        let store = SlowStore()
        store.lookup = .unavailable("disk I/O error")
        let fixture = try await AuthFixture(accounts: store) { $0.maxAuthAttempts = 1 }
        store.open()
        let client = try fixture.connect()
        for _ in 1...3 { #expect(try await client.authenticate().status == 408) }
        #expect(
            fixture.log.lines.first
                == "AUTH refused account=alice@example.com reason=accounts cannot be looked up status=408")
        store.lookup = nil
        #expect(try await client.authenticate().status == 200)
        try await fixture.end()
    }

    @Test("a store that doesn't answer in time is unavailable")
    func silent() async throws {
        let store = SlowStore()
        let fixture = try await AuthFixture(accounts: store, unboundTimeout: .hours(2))
        store.open()
        let client = try fixture.connect()
        let answer = AuthClient.answer(to: try await client.auth())
        store.close()
        try client.stream.send(AuthClient.request(authorization: answer.header))
        await store.asked(times: 2)
        await fixture.tick(after: AuthFixture.patience)
        #expect(try await client.receive().status == 408)
        #expect(await fixture.load().jobs == 0)
        // What comes after all is too late.
        store.open()
        #expect(try await client.auth().status == 401)
        try await fixture.end()
    }

    @Test("a client that left while the store was asked leaves nothing behind")
    func gone() async throws {
        let store = SlowStore()
        let fixture = try await AuthFixture(accounts: store)
        store.open()
        let client = try fixture.connect()
        let answer = AuthClient.answer(to: try await client.auth())
        store.close()
        try client.stream.send(AuthClient.request(authorization: answer.header))
        await store.asked(times: 2)
        // Nothing is read while the store is asked, so the end is seen by the tick that gives up on nobody's connection.
        client.stream.reset()
        await fixture.tick(after: .seconds(31))
        let deadline = Deadline.after(seconds: 5)
        while await fixture.load().visits > 0, !deadline.passed { await Task.yield() }
        #expect(await fixture.load() == (0, 0))
        store.open()
        try await fixture.end()
        #expect(fixture.log.events.isEmpty)
    }

    @Test("a session that ended while its refresh was looked up is not brought back")
    func ended() async throws {
        let store = SlowStore()
        let fixture = try await AuthFixture(accounts: store)
        store.open()
        let client = try fixture.connect()
        let grant = try await client.authenticate()
        store.close()
        let target = "msrps://relay.example.com:2855/1;tcp"
        let answer = AuthClient.answer(to: grant, target: target)
        try client.stream.send(AuthClient.request(to: target, authorization: answer.header))
        await store.asked(times: 3)
        await fixture.endSession("1")
        store.open()
        #expect(try await client.receive().status == 481)
        #expect(fixture.log.events.count == 1)
        try await fixture.end()
    }

    @Test("SHA-256 is offered only where the store can verify it")
    func algorithms() async throws {
        let store = SlowStore()
        store.offers = [.md5]
        store.open()
        let fixture = try await AuthFixture(accounts: store)
        let challenge = try await fixture.connect().auth()
        #expect(challenge.fields.filter { $0.name == "WWW-Authenticate" }.count == 1)
        #expect(challenge["WWW-Authenticate"]?.hasSuffix(", algorithm=MD5") == true)
        try await fixture.end()
    }
}

/// Answers nothing at once, and nothing at all while it is closed.
private final class SlowStore: AccountStore {
    private struct State {
        var isOpen = false
        var questions = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var watchers: [(count: Int, CheckedContinuation<Void, Never>)] = []
        var lookup: AccountLookup?
        var offers: [DigestAlgorithm] = [.sha256, .md5]
    }

    private let state = Mutex(State())

    /// What every look-up gives; nil: what `AuthFixture.accounts` says.
    var lookup: AccountLookup? {
        get { state.withLock { $0.lookup } }
        set { state.withLock { $0.lookup = newValue } }
    }

    var offers: [DigestAlgorithm] {
        get { state.withLock { $0.offers } }
        set { state.withLock { $0.offers = newValue } }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func close() { state.withLock { $0.isOpen = false } }

    /// Returns when the store has been asked this often in all.
    func asked(times count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.questions < count { state.watchers.append((count, continuation)) }
                return state.questions >= count
            }
            if isThere { continuation.resume() }
        }
    }

    private func ask() async {
        await withCheckedContinuation { continuation in
            let (isOpen, watchers) = state.withLock { state in
                state.questions += 1
                let questions = state.questions
                let watchers = state.watchers.filter { $0.count <= questions }
                state.watchers.removeAll { $0.count <= questions }
                if !state.isOpen { state.waiting.append(continuation) }
                return (state.isOpen, watchers)
            }
            for watcher in watchers { watcher.1.resume() }
            if isOpen { continuation.resume() }
        }
    }

    func algorithms(realm: String) async -> [DigestAlgorithm] {
        await ask()
        return offers
    }

    func known(username: String, realm: String) -> AccountLookup? { nil }

    func lookUp(username: String, realm: String) async -> AccountLookup {
        await ask()
        return lookup ?? AuthFixture.accounts.known(username: username, realm: realm) ?? .unknown
    }
}
