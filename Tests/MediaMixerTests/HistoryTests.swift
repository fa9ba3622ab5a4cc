import Logging
import NIOCore
import Support
import Testing

@testable import MediaMixer

@Suite("What was said before", .serialized)
struct HistoryTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func fixture(
        _ rule: RoomConfiguration.History, keepsPrivate: Bool = false, store: MemoryHistory? = nil,
        configuration: MixerConfiguration = MixerConfiguration()
    ) async throws -> (MixerFixture, HistoryWriter?) {
        let writer = store.map { HistoryWriter(store: $0, delay: .milliseconds(20), logger: Self.silent) }
        let fixture = try await MixerFixture(
            configuration: configuration, services: MixerServices(history: writer),
            inRoom: {
                $0.history = rule
                $0.keepsPrivateMessages = keepsPrivate
            })
        return (fixture, writer)
    }

    @Test("a newcomer is told the last N, as they were said, after its bind's 200 and before what is said next")
    func lastMessages() async throws {
        let (fixture, _) = try await fixture(.last(3))
        let alice = try await fixture.join("alice")
        let early = try await fixture.join("early")
        var sent: [MSRPFrame] = []
        for number in 1...5 {
            #expect(try alice.say("message \(number)") == 200)
            sent.append(try early.msrp.nextMessage())
        }
        let reservation = try await fixture.reserve("bob")
        await fixture.mixer.joined(reservation.member)
        let bob = try TestParticipant("bob", reservation, room: fixture.room)
        let id = bob.msrp.newID()
        try bob.msrp.stream.send(bob.msrp.sendBytes(id: id, body: nil))
        #expect(try bob.msrp.response(to: id).status == 200)
        #expect(try alice.say("message 6") == 200)
        for number in 3...5 {
            let message = try bob.msrp.nextMessage()
            #expect(message.body == sent[number - 1].body)
            #expect(message.cpim("From") == "<sip:alice@example.com>")
            #expect(message.cpim("DateTime") == "2026-11-21T00:18:48.569999+00:00")
            // RFC 4975 section 7.1.1: it is the same message.
            #expect(message.messageID == sent[number - 1].messageID)
        }
        #expect(try bob.hears() == "message 6")
        #expect(try early.hears() == "message 6")
        try await fixture.end()
    }

    @Test("without history a newcomer is told nothing of before")
    func none() async throws {
        let (fixture, _) = try await fixture(.none)
        let alice = try await fixture.join("alice")
        #expect(try alice.say("before") == 200)
        let bob = try await fixture.join("bob")
        #expect(try alice.say("after") == 200)
        #expect(try bob.hears() == "after")
        try await fixture.end()
    }

    @Test("no gap, no double: what was said since the INVITE and what was said before are one list")
    func oneList() async throws {
        let (fixture, _) = try await fixture(.last(3))
        let alice = try await fixture.join("alice")
        for number in 1...3 { #expect(try alice.say("message \(number)") == 200) }
        let reservation = try await fixture.reserve("bob")
        await fixture.mixer.joined(reservation.member)
        for number in 4...5 { #expect(try alice.say("message \(number)") == 200) }
        let bob = try TestParticipant("bob", reservation, room: fixture.room)
        try bob.msrp.bind()
        #expect(try alice.say("message 6") == 200)
        for number in 3...6 { #expect(try bob.hears() == "message \(number)") }

        // More since the INVITE than newcomers are told: those as well.
        let late = try await fixture.reserve("carol")
        await fixture.mixer.joined(late.member)
        for number in 7...11 { #expect(try alice.say("message \(number)") == 200) }
        let carol = try TestParticipant("carol", late, room: fixture.room)
        try carol.msrp.bind()
        for number in 7...11 { #expect(try carol.hears() == "message \(number)") }
        try await fixture.end()
    }

    @Test("who comes back by a new INVITE is told what it said itself as well")
    func ownMessages() async throws {
        let (fixture, _) = try await fixture(.last(10))
        let alice = try await fixture.join("alice")
        _ = try await fixture.join("bob")
        #expect(try alice.say("mine") == 200)
        await fixture.mixer.leave(alice.member, reason: .departed)
        let again = try await fixture.join("alice")
        #expect(try again.hears() == "mine")
        try await fixture.end()
    }

    @Test("who comes back within the grace period is told nothing twice")
    func noReplayAfterALoss() async throws {
        let (fixture, _) = try await fixture(.last(10))
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("one") == 200)
        #expect(try bob.hears() == "one")
        bob.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "bob lost" }
        #expect(try alice.say("two") == 200)
        let renewed = try await fixture.mixer.renegotiate(bob.member, media: fixture.media("bob2"), newSession: true)
        let back = try TestParticipant("bob", renewed, room: fixture.room)
        #expect(try back.msrp.bind().status == 200)
        #expect(try back.hears() == "two")
        #expect(try alice.say("three") == 200)
        #expect(try back.hears() == "three")
        try await fixture.end()
    }

    @Test("each is told what it takes: accept-wrapped-types, max-size, text for those without CPIM")
    func whatTheyTake() async throws {
        let (fixture, _) = try await fixture(.last(10))
        let alice = try await fixture.join("alice")
        let image = Array(
            "From: <\(alice.uri)>\r\nTo: <\(fixture.room.uri)>\r\n\r\nContent-Type: image/png\r\n\r\nPNG".utf8)
        #expect(try alice.msrp.response(to: alice.msrp.post(image)).status == 200)
        #expect(try alice.say("short") == 200)
        #expect(try alice.say(String(repeating: "long ", count: 100)) == 200)
        #expect(try alice.say("end") == 200)
        let bob = try await fixture.join("bob") {
            $0.acceptedWrappedTypes = ["text/*"]
            $0.maximumSize = 400
        }
        #expect(try bob.hears() == "short")
        #expect(try bob.hears() == "end")
        let carol = try await fixture.join("carol") { $0.format = .plainText }
        #expect(try carol.msrp.nextMessage().bodyText == "sip:alice@example.com: short")
        try await fixture.end()
    }

    @Test("a typing notice and a message that goes in chunks are not kept")
    func notKept() async throws {
        var configuration = MixerConfiguration()
        configuration.maximumUnchunkedSize = 4000
        let (fixture, _) = try await fixture(.last(10), configuration: configuration)
        let alice = try await fixture.join("alice")
        let typing = Array(
            ("From: <\(alice.uri)>\r\nTo: <\(fixture.room.uri)>\r\n\r\nContent-Type: application/im-iscomposing+xml"
                + "\r\n\r\n<isComposing/>").utf8)
        #expect(try alice.msrp.response(to: alice.msrp.post(typing)).status == 200)
        #expect(try alice.say(String(repeating: "x", count: 5000)) == 200)
        #expect(try alice.say("kept") == 200)
        let bob = try await fixture.join("bob")
        #expect(try bob.hears() == "kept")
        try await fixture.end()
    }

    @Test(
        "private messages are kept only where the room says so, and told to their two ends only",
        arguments: [true, false])
    func privateMessages(keeps: Bool) async throws {
        let (fixture, _) = try await fixture(.last(10), keepsPrivate: keeps)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("secret", to: "sip:bob@example.com") == 200)
        #expect(try bob.hears() == "secret")
        #expect(try alice.say("open") == 200)
        for user in ["alice", "bob", "carol"] {
            let newcomer = try await fixture.join(user)
            if keeps, user != "carol" { #expect(try newcomer.hears() == "secret") }
            #expect(try newcomer.hears() == "open")
        }
        try await fixture.end()
    }

    @Test("what was kept is told after a restart, and new numbers follow the old ones")
    func restart() async throws {
        let store = MemoryHistory()
        var (fixture, writer) = try await fixture(.last(3), store: store)
        var alice = try await fixture.join("alice")
        for number in 1...4 { #expect(try alice.say("message \(number)") == 200) }
        try await fixture.end()
        await writer?.close()
        #expect(store.entries.map(\.sequence) == [1, 2, 3, 4])
        #expect(store.entries.map(\.sender) == Array(repeating: "sip:alice@example.com", count: 4))
        #expect(store.entries.map(\.contentType) == Array(repeating: "text/plain", count: 4))

        (fixture, writer) = try await self.fixture(.last(3), store: store)
        alice = try await fixture.join("alice")
        for number in 2...4 { #expect(try alice.hears() == "message \(number)") }
        #expect(try alice.say("message 5") == 200)
        let bob = try await fixture.join("bob")
        for number in 3...5 { #expect(try bob.hears() == "message \(number)") }
        await writer?.flush()
        #expect(store.entries.map(\.sequence).suffix(2) == [4, 5])
        try await fixture.end()
    }

    @Test("while the history is read, members wait for it and speak; then all is told in order, and stored")
    func loading() async throws {
        let store = MemoryHistory()
        var (fixture, writer) = try await fixture(.last(10), store: store)
        let first = try await fixture.join("alice")
        #expect(try first.say("before") == 200)
        try await fixture.end()
        await writer?.close()

        store.set(isHeld: true)
        (fixture, writer) = try await self.fixture(.last(10), store: store)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("while") == 200)
        #expect(try bob.msrp.nextIfAny(within: 0.1) == nil)
        store.set(isHeld: false)
        #expect(try bob.hears() == "before")
        #expect(try bob.hears() == "while")
        #expect(try alice.hears() == "before")
        #expect(try alice.say("after") == 200)
        #expect(try bob.hears() == "after")
        await writer?.flush()
        #expect(store.entries.map(\.sequence) == [1, 2, 3])
        try await fixture.end()
    }

    @Test("a store that can't be read, or takes too long, holds nobody up; it is read later", arguments: [true, false])
    func storeFails(fails: Bool) async throws {
        let store = MemoryHistory()
        store.set(fails: fails)
        store.set(isHeld: !fails)
        let (fixture, writer) = try await fixture(.last(10), store: store)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("hello") == 200)
        if !fails { await fixture.tick(after: .seconds(4)) }
        #expect(try bob.hears() == "hello")
        store.set(fails: false)
        store.set(isHeld: false)
        if fails {
            try await fixture.until { await fixture.stage == .failed }
            await fixture.tick(after: .seconds(60))
        }
        try await fixture.until { await fixture.stage == .stored }
        await writer?.flush()
        #expect(store.entries.map(\.messageID).count == 1)
        try await fixture.end()
    }

    @Test("an operator's purge takes out of memory what is older, for newcomers and for those who missed it")
    func purge() async throws {
        let (fixture, _) = try await fixture(.last(10))
        let alice = try await fixture.join("alice")
        #expect(try alice.say("old") == 200)
        await fixture.mixer.purge(fixture.room, before: nil)
        #expect(try alice.say("new") == 200)
        let bob = try await fixture.join("bob")
        #expect(try bob.hears() == "new")
        try await fixture.end()
    }

    @Test("a room told to keep messages from now on keeps those from now on")
    func rule() async throws {
        let store = MemoryHistory()
        let (fixture, writer) = try await fixture(.none, store: store)
        let alice = try await fixture.join("alice")
        #expect(try alice.say("unkept") == 200)
        var terms = RoomTerms(RoomConfiguration(address: fixture.room), version: 1)
        terms.configuration.history = .days(1)
        await fixture.mixer.open(terms)
        try await fixture.until { await fixture.stage == .stored }
        #expect(try alice.say("kept") == 200)
        let bob = try await fixture.join("bob")
        #expect(try bob.hears() == "kept")
        await writer?.flush()
        #expect(store.entries.count == 1)
        try await fixture.end()
    }

    @Test("a room closed and made again finds what was said, also what was not stored yet")
    func madeAgain() async throws {
        let store = MemoryHistory()
        let (fixture, _) = try await fixture(.last(10), store: store)
        let alice = try await fixture.join("alice")
        try await fixture.until { await fixture.stage == .stored }
        for number in 1...3 { #expect(try alice.say("message \(number)") == 200) }
        await fixture.mixer.close(fixture.room, version: 0)
        var terms = RoomTerms(RoomConfiguration(address: fixture.room))
        terms.configuration.history = .last(2)
        await fixture.mixer.open(terms)
        let bob = try await fixture.join("bob")
        for number in 2...3 { #expect(try bob.hears() == "message \(number)") }
        try await fixture.end()
    }

    @Test("a long history goes out as fast as it is taken, and in order with what is said meanwhile")
    func long() async throws {
        let (fixture, _) = try await fixture(.last(5000))
        let alice = try await fixture.join("alice")
        for number in 1...2500 { try alice.msrp.post(alice.cpim("message \(number)")) }
        try await fixture.until { await fixture.mixer.counters().messagesAccepted == 2500 }
        let bob = try await fixture.join("bob")
        for number in 2501...2600 { try alice.msrp.post(alice.cpim("message \(number)")) }
        for number in 1...2600 {
            let text = try bob.hears()
            guard text == "message \(number)" else {
                Issue.record("\(text) instead of message \(number)")
                break
            }
        }
        try await fixture.end()
    }
}

extension MixerFixture {
    enum Stage { case unstored, loading, failed, stored }

    /// How far the lobby's history is.
    var stage: Stage? {
        get async {
            await mixer.perform(room: room) { [room] mixer in
                switch mixer.room(room)?.history.stage {
                case .unstored: .unstored
                case .loading: .loading
                case .failed: .failed
                case .stored: .stored
                case nil: nil
                }
            }
        }
    }
}
