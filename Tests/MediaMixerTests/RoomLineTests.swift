import MediaMixer
import NIOCore
import Support
import Testing

@Suite("What the room says itself", .serialized)
struct RoomLineTests {
    private func fixture(_ lines: RoomConfiguration.SystemLines) async throws -> MixerFixture {
        try await MixerFixture(inRoom: { $0.systemLines = lines })
    }

    private func line(_ participant: TestParticipant) throws -> String {
        let message = try participant.msrp.nextMessage()
        return "\(message.cpim("confd.Event") ?? "-"): \(message.cpimText)"
    }

    @Test("joined, from the room's URI to the room's URI, marked so that clients can tell")
    func format() async throws {
        let fixture = try await fixture(.all)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.enter("bob") { $0.displayName = "Bob B" }
        let message = try alice.msrp.nextMessage()
        let dateTime = try #require(message.cpim("DateTime"))
        #expect(
            message.bodyText
                == "From: The lobby <sip:lobby@example.com>\r\nTo: <sip:lobby@example.com>\r\nDateTime: \(dateTime)\r\n"
                + "NS: confd <urn:x-confd:room>\r\nconfd.Event: joined\r\n\r\n"
                + "Content-Type: text/plain; charset=utf-8\r\n\r\nBob B joined")
        // Not to the one who has joined.
        #expect(try alice.say("hello") == 200)
        try bob.hearsNothing(before: "hello")
        try await fixture.end()
    }

    @Test("left, and why where that is known; who hides its name is told of by the anonymous one")
    func left() async throws {
        var configuration = MixerConfiguration()
        configuration.transactionTimeout = .hours(1)
        let fixture = try await MixerFixture(configuration: configuration, inRoom: { $0.systemLines = .all })
        let alice = try await fixture.join("alice")
        for (user, reason) in [("bob", LeaveReason.departed), ("carol", .removed), ("dave", .replaced)] {
            let other = try await fixture.join(user)
            #expect(try line(alice) == "joined: sip:\(user)@example.com joined")
            await fixture.mixer.leave(other.member, reason: reason)
            switch reason {
            case .departed: #expect(try line(alice) == "left: sip:\(user)@example.com left")
            case .removed: #expect(try line(alice) == "left: sip:\(user)@example.com was removed")
            // Another dialog has taken its place: others see no change.
            default: break
            }
        }
        let hidden = try await fixture.enter("eve") {
            $0.participant = "sip:anonymous-3@anonymous.invalid"
            $0.isAnonymous = true
        }
        hidden.msrp.stream.close()
        try await fixture.until { fixture.events.last == "anonymous-3 lost" }
        await fixture.tick(after: .seconds(60))
        var lines: [String] = []
        for _ in 0..<2 { lines.append(try line(alice)) }
        #expect(
            lines == [
                "joined: sip:anonymous-3@anonymous.invalid joined", "left: sip:anonymous-3@anonymous.invalid was lost",
            ])
        try await fixture.end()
    }

    @Test("another device is nobody new, and its leaving nobody's")
    func devices() async throws {
        let fixture = try await fixture(.all)
        let alice = try await fixture.join("alice")
        let desk = try await fixture.join("bob")
        let phone = try await fixture.join("bob")
        await fixture.mixer.leave(desk.member, reason: .departed)
        #expect(try phone.say("still here") == 200)
        #expect(try line(alice) == "joined: sip:bob@example.com joined")
        #expect(try line(alice) == "-: still here")
        await fixture.mixer.leave(phone.member, reason: .removed)
        #expect(try line(alice) == "left: sip:bob@example.com was removed")
        try await fixture.end()
    }

    @Test("nickname and subject")
    func changes() async throws {
        let fixture = try await fixture(.all)
        let alice = try await fixture.join("alice")
        let texts = try await fixture.join("texts") { $0.format = .plainText }
        #expect(try line(alice) == "joined: sip:texts@example.com joined")
        #expect(try texts.nickname("Wonder").status == 200)
        #expect(try texts.nickname("wonder woman").status == 200)
        #expect(try texts.nickname("\"\"").status == 200)
        #expect(try line(alice) == "nickname: sip:texts@example.com is now Wonder")
        #expect(try line(alice) == "nickname: Wonder is now wonder woman")
        #expect(try line(alice) == "nickname: wonder woman is now sip:texts@example.com")
        try await fixture.change(1) { $0.condition.subject = "The weather" }
        try await fixture.change(2) { $0.condition.isLocked = true }
        try await fixture.change(3) { $0.condition.subject = nil }
        #expect(try line(alice) == "subject: The subject is now: The weather")
        #expect(try line(alice) == "subject: The subject was removed")
        #expect(try texts.msrp.nextMessage().bodyText == "The subject is now: The weather")
        try await fixture.end()
    }

    @Test("unsubscribed: not to those who see the roster")
    func unsubscribed() async throws {
        let fixture = try await fixture(.unsubscribed)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        await fixture.mixer.setSubscribed(bob.member, true)
        let carol = try await fixture.join("carol")
        await fixture.mixer.setSubscribed(bob.member, false)
        let dave = try await fixture.join("dave")
        #expect(try dave.say("hello") == 200)
        for user in ["bob", "carol", "dave"] { #expect(try line(alice) == "joined: sip:\(user)@example.com joined") }
        #expect(try line(bob) == "joined: sip:dave@example.com joined")
        #expect(try line(carol) == "joined: sip:dave@example.com joined")
        for participant in [alice, bob, carol] { #expect(try line(participant) == "-: hello") }
        try await fixture.end()
    }

    @Test("none: nothing; and nobody is told while the room closes")
    func none() async throws {
        let fixture = try await fixture(.none)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        await fixture.mixer.leave(bob.member, reason: .departed)
        try await fixture.change(1) { $0.configuration.systemLines = .all }
        _ = try await fixture.join("carol")
        #expect(try line(alice) == "joined: sip:carol@example.com joined")
        await fixture.mixer.close(fixture.room, version: 2)
        #expect(throws: SupportError.self) { try alice.msrp.nextMessage() }
        try await fixture.end()
    }
}
