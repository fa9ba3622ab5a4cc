import MSRP
import MSRPTransport
import NIOGnuTLS
import Support
import Testing

@testable import MediaMixer

/// What the peer's SDP said holds for its session.
@Suite("Negotiated terms", .timeLimit(.minutes(1)))
struct NegotiatedTermsTests {
    @Test("a message above the participant's max-size is not sent to it (RFC 4975 section 8.6)")
    func maximumSize() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob") { $0.maximumSize = 400 }
        let carol = try await fixture.join("carol")
        let long = String(repeating: "x", count: 400)
        #expect(try alice.say(long) == 200)
        #expect(try alice.say("short") == 200)
        #expect(try carol.hears() == long)
        #expect(try bob.hears() == "short")
        try await fixture.end()
    }

    @Test(
        "the certificate must be one of the SDP's fingerprints, else the session ends (RFC 4975 section 14.4)",
        arguments: [true, false])
    func fingerprint(isAnnounced: Bool) async throws {
        let server = try SelfSignedCertificate.generate(names: ["127.0.0.1"])
        let own = try SelfSignedCertificate.generate(names: ["alice.example.com"])
        let announced = isAnnounced ? own : try SelfSignedCertificate.generate(names: ["mallory.example.com"])
        let context = try TLSContext.server(identities: [server])
        let fixture = try await MixerFixture { $0.serverTLS = context }
        let reservation = try await fixture.reserve("alice") {
            $0.isTLS = true
            $0.path = "msrps://127.0.0.1:9/alice;tcp"
            $0.fingerprints = [.init(hash: "sha-256", digest: announced.fingerprint().digest)]
        }
        #expect(reservation.localPath.hasPrefix("msrps://"))
        await fixture.mixer.joined(reservation.member)
        let alice = try RawMSRPClient(
            remotePath: reservation.localPath, localPath: "msrps://127.0.0.1:9/alice;tcp",
            identity: (own.certificatePEM, own.keyPEM))
        if isAnnounced {
            #expect(try alice.bind().status == 200)
            #expect(fixture.events.last == "alice active")
        } else {
            #expect(throws: (any Error).self) { try alice.bind() }
            #expect(fixture.events.last == "alice ended fingerprintMismatch")
        }
        try await fixture.end()
    }

    @Test("a peer that announced a certificate and presents none is refused as well (RFC 4975 section 14.4)")
    func noCertificate() async throws {
        let server = try SelfSignedCertificate.generate(names: ["127.0.0.1"])
        let context = try TLSContext.server(identities: [server])
        let fixture = try await MixerFixture { $0.serverTLS = context }
        let reservation = try await fixture.reserve("alice") {
            $0.isTLS = true
            $0.fingerprints = [.init(hash: "sha-256", digest: server.fingerprint().digest)]
        }
        await fixture.mixer.joined(reservation.member)
        let alice = try RawMSRPClient(
            remotePath: reservation.localPath, localPath: "msrps://127.0.0.1:9/alice;tcp")
        #expect(throws: (any Error).self) { try alice.bind() }
        #expect(fixture.events.last == "alice ended fingerprintMismatch")
        try await fixture.end()
    }

    @Test("the same path after a loss is a new session, and only then (RFC 4975 section 5.4)")
    func samePath() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let kept = try await fixture.mixer.renegotiate(
            alice.member, media: fixture.media("alice"), newSession: true)
        #expect(kept.localPath == alice.msrp.remotePath)
        #expect(try alice.msrp.bind().status == 200)
        alice.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "alice lost" }
        let renewed = try await fixture.mixer.renegotiate(
            alice.member, media: fixture.media("alice"), newSession: true)
        #expect(renewed.localPath != alice.msrp.remotePath)
        let back = try TestParticipant("alice", renewed, room: fixture.room)
        #expect(try back.msrp.bind().status == 200)
        #expect(fixture.events.last == "alice active")
        try await fixture.end()
    }
}
