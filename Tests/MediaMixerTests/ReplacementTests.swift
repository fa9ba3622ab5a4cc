import MSRP
import MSRPTransport
import NIOGnuTLS
import Support
import Testing

@testable import MediaMixer

/// A session whose terms change before it is up.
@Suite("Sessions replaced on the way", .timeLimit(.minutes(1)))
struct ReplacementTests {
    @Test(
        "who connects before the answer to our offer is known gets its copies by the path in it (RFC 3264 section 5.1)")
    func boundBeforeTheAnswer() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let reservation = try await fixture.reserve("bob") { $0.path = "" }
        let bob = try TestParticipant("bob", reservation, room: fixture.room)
        #expect(try bob.msrp.bind().status == 200)
        #expect(try alice.say("not yet") == 200)
        _ = try await fixture.mixer.renegotiate(bob.member, media: fixture.media("bob"), newSession: false)
        await fixture.mixer.joined(bob.member)
        #expect(try alice.say("hello") == 200)
        for text in ["not yet", "hello"] {
            let copy = try bob.msrp.nextMessage()
            #expect(copy.cpimText == text)
            #expect(copy["To-Path"] == bob.msrp.localPath)
        }
        #expect(fixture.events.suffix(2) == ["bob joined", "bob active"])
        try await fixture.end()
    }

    @Test("a new path while our bind has no answer is connected to (RFC 4975 section 5.4)")
    func replacedWhileBinding() async throws {
        let fixture = try await MixerFixture()
        let first = try StreamListener()
        let second = try StreamListener()
        let reservation = try await fixture.reserve("bob") {
            $0.role = .weConnect(host: "127.0.0.1", port: Int(first.port))
        }
        await fixture.mixer.joined(reservation.member)
        let silent = RawMSRPClient(
            stream: try first.accept(), remotePath: reservation.localPath, localPath: "msrp://127.0.0.1:9/bob;tcp")
        silent.answersRequests = false
        _ = try silent.next()
        try await bind(bob: reservation.member, at: second, of: fixture)
        try await fixture.end()
    }

    @Test("a new path while we connect to the old one is connected to at once (RFC 4975 section 5.4)")
    func replacedWhileConnecting() async throws {
        let context = try TLSContext.client()
        let fixture = try await MixerFixture { $0.clientTLS = context }
        let silent = try StreamListener()
        let second = try StreamListener()
        let reservation = try await fixture.reserve("bob") {
            $0.path = "msrps://127.0.0.1:\(silent.port)/bob;tcp"
            $0.isTLS = true
            $0.role = .weConnect(host: "127.0.0.1", port: Int(silent.port))
        }
        await fixture.mixer.joined(reservation.member)
        // Its TLS handshake never ends.
        let stream = try silent.accept()
        let bob = try await bind(bob: reservation.member, at: second, of: fixture)
        stream.reset()
        let alice = try await fixture.join("alice")
        #expect(try alice.say("still there?") == 200)
        #expect(try bob.nextMessage().cpimText == "still there?")
        #expect(fixture.events.filter { $0.hasPrefix("bob") } == ["bob joined", "bob active"])
        try await fixture.end()
    }

    @Test("what a client sends again after a loss is heard once (RFC 4975 section 5.4)")
    func sentAgain() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        func send(_ text: String, messageID: String, by sender: TestParticipant) throws -> Int {
            let id = sender.msrp.newID()
            try sender.msrp.stream.send(
                sender.msrp.sendBytes(id: id, messageID: messageID, body: alice.cpim(text)))
            return try sender.msrp.response(to: id).status
        }
        #expect(try send("once", messageID: "first", by: alice) == 200)
        #expect(try bob.hears() == "once")
        alice.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "alice lost" }
        let renewed = try await fixture.mixer.renegotiate(
            alice.member, media: fixture.media("alice2"), newSession: true)
        let back = try TestParticipant("alice", renewed, room: fixture.room)
        #expect(try back.msrp.bind().status == 200)
        #expect(try send("once", messageID: "first", by: back) == 200)
        #expect(try send("twice", messageID: "second", by: back) == 200)
        #expect(try bob.hears() == "twice")
        try await fixture.end()
    }

    @discardableResult
    private func bind(
        bob member: MemberID, at listener: StreamListener, of fixture: MixerFixture
    ) async throws -> RawMSRPClient {
        let path = "msrp://127.0.0.1:\(listener.port)/bob2;tcp"
        let renewed = try await fixture.mixer.renegotiate(
            member,
            media: fixture.media("bob") {
                $0.path = path
                $0.role = .weConnect(host: "127.0.0.1", port: Int(listener.port))
            }, newSession: true)
        let bob = RawMSRPClient(stream: try listener.accept(), remotePath: renewed.localPath, localPath: path)
        #expect(try bob.next()["To-Path"] == path)
        try await fixture.until { fixture.events.last == "bob active" }
        return bob
    }
}
