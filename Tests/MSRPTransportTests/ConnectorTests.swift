import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("Connecting out", .serialized)
struct ConnectorTests {
    private func connect(
        _ fixture: TransportFixture, _ destination: Destination
    ) async throws -> Result<OwnerLog, ConnectError> {
        let log = OwnerLog()
        let outcome = fixture.transport.eventLoop.makePromise(of: Result<OwnerLog, ConnectError>.self)
        await fixture.transport.perform { transport in
            let owner = RecordingOwner(log: log)
            log.keep(NIOLoopBound(owner, eventLoop: transport.eventLoop))
            transport.connector.connect(to: destination, owner: owner, session: nil) { result in
                outcome.succeed(result.map { _ in log })
            }
        }
        return try await outcome.futureResult.get()
    }

    @Test("a connection is opened and given to its owner")
    func connects() async throws {
        let fixture = try await TransportFixture()
        let peer = try StreamListener()
        let result = try await connect(
            fixture, Destination(host: "127.0.0.1", port: Int(peer.port), isTLS: false))
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
        let result = try await connect(
            fixture, Destination(host: "localhost", port: Int(peer.port), isTLS: false))
        #expect(throws: Never.self) { try result.get() }
        try await fixture.end()
    }

    @Test("what the policy refuses is not connected to")
    func policy() async throws {
        var configuration = TransportConfiguration()
        configuration.egress = .public
        let fixture = try await TransportFixture(configuration: configuration)
        let peer = try StreamListener()
        let result = try await connect(
            fixture, Destination(host: "localhost", port: Int(peer.port), isTLS: false))
        #expect(throws: ConnectError.refusedByPolicy(.notPublic)) { try result.get() }
        #expect(await fixture.transport.counters().egressRefusals == 1)
        try await fixture.end()
    }

    @Test("our own listener is never connected to")
    func ownListener() async throws {
        let fixture = try await TransportFixture()
        let result = try await connect(
            fixture, Destination(host: "127.0.0.1", port: Int(fixture.address.port), isTLS: false))
        #expect(throws: ConnectError.refusedByPolicy(.ownListener)) { try result.get() }
        try await fixture.end()
    }

    @Test("nobody there, and no such host, are told apart from a timeout")
    func failures() async throws {
        let fixture = try await TransportFixture()
        let port = try StreamListener().port
        let refused = try await connect(fixture, Destination(host: "127.0.0.1", port: Int(port), isTLS: false))
        #expect(throws: ConnectError.failed) { try refused.get() }
        let unknown = try await connect(fixture, Destination(host: "no-such-host.invalid", port: 1, isTLS: false))
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
        let result = try await connect(fixture, Destination(host: "127.0.0.1", port: Int(peer.port), isTLS: true))
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
            let result = try await connect(fixture, destination)
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
