import MSRPTransport
import MediaMixer
import NIOCore
import Support
import Testing

@Suite("What a lost participant missed", .serialized)
struct MissedMessagesTests {
    private func back(_ user: String, _ lost: TestParticipant, in fixture: MixerFixture) async throws -> TestParticipant
    {
        let renewed = try await fixture.mixer.renegotiate(
            lost.member, media: fixture.media("\(user)\(UInt16.random(in: 0...9999))"), newSession: true)
        let participant = try TestParticipant(user, renewed, room: fixture.room)
        #expect(try participant.msrp.bind().status == 200)
        return participant
    }

    private func lose(_ participant: TestParticipant, in fixture: MixerFixture) async throws {
        participant.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "\(participant.user) lost" }
    }

    @Test(
        "RFC 4975 5.4: copies without an answer are sent again, once, in order, with their Message-IDs; others are not")
    func unanswered() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let witness = try await fixture.join("witness")
        #expect(try alice.say("answered") == 200)
        #expect(try bob.hears() == "answered")
        #expect(try witness.hears() == "answered")
        // The answer is there before the next message.
        try bob.msrp.bind()
        bob.msrp.answersRequests = false
        var ids: [String] = []
        for number in 1...5 {
            #expect(try alice.say("message \(number)") == 200)
            ids.append(try witness.msrp.nextMessage().messageID)
        }
        // Some are read and not answered, the others lie in the socket.
        #expect(try bob.hears() == "message 1")
        #expect(try bob.hears() == "message 2")
        try await lose(bob, in: fixture)
        for number in 6...8 {
            #expect(try alice.say("message \(number)") == 200)
            ids.append(try witness.msrp.nextMessage().messageID)
        }
        let again = try await back("bob", bob, in: fixture)
        #expect(try alice.say("message 9") == 200)
        ids.append(try witness.msrp.nextMessage().messageID)
        for number in 1...9 {
            let message = try again.msrp.nextMessage()
            #expect(message.cpimText == "message \(number)")
            #expect(message.messageID == ids[number - 1])
        }
        #expect(try again.msrp.nextIfAny(within: 0.05) == nil)
        #expect(await fixture.mixer.counters().messagesDropped == 0)
        try await fixture.end()
    }

    @Test("answers out of turn count: only what has none is sent again")
    func outOfTurn() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        bob.msrp.answersRequests = false
        for number in 1...4 { #expect(try alice.say("message \(number)") == 200) }
        var frames: [MSRPFrame] = []
        for _ in 1...4 { frames.append(try bob.msrp.nextMessage()) }
        for index in [3, 1] { try bob.msrp.respond(to: frames[index]) }
        try bob.msrp.bind()
        try await lose(bob, in: fixture)
        let again = try await back("bob", bob, in: fixture)
        for number in [1, 3] { #expect(try again.hears() == "message \(number)") }
        #expect(try again.msrp.nextIfAny(within: 0.05) == nil)
        try await fixture.end()
    }

    @Test("lost again before it had all: what is missing then comes, and nothing twice")
    func lostTwice() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        var bob = try await fixture.join("bob")
        try await lose(bob, in: fixture)
        for number in 1...3 { #expect(try alice.say("message \(number)") == 200) }
        bob = try await back("bob", bob, in: fixture)
        #expect(try bob.hears() == "message 1")
        try bob.msrp.bind()
        bob.msrp.answersRequests = false
        #expect(try alice.say("message 4") == 200)
        try await lose(bob, in: fixture)
        #expect(try alice.say("message 5") == 200)
        bob = try await back("bob", bob, in: fixture)
        // Whether those that came with the first were answered before the bind depends on how they were read.
        var heard = try bob.hears()
        while heard == "message 2" || heard == "message 3" { heard = try bob.hears() }
        #expect(heard == "message 4")
        #expect(try bob.hears() == "message 5")
        #expect(try bob.msrp.nextIfAny(within: 0.05) == nil)
        try await fixture.end()
    }

    @Test(
        "a session that did not answer for 30 seconds, or said 481, gets what it has not acknowledged as well",
        arguments: [true, false])
    func refused(timesOut: Bool) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        bob.msrp.answersRequests = false
        #expect(try alice.say("one") == 200)
        let one = try bob.msrp.nextMessage()
        #expect(try alice.say("two") == 200)
        if timesOut {
            await fixture.tick(after: .seconds(31))
        } else {
            try bob.msrp.respond(to: one, "481 No such session")
        }
        try await fixture.until { fixture.events.last == "bob lost" }
        let again = try await back("bob", bob, in: fixture)
        // Both a refusal and silence are final for the message itself; what came after has no answer at all.
        let first = try again.hears()
        if first == "one" { #expect(try again.hears() == "two") } else { #expect(first == "two") }
        try await fixture.end()
    }

    @Test("what does not fit the bounds is counted, and the participant is told how much it was")
    func bounds() async throws {
        var configuration = MixerConfiguration()
        configuration.roomTailMessages = 3
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        bob.msrp.answersRequests = false
        for number in 1...4 { #expect(try alice.say("message \(number)") == 200) }
        try await lose(bob, in: fixture)
        for number in 5...10 { #expect(try alice.say("message \(number)") == 200) }
        let again = try await back("bob", bob, in: fixture)
        for number in 8...10 { #expect(try again.hears() == "message \(number)") }
        let line = try again.msrp.nextMessage()
        #expect(line.cpimText == "7 messages were lost while you were away.")
        #expect(line.cpim("confd.Event") == "history")
        #expect(
            line.cpim("From") == "\"The lobby\" <sip:lobby@example.com>"
                || line.cpim("From") == "The lobby <sip:lobby@example.com>")
        #expect(await fixture.mixer.counters().messagesDropped == 7)
        #expect(try alice.say("message 11") == 200)
        #expect(try again.hears() == "message 11")
        try await fixture.end()
    }

    @Test("private messages said meanwhile come in their place, to whom they are for")
    func privately() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        try await lose(carol, in: fixture)
        try await lose(bob, in: fixture)
        #expect(try alice.say("one") == 200)
        #expect(try alice.say("two", to: bob.uri) == 200)
        #expect(try alice.say("three") == 200)
        let bobAgain = try await back("bob", bob, in: fixture)
        for text in ["one", "two", "three"] { #expect(try bobAgain.hears() == text) }
        let carolAgain = try await back("carol", carol, in: fixture)
        for text in ["one", "three"] { #expect(try carolAgain.hears() == text) }
        try await fixture.end()
    }

    @Test("a new path while the old connection lives: what was not acknowledged comes by the new one")
    func replaced() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        bob.msrp.answersRequests = false
        #expect(try alice.say("one") == 200)
        let again = try await back("bob", bob, in: fixture)
        #expect(try again.hears() == "one")
        try await fixture.end()
    }

    // MARK: What a participant says twice

    @Test("RFC 4975 5.4: a message repeated in a later session is answered with 200 and not passed on, for ten minutes")
    func repeats() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        func send(_ text: String, id messageID: String, by participant: TestParticipant) throws -> Int {
            let id = participant.msrp.newID()
            try participant.msrp.stream.send(
                participant.msrp.sendBytes(id: id, messageID: messageID, body: participant.cpim(text)))
            return try participant.msrp.response(to: id).status
        }
        #expect(try send("one", id: "same", by: alice) == 200)
        // Another device that is there at the same time has its own ids.
        let device = try await fixture.join("alice")
        #expect(try send("two", id: "same", by: device) == 200)
        try await lose(alice, in: fixture)
        let again = try await back("alice", alice, in: fixture)
        #expect(try send("one", id: "same", by: again) == 200)
        #expect(try send("three", id: "other", by: again) == 200)
        for text in ["one", "two", "three"] { #expect(try bob.hears() == text) }

        // The grace period is over, it comes by a new INVITE.
        await fixture.mixer.leave(again.member, reason: .departed)
        let anew = try await fixture.join("alice")
        #expect(try send("three", id: "other", by: anew) == 200)
        // Nobody else's ids are meant.
        let carol = try await fixture.join("carol")
        #expect(try send("four", id: "other", by: carol) == 200)
        #expect(try bob.hears() == "four")
        #expect(await fixture.mixer.counters().messagesAccepted == 6)
        try await fixture.end()
    }
}
