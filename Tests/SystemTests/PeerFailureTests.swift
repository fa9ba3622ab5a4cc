import Support
import Testing

extension SystemTests {
    /// What was seen to go wrong with other mixers, and has no test elsewhere in this folder: calls by strangers are in
    /// `SecurityAccessTests` and `RosterSubscriptionTests`, REFER with BYE in `WorkflowRemovingTests`, sizes in
    /// `SessionTests`, the cost of many joins and the memory of many rounds in `RosterScaleTests` and `ChurnTests`.
    @Suite("What fails elsewhere")
    struct PeerFailureTests {
        @Test("a message in two chunks reaches everybody and ends no session", arguments: [false, true])
        func twoChunks(tls: Bool) throws {
            let confd = try ConfdProcess()
            let room = "sip:halves@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd, tls: tls)
            let bob = try Participant("bob", in: room, of: confd)
            let carol = try Participant("carol", in: room, of: confd, tls: tls)
            let body = RawMSRPClient.cpim(from: alice.sip.addressOfRecord, to: room, "one half and the other")
            let half = body.count - 10
            let first = alice.msrp.newID()
            try alice.msrp.stream.send(
                alice.msrp.sendBytes(
                    id: first, messageID: "halves", byteRange: "1-\(half)/\(body.count)", body: Array(body[..<half]),
                    flag: "+"))
            #expect(try alice.msrp.response(to: first).status == 200)
            let second = alice.msrp.newID()
            try alice.msrp.stream.send(
                alice.msrp.sendBytes(
                    id: second, messageID: "halves", byteRange: "\(half + 1)-\(body.count)/\(body.count)",
                    body: Array(body[half...])))
            #expect(try alice.msrp.response(to: second).status == 200)
            for other in [bob, carol] { #expect(try other.msrp.nextWhole().body == body) }
            #expect(try alice.say("still here") == 200)
            for other in [bob, carol] { #expect(try other.hears() == "still here") }
            #expect(try bob.say("we too") == 200)
            for other in [alice, carol] { #expect(try other.hears() == "we too") }
        }

        @Test("a private message arrives where a report says so, or its sender is told (RFC 7701 section 6.2)")
        func privateMessages() throws {
            let confd = try ConfdProcess()
            let room = "sip:aside@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd) { offer, _ in offer.chatroom = "private-messages" }
            // Its a=chatroom has no private-messages.
            let carol = try Participant("carol", in: room, of: confd)
            let body = RawMSRPClient.cpim(from: alice.sip.addressOfRecord, to: bob.sip.addressOfRecord, "psst")
            let id = try alice.msrp.post(body, extra: "Success-Report: yes\r\n")
            #expect(try alice.msrp.response(to: id).status == 200)
            let report = try alice.msrp.next()
            #expect(report.word == "REPORT")
            #expect(report.messageID == "m\(id)")
            #expect(report["Status"]?.hasPrefix("000 200") == true)
            #expect(try bob.msrp.nextMessage().body == body)
            for (receiver, status) in [(carol.sip.addressOfRecord, 428), ("sip:nobody@127.0.0.1", 404)] {
                let refused = try alice.msrp.post(
                    RawMSRPClient.cpim(from: alice.sip.addressOfRecord, to: receiver, "psst"))
                #expect(try alice.msrp.response(to: refused).status == status)
            }
            #expect(try alice.say("to all") == 200)
            for other in [bob, carol] { #expect(try other.hears() == "to all") }
        }

        @Test("typing notices reach the room (RFC 3994)")
        func typing() throws {
            let confd = try ConfdProcess()
            let room = "sip:typing@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            let carol = try Participant("carol", in: room, of: confd, tls: true)
            // Notices wait for nobody: everybody is there when this was heard.
            #expect(try alice.say("hello") == 200)
            for other in [bob, carol] { #expect(try other.hears() == "hello") }
            let text =
                "From: <\(alice.sip.addressOfRecord)>\r\nTo: <\(room)>\r\n\r\n"
                + "Content-Type: application/im-iscomposing+xml\r\n\r\n"
                + "<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"><state>active</state></isComposing>"
            let notice = Array(text.utf8)
            // As the client of interop.md asks: no answer of any kind.
            try alice.msrp.post(notice, extra: "Success-Report: no\r\nFailure-Report: no\r\n")
            for other in [bob, carol] { #expect(try other.msrp.nextMessage().body == notice) }
            #expect(try alice.say("typed") == 200)
            for other in [bob, carol] { #expect(try other.hears() == "typed") }
        }

        @Test("OTR queries are neither passed on nor kept")
        func offTheRecord() throws {
            let confd = try ConfdProcess(["Conference": ["history": "last 20"]])
            let room = "sip:otr@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            #expect(try alice.say("?OTRv3?\nalice has requested an Off-the-Record conversation") == 200)
            #expect(try alice.say("in the clear") == 200)
            #expect(try bob.hears() == "in the clear")
            let late = try Participant("late", in: room, of: confd)
            #expect(try late.hears() == "in the clear")
            let history = try confd.run("room", "history", "otr@127.0.0.1").output
            #expect(history.contains("in the clear"))
            #expect(!history.contains("?OTR"))
        }

        @Test(
            "two To header fields, or a forged From: 403, no success report, nobody hears it (RFC 7701 6.1, 6.3)",
            arguments: [
                "From: <sip:alice@127.0.0.1>\r\nTo: <sip:rules@127.0.0.1>\r\nTo: <sip:bob@127.0.0.1>\r\n",
                "From: <sip:alice@127.0.0.1>\r\nTo: <sip:rules@127.0.0.1>\r\nTo: <sip:rules@127.0.0.1>\r\n",
                "From: <sip:alice@127.0.0.1>\r\nTo: <sip:bob@127.0.0.1>\r\nTo: <sip:carol@127.0.0.1>\r\n",
                "From: <sip:bob@127.0.0.1>\r\nTo: <sip:rules@127.0.0.1>\r\n",
                "From: <sip:nobody@127.0.0.1>\r\nTo: <sip:rules@127.0.0.1>\r\n",
            ])
        func refusedHeads(_ head: String) throws {
            let confd = try ConfdProcess()
            let room = "sip:rules@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd) { offer, _ in offer.chatroom = "private-messages" }
            let carol = try Participant("carol", in: room, of: confd) { offer, _ in
                offer.chatroom = "private-messages"
            }
            let text = head + "\r\nContent-Type: text/plain\r\n\r\nnot to be heard"
            let refused = try alice.msrp.post(Array(text.utf8), extra: "Success-Report: yes\r\n")
            #expect(try alice.msrp.response(to: refused).status == 403)
            // What comes next is of the next message: nothing came of the first.
            let id = try alice.post("as it should be", extra: "Success-Report: yes\r\n")
            #expect(try alice.msrp.response(to: id).status == 200)
            #expect(try alice.msrp.next().messageID == "m\(id)")
            for other in [bob, carol] { #expect(try other.hears() == "as it should be") }
        }

        @Test("CPIM Subject arrives untouched, and later from the history as well")
        func subject() throws {
            let confd = try ConfdProcess(["Conference": ["history": "last 20"]])
            let room = "sip:subject@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            let body = RawMSRPClient.cpim(
                from: alice.sip.addressOfRecord, to: room, "fine",
                headers: "Subject: the weather\r\nSubject:;lang=fr le temps\r\n")
            let id = try alice.msrp.post(body)
            #expect(try alice.msrp.response(to: id).status == 200)
            #expect(try bob.msrp.nextMessage().body == body)
            let late = try Participant("late", in: room, of: confd)
            #expect(try late.msrp.nextMessage().body == body)
        }

        @Test(
            "conf-uris are escaped rightly (RFC 4575 section 5.3.1, RFC 3261 section 25.1)",
            .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"),
            arguments: ["sip:room2@127.0.0.1", "sip:caf%C3%A9%20one@127.0.0.1", "sip:a&b=c@127.0.0.1"])
        func conferenceURIs(_ room: String) throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let description = try #require(sees.view.description)
            let uris = description.child("conf-uris")?.all("entry").compactMap { $0.value("uri") }
            #expect(uris == [room])
        }
    }
}
