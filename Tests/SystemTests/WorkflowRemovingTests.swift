import Support
import Testing

extension SystemTests {
    @Suite(
        "Workflow: removing people and ending rooms",
        .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct WorkflowRemovingTests {
        ///     Alice                Focus                Carol
        ///       | REFER BYE F1       |                    |
        ///       |------------------->|                    |
        ///       |  202 F2, NOTIFY F3 |                    |
        ///       |<-------------------|     BYE F5         |
        ///       |                    |------------------->|
        ///       |                    | NOTIFY terminated F7
        ///       |                    |------------------->|
        ///       |  NOTIFY (200) F9   |                    |
        ///       |<-------------------|                    |
        ///       |  NOTIFY F11        |                    |
        ///       |<-------------------|                    |
        @Test(
            "RFC 4579 section 5.11, the design's workflow: a REFER with BYE removes somebody",
            arguments: ["<sip:carol@127.0.0.1;method=BYE>", "<sip:carol@127.0.0.1>;method=BYE"])
        func removal(_ referTo: String) throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:3402934234@127.0.0.1"
            // Who makes the room owns it.
            let alice = try Participant("alice", in: room, of: confd)
            let carol = try Participant("carol", in: room, of: confd, over: .tcp)
            let bob = try Participant("bob", in: room, of: confd)
            let (aliceSees, bobSees, carolSees) = (try alice.watch(), try bob.watch(), try carol.watch())
            try aliceSees.until(present: "alice", "bob", "carol")
            for sees in [aliceSees, bobSees, carolSees] { try sees.settle() }

            // F1 to F4
            let referral = try alice.refer(referTo, extra: "Referred-By: <sip:alice@127.0.0.1>\r\n")
            #expect(referral.status == 202)

            // F5, F6: Carol is told why, and her MSRP session is gone at once.
            let bye = try carol.call.awaitBye()
            #expect(bye["Reason"]?.isEmpty == false)
            #expect(try carol.msrp.stream.closes(within: 5))

            // F7, F8
            let end = try carolSees.untilTerminated()
            #expect(end.reason == "rejected")

            // F9, F10
            #expect(try referral.outcome() == 200)

            // F11, F12: the others see that she did not go by herself.
            for sees in [aliceSees, bobSees] {
                let endpoint = try sees.until("carol", "disconnected") { $0.status == "disconnected" }
                #expect(endpoint.disconnectionMethod == "booted")
                #expect(endpoint.disconnectionInfo?.value("by")?.contains("alice@127.0.0.1") ?? true)
                try sees.until(present: "alice", "bob")
                try sees.until("carol's end") { $0.user("carol") == nil }
            }
            #expect(try bob.say("where is she?") == 200)
            #expect(try alice.hears() == "where is she?")
        }

        @Test("all devices of somebody go, or the one that is named")
        func devices() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:devices@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let desk = try Participant("bob", in: room, of: confd)
            let phone = try Participant("bob", in: room, of: confd, over: .tcp)
            try sees.until("two devices") { $0.user("bob")?.statuses == ["connected", "connected"] }

            let one = try alice.refer("<\(phone.sip.uri);method=BYE>")
            #expect(one.status == 202)
            try phone.call.awaitBye()
            #expect(try one.outcome() == 200)
            #expect(try desk.say("still here") == 200)
            #expect(try alice.hears() == "still here")

            let again = try Participant("bob", in: room, of: confd, over: .tcp)
            let all = try alice.refer("<sip:bob@127.0.0.1;method=BYE>")
            try desk.call.awaitBye()
            try again.call.awaitBye()
            #expect(try all.outcome() == 200)
            try sees.until(present: "alice")
        }

