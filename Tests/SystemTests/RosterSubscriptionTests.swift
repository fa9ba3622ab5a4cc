import Support
import Testing

extension SystemTests {
    @Suite("Subscriptions to a room", .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct RosterSubscriptionTests {
        private let room = "sip:roster@127.0.0.1"

        @Test(
            "the default is an hour (RFC 4575 section 3.4); a refresh gets the whole state at once (RFC 6665 section 4.2.1.2)",
            arguments: SIPTransportName.allCases)
        func refresh(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd, over: transport)
            let subscription = RawSubscription(alice.sip, to: room)
            #expect(try subscription.subscribe(expires: nil).status == 200)
            #expect(subscription.response["Expires"] == "3600")
            #expect(subscription.response["Contact"] != nil)
            #expect(try subscription.notification().roster?.state == "full")
            #expect(try subscription.subscribe(expires: 600).status == 200)
            #expect(subscription.response["Expires"] == "600")
            let again = try subscription.notification()
            #expect(again.roster?.state == "full")
            #expect((590...600).contains(try #require(again.expires)))
        }

        @Test("Expires 0 at first: one full NOTIFY, terminated;reason=timeout (RFC 6665 section 4.4.3)")
        func fetch() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let subscription = RawSubscription(alice.sip, to: room)
            #expect(try subscription.subscribe(expires: 0).status == 200)
            #expect(subscription.response["Expires"] == "0")
            let only = try subscription.notification()
            #expect(only.state == "terminated")
            #expect(only.reason == "timeout")
            #expect(only.roster?.state == "full")
            _ = try Participant("bob", in: room, of: confd)
            #expect(try subscription.notificationIfAny(within: 0.5) == nil)
        }

