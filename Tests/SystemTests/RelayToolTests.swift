import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("The relay: confd's own tools")
    struct RelayToolTests {
        @Test("50 MB through one relay", arguments: [false, true])
        func oneRelay(tls: Bool) throws {
            let relay = try CheckedRelay()
            let transfer = try Transfer(size: 50_000_000)
            let receiver = try transfer.receive(relay.arguments(tls: tls))
            let path = try Transfer.path(of: receiver)
            #expect(path.hasPrefix(tls ? "msrps://" : "msrp://") && path.split(separator: " ").count == 2)
            let sender = try transfer.send(to: path, tls ? ["--trust", relay.trustFile] : [])
            try transfer.check(receiver, sender)
        }

        @Test("small files: of no octets, of one, of one chunk and a little", arguments: [0, 1, 2048, 65_537])
        func sizes(size: Int) throws {
            let relay = try RelayProcess()
            let transfer = try Transfer(size: size)
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls"])
            let sender = try transfer.send(to: try Transfer.path(of: receiver), [])
            try transfer.check(receiver, sender)
        }

        @Test("both ends behind relays of their own", arguments: [false, true])
        func twoRelays(tls: Bool) throws {
            let (near, far) = (try CheckedRelay(), try CheckedRelay())
            let transfer = try Transfer(size: 20_000_000)
            let receiver = try transfer.receive(far.arguments(tls: tls))
            let sender = try transfer.send(
                to: try Transfer.path(of: receiver), near.arguments(tls: tls), user: "alice")
            try transfer.check(receiver, sender)
            // It did go through both.
            _ = try near.relay.awaitLog("relay session ended", "alice@example.com")
            _ = try far.relay.awaitLog("relay session ended", "bob@example.com")
        }

        @Test("two clients of one relay")
        func sameRelay() throws {
            let relay = try CheckedRelay()
            let transfer = try Transfer(size: 5_000_000)
            let receiver = try transfer.receive(relay.arguments(tls: true))
            let sender = try transfer.send(
                to: try Transfer.path(of: receiver), relay.arguments(tls: true), user: "alice")
            try transfer.check(receiver, sender)
        }

        @Test("a receiver behind two relays in a row (RFC 4976 section 5.1)")
        func chain() throws {
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let trust = try chain.inner.folder.write(chain.authority.pem, to: "ca.pem")
            let transfer = try Transfer(size: 5_000_000)
            let receiver = try transfer.receive([
                "--relay", "localhost:\(chain.inner.address.port)", "--relay", "localhost:\(chain.outer.address.port)",
                "--trust", trust,
            ])
            let path = try Transfer.path(of: receiver)
            let uris = path.split(separator: " ")
            #expect(uris.count == 3 && uris[0].contains(":\(chain.outer.address.port)/"))
            let sender = try transfer.send(to: path, ["--trust", trust])
            try transfer.check(receiver, sender)
        }

        @Test("the sender is killed at half: the next one goes on where the part ends")
        func senderKilled() throws {
            let relay = try RelayProcess(["Relay": ["session_rate": "8 MiB"]])
            let transfer = try Transfer(size: 16_000_000)
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls"])
            let first = try transfer.send(to: try Transfer.path(of: receiver), [], name: "first")
            try transfer.awaitPart(of: 8_000_000)
            first.signal(SIGKILL)
            let interrupted = try Transfer.event("interrupted", of: receiver)
            let kept = try #require(interrupted["received"] as? Int)
            #expect(kept >= 8_000_000 && kept < 16_000_000 && kept == transfer.partSize())
            let second = try transfer.send(to: try Transfer.path(1, of: receiver), [], name: "second")
            try transfer.check(receiver, second, resumedAt: kept)
            // Only the rest went over the wire a second time.
            let sent = try Self.octetsFromPeers(relay, sessions: 2)
            #expect(sent > transfer.content.count && sent < transfer.content.count + 2_000_000)
        }

        /// What came from outside in all sessions together, when that many have ended.
        private static func octetsFromPeers(_ relay: RelayProcess, sessions: Int) throws -> Int {
            let deadline = Deadline.after(seconds: 10)
            while true {
                let counts = relay.log.split(separator: "\n").filter { $0.contains("relay session ended") }.compactMap {
                    $0.split(separator: " ").first { $0.hasPrefix("from-peer=") }.flatMap { Int($0.dropFirst(10)) }
                }
                if counts.count >= sessions { return counts.reduce(0, +) }
                if deadline.passed { throw SupportError("\(counts.count) sessions ended: \(relay.log.suffix(2000))") }
                usleep(10_000)
            }
        }

        @Test("the receiver is killed at half: the sender says so, a new receiver goes on with the part")
        func receiverKilled() throws {
            let relay = try RelayProcess(["Relay": ["session_rate": "8 MiB"]])
            let transfer = try Transfer(size: 16_000_000)
            let arguments = ["--relay", "\(relay.address)", "--no-tls"]
            let first = try transfer.receive(arguments, name: "first")
            let sender = try transfer.send(to: try Transfer.path(of: first), [])
            try transfer.awaitPart(of: 8_000_000)
            first.signal(SIGKILL)
            let exit = try sender.waitForExit(within: 40)
            #expect(exit == .exited(3), "\(sender.standardError)")
            #expect(sender.standardError.contains("goes on"))
            let kept = transfer.partSize()
            #expect(kept >= 8_000_000 && kept < 16_000_000)
            let second = try transfer.receive(arguments, name: "second")
            let again = try transfer.send(to: try Transfer.path(of: second), [], name: "again")
            try transfer.check(second, again, resumedAt: kept)
        }

        @Test("Ctrl-C keeps the part and says how to go on, at either end", arguments: ["sender", "receiver"])
        func interrupted(_ end: String) throws {
            let relay = try RelayProcess(["Relay": ["session_rate": "4 MiB"]])
            let transfer = try Transfer(size: 16_000_000)
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls"])
            let sender = try transfer.send(to: try Transfer.path(of: receiver), [])
            try transfer.awaitPart(of: 2_000_000)
            if end == "sender" {
                sender.signal(SIGINT)
                #expect(try sender.waitForExit(within: 10) == .exited(130))
                #expect(sender.standardError.contains("goes on"))
                let kept = try Transfer.event("interrupted", of: receiver)
                #expect((kept["received"] as? Int ?? 0) >= 2_000_000)
                _ = try Transfer.path(1, of: receiver)
                receiver.signal(SIGINT)
            } else {
                receiver.signal(SIGINT)
                #expect(try sender.waitForExit(within: 40) != .exited(0))
            }
            #expect(try receiver.waitForExit(within: 10) == .exited(130))
            #expect(transfer.partSize() >= 2_000_000)
            #expect(receiver.standardError.contains("file.bin.part"))
        }

        @Test("a file that has the part's name but another content is sent whole, and nothing is written over")
        func otherContent() throws {
            let relay = try RelayProcess()
            let transfer = try Transfer(size: 300_000)
            try Data(repeating: 7, count: 1000).write(to: URL(fileURLWithPath: "\(transfer.inbox)/file.bin.part"))
            try Data("mine".utf8).write(to: URL(fileURLWithPath: "\(transfer.inbox)/file.bin"))
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls"])
            let sender = try transfer.send(to: try Transfer.path(of: receiver), [])
            #expect(try sender.waitForExit(within: 30) == .exited(0))
            #expect(try receiver.waitForExit(within: 20) == .exited(0))
            let stored = try #require(try Transfer.event("received", of: receiver)["file"] as? String)
            #expect(stored == "\(transfer.inbox)/file-1.bin")
            #expect(try Data(contentsOf: URL(fileURLWithPath: stored)) == transfer.content)
            #expect(try String(contentsOfFile: "\(transfer.inbox)/file.bin", encoding: .utf8) == "mine")
            #expect(transfer.partSize() == 1000)
        }

        @Test("--count waits for several files, each with a path of its own")
        func several() throws {
            let relay = try RelayProcess()
            let transfer = try Transfer(size: 100_000)
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls", "--count", "2"])
            for number in 0..<2 {
                let sender = try transfer.send(
                    to: try Transfer.path(number, of: receiver), [], name: "out\(number)")
                #expect(try sender.waitForExit(within: 30) == .exited(0), "\(sender.standardError)")
            }
            #expect(try receiver.waitForExit(within: 20) == .exited(0))
            #expect(
                try Set(FileManager.default.contentsOfDirectory(atPath: transfer.inbox)) == ["file.bin", "file-1.bin"])
        }

        @Test("plain output is what sha256sum reads, without a bar where there is no terminal")
        func plainOutput() throws {
            let relay = try RelayProcess()
            let transfer = try Transfer(size: 100_000)
            let receiver = try ChildProcess(
                ConfdProcess.executable,
                [
                    "relay-receive", "--as", "bob@example.com", "--relay", "\(relay.address)", "--no-tls", "--dir",
                    transfer.inbox,
                ], folder: transfer.folder.path, name: "plain",
                environment: ["CONFD_PASSWORD": RelayProcess.password(of: "bob")])
            let path = try receiver.line(startingWith: "msrp://", within: 20)
            let sender = try ChildProcess(
                ConfdProcess.executable, ["send-file", transfer.file, path], folder: transfer.folder.path,
                name: "sender")
            #expect(try sender.waitForExit(within: 30) == .exited(0), "\(sender.standardError)")
            #expect(try receiver.waitForExit(within: 20) == .exited(0))
            for output in [
                sender.standardOutput, String(receiver.standardOutput.split(separator: "\n").last ?? "") + "\n",
            ] {
                #expect(try Tool.run("sha256sum", ["-c"], input: output).exit == .exited(0), "\(output)")
            }
            #expect(!receiver.standardError.contains("\r") && !sender.standardError.contains("\r"))
        }

        @Test("a relay that knows only SEND, REPORT and NICKNAME gets the whole file")
        func withoutFileOffset() throws {
            let relay = try RelayProcess(["Relay": ["allow_other_methods": "No"]])
            let transfer = try Transfer(size: 300_000)
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls"])
            let sender = try transfer.send(to: try Transfer.path(of: receiver), [])
            try transfer.check(receiver, sender)
        }

        @Test("a session is refreshed while nobody comes (RFC 4976 section 5.1)")
        func refreshed() throws {
            let relay = try RelayProcess(["Relay": ["minimum_expires": "1"]])
            let transfer = try Transfer(size: 1000)
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls", "--expires", "2"])
            let path = try Transfer.path(of: receiver)
            // Two for the session, one each for its refreshes: the URI is older than its Expires by then.
            let deadline = Deadline.after(seconds: 20)
            while try relay.status().count("authOutcomes", "200") < 4 {
                if deadline.passed { throw SupportError("no refresh: \(try relay.status().text)") }
                usleep(100_000)
            }
            let sender = try transfer.send(to: path, [])
            try transfer.check(receiver, sender)
        }

        @Test(
            "Kamailio takes our AUTH",
            .enabled(if: KamailioRelay.isInstalled, "Kamailio with auth and msrp is not installed")
        )
        func kamailio() throws {
            let relay = try KamailioRelay(password: RelayProcess.password(of: "bob"))
            let transfer = try Transfer(size: 1)
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls"])
            #expect(try Transfer.path(of: receiver).hasPrefix("msrp://\(relay.address)/granted;tcp msrp://127.0.0.1:"))
            receiver.signal(SIGTERM)
            #expect(try receiver.waitForExit(within: 10) == .exited(130))
            let refused = try transfer.receive(["--relay", "\(relay.address)", "--no-tls"], password: "wrong")
            #expect(try refused.waitForExit(within: 20) == .exited(1))
        }

        // MARK: What goes wrong

        @Test("wrong password, unknown user: exit status 1, and which user it was")
        func wrongPassword() throws {
            let relay = try RelayProcess()
            let transfer = try Transfer(size: 1)
            for (user, password) in [("bob", "wrong"), ("nobody", "x")] {
                let receiver = try transfer.receive(
                    ["--relay", "\(relay.address)", "--no-tls"], user: user, password: password)
                #expect(try receiver.waitForExit(within: 20) == .exited(1))
                #expect(receiver.standardError.contains("wrong user name or password for \(user)@example.com"))
            }
        }

        @Test("AUTH without TLS is refused by a relay that is not under test, and the tool names the reason")
        func plainAuth() throws {
            let relay = try RelayProcess(["Relay": ["debug_notls": "No"]])
            let transfer = try Transfer(size: 1)
            let receiver = try transfer.receive(["--relay", "\(relay.address)", "--no-tls"])
            #expect(try receiver.waitForExit(within: 20) == .exited(1))
            #expect(receiver.standardError.contains("over TLS only"), "\(receiver.standardError)")
        }

        @Test("a password file is read; without any password nothing is sent")
        func passwordFile() throws {
            let relay = try RelayProcess()
            let transfer = try Transfer(size: 1)
            let file = try transfer.folder.write("\(RelayProcess.password(of: "bob"))\n", to: "password")
            let arguments = ["--relay", "\(relay.address)", "--no-tls"]
            let good = try transfer.receive(arguments + ["--password-file", file], password: "")
            _ = try Transfer.path(of: good)
            good.signal(SIGTERM)
            #expect(try good.waitForExit(within: 10) == .exited(130))
            let none = try transfer.receive(arguments, password: "")
            #expect(try none.waitForExit(within: 10) == .exited(64))
            #expect(none.standardError.contains("CONFD_PASSWORD"))
        }

        @Test("no such host, nobody there: exit status 2, and where it was")
        func nobody() throws {
            let transfer = try Transfer(size: 1)
            let port = try StreamListener().port
            for (relay, words) in [
                ("relay.invalid:2855", "relay.invalid:2855: no such host"), ("127.0.0.1:\(port)", "nobody there"),
            ] {
                let receiver = try transfer.receive(["--relay", relay, "--no-tls"])
                #expect(try receiver.waitForExit(within: 30) == .exited(2))
                #expect(receiver.standardError.contains(words), "\(receiver.standardError)")
            }
            let sender = try transfer.send(to: "msrp://127.0.0.1:\(port)/x;tcp msrp://10.0.0.1:9/y;tcp", [])
            #expect(try sender.waitForExit(within: 30) == .exited(2))
        }

        @Test("a certificate that nobody vouches for is refused, unless it need not be (RFC 4976 section 9.2)")
        func untrusted() throws {
            let relay = try CheckedRelay()
            let transfer = try Transfer(size: 1)
            let refused = try transfer.receive(["--relay", "\(relay.relay.address)"])
            #expect(try refused.waitForExit(within: 20) == .exited(2))
            #expect(refused.standardError.contains("--trust"))
            let taken = try transfer.receive(["--relay", "\(relay.relay.address)", "--no-verify"])
            _ = try Transfer.path(of: taken)
            taken.signal(SIGTERM)
            #expect(try taken.waitForExit(within: 10) == .exited(130))
        }

        @Test("a path that leads to no session is refused: exit status 1, and what to do")
        func unknownSession() throws {
            let relay = try RelayProcess()
            let transfer = try Transfer(size: 1)
            let sender = try transfer.send(
                to: "msrp://\(relay.address)/\(String(repeating: "0", count: 32));tcp msrp://10.0.0.1:9/y;tcp", [])
            #expect(try sender.waitForExit(within: 30) == .exited(1))
            #expect(sender.standardError.contains("481") && sender.standardError.contains("ask the receiver"))
        }
    }
}
