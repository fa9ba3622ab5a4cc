import MediaMixer
import Support
import Testing

@Suite("What the mixer enforces of a room's terms", .timeLimit(.minutes(1)))
struct RoomTermsTests {
    private func change(
        _ fixture: MixerFixture, version: UInt64 = 1,
        _ body: (inout RoomConfiguration, inout RoomCondition) -> Void
    ) async {
        var terms = RoomTerms(RoomConfiguration(address: fixture.room, welcome: .nobody), version: version)
        body(&terms.configuration, &terms.condition)
        await fixture.mixer.open(terms)
    }

    private func nickname(_ participant: TestParticipant, _ value: String) throws -> Int {
        let id = participant.msrp.newID()
        try participant.msrp.stream.send(
            "MSRP \(id) NICKNAME\r\nTo-Path: \(participant.msrp.remotePath)\r\n"
                + "From-Path: \(participant.msrp.localPath)\r\nUse-Nickname: \(value)\r\n-------\(id)$\r\n")
        return try participant.msrp.response(to: id).status
    }

    @Test("who is muted gets 403, reads on, and may speak again afterwards (RFC 7701 section 6.1)")
    func mute() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        await change(fixture) { $1.muted = ["alice@example.com"] }
        #expect(try alice.say("can you hear me?") == 403)
        #expect(try bob.say("she is muted") == 200)
        #expect(try alice.hears() == "she is muted")
        await change(fixture, version: 2) { _, _ in }
        #expect(try alice.say("back") == 200)
        #expect(try bob.hears() == "back")
        try await fixture.end()
    }

    @Test("observers read only; a room for moderators to speak in")
    func observers() async throws {
        let fixture = try await MixerFixture()
        await change(fixture) { room, condition in
            room.speak = .moderators
            room.moderators = ["mona@example.com"]
            condition.roles["otto@example.com"] = .observer
        }
        let mona = try await fixture.join("mona")
        let otto = try await fixture.join("otto")
        let anna = try await fixture.join("anna")
        #expect(try otto.say("hm") == 403)
        #expect(try anna.say("hm") == 403)
        #expect(try mona.say("order, please") == 200)
        #expect(try otto.hears() == "order, please")
        #expect(try anna.hears() == "order, please")
        try await fixture.end()
    }

    @Test("private messages and nicknames where the room has none: 403 (RFC 7701 sections 6.2 and 7.1)")
    func withoutPrivateMessages() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        await change(fixture) { room, _ in
            room.allowsPrivateMessages = false
            room.allowsNicknames = false
        }
        #expect(try alice.say("psst", to: bob.uri) == 403)
        #expect(try nickname(alice, "wonder") == 403)
        #expect(try alice.say("then aloud") == 200)
        #expect(try bob.hears() == "then aloud")
        try await fixture.end()
    }

    @Test("older terms change nothing, in whatever order they arrive")
    func order() async throws {
        let fixture = try await MixerFixture()
        await change(fixture, version: 5) { _, condition in condition.title = "new" }
        await change(fixture, version: 4) { _, condition in condition.title = "old" }
        #expect(await fixture.mixer.terms(of: fixture.room)?.title == "new")
        await fixture.mixer.close(fixture.room, version: 4)
        #expect(await fixture.mixer.terms(of: fixture.room)?.title == "new")
        await fixture.mixer.close(fixture.room, version: 5)
        #expect(await fixture.mixer.terms(of: fixture.room) == nil)
        try await fixture.end()
    }

    @Test("who is removed is out at once, and the others hear it (RFC 4579 section 5.11)")
    func removal() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        await fixture.mixer.leave(bob.member, reason: .removed)
        #expect(fixture.events.last == "bob left removed")
        #expect(throws: (any Error).self) { try bob.say("wait") }
        #expect(try alice.say("he is gone") == 200)
        try await fixture.end()
    }

    @Test("a session that takes another's place has its nickname (RFC 3891)")
    func replacement() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        #expect(try nickname(alice, "wonder") == 200)
        let second = try await fixture.reserve("alice", replacing: alice.member)
        await fixture.mixer.joined(second.member)
        await fixture.mixer.leave(alice.member, reason: .replaced)
        #expect(await fixture.mixer.roster(fixture.room).map(\.nickname) == ["wonder"])
        try await fixture.end()
    }

    @Test("who hides the name is seen under the anonymous URI, whatever CPIM's From says (RFC 3323, RFC 3325)")
    func anonymous() async throws {
        let fixture = try await MixerFixture()
        let bob = try await fixture.join("bob")
        let hidden = try await fixture.join("anonymous-7", aliases: ["sip:alice@example.com"]) {
            $0.path = "msrp://127.0.0.1:9/anonymous-7;tcp"
        }
        let words = "guess who I am"
        let from = "alice <sip:alice@example.com>"
        let cpim = "From: \(from)\r\nTo: <\(fixture.room.uri)>\r\nX: 1\r\n\r\nContent-Type: text/plain\r\n\r\n\(words)"
        #expect(try hidden.msrp.response(to: hidden.msrp.post(Array(cpim.utf8))).status == 200)
        let body = String(decoding: try bob.msrp.nextMessage().body ?? [], as: UTF8.self)
        #expect(
            body == "From: <sip:anonymous-7@example.com>\r\nTo: <\(fixture.room.uri)>\r\nX: 1\r\n\r\n"
                + "Content-Type: text/plain\r\n\r\n\(words)")
        try await fixture.end()
    }
}
