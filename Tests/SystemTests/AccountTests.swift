import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("confd account")
    struct AccountTests {
        /// A state directory with a configuration that names it.
        private struct Place {
            let folder: TemporaryFolder
            let file: String

            init(_ options: ConfdProcess.Options = ["Relay": ["backend": "database"]]) throws {
                folder = try TemporaryFolder()
                var sections = options
                sections["Conference", default: [:]]["state_directory"] = "\(folder.path)/state"
                let text = sections.sorted { $0.key < $1.key }.map { name, values in
                    "[\(name)]\n" + values.sorted { $0.key < $1.key }.map { "\($0) = \($1)\n" }.joined()
                }.joined(separator: "\n")
                file = try folder.write(text, to: "confd.ini")
            }

            func run(_ arguments: String..., input: String? = nil) throws -> Tool.Result {
                try AccountTests.run(arguments, file: file, input: input)
            }
        }

        private static func run(_ arguments: [String], file: String, input: String? = nil) throws -> Tool.Result {
            try Tool.run(ConfdProcess.executable, ["account"] + arguments + ["--config-file", file], input: input)
        }

        @Test("add, list, passwd, remove, with the password on standard input")
        func life() throws {
            let place = try Place()
            #expect(try place.run("list").output == "")
            #expect(!FileManager.default.fileExists(atPath: "\(place.folder.path)/state"))
            let added = try place.run("add", "alice@Example.com", input: "secret\r\nnot this\n")
            #expect(added.exit == .exited(0))
            #expect(added.output + added.errors == "")
            #expect(try place.run("add", "Bob@example.com", input: "without a line end").exit == .exited(0))
            #expect(try place.run("list").output == "Bob@example.com\nalice@example.com\n")
            #expect(
                try place.run("list", "--json").output == """
                    [{"account": "Bob@example.com", "username": "Bob", "domain": "example.com"}, \
                    {"account": "alice@example.com", "username": "alice", "domain": "example.com"}]

                    """)
            #expect(try place.run("passwd", "alice@example.com", input: "other\n").exit == .exited(0))
            #expect(try place.run("remove", "Bob@example.com").exit == .exited(0))
            #expect(try place.run("list").output == "alice@example.com\n")
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(place.folder.path)/state")
            for name in names {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(place.folder.path)/state/\(name)"))
                for password in ["secret", "other", "without a line end"] {
                    #expect(bytes.range(of: Data(password.utf8)) == nil)
                }
            }
        }

        @Test("what can't be done is said on standard error, with exit status 1")
        func refusals() throws {
            let place = try Place()
            _ = try place.run("add", "alice@example.com", input: "secret\n")
            let cases: [(arguments: [String], input: String?, says: String)] = [
                (["add", "alice@example.com"], "x\n", "alice@example.com exists already"),
                (["add", "alice"], "x\n", "write user@domain"),
                (["add", "bob@example.com"], "", "ended before there was a password"),
                (["add", "bob@example.com"], "\n", "the password is empty"),
                (["add", "bob@example.com"], String(repeating: "x", count: 1025) + "\n", "at most 1024 bytes"),
                (["passwd", "bob@example.com"], "x\n", "there is no account bob@example.com"),
                (["remove", "bob@example.com"], nil, "there is no account bob@example.com"),
            ]
            for (arguments, input, text) in cases {
                let result = try Self.run(arguments, file: place.file, input: input)
                #expect(result.exit == .exited(1))
                #expect(result.output == "")
                #expect(result.errors.hasPrefix("confd account: "))
                #expect(result.errors.contains(text), "\(result.errors)")
            }
            #expect(try place.run("list").output == "alice@example.com\n")
            let unfound = try Self.run(["list"], file: "/nonexistent.ini")
            #expect(unfound.exit == .exited(1))
            #expect(unfound.errors.contains("configuration file '/nonexistent.ini' not found"))
        }

        @Test("add says when the server asks somewhere else")
        func hints() throws {
            let cases: [(options: ConfdProcess.Options, says: String)] = [
                ([:], "no [Relay] section"), (["Relay": ["backend": "memory"]], "backend = memory"),
                (
                    ["Relay": ["backend": "database"], "Database": ["uri": "sqlite:///nowhere/else.sqlite"]],
                    "[Database] uri names another"
                ),
            ]
            for (options, text) in cases {
                let result = try Place(options).run("add", "alice@example.com", input: "secret\n")
                #expect(result.exit == .exited(0))
                #expect(result.errors.contains(text), "\(result.errors)")
            }
        }

        @Test("on a terminal the password is asked for twice and never shown")
        func terminal() throws {
            guard let script = Tool.path("script") else { return print("skipped: script is not installed") }
            let place = try Place()
            func ask(_ keys: [String], prompts: [String]) throws -> (exit: ChildProcess.Exit, shown: String) {
                let command = "'\(ConfdProcess.executable)' account add alice@example.com --config-file '\(place.file)'"
                let child = try ChildProcess(
                    script, ["-qec", command, "/dev/null"], folder: place.folder.path, name: "terminal", hasInput: true)
                for (keys, prompt) in zip(keys, prompts) {
                    let deadline = Deadline.after(seconds: 20)
                    while !child.standardOutput.contains(prompt) {
                        if deadline.passed { throw SupportError("no `\(prompt)`: \(child.standardOutput)") }
                        usleep(5_000)
                    }
                    try child.write(keys)
                }
                let exit = try child.waitForExit(within: 20)
                return (exit, child.standardOutput)
            }
            let prompts = ["Password for alice@example.com: ", "The same again: "]
            let differ = try ask(["secret\r", "secreT\r"], prompts: prompts)
            #expect(differ.exit == .exited(1))
            #expect(differ.shown.contains("the passwords are not the same"))
            let interrupted = try ask(["secr\u{3}"], prompts: prompts)
            #expect(interrupted.exit == .exited(1))
            #expect(interrupted.shown.contains("interrupted; nothing was changed"))
            #expect(try place.run("list").output == "")
            // Backspace over a letter of two octets, and Ctrl-U.
            let right = try ask(["wrong\u{15}secré\u{7F}et\r", "secret\r"], prompts: prompts)
            #expect(right.exit == .exited(0))
            for text in ["secr", "wrong"] { #expect(!(differ.shown + interrupted.shown + right.shown).contains(text)) }
            #expect(try place.run("list").output == "alice@example.com\n")
        }

        @Test("what was killed while it added is there as a whole or not at all, and what was reported is there")
        func killed() throws {
            let place = try Place()
            _ = try place.run("add", "first@example.com", input: "secret\n")
            var reported = ["first@example.com"]
            var begun = Set<String>()
            for number in 0..<12 {
                let name = "user\(number)@example.com"
                begun.insert(name)
                let child = try ChildProcess(
                    ConfdProcess.executable, ["account", "add", name, "--config-file", place.file],
                    folder: place.folder.path, name: "add", hasInput: true)
                try child.write("secret\n")
                // From before the file is opened until after the commit.
                usleep(useconds_t(number) * 4_000)
                child.signal(SIGKILL)
                if try child.waitForExit(within: 20) == .exited(0) { reported.append(name) }
            }
            let list = try place.run("list")
            #expect(list.exit == .exited(0))
            let names = Set(list.output.split(separator: "\n").map(String.init))
            #expect(names.isSuperset(of: reported))
            #expect(names.subtracting(["first@example.com"]).isSubset(of: begun))
            // The file takes changes as ever, and no account is half of one.
            #expect(try place.run("add", "last@example.com", input: "secret\n").exit == .exited(0))
            for name in names { #expect(try place.run("passwd", name, input: "other\n").exit == .exited(0)) }
        }

        @Test("several at a time change one file")
        func together() throws {
            let place = try Place()
            let children = try (0..<6).map { number in
                let child = try ChildProcess(
                    ConfdProcess.executable,
                    ["account", "add", "user\(number)@example.com", "--config-file", place.file],
                    folder: place.folder.path, name: "add\(number)", hasInput: true)
                try child.write("secret\n")
                return child
            }
            for child in children { #expect(try child.waitForExit(within: 20) == .exited(0)) }
            #expect(try place.run("list").output.split(separator: "\n").count == 6)
        }

        @Test("a running relay lets in who was added, by the password that was set last, and not who was removed")
        func whileServing() throws {
            let relay = try RelayProcess(["Relay": ["backend": "database"], "Database": ["cache_time": "0 s"]])
            func status(_ password: String) throws -> Int {
                try RawRelayClient(to: relay.address).authenticate(as: "zoe", password: password).status
            }
            func account(_ arguments: String..., input: String? = nil) throws {
                let result = try Self.run(arguments, file: relay.configurationFile, input: input)
                #expect(result.exit == .exited(0), "\(result.errors)")
            }
            #expect(try status("secret") == 403)
            try account("add", "zoe@example.com", input: "secret\n")
            #expect(try status("secret") == 200)
            #expect(try status("other") == 403)
            // Domains are the same in any case.
            let shouting = try RawRelayClient(to: relay.address)
            #expect(try shouting.authenticate(as: "zoe", password: "secret", domain: "EXAMPLE.com").status == 200)
            try account("passwd", "zoe@example.com", input: "other\n")
            #expect(try status("other") == 200)
            #expect(try status("secret") == 403)
            try account("remove", "zoe@example.com")
            #expect(try status("other") == 403)
        }

        @Test("a relay asks the subscriber table of a SIP server; one that can't be used stops the start with its line")
        func foreignTable() throws {
            guard Tool.exists("sqlite3") else { return print("skipped: sqlite3 is not installed") }
            let folder = try TemporaryFolder()
            let path = "\(folder.path)/sip.sqlite"
            let created = try Tool.run(
                "sqlite3",
                [
                    path,
                    """
                    CREATE TABLE users (name VARCHAR(64), realm VARCHAR(64), pw VARCHAR(64));
                    INSERT INTO users VALUES ('zoe', 'example.com', 'secret');
                    """,
                ])
            #expect(created.exit == .exited(0))
            let database = [
                "uri": "sqlite://\(path)", "subscriber_table": "users", "username_col": "name", "domain_col": "realm",
                "password_col": "pw", "cleartext_passwords": "Yes",
            ]
            let relay = try RelayProcess(["Relay": ["backend": "database"], "Database": database])
            for dialect in [DigestDialect.msrplib, .kamailio] {
                let client = try RawRelayClient(to: relay.address, dialect: dialect)
                #expect(try client.authenticate(as: "zoe", password: "secret").status == 200)
            }

            var wrong = database
            wrong["password_col"] = "password"
            let file = try folder.write(
                RelayProcess.configuration(
                    ["Relay": ["backend": "database"], "Database": wrong], folder: folder.path), to: "wrong.ini")
            let result = try Tool.run(ConfdProcess.executable, ["serve", "--config-file", file])
            #expect(result.exit == .exited(1))
            #expect(result.errors.contains("wrong.ini:"))
            #expect(result.errors.contains("password_col"))
            #expect(result.errors.contains("its columns are name, realm, pw"))
        }

        @Test("while the database is locked, sessions go on, and an AUTH is told to try again later")
        func lockedTable() throws {
            guard let sqlite = Tool.path("sqlite3") else { return print("skipped: sqlite3 is not installed") }
            let folder = try TemporaryFolder()
            let path = "\(folder.path)/sip.sqlite"
            let password = RelayProcess.password(of: "alice")
            let created = try Tool.run(
                sqlite,
                [
                    path,
                    "CREATE TABLE subscriber (username, domain, password); "
                        + "INSERT INTO subscriber VALUES ('alice', 'example.com', '\(password)');",
                ])
            #expect(created.exit == .exited(0))
            let relay = try RelayProcess([
                "Relay": ["backend": "database"], "Database": ["uri": "sqlite://\(path)", "cache_time": "0 s"],
            ])
            let (client, outsider) = try relay.pair()

            let locker = try ChildProcess(sqlite, [path], folder: folder.path, name: "locker", hasInput: true)
            try locker.write("BEGIN EXCLUSIVE;\n.print locked\n")
            _ = try locker.line(startingWith: "locked", within: 20)
            let waiting = try RawRelayClient(to: relay.address)
            let target = waiting.relayURI(RelayProcess.domain)
            let id = try waiting.post("AUTH", to: target)
            for turn in 0..<100 {
                #expect(try outsider.say("turn \(turn)", within: 1) == 200)
                #expect(try client.hears(within: 1) == "turn \(turn)")
            }
            // What is offered can't be learned just now; MD5 is what everybody has.
            let challenge = try waiting.response(to: id)
            #expect(challenge.status == 401)
            let answer = waiting.digestAnswer(
                to: try waiting.challenge(in: challenge), as: "alice", password: password, target: target)
            #expect(try waiting.auth(target, authorization: answer.header).status == 408)

            locker.closeInput()
            _ = try locker.waitForExit(within: 10)
            let deadline = Deadline.after(seconds: 10)
            var status = 0
            while status != 200, !deadline.passed {
                let next = try RawRelayClient(to: relay.address)
                status = try next.authenticate(as: "alice", password: password).status
            }
            #expect(status == 200)
            #expect(relay.log.split(separator: "\n").filter { $0.contains("accounts can't be looked up") }.count == 1)
        }

        @Test("MySQL and PostgreSQL stop the start with line and ways on", arguments: ["mysql", "postgres"])
        func servers(kind: String) throws {
            let folder = try TemporaryFolder()
            let file = try folder.write(
                RelayProcess.configuration(
                    ["Relay": ["backend": "database"], "Database": ["uri": "\(kind)://u:hunter2@db/sip"]],
                    folder: folder.path), to: "server.ini")
            let result = try Tool.run(ConfdProcess.executable, ["serve", "--config-file", file])
            #expect(result.exit == .exited(1))
            #expect(result.errors.contains("server.ini:"))
            #expect(result.errors.contains("uri = sqlite:///"))
            #expect(!result.errors.contains("hunter2"))
        }
    }
}
