import Support
import Testing

extension SystemTests {
    @Suite("Workflow: joining", .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct WorkflowJoiningTests {
        /// The roster as it is now, by a subscription of no length.
        private func look(_ who: Participant) throws -> RosterView {
            let fetch = RawSubscription(who.sip, to: who.room)
            try fetch.subscribe(expires: 0)
            try fetch.untilTerminated()
            return fetch.view
        }

        ///     Alice                Focus                Carol
        ///       |                    |     INVITE F1      |
        ///       |                    |<-------------------|
        ///       |                    |  200 isfocus F3    |
        ///       |                    |------------------->|
        ///       |                    |      ACK F4        |
        ///       |                    |<-------------------|
        ///       |                    |       MSRP         |
        ///       |                    |<==================>|
        ///       |                    |    SUBSCRIBE F5    |
        ///       |                    |<-------------------|
        ///       |                    |   200 F6 NOTIFY F7 |
        ///       |                    |------------------->|
        ///       |      NOTIFY        |                    |
        ///       |<-------------------|                    |
        @Test("RFC 4579 section 5.1: somebody dials in and sees who is there", arguments: SIPTransportName.allCases)
        func dialIn(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:3402934234@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let aliceSees = try alice.watch()
            try aliceSees.until(present: "alice")

            // F1 to F4: the 200 tells that this is a focus, and what it can.
            let carol = try RawSIPClient(transport, to: confd, user: "carol")
            carol.displayName = "Carol"
            var offer = Offer()
            offer.chatroom = ""
            let call = try carol.invite(room, offer: offer.text)
            #expect(call.status == 200)
            #expect(call.response["Contact"]?.contains(">;isfocus") == true)
            let events = call.response.all("Allow-Events").joined(separator: ",")
            #expect(events.contains("conference"))
            let allowed = call.response.all("Allow").joined(separator: ",")
            for method in ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH"] {
                #expect(allowed.contains(method))
            }
            let accepted = call.response.all("Accept").joined(separator: ",")
            #expect(accepted.contains("application/conference-info+xml") || accepted.contains("application/sdp"))
            for tag in ["replaces", "join"] {
                #expect(call.response.all("Supported").joined(separator: ",").contains(tag))
            }

            // The media are there when Carol has opened her MSRP session.
            let inside = try Participant(carol, call, offer)

            // F5, F6: SUBSCRIBE to the URI in Contact, in a dialog of its own.
            let carolSees = RawSubscription(carol, to: room)
            #expect(try carolSees.subscribe().status == 200)
            #expect(carolSees.response["Expires"] == "3600")

            // F7, F8: the whole room.
            let notify = try carolSees.notification()
            #expect(notify.state == "active")
            #expect((3590...3600).contains(try #require(notify.expires)))
            #expect(notify.message["Contact"]?.contains("isfocus") == true)
            #expect(notify.message["Event"] == "conference")
            let roster = try #require(notify.roster)
            #expect(roster.state == "full")
            #expect(roster.entity == room)
            try carolSees.until(present: "alice", "carol")
            let user = try #require(carolSees.view.user("carol"))
            #expect(user.entity == "sip:carol@127.0.0.1")
            #expect(user.displayText == "Carol")
            let endpoint = try #require(user.endpoints.first)
            #expect(endpoint.status == "connected")
            #expect(endpoint.joiningMethod == "dialed-in")
            #expect(endpoint.joiningInfo?.value("when")?.hasSuffix("Z") == true)
            try carolSees.until("carol", "with media") { $0.messageStatus == "sendrecv" }
            #expect(carolSees.view.userCount == 2)

            // Alice is told, and they hear each other.
            try aliceSees.until(present: "alice", "carol")
            #expect(try inside.say("hello") == 200)
            #expect(try alice.hears() == "hello")
            try inside.leave()
            try aliceSees.until(present: "alice")
        }

        @Test("RFC 4575 section 5.7.3: pending until ACK, inactive until MSRP is there, on hold, gone")
        func statuses() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:statuses@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            var offer = Offer()
            offer.chatroom = ""
            let call = try bob.invite(room, offer: offer.text)
            #expect(call.status == 200)
            // Shown to whoever asks, and no reason to tell everybody.
            #expect(try look(alice).user("bob")?.statuses == ["pending"])
            try call.ack()
            let joined = try sees.until("bob", "connected") { $0.status == "connected" }
            #expect(["inactive", nil].contains(joined.messageStatus))
            let msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path)
            #expect(try msrp.bind().status == 200)
            try sees.until("bob", "with media") { $0.messageStatus == "sendrecv" }

