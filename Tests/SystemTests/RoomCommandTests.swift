import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("confd room")
    struct RoomCommandTests {
        /// A configuration with a room of its own, and no server.
        private struct Place {
            let folder: TemporaryFolder
            let file: String

            init() throws {
                folder = try TemporaryFolder()
                file = try folder.write(
                    """
                    [SIP]
                    listen = udp:127.0.0.1:0
                    [Conference]
                    state_directory = \(folder.path)/state
                    [Room hall@127.0.0.1]
                    title = The hall
                    """, to: "confd.ini")
            }

            func run(_ arguments: String..., input: String? = nil) throws -> Tool.Result {
                try RoomCommandTests.run(arguments, file: file, input: input)
            }
        }

        private static func run(_ arguments: [String], file: String, input: String? = nil) throws -> Tool.Result {
            try Tool.run(ConfdProcess.executable, ["room"] + arguments + ["--config-file", file], input: input)
        }

        private static func object(_ text: String) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }

        @Test("each command has help that tells what it is for, with the exit codes")
        func help() throws {
            let commands = [
                "list", "show", "add", "set", "remove", "subject", "kick", "ban", "unban", "mute", "unmute", "lock",
                "unlock", "role", "close", "policy", "history", "purge",
            ]
            let general = try Tool.run(ConfdProcess.executable, ["room", "--help"])
            #expect(general.exit == .exited(0))
            #expect(general.output.contains("Exit status: 0 done, 1 not, 3"))
            for command in commands {
                #expect(general.output.contains("\n  \(command) "), "\(command)")
                let help = try Tool.run(ConfdProcess.executable, ["room", command, "--help"])
                #expect(help.exit == .exited(0))
                #expect(help.output.hasPrefix("OVERVIEW: "))
                #expect(help.output.contains("--json"))
            }
        }

        @Test("without a server: made, listed, shown, changed, removed, on the database")
        func withoutServer() throws {
            let place = try Place()
            #expect(try place.run("list").output.contains("hall@127.0.0.1  file       0  -       The hall"))
            #expect(!FileManager.default.fileExists(atPath: "\(place.folder.path)/state"))
            let added = try place.run(
                "add", "board@127.0.0.1", "--title", "The board", "--join", "listed", "--listed", "alice@example.com",
                "--subject", "money", "--no-nicknames")
            #expect(added.exit == .exited(0), "\(added.errors)")
            #expect(added.output + added.errors == "")
            let list = try place.run("list", "--json").output
            #expect(
                list == """
                    [{"room": "board@127.0.0.1", "uri": "sip:board@127.0.0.1", "kind": "stored", "title": "The board", \
                    "participants": 0, "locked": false}, {"room": "hall@127.0.0.1", "uri": "sip:hall@127.0.0.1", \
                    "kind": "file", "title": "The hall", "participants": 0, "locked": false}]

                    """)
            #expect(try place.run("ban", "board@127.0.0.1", "eve@example.com", "--for", "2 h").exit == .exited(0))
            #expect(try place.run("role", "board@127.0.0.1", "bob@example.com", "moderator").exit == .exited(0))
            #expect(try place.run("lock", "board@127.0.0.1").exit == .exited(0))
            #expect(try place.run("subject", "hall@127.0.0.1", "two", "words").exit == .exited(0))
            let board = try Self.object(try place.run("show", "board@127.0.0.1", "--json").output)
            #expect(board["locked"] as? Bool == true)
            #expect(board["subject"] as? String == "money")
            #expect((board["settings"] as? [String: Any])?["nicknames"] as? Bool == false)
            #expect((board["roles"] as? [String: [String]])?["moderator"] == ["bob@example.com"])
            #expect(try place.run("show", "hall@127.0.0.1").output.contains("subject            two words"))
            #expect(try place.run("remove", "board@127.0.0.1").exit == .exited(0))
            #expect(try place.run("list").output.split(separator: "\n").count == 2)
        }

        @Test("what can't be done is said on standard error, with exit status 1, or 3 where a server is needed")
        func refusals() throws {
            let place = try Place()
            let cases: [(arguments: [String], exit: Int32, says: String)] = [
                (["show", "nowhere@127.0.0.1"], 1, "there is no room nowhere@127.0.0.1"),
                (["show", "nowhere"], 1, "write room@domain"),
                (["add", "a@elsewhere.example"], 1, "its domain is none that the server serves"),
                (["add", "hall@127.0.0.1"], 1, "exists already"),
                (["set", "hall@127.0.0.1", "--join", "nobody"], 1, "is in the configuration file"),
                (["set", "hall@127.0.0.1"], 1, "nothing to change"),
                (["remove", "hall@127.0.0.1"], 1, "is in the configuration file"),
                (["unban", "hall@127.0.0.1", "eve@x"], 1, "is not banned"),
                (["ban", "hall@127.0.0.1", "eve@x", "--for", "long"], 1, "no duration"),
                (["ban", "hall@127.0.0.1", "eve@x", "--until", "2001-01-01"], 1, "is over already"),
                (["policy", "hall@127.0.0.1", "allow"], 1, "say who"),
                (["policy", "hall@127.0.0.1", "edit", "/nonexistent"], 1, "can't be read"),
                (["history", "nowhere@127.0.0.1"], 1, "there is no room nowhere@127.0.0.1"),
                (["history", "hall@127.0.0.1", "--since", "yesterday"], 1, "is no moment"),
                (["history", "hall@127.0.0.1", "--last", "0"], 1, "from 1 on"),
                (["purge", "hall@127.0.0.1"], 1, "say --yes"),
                (["purge", "nowhere@127.0.0.1", "--yes"], 1, "there is no room nowhere@127.0.0.1"),
                (["kick", "hall@127.0.0.1", "eve@x"], 3, "confd is not running"),
                (["close", "hall@127.0.0.1"], 3, "confd is not running"),
            ]
            for (arguments, exit, text) in cases {
                let result = try Self.run(arguments, file: place.file)
                #expect(result.exit == .exited(exit), "\(arguments)")
                #expect(result.output == "")
                #expect(result.errors.hasPrefix("confd room: "))
                #expect(result.errors.contains(text), "\(arguments): \(result.errors)")
            }
        }

        @Test("a policy is made by rules, written out, read in again, taken away")
        func policy() throws {
            let place = try Place()
            #expect(try place.run("policy", "hall@127.0.0.1").output.hasPrefix("There is no document"))
            #expect(try place.run("policy", "hall@127.0.0.1", "allow", "everyone").exit == .exited(0))
            #expect(try place.run("policy", "hall@127.0.0.1", "block", "eve@x", "*@spam.example").exit == .exited(0))
            let table = try place.run("policy", "hall@127.0.0.1").output
            #expect(table.contains("allow  everyone with an identity except eve@x, *@spam.example"), "\(table)")
            let document = try place.run("policy", "hall@127.0.0.1", "show", "--xml").output
            #expect(document.contains("urn:ietf:params:xml:ns:common-policy"))
            #expect(try place.run("policy", "hall@127.0.0.1", "reset").exit == .exited(0))
            #expect(try place.run("policy", "hall@127.0.0.1", "edit", "-", input: document).exit == .exited(0))
            #expect(try place.run("policy", "hall@127.0.0.1").output == table)
            let hostile = """
                <!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
                <ruleset xmlns="urn:ietf:params:xml:ns:common-policy"><rule id="a">&a;</rule></ruleset>
                """
            let refused = try place.run("policy", "hall@127.0.0.1", "edit", "-", input: hostile)
            #expect(refused.exit == .exited(1))
            #expect(!refused.errors.contains("root:"))
            #expect(try place.run("policy", "hall@127.0.0.1").output == table)
        }

        @Test("what was killed while it changed is there as a whole or not at all, and what was reported is there")
        func killed() throws {
            let place = try Place()
            _ = try place.run("add", "first@127.0.0.1")
            var reported = ["first@127.0.0.1"]
            for number in 0..<10 {
                let name = "room\(number)@127.0.0.1"
                let child = try ChildProcess(
                    ConfdProcess.executable,
                    ["room", "add", name, "--title", name, "--subject", name, "--config-file", place.file],
                    folder: place.folder.path, name: "add")
                // From before the file is opened until after the commit.
                usleep(useconds_t(number) * 4_000)
                child.signal(SIGKILL)
                if try child.waitForExit(within: 20) == .exited(0) { reported.append(name) }
            }
            let list = try JSONSerialization.jsonObject(with: Data(try place.run("list", "--json").output.utf8))
            let rooms = try #require(list as? [[String: Any]]).compactMap { $0["room"] as? String }
            #expect(Set(rooms).isSuperset(of: reported))
            for room in rooms where room.hasPrefix("room") {
                let details = try Self.object(try place.run("show", room, "--json").output)
                #expect(details["title"] as? String == room)
                #expect(details["subject"] as? String == room)
                #expect(try place.run("remove", room).exit == .exited(0))
            }
        }

        // MARK: With a server

        @Test("a running server makes, shows and removes a room at once, and has it after kill -9")
        func withServer() throws {
            let confd = try ConfdProcess(["Conference": ["adhoc_rooms": "No"]])
            func room(_ arguments: String...) throws -> Tool.Result {
                try Self.run(arguments, file: confd.configurationFile)
            }
            let added = try room("add", "board@127.0.0.1", "--title", "The board", "--subject", "money")
            #expect(added.exit == .exited(0), "\(added.errors)")
            #expect(try room("add", "board@127.0.0.1").errors.contains("exists already"))
            #expect(try room("list").output.contains("board@127.0.0.1  stored       0  -       The board"))
            #expect(try room("lock", "board@127.0.0.1").exit == .exited(0))
            #expect(try room("set", "board@127.0.0.1", "--speak", "moderators").exit == .exited(0))
            #expect(try room("ban", "board@127.0.0.1", "eve@example.com").exit == .exited(0))
            #expect(try room("policy", "board@127.0.0.1", "allow", "alice@example.com").exit == .exited(0))
            #expect(try room("kick", "board@127.0.0.1", "alice@example.com").errors.contains("is not in board"))
            #expect(try room("close", "board@127.0.0.1").exit == .exited(0))
            #expect(try room("show", "nowhere@127.0.0.1").exit == .exited(1))

            confd.process.signal(SIGKILL)
            _ = try confd.process.waitForExit(within: 10)
            // The database has it all, and so has the next server.
            let details = try Self.object(try room("show", "board@127.0.0.1", "--json").output)
            #expect(details["title"] as? String == "The board")
            #expect(details["subject"] as? String == "money")
            #expect(details["locked"] as? Bool == true)
            #expect((details["settings"] as? [String: Any])?["speak"] as? String == "moderators")
            #expect((details["bans"] as? [[String: Any]])?.first?["account"] as? String == "eve@example.com")
            #expect(try room("policy", "board@127.0.0.1").output.contains("alice@example.com"))
        }

        @Test("people are muted, given a role, kicked and banned while they talk; the room is closed")
        func people() throws {
            let confd = try ConfdProcess(["Room lobby@127.0.0.1": ["title": "The lobby"]])
            func room(_ arguments: String...) throws -> Tool.Result {
                let result = try Self.run(arguments, file: confd.configurationFile)
                #expect(result.exit == .exited(0), "\(result.errors)")
                return result
            }
            let lobby = "sip:lobby@127.0.0.1"
            let alice = try Participant("alice", in: lobby, of: confd)
            let bob = try Participant("bob", in: lobby, of: confd)
            #expect(try alice.say("one") == 200)
            #expect(try bob.hears() == "one")
            _ = try room("mute", "lobby@127.0.0.1", "alice@127.0.0.1")
            #expect(try alice.say("two") == 403)
            _ = try room("unmute", "lobby@127.0.0.1", "alice@127.0.0.1")
            #expect(try alice.say("three") == 200)
            #expect(try bob.hears() == "three")
            _ = try room("role", "lobby@127.0.0.1", "alice@127.0.0.1", "observer")
            #expect(try alice.say("four") == 403)
            let shown = try Self.object(try room("show", "lobby@127.0.0.1", "--json").output)
            let participants = try #require(shown["participants"] as? [[String: Any]])
            #expect(
                participants.map { "\($0["uri"] ?? "") \($0["role"] ?? "")" }.sorted()
                    == ["sip:alice@127.0.0.1 observer", "sip:bob@127.0.0.1 participant"])

            #expect(
                try room("kick", "lobby@127.0.0.1", "sip:alice@127.0.0.1", "--reason", "too loud").output
                    == "1 call ended\n")
            let bye = try alice.sip.request("BYE")
            #expect(bye["Reason"]?.contains("too loud") == true, "\(bye["Reason"] ?? "-")")
            try alice.sip.respond(to: bye)
            let again = try Participant("alice", in: lobby, of: confd)
            #expect(
                try room("ban", "lobby@127.0.0.1", "*@127.0.0.1", "--for", "1 h", "--json").output
                    == "{\"room\": \"lobby@127.0.0.1\", \"ended\": 2}\n")
            for person in [again, bob] { try person.sip.respond(to: try person.sip.request("BYE")) }
            let carol = try RawSIPClient(.udp, to: confd, user: "carol")
            #expect(try carol.invite(lobby, offer: Offer().text).status == 403)
            _ = try room("unban", "lobby@127.0.0.1", "*@127.0.0.1")
            let dave = try Participant("dave", in: lobby, of: confd)
            #expect(try room("close", "lobby@127.0.0.1").output == "1 call ended\n")
            try dave.sip.respond(to: try dave.sip.request("BYE"))
            #expect(try room("list").output.contains("lobby@127.0.0.1  file       0"))
        }

        @Test("a server killed while it makes rooms has made them as a whole or not at all")
        func killedServer() throws {
            let confd = try ConfdProcess()
            let children = try (0..<6).map { number in
                let name = "room\(number)@127.0.0.1"
                return (
                    name: name,
                    child: try ChildProcess(
                        ConfdProcess.executable,
                        [
                            "room", "add", name, "--title", name, "--subject", name, "--config-file",
                            confd.configurationFile,
                        ], folder: confd.folder.path, name: "add\(number)")
                )
            }
            // In the middle of them: as soon as the first is known to be done.
            let first = try children[0].child.waitForExit(within: 20)
            #expect(first == .exited(0))
            confd.process.signal(SIGKILL)
            _ = try confd.process.waitForExit(within: 10)
            var reported = [children[0].name]
            for (name, child) in children.dropFirst() where try child.waitForExit(within: 20) == .exited(0) {
                reported.append(name)
            }
            let next = try ConfdProcess(in: confd.folder)
            func room(_ arguments: String...) throws -> String {
                try Self.run(arguments, file: next.configurationFile).output
            }
            let list = try JSONSerialization.jsonObject(with: Data(try room("list", "--json").utf8))
            let rooms = try #require(list as? [[String: Any]]).compactMap { $0["room"] as? String }
            #expect(Set(rooms).isSuperset(of: reported))
            for name in rooms {
                let details = try Self.object(try room("show", name, "--json"))
                #expect(details["title"] as? String == name)
                #expect(details["subject"] as? String == name)
            }
        }
    }
}
