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

        @Test("/send puts a file into the room, /files lists it, /get brings it, octet for octet", arguments: Way.all)
        func sendAndGet(_ way: Way) throws {
            let confd = try ConfdProcess(Workflow.options)
            let folder = try TemporaryFolder()
            let data = octets(300_001)
            let path = try file(data, "my \"report\".pdf", in: folder)
            let alice = try chat(confd, "alice", way: way)
            _ = try notice(alice, "joined")
            let bob = try chat(confd, "bob", way: way)
            _ = try notice(bob, "joined")
            try alice.write("/send \(path)\n")
            _ = try notice(alice, "sent my _report_.pdf: 300.0 kB in ")
            let told = try notice(bob, "alice put my _report_.pdf into the room")
            #expect(told.hasSuffix("(application/pdf, 300.0 kB); /get 1"))
            try bob.write("/files\n/get 1 \(folder.path)/got.pdf\n/get 1 \(folder.path)/got.pdf\n")
            _ = try notice(bob, "1 file in sip:meet@127.0.0.1")
            let line = try notice(bob, "  1  ")
            #expect(line.contains("my _report_.pdf  300.0 kB  application/pdf  alice  just now"))
            _ = try notice(bob, "got \(folder.path)/got.pdf: 300.0 kB in ")
            // Nothing is ever overwritten.
            _ = try notice(bob, "got \(folder.path)/got (1).pdf: 300.0 kB in ")
            #expect(contents("\(folder.path)/got.pdf") == data)
            #expect(contents("\(folder.path)/got (1).pdf") == data)
            try leave(alice)
            try leave(bob)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
        }

        @Test("who comes later finds the files in the roster's extension, and gets them by SHA-1")
        func roster() throws {
            let confd = try ConfdProcess(Workflow.options)
            let folder = try TemporaryFolder()
            let data = octets(5_000)
            let alice = try chat(confd, "alice")
            try alice.write("/send \(try file(data, "a.txt", in: folder))\n")
            _ = try notice(alice, "sent a.txt")
            let bob = try chat(confd, "bob", ["--json"])
            _ = try notice(bob, "here: alice")
            try bob.write("/files\n/get 1 \(folder.path)/b.txt\n")
            _ = try notice(bob, "got \(folder.path)/b.txt")
            #expect(contents("\(folder.path)/b.txt") == data)
            try leave(bob)
            let line = try #require(bob.standardOutput.split(separator: "\n").first { $0.contains("\"files\"") })
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let files = try #require(object["files"] as? [[String: Any]])
            #expect(files.count == 1 && files.first?["name"] as? String == "a.txt")
            #expect(files.first?["size"] as? Int == 5_000 && files.first?["sender"] as? String == "sip:alice@127.0.0.1")
            try leave(alice)
        }

        @Test("a /get that was killed goes on where it was (RFC 5547 section 6, file-range)", arguments: [false, true])
        func resume(tls: Bool) throws {
            let confd = try ConfdProcess(Workflow.options)
            let folder = try TemporaryFolder()
            let data = octets(48_000_000)
            let alice = try chat(confd, "alice")
            try alice.write("/send \(try file(data, "big.bin", in: confd.folder))\n")
            _ = try notice(alice, "sent big.bin", within: 60)
            let way = Way.all.first { $0.tls == tls } ?? Way.all[0]
            let bob = try chat(confd, "bob", way: way)
            _ = try notice(bob, "here: alice")
            try bob.write("/get 1 \(folder.path)\n")
            func part() throws -> (name: String, size: Int)? {
                let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
                guard let name = names.first(where: { $0.hasSuffix(".part") }) else { return nil }
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\(name)")
                return (name, attributes[.size] as? Int ?? 0)
            }
            let deadline = Deadline.after(seconds: 30)
            while try (part()?.size ?? 0) < 1_000_000 {
                try #require(!deadline.passed && bob.isRunning, "\(bob.standardError)")
                usleep(200)
            }
            bob.signal(SIGKILL)
            _ = try bob.waitForExit(within: 10)
            let left = try #require(try part())
            #expect(left.size < data.count)
            let again = try chat(confd, "bob", way: way)
            _ = try notice(again, "here: alice")
            try again.write("/get 1 \(folder.path)\n")
            _ = try notice(again, "\(megabytes(left.size)) of big.bin are here already; getting the rest")
            _ = try notice(again, "got \(folder.path)/big.bin", within: 60)
            try leave(again)
            #expect(contents("\(folder.path)/big.bin") == data)
            #expect(try part() == nil)
            try leave(alice)
        }

        /// As the transfer's display writes it.
        private func megabytes(_ count: Int) -> String {
            let tenths = Int((Double(count) / 100_000).rounded())
            return "\(tenths / 10).\(tenths % 10) MB"
        }

        @Test("through a relay both ways (RFC 4976)", arguments: [false, true])
        func relay(tls: Bool) throws {
            let confd = try ConfdProcess(RelayProcess.options())
            let folder = try TemporaryFolder()
            let data = octets(400_000)
            let extra = ["--relay", "\(confd.msrp)", "--relay-user", "carol@\(RelayProcess.domain)"]
            let carol = try chat(
                confd, "carol", extra + (tls ? ["--no-verify"] : ["--no-tls"]),
                password: RelayProcess.password(of: "carol"))
            _ = try notice(carol, "joined")
            try carol.write("/send \(try file(data, "a.bin", in: folder))\n/get 1 \(folder.path)/b.bin\n")
            _ = try notice(carol, "sent a.bin")
            _ = try notice(carol, "carol put a.bin into the room")
            try carol.write("/get 1 \(folder.path)/b.bin\n")
            _ = try notice(carol, "got \(folder.path)/b.bin")
            #expect(contents("\(folder.path)/b.bin") == data)
            // The first /get came before there was a file.
            try leave(carol, status: 4)
        }

        @Test("refusals in words: no files here, too large, no such file; the exit status tells of them")
        func refusals() throws {
            let confd = try ConfdProcess(Workflow.options(["Files": ["max_size": "1000"]]))
            let folder = try TemporaryFolder()
            let alice = try chat(confd, "alice")
            _ = try notice(alice, "joined")
            try alice.write(
                "/send \(try file(octets(1001), "large", in: folder))\n/send /nowhere\n/get 7\n/send /tmp\n")
            _ = try notice(alice, "sending large failed: it is too large for this room: 413")
            _ = try notice(alice, "sending nowhere failed: can't read /nowhere: No such file")
            _ = try notice(alice, "the room has no files")
            _ = try notice(alice, "sending tmp failed: can't send /tmp: it is no file")
            try leave(alice, status: 4)
            #expect(alice.standardError.contains("4 files were not sent or got"))
            let closed = try ConfdProcess(Workflow.options(["Conference": ["files": "none"]]))
            let bob = try chat(closed, "bob")
            try bob.write("/send \(try file(octets(10), "small", in: folder))\n")
            _ = try notice(bob, "sending small failed: ")
            try leave(bob, status: 4)
        }

        @Test("an empty file is a file; /cancel and Ctrl-C stop a transfer and leave nothing but the part")
        func edges() throws {
            let confd = try ConfdProcess(Workflow.options)
            let folder = try TemporaryFolder()
            let alice = try chat(confd, "alice")
            _ = try notice(alice, "joined")
            try alice.write("/send \(try file(Data(), "empty", in: folder))\n")
            _ = try notice(alice, "sent empty")
            _ = try notice(alice, "alice put empty into the room")
            try alice.write("/get 1 \(folder.path)/got\n")
            _ = try notice(alice, "got \(folder.path)/got")
            #expect(contents("\(folder.path)/got") == Data())
            try alice.write("/send \(try file(octets(60_000_000), "big", in: folder))\n/cancel\n")
            _ = try notice(alice, "sending big was stopped")
            try alice.write("still here\n")
            try leave(alice, status: 4)
        }

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
