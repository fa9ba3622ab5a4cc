import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("Mutual TLS between relays (RFC 4976 sections 6.3 and 9.2)", .serialized)
struct RelayPeerTests {
    private struct Judgement: Equatable {
        var callerTrusts: Bool?
        var calledTrusts: Bool?
        var name: String?
    }

    /// A caller that presents `identity` calls a server with a certificate for `relay.example.com`.
    private func judge(
        presenting identity: TLSIdentity?, serverTrust: TrustAnchors, callerHost: String, calledHost: String
    ) async throws -> Judgement {
        let own = try SelfSignedCertificate.generate(names: ["relay.example.com"])
        var serving = TransportConfiguration()
        serving.serverTLS = try .server(identities: [own], trust: serverTrust)
        let server = try await TransportFixture(configuration: serving)
        let (session, log) = await server.reserve()
        let caller = try await TransportFixture()
        let destination = Destination(
            host: "127.0.0.1", port: Int(server.address.port), isTLS: true, serverName: "relay.example.com",
            tlsContext: try .client(identity: identity, trust: .pem(own.certificatePEM)), verifiesName: true)
        let result = try await caller.open(destination).get()
        await caller.transport.perform { _ in
            result.owner?.value.isAnswering = false
            result.owner?.value.connection?.enqueue(ByteBuffer(string: emptySend(session)))
        }
        try await server.until { _ in log.events.contains("bound") }
        let judgement = Judgement(
            callerTrusts: await caller.transport.perform { _ in
                result.owner?.value.connection?.peerIsTrusted(for: calledHost)
            },
            calledTrusts: await server.transport.perform { _ in
                log.owner?.value.connection?.peerIsTrusted(for: callerHost)
            },
            name: await server.transport.perform { _ in log.owner?.value.connection?.serverName })
        try await caller.end()
        try await server.end()
        return judgement
    }

    @Test("both ends know each other by their certificates' subjectAltName")
    func mutual() async throws {
        let identity = try SelfSignedCertificate.generate(names: ["other.example.com", "192.0.2.7"])
        let trust = TrustAnchors.pem(identity.certificatePEM)
        for host in ["other.example.com", "OTHER.example.com", "192.0.2.7"] {
            #expect(
                try await judge(
                    presenting: identity, serverTrust: trust, callerHost: host, calledHost: "relay.example.com")
                    == Judgement(callerTrusts: true, calledTrusts: true, name: "relay.example.com"))
        }
        #expect(
            try await judge(
                presenting: identity, serverTrust: trust, callerHost: "another.example.com",
                calledHost: "127.0.0.1")
                == Judgement(callerTrusts: false, calledTrusts: false, name: "relay.example.com"))
    }

    @Test(
        "a certificate that nobody trusts, or none, never fails the handshake, and proves nothing (RFC 4976 section 9.2)"
    )
    func untrusted() async throws {
        let identity = try SelfSignedCertificate.generate(names: ["other.example.com"])
        let stranger = try SelfSignedCertificate.generate(names: ["other.example.com"])
        for (presented, trust) in [
            (stranger, TrustAnchors.pem(identity.certificatePEM)), (nil, .pem(identity.certificatePEM)),
            (identity, .none), (identity, .system),
        ] {
            #expect(
                try await judge(
                    presenting: presented, serverTrust: trust, callerHost: "other.example.com",
                    calledHost: "relay.example.com")
                    == Judgement(callerTrusts: true, calledTrusts: false, name: "relay.example.com"))
        }
    }

    @Test("a plain connection proves nothing")
    func plain() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        _ = try stream.expect(response(session, "200 OK"))
        let isTrusted = await fixture.transport.perform { _ in
            log.owner?.value.connection?.peerIsTrusted(for: "127.0.0.1")
        }
        #expect(isTrusted == false)
        try await fixture.end()
    }

    @Test("with a name to verify, a relay whose certificate is for another is not talked to")
    func wrongRelay() async throws {
        let own = try SelfSignedCertificate.generate(names: ["impostor.example.com"])
        var serving = TransportConfiguration()
        serving.serverTLS = try .server(identities: [own])
        let server = try await TransportFixture(configuration: serving)
        let caller = try await TransportFixture()
        let result = await caller.open(
            Destination(
                host: "127.0.0.1", port: Int(server.address.port), isTLS: true, serverName: "relay.example.com",
                isAtPeersWord: false, tlsContext: try .client(trust: .pem(own.certificatePEM)), verifiesName: true))
        #expect(throws: ConnectError.tlsFailed) { try result.get() }
        try await caller.end()
        try await server.end()
    }
}
