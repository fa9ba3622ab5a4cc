import DigestAuth
import MediaMixer
import Testing

@testable import Focus
@testable import SIP

@Suite("Too many requests", .timeLimit(.minutes(1)))
struct AccessLoadTests {
    private static let other = Endpoint(transport: .udp, host: "198.51.100.8", port: 5060)

    @Test("a flood from one source gets 503 with Retry-After, and leaves others undisturbed (RFC 3261 section 21.5.4)")
    func flood() async throws {
        let bench = Bench { $0.access.requestRate = .init(perSecond: 1, burst: 3) }
        for _ in 0..<3 {
            #expect(try await bench.refusal(of: .options("sip:example.com")).status == 200)
        }
        for method in ["OPTIONS", "INVITE", "SUBSCRIBE", "REFER", "PUBLISH", "MESSAGE"] {
            let answer = try await bench.refusal(of: .make(method, "sip:lobby@example.com"))
            #expect(answer.status == 503)
            #expect(answer.header("Retry-After") == "2" || answer.header("Retry-After") == "1")
        }
        let answer = try await bench.refusal(of: .make("OPTIONS", "sip:example.com", source: Self.other))
        #expect(answer.status == 200)
        bench.clock.advance(by: .seconds(1))
        #expect(try await bench.refusal(of: .options("sip:example.com")).status == 200)
        #expect(await bench.focus.accessCounters.throttled == 6)
    }

    @Test("within a dialog requests count as well; BYE does not")
    func withinDialog() async throws {
        let bench = Bench { $0.access.requestRate = .init(perSecond: 1, burst: 2) }
        let (call, member, _) = try await bench.join()
        for expected in [200, 503] {
            let transaction = bench.nextTransaction()
            await bench.focus.handle(.inDialogRequest(call, transaction, .options("sip:lobby@192.0.2.1:5060")))
            #expect(try await bench.nextAnswer().status == expected)
        }
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1:5060")))
        #expect(await bench.next() == .leave(member, .departed))
    }

    @Test("loopback and trusted peers are exempt unless throttle_all")
    func exempt() async throws {
        let loopback = Endpoint(transport: .udp, host: "127.0.0.1", port: 5060)
        let peer = Endpoint(transport: .udp, host: "203.0.113.8", port: 5060)
        let peers = try TrustedPeers(["203.0.113.8"])
        for (throttlesAll, last) in [(false, 200), (true, 503)] {
            let bench = Bench {
                $0.access.requestRate = .init(perSecond: 1, burst: 1)
                $0.access.trusted = peers
                $0.access.throttlesAll = throttlesAll
            }
            for source in [loopback, peer] {
                var status = 0
                for _ in 0..<5 {
                    status = try await bench.refusal(of: .make("OPTIONS", "sip:example.com", source: source)).status
                }
                #expect(status == last, "\(source)")
            }
        }
    }

