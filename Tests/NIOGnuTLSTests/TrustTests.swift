import NIOCore
import NIOGnuTLS
import Testing

@Suite("Whose certificate the peer's is (RFC 4976 sections 6.3 and 9.2)")
struct TrustTests {
    private func pair(
        client identity: TLSIdentity?, trust: TrustAnchors, versions: [TLSVersion] = [.tls12, .tls13]
    ) throws -> TLSPair {
        let pair = try TLSPair(
            server: .server(identities: [Identities.server], trust: trust, versions: versions),
            client: .client(identity: identity, trust: .pem(Identities.server.certificatePEM), versions: versions))
        try pair.pump()
        return pair
    }

    @Test(
        "a certificate from a trust anchor is told from one that is not, and both complete",
        arguments: [TLSVersion.tls12, .tls13])
    func serverSide(version: TLSVersion) throws {
        let trusted = try pair(
            client: Identities.client, trust: .pem(Identities.client.certificatePEM), versions: [version])
        #expect(trusted.server.recorder.completed?.peerIsTrusted == true)
        #expect(trusted.server.recorder.completed?.peerCertificate == Identities.client.chain[0])
        let stranger = try pair(
            client: Identities.client, trust: .pem(Identities.server.certificatePEM), versions: [version])
        #expect(stranger.server.recorder.completed?.peerIsTrusted == false)
        #expect(stranger.server.recorder.completed?.peerCertificate == Identities.client.chain[0])
        let unasked = try pair(client: Identities.client, trust: .none, versions: [version])
        #expect(unasked.server.recorder.completed?.peerIsTrusted == false)
        let nobody = try pair(client: nil, trust: .pem(Identities.client.certificatePEM), versions: [version])
        #expect(nobody.server.recorder.completed?.peerIsTrusted == false)
    }

    @Test("a client knows it of its server without having asked for verification")
    func clientSide() throws {
        #expect(try pair(client: nil, trust: .none).client.recorder.completed?.peerIsTrusted == true)
        let pair = try TLSPair(server: .server(identities: [Identities.server]), client: .client())
        try pair.pump()
        #expect(pair.client.recorder.completed?.peerIsTrusted == false)
    }

    @Test("the trust anchors are not sent to clients: a handshake with all of the system's is no longer")
    func anchorsAreKept() throws {
        func handshakeOctets(_ trust: TrustAnchors, _ version: TLSVersion) throws -> Int {
            let pair = try TLSPair(
                server: .server(identities: [Identities.server], trust: trust, versions: [version]),
                client: .client(versions: [version]))
            var count = 0
            for _ in 0..<4 {
                try pair.server.receive(pair.client.takeCiphertext())
                let bytes = try pair.server.takeCiphertext()
                count += bytes.count
                try pair.client.receive(bytes)
            }
            #expect(pair.server.recorder.completed != nil)
            return count
        }
        let many = try (0..<40).map { try SelfSignedCertificate.generate(names: ["\($0).example.com"]) }
        let trust = TrustAnchors.pem(many.flatMap(\.certificatePEM))
        for version in [TLSVersion.tls12, .tls13] {
            // Signatures differ in length by a few octets.
            #expect(abs(try handshakeOctets(trust, version) - handshakeOctets(.none, version)) < 32)
        }
    }

    @Test("a file of anchors that is none is named for the operator")
    func badFile() throws {
        #expect(throws: CertificateError.notFound(file: "/no/such/file.pem")) {
            try TLSContext.server(identities: [Identities.server], trust: .file("/no/such/file.pem"))
        }
    }

    @Test(
        "a certificate is for the names and addresses of its subjectAltName",
        arguments: [
            ("chat.example.com", true), ("CHAT.example.com", true), ("127.0.0.1", true), ("::1", true),
            ("example.com", false), ("x.chat.example.com", false), ("127.0.0.2", false), ("", false), ("*", false),
        ])
    func names(host: String, isFor: Bool) {
        #expect(CertificateName.matches(certificate: Identities.server.chain[0], host: host) == isFor)
    }

    @Test("a name with a NUL in it is nobody's")
    func embeddedNul() {
        #expect(
            !CertificateName.matches(
                certificate: Identities.server.chain[0], host: "chat.example.com\u{0}.evil.example.org"))
    }

    @Test("a wildcard stands for one label (RFC 6125 section 6.4.3)")
    func wildcards() throws {
        let certificate = try SelfSignedCertificate.generate(names: ["*.example.com"]).chain[0]
        #expect(CertificateName.matches(certificate: certificate, host: "relay.example.com"))
        #expect(!CertificateName.matches(certificate: certificate, host: "a.relay.example.com"))
        #expect(!CertificateName.matches(certificate: certificate, host: "example.com"))
    }

    @Test("what is no certificate is for nobody", arguments: [[], [0x30], [UInt8](repeating: 0x30, count: 300)])
    func garbage(der: [UInt8]) {
        #expect(!CertificateName.matches(certificate: der, host: "chat.example.com"))
    }
}