            // RFC 3264 section 8.4: hold.
            var hold = offer
            hold.version = 2
            hold.direction = "inactive"
            #expect(try call.reinvite(hold.text).status == 200)
            try sees.until("bob", "on hold") { $0.status == "on-hold" }
            hold.version = 3
            hold.direction = "sendrecv"
            #expect(try call.reinvite(hold.text).status == 200)
            try sees.until("bob", "connected again") { $0.status == "connected" }

            // The connection is lost, and the participant not yet.
            msrp.stream.reset()
            try sees.until("bob", "without media") { $0.messageStatus == "inactive" }

            try call.bye()
            let left = try sees.until("bob", "departed") { $0.status == "disconnected" }
            #expect(left.disconnectionMethod == "departed")
            try sees.until(present: "alice")
        }

        @Test("a call that is never acknowledged is taken out of the roster, and the caller is told")
        func noAcknowledgement() throws {
            let confd = try ConfdProcess(Workflow.options(["SIP": ["ack_timeout": "1 s"]]))
            let room = "sip:silent@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            #expect(try bob.invite(room, offer: Offer().text).status == 200)
            #expect(try look(alice).user("bob")?.statuses == ["pending"])
            let deadline = Deadline.after(seconds: 10)
            while try look(alice).user("bob") != nil, !deadline.passed { _ = try bob.nextIfAny(within: 0.2) }
            #expect(try look(alice).user("bob") == nil)
            #expect(sees.view.user("bob") == nil)
            try alice.leave()
        }

        @Test(
            "SUBSCRIBE and NOTIFY within the INVITE's dialog (RFC 6665 section 4.5.2)",
            arguments: SIPTransportName.allCases)
        func withinTheCall(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:within@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd, over: transport)
            let sees = try alice.sip.watch(room, within: alice.call)
            let bob = try Participant("bob", in: room, of: confd)
            try sees.until(present: "alice", "bob")
            // The subscription's end is not the call's, nor the other way round.
            #expect(try sees.subscribe(expires: 0).status == 200)
            #expect(try sees.untilTerminated().reason == "timeout")
            #expect(try alice.say("still here") == 200)
            #expect(try bob.hears() == "still here")
            let again = try alice.sip.watch(room, within: alice.call)
            #expect(again.view.present == ["alice", "bob"])
            try alice.leave()
        }

        ///     Alice                Focus                 Bob
        ///       |        REFER, Refer-To: Conf-ID         |
        ///       |---------------------------------------->|
        ///       |                    |    INVITE Conf-ID  |
        ///       |      NOTIFY        |<------------------>|
        ///       |<-------------------|                    |
        @Test("RFC 4579 section 5.6: a participant refers somebody to the room, who dials in and says by whom")
        func referredByParticipant() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:referred@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let bob = try Participant(
                "bob", in: room, of: confd, extra: "Referred-By: <sip:alice@127.0.0.1>\r\n")
            try sees.until(present: "alice", "bob")
            #expect(sees.view.user("bob")?.endpoints.first?.joiningMethod == "dialed-in")
            #expect(try bob.say("you called?") == 200)
            #expect(try alice.hears() == "you called?")
        }

        @Test(
            "a session that is not refreshed ends, and the others see it (RFC 4028 section 10)",
            .enabled(if: SystemTests.long, "the shortest interval is 90 seconds: only with CONFD_LONG"))
        func sessionTimer() throws {
            let confd = try ConfdProcess(Workflow.options(["SIP": ["session_expires": "90 s"]]))
            let room = "sip:timer@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd, over: .tcp)
            let sees = try alice.watch()
            let bob = try Participant(
                "bob", in: room, of: confd,
                extra: "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\nMin-SE: 90\r\n")
            try sees.until(present: "alice", "bob")
            try bob.call.awaitBye(within: 110)
            try sees.until(present: "alice", within: 30)
        }

        @Test("RFC 4579 section 5.13: OPTIONS tells that a URI is a room's")
        func options() throws {
            let confd = try ConfdProcess(["Room lobby@127.0.0.1": ["title": "The lobby"]])
            let sip = try RawSIPClient(.udp, to: confd, user: "alice")
            let response = try sip.ask("OPTIONS", "sip:lobby@127.0.0.1")
            #expect(response.status == 200)
            #expect(response["Contact"]?.contains("isfocus") == true)
            #expect(response.all("Allow-Events").joined(separator: ",").contains("conference"))
            #expect(response.all("Allow-Events").joined(separator: ",").contains("refer"))
            for method in ["REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH"] {
                #expect(response.all("Allow").joined(separator: ",").contains(method))
            }
            for type in ["application/sdp", "message/sipfrag"] {
                #expect(response.all("Accept").joined(separator: ",").contains(type))
            }
            for tag in ["replaces", "join", "norefersub", "multiple-refer", "recipient-list-invite"] {
                #expect(response.all("Supported").joined(separator: ",").contains(tag))
            }
        }

        @Test("the room tells about itself (RFC 4575 sections 5.3 to 5.5)")
        func description() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "Room lobby@127.0.0.1": [
                        "title": "The lobby & <more>", "subject": "Today: \"everything\"",
                        "maximum_participants": "50", "locked": "No",
                    ]
                ]))
            let room = "sip:lobby@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            try sees.until(present: "alice")
            let description = try #require(sees.view.description)
            #expect(description.value("display-text") == "The lobby & <more>")
            #expect(description.value("subject") == "Today: \"everything\"")
            #expect(description.value("maximum-user-count") == "50")
            let uris = description.child("conf-uris")?.all("entry").compactMap { $0.value("uri") } ?? []
            #expect(uris.contains { $0.hasPrefix("sip:lobby@127.0.0.1") })
            let media = description.child("available-media")?.all("entry").compactMap { $0.value("type") } ?? []
            #expect(media == ["message"])
            #expect(sees.view.isActive == true)
            #expect(sees.view.isLocked == false)
            #expect(sees.view.userCount == 1)
        }

        @Test("a nickname stands in the roster (RFC 7701 section 7.4), and awkward names do not break it")
        func nicknames() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:names@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd) { $1.displayName = "A<l>&'i\\\"ce \u{1F600}" }
            let sees = try alice.watch()
            #expect(sees.view.user("alice")?.displayText?.hasPrefix("A<l>&'i") == true)
            let bob = try Participant("bob", in: room, of: confd)
            let id = bob.msrp.newID()
            try bob.msrp.stream.send(
                "MSRP \(id) NICKNAME\r\nTo-Path: \(bob.msrp.remotePath)\r\nFrom-Path: \(bob.msrp.localPath)\r\n"
                    + "Use-Nickname: \"Dopey & Donkey\"\r\n-------\(id)$\r\n")
            #expect(try bob.msrp.response(to: id).status == 200)
            try sees.until("the nickname") { $1.user("bob")?.nickname == "Dopey & Donkey" }
        }

        @Test("one user with two devices is one user with two endpoints; one leaves, the other stays")
        func twoDevices() throws {
            let confd = try ConfdProcess(Workflow.options)
            let room = "sip:devices@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let desk = try Participant("bob", in: room, of: confd)
            let phone = try Participant("bob", in: room, of: confd, over: .tcp)
            try sees.until("both devices") { $1.user("bob")?.statuses == ["connected", "connected"] }
            #expect(Set(sees.view.user("bob")?.endpoints.map(\.entity) ?? []).count == 2)
            #expect(sees.view.userCount == 2)
            try desk.leave()
            try sees.until("one device") { view in
                view.user("bob")?.statuses.filter { $0 == "connected" }.count == 1
            }
            try phone.leave()
            try sees.until(present: "alice")
        }
    }
}
