import NIOCore
import NIOGnuTLS
import Testing

@Suite("Verification of the server")
struct VerificationTests {
    private func pair(_ verification: PeerVerification, trust: TrustAnchors = .none) throws -> TLSPair {
        let server = try TLSContext.server(identities: [Identities.server])
        let pair = try TLSPair(server: server, client: .client(trust: trust), verification: verification)
        try pair.pump()
        return pair
    }

    @Test("a certificate that a fingerprint describes is taken (RFC 8122 section 5)")
    func fingerprint() throws {
        let pair = try pair(.fingerprints([Identities.client.fingerprint(), Identities.server.fingerprint()]))
        #expect(pair.client.recorder.completed != nil)
    }

    @Test("one that none describes never completes a handshake (RFC 8122 section 5.1)")
    func wrongFingerprint() throws {
        let pair = try pair(.fingerprints([Identities.client.fingerprint()]))
        #expect(pair.client.recorder.completed == nil)
        #expect(pair.client.recorder.errors == [.peerNotVerified(.fingerprintMismatch)])
        #expect(pair.server.recorder.completed == nil)
        #expect(pair.server.recorder.isInactive)
    }

    @Test(
        "a chain to a trusted authority for the right name or address is taken",
        arguments: ["chat.example.com", "127.0.0.1", "::1"])
    func authority(name: String) throws {
        let pair = try pair(.authority(name: name), trust: .pem(Identities.server.certificatePEM))
        #expect(pair.client.recorder.completed != nil)
    }

    @Test("the wrong name is refused")
    func wrongName() throws {
        let pair = try pair(.authority(name: "mail.example.com"), trust: .pem(Identities.server.certificatePEM))
        #expect(pair.client.recorder.errors == [.peerNotVerified(.wrongName)])
        #expect(pair.client.recorder.isInactive)
    }

    @Test("an unknown authority is refused")
    func unknownAuthority() throws {
        let pair = try pair(.authority(name: "chat.example.com"))
        guard case .peerNotVerified(.notTrusted) = pair.client.recorder.errors.first else {
            Issue.record("expected notTrusted, got \(pair.client.recorder.errors)")
            return
        }
        #expect(pair.client.recorder.isInactive)
    }
}
