import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@Suite("Who gets AUTH requests (RFC 4976 section 5.1)", .serialized)
struct AuthDispatchTests {
    private func auth(_ to: String, id: String) -> String {
        "MSRP \(id) AUTH\r\nTo-Path: \(to)\r\nFrom-Path: msrp://127.0.0.1:9/peer;tcp\r\n-------\(id)$\r\n"
    }
    private let relay = "msrps://relay.example.com:2855;tcp"

    private func answer(_ from: String, _ status: String, id: String) -> String {
        "MSRP \(id) \(status)\r\nTo-Path: msrp://127.0.0.1:9/peer;tcp\r\nFrom-Path: \(from)\r\n-------\(id)$\r\n"
    }

    private func session(_ text: String) -> String { "msrp://127.0.0.1:2855/\(text);tcp" }

    private func makeAuthOwner(
        _ fixture: TransportFixture, status: Status = .forbidden,
        react: @escaping @Sendable (RecordingOwner, Part, Connection) -> Void = { _, _, _ in }
    ) async -> OwnerLog {
        let log = OwnerLog()
        await fixture.transport.perform { transport in
            let owner = RecordingOwner(log: log)
            owner.status = status
            owner.react = react
            log.keep(NIOLoopBound(owner, eventLoop: transport.eventLoop))
            transport.authOwner = owner
        }
        return log
    }

    @Test("the AUTH owner is told of the connection once, gets each AUTH, and the connection stays unbound")
    func unboundConnections() async throws {
        let fixture = try await TransportFixture()
        let log = await makeAuthOwner(fixture)
        let (free, freeLog) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(auth(relay, id: "aaaa") + auth(relay, id: "bbbb"))
        let refusals = answer(relay, "403 Forbidden", id: "aaaa") + answer(relay, "403 Forbidden", id: "bbbb")
        #expect(try stream.expect(refusals) == refusals)
        #expect(log.events == ["bound", "end AUTH", "end AUTH"])
        // It may still name a session, and what comes then is that session's.
        try stream.send(emptySend(free, id: "cccc"))
        let bound = response(free, "200 OK", id: "cccc")
        #expect(try stream.expect(bound) == bound)
        #expect(freeLog.events == ["bound", "end SEND"])
        stream.close()
        try await fixture.until { $0.counters.connections == 0 }
        #expect(log.events.last?.hasPrefix("closed") == true)
        #expect(freeLog.events.last?.hasPrefix("closed") == true)
        try await fixture.end()
    }

    @Test("trying does not prolong the time in which a connection has to be bound")
    func timeGoesOn() async throws {
        let fixture = try await TransportFixture()
        _ = await makeAuthOwner(fixture)
        let stream = try fixture.connect()
        try stream.send(auth(relay, id: "aaaa"))
        _ = try stream.expect(answer(relay, "403 Forbidden", id: "aaaa"))
        let start = NIODeadline.now()
        try stream.send(auth(relay, id: "bbbb"))
        _ = try stream.expect(answer(relay, "403 Forbidden", id: "bbbb"))
        await fixture.transport.perform { $0.ticked(at: start + .seconds(30)) }
        #expect(try stream.closes(within: 5))
        #expect(await fixture.transport.counters().unboundTimeouts == 1)
        try await fixture.end()
    }

    @Test(
        "the AUTH owner gives the connection to a session, also after a pause; what was sent meanwhile is the session's"
    )
    func handsOver() async throws {
        let fixture = try await TransportFixture()
        let (opened, openedLog) = await fixture.reserve(admission: .yes)
        let log = await makeAuthOwner(fixture, status: .ok) { owner, part, connection in
            owner.connection = connection
            if case .end = part { connection.pauseReading(by: owner) }
        }
        let stream = try fixture.connect()
        try stream.send(
            auth(relay, id: "aaaa") + send(opened, "at once", id: "bbbb") + auth(session(opened), id: "cccc"))
        let first = answer(relay, "200 OK", id: "aaaa")
        #expect(try stream.expect(first) == first)
        #expect(openedLog.events == [])
        await fixture.transport.perform { _ in
            guard let desk = log.owner?.value, let connection = desk.connection, let owner = openedLog.owner?.value
            else {
                return
            }
            #expect(connection.attach(to: owner, session: SessionID(text: opened), head: nil))
            connection.resumeReading(by: desk)
        }
        let second = response(opened, "200 OK", id: "bbbb") + answer(session(opened), "200 OK", id: "cccc")
        #expect(try stream.expect(second) == second)
        #expect(openedLog.events == ["bound", "body 7", "end SEND", "end AUTH"])
        // It is bound now and lives.
        await fixture.transport.perform { $0.ticked(at: .now() + .seconds(31)) }
        #expect(await fixture.transport.counters().connections == 1)
        #expect(log.events == ["bound", "end AUTH"])
        try await fixture.end()
    }

    @Test("AUTH to the bare URI on a connection with a session is for the session's owner, unless the peer is a relay")
    func boundConnections() async throws {
        let fixture = try await TransportFixture()
        let log = await makeAuthOwner(fixture)
        let (alone, aloneLog) = await fixture.reserve()
        let first = try fixture.connect()
        try first.send(emptySend(alone, id: "aaaa") + auth(relay, id: "bbbb"))
        let own = response(alone, "200 OK", id: "aaaa") + answer(relay, "200 OK", id: "bbbb")
        #expect(try first.expect(own) == own)
        #expect(aloneLog.events == ["bound", "end SEND", "end AUTH"])
        #expect(log.events == [])

        let (one, oneLog) = await fixture.reserve(sharing: .relaySessions)
        let (two, twoLog) = await fixture.reserve(sharing: .relaySessions)
        let second = try fixture.connect()
        try second.send(
            emptySend(one, id: "cccc") + auth(relay, id: "dddd") + auth(session(one), id: "eeee")
                + emptySend(two, id: "ffff") + auth(session(two), id: "gggg") + auth(relay, id: "hhhh")
                + auth(session("unknown"), id: "iiii"))
        let shared =
            response(one, "200 OK", id: "cccc") + answer(relay, "403 Forbidden", id: "dddd")
            + answer(session(one), "200 OK", id: "eeee") + response(two, "200 OK", id: "ffff")
            + answer(session(two), "200 OK", id: "gggg") + answer(relay, "403 Forbidden", id: "hhhh")
            + answer(session("unknown"), "403 Forbidden", id: "iiii")
        #expect(try second.expect(shared) == shared)
        #expect(oneLog.events == ["bound", "end SEND", "end AUTH"])
        #expect(twoLog.events == ["bound", "end SEND", "end AUTH"])
        #expect(log.events == ["bound", "end AUTH", "end AUTH", "end AUTH"])
        try await fixture.end()
    }

    @Test("AUTH that names a session of another connection does not reach that session")
    func stolenSession() async throws {
        let fixture = try await TransportFixture()
        let log = await makeAuthOwner(fixture)
        let (victim, victimLog) = await fixture.reserve(admission: .yes)
        let first = try fixture.connect()
        try first.send(emptySend(victim))
        _ = try first.expect(response(victim, "200 OK"))
        let thief = try fixture.connect()
        try thief.send(auth(session(victim), id: "bbbb"))
        let refusal = answer(session(victim), "403 Forbidden", id: "bbbb")
        #expect(try thief.expect(refusal) == refusal)
        #expect(victimLog.events == ["bound", "end SEND"])
        #expect(log.events == ["bound", "end AUTH"])
        try await fixture.end()
    }
}
