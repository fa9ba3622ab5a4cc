import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("Reading the configuration again")
    struct ReloadTests {
        /// A port that nobody listens on now.
        private func freePort() throws -> UInt16 { try StreamListener().port }

        private func isOpen(_ port: UInt16, host: String = "127.0.0.1") -> Bool {
            (try? ByteStream(to: SocketAddress(host: host, port: port), within: 2)) != nil
        }

        @Test("listeners move without dropping sessions, from an address to a wildcard and back too")
        func listenersMove() throws {
            let first = try freePort()
            let relay = try RelayProcess(port: first)
            let (client, outsider) = try relay.pair(tls: true)
            let second = try freePort()
            try relay.reload(["Relay": ["address": "127.0.0.1:\(second)"]])
            _ = try relay.awaitLog("read again", "[Relay] address")
            #expect(!isOpen(first) && isOpen(second))
            #expect(try outsider.say("still here") == 200)
            #expect(try client.hears() == "still here")
            let moved = try RawRelayClient(to: SocketAddress(host: "127.0.0.1", port: second))
            #expect(try moved.authenticate(as: "bob").status == 200)
            #expect(moved.usePath.first?.contains(":\(second)/") == true)

            // The system has no wildcard listener beside a specific one.
            for (address, host) in [("0.0.0.0:\(second)", "127.0.0.2"), ("127.0.0.1:\(second)", "127.0.0.1")] {
                let told = relay.log.components(separatedBy: "read again").count
                try relay.reload(["Relay": ["address": address]])
                let deadline = Deadline.after(seconds: 10)
                while relay.log.components(separatedBy: "read again").count == told, !deadline.passed { usleep(10_000) }
                #expect(isOpen(second, host: host))
            }
            #expect(!isOpen(second, host: "127.0.0.2"))
            #expect(try outsider.say("and now") == 200)
            #expect(try client.hears() == "and now")
        }

        @Test("a listener that can't be opened is told with file and line, and nothing else of the file is taken")
        func listenerInUse() throws {
            let relay = try RelayProcess()
            let taken = try RelayProcess()
            let (client, outsider) = try relay.pair()
            try relay.reload([
                "Relay": ["address": "\(taken.address)"], "Memory": ["newcomer@example.com": "fresh"],
            ])
            let line = try relay.awaitLog("[Relay] address", "in use")
            #expect(line.contains("\(relay.configurationFile):"), "\(line)")
            _ = try relay.awaitLog("the one before stays in force")
            #expect(isOpen(relay.address.port))
            #expect(try RawRelayClient(to: relay.address).authenticate(as: "newcomer", password: "fresh").status == 403)
            #expect(try outsider.say("still here") == 200)
            #expect(try client.hears() == "still here")
        }

        @Test("every problem of a bad file is told with its line; so is a file that is gone")
        func badFile() throws {
            let relay = try RelayProcess()
            try relay.reload(["Relay": ["window": "much", "certificate": "x.pem"], "Conferense": ["x": "y"]])
            for text in [
                "[Relay] window: 'much' is not a size", "[Relay] certificate: file 'x.pem' not found",
                "[Conferense]: unknown section",
            ] {
                let line = try relay.awaitLog(text)
                #expect(line.contains("\(relay.configurationFile):"), "\(line)")
            }
            _ = try relay.awaitLog("the one before stays in force")
            try FileManager.default.removeItem(atPath: relay.configurationFile)
            relay.process.signal(SIGHUP)
            _ = try relay.awaitLog("configuration file '\(relay.configurationFile)' not found")
            #expect(try relay.client().usePath.count == 1)
        }

        @Test("what waits for a restart is told, and the rest is taken")
        func waitsForRestart() throws {
            let relay = try RelayProcess()
            try relay.reload([
                "MSRP": ["max_message_size": "5 MiB", "silent_timeout": "20 s"], "Log": ["level": "debug"],
            ])
            let taken = try relay.awaitLog("read again")
            #expect(taken.contains("[MSRP] silent_timeout") && taken.contains("[Log] level"), "\(taken)")
            let waiting = try relay.awaitLog("not before a restart")
            #expect(waiting.contains("[MSRP] max_message_size") && !waiting.contains("silent_timeout"), "\(waiting)")
        }

        /// The subject of the certificate that a port shows to whom asks for `name`.
        private func subject(_ port: UInt16, name: String) throws -> String {
            let shown = try Tool.run(
                "openssl", ["s_client", "-connect", "127.0.0.1:\(port)", "-servername", name], input: "\n")
            let pem = shown.output
            guard let begin = pem.range(of: "-----BEGIN CERTIFICATE-----"),
                let end = pem.range(of: "-----END CERTIFICATE-----")
            else { throw SupportError("no certificate in \(pem) \(shown.errors)") }
            return try Tool.run(
                "openssl", ["x509", "-noout", "-subject", "-serial"],
                input: String(pem[begin.lowerBound..<end.upperBound]) + "\n"
            ).output
        }

        @Test(
            "new connections see the renewed certificate, running sessions live on, and names choose among several",
            .enabled(if: Tool.exists("openssl"), "openssl is not installed"))
        func certificates() throws {
            let authority = try TestAuthority()
            let folder = try TemporaryFolder()
            func write(_ names: [String], _ file: String) throws {
                let (certificate, key) = try authority.issue(names, address: true)
                _ = try folder.write(certificate, to: "\(file).crt")
                _ = try folder.write(key, to: "\(file).key")
            }
            try write(["one.example.com"], "relay")
            let files = ["certificate": "\(folder.path)/relay.crt", "key": "\(folder.path)/relay.key"]
            let relay = try RelayProcess(["Relay": files])
            let (client, outsider) = try relay.pair(tls: true)
            #expect(try subject(relay.address.port, name: "one.example.com").contains("one.example.com"))

            try write(["two.example.com"], "relay")
            try write(["chat.example.org"], "other")
            let other = ["certificate": "\(folder.path)/other.crt", "key": "\(folder.path)/other.key"]
            try relay.reload(["Certificate chat.example.org": other])
            _ = try relay.awaitLog("read again", "certificates")
            #expect(try subject(relay.address.port, name: "two.example.com").contains("two.example.com"))
            #expect(try subject(relay.address.port, name: "chat.example.org").contains("chat.example.org"))
            #expect(try subject(relay.address.port, name: "unknown.example.net").contains("two.example.com"))
            #expect(try outsider.say("still here") == 200)
            #expect(try client.hears() == "still here")

            // A key that is another certificate's: nothing changes.
            _ = try folder.write(try authority.issue(["three.example.com"]).certificate, to: "relay.crt")
            relay.process.signal(SIGHUP)
            let line = try relay.awaitLog("[Relay] key", "does not belong")
            #expect(line.contains("\(relay.configurationFile):"), "\(line)")
            #expect(try subject(relay.address.port, name: "two.example.com").contains("two.example.com"))
        }

        @Test("rooms that were added can be called, and a relay that was added takes AUTH; calls live on")
        func roomsAndRelay() throws {
            let confd = try ConfdProcess(["Conference": ["adhoc_rooms": "No"], "Room old@127.0.0.1": [:]])
            let alice = try Participant("alice", in: "sip:old@127.0.0.1", of: confd)
            #expect(try RawRelayClient(to: confd.msrp).authenticate().status == 501)
            var options = RelayProcess.options([
                "MSRP": ["address": "\(confd.msrp)"], "Conference": ["adhoc_rooms": "No"],
                "Room old@127.0.0.1": [:], "Room new@127.0.0.1": [:],
            ])
            options["SIP"] = ["domains": "127.0.0.1, example.com"]
            _ = try confd.folder.write(
                ConfdProcess.configuration(options, folder: confd.folder.path), to: "confd.ini")
            confd.process.signal(SIGHUP)
            let deadline = Deadline.after(seconds: 10)
            while !confd.log.contains("read again"), !deadline.passed { usleep(10_000) }
            let bob = try Participant("bob", in: "sip:new@127.0.0.1", of: confd)
            #expect(try bob.say("hello") == 200)
            #expect(try alice.say("still here") == 200)
            #expect(try RawRelayClient(to: confd.msrp).authenticate().status == 200)
        }
    }
}
