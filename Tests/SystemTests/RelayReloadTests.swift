import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("The relay: HUP")
    struct RelayReloadTests {
        @Test("bound and unbound sessions live on, and new ones follow the new file")
        func sessionsLiveOn() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair(tls: true)
            let unbound = try relay.client("bob")
            let open = outsider.newID()
            let pattern = BodyPattern()
            try outsider.stream.send(
                "MSRP \(open) SEND\r\nTo-Path: \(outsider.toPath)\r\nFrom-Path: \(outsider.uri)\r\nMessage-ID: long\r\n"
                    + "Byte-Range: 1-*/20000\r\nContent-Type: text/plain\r\n\r\n")
            try outsider.stream.send(pattern.bytes(offset: 0, count: 10_000))
            _ = try client.openChunk()
            try relay.reload(["Memory": ["newcomer@example.com": "fresh"], "Relay": ["default_expires": "700"]])
            let deadline = Deadline.after(seconds: 10)
            var status = 0
            while status != 200, !deadline.passed {
                let newcomer = try RawRelayClient(to: relay.address)
                let response = try newcomer.authenticate(as: "newcomer", password: "fresh")
                status = response.status
                if status == 200 { #expect(response["Expires"] == "700") }
            }
            #expect(status == 200)
            try outsider.stream.send(pattern.bytes(offset: 10_000, count: 10_000))
            try outsider.stream.send("\r\n-------\(open)$\r\n")
            #expect(try client.nextWhole(messageID: "long").body == pattern.bytes(offset: 0, count: 20_000))
            #expect(try outsider.response(to: open).status == 200)
            #expect(try outsider.say("lives on") == 200)
            #expect(try client.hears() == "lives on")
            try RelayProcess.bind(try relay.outsider(for: unbound), to: unbound)
        }

        @Test("a bad file changes nothing, and the log says why")
        func badFile() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            try relay.reload(["Relay": ["max_auth_attempts": "many"], "Memory": ["newcomer@example.com": "fresh"]])
            _ = try relay.awaitLog("max_auth_attempts")
            #expect(try outsider.say("lives on") == 200)
            #expect(try client.hears() == "lives on")
            #expect(try relay.client("bob").usePath.count == 1)
            let newcomer = try RawRelayClient(to: relay.address)
            #expect(try newcomer.authenticate(as: "newcomer", password: "fresh").status == 403)
            #expect(relay.process.isRunning)
        }

        @Test("an account that is gone from [Memory] gets no new session; its running one lives on")
        func accountRemoved() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair("carol")
            try relay.reload(["Memory": ["carol@example.com": "changed"]])
            let deadline = Deadline.after(seconds: 10)
            var status = 200
            while status == 200, !deadline.passed {
                status = try RawRelayClient(to: relay.address).authenticate(as: "carol").status
            }
            #expect(status == 403)
            let again = try RawRelayClient(to: relay.address)
            #expect(try again.authenticate(as: "carol", password: "changed").status == 200)
            #expect(try outsider.say("lives on") == 200)
            #expect(try client.hears() == "lives on")
        }

        @Test("the end of a session leaves one line: account, peers, octets each way, reason")
        func endLine() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            #expect(try outsider.say("counted") == 200)
            #expect(try client.hears() == "counted")
            client.close()
            let line = try relay.awaitLog("alice@example.com", "127.0.0.1:\(client.stream.localPort)")
            #expect(line.contains("127.0.0.1:\(outsider.stream.localPort)"), "\(line)")
            // Nobody's messages or passwords are in the log.
            #expect(!relay.log.contains("counted"))
            #expect(!relay.log.contains(RelayProcess.password(of: "alice")))
        }

        @Test("confd status counts sessions, octets, AUTH by outcome and refusals")
        func counters() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            _ = try RawRelayClient(to: relay.address).authenticate(password: "wrong")
            let third = try RawRelayClient(to: relay.address)
            third.peer = client.path
            #expect(try third.bind().status == 481)
            #expect(try outsider.say(String(repeating: "x", count: 1000)) == 200)
            _ = try client.hears()
            let status = try relay.status()
            #expect(status.sessions == 1)
            #expect(status.count("authOutcomes", "200") == 1)
            #expect(status.count("authOutcomes", "401") == 2)
            #expect(status.count("authOutcomes", "403") == 1)
            // Whoever knows no session never gets as far as the relay.
            #expect(
                status.count("refusals", "481") + (status.transport["unknownSessions"] as? Int ?? 0) >= 1,
                "\(status.text)")
            #expect((status.counters["bytesFromPeers"] as? Int ?? 0) > 1000)
            #expect((status.counters["messages"] as? Int ?? 0) >= 2)
            client.close()
            outsider.close()
            try relay.awaitSessions(0)
        }
    }
}
