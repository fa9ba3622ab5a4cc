import Support
import Testing

extension SystemTests {
    @Suite("What rooms say themselves")
    struct RoomLineSystemTests {
        @Test("system_messages = unsubscribed: who subscribes to the roster hears nothing of comings and goings")
        func unsubscribed() throws {
            let room = "sip:lobby@127.0.0.1"
            let confd = try ConfdProcess(
                Workflow.options(["Room lobby@127.0.0.1": ["system_messages": "unsubscribed", "title": "The lobby"]]))
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            let line = try alice.msrp.nextMessage()
            #expect(line.cpim("From") == "The lobby <\(room)>")
            #expect(line.cpim("To") == "<\(room)>")
            #expect(line.cpim("confd.Event") == "joined")
            #expect(line.cpimText == "sip:bob@127.0.0.1 joined")
            let bobSees = try bob.sip.watch(room, within: bob.dialog)
            let carol = try Participant("carol", in: room, of: confd)
            #expect(try alice.hears() == "sip:carol@127.0.0.1 joined")
            try carol.leave()
            #expect(try alice.hears() == "sip:carol@127.0.0.1 left")
            #expect(try alice.say("hello") == 200)
            #expect(try bob.hears() == "hello")
            #expect(try bobSees.subscribe(expires: 0).status == 200)
            try bobSees.untilTerminated()
            let dave = try Participant("dave", in: room, of: confd)
            #expect(try bob.hears() == "sip:dave@127.0.0.1 joined")
            for participant in [alice, bob, dave] { try participant.leave() }
        }

        @Test(
            "max_message_size of a room: a=max-size says it, and what is longer gets 413 (RFC 4975 sections 8.6, 10.5)")
        func maximumSize() throws {
            let room = "sip:lobby@127.0.0.1"
            let confd = try ConfdProcess(Workflow.options(["Room lobby@127.0.0.1": ["max_message_size": "2 kB"]]))
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            let line = alice.call.response.bodyText.split(whereSeparator: \.isNewline).first {
                $0.hasPrefix("a=max-size:")
            }
            let size = try #require(line.flatMap { Int($0.dropFirst("a=max-size:".count)) })
            #expect((2000...2048).contains(size))
            #expect(try alice.say(String(repeating: "x", count: size)) == 413)
            #expect(try alice.say("short") == 200)
            #expect(try bob.hears() == "short")
            for participant in [alice, bob] { try participant.leave() }
        }
    }
}
