import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("A connection moves to the loop of the session that it names first", .serialized)
struct MovingTests {
    private static func configuration() throws -> TransportConfiguration {
        var configuration = TransportConfiguration()
        configuration.serverTLS = try .server(identities: [SelfSignedCertificate.generate(names: ["localhost"])])
        configuration.clientTLS = try .client()
        return configuration
    }

    private func start(_ loops: Int, adjust: (inout TransportConfiguration) -> Void = { _ in }) async throws
        -> TransportFixture
    {
        var configuration = try Self.configuration()
        adjust(&configuration)
        return try await TransportFixture(configuration: configuration, loops: loops)
    }

    private func connect(_ fixture: TransportFixture, isTLS: Bool) throws -> ByteStream {
        isTLS ? try TLSByteStream(to: fixture.address) : try fixture.connect()
    }

    private func place(of log: OwnerLog, _ fixture: TransportFixture, on loop: Int) async -> Int? {
        await fixture.transport.perform(on: loop) { _ in log.owner?.value.connection?.transport.place.index }
    }

    @Test("and is served there, in both directions, plain and with TLS", arguments: [false, true])
    func moves(isTLS: Bool) async throws {
        let fixture = try await start(3)
        for loop in 0..<3 {
            let (session, log) = await fixture.reserve(on: loop)
            let stream = try connect(fixture, isTLS: isTLS)
            try stream.send(emptySend(session, id: "a1a1a1a1"))
            let bound = response(session, "200 OK", id: "a1a1a1a1")
            #expect(try stream.expect(bound) == bound)
            #expect(await place(of: log, fixture, on: loop) == loop)
            for round in 0..<20 {
                try stream.send(send(session, String(repeating: "x", count: round * 3000 + 1), id: "bbbb\(round)"))
                let answer = response(session, "200 OK", id: "bbbb\(round)")
                #expect(try stream.expect(answer) == answer)
            }
            let large = String(repeating: "0123456789", count: 50_000)
            await fixture.transport.perform(on: loop) { _ in
                log.owner?.value.connection?.enqueue(ByteBuffer(string: large))
            }
            #expect(try stream.expect(large) == large)
            #expect(
                await fixture.transport.perform(on: loop) { _ in log.owner?.value.connection?.isTLS } == isTLS)
            stream.close()
            try await fixture.until(on: loop) { $0.counters.connections == 0 }
            #expect(log.events.last == "closed peerClosed")
        }
        let counters = await fixture.transport.counters()
        #expect(counters.connectionsAccepted == 3)
        #expect(counters.connectionsMoved == 2)
        #expect(counters.connections == 0)
        try await fixture.end()
    }

    @Test("wherever the octets of its first message are cut", arguments: [false, true])
    func cuts(isTLS: Bool) async throws {
        let fixture = try await start(2)
        let (session, log) = await fixture.reserve(on: 1, admission: .yes)
        let message = send(session, "hello, room", id: "a1a1a1a1") + emptySend(session, id: "b2b2b2b2")
        let expected =
            response(session, "200 OK", id: "a1a1a1a1") + response(session, "200 OK", id: "b2b2b2b2")
        let octets = Array(message.utf8)
        var total: UInt64 = 0
        for cut in stride(from: 1, to: octets.count, by: isTLS ? 7 : 1) {
            let stream = try connect(fixture, isTLS: isTLS)
            try stream.send(Array(octets[..<cut]))
            total += UInt64(cut)
            let read = total
            // What arrives is read by one loop or the other.
            let deadline = Deadline.after(seconds: 10)
            while await fixture.transport.counters().bytesIn < read { #expect(!deadline.passed) }
            try stream.send(Array(octets[cut...]))
            total += UInt64(octets.count - cut)
            #expect(try stream.expect(expected) == expected, "cut at \(cut)")
            stream.close()
        }
        let cuts = isTLS ? (octets.count + 5) / 7 : octets.count - 1
        #expect(log.events.count(where: { $0 == "bound" }) == cuts)
        #expect(log.events.count(where: { $0 == "end SEND" }) == 2 * cuts)
        let body = log.events.compactMap { $0.hasPrefix("body ") ? Int($0.dropFirst(5)) : nil }.reduce(0, +)
        #expect(body == 11 * cuts)
        try await fixture.end()
    }

    @Test(
        "with octets of the body that were read with the head, and a body that comes for long after",
        arguments: [false, true])
    func bodyGoesAlong(isTLS: Bool) async throws {
        let fixture = try await start(2)
        let (session, log) = await fixture.reserve(on: 1)
        let stream = try connect(fixture, isTLS: isTLS)
        let body = String(repeating: "0123456789abcdef", count: 200_000)
        try stream.send(send(session, body, id: "a1a1a1a1"))
        let answer = response(session, "200 OK", id: "a1a1a1a1")
        #expect(try stream.expect(answer) == answer)
        let octets = log.events.compactMap { $0.hasPrefix("body ") ? Int($0.dropFirst(5)) : nil }.reduce(0, +)
        #expect(octets == body.utf8.count)
        #expect(log.events.count(where: { $0 == "end SEND" }) == 1)
        try await fixture.end()
    }

    @Test("though its peer closes at once: what it sent is its session's all the same", arguments: [false, true])
    func peerCloses(isTLS: Bool) async throws {
        let fixture = try await start(2)
        for round in 0..<60 {
            let (session, log) = await fixture.reserve(on: 1)
            let stream = try connect(fixture, isTLS: isTLS)
            let size = round % 3 == 0 ? 5 : round % 3 == 1 ? 40_000 : 300_000
            try stream.send(send(session, String(repeating: "z", count: size), id: "a1a1a1a1"))
            stream.shutdownWriting()
            try await fixture.until(on: 1) { _ in log.events.last?.hasPrefix("closed") ?? false }
            let octets = log.events.compactMap { $0.hasPrefix("body ") ? Int($0.dropFirst(5)) : nil }.reduce(0, +)
            #expect(octets == size)
            #expect(log.events.first == "bound")
            #expect(log.events.suffix(2).first == "end SEND")
            stream.close()
        }
        try await fixture.until { $0.counters.connections == 0 }
        #expect(await fixture.transport.counters().connections == 0)
        try await fixture.end()
    }

    @Test("200 of them at a time, to four loops", arguments: [false, true])
    func many(isTLS: Bool) async throws {
        let fixture = try await start(4)
        let clients = 200
        var sessions: [(session: String, log: OwnerLog)] = []
        for index in 0..<clients { sessions.append(await fixture.reserve(on: index % 4)) }
        let streams = try sessions.map { _ in try connect(fixture, isTLS: isTLS) }
        let body = String(repeating: "y", count: 30_000)
        for (stream, entry) in zip(streams, sessions) {
            try stream.send(send(entry.session, body, id: "a1a1a1a1") + emptySend(entry.session, id: "b2b2b2b2"))
        }
        for (stream, entry) in zip(streams, sessions) {
            let expected =
                response(entry.session, "200 OK", id: "a1a1a1a1") + response(entry.session, "200 OK", id: "b2b2b2b2")
            #expect(try stream.expect(expected, within: 20) == expected)
        }
        for (index, entry) in sessions.enumerated() {
            #expect(await place(of: entry.log, fixture, on: index % 4) == index % 4)
            let octets =
                entry.log.events.compactMap { $0.hasPrefix("body ") ? Int($0.dropFirst(5)) : nil }.reduce(0, +)
            #expect(octets == body.utf8.count)
        }
        let counters = await fixture.transport.counters()
        #expect(counters.connections == clients)
        #expect(counters.connectionsMoved == 150)
        for stream in streams { stream.close() }
        for loop in 0..<4 { try await fixture.until(on: loop) { $0.counters.connections == 0 } }
        try await fixture.end()
    }

    @Test(
        "after what it was told on the first loop, all of it, even if the peer is slow to read that",
        arguments: [false, true])
    func answersFirst(isTLS: Bool) async throws {
        let fixture = try await start(2)
        let (session, log) = await fixture.reserve(on: 1)
        for unknown in [1, 20_000] {
            let stream = try connect(fixture, isTLS: isTLS)
            let stranger = emptySend("stranger", id: "a1a1a1a1")
            try stream.send(String(repeating: stranger, count: unknown) + emptySend(session, id: "b2b2b2b2"))
            let refusals = String(
                repeating: response("stranger", "481 No Such Session", id: "a1a1a1a1"), count: unknown)
            let expected = refusals + response(session, "200 OK", id: "b2b2b2b2")
            // A tick is when what could not go before is tried again.
            #expect(try stream.expect(expected, within: 20) == expected)
            stream.close()
            try await fixture.until(on: 1) { $0.counters.connections == 0 }
        }
        #expect(log.events.count(where: { $0 == "end SEND" }) == 2)
        try await fixture.end()
    }

    @Test("but not when it has a session already: 506 says that the other one can't be on this connection")
    func boundElsewhere() async throws {
        let fixture = try await start(2)
        let (first, _) = await fixture.reserve(on: 0, sharing: .members)
        let (other, otherLog) = await fixture.reserve(on: 1, sharing: .members)
        let (second, _) = await fixture.reserve(on: 0, sharing: .members)
        let stream = try fixture.connect()
        try stream.send(
            emptySend(first, id: "a1a1a1a1") + send(other, "hello", id: "b2b2b2b2")
                + emptySend(second, id: "c3c3c3c3") + emptySend(other, id: "d4d4d4d4"))
        let expected =
            response(first, "200 OK", id: "a1a1a1a1") + response(other, "506 Session Already In Use", id: "b2b2b2b2")
            + response(second, "200 OK", id: "c3c3c3c3")
            + response(other, "506 Session Already In Use", id: "d4d4d4d4")
        #expect(try stream.expect(expected) == expected)
        #expect(otherLog.events == [])
        // On a connection of its own it is served.
        let another = try fixture.connect()
        try another.send(emptySend(other, id: "e5e5e5e5"))
        let bound = response(other, "200 OK", id: "e5e5e5e5")
        #expect(try another.expect(bound) == bound)
        try await fixture.end()
    }

    @Test("an owner that wants its connection alone gets what names a session of another loop, as with one loop")
    func boundAlone() async throws {
        let fixture = try await start(2)
        let (first, log) = await fixture.reserve(on: 1)
        let (other, otherLog) = await fixture.reserve(on: 0)
        let stream = try fixture.connect()
        try stream.send(emptySend(first, id: "a1a1a1a1") + emptySend(other, id: "b2b2b2b2"))
        let expected = response(first, "200 OK", id: "a1a1a1a1") + response(other, "200 OK", id: "b2b2b2b2")
        #expect(try stream.expect(expected) == expected)
        #expect(log.events == ["bound", "end SEND", "end SEND"])
        #expect(otherLog.events == [])
        try await fixture.end()
    }

    @Test("an id that no loop made gets 481 where the connection is; one that its loop doesn't know gets 481 there")
    func unknown() async throws {
        let fixture = try await start(2)
        let (gone, _) = await fixture.reserve(on: 1)
        await fixture.transport.perform(on: 1) { $0.sessions.release(SessionID(text: gone)) }
        let (session, _) = await fixture.reserve(on: 0)
        let stream = try fixture.connect()
        try stream.send(
            emptySend("stranger", id: "a1a1a1a1") + send(gone, "hello", id: "b2b2b2b2")
                + emptySend(session, id: "c3c3c3c3"))
        let expected =
            response("stranger", "481 No Such Session", id: "a1a1a1a1")
            + response(gone, "481 No Such Session", id: "b2b2b2b2") + response(session, "200 OK", id: "c3c3c3c3")
        #expect(try stream.expect(expected) == expected)
        let counters = await fixture.transport.counters()
        #expect(counters.unknownSessions == 2)
        // There and back again: nothing keeps a connection that nobody owns.
        #expect(counters.connectionsMoved == 2)
        #expect(await fixture.transport.perform { $0.counters.connections } == 1)
        try await fixture.end()
    }

    @Test("our own sessions are found as next hops on whatever loop they are", arguments: [false, true])
    func ownSessions(isTLS: Bool) async throws {
        let fixture = try await start(3) { $0.egress = .public }
        for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 2)] {
            let (session, log) = await fixture.reserve(on: to)
            let result = await fixture.open(
                Destination(host: "no-such-host.invalid", port: 1, isTLS: isTLS, sessionKey: session), on: from)
            let caller = try result.get()
            await fixture.transport.perform(on: from) { _ in
                caller.owner?.value.isAnswering = false
                caller.owner?.value.connection?.enqueue(ByteBuffer(string: emptySend(session)))
            }
            try await fixture.until(on: from) { _ in caller.events.count == 2 }
            #expect(caller.events == ["bound", "end 200"])
            #expect(log.events == ["bound", "end SEND"])
            #expect(await place(of: log, fixture, on: to) == to)
            #expect(await place(of: caller, fixture, on: from) == from)
            let refused = await fixture.open(
                Destination(
                    host: "127.0.0.1", port: Int(fixture.address.port), isTLS: isTLS, sessionKey: session,
                    reachesOwn: { _ in false }), on: from)
            #expect(throws: ConnectError.refusedByPolicy(.ownListener)) { try refused.get() }
        }
        try await fixture.end()
    }

    @Test("limits of connections and sessions hold for all loops together")
    func limits() async throws {
        let fixture = try await start(2) {
            $0.limits.connections = 4
            $0.limits.sessions = 5
        }
        var streams: [ByteStream] = []
        for index in 0..<4 {
            let (session, _) = await fixture.reserve(on: index % 2)
            let stream = try fixture.connect()
            try stream.send(emptySend(session))
            let bound = response(session, "200 OK")
            #expect(try stream.expect(bound) == bound)
            streams.append(stream)
        }
        #expect(try fixture.connect().closes(within: 5))
        let (fifth, _) = await fixture.reserve(on: 1)
        #expect(await fixture.reserve(on: 0).session == "")
        await fixture.transport.perform(on: 1) { $0.sessions.release(SessionID(text: fifth)) }
        #expect(await fixture.reserve(on: 0).session != "")
        streams[1].close()
        try await fixture.until(on: 1) { $0.counters.connections == 1 }
        let another = try fixture.connect()
        try another.send(emptySend("stranger"))
        let unknown = response("stranger", "481 No Such Session")
        #expect(try another.expect(unknown) == unknown)
        #expect(await fixture.transport.counters().refusedByConnectionLimit == 1)
        try await fixture.end()
    }

    @Test("shutting down while connections move ends all of them")
    func shutdown() async throws {
        for _ in 0..<5 {
            let fixture = try await start(3)
            let streams = try (0..<30).map { _ in try fixture.connect() }
            for (index, stream) in streams.enumerated() {
                let (session, _) = await fixture.reserve(on: index % 3)
                try stream.send(send(session, "to be lost, perhaps"))
            }
            await fixture.transport.shutdown()
            for stream in streams { #expect(try stream.closes(within: 5)) }
            try await fixture.group.shutdownGracefully()
        }
    }
}
