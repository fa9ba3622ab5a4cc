import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("Workflow: calling people into a room", .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct WorkflowDialOutTests {
        /// Somebody who is not in the room and waits for what comes.
        private func outsider(_ name: String, of confd: ConfdProcess, _ transport: SIPTransportName = .udp) throws
            -> RawSIPClient
        {
            let client = try RawSIPClient(transport, to: confd, user: name)
            // A connection that has said nothing is not known to be Carol's.
            if transport != .udp { _ = try client.ask("OPTIONS", "sip:somebody@127.0.0.1") }
            return client
        }

        ///     Alice                Focus                Carol
        ///       | REFER to Carol F1  |                    |
        ///       |------------------->|                    |
        ///       |  202 F2, NOTIFY F3 |                    |
        ///       |<-------------------|     INVITE F5      |
        ///       |                    |------------------->|
        ///       |                    |    180 F6, 200 F7  |
        ///       |                    |<-------------------|
        ///       |                    |      ACK F8        |
        ///       |                    |------------------->|
        ///       |  NOTIFY (OK) F9    |       MSRP         |
        ///       |<-------------------|<==================>|
        ///       |                    | SUBSCRIBE, NOTIFY  |
        ///       |    NOTIFY F15      |<------------------>|
        ///       |<-------------------|                    |
        @Test(
            "RFC 4579 sections 5.2 and 5.5: a participant has the focus invite somebody",
            arguments: [SIPTransportName.udp, .tcp])
        func invitation(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let room = "sip:3402934234@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let carol = try outsider("carol", of: confd, transport)

            // F1 to F4
            let referral = try alice.refer(
                "<\(carol.uri)>", extra: "Referred-By: <sip:alice@127.0.0.1>\r\n")
            #expect(referral.status == 202)
            let trying = try referral.notification()
            #expect(trying.fragmentStatus == 100)
            #expect(trying.state == "active")

            // F5: from the room, with isfocus, with an offer; and who asked for it (RFC 3892).
            let call = try carol.incomingCall()
            #expect(SIPMessage.uri(of: call.invite["From"] ?? "") == room)
            #expect(call.invite["Contact"]?.contains(">;isfocus") == true)
            #expect(call.invite["Referred-By"]?.contains("sip:alice@127.0.0.1") == true)
            #expect(call.invite.all("Allow").joined(separator: ",").contains("REFER"))
            #expect(call.invite.all("Allow-Events").joined(separator: ",").contains("conference"))
            #expect(call.offer.contains("a=setup:actpass"))
            #expect(call.offer.contains("a=chatroom"))
            #expect(call.path.hasPrefix("msrp://"))
            try sees.until("carol", "being called") { $0.status == "dialing-out" }

            // F6
            try call.ring()
            try sees.until("carol", "ringing") { $0.status == "alerting" }

            // F7, F8, media
            let inside = try Participant(answering: call)

            // F9
            #expect(try referral.outcome() == 200)
            #expect(referral.statuses.first == 100)

            // F11 to F14: Carol subscribes to what Contact said.
            let carolSees = RawSubscription(carol, to: room)
            #expect(try carolSees.subscribe().status == 200)
            try carolSees.until(present: "alice", "carol")

            // F15
            let endpoint = try sees.until("carol", "connected") { $0.status == "connected" }
            #expect(endpoint.joiningMethod == "dialed-out")
            #expect(try inside.say("here I am") == 200)
            #expect(try alice.hears() == "here I am")
            #expect(try alice.say("welcome") == 200)
            #expect(try inside.hears() == "welcome")
            try inside.leave()
            try sees.until(present: "alice")
        }

        ///     Alice                Focus                 Bob
        ///       |   REFER to Bob     |                    |
        ///       |------------------->|  REFER to the room |
        ///       |  202, NOTIFY 100   |------------------->|
        ///       |<-------------------|  202, NOTIFY 100   |
        ///       |                    |<-------------------|
        ///       |                    |  INVITE the room   |
        ///       |                    |<------------------>|
        ///       |    NOTIFY 200      |     NOTIFY 200     |
        ///       |<-------------------|<-------------------|
        @Test(
            "the default: somebody is referred to the room and calls it",
            arguments: [
                "<%@>", "<%@;method=INVITE>", "<%@>;method=INVITE", "<%@;method=REFER?Refer-To=sip:talk%%40127.0.0.1>",
            ])
        func referral(_ form: String) throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:talk@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let bob = try outsider("bob", of: confd)
            let target = form.replacingOccurrences(of: "%@", with: bob.uri).replacingOccurrences(of: "%%", with: "%")
            let referral = try alice.refer(target, extra: "Referred-By: <sip:alice@127.0.0.1>\r\n")
            #expect(referral.status == 202)
            #expect(try referral.notification().fragmentStatus == 100)

            // RFC 4579 section 5.7, F5: from the room, to the room.
            let asked = try bob.incomingReferral()
            #expect(asked.referTarget.hasPrefix(room))
            #expect(SIPMessage.uri(of: asked.refer["From"] ?? "") == room)
            #expect(asked.refer["Contact"]?.contains("isfocus") == true)
            #expect(asked.refer["Referred-By"]?.contains("sip:alice@127.0.0.1") == true)
            try sees.until("bob", "being called") { ["dialing-out", "pending"].contains($0.status) }
            try asked.respond()
            #expect(try asked.tell("100 Trying").status == 200)
            var offer = Offer()
            offer.chatroom = ""
            let call = try bob.invite(room, offer: offer.text)
            #expect(call.status == 200)
            let inside = try Participant(bob, call, offer)
            #expect(try asked.tell("200 OK", final: true).status == 200)
            // F7: of method=REFER, what became of the REFER.
            #expect(try (target.contains("method=REFER") ? [200, 202] : [200]).contains(referral.outcome()))
            try sees.until(present: "alice", "bob")
            // Nobody stays behind as somebody who is being called.
            try sees.until("one bob") { view in
                view.users.values.filter { RosterView.userPart($0.entity) == "bob" }.flatMap(\.statuses)
                    .allSatisfy { $0 == "connected" }
            }
            #expect(try inside.say("hello") == 200)
            #expect(try alice.hears() == "hello")
        }

        @Test(
            "a client without REFER is invited instead (dial_out_fallback)",
            arguments: ["405 Method Not Allowed", "501 Not Implemented", "603 Decline"])
        func fallback(_ status: String) throws {
            let confd = try ConfdProcess(Workflow.dialling("refer", ["dial_out_fallback": "invite"]))
            let alice = try Participant("alice", in: "sip:fallback@127.0.0.1", of: confd)
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer("<\(bob.uri)>")
            #expect(referral.status == 202)
            try bob.incomingReferral().respond(status)
            let inside = try Participant(answering: try bob.incomingCall())
            #expect(try referral.outcome() == 200)
            #expect(try alice.say("hello") == 200)
            #expect(try inside.hears() == "hello")
        }

        @Test("dial_out_fallback = none tells the refusal")
        func noFallback() throws {
            let confd = try ConfdProcess(Workflow.dialling("refer", ["dial_out_fallback": "none"]))
            let alice = try Participant("alice", in: "sip:fallback@127.0.0.1", of: confd)
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer("<\(bob.uri)>")
            try bob.incomingReferral().respond("603 Decline")
            #expect(try referral.outcome() == 603)
            #expect(try bob.nextIfAny(within: 0.7) { !$0.isResponse } == nil)
        }

        @Test(
            "a refusal is told to the referrer and stands in the roster (RFC 4575 section 5.7.6)",
            arguments: [
                ("486 Busy Here", 486, "busy"), ("603 Decline", 603, "failed"),
                ("480 Temporarily Unavailable", 480, "failed"),
            ])
        func refusal(_ answer: String, _ status: Int, _ method: String) throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let alice = try Participant("alice", in: "sip:refusal@127.0.0.1", of: confd)
            let sees = try alice.watch()
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer("<\(bob.uri)>")
            try bob.incomingCall().decline(answer)
            #expect(try referral.outcome() == status)
            let endpoint = try sees.until("bob", "disconnected") { $0.status == "disconnected" }
            #expect(endpoint.disconnectionMethod == method)
            try sees.until("bob's end") { $0.user("bob") == nil }
        }

        @Test(
            "an offer refused with 488 is made once more with the other transport ([MSRP] offer)",
            arguments: ["tcp", "tls"])
        func otherTransport(_ first: String) throws {
            let confd = try ConfdProcess(Workflow.dialling("invite").merging(["MSRP": ["offer": first]]) { $1 })
            let alice = try Participant("alice", in: "sip:offers@127.0.0.1", of: confd)
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer("<\(bob.uri)>")
            let refused = try bob.incomingCall()
            #expect(refused.path.hasPrefix(first == "tls" ? "msrps:" : "msrp:"))
            try refused.decline("488 Not Acceptable Here")
            let second = try bob.incomingCall()
            #expect(second.path.hasPrefix(first == "tls" ? "msrp:" : "msrps:"))
            let inside = try Participant(answering: second)
            #expect(try referral.outcome() == 200)
            #expect(try inside.say("at last") == 200)
            #expect(try alice.hears() == "at last")

            // Twice refused is refused.
            let carol = try outsider("carol", of: confd)
            let again = try alice.refer("<\(carol.uri)>")
            try carol.incomingCall().decline("488 Not Acceptable Here")
            try carol.incomingCall().decline("488 Not Acceptable Here")
            #expect(try again.outcome() == 488)
            #expect(try carol.nextIfAny(within: 0.7) { !$0.isResponse } == nil)
        }

        @Test("somebody who answers passive is connected to (RFC 4145, interop: the client's acm model)")
        func passive() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let alice = try Participant("alice", in: "sip:passive@127.0.0.1", of: confd)
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer("<\(bob.uri)>")
            let call = try bob.incomingCall()
            let listener = try StreamListener()
            var answer = Offer()
            (answer.port, answer.setup, answer.chatroom) = (listener.port, "passive", "")
            try call.answer(answer.text)
            let msrp = RawMSRPClient(
                stream: try listener.accept(), remotePath: call.path, localPath: answer.path)
            // RFC 6135: who is active sends the first SEND.
            #expect(try msrp.next().word == "SEND")
            #expect(try referral.outcome() == 200)
            #expect(try alice.say("hello") == 200)
            #expect(try msrp.nextMessage().cpimText == "hello")
        }

        @Test("two answers to one INVITE: the first is kept, the other gets ACK and BYE (RFC 3261 section 13.2.2.4)")
        func forked() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let alice = try Participant("alice", in: "sip:forked@127.0.0.1", of: confd)
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer("<\(bob.uri)>")
            let call = try bob.incomingCall()
            var first = Offer()
            first.chatroom = ""
            try call.post(answer: first.text)
            var second = Offer()
            second.chatroom = ""
            try call.post(answer: second.text, tag: "other-branch")
            var byes = [SIPMessage]()
            var acknowledged = Set<String>()
            for _ in 0..<3 {
                let request = try bob.next(within: 10, "ACK or BYE") {
                    !$0.isResponse && ["ACK", "BYE"].contains($0.method) && $0.callID == call.callID
                }
                if request.method == "ACK" {
                    acknowledged.insert(request.toTag ?? "")
                } else {
                    try bob.respond(to: request)
                    byes.append(request)
                }
            }
            #expect(acknowledged == [call.localTag, "other-branch"])
            #expect(byes.map(\.toTag) == ["other-branch"])
            let msrp = try RawMSRPClient(remotePath: call.path, localPath: first.path)
            #expect(try msrp.bind().status == 200)
            #expect(try referral.outcome() == 200)
            #expect(try alice.say("hello") == 200)
            #expect(try msrp.nextMessage().cpimText == "hello")
        }

        @Test("RFC 4579 section 5.10: a call between two becomes a conference: Replaces goes along to Bob")
        func pointToPoint() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let alice = try Participant("alice", in: "sip:p2p@127.0.0.1", of: confd)
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer(
                "<\(bob.uri)?Replaces=a-b-call%40there%3Bto-tag%3Dtwo%3Bfrom-tag%3Done>")
            #expect(referral.status == 202)
            let call = try bob.incomingCall()
            let replaces = (call.invite["Replaces"] ?? "").split(separator: ";").map { String($0) }
            #expect(replaces.first == "a-b-call@there")
            #expect(Set(replaces.dropFirst()) == ["to-tag=two", "from-tag=one"])
            let inside = try Participant(answering: call)
            #expect(try referral.outcome() == 200)
            #expect(try inside.say("here") == 200)
            #expect(try alice.hears() == "here")
        }

        @Test("RFC 4488: Refer-Sub: false is confirmed and no NOTIFY follows")
        func withoutSubscription() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let alice = try Participant("alice", in: "sip:quiet@127.0.0.1", of: confd)
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer("<\(bob.uri)>", extra: "Refer-Sub: false\r\nSupported: norefersub\r\n")
            #expect(referral.status / 100 == 2)
            #expect(referral.response["Refer-Sub"] == "false")
            _ = try Participant(answering: try bob.incomingCall())
            #expect(try alice.sip.nextIfAny(within: 0.7) { $0.method == "NOTIFY" } == nil)
        }

        @Test(
            "within the call's dialog: the NOTIFYs come there too, and the subscription is REFER's own (RFC 3515 section 2.4.6)"
        )
        func withinTheCall() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let room = "sip:within@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let (bob, carol) = (try outsider("bob", of: confd), try outsider("carol", of: confd))
            let first = try RawReferral(alice.sip, room: room, referTo: "<\(bob.uri)>", within: alice.call)
            #expect(first.status == 202)
            let second = try RawReferral(alice.sip, room: room, referTo: "<\(carol.uri)>", within: alice.call)
            #expect(second.status == 202)
            try carol.incomingCall().decline("486 Busy Here")
            let inside = try Participant(answering: try bob.incomingCall())
            #expect(try second.outcome() == 486)
            #expect(try first.outcome() == 200)
            #expect(try inside.say("hello") == 200)
            #expect(try alice.hears() == "hello")
            try alice.leave()
        }

        @Test("a REFER's subscription is ended by its subscriber (RFC 3515 section 2.4.4), the call goes on")
        func unsubscribed() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let alice = try Participant("alice", in: "sip:unsubscribed@127.0.0.1", of: confd)
            let bob = try outsider("bob", of: confd)
            let referral = try alice.refer("<\(bob.uri)>")
            #expect(try referral.notification().fragmentStatus == 100)
            let call = try bob.incomingCall()
            let response = try referral.dialog.ask("SUBSCRIBE", extra: "Event: refer\r\nExpires: 0\r\n")
            #expect(response.status == 200)
            #expect(try referral.notification().state == "terminated")
            let inside = try Participant(answering: call)
            #expect(try referral.notificationIfAny(within: 0.5) == nil)
            #expect(try inside.say("hello") == 200)
        }

        @Test("no Refer-To, two of them, and our own room: 400, 400, and a refusal (RFC 3515 section 2.4.2)")
        func malformed() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: "sip:own@127.0.0.1", of: confd)
            #expect(try alice.refer(nil).status == 400)
            #expect(try alice.refer("<sip:a@192.0.2.1>, <sip:b@192.0.2.1>").status == 400)
            #expect(
                try alice.refer("<sip:a@192.0.2.1>", extra: "Refer-To: <sip:b@192.0.2.1>\r\n").status == 400)
            let own = try alice.refer("<sip:own@127.0.0.1:\(confd.udp.port)>")
            #expect(own.status >= 400)
            #expect(try alice.refer("<sip:other@127.0.0.1:\(confd.udp.port)>").status >= 400)
            #expect(try alice.refer("<tel:+15551234>").status >= 400)
        }
    }
}
