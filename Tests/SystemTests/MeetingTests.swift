import Support
import Testing

extension SystemTests {
    @Suite("Clients meet in a room")
    struct MeetingTests {
        @Test("two clients hear each other, and nobody hears himself", arguments: Way.all)
        func twoClients(_ way: Way) throws {
            let confd = try ConfdProcess()
            let room = "sip:two@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd, over: way.sip, tls: way.tls)
            let bob = try Participant("bob", in: room, of: confd, over: way.sip, tls: way.tls)
            for turn in 0..<5 {
                #expect(try alice.say("hello bob \(turn)") == 200)
                #expect(try bob.hears() == "hello bob \(turn)")
                #expect(try bob.say("hello alice \(turn)") == 200)
                #expect(try alice.hears() == "hello alice \(turn)")
            }
            try alice.leave()
            try bob.leave()
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("fifty clients hear each message once, in one order", arguments: Way.all)
        func fiftyClients(_ way: Way) throws {
            let confd = try ConfdProcess()
            let room = "sip:fifty@127.0.0.1"
            let members = try (0..<50).map {
                try Participant("user\($0)", in: room, of: confd, over: way.sip, tls: way.tls)
            }
            for (index, member) in members.enumerated() { try member.post("message of \(index)") }
            var reference: [String]?
            for (index, member) in members.enumerated() {
                let heard = try (0..<members.count - 1).map { _ in try member.hears() }
                #expect(Set(heard).count == members.count - 1)
                #expect(!heard.contains("message of \(index)"))
                // Each receiver lacks its own message; the order of the others is the room's.
                if let reference {
                    #expect(reference.filter { $0 != "message of \(index)" } == heard.filter { $0 != "message of 0" })
                } else {
                    reference = heard
                }
            }
            // Nothing was doubled: what comes next is what is said next.
            try members[0].post("the end")
            for member in members.dropFirst() { #expect(try member.hears() == "the end") }
            for member in members { try member.leave() }
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("clients of all ways are in the same room")
        func mixedWays() throws {
            let confd = try ConfdProcess()
            let members = try Way.all.enumerated().map { index, way in
                try Participant("user\(index)", in: "sip:mixed@127.0.0.1", of: confd, over: way.sip, tls: way.tls)
            }
            for (index, sender) in members.enumerated() {
                #expect(try sender.say("from \(index)") == 200)
                for (other, receiver) in members.enumerated() where other != index {
                    #expect(try receiver.hears() == "from \(index)")
                }
            }
            for member in members { try member.leave() }
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("rooms keep to themselves; user parts differ by case, domains do not (RFC 3261 section 19.1.4)")
        func roomsAreSeparate() throws {
            let confd = try ConfdProcess()
            let first = try Participant("a", in: "sip:Room@example.com", of: confd)
            let second = try Participant("b", in: "sip:Room@EXAMPLE.com", of: confd)
            let stranger = try Participant("c", in: "sip:room@example.com", of: confd)
            #expect(try first.say("to Room") == 200)
            #expect(try second.hears() == "to Room")
            #expect(try stranger.msrp.nextIfAny(within: 0.3) == nil)
        }

        @Test("the same user is in the room with two devices, and each hears the other")
        func twoDevices() throws {
            let confd = try ConfdProcess()
            let desk = try Participant("alice", in: "sip:devices@127.0.0.1", of: confd)
            let phone = try Participant("alice", in: "sip:devices@127.0.0.1", of: confd, over: .tcp, tls: true)
            #expect(try desk.say("from the desk") == 200)
            #expect(try phone.hears() == "from the desk")
        }

        @Test("over IPv6", arguments: Way.all)
        func ipv6(_ way: Way) throws {
            let confd = try ConfdProcess(["SIP": ["domains": "example.com"]], host: "::1")
            let alice = try Participant("alice", in: "sip:six@example.com", of: confd, over: way.sip, tls: way.tls)
            let bob = try Participant("bob", in: "sip:six@example.com", of: confd, over: way.sip, tls: way.tls)
            #expect(bob.call.path.contains("://[::1]:"))
            #expect(try alice.say("hello six") == 200)
            #expect(try bob.hears() == "hello six")
            try alice.leave()
            try bob.leave()
            #expect(try confd.terminate() == .exited(0))
        }

        /// A burst of every participant at once; each thread sends with a window while it reads.
        @Test("nothing is lost, doubled, damaged or reordered, by content")
        func everythingArrivesOnce() throws {
            let (participants, messages) = SystemTests.long ? (100, 100) : (20, 50)
            let confd = try ConfdProcess(["Log": ["level": "error"]])
            let room = "sip:content@127.0.0.1"
            let members = try (0..<participants).map { index in
                let way = Way.all[index % Way.all.count]
                return try Participant("user\(index)", in: room, of: confd, over: way.sip, tls: way.tls)
            }
            @Sendable func text(_ sender: Int, _ number: Int) -> String {
                "\(sender) \(number) " + String(repeating: "\(number % 10)", count: number % 70)
            }
            let heard = try concurrently(
                members.enumerated().map { index, member in
                    {
                        @Sendable () throws -> [String] in
                        var heard = [String]()
                        var open = [String]()
                        for number in 0..<messages {
                            open.append(try member.post(text(index, number)))
                            if open.count == 16 {
                                let status = try member.msrp.response(to: open.removeFirst(), within: 120).status
                                guard status == 200 else { throw SupportError("a SEND got \(status)") }
                            }
                        }
                        while heard.count < messages * (participants - 1) {
                            heard.append(try member.hears(within: 120))
                        }
                        return heard
                    }
                })
            let whole = (1..<participants).flatMap { sender in (0..<messages).map { text(sender, $0) } }
            #expect(heard[0].sorted() == whole.sorted())
            for (index, texts) in heard.enumerated() {
                #expect(Set(texts).count == messages * (participants - 1))
                for sender in 0..<participants where sender != index {
                    #expect(texts.filter { $0.hasPrefix("\(sender) ") } == (0..<messages).map { text(sender, $0) })
                }
                #expect(heard[0].filter { !$0.hasPrefix("\(index) ") } == texts.filter { !$0.hasPrefix("0 ") })
            }
            #expect(try confd.terminate() == .exited(0))
        }
    }
}