        @Test("Expires 0 later ends it (RFC 6665 section 4.1.2.3), and a refresh afterwards finds nothing: 481")
        func unsubscribe() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let subscription = try alice.watch()
            #expect(try subscription.subscribe(expires: 0).status == 200)
            let end = try subscription.notification()
            #expect(end.state == "terminated")
            #expect(end.reason == "timeout")
            #expect(try subscription.subscribe().status == 481)
        }

        @Test("a subscription that is not refreshed ends (RFC 6665 section 4.2.2)")
        func expiry() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let subscription = RawSubscription(alice.sip, to: room)
            var asked = 2
            // Too short is refused with what would be long enough (RFC 6665 section 4.2.1.1).
            if try subscription.subscribe(expires: asked).status == 423 {
                asked = try #require(subscription.response["Min-Expires"].flatMap { Int($0) })
                try #require(asked <= 60)
                let again = RawSubscription(alice.sip, to: room)
                #expect(try again.subscribe(expires: asked).status == 200)
                guard SystemTests.long else { return }
                #expect(try again.untilTerminated(within: Double(asked) + 10).reason == "timeout")
            } else {
                #expect(subscription.status == 200)
                #expect(try subscription.untilTerminated(within: 20).reason == "timeout")
            }
        }

        @Test("other events get 489 with Allow-Events (RFC 6665 section 4.2.1.1), other types 406, no room 404")
        func refusals() throws {
            let confd = try ConfdProcess(
                Workflow.options(["Conference": ["adhoc_rooms": "No"], "Room roster@127.0.0.1": [:]]))
            let alice = try Participant("alice", in: room, of: confd)
            let presence = RawSubscription(alice.sip, to: room, event: "presence")
            #expect(try presence.subscribe().status == 489)
            #expect(presence.response.all("Allow-Events").joined(separator: ",").contains("conference"))
            let text = RawSubscription(alice.sip, to: room)
            #expect(try text.subscribe(accept: "text/plain").status == 406)
            let nothing = RawSubscription(alice.sip, to: "sip:nothing@127.0.0.1")
            #expect(try nothing.subscribe().status == 404)
            let elsewhere = RawSubscription(alice.sip, to: "sip:roster@elsewhere.example")
            #expect(try elsewhere.subscribe().status == 404)
            let without = try alice.sip.ask("SUBSCRIBE", room)
            #expect([400, 489].contains(without.status))
            // A client that accepts anything, or does not say, gets ours.
            let any = RawSubscription(alice.sip, to: room)
            #expect(try any.subscribe(accept: nil).status == 200)
        }

        @Test("two subscriptions in one dialog are told apart by id (RFC 6665 section 8.2.1)")
        func identifiers() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let first = RawSubscription(alice.sip, to: room, within: alice.call, event: "conference;id=1")
            let second = RawSubscription(alice.sip, to: room, within: alice.call, event: "conference;id=2")
            #expect(try first.subscribe().status == 200)
            #expect(try first.notification().message["Event"] == "conference;id=1")
            #expect(try second.subscribe().status == 200)
            #expect(try second.notification().message["Event"] == "conference;id=2")
            #expect(try first.subscribe(expires: 0).status == 200)
            try first.untilTerminated()
            _ = try Participant("bob", in: room, of: confd)
            try second.until(present: "alice", "bob")
        }

        @Test("changes are gathered: the first at once, then one NOTIFY an interval (RFC 4575 section 3.9)")
        func gathered() throws {
            let confd = try ConfdProcess(["Conference": ["notify_interval": "3 s"]])
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            // The room's own beginning is told by now.
            while try sees.notificationIfAny(within: 3.5) != nil {}
            _ = try Participant("bob", in: room, of: confd)
            try sees.until("bob at once", within: 2) { $0.user("bob") != nil }
            let others = try (0..<5).map { try Participant("user\($0)", in: room, of: confd) }
            let next = try sees.notification(within: 6)
            #expect(next.roster?.state == "partial")
            for index in 0..<5 { #expect(next.roster?.user("user\(index)") != nil) }
            #expect(next.roster?.user("alice") == nil)
            for other in others { try other.leave() }
            let end = try sees.notification(within: 6)
            #expect(end.roster != nil)
            try sees.until(present: "alice", "bob")
        }

        @Test("versions follow one another in each subscription (RFC 4575 section 5.2)")
        func versions() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd, over: .tcp)
            let (first, second) = (try alice.watch(), try bob.watch())
            for index in 0..<5 {
                let guest = try Participant("guest\(index)", in: room, of: confd)
                try first.until(present: "alice", "bob", "guest\(index)")
                try guest.leave()
                try first.until(present: "alice", "bob")
            }
            #expect(first.view.counts["partial", default: 0] >= 5)
            // Bob answers only now: what he missed meanwhile, a full document makes up for.
            while try second.notificationIfAny(within: 0.7) != nil {}
            #expect(second.view.present == ["alice", "bob"])
            #expect(second.view.users.count == 2)
        }

        @Test("full_state = Yes: every NOTIFY has the whole room")
        func fullState() throws {
            let confd = try ConfdProcess(Workflow.options(["Conference": ["full_state": "Yes"]]))
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let bob = try Participant("bob", in: room, of: confd)
            try sees.until(present: "alice", "bob")
            try bob.leave()
            try sees.until(present: "alice")
            #expect(sees.view.counts["partial"] == nil)
            #expect(sees.view.counts["full", default: 0] >= 3)
        }

        @Test(
            "the next NOTIFY waits for the answer to the last, and then tells the newest state (RFC 6665 section 4.2.2)"
        )
        func oneAtATime() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd, over: .tcp)
            let sees = try alice.watch()
            let bob = try Participant("bob", in: room, of: confd)
            let held = try sees.take()
            for index in 0..<3 {
                let guest = try Participant("guest\(index)", in: room, of: confd)
                try guest.leave()
            }
            #expect(try sees.notificationIfAny(within: 0.7) == nil)
            try alice.sip.respond(to: held)
            // What was held is missing here; a full document mends it, or consecutive versions do.
            let next = try sees.take()
            try alice.sip.respond(to: next)
            let roster = try #require(try RawNotification(next).roster)
            #expect(roster.version > (try #require(RawNotification(held).roster)).version)
            try bob.leave()
        }

        @Test("481 to a NOTIFY ends the subscription (RFC 6665 section 4.2.2)")
        func refusedNotify() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            _ = try Participant("bob", in: room, of: confd)
            try alice.sip.respond(to: try sees.take(), "481 Subscription does not exist")
            _ = try Participant("carol", in: room, of: confd)
            #expect(try sees.notificationIfAny(within: 0.7) == nil)
            #expect(try sees.subscribe().status == 481)
            #expect(try alice.say("the call is another thing") == 200)
        }

        @Test(
            "who is behind a NAT gets NOTIFYs where the SUBSCRIBE came from", arguments: [SIPTransportName.udp, .tcp])
        func behindNAT(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd, over: transport) {
                $1.contactHost = "10.254.254.254"
            }
            let sees = try alice.watch()
            _ = try Participant("bob", in: room, of: confd)
            try sees.until(present: "alice", "bob")
        }

        @Test(
            "large documents: TCP where the subscriber takes it, else by UDP or less of it (RFC 3261 section 18.1.1)",
            arguments: [true, false])
        func largeOnUDP(_ listens: Bool) throws {
            let confd = try ConfdProcess(Workflow.options(["Log": ["level": "info"]]))
            let alice = try Participant("alice", in: room, of: confd)
            if listens { try alice.sip.listen() }
            let crowd = RosterCrowd(room, of: confd)
            for index in 0..<20 { try crowd.join("user\(index)") }
            let sees = RawSubscription(alice.sip, to: room)
            #expect(try sees.subscribe().status == 200)
            let first = try sees.notification()
            #expect((first.roster?.octets.count ?? 0) > 1300)
            #expect(first.roster?.userCount == 21)
            #expect(alice.sip.acceptedConnections == (listens ? 1 : 0))
            try crowd.leave()
        }

        @Test("a document that no datagram holds: user-count and the subscriber alone, and a line in the log")
        func tooLargeForUDP() throws {
            let confd = try ConfdProcess(["Conference": ["notify_interval": "1 s"]])
            let alice = try Participant("alice", in: room, of: confd)
            let crowd = RosterCrowd(room, of: confd)
            let name = String(repeating: "x", count: 40)
            for index in 0..<150 {
                try crowd.join("\(name)\(index)")
                try crowd.serve(for: 0)
            }
            let sees = RawSubscription(alice.sip, to: room)
            #expect(try sees.subscribe().status == 200)
            let first = try sees.notification()
            #expect(first.roster?.userCount == 151)
            #expect(first.roster?.users?.count == 1)
            #expect(first.roster?.user("alice") != nil)
            #expect((first.roster?.octets.count ?? 0) < 5000)
            #expect(confd.log.lowercased().contains("too large"))
            // Whoever subscribes over TCP sees all.
            let bob = try Participant("bob", in: room, of: confd, over: .tcp)
            try bob.watch().until("all") { $0.userCount == 152 }
            try crowd.leave()
        }

        @Test("who may subscribe: participants, whom the document allows, all (subscribe)")
        func whoMay() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "Room members@127.0.0.1": ["subscribe": "participants"],
                    "Room open@127.0.0.1": ["subscribe": "all"], "Room ruled@127.0.0.1": ["subscribe": "policy"],
                ]))
            let stranger = try RawSIPClient(.udp, to: confd, user: "stranger")
            func status(_ room: String) throws -> Int {
                try RawSubscription(stranger, to: "sip:\(room)@127.0.0.1").subscribe().status
            }
            #expect(try status("members") == 403)
            #expect(try status("ruled") == 403)
            let open = RawSubscription(stranger, to: "sip:open@127.0.0.1")
            #expect(try open.subscribe().status == 200)
            #expect(try open.notification().roster?.userCount == 0)
            let inside = try Participant("member", in: "sip:members@127.0.0.1", of: confd)
            let sees = try inside.watch()
            try sees.until(present: "member")
            // A room made on demand has a document that allows all.
            _ = try Participant("alice", in: room, of: confd)
            let outside = try stranger.watch(room)
            #expect(outside.view.present == ["alice"])

            // An owner's document lets one in, and leaving it out again ends the subscription.
            let allowed = try confd.run("room", "policy", "ruled@127.0.0.1", "allow", "stranger@127.0.0.1")
            #expect(allowed.exit == .exited(0), "\(allowed.errors)")
            let ruled = try stranger.watch("sip:ruled@127.0.0.1")
            let blocked = try confd.run("room", "policy", "ruled@127.0.0.1", "block", "stranger@127.0.0.1")
            #expect(blocked.exit == .exited(0), "\(blocked.errors)")
            #expect(try ruled.untilTerminated().reason == "rejected")
        }

        @Test("stopping: subscribers are told deactivated, participants get BYE")
        func stopping() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let outside = try RawSIPClient(.tcp, to: confd, user: "outside").watch(room)
            let inside = try alice.sip.watch(room, within: alice.call)
            confd.process.signal(15)
            #expect(try outside.untilTerminated().reason == "deactivated")
            #expect(try inside.untilTerminated().reason == "deactivated")
            try alice.call.awaitBye()
            #expect(try confd.process.waitForExit(within: 8) == .exited(0))
        }
    }
}
