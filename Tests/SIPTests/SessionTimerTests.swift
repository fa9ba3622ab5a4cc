import Testing

@testable import SIP

@Suite("Session timers", .timeLimit(.minutes(2))) struct SessionTimerTests {
    private static func headers(_ lines: String) -> HeaderFields {
        HeaderFields(octets: Array(lines.replacing("\n", with: "\r\n").utf8))
    }

    static let answers: [(request: String, interval: Int, refresher: SessionTimer.Refresher, shown: [String])] = [
        // RFC 4028 section 9, table 2: a peer without "timer" is refreshed by us, and told nothing.
        ("", 1800, .us, []),
        ("Session-Expires: 600\n", 600, .us, []),
        ("Supported: timer\n", 1800, .peer, ["Session-Expires: 1800;refresher=uac", "Require: timer"]),
        ("k: timer\nx: 600\n", 600, .peer, ["Session-Expires: 600;refresher=uac", "Require: timer"]),
        ("Supported: timer\nSession-Expires: 600;refresher=uas\n", 600, .us, ["Session-Expires: 600;refresher=uas"]),
        (
            "Supported: timer\nSession-Expires: 600;refresher=uac\n", 600, .peer,
            ["Session-Expires: 600;refresher=uac", "Require: timer"]
        ),
        // Lowered to ours, but never below the peer's Min-SE.
        (
            "Supported: timer\nSession-Expires: 7200\n", 1800, .peer,
            ["Session-Expires: 1800;refresher=uac", "Require: timer"]
        ),
        (
            "Supported: timer\nSession-Expires: 7200\nMin-SE: 3600\n", 3600, .peer,
            ["Session-Expires: 3600;refresher=uac", "Require: timer"]
        ),
        (
            "Supported: timer\nSession-Expires: nonsense\n", 1800, .peer,
            ["Session-Expires: 1800;refresher=uac", "Require: timer"]
        ),
    ]

    @Test("what a 2xx says (RFC 4028 section 9)", arguments: answers)
    func answer(_ row: (request: String, interval: Int, refresher: SessionTimer.Refresher, shown: [String])) throws {
        let answer = try #require(SessionTimer.answer(to: Self.headers(row.request), preferences: .init()))
        #expect(answer.timer == SessionTimer(interval: row.interval, refresher: row.refresher))
        #expect(answer.headers.map { "\($0.name): \($0.value)" } == row.shown)
    }

    @Test("we refresh at half the interval, and wait for the peer until shortly before its end (RFC 4028 section 10)")
    func deadlines() {
        #expect(SessionTimer(interval: 1800, refresher: .us).deadline == .refresh(seconds: 900))
        #expect(SessionTimer(interval: 1800, refresher: .peer).deadline == .expire(seconds: 1768))
        #expect(SessionTimer(interval: 90, refresher: .peer).deadline == .expire(seconds: 60))
    }

    @Test("too short an interval is answered 422 with Min-SE (RFC 4028 section 9)")
    func tooShort() async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        alice.send("INVITE", extra: "Supported: timer\nSession-Expires: 30\n", body: "v=0\n")
        let answer = try #require(alice.peer.receiveFinal())
        #expect(answer.status == 422)
        #expect(answer.header("Min-SE") == "90")
        #expect(application.names.isEmpty)
        await application.stack.shutdown()
    }

    @Test("Require: timer is taken, and the peer asked to refresh (RFC 4028 section 9)")
    func required() async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        let answer = try alice.call(extra: "Require: timer\nSupported: timer\nSession-Expires: 120\n")
        #expect(answer.header("Session-Expires") == "120;refresher=uac")
        #expect(answer.header("Require") == "timer")
        #expect(answer.headers("Session-Expires").count == 1)
        await application.wait(for: "acknowledged")
        let call = try #require(application.events.first?.call)
        #expect(await application.stack.sessionTimer(of: call) == AgreedSessionTimer(interval: 120, refresher: .peer))
        // The peer's refresh is an UPDATE without body; the answer repeats the timer.
        alice.send("UPDATE", extra: "Supported: timer\nSession-Expires: 120;refresher=uac\n")
        #expect(alice.peer.receiveFinal()?.header("Session-Expires") == "120;refresher=uac")
        await application.stack.shutdown()
    }

    /// Two seconds, below what the RFC allows: the machine does not mind.
    private func start() async throws -> Application {
        try await Application.start { $0.sessionTimer = .init(interval: 2, minimum: 1) }
    }

    @Test("a peer that allows UPDATE is refreshed by an UPDATE without body (RFC 4028 section 7.4)")
    func update() async throws {
        let application = try await start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call(extra: "Allow: INVITE, ACK, BYE, UPDATE\n")
        for _ in 0..<2 {
            let refresh = try #require(alice.peer.receive { $0.method == "UPDATE" })
            #expect(refresh.header("Session-Expires") == "2;refresher=uac")
            #expect(refresh.headers("Supported").contains("timer"))
            #expect(refresh.body.isEmpty)
            alice.peer.send(refresh.ok("Contact: \(alice.contact)\n"))
        }
        #expect(application.names == ["invite", "acknowledged"])
        await application.stack.shutdown()
    }

    @Test("a peer without UPDATE is refreshed by INVITE with our unchanged SDP, never without an offer")
    func invite() async throws {
        let application = try await start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call(extra: "Allow: INVITE, ACK, BYE\n")
        for _ in 0..<2 {
            let refresh = try #require(alice.peer.receive { $0.method == "INVITE" })
            #expect(refresh.body == "v=0\r\n")
            #expect(refresh.header("Content-Type") == "application/sdp")
            #expect(refresh.header("Contact")?.hasSuffix(";isfocus") == true)
            alice.peer.send(refresh.ok("Contact: \(alice.contact)\n", body: "v=0\r\n"))
            #expect(alice.peer.receive { $0.method == "ACK" } != nil)
        }
        #expect(application.names == ["invite", "acknowledged"])
        await application.stack.shutdown()
    }

    //    | <------------- UPDATE    |
    //    | 405 -------------------> |
    //    | <------------- INVITE    |  (our SDP)
    //    | 200 -------------------> |
    //    | <------------- ACK       |  the call lives
    @Test(
        "a peer that says it allows UPDATE and answers it 405 keeps its call",
        arguments: ["405 Method Not Allowed", "501 Not Implemented"])
    func refusedUpdate(_ status: String) async throws {
        let application = try await start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call(extra: "Allow: INVITE, ACK, BYE, UPDATE\n")
        let update = try #require(alice.peer.receive { $0.method == "UPDATE" })
        alice.peer.send(update.response(status))
        for _ in 0..<2 {
            let refresh = try #require(alice.peer.receive { $0.method == "INVITE" || $0.method == "UPDATE" })
            #expect(refresh.method == "INVITE")
            alice.peer.send(refresh.ok("Contact: \(alice.contact)\n", body: "v=0\r\n"))
            #expect(alice.peer.receive { $0.method == "ACK" } != nil)
        }
        alice.send("BYE")
        #expect(alice.peer.receive { $0.header("CSeq")?.hasSuffix("BYE") == true }?.status == 200)
        await application.wait(for: "ended")
        #expect(application.names == ["invite", "acknowledged", "bye", "ended"])
        await application.stack.shutdown()
    }

    @Test("a call that its peer does not refresh ends with BYE (RFC 4028 section 10)")
    func expired() async throws {
        let application = try await start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call(extra: "Supported: timer\nSession-Expires: 2;refresher=uac\n")
        let bye = try #require(alice.peer.receive(milliseconds: 5000) { $0.method == "BYE" })
        alice.peer.send(bye.ok())
        await application.wait(for: "ended")
        #expect(application.events.last?.ending == .sessionExpired)
        await application.stack.shutdown()
    }

    @Test("a peer that does not know the call any more ends it (RFC 5057)", arguments: ["481 Gone", "408 Timeout"])
    func unknown(_ status: String) async throws {
        let application = try await start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call(extra: "Allow: INVITE, ACK, BYE, UPDATE\n")
        let update = try #require(alice.peer.receive { $0.method == "UPDATE" })
        alice.peer.send(update.response(status))
        await application.wait(for: "ended")
        #expect(application.events.last?.ending == .sessionExpired)
        await application.stack.shutdown()
    }
}
