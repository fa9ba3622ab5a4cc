import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("confd chat: files of the room (RFC 5547), pictures, private messages by name")
    struct ChatFileTests {
        private func chat(
            _ confd: ConfdProcess, _ name: String, way: Way = Way.all[0], _ extra: [String] = [],
            folder: TemporaryFolder? = nil, password: String? = nil
        ) throws -> ChildProcess {
            try ChildProcess(
                ConfdProcess.executable,
                [
                    "chat", "sip:meet@\(confd.address(way.sip))", "--as", "sip:\(name)@127.0.0.1", "--transport",
                    way.sip.rawValue,
                ] + (way.tls ? ["--tls"] : []) + extra, folder: (folder ?? confd.folder).path, name: "chat-\(name)",
                hasInput: true, environment: password.map { ["CONFD_PASSWORD": $0] } ?? [:])
        }

        private func notice(_ child: ChildProcess, _ text: String, within seconds: Double = 30) throws -> String {
            try child.line(startingWith: "* \(text)", onError: true, within: seconds)
        }

        private func leave(_ child: ChildProcess, status: Int32 = 0) throws {
            child.closeInput()
            #expect(try child.waitForExit(within: 30) == .exited(status), "\(child.standardError)")
        }

        /// Octets in which no stretch repeats another, the same in every run.
        private func octets(_ count: Int) -> Data {
            var state: UInt64 = 88_172_645_463_325_252
            var data = Data(capacity: count + 8)
            while data.count < count {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                withUnsafeBytes(of: state) { data.append(contentsOf: $0) }
            }
            return data.prefix(count)
        }

        private func file(_ data: Data, _ name: String, in folder: TemporaryFolder) throws -> String {
            let path = "\(folder.path)/\(name)"
            try data.write(to: URL(fileURLWithPath: path))
            return path
        }

        private func contents(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

        @Test("a picture is a message: it is named, and saved when that is asked for")
        func picture() throws {
            let confd = try ConfdProcess(Workflow.options)
            let folder = try TemporaryFolder()
            let data = octets(20_000)
            let alice = try chat(confd, "alice")
            let bob = try chat(confd, "bob")
            _ = try notice(bob, "joined")
            _ = try notice(alice, "joined")
            try alice.write("/image \(try file(data, "p.png", in: folder))\n/image \(folder.path)/p.txt\n")
            _ = try notice(alice, "\(folder.path)/p.txt is no picture by its name")
            _ = try bob.line(
                startingWith: "[sip:alice@127.0.0.1] [image/png, 20.0 kB; /save 1]", within: 10)
            try bob.write("/save 1 \(folder.path)\n/save 2\n")
            _ = try notice(bob, "saved \(folder.path)/image-1.png")
            _ = try notice(bob, "there is nothing of number 2 to save")
            #expect(contents("\(folder.path)/image-1.png") == data)
            try leave(alice)
            try leave(bob)
        }

        @Test("/msg finds people by nickname and display name; typing is never a message")
        func privately() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try chat(confd, "alice", ["--nick", "The Queen"])
            _ = try notice(alice, "nickname accepted")
            let bob = try chat(confd, "bob")
            _ = try notice(bob, "here: The Queen")
            try bob.write("/msg \"the queen\" psst\n/msg nobody@nowhere.example hm\n")
            _ = try alice.line(startingWith: "[sip:bob@127.0.0.1 privately] psst", within: 10)
            _ = try notice(bob, "a message was not delivered: 404")
            let carol = try Participant("carol", in: "sip:meet@127.0.0.1", of: confd)
            let notices =
                "From: <sip:carol@127.0.0.1>\r\nTo: <sip:meet@127.0.0.1>\r\n\r\n"
                + "Content-Type: application/im-iscomposing+xml\r\n\r\n"
                + "<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"><state>active</state></isComposing>"
            _ = try carol.msrp.post(Array(notices.utf8), extra: "Failure-Report: no\r\n")
            #expect(try carol.say("done") == 200)
            _ = try alice.line(startingWith: "[sip:carol@127.0.0.1] done", within: 10)
            #expect(!alice.standardOutput.contains("composing") && !alice.standardError.contains("typing"))
            try leave(alice)
            try leave(bob, status: 4)
        }

        /// The output of a chat on a terminal of its own, once it has all of these in this order.
        private func shows(_ child: ChildProcess, _ texts: String..., within seconds: Double = 20) throws {
            let deadline = Deadline.after(seconds: seconds)
            while true {
                var rest = child.standardOutput[...]
                let missing = texts.first { text in
                    guard let found = rest.firstRange(of: text) else { return true }
                    rest = rest[found.upperBound...]
                    return false
                }
                guard let missing else { return }
                try #require(!deadline.passed, "no '\(missing)' in \(child.standardOutput)")
                usleep(5_000)
            }
        }

        @Test(
            "RFC 3994: on a terminal one sees who is typing, and a message comes above the line that is being typed",
            .enabled(if: Tool.path("script") != nil))
        func typing() throws {
            let confd = try ConfdProcess(Workflow.options)
            let script = try #require(Tool.path("script"))
            func terminal(_ name: String, _ extra: String = "") throws -> ChildProcess {
                let command =
                    "'\(ConfdProcess.executable)' chat sip:meet@\(confd.udp) --as sip:\(name)@127.0.0.1 \(extra)"
                return try ChildProcess(
                    script, ["-qec", command, "/dev/null"], folder: confd.folder.path, name: "terminal-\(name)",
                    hasInput: true)
            }
            let alice = try terminal("alice", "--nick Al")
            try shows(alice, "nickname accepted")
            let bob = try terminal("bob")
            try shows(bob, "here: Al")
            let carol = try terminal("carol", "--no-typing")
            try shows(carol, "here: ")
            try alice.write("hal\u{7F}")
            try shows(bob, "… Al is typing")
            try bob.write("not yet")
            try shows(alice, "… bob is typing")
            try alice.write("llo\n")
            // The line that bob types stands below again.
            try shows(bob, "… Al is typing", " Al: hallo", "not yet")
            try bob.write("\u{15}")
            try shows(bob, "not yet", "\u{1B}[K")
            try alice.write("/quit\n")
            try shows(bob, "Al left")
            #expect(try alice.waitForExit(within: 20) == .exited(0))
            #expect(!carol.standardOutput.contains("typing"))
            for child in [bob, carol] {
                try child.write("\u{4}")
                #expect(try child.waitForExit(within: 20) == .exited(0))
            }
        }

        @Test("--user: an alias calls with its account's name in the digest (RFC 7616)")
        func alias() throws {
            let confd = try ConfdProcess([
                "SIP": ["auth": "required"], "Database": ["cache_time": "0 s"],
                "Room lobby@example.com": ["title": "The lobby"],
            ])
            #expect(try confd.run("account", "add", "alice@example.com", input: "secret\n").exit == .exited(0))
            let added = try confd.run("account", "alias", "add", "alice@example.com", "sales@example.com")
            #expect(added.exit == .exited(0), "\(added.errors)")
            for (user, status) in [("alice", Int32(0)), ("sales", 1)] {
                let child = try ChildProcess(
                    ConfdProcess.executable,
                    [
                        "chat", "sip:lobby@example.com:\(confd.tcp.port);maddr=127.0.0.1", "--as", "sales@example.com",
                        "--user", user, "--transport", "tcp",
                    ], folder: confd.folder.path, name: "chat", hasInput: true,
                    environment: ["CONFD_PASSWORD": "secret"])
                try child.write("hello\n")
                child.closeInput()
                #expect(try child.waitForExit(within: 20) == .exited(status), "\(child.standardError)")
            }
        }
    }
}
