import MSRPTransport
import MediaMixer
import NIOGnuTLS
import Support
import Testing

@Suite("Media over TLS (RFC 4975 section 14)", .serialized)
struct SecureMediaTests {
    private func fixture(clientIdentity: TLSIdentity? = nil) async throws -> MixerFixture {
        let server = try TLSContext.server(identities: [SelfSignedCertificate.generate(names: ["127.0.0.1"])])
        let client = try TLSContext.client(identity: clientIdentity)
        return try await MixerFixture {
            $0.serverTLS = server
            $0.clientTLS = client
        }
    }

    private func connect(
        _ user: String, to fixture: MixerFixture, announcing fingerprints: [MediaMixer.CertificateFingerprint],
        presenting identity: TLSIdentity?
    ) async throws -> (Reservation, RawMSRPClient) {
        let reservation = try await fixture.reserve(user) {
            $0.path = "msrps://127.0.0.1:9/\(user);tcp"
            $0.isTLS = true
            $0.fingerprints = fingerprints
        }
        await fixture.mixer.joined(reservation.member)
        let client = try RawMSRPClient(
            remotePath: reservation.localPath, localPath: "msrps://127.0.0.1:9/\(user);tcp",
            identity: identity.map { ($0.certificatePEM, $0.keyPEM) })
        return (reservation, client)
    }

    private func announced(_ identity: TLSIdentity, _ hash: HashFunction = .sha256)
        -> MediaMixer.CertificateFingerprint
    {
        let fingerprint = identity.fingerprint(hash)
        return .init(hash: fingerprint.hash.rawValue, digest: fingerprint.digest)
    }

    @Test("plain and TLS participants meet on one port, told by the first byte")
    func meet() async throws {
        let fixture = try await fixture()
        let plain = try await fixture.join("plain")
        let (reservation, client) = try await connect("secure", to: fixture, announcing: [], presenting: nil)
        #expect(reservation.localPath.hasPrefix("msrps://127.0.0.1:"))
        #expect(try client.bind().status == 200)
        #expect(try plain.say("hello") == 200)
        #expect(try client.nextMessage().cpimText == "hello")
        let text = String(repeating: "t", count: 300_000)
        let body = RawMSRPClient.cpim(from: "sip:secure@example.com", to: fixture.room.uri, text)
        #expect(try client.response(to: client.post(body)).status == 200)
        #expect(try plain.hears() == text)
        #expect(await fixture.transport.counters().tlsConnections == 1)
        client.stream.close()
        try await fixture.until { fixture.events.last == "secure lost" }
        try await fixture.end()
    }

    @Test("the certificate that the SDP announced is accepted", arguments: [HashFunction.sha1, .sha256])
    func expectedCertificate(_ hash: HashFunction) async throws {
        let fixture = try await fixture()
        let identity = try SelfSignedCertificate.generate(names: ["client"])
        let (_, client) = try await connect(
            "alice", to: fixture, announcing: [announced(identity, hash)], presenting: identity)
        #expect(try client.bind().status == 200)
        #expect(fixture.events == ["alice joined", "alice active"])
        try await fixture.end()
    }

    @Test("another certificate, or none, closes the connection and ends the member (section 14.4)")
    func unexpectedCertificate() async throws {
        let fixture = try await fixture()
        let identity = try SelfSignedCertificate.generate(names: ["client"])
        let other = try SelfSignedCertificate.generate(names: ["client"])
        for (user, presented) in [("mallory", other), ("nobody", nil)] {
            let (_, client) = try await connect(
                user, to: fixture, announcing: [announced(identity)], presenting: presented)
            #expect(throws: (any Error).self) { try client.bind() }
            try await fixture.until { fixture.events.last == "\(user) ended fingerprintMismatch" }
        }
        #expect(await fixture.mixer.roster(fixture.room) == [])
        try await fixture.end()
    }

    @Test("a plain connection neither binds nor ends a session whose certificate was announced (RFC 4975 section 14.4)")
    func plainInsteadOfTLS() async throws {
        let fixture = try await fixture()
        let identity = try SelfSignedCertificate.generate(names: ["client"])
        let reservation = try await fixture.reserve("alice") {
            $0.isTLS = true
            $0.fingerprints = [announced(identity)]
        }
        let plain = RawMSRPClient(
            stream: try ByteStream(to: fixture.address), remotePath: reservation.localPath,
            localPath: "msrp://127.0.0.1:9/alice;tcp")
        #expect(throws: (any Error).self) { try plain.bind() }
        await fixture.mixer.joined(reservation.member)
        #expect(fixture.events == ["alice joined"])
        try await fixture.end()
    }

    @Test("hostile TLS bytes end their connection only")
    func hostileBytes() async throws {
        let fixture = try await fixture()
        let plain = try await fixture.join("plain")
        let hostile = try ByteStream(to: fixture.address)
        // A handshake record that holds no ClientHello.
        try hostile.send([0x16, 0x03, 0x01, 0x00, 0x04, 0xff, 0x00, 0x00, 0x00])
        #expect(try hostile.closes(within: 5))
        #expect(try plain.msrp.bind().status == 200)
        try await fixture.end()
    }

    @Test("a TLS byte where no TLS is offered is garbage")
    func noTLS() async throws {
        let fixture = try await MixerFixture()
        let stream = try ByteStream(to: fixture.address)
        try stream.send([0x16, 0x03, 0x01, 0x00, 0x05])
        #expect(try stream.closes(within: 5))
        #expect(await fixture.transport.counters().garbage == 1)
        try await fixture.end()
    }
}
