import Support
import Testing

extension SystemTests {
    @Suite("Workflow: creating a room", .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct WorkflowCreatingTests {
        static let require = "Require: recipient-list-invite\r\n"

        /// Alice's INVITE with an offer and a list.
        private func create(
            _ room: String, _ alice: RawSIPClient, calling list: ResourceListText, extra: String = require
        ) throws -> (call: RawCall, offer: Offer) {
            var offer = Offer()
            offer.chatroom = ""
            let body = MultipartBody.invitation(offer.text, list)
            let call = try alice.invite(room, offer: body.text, extra: extra, type: body.type)
            return (call, offer)
        }

        ///     Alice               Focus                Bob       Carol
        ///       | INVITE SDP + list |                   |          |
        ///       |------------------>|                   |          |
        ///       |  200, ACK, MSRP   |  REFER the room   |          |
        ///       |<=================>|------------------>|          |
        ///       |                   |---------------------------->|
        ///       |                   |   202, NOTIFY 100 |          |
        ///       |                   |<------------------|          |
        ///       |                   |  INVITE the room  |          |
        ///       |      NOTIFY       |<------------------|          |
        ///       |<------------------|    NOTIFY 200     |          |
        ///       |                   |<------------------|          |
        @Test("the design's workflow: a room made with a list of people, REFERs going out (RFC 5366)")
        func withList() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:project@127.0.0.1"
            let alice = try RawSIPClient(.udp, to: confd, user: "alice")
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            let carol = try RawSIPClient(.udp, to: confd, user: "carol")

            // Alice calls the room, which her call makes, and names Bob and Carol.
            let (call, offer) = try create(room, alice, calling: ResourceListText([bob.uri, carol.uri]))
            #expect(call.status == 200)
            #expect(call.response["Contact"]?.contains("isfocus") == true)
            // Nobody is called before Alice's ACK.
            #expect(try bob.nextIfAny(within: 0.3) == nil)
            let inside = try Participant(alice, call, offer)
            let sees = try inside.watch()

            // Each is asked to call the room.
            let (bobIsAsked, carolIsAsked) = (try bob.incomingReferral(), try carol.incomingReferral())
            for asked in [bobIsAsked, carolIsAsked] {
                #expect(asked.referTarget.hasPrefix(room))
                #expect(asked.refer["Contact"]?.contains("isfocus") == true)
                try asked.respond()
                #expect(try asked.tell("100 Trying").status == 200)
            }
            try sees.until("bob", "being called") { ["dialing-out", "pending"].contains($0.status) }

            // Bob does.
            var bobsOffer = Offer()
            bobsOffer.chatroom = ""
            let bobsCall = try bob.invite(room, offer: bobsOffer.text)
            #expect(bobsCall.status == 200)
            let bobInside = try Participant(bob, bobsCall, bobsOffer)
            #expect(try bobIsAsked.tell("200 OK", final: true).status == 200)
            try sees.until(present: "alice", "bob")

            // Carol does not.
            #expect(try carolIsAsked.tell("603 Decline", final: true).status == 200)
            try sees.until("carol", "disconnected") { $0.status == "disconnected" }
            try sees.until("carol's end") { $0.user("carol") == nil }

            #expect(try bobInside.say("hello") == 200)
            #expect(try inside.hears() == "hello")

            // The last one takes the room away.
            try bobInside.leave()
            try sees.until(present: "alice")
            try inside.leave()
            let end = try sees.untilTerminated()
            #expect(["noresource", "rejected"].contains(end.reason))
        }

        @Test(
            "dial_out = invite: the list's people get INVITEs that tell who else is invited (RFC 5366 section 5, RFC 5364)"
        )
        func history() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let room = "sip:party@127.0.0.1"
            let names = ["alice", "bill", "randy", "eddy", "joe", "ted"]
            let people = try names.map { try RawSIPClient(.udp, to: confd, user: $0) }
            let (alice, bill, randy, eddy, joe, ted) = (
                people[0], people[1], people[2], people[3], people[4], people[5]
            )
            let list = ResourceListText(entries: [
                (bill.uri, "cp:copyControl=\"to\""),
                (randy.uri, "cp:copyControl=\"to\" cp:anonymize=\"true\""),
                (eddy.uri, "cp:copyControl=\"cc\" cp:anonymize=\"true\""),
                (joe.uri, "cp:copyControl=\"cc\""),
                (ted.uri, "cp:copyControl=\"bcc\""),
                // Twice, the room itself and the inviter herself are not called.
                (bill.uri, "cp:copyControl=\"cc\""),
                ("\(room):\(confd.udp.port)", ""),
                (alice.uri, ""),
            ])
            let (call, offer) = try create(room, alice, calling: list)
            #expect(call.status == 200)
            let inside = try Participant(alice, call, offer)
            for invited in [bill, randy, eddy, joe, ted] {
                let incoming = try invited.incomingCall()
                let disposition = "recipient-list-history"
                let text = try #require(
                    incoming.invite.part("application/resource-lists+xml", disposition: disposition),
                    "\(incoming.invite)")
                try DocumentSchema.resourceLists.validate([Array(text.utf8)])
                #expect(text.contains(bill.uri))
                #expect(text.contains(joe.uri))
                for hidden in [randy, eddy, ted] { #expect(!text.contains(hidden.uri)) }
                #expect(text.contains("sip:anonymous@anonymous.invalid"))
                #expect(!text.contains("bcc"))
                #expect(incoming.offer.contains("m=message"))
                _ = try Participant(answering: incoming)
            }
            #expect(try bill.nextIfAny(within: 0.5) { $0.method == "INVITE" } == nil)
            #expect(try alice.nextIfAny(within: 0.2) { $0.method == "INVITE" && !$0.isResponse } == nil)
            let sees = try inside.watch()
            try sees.until(present: "alice", "bill", "eddy", "joe", "randy", "ted")
        }

