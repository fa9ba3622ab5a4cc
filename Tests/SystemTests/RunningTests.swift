import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("Ways of running")
    struct RunningTests {
        private static func text(_ sections: String, state: String) -> String {
            "\(sections)\n[Conference]\nstate_directory = \(state)\n"
        }

        private func run(_ arguments: [String], in folder: TemporaryFolder, name: String = "run") throws -> ChildProcess
        {
            try ChildProcess(ConfdProcess.executable, arguments, folder: folder.path, name: name)
        }

        /// Whether anybody takes connections there.
        private func answers(_ address: SocketAddress) -> Bool { (try? ByteStream(to: address, within: 2)) != nil }

        /// Inodes of the sockets that a process listens or waits for datagrams on, by table of /proc/net.
        private func listening(_ process: Int32, _ table: String, state: String) throws -> Int {
            let folder = "/proc/\(process)/fd"
            let owned = Set(
                try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
                    try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
                })
            let lines = try String(contentsOfFile: "/proc/\(process)/net/\(table)", encoding: .utf8).split(
                separator: "\n")
            return lines.dropFirst().count { line in
                let words = line.split(separator: " ")
                return words.count > 9 && words[3] == state && owned.contains("socket:[\(words[9])]")
            }
        }

        @Test("without [SIP] there is the relay alone: one TCP port and no other socket of the network")
        func relayAlone() throws {
            let relay = try RelayProcess()
            #expect(!relay.readyLine.contains("sip=") && !relay.readyLine.contains("relay="))
            #expect(relay.readyLine.contains("msrp=\(relay.address)"))
            let process = relay.process.identifier
            #expect(try listening(process, "tcp", state: "0A") == 1)
            for table in ["udp", "udp6", "tcp6"] {
                #expect(try listening(process, table, state: table.hasPrefix("udp") ? "07" : "0A") == 0, "\(table)")
            }
            #expect(try relay.client().usePath.count == 1)
            #expect(try relay.terminate() == .exited(0))
        }

        @Test("rooms and relay share a port, or have one each")
        func addresses() throws {
            let shared = try ConfdProcess(RelayProcess.options())
            #expect(!shared.readyLine.contains("relay="))
            #expect(try RawRelayClient(to: shared.msrp).authenticate().status == 200)
            let own = try ConfdProcess(RelayProcess.options(["Relay": ["address": "127.0.0.3:0"]]))
            #expect(own.readyLine.contains(" relay=127.0.0.3:"))
            let address = try RelayProcess.relayAddress(in: own.readyLine)
            #expect(address.port != own.msrp.port)
            let client = try RawRelayClient(to: address)
            #expect(try client.authenticate().status == 200)
            #expect(client.usePath.first?.contains(":\(address.port)/") == true)
            let alice = try Participant("alice", in: "sip:both@127.0.0.1", of: own)
            #expect(try alice.say("still a room") == 200)
        }

        @Test("an address may be a host's name")
        func hostName() throws {
            let relay = try RelayProcess(["Relay": ["address": "localhost:0"]])
            #expect(["127.0.0.1", "::1"].contains(relay.address.host))
            #expect(try relay.client().usePath.count == 1)
            let folder = try TemporaryFolder()
            let file = try folder.write("[Relay]\naddress = nobody.invalid\nbackend = memory\n", to: "config.ini")
            let child = try run(["serve", "--config-file", file], in: folder)
            #expect(try child.waitForExit(within: 60) == .exited(1))
            #expect(child.standardError.contains("\(file):2: [Relay] address: 'nobody.invalid' can't be found"))
        }

        @Test("certificates are looked for beside the file, and hostname has to be one of their names")
        func certificates() throws {
            let folder = try TemporaryFolder()
            let (certificate, key) = try TestAuthority().issue(["relay.example.com", "*.example.org"])
            _ = try folder.write(certificate, to: "relay.crt")
            _ = try folder.write(key, to: "relay.key")
            let sections =
                "[Relay]\naddress = 127.0.0.1:0\nbackend = memory\ncertificate = relay.crt\nkey = relay.key\n"
            let file = try folder.write(Self.text(sections, state: "\(folder.path)/state"), to: "config.ini")
            let check = try Tool.run(ConfdProcess.executable, ["check-config", "--config-file", file])
            #expect(check.exit == .exited(0), "\(check.output)")
            #expect(check.output.hasSuffix("\(file): no problems\n"))

            let wrong = sections + "hostname = relay.example.net\n"
            _ = try folder.write(Self.text(wrong, state: "\(folder.path)/state"), to: "config.ini")
            let refused = try Tool.run(ConfdProcess.executable, ["check-config", "--config-file", file])
            #expect(refused.exit == .exited(1))
            #expect(
                refused.output.contains(
                    "\(file):6: [Relay] hostname: 'relay.example.net' is not among the certificate's names "
                        + "(relay.example.com, *.example.org)"))
        }

        @Test("check-config finds no problem in the sample of all msrprelay options, and notes what differs")
        func sampleIsChecked() throws {
            let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            for name in ["relay-only.ini", "msrprelay-compatible.ini"] {
                let file = root.appending(path: "sample-configs/\(name)").path
                let result = try Tool.run(ConfdProcess.executable, ["check-config", "--config-file", file])
                #expect(result.exit == .exited(0), "\(result.output)")
                #expect(result.output.hasSuffix("\(file): no problems\n"))
                #expect(result.output.contains("note: no [SIP] section: the relay runs alone"))
                #expect(result.output.contains("[Relay] maximum_expires: an Expires in AUTH is kept to"))
            }
        }

        @Test(
            "accounts in a database that can't be asked end the start with file, line and what to do",
            arguments: ["mysql://opensips:opensips@db/opensips", "sqlite:////nowhere/accounts.sqlite"])
        func wrongDatabase(_ uri: String) throws {
            let folder = try TemporaryFolder()
            let sections = "[Relay]\naddress = 127.0.0.1:0\n[Database]\nuri = \(uri)\n"
            let file = try folder.write(Self.text(sections, state: "\(folder.path)/state"), to: "config.ini")
            for arguments in [["serve", "--config-file", file], ["check-config", "--config-file", file]] {
                let child = try run(arguments, in: folder)
                #expect(try child.waitForExit(within: 20) == .exited(1))
                #expect((child.standardError + child.standardOutput).contains("\(file):4: [Database] uri: "))
            }
        }

        @Test("msrprelay's command line is understood: --no-fork, --config-dir, --runtime-dir, --systemd")
        func commandLine() throws {
            let folder = try TemporaryFolder()
            let sections = "[Relay]\naddress = 127.0.0.1:0\nbackend = memory\n[Log]\nlevel = info\n"
            _ = try folder.write(Self.text(sections, state: "\(folder.path)/state"), to: "config.ini")
            let child = try run(
                ["serve", "--no-fork", "--config-dir", folder.path, "--runtime-dir", folder.path], in: folder)
            _ = try child.line(startingWith: "confd ready: msrp=127.0.0.1:", within: 20)
            let file = "\(folder.path)/confd.pid"
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "\(child.identifier)\n")

            let second = try run(
                ["serve", "--config-dir", folder.path, "--runtime-dir", folder.path], in: folder, name: "second")
            #expect(try second.waitForExit(within: 20) == .exited(1))
            #expect(second.standardError.contains("confd runs already as process \(child.identifier)"))
            #expect(child.isRunning)

            child.signal(SIGTERM)
            #expect(try child.waitForExit(within: 8) == .exited(0))
            #expect(!FileManager.default.fileExists(atPath: file))

            let systemd = try run(["serve", "--systemd", "--config-dir", folder.path], in: folder, name: "systemd")
            _ = try systemd.line(startingWith: "confd ready:", within: 20)
            if !FileManager.default.fileExists(atPath: "/run/systemd/journal/socket") {
                // Where journald's socket is not there, standard error has its prefix (sd-daemon(3)).
                #expect(systemd.standardError.hasPrefix("<6>confd: starting"))
            }
            systemd.signal(SIGTERM)
            #expect(try systemd.waitForExit(within: 8) == .exited(0))
        }

        /// Parent and session of a process.
        private func ancestry(_ process: Int32) throws -> (parent: Int32, session: Int32) {
            let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
            let words = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
            guard words.count > 4, let parent = Int32(words[2]), let session = Int32(words[4]) else {
                throw SupportError("can't read \(text)")
            }
            return (parent, session)
        }

        @Test("--daemon returns when the server is ready, and leaves it in a session of its own")
        func daemon() throws {
            let folder = try TemporaryFolder()
            let sections = "[Relay]\naddress = 127.0.0.1:0\nbackend = memory\n[Log]\nlevel = info\ntarget = stderr\n"
            let file = try folder.write(Self.text(sections, state: "state"), to: "config.ini")
            let arguments = ["serve", "--config-file", file, "--daemon"]
            let starter = try run(arguments, in: folder)
            #expect(try starter.waitForExit(within: 20) == .exited(0))
            let pidFile = "\(folder.path)/state/confd.pid"
            let daemon = try #require(
                Int32(try String(contentsOfFile: pidFile, encoding: .utf8).trimmingCharacters(in: .newlines)))
            defer { kill(daemon, SIGKILL) }
            #expect(starter.standardOutput.hasPrefix("confd ready: msrp=127.0.0.1:"))
            #expect(starter.standardOutput.hasSuffix(" pid=\(daemon)\n"))
            #expect(daemon != starter.identifier)
            let (parent, session) = try ancestry(daemon)
            #expect(parent != getpid() && parent != starter.identifier && session == daemon)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(daemon)/fd/1") == "/dev/null")
            #expect(answers(try RelayProcess.relayAddress(in: starter.standardOutput)))

            let second = try run(arguments, in: folder, name: "second")
            #expect(try second.waitForExit(within: 20) == .exited(1))
            #expect(second.standardError.contains("confd runs already as process \(daemon)"))
            #expect(second.standardOutput == "")

            kill(daemon, SIGTERM)
            let deadline = Deadline.after(seconds: 8)
            while FileManager.default.fileExists(atPath: pidFile), !deadline.passed { usleep(10_000) }
            #expect(!FileManager.default.fileExists(atPath: pidFile))
            // Log lines went on to where standard error was, as the configuration has it.
            #expect(starter.standardError.contains(" confd: ended"))
        }

        @Test(
            "--daemon fails with the text of what is wrong",
            arguments: [
                ("[Relay]\nadress = 127.0.0.1:0\n", ":2: [Relay] adress: unknown option"),
                (
                    "[Relay]\naddress = 192.0.2.77:2855\nbackend = memory\n",
                    ":2: [Relay] address: can't listen on 192.0.2.77:2855"
                ),
            ])
        func daemonFails(_ sections: String, text: String) throws {
            let folder = try TemporaryFolder()
            let file = try folder.write(Self.text(sections, state: "state"), to: "config.ini")
            let starter = try run(["serve", "--config-file", file, "--daemon"], in: folder)
            #expect(try starter.waitForExit(within: 20) == .exited(1))
            #expect(starter.standardError.contains("\(file)\(text)"), "\(starter.standardError)")
            #expect(starter.standardOutput == "")
            #expect(
                !FileManager.default.fileExists(atPath: "\(folder.path)/state/confd.pid")
                    || {
                        let pid = try? String(contentsOfFile: "\(folder.path)/state/confd.pid", encoding: .utf8)
                        return pid.flatMap { Int32($0.trimmingCharacters(in: .newlines)) }.map { kill($0, 0) != 0 }
                            ?? true
                    }())
        }

        @Test("systemd is told when the server is ready, reads its configuration again, and ends (sd_notify(3))")
        func notification() throws {
            let folder = try TemporaryFolder()
            let path = "\(folder.path)/notify"
            let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            defer { close(receiver) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(receiver, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(bound == 0)
            var wait = timeval(tv_sec: 10, tv_usec: 0)
            setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
            func next() -> String {
                var buffer = [UInt8](repeating: 0, count: 1024)
                let count = recv(receiver, &buffer, buffer.count, 0)
                return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
            }
            let sections = "[Relay]\naddress = 127.0.0.1:0\nbackend = memory\n"
            let file = try folder.write(Self.text(sections, state: "\(folder.path)/state"), to: "config.ini")
            let child = try ChildProcess(
                ConfdProcess.executable, ["serve", "--config-file", file], folder: folder.path, name: "notifying",
                environment: ["NOTIFY_SOCKET": path])
            #expect(next() == "READY=1")
            child.signal(SIGHUP)
            #expect(next().hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
            #expect(next() == "READY=1")
            child.signal(SIGTERM)
            #expect(next() == "STOPPING=1")
            #expect(try child.waitForExit(within: 8) == .exited(0))
        }

        @Test("what can't go together is refused")
        func together() throws {
            let folder = try TemporaryFolder()
            let child = try run(["serve", "--daemon", "--no-fork"], in: folder)
            #expect(try child.waitForExit(within: 20) != .exited(0))
            #expect(child.standardError.contains("--daemon"))
        }
    }
}