        @Test("somebody who is not there: 202, then 404")
        func unknown() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: "sip:unknown@127.0.0.1", of: confd)
            let referral = try alice.refer("<sip:nobody@127.0.0.1;method=BYE>")
            #expect(referral.status == 202)
            #expect(try referral.outcome() == 404)
        }

        @Test("who may not remove others gets 403, and nothing happens; everybody may remove himself")
        func notAllowed() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:allowed@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            let phone = try Participant("bob", in: room, of: confd, over: .tcp)
            #expect(try bob.refer("<sip:alice@127.0.0.1;method=BYE>").status == 403)
            #expect(try alice.sip.nextIfAny(within: 0.5) { $0.method == "BYE" } == nil)
            #expect(try alice.say("still here") == 200)
            #expect(try bob.hears() == "still here")
            // His other device.
            let own = try bob.refer("<\(phone.sip.uri);method=BYE>")
            #expect(own.status == 202)
            try phone.call.awaitBye()
            #expect(try own.outcome() == 200)
        }

        @Test(
            "RFC 5368 section 6: one REFER with a list, without a subscription: 200 and Refer-Sub: false, all are removed"
        )
        func list() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:many@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let others = try ["bill", "joe", "ted"].map { try Participant($0, in: room, of: confd) }
            try sees.until(present: "alice", "bill", "joe", "ted")
            let list = ResourceListText(["bill", "joe", "ted"].map { "sip:\($0)@127.0.0.1?method=BYE" })
            let referral = try RawReferral(
                alice.sip, room: room, referTo: "<cid:cn35t8jf02@example.com>",
                extra: "Refer-Sub: false\r\nRequire: multiple-refer, norefersub\r\n"
                    + "Content-Disposition: recipient-list\r\nContent-ID: <cn35t8jf02@example.com>\r\n",
                body: list.text)
            #expect(referral.status == 200)
            #expect(referral.response["Refer-Sub"] == "false")
            for other in others { try other.call.awaitBye() }
            try sees.until(present: "alice")
            #expect(try referral.notificationIfAny(within: 0.5) == nil)
        }

        @Test("RFC 5368: one REFER with a list calls many", arguments: ["refer", "invite"])
        func listOfInvitations(_ method: String) throws {
            let confd = try ConfdProcess(Workflow.dialling(method))
            let room = "sip:many@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let people = try ["bill", "joe"].map { try RawSIPClient(.udp, to: confd, user: $0) }
            let referral = try RawReferral(
                alice.sip, room: room, referTo: "<cid:list@example.com>",
                extra: "Refer-Sub: false\r\nRequire: multiple-refer, norefersub\r\n"
                    + "Content-Disposition: recipient-list\r\nContent-ID: <list@example.com>\r\n",
                body: ResourceListText(people.map(\.uri)).text)
            #expect(referral.status == 200)
            #expect(referral.response["Refer-Sub"] == "false")
            for person in people {
                if method == "refer" {
                    let asked = try person.incomingReferral()
                    #expect(asked.referTarget.hasPrefix(room))
                    try asked.respond()
                } else {
                    _ = try Participant(answering: try person.incomingCall())
                }
            }
        }

        @Test("a cid that names nothing is refused (RFC 5368 section 7)")
        func badLists() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: "sip:lists@127.0.0.1", of: confd)
            let bystander = try Bystander()
            let list = ResourceListText([bystander.uri()]).text
            let missing = try RawReferral(
                alice.sip, room: alice.room, referTo: "<cid:other@example.com>",
                extra: "Refer-Sub: false\r\nRequire: multiple-refer, norefersub\r\n"
                    + "Content-Disposition: recipient-list\r\nContent-ID: <list@example.com>\r\n", body: list)
            #expect(missing.status == 400)
            #expect(try bystander.hears(within: 0.5) == nil)
        }

        ///     Alice                Focus                 Bob
        ///       |        BYE F1      |                    |
        ///       |------------------->|       BYE F3       |
        ///       |       200 F2       |------------------->|
        ///       |<-------------------|                    |
        ///       | NOTIFY terminated  | NOTIFY terminated  |
        ///       |<-------------------|------------------->|
        @Test("RFC 4579 section 5.12: a room of the factory ends when its owner leaves")
        func ownerLeaves() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try RawSIPClient(.udp, to: confd, user: "alice")
            var offer = Offer()
            offer.chatroom = ""
            let call = try alice.invite("sip:conference@127.0.0.1", offer: offer.text)
            let inside = try Participant(alice, call, offer)
            let room = "sip:\(RosterView.userPart(try #require(call.response.contactURI)))@127.0.0.1"
            let aliceSees = try alice.watch(room)
            let bob = try Participant("bob", in: room, of: confd)
            let bobSees = try bob.watch()
            try inside.leave()
            try bob.call.awaitBye()
            #expect(try bob.msrp.stream.closes(within: 5))
            #expect(try bobSees.untilTerminated().reason == "noresource")
            #expect(try aliceSees.untilTerminated().reason == "noresource")
        }

        @Test("ends = last-leaves: the room outlives its owner, and is gone after the last")
        func lastLeaves() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "Conference": ["ends": "last-leaves", "create": "listed", "listed": "alice@127.0.0.1"]
                ]))
            let room = "sip:last@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            let sees = try bob.watch()
            try alice.leave()
            try sees.until(present: "bob")
            let carol = try Participant("carol", in: room, of: confd)
            try carol.leave()
            try bob.leave()
            #expect(try sees.untilTerminated().reason == "noresource")
            // Bob may not make it again.
            #expect(try bob.sip.invite(room, offer: Offer().text).status == 403)
        }

        @Test("adhoc_grace: an empty room waits for somebody to come back")
        func grace() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "Conference": ["adhoc_grace": "2 s", "create": "listed", "listed": "alice@127.0.0.1"]
                ]))
            let room = "sip:grace@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            try alice.leave()
            let bob = try Participant("bob", in: room, of: confd)
            try bob.leave()
            #expect(try sees.untilTerminated(within: 10).reason == "noresource")
            #expect(try bob.sip.invite(room, offer: Offer().text).status == 403)
        }

        @Test("an owner's REFER BYE on the room's own URI ends a room made on demand, and empties a static one")
        func wholeRoom() throws {
            let confd = try ConfdProcess(
                Workflow.options(["Room static@127.0.0.1": ["owners": "alice@127.0.0.1"]]))
            for (room, isStatic) in [("sip:made@127.0.0.1", false), ("sip:static@127.0.0.1", true)] {
                let alice = try Participant("alice", in: room, of: confd)
                let bob = try Participant("bob", in: room, of: confd)
                let watcher = try bob.watch()
                #expect(try bob.refer("<\(room);method=BYE>").status == 403)
                let referral = try alice.refer("<\(room);method=BYE>")
                #expect(referral.status == 202)
                try bob.call.awaitBye()
                try alice.call.awaitBye()
                #expect(try ["noresource", "rejected"].contains(watcher.untilTerminated().reason))
                if isStatic {
                    let back = try Participant("bob", in: room, of: confd)
                    try back.leave()
                }
            }
        }

        @Test("confd room close and kick do the same from the machine itself")
        func byCommand() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:command@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            let sees = try alice.watch()
            let kick = try confd.run("room", "kick", "command@127.0.0.1", "bob@127.0.0.1")
            #expect(kick.exit == .exited(0), "\(kick.errors)")
            try bob.call.awaitBye()
            #expect(try sees.until("bob", "gone") { $0.status == "disconnected" }.disconnectionMethod == "booted")
            let close = try confd.run("room", "close", "command@127.0.0.1")
            #expect(close.exit == .exited(0), "\(close.errors)")
            try alice.call.awaitBye()
            #expect(try sees.untilTerminated().reason == "noresource")
        }
    }
}
