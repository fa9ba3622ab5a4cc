import MediaMixer
import NIOCore
import Support
import Testing

@Suite("Congestion (RFC 7701 section 6.4)", .serialized)
struct RFC7701CongestionTests {
    private static let bound = 1_000_000
    private static let text = String(repeating: "x", count: 20_000)

    private func fixture(
        _ congestion: RoomConfiguration.Congestion, adjust: (inout MixerConfiguration) -> Void = { _ in }
    ) async throws -> MixerFixture {
        var configuration = MixerConfiguration()
        configuration.maximumMessageSize = 100_000
        configuration.memberQueueBytes = Self.bound
        configuration.slowMemberPatience = .milliseconds(10)
        adjust(&configuration)
        return try await MixerFixture(configuration: configuration, inRoom: { $0.congestion = congestion })
    }

    /// Alice talks, Bob listens, until so many copies for the one who takes nothing were left out.
    private func talk(
        _ fixture: MixerFixture, _ alice: TestParticipant, _ bob: TestParticipant, from first: Int = 1,
        until condition: (MixerCounters) -> Bool
    ) async throws -> Int {
        for number in first..<first + 2000 {
            #expect(try alice.say("\(number) \(Self.text)") == 200)
            #expect(try bob.hears() == "\(number) \(Self.text)")
            if condition(await fixture.mixer.counters()) { return number }
        }
        throw SupportError("nothing is ever too much")
    }

    @Test("RFC 7701 6.4: drop: a notice, then nothing until it has caught up, then how much was left out")
    func drop() async throws {
        let fixture = try await fixture(.drop)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let phone = try await fixture.join("phone")
        let last = try await talk(fixture, alice, bob) { $0.messagesLeftOut >= 30 }
        let counters = await fixture.mixer.counters()
        #expect(counters.membersCongested == 1)
        #expect(counters.queuedBytes < Self.bound)
        let leftOut = Int(counters.messagesLeftOut)
        // The phone wakes up: all that was said before it was congested, in order, and the notice behind it.
        for number in 1...last - leftOut { #expect(try phone.hears() == "\(number) \(Self.text)") }
        let notice = try phone.msrp.nextMessage()
        #expect(notice.cpim("From") == "The lobby <sip:lobby@example.com>")
        #expect(notice.cpim("To") == "<sip:lobby@example.com>")
        #expect(notice.cpim("NS") == "confd <urn:x-confd:room>")
        #expect(notice.cpim("confd.Event") == "congestion")
        #expect(notice.cpimText == "Your connection is too slow: messages are left out until you have caught up.")
        let afterwards = try phone.msrp.nextMessage()
        #expect(afterwards.cpim("confd.Event") == "congestion")
        #expect(afterwards.cpimText == "\(leftOut) messages were left out.")
        #expect(try alice.say("live again") == 200)
        #expect(try phone.hears() == "live again")
        #expect(fixture.events.filter { $0.hasPrefix("phone") } == ["phone joined", "phone active"])
        try await fixture.end()
    }

    @Test("RFC 7701 6.4: a private message to a congested participant is refused, others get theirs")
    func privately() async throws {
        let fixture = try await fixture(.drop)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let phone = try await fixture.join("carol")
        _ = try await talk(fixture, alice, bob) { $0.messagesLeftOut >= 1 }
        #expect(try alice.say("psst", to: "sip:carol@example.com") == 413)
        #expect(try alice.say("psst", to: "sip:bob@example.com") == 200)
        #expect(try bob.hears() == "psst")
        // Another device of hers is not congested: it is enough that one hears.
        let desk = try await fixture.join("carol")
        #expect(try alice.say("psst, again", to: "sip:carol@example.com") == 200)
        #expect(try desk.hears() == "psst, again")
        while try !phone.hears().hasSuffix("left out.") {}
        #expect(try alice.say("now", to: "sip:carol@example.com") == 200)
        #expect(try phone.hears() == "now")
        try await fixture.end()
    }

    @Test("RFC 7701 6.4: disconnect: told, not left out of anything, and closed when it has not caught up in time")
    func disconnect() async throws {
        let fixture = try await fixture(.disconnect(afterSeconds: 3600)) { $0.transactionTimeout = .hours(2) }
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let phone = try await fixture.join("phone")
        let last = try await talk(fixture, alice, bob) { $0.membersCongested == 1 }
        try bob.msrp.bind()
        await fixture.tick(after: .seconds(3500))
        // Bob has answered everything, and that was read; the phone owes answers only for what has left.
        #expect(fixture.events.last == "phone active")
        await fixture.tick(after: .seconds(3700))
        try await fixture.until { fixture.events.last == "phone lost" }
        let counters = await fixture.mixer.counters()
        #expect(counters.slowMembersRemoved == 1)
        #expect(counters.messagesLeftOut == 0)
        #expect(counters.queuedBytes == 0)
        #expect(try alice.say("after \(last)") == 200)
        #expect(try bob.hears() == "after \(last)")
        phone.msrp.stream.close()
        try await fixture.end()
    }

    @Test("RFC 7701 6.4: typing notices are left out first, as soon as octets don't flow")
    func ephemeral() async throws {
        let fixture = try await fixture(.drop)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let phone = try await fixture.join("phone")
        _ = try await talk(fixture, alice, bob) { $0.queuedBytes > Self.bound / 4 }
        #expect(await fixture.mixer.counters().membersCongested == 0)
        let typing =
            "From: <\(alice.uri)>\r\nTo: <\(fixture.room.uri)>\r\n\r\n"
            + "Content-Type: application/im-iscomposing+xml\r\n\r\n<isComposing/>"
        #expect(try alice.msrp.response(to: alice.msrp.post(Array(typing.utf8))).status == 200)
        #expect(try bob.msrp.nextMessage().cpimText == "<isComposing/>")
        #expect(await fixture.mixer.counters().messagesLeftOut == 1)
        #expect(try alice.say("the end") == 200)
        var heard = ""
        while heard != "the end" {
            heard = try phone.hears()
            #expect(heard != "<isComposing/>")
        }
        try await fixture.end()
    }

    @Test("RFC 7701 6.4: drop: one that moves, but holds senders up for slow_member_wait, is not waited for any more")
    func heldUp() async throws {
        let fixture = try await fixture(.drop) {
            $0.slowMemberPatience = .seconds(3600)
            $0.slowMemberWait = .milliseconds(1)
        }
        let alice = try await fixture.join("alice")
        let phone = try await fixture.join("phone")
        #expect(try alice.say("first") == 200)
        // Alice is not read from while the phone is waited for: when she has been, it is not any more.
        for number in 1...400 {
            #expect(try alice.say("\(number) \(Self.text)") == 200)
            if await fixture.mixer.counters().messagesLeftOut > 0 { break }
        }
        let counters = await fixture.mixer.counters()
        #expect(counters.sendersPaused >= 1)
        #expect(counters.membersCongested == 1)
        #expect(counters.messagesLeftOut == 1)
        #expect(counters.slowMembersRemoved == 0)
        #expect(counters.queuedBytes < Self.bound * 8 / 10)
        #expect(try phone.hears() == "first")
        try await fixture.end()
    }
}
