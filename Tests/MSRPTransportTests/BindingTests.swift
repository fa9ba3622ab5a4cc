import MSRPTransport
import NIOCore
import Support
import Testing

@Suite("Connections and their sessions (RFC 4975 section 5.4)", .serialized)
struct BindingTests {
    @Test("a session-id is 32 hexadecimal digits, never the same")
    func sessionIDs() {
        let ids = (0..<100).map { _ in SessionID.random().text }
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy(\.isHexDigit) })
    }

    @Test("the first request binds its connection to the session it names")
    func binds() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        let expected = response(session, "200 OK")
        #expect(try stream.expect(expected) == expected)
        #expect(log.events == ["bound", "end SEND"])
        stream.close()
        try await fixture.end()
    }

    @Test("the first request may come in pieces of one octet")
    func bindsByteByByte() async throws {
        let fixture = try await TransportFixture()
        let (session, _) = await fixture.reserve()
        let stream = try fixture.connect()
        for octet in Array(emptySend(session).utf8) { try stream.send([octet]) }
        let expected = response(session, "200 OK")
        #expect(try stream.expect(expected) == expected)
        try await fixture.end()
    }

    @Test("an unknown session gets 481 when the request has ended, and the connection may try again")
    func unknownSession() async throws {
        let fixture = try await TransportFixture()
        let (session, _) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend("nobody", id: "x1x1x1x1"))
        let refusal = response("nobody", "481 No Such Session", id: "x1x1x1x1")
        #expect(try stream.expect(refusal) == refusal)
        try stream.send(emptySend(session))
        let expected = response(session, "200 OK")
        #expect(try stream.expect(expected) == expected)
        #expect(await fixture.transport.counters().unknownSessions == 1)
        try await fixture.end()
    }

    @Test("an unknown session is not answered when Failure-Report says no (RFC 4975 section 7.2)")
    func unknownSessionSilent() async throws {
        let fixture = try await TransportFixture()
        let stream = try fixture.connect()
        try stream.send(emptySend("nobody", extra: "Failure-Report: no\r\n") + emptySend("else", id: "b1b1b1b1"))
        let refusal = response("else", "481 No Such Session", id: "b1b1b1b1")
        #expect(try stream.expect(refusal) == refusal)
        try await fixture.end()
    }

    @Test("a session in use on another connection gets 506, and the first connection stays")
    func sessionInUse() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let first = try fixture.connect()
        try first.send(emptySend(session))
        _ = try first.expect(response(session, "200 OK"))
        let second = try fixture.connect()
        try second.send(emptySend(session, id: "b2b2b2b2"))
        let refusal = response(session, "506 Session Already In Use", id: "b2b2b2b2")
        #expect(try second.expect(refusal) == refusal)
        try first.send(emptySend(session, id: "c3c3c3c3"))
        let expected = response(session, "200 OK", id: "c3c3c3c3")
        #expect(try first.expect(expected) == expected)
        #expect(log.events == ["bound", "end SEND", "end SEND"])
        try await fixture.end()
    }

    @Test("a released session-id is unknown")
    func released() async throws {
        let fixture = try await TransportFixture()
        let (session, _) = await fixture.reserve()
        await fixture.transport.perform { $0.sessions.release(SessionID(text: session)) }
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        let refusal = response(session, "481 No Such Session")
        #expect(try stream.expect(refusal) == refusal)
        try await fixture.end()
    }

    @Test("a reservation nobody uses expires, and its owner is told")
    func reservationExpires() async throws {
        let fixture = try await TransportFixture()
        let soon = NIODeadline.now() + .seconds(60)
        let (session, log) = await fixture.reserve(deadline: soon)
        await fixture.transport.perform { $0.ticked(at: soon - .nanoseconds(1)) }
        #expect(log.events == [])
        await fixture.transport.perform { $0.ticked(at: soon) }
        #expect(log.events == ["expired"])
        let isKnown = await fixture.transport.perform { $0.sessions.owner(of: SessionID(text: session)) != nil }
        #expect(!isKnown)
        try await fixture.end()
    }

    @Test("AUTH without a relay gets 501 (RFC 4976 section 5.1)")
    func auth() async throws {
        let fixture = try await TransportFixture()
        let stream = try fixture.connect()
        try stream.send(
            "MSRP 49fh AUTH\r\nTo-Path: msrps://relay.example.com:2855;tcp\r\n"
                + "From-Path: msrps://alice.example.com:9892/98cjs;tcp\r\n-------49fh$\r\n")
        let expected =
            "MSRP 49fh 501 Unknown Method\r\nTo-Path: msrps://alice.example.com:9892/98cjs;tcp\r\n"
            + "From-Path: msrps://relay.example.com:2855;tcp\r\n-------49fh$\r\n"
        #expect(try stream.expect(expected) == expected)
        try await fixture.end()
    }
}