        @Test("nested lists are read, and entry-ref to another body part (RFC 4826, RFC 5366 section 4)")
        func nested() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:nested@127.0.0.1"
            let alice = try RawSIPClient(.udp, to: confd, user: "alice")
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            let carol = try RawSIPClient(.udp, to: confd, user: "carol")
            var list = ResourceListText([bob.uri])
            let dora = try RawSIPClient(.udp, to: confd, user: "dora")
            list.further =
                "<list name=\"more\"><entry uri=\"\(carol.uri)\"/></list>\r\n"
                + "<entry-ref ref=\"cid:others@example.com\"/>\r\n"
            var offer = Offer()
            offer.chatroom = ""
            var body = MultipartBody.invitation(offer.text, list)
            body.parts.append(
                (
                    "Content-Type: application/resource-lists+xml\r\nContent-ID: <others@example.com>\r\n",
                    ResourceListText([dora.uri]).text
                ))
            let call = try alice.invite(room, offer: body.text, extra: Self.require, type: body.type)
            #expect(call.status == 200)
            _ = try Participant(alice, call, offer)
            try bob.incomingReferral().respond()
            try carol.incomingReferral().respond()
            try dora.incomingReferral().respond()
        }

        @Test("joining a room that exists with a list calls them too")
        func joiningWithList() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:joined@127.0.0.1"
            let first = try Participant("first", in: room, of: confd)
            let alice = try RawSIPClient(.tcp, to: confd, user: "alice")
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            let (call, offer) = try create(room, alice, calling: ResourceListText([bob.uri]))
            #expect(call.status == 200)
            let inside = try Participant(alice, call, offer)
            try bob.incomingReferral().respond()
            #expect(try inside.say("hello") == 200)
            #expect(try first.hears() == "hello")
        }

        @Test("a list in a re-INVITE: 420 with Unsupported (RFC 5366 section 4.1)")
        func inReinvite() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: "sip:late@127.0.0.1", of: confd)
            let bystander = try Bystander()
            var offer = Offer()
            offer.version = 2
            let body = MultipartBody.invitation(offer.text, ResourceListText([bystander.uri()]))
            let response = try alice.call.ask("INVITE", extra: Self.require, body: body.text, type: body.type)
            #expect(response.status == 420)
            #expect(response["Unsupported"]?.contains("recipient-list-invite") == true)
            #expect(try bystander.hears(within: 0.7) == nil)
            #expect(try alice.say("the call lives") == 200)
        }

        @Test("too long a list is refused as a whole (max_list_entries)")
        func tooLong() throws {
            let confd = try ConfdProcess(Workflow.options(["Conference": ["max_list_entries": "3"]]))
            let alice = try RawSIPClient(.udp, to: confd, user: "alice")
            let bystanders = try (0..<4).map { _ in try Bystander() }
            let (call, _) = try create(
                "sip:long@127.0.0.1", alice, calling: ResourceListText(bystanders.map { $0.uri() }))
            #expect((400..<500).contains(call.status))
            for bystander in bystanders { #expect(try bystander.hears(within: 0.2) == nil) }
        }

        @Test("RFC 4579 section 5.3: a room made beforehand by a program beside the focus is dialled like any other")
        func madeByCommand() throws {
            let confd = try ConfdProcess(Workflow.options(["Conference": ["adhoc_rooms": "No"]]))
            let room = "sip:planned@127.0.0.1"
            let alice = try RawSIPClient(.udp, to: confd, user: "alice")
            #expect(try alice.invite(room, offer: Offer().text).status == 404)
            let added = try confd.run("room", "add", "planned@127.0.0.1", "--title", "Planned")
            #expect(added.exit == .exited(0), "\(added.errors)")
            let inside = try Participant("alice", in: room, of: confd)
            #expect(inside.call.response["Contact"]?.contains("isfocus") == true)
            #expect(try inside.watch().view.description?.value("display-text") == "Planned")
        }

        ///     Alice                        Focus
        ///       | INVITE sip:conference@...  |
        ///       |--------------------------->|
        ///       | 200 Contact: Conf-ID;isfocus
        ///       |<---------------------------|
        ///       | ACK, MSRP, SUBSCRIBE Conf-ID
        ///       |<==========================>|
        @Test(
            "RFC 4579 section 5.4: the factory makes a room of its own for each call",
            arguments: [SIPTransportName.udp, .tcp])
        func factory(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Workflow.options)
            var rooms = [String]()
            for _ in 0..<2 {
                let alice = try RawSIPClient(transport, to: confd, user: "alice")
                var offer = Offer()
                offer.chatroom = ""
                let call = try alice.invite("sip:conference@127.0.0.1", offer: offer.text)
                #expect(call.status == 200)
                #expect(call.response["Contact"]?.contains("isfocus") == true)
                let inside = try Participant(alice, call, offer)
                let contact = try #require(call.response.contactURI)
                let name = RosterView.userPart(contact)
                #expect(name != "conference")
                #expect(name.count >= 8)
                // The URI in Contact is the room's: others reach it there.
                let room = "sip:\(name)@127.0.0.1"
                rooms.append(room)
                let sees = try alice.watch(contact)
                try sees.until(present: "alice")
                let bob = try Participant("bob", in: room, of: confd)
                try sees.until(present: "alice", "bob")
                #expect(try bob.say("found it") == 200)
                #expect(try inside.hears() == "found it")
            }
            #expect(Set(rooms).count == 2)
        }

        @Test("the factory with a list: one call makes the room and has the others called (RFC 5366 section 7)")
        func factoryWithList() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try RawSIPClient(.udp, to: confd, user: "alice")
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            let (call, offer) = try create("sip:conference@127.0.0.1", alice, calling: ResourceListText([bob.uri]))
            #expect(call.status == 200)
            let inside = try Participant(alice, call, offer)
            let asked = try bob.incomingReferral()
            let name = RosterView.userPart(try #require(call.response.contactURI))
            #expect(RosterView.userPart(asked.referTarget) == name)
            try asked.respond()
            var bobsOffer = Offer()
            bobsOffer.chatroom = ""
            let bobsCall = try bob.invite(asked.referTarget, offer: bobsOffer.text)
            #expect(bobsCall.status == 200)
            let bobInside = try Participant(bob, bobsCall, bobsOffer)
            #expect(try bobInside.say("hello") == 200)
            #expect(try inside.hears() == "hello")
        }

        @Test("who may not make a room gets 403, and the factory refuses too (create)")
        func whoMayCreate() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "Conference": ["create": "listed", "listed": "alice@127.0.0.1"],
                    "Room lobby@127.0.0.1": ["title": "The lobby"],
                ]))
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            #expect(try bob.invite("sip:mine@127.0.0.1", offer: Offer().text).status == 403)
            #expect(try bob.invite("sip:conference@127.0.0.1", offer: Offer().text).status == 403)
            let alice = try Participant("alice", in: "sip:mine@127.0.0.1", of: confd)
            // What exists is open to everyone.
            _ = try Participant("bob", in: "sip:mine@127.0.0.1", of: confd)
            _ = try Participant("bob", in: "sip:lobby@127.0.0.1", of: confd)
            try alice.leave()
        }
    }
}
