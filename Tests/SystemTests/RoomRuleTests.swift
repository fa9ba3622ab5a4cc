import Support
import Testing

extension SystemTests {
    @Suite("What rooms allow", .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct RoomRuleTests {
        private func status(_ user: String, _ room: String, _ confd: ConfdProcess, extra: String = "") throws -> Int {
            let sip = try RawSIPClient(.udp, to: confd, user: user)
            let call = try sip.invite(room, offer: Offer().text, extra: extra)
            if call.status == 200 {
                try call.ack()
                try call.bye()
            }
            return call.status
        }

        @Test("who may join: everyone, domain, listed, moderators, owners, nobody")
        func join() throws {
            let people = [
                "listed": "lisa@127.0.0.1, *@friends.example", "moderators": "mod@127.0.0.1", "owners": "own@127.0.0.1",
            ]
            let groups = ["everyone", "domain", "listed", "moderators", "owners", "nobody"]
            var options = Workflow.options
            for group in groups { options["Room \(group)@127.0.0.1"] = people.merging(["join": group]) { $1 } }
            let confd = try ConfdProcess(options)
            for (group, allowed) in [
                ("everyone", ["own", "mod", "lisa", "stranger"]), ("domain", ["own", "mod", "lisa", "stranger"]),
                ("listed", ["own", "mod", "lisa"]), ("moderators", ["own", "mod"]), ("owners", ["own"]),
            ] {
                for person in ["own", "mod", "lisa", "stranger"] {
                    #expect(
                        try status(person, "sip:\(group)@127.0.0.1", confd) == (allowed.contains(person) ? 200 : 403),
                        "\(person) in \(group)")
                }
            }
            #expect(try status("stranger", "sip:nobody@127.0.0.1", confd) == 403)
            // Of another domain.
            let friend = try RawSIPClient(.udp, to: confd, user: "fred", domain: "friends.example")
            #expect(try friend.invite("sip:listed@127.0.0.1", offer: Offer().text).status == 200)
            let foreigner = try RawSIPClient(.udp, to: confd, user: "fred", domain: "elsewhere.example")
            #expect(try foreigner.invite("sip:domain@127.0.0.1", offer: Offer().text).status == 403)
            #expect(try foreigner.invite("sip:everyone@127.0.0.1", offer: Offer().text).status == 200)
        }

        @Test("a full room: 486, and room again when somebody leaves (maximum_participants)")
        func full() throws {
            let confd = try ConfdProcess(Workflow.options(["Room small@127.0.0.1": ["maximum_participants": "2"]]))
            let room = "sip:small@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            #expect(try status("carol", room, confd) == 486)
            try bob.leave()
            #expect(try status("carol", room, confd) == 200)
            try alice.leave()
        }

        @Test("locked: nobody new, and owners all the same; the roster says so")
        func locked() throws {
            let confd = try ConfdProcess(
                Workflow.options(["Room quiet@127.0.0.1": ["owners": "own@127.0.0.1"]]))
            let room = "sip:quiet@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            #expect(sees.view.isLocked == false)
            #expect(try confd.run("room", "lock", "quiet@127.0.0.1").exit == .exited(0))
            try sees.until("locked") { $0.isLocked == true }
            #expect(try status("bob", room, confd) == 403)
            #expect(try status("own", room, confd) == 200)
            #expect(try confd.run("room", "unlock", "quiet@127.0.0.1").exit == .exited(0))
            try sees.until("unlocked") { $0.isLocked == false }
            #expect(try status("bob", room, confd) == 200)
        }

        @Test("banned: out at once with a reason, and not in again until the ban is lifted")
        func banned() throws {
            let confd = try ConfdProcess(Workflow.options(["Room strict@127.0.0.1": [:]]))
            let room = "sip:strict@127.0.0.1"
            let bob = try Participant("bob", in: room, of: confd)
            let ban = try confd.run("room", "ban", "strict@127.0.0.1", "bob@127.0.0.1", "--reason", "spam")
            #expect(ban.exit == .exited(0), "\(ban.errors)")
            try bob.call.awaitBye()
            #expect(try status("bob", room, confd) == 403)
            #expect(try status("alice", room, confd) == 200)
            #expect(try confd.run("room", "unban", "strict@127.0.0.1", "bob@127.0.0.1").exit == .exited(0))
            #expect(try status("bob", room, confd) == 200)
        }

        @Test("observers read only, the muted until they are unmuted; roles stand in the roster")
        func observers() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "Room stage@127.0.0.1": [
                        "observers": "watcher@127.0.0.1", "owners": "own@127.0.0.1", "moderators": "mod@127.0.0.1",
                    ]
                ]))
            let room = "sip:stage@127.0.0.1"
            let owner = try Participant("own", in: room, of: confd)
            let watcher = try Participant("watcher", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            _ = try Participant("mod", in: room, of: confd)
            let sees = try owner.watch()
            try sees.until(present: "bob", "mod", "own", "watcher")
            #expect(sees.view.user("own")?.roles == ["owner"])
            #expect(sees.view.user("mod")?.roles == ["moderator"])
            #expect(sees.view.user("watcher")?.roles == ["observer"])
            #expect(sees.view.user("bob")?.roles == ["participant"])
            #expect(try watcher.say("may I?") == 403)
            #expect(try bob.say("hello") == 200)
            for other in [owner, watcher] { #expect(try other.hears() == "hello") }
            #expect(try confd.run("room", "mute", "stage@127.0.0.1", "bob@127.0.0.1").exit == .exited(0))
            #expect(try bob.say("hmpf") == 403)
            #expect(try confd.run("room", "unmute", "stage@127.0.0.1", "bob@127.0.0.1").exit == .exited(0))
            #expect(try bob.say("again") == 200)
            #expect(try owner.hears() == "again")
        }

        @Test("speak, private messages and nicknames as the room allows")
        func speaking() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "Room press@127.0.0.1": [
                        "speak": "moderators", "moderators": "mod@127.0.0.1", "private_messages": "No",
                        "nicknames": "No",
                    ]
                ]))
            let room = "sip:press@127.0.0.1"
            let speaker = try Participant("mod", in: room, of: confd)
            let reader = try Participant("reader", in: room, of: confd)
            // RFC 7701 section 8.2: what is not allowed is not offered.
            let chatroom = speaker.call.response.attributes("chatroom").joined(separator: " ")
            #expect(!chatroom.contains("nickname"))
            #expect(!chatroom.contains("private-messages"))
            #expect(try reader.say("a question") == 403)
            #expect(try speaker.say("no questions") == 200)
            #expect(try reader.hears() == "no questions")
            let id = try speaker.msrp.post(
                RawMSRPClient.cpim(from: speaker.sip.addressOfRecord, to: "sip:reader@127.0.0.1", "psst"))
            #expect(try speaker.msrp.response(to: id).status / 100 == 4)
            let name = speaker.msrp.newID()
            try speaker.msrp.stream.send(
                "MSRP \(name) NICKNAME\r\nTo-Path: \(speaker.msrp.remotePath)\r\nFrom-Path: \(speaker.msrp.localPath)\r\n"
                    + "Use-Nickname: \"x\"\r\n-------\(name)$\r\n")
            #expect(try speaker.msrp.response(to: name).status / 100 == 4)
        }

        @Test("who hides the name is refused where the room asks for names (anonymous = No)")
        func anonymous() throws {
            let confd = try ConfdProcess(
                Workflow.options(["Room named@127.0.0.1": ["anonymous": "No"], "Room masked@127.0.0.1": [:]]))
            // RFC 5079: 433 is the code for it; 403 says as much.
            #expect(try [403, 433].contains(status("bob", "sip:named@127.0.0.1", confd, extra: "Privacy: id\r\n")))
            #expect(try status("bob", "sip:masked@127.0.0.1", confd, extra: "Privacy: id\r\n") == 200)
        }

        @Test("static rooms outlive everything: the last participant, an owner's BYE, and kill -9")
        func staticRooms() throws {
            let options = Workflow.options([
                "Conference": ["adhoc_rooms": "No"], "Room stays@127.0.0.1": ["owners": "own@127.0.0.1"],
            ])
            let confd = try ConfdProcess(options)
            #expect(try confd.run("room", "add", "made@127.0.0.1", "--title", "Made").exit == .exited(0))
            for room in ["sip:stays@127.0.0.1", "sip:made@127.0.0.1"] {
                let owner = try Participant("own", in: room, of: confd)
                try owner.leave()
                #expect(try status("bob", room, confd) == 200)
            }
            confd.process.signal(9)
            _ = try confd.process.waitForExit(within: 5)
            let again = try ConfdProcess(options, in: confd.folder)
            for room in ["sip:stays@127.0.0.1", "sip:made@127.0.0.1"] {
                #expect(try status("bob", room, again) == 200)
            }
            let alice = try Participant("alice", in: "sip:made@127.0.0.1", of: again)
            #expect(try alice.watch().view.description?.value("display-text") == "Made")
            #expect(try again.run("room", "remove", "made@127.0.0.1").exit == .exited(0))
            #expect(try status("bob", "sip:made@127.0.0.1", again) == 404)
        }
    }
}
