import Support
import Testing

extension SystemTests {
    @Suite("Workflow: Join and Replaces", .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct WorkflowMovingTests {
        private func header(_ name: String, _ call: RawDialog, toTag: String? = nil) -> String {
            "\(name): \(call.callID);to-tag=\(toTag ?? call.remoteTag ?? "");from-tag=\(call.localTag)\r\n"
        }

        ///     Alice UA#1            Focus           Alice UA#2         Carol
        ///        |<=================>|                  |                |
        ///        |                   | INVITE Replaces  |                |
        ///        |                   |<-----------------|                |
        ///        |        BYE        |    200, ACK      |                |
        ///        |<------------------|<---------------->|                |
        @Test("RFC 4579 section 5.9: a user moves to another device without leaving")
        func replaces() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:moving@127.0.0.1"
            let carol = try Participant("carol", in: room, of: confd)
            let sees = try carol.watch()
            let desk = try Participant("alice", in: room, of: confd)
            let deskSees = try desk.watch()
            try sees.until(present: "alice", "carol")

            let phone = try Participant(
                "alice", in: room, of: confd, over: .tcp, extra: header("Replaces", desk.call))
            let bye = try desk.call.awaitBye()
            #expect(bye.callID == desk.call.callID)
            #expect(try desk.msrp.stream.closes(within: 10))
            try sees.until("the phone alone") { view in
                view.user("alice")?.statuses.filter { $0 == "connected" }.count == 1
                    && view.user("alice")?.endpoints.contains { $0.entity.contains("transport=tcp") } == true
            }
            // Nobody saw Alice leave.
            #expect(sees.view.present == ["alice", "carol"])
            #expect(try phone.say("on the phone now") == 200)
            #expect(try carol.hears() == "on the phone now")
            #expect(try carol.say("I see") == 200)
            #expect(try phone.hears() == "I see")

            // The old device ends its subscription (F6 to F8), unless it ended already.
            if try deskSees.subscribe(expires: 0).status == 200 { try deskSees.untilTerminated() }
        }

        ///     Alice                Focus                 Bob
        ///       |<==================>|  INVITE Join: A-F  |
        ///       |                    |<-------------------|
        ///       |      NOTIFY        | 200 Contact:Conf-ID|
        ///       |<-------------------|------------------->|
        @Test("RFC 4579 section 5.8: the same user joins by a dialog of the room")
        func join() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:joining@127.0.0.1"
            let carol = try Participant("carol", in: room, of: confd)
            let desk = try Participant("alice", in: room, of: confd)
            let sees = try desk.watch()
            // The second device knows the dialog, and calls any URI of the focus.
            let phone = try Participant("alice", in: room, of: confd, extra: header("Join", desk.call))
            try sees.until("two devices") { $0.user("alice")?.statuses == ["connected", "connected"] }
            #expect(try phone.say("both of me") == 200)
            #expect(try carol.hears() == "both of me")
            #expect(try desk.hears() == "both of me")
        }

        @Test(
            "another user's dialog: 403; one that does not exist: 481 (RFC 3891 section 3, RFC 3911 section 4)",
            arguments: ["Replaces", "Join"])
        func refusals(_ name: String) throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:refused@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let mallory = try RawSIPClient(.udp, to: confd, user: "mallory")
            let stolen = try mallory.invite(room, offer: Offer().text, extra: header(name, alice.call))
            #expect(stolen.status == 403)
            let unknown = try mallory.invite(
                room, offer: Offer().text, extra: "\(name): nothing@all;to-tag=1;from-tag=2\r\n")
            #expect(unknown.status == 481)
            let wrongTag = try alice.sip.invite(room, offer: Offer().text, extra: header(name, alice.call, toTag: "x"))
            #expect(wrongTag.status == 481)
            // RFC 3911 section 4, RFC 3891 section 3: more than one, or both, is malformed.
            let both = try alice.sip.invite(
                room, offer: Offer().text, extra: header("Replaces", alice.call) + header("Join", alice.call))
            #expect(both.status == 400)
            #expect(try alice.say("still in") == 200)
            #expect(try alice.sip.nextIfAny(within: 0.3) { $0.method == "BYE" } == nil)
        }

        @Test("Replaces of a call that has ended: 603 or 481, never a join (RFC 3891 section 3)")
        func replacesEnded() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:ended@127.0.0.1"
            _ = try Participant("carol", in: room, of: confd)
            let desk = try Participant("alice", in: room, of: confd)
            let value = header("Replaces", desk.call)
            try desk.leave()
            let again = try desk.sip.invite(room, offer: Offer().text, extra: value)
            #expect([481, 603].contains(again.status))
        }
    }
}
