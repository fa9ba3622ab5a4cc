import NIOGnuTLS
import Support
import Testing

@testable import RelayCore

@Suite("AUTH through another relay (RFC 4976 sections 6.3 and 9.2)")
struct AuthRelayPeerTests {
    private let authority: TestAuthority
    private let own: (certificate: String, key: String)

    init() throws {
        authority = try TestAuthority()
        own = try authority.issue(["relay.example.com"])
    }

    private static func path(_ client: String = "c") -> String {
        "msrps://b.example:2855/s1;tcp msrps://10.0.0.1:9/\(client);tcp"
    }

    private func fixture(peers: [RelayPeer] = [RelayPeer(host: "B.example", port: 2855)]) async throws -> AuthFixture {
        let identity = try TLSIdentity(
            certificatePEM: Array(own.certificate.utf8), keyPEM: Array(own.key.utf8))
        let context = try TLSContext.server(identities: [identity], trust: .pem(Array(authority.pem.utf8)))
        return try await AuthFixture(serverTLS: context) {
            $0.allowsPlainAuth = false
            $0.peers = peers
        }
    }

    @Test("a relay with a certificate for its From-Path brings clients, several over one connection")
    func brought() async throws {
        let fixture = try await fixture()
        let relay = try fixture.connectTLS(as: try authority.issue(["b.example"]))
        for client in ["c1", "c2"] {
            let response = try await relay.authenticate(from: Self.path(client))
            #expect(response.status == 200 && response["To-Path"] == Self.path(client))
        }
        #expect(fixture.log.events == ["c1", "c2"].map { "open alice@example.com \(Self.path($0)) -" })
        try await fixture.end()
    }

    @Test("its clients' failures don't close a relay's connection (RFC 4976 section 6.3)")
    func failures() async throws {
        let fixture = try await fixture()
        let relay = try fixture.connectTLS(as: try authority.issue(["b.example"]))
        for _ in 1...2 * AuthMachine.mostChallenges {
            #expect(try await relay.authenticate(from: Self.path(), password: "x").status == 403)
        }
        #expect(try await relay.authenticate(from: Self.path()).status == 200)
        try await fixture.end()
    }

    @Test("a certificate for another name, of another authority or none at all makes no relay")
    func strangers() async throws {
        let fixture = try await fixture()
        let others = [
            try authority.issue(["c.example"]), try TestAuthority("others").issue(["b.example"]), nil,
        ]
        for identity in others {
            let stranger = try fixture.connectTLS(as: identity)
            #expect(try await stranger.auth(from: Self.path()).status == 403)
        }
        try await fixture.end()
    }

    @Test("a relay that is not among the peers is refused, by name and by port")
    func notConfigured() async throws {
        for peers in [[], [RelayPeer(host: "c.example", port: nil)], [RelayPeer(host: "b.example", port: 2856)]] {
            let fixture = try await fixture(peers: peers)
            let relay = try fixture.connectTLS(as: try authority.issue(["b.example"]))
            #expect(try await relay.auth(from: Self.path()).status == 403)
            try await fixture.end()
        }
    }

    @Test("a client's own certificate is ignored (RFC 4976 section 9.2)")
    func clientCertificate() async throws {
        let fixture = try await fixture()
        let client = try fixture.connectTLS(as: try authority.issue(["b.example"]))
        #expect(try await client.authenticate().status == 200)
        #expect(try await client.auth().status == 481)
        try await fixture.end()
    }
}
