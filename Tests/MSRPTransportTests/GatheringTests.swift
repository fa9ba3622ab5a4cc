import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("Reading when the owner asks", .serialized)
struct GatheringTests {
    private struct Scene {
        let fixture: TransportFixture
        let session: String
        let log: OwnerLog
        let stream: ByteStream

        init(isTLS: Bool = false, sharing: ConnectionSharing = .alone) async throws {
            var configuration = TransportConfiguration()
            configuration.serverTLS = try .server(identities: [SelfSignedCertificate.generate(names: ["localhost"])])
            fixture = try await TransportFixture(configuration: configuration)
            (session, log, stream) = try await fixture.bound(isTLS: isTLS, sharing: sharing)
        }

        func withConnection<Result: Sendable>(
            _ body: @escaping @Sendable (Connection) -> Result
        ) async throws -> Result {
            let log = log
            let result = await fixture.transport.perform { transport in
                let result = log.owner?.value.connection.map(body)
                transport.scheduler.flush()
                return result
            }
            return try #require(result)
        }

        func say(_ id: String) throws { try stream.send(emptySend(session, id: id)) }

        func isAnswered(_ id: String) throws -> Bool {
            let expected = response(session, "200 OK", id: id)
            return try stream.expect(expected) == expected
        }

        var ends: Int { log.events.filter { $0 == "end SEND" }.count }
    }

    @Test("what comes waits until it is asked for, plain and with TLS", arguments: [false, true])
    func waits(isTLS: Bool) async throws {
        let scene = try await Scene(isTLS: isTLS)
        try await scene.withConnection { $0.beginGathering() }
        #expect(try await scene.withConnection { $0.isGathering })
        // Nothing is there: nothing happens.
        try await scene.withConnection { $0.readGathered() }
        try scene.say("first001")
        try scene.say("second02")
        for _ in 0..<50 { await scene.fixture.transport.perform { _ in } }
        #expect(scene.ends == 1)
        try await scene.fixture.until { _ in
            scene.log.owner?.value.connection?.readGathered()
            return scene.ends == 3
        }
        let answers =
            response(scene.session, "200 OK", id: "first001") + response(scene.session, "200 OK", id: "second02")
        #expect(try scene.stream.expect(answers) == answers)
        #expect(try await scene.withConnection { $0.isGathering })
        #expect(await scene.fixture.transport.counters().gatheredReads >= 1)
        try await scene.fixture.end()
    }

    @Test("when gathering ends, what has waited comes by itself, and so does what follows", arguments: [false, true])
    func ends(isTLS: Bool) async throws {
        let scene = try await Scene(isTLS: isTLS)
        try await scene.withConnection { $0.beginGathering() }
        try scene.say("first001")
        for _ in 0..<20 { await scene.fixture.transport.perform { _ in } }
        #expect(scene.ends == 1)
        try await scene.withConnection { $0.endGathering() }
        #expect(try scene.isAnswered("first001"))
        try scene.say("second02")
        #expect(try scene.isAnswered("second02"))
        #expect(await scene.fixture.transport.counters().gatheredReads == 0)
        try await scene.fixture.end()
    }

    @Test("more than one read's worth is handed out, in order", arguments: [false, true])
    func much(isTLS: Bool) async throws {
        let scene = try await Scene(isTLS: isTLS)
        try await scene.withConnection { $0.beginGathering() }
        let ids = (100..<900).map { "many\($0)x" }
        try scene.stream.send(ids.map { emptySend(scene.session, id: $0) }.joined())
        try await scene.fixture.until { _ in
            scene.log.owner?.value.connection?.readGathered()
            return scene.ends == 801
        }
        let expected = ids.map { response(scene.session, "200 OK", id: $0) }.joined()
        #expect(try scene.stream.expect(expected) == expected)
        try await scene.fixture.end()
    }

    @Test("a peer that closes or resets the connection meanwhile is noticed without being asked for")
    func closes() async throws {
        for resets in [false, true] {
            let scene = try await Scene()
            try await scene.withConnection { $0.beginGathering() }
            if resets { scene.stream.reset() } else { scene.stream.close() }
            try await scene.fixture.until { _ in scene.log.events.contains { $0.hasPrefix("closed") } }
            try await scene.fixture.end()
        }
    }

    @Test("what the peer said before it closed is handed out")
    func saysAndCloses() async throws {
        let scene = try await Scene()
        try await scene.withConnection { $0.beginGathering() }
        try scene.say("first001")
        scene.stream.close()
        try await scene.fixture.until { _ in scene.log.events.last == "closed peerClosed" }
        #expect(scene.ends == 2)
        try await scene.fixture.end()
    }

    @Test("while reading is paused nothing is handed out, asked for or not")
    func paused() async throws {
        let scene = try await Scene()
        try await scene.withConnection { $0.beginGathering() }
        await scene.fixture.transport.perform { _ in
            guard let owner = scene.log.owner?.value else { return }
            owner.connection?.pauseReading(by: owner)
        }
        try scene.say("first001")
        for _ in 0..<50 { try await scene.withConnection { $0.readGathered() } }
        #expect(scene.ends == 1)
        // The pause ends, the gathering doesn't.
        await scene.fixture.transport.perform { transport in
            guard let owner = scene.log.owner?.value else { return }
            owner.connection?.resumeReading(by: owner)
            transport.scheduler.flush()
        }
        for _ in 0..<50 { await scene.fixture.transport.perform { _ in } }
        #expect(scene.ends == 1)
        try await scene.fixture.until { _ in
            scene.log.owner?.value.connection?.readGathered()
            return scene.ends == 2
        }
        try await scene.fixture.end()
    }

    @Test("a connection that is paused, or is closing, does not begin to gather")
    func refuses() async throws {
        let scene = try await Scene()
        await scene.fixture.transport.perform { _ in
            guard let owner = scene.log.owner?.value, let connection = owner.connection else { return }
            connection.pauseReading(by: owner)
            connection.beginGathering()
            #expect(!connection.isGathering)
            connection.resumeReading(by: owner)
            connection.close(.orderly)
            connection.beginGathering()
            #expect(!connection.isGathering)
        }
        try await scene.fixture.end()
    }

    @Test("an owner that leaves, and one that comes, ends the gathering")
    func owners() async throws {
        let scene = try await Scene(sharing: .members)
        let (second, secondLog) = await scene.fixture.reserve(sharing: .members)
        try await scene.withConnection { $0.beginGathering() }
        try scene.stream.send(emptySend(second, id: "other001"))
        try await scene.fixture.until { _ in
            scene.log.owner?.value.connection?.readGathered()
            return secondLog.events.contains("end SEND")
        }
        #expect(try await scene.withConnection { !$0.isGathering && $0.isShared })
        // With two owners it doesn't begin either.
        try await scene.withConnection { $0.beginGathering() }
        #expect(try await scene.withConnection { !$0.isGathering })
        await scene.fixture.transport.perform { _ in
            guard let owner = secondLog.owner?.value else { return }
            scene.log.owner?.value.connection?.unbind(owner)
        }
        try await scene.withConnection { $0.beginGathering() }
        #expect(try await scene.withConnection { $0.isGathering })
        await scene.fixture.transport.perform { transport in
            guard let owner = scene.log.owner?.value, let connection = owner.connection else { return }
            connection.unbind(owner)
            #expect(!connection.isGathering)
        }
        try await scene.fixture.end()
    }
}
