import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("confd chat: the roster, the subject, people in and out")
    struct ChatCommandTests {
        private static let room = "sip:meet@127.0.0.1"

        private func chat(
            _ confd: ConfdProcess, _ name: String, room: String? = nil, _ extra: [String] = [], password: String? = nil
        ) throws -> ChildProcess {
            let room = room ?? "sip:meet@\(confd.udp)"
            let identity = "sip:\(name)@\(room.contains("example.com") ? "example.com" : "127.0.0.1")"
            return try ChildProcess(
                ConfdProcess.executable, ["chat", room, "--as", identity] + extra, folder: confd.folder.path,
                name: "chat-\(name)", hasInput: true, environment: password.map { ["CONFD_PASSWORD": $0] } ?? [:])
        }

        private func notice(_ child: ChildProcess, _ text: String, within seconds: Double = 20) throws {
            _ = try child.line(startingWith: "* \(text)", onError: true, within: seconds)
        }

        private func leave(_ child: ChildProcess) throws {
            child.closeInput()
            #expect(try child.waitForExit(within: 20) == .exited(0), "\(child.standardError)")
        }

        @Test("it tells who is here, who comes and who goes (RFC 4575)", arguments: Way.all)
        func comesAndGoes(_ way: Way) throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: Self.room, of: confd, over: way.sip, tls: way.tls)
            let carol = try chat(
                confd, "carol", room: "sip:meet@\(confd.address(way.sip))",
                ["--transport", way.sip.rawValue] + (way.tls ? ["--tls"] : []))
            try notice(carol, "here: alice")
            let bob = try Participant("bob", in: Self.room, of: confd)
            try notice(carol, "bob joined")
            try carol.write("/who\n")
            try notice(carol, "3 in sip:meet@127.0.0.1")
            for name in ["alice", "bob", "carol"] { try notice(carol, "  \(name), sip:\(name)@127.0.0.1") }
            try bob.leave()
            try notice(carol, "bob left")
            #expect(try alice.say("still here") == 200)
            _ = try carol.line(startingWith: "[sip:alice@127.0.0.1] still here", within: 10)
            try leave(carol)
            #expect(!carol.standardError.contains("carol joined"))
        }

        @Test("/subject is published, and everybody sees it (RFC 3903)")
        func subject() throws {
            let confd = try ConfdProcess(Workflow.options)
            let carol = try chat(confd, "carol")
            try notice(carol, "joined")
            let alice = try Participant("alice", in: Self.room, of: confd)
            let sees = try alice.watch()
            for text in ["news & <views>", "later"] {
                try carol.write("/subject \(text)\n")
                try sees.until("the subject \(text)") { $0.description?.value("subject") == text }
                try notice(carol, "subject: \(text)")
            }
            try leave(carol)
        }

        @Test("/kick has the focus say BYE (RFC 4579 section 5.11)")
        func kick() throws {
            let confd = try ConfdProcess(Workflow.options)
            // Who makes a room owns it.
            let carol = try chat(confd, "carol")
            try notice(carol, "joined")
            let bob = try Participant("bob", in: Self.room, of: confd)
            try notice(carol, "bob joined")
            try carol.write("/kick bob\n")
            let bye = try bob.sip.next(within: 10, "BYE") { !$0.isResponse && $0.method == "BYE" }
            try bob.sip.respond(to: bye)
            try notice(carol, "removing sip:bob@127.0.0.1: 200")
            try notice(carol, "bob was removed")
            try carol.write("/kick nobody\n")
            try notice(carol, "removing sip:nobody@127.0.0.1: 404")
            try leave(carol)
        }

        @Test("/invite has the focus ask somebody in (RFC 4579 section 5.5)")
        func invite() throws {
            let confd = try ConfdProcess(Workflow.options)
            let carol = try chat(confd, "carol")
            try notice(carol, "joined")
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            try carol.write("/invite \(bob.uri)\n")
            let asked = try bob.incomingReferral()
            #expect(asked.referTarget.hasPrefix(Self.room))
            try asked.respond()
            try notice(carol, "bob is being called")
            var offer = Offer()
            offer.chatroom = ""
            let inside = try Participant(bob, bob.invite(Self.room, offer: offer.text), offer)
            #expect(try asked.tell("200 OK", final: true).status == 200)
            try notice(carol, "bob joined")
            try notice(carol, "inviting \(bob.uri): 200")
            #expect(try inside.say("hello") == 200)
            _ = try carol.line(startingWith: "[sip:bob@127.0.0.1", within: 10)
            try leave(carol)
        }

        @Test(
            "--invite and --list bring people along, into the room that a factory made (RFC 5366, RFC 4579 section 5.4)"
        )
        func list() throws {
            let confd = try ConfdProcess(Workflow.options)
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            let dave = try RawSIPClient(.udp, to: confd, user: "dave")
            let file = try confd.folder.write("# people\n\(dave.uri)\n", to: "people")
            let carol = try chat(
                confd, "carol", room: "sip:conference@\(confd.udp)", ["--invite", bob.uri, "--list", file])
            try notice(carol, "joined sip:")
            let asked = try (bob.incomingReferral(), dave.incomingReferral())
            let made = asked.0.referTarget
            #expect(!made.contains("conference@") && asked.1.referTarget == made)
            for one in [asked.0, asked.1] { try one.respond() }
            var offer = Offer()
            offer.chatroom = ""
            let inside = try Participant(bob, bob.invite(made, offer: offer.text), offer)
            #expect(try asked.0.tell("200 OK", final: true).status == 200)
            #expect(try asked.1.tell("486 Busy Here", final: true).status == 200)
            try notice(carol, "bob joined")
            try notice(carol, "dave could not be reached")
            try carol.write("hello\n")
            #expect(try inside.hears() == "hello")
            try leave(carol)
        }

        @Test("a list that is none is a mistake of the command line, and nothing is sent")
        func wrongList() throws {
            let confd = try ConfdProcess()
            for (text, complaint) in [("<list/>", "no resource list"), ("a b", "not an address")] {
                let file = try confd.folder.write(text, to: "people")
                let child = try chat(confd, "carol", ["--list", file])
                #expect(try child.waitForExit(within: 20) == .exited(64))
                #expect(child.standardError.contains(complaint))
            }
            let child = try chat(confd, "carol", ["--list", "\(confd.folder.path)/missing"])
            #expect(try child.waitForExit(within: 20) == .exited(64))
        }

        @Test("who the server is asked to know proves it for everything, quietly (RFC 7616)")
        func authentication() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let sees = try alice.watch()
            let room = "sip:board@example.com:\(confd.tcp.port);maddr=127.0.0.1"
            let bob = try chat(confd, "bob", room: room, ["--transport", "tcp"], password: "builder")
            try notice(bob, "here: alice")
            try bob.write("/subject proven\n")
            try sees.until("the subject") { $0.description?.value("subject") == "proven" }
            // Alice made the room: bob may not remove her.
            try bob.write("/kick alice\n")
            try notice(bob, "removing sip:alice@example.com: 403")
            try leave(bob)
            let mallory = try chat(confd, "bob", room: room, ["--transport", "tcp"], password: "malice")
            #expect(try mallory.waitForExit(within: 20) == .exited(1))
            #expect(mallory.standardError.contains("wrong name or password"))
        }

        @Test("/who from a pipe waits for the answer; --json makes it an object")
        func json() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: Self.room, of: confd)
            let carol = try chat(confd, "carol", ["--json", "--nick", "Carol \"C\""])
            try carol.write("/who\n")
            try leave(carol)
            let line = try #require(
                carol.standardOutput.split(separator: "\n").first { $0.contains("\"participants\"") })
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(object["room"] as? String == Self.room)
            let people = try #require(object["participants"] as? [[String: Any]])
            #expect(Set(people.compactMap { $0["uri"] as? String }) == ["sip:alice@127.0.0.1", "sip:carol@127.0.0.1"])
            try alice.leave()
        }
    }
}
