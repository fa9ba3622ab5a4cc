import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("Connecting out", .serialized)
struct ConnectorTests {
    @Test("a connection is opened and given to its owner")
    func connects() async throws {
        let fixture = try await TransportFixture()
        let peer = try StreamListener()
        let result = await fixture.open(Destination(host: "127.0.0.1", port: Int(peer.port), isTLS: false))
        let log = try result.get()
        let accepted = try peer.accept()
        await fixture.transport.perform { _ in
            log.owner?.value.connection?.enqueue(ByteBuffer(string: "hello"))
        }
        #expect(try accepted.expect("hello") == "hello")
        #expect(log.events == ["bound"])
        accepted.close()
        try await fixture.end()
    }

    @Test("a name is resolved")
    func resolves() async throws {
        let fixture = try await TransportFixture()
        let peer = try StreamListener()
        let result = await fixture.open(Destination(host: "localhost", port: Int(peer.port), isTLS: false))
        #expect(throws: Never.self) { try result.get() }
        try await fixture.end()
    }

    @Test("what the policy refuses is not connected to")
    func policy() async throws {
        var configuration = TransportConfiguration()
        configuration.egress = .public
        let fixture = try await TransportFixture(configuration: configuration)
        let peer = try StreamListener()
        let result = await fixture.open(Destination(host: "localhost", port: Int(peer.port), isTLS: false))
        #expect(throws: ConnectError.refusedByPolicy(.notPublic)) { try result.get() }
        #expect(await fixture.transport.counters().egressRefusals == 1)
        try await fixture.end()
    }

    @Test("our own listener is never connected to")
    func ownListener() async throws {
        let fixture = try await TransportFixture()
        let result = await fixture.open(Destination(host: "127.0.0.1", port: Int(fixture.address.port), isTLS: false))
        #expect(throws: ConnectError.refusedByPolicy(.ownListener)) { try result.get() }
        try await fixture.end()
    }

    @Test("nobody there, and no such host, are told apart from a timeout")
    func failures() async throws {
        let fixture = try await TransportFixture()
        let port = try StreamListener().port
        let refused = await fixture.open(Destination(host: "127.0.0.1", port: Int(port), isTLS: false))
        #expect(throws: ConnectError.failed) { try refused.get() }
        let unknown = await fixture.open(Destination(host: "no-such-host.invalid", port: 1, isTLS: false))
        #expect(throws: ConnectError.unknownHost) { try unknown.get() }
        try await fixture.end()
    }

    @Test("a TLS handshake that never ends is given up within the limit")
    func handshakeTimeout() async throws {
        var configuration = TransportConfiguration()
        configuration.limits.connectTimeout = .milliseconds(50)
        configuration.clientTLS = try .client()
        let fixture = try await TransportFixture(configuration: configuration)
        let peer = try StreamListener()
        let result = await fixture.open(Destination(host: "127.0.0.1", port: Int(peer.port), isTLS: true))
        #expect(throws: ConnectError.timedOut) { try result.get() }
        try await fixture.end()
    }

    @Test("with verify_peers a peer's certificate must be good for its name (RFC 4975 section 14.4)")
    func verifiesPeers() async throws {
        let identity = try SelfSignedCertificate.generate(names: ["127.0.0.1"])
        var serving = TransportConfiguration()
        serving.serverTLS = try .server(identities: [identity])
        let peer = try await TransportFixture(configuration: serving)
        let destination = Destination(host: "127.0.0.1", port: Int(peer.address.port), isTLS: true)

        for (trust, verifies, isReached) in [
            (TrustAnchors.none, true, false), (.pem(identity.certificatePEM), true, true), (.none, false, true),
        ] {
            var calling = TransportConfiguration(verifiesPeers: verifies)
            calling.clientTLS = try .client(trust: trust)
            let fixture = try await TransportFixture(configuration: calling)
            let result = await fixture.open(destination)
            if isReached {
                #expect(throws: Never.self) { try result.get() }
            } else {
                #expect(throws: ConnectError.tlsFailed) { try result.get() }
            }
            try await fixture.end()
        }
        try await peer.end()
    }
}

@Suite("Many connections to open at a time (RFC 4975 section 14.5)", .serialized)
struct ConnectorLimitTests {
    @Test("those beyond the limit for one destination wait for their turn, and all are opened")
    func turns() async throws {
        var configuration = TransportConfiguration()
        configuration.limits.connectsPerDestination = 2
        configuration.limits.connects = 3
        let fixture = try await TransportFixture(configuration: configuration)
        let peers = [try StreamListener(), try StreamListener()]
        let destinations = (0..<40).map {
            Destination(host: $0 % 3 == 0 ? "localhost" : "127.0.0.1", port: Int(peers[$0 % 2].port), isTLS: false)
        }
        let results = await withTaskGroup(of: Bool.self, returning: [Bool].self) { group in
            for destination in destinations { group.addTask { (try? await fixture.open(destination).get()) != nil } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results == Array(repeating: true, count: 40))
        #expect(await fixture.transport.counters().connectionsOpened == 40)
        try await fixture.end()
    }

    @Test("more than may wait are refused at once, and the time of those that wait goes on")
    func bounded() async throws {
        var configuration = TransportConfiguration()
        configuration.clientTLS = try .client()
        configuration.limits.connectsPerDestination = 1
        configuration.limits.connectsWaiting = 2
        configuration.limits.connectTimeout = .milliseconds(100)
        let fixture = try await TransportFixture(configuration: configuration)
        // It accepts and says nothing.
        let peer = try StreamListener()
        let destination = Destination(host: "127.0.0.1", port: Int(peer.port), isTLS: true)
        let results = await withTaskGroup(of: ConnectError?.self, returning: [ConnectError?].self) { group in
            for _ in 0..<5 {
                group.addTask {
                    if case .failure(let error) = await fixture.open(destination) { error } else { nil }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.filter { $0 == .tooManyConnections }.count == 2)
        #expect(results.filter { $0 == .timedOut }.count == 3)
        #expect(await fixture.transport.counters().connectFailures == 5)
        try await fixture.end()
    }

    @Test("many that fail at once, as the policy makes them, are all told")
    func refusals() async throws {
        var configuration = TransportConfiguration()
        configuration.egress = .public
        configuration.limits.connectsPerDestination = 1
        let fixture = try await TransportFixture(configuration: configuration)
        let count = 2000
        let refused = await fixture.transport.perform { transport in
            let owner = RecordingOwner(log: OwnerLog())
            var refused = 0
            for _ in 0..<count {
                transport.connector.connect(
                    to: Destination(host: "localhost", port: 9, isTLS: false), owner: owner, session: nil
                ) { result in
                    if case .failure(.refusedByPolicy) = result { refused += 1 }
                }
            }
            return NIOLoopBound(Box { refused }, eventLoop: transport.eventLoop)
        }
        try await fixture.until { _ in refused.value.read() == count }
        try await fixture.end()
    }

    private final class Box {
        let read: () -> Int
        init(_ read: @escaping () -> Int) { self.read = read }
    }
}