    @Test("after too many failures credentials from there are not looked at, right or wrong; others' are")
    func failures() async throws {
        let door = AccessBench { $0.access.failureRate = .init(perSecond: 0.1, burst: 3) }
        var user = TestUser.alice
        let challenge = try await door.challenge(user.request())
        user.password = "wrong"
        let wrong = try user.authorization(challenge)
        for _ in 0..<3 { #expect(try await door.refused(user.request(authorization: wrong)).status == 401) }
        let answer = try await door.refused(user.request(authorization: wrong))
        #expect(answer.status == 503)
        #expect(answer.header("Retry-After") != nil)
        let right = try TestUser.alice.authorization(challenge)
        #expect(try await door.refused(TestUser.alice.request(authorization: right)).status == 503)
        _ = try await door.admitted(TestUser.alice.request(authorization: right, source: Self.other))
        // Who asks without credentials is still challenged, and dialogs go on.
        _ = try await door.challenge()
        door.bench.clock.advance(by: .seconds(11))
        let again = try TestUser.alice.authorization(challenge, count: 2)
        _ = try await door.admitted(TestUser.alice.request(authorization: again))
    }

    @Test("right passwords under a false name are failures, too")
    func falseNames() async throws {
        let door = AccessBench { $0.access.failureRate = .init(perSecond: 0.1, burst: 2) }
        var user = TestUser.alice
        let challenge = try await door.challenge(user.request())
        user.from = "<sip:bob@example.com>;tag=1"
        for count: UInt32 in 1...3 {
            let authorization = try user.authorization(challenge, count: count)
            let answer = try await door.refused(user.request(authorization: authorization))
            #expect(answer.status == (count < 3 ? 403 : 503))
        }
    }

    // MARK: Accounts that take their time

    @Test("a request waits for its account, and others don't wait for it")
    func waits() async throws {
        let accounts = SlowAccounts(isHeld: true)
        let door = AccessBench { $0.access.accounts = accounts }
        let user = TestUser.alice
        let authorization = try user.authorization(try await door.challenge(user.request()))
        await door.knock(user.request(authorization: authorization))
        #expect(await door.bench.focus.accessLoad.visits == 1)
        #expect(await door.counters.pending == 1)
        _ = try await door.challenge()
        while accounts.waiting == 0 { await Task.yield() }
        accounts.goOn()
        #expect(try await door.nextCaller().account == "alice@example.com")
        #expect(await door.bench.focus.accessLoad.visits == 0)
    }

    @Test("the same credentials twice while the account is looked up: one gets in")
    func race() async throws {
        let accounts = SlowAccounts(isHeld: true)
        let door = AccessBench { $0.access.accounts = accounts }
        let user = TestUser.alice
        let authorization = try user.authorization(try await door.challenge(user.request()))
        await door.knock(user.request(authorization: authorization))
        await door.knock(user.request(authorization: authorization))
        while accounts.waiting < 2 { await Task.yield() }
        accounts.goOn()
        _ = try await door.nextCaller()
        let answer = try await door.bench.nextAnswer()
        #expect(answer.status == 401 && answer.header("WWW-Authenticate")?.contains("stale=true") == true)
    }

    @Test("too many that wait, or for too long: 503 with Retry-After, and nothing stays behind")
    func pendingLookUps() async throws {
        let accounts = SlowAccounts(isHeld: true)
        let door = AccessBench {
            $0.access.accounts = accounts
            $0.access.limits.pendingLookUps = 2
            $0.access.limits.patience = .seconds(10)
        }
        let user = TestUser.alice
        let challenge = try await door.challenge(user.request())
        for count: UInt32 in 1...2 {
            await door.knock(user.request(authorization: try user.authorization(challenge, count: count)))
        }
        let late = try await door.refused(user.request(authorization: try user.authorization(challenge, count: 3)))
        #expect(late.status == 503 && late.header("Retry-After") != nil)
        // New requests are refused before anything is done for them.
        #expect(try await door.bench.refusal(of: .make("SUBSCRIBE", "sip:lobby@example.com")).status == 503)
        door.bench.clock.advance(by: .seconds(10))
        #expect(door.bench.stack.pendingDelays == [.seconds(10)])
        await door.bench.stack.fireTimer(on: door.bench.focus)
        for _ in 0..<2 {
            let answer = try await door.bench.nextAnswer()
            #expect(answer.status == 503 && answer.header("Retry-After") != nil)
        }
        #expect(door.bench.stack.pendingDelays.isEmpty)
        #expect(await door.bench.focus.accessLoad.visits == 0)
        // What the store says later is nobody's.
        while accounts.waiting < 2 { await Task.yield() }
        accounts.goOn()
        await door.bench.expectQuiet()
        #expect(await door.counters.overloaded == 4)
    }

    @Test("a store that can't be asked: 503, and it is no failure of the client's")
    func unavailable() async throws {
        let accounts = SlowAccounts()
        let door = AccessBench { $0.access.accounts = accounts }
        let user = TestUser.alice
        let authorization = try user.authorization(try await door.challenge(user.request()))
        accounts.say(.unavailable("the file is gone"))
        let answer = try await door.refused(user.request(authorization: authorization))
        #expect(answer.status == 503 && answer.header("Retry-After") != nil)
        #expect(await door.counters.failures == 0)
        accounts.say(nil)
        _ = try await door.admitted(user.request(authorization: authorization))
    }

    @Test("a SIP thread that is late refuses what is new, and serves dialogs")
    func lag() async throws {
        let bench = Bench { $0.access.requestRate = .init(perSecond: 0, burst: 0) }
        for _ in 0..<LagGauge.busy { _ = try await bench.refusal(of: .options("sip:example.com")) }
        #expect(bench.stack.pendingDelays == [.milliseconds(100)])
        bench.clock.advance(by: .seconds(3))
        await bench.stack.fireTimer(on: bench.focus)
        let answer = try await bench.refusal(of: .options("sip:example.com"))
        #expect(answer.status == 503 && answer.header("Retry-After") != nil)
        await bench.focus.handle(
            .dialogRequest(Dialog(id: 1), bench.nextTransaction(), .options("sip:lobby@192.0.2.1:5060")))
        #expect(try await bench.nextAnswer().status == 200)
        bench.clock.advance(by: .milliseconds(100))
        await bench.stack.fireTimer(on: bench.focus)
        #expect(try await bench.refusal(of: .options("sip:example.com")).status == 200)
        #expect(bench.stack.pendingDelays.isEmpty)
    }
}
