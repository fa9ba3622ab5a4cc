import Foundation
import Support
import Testing

extension SystemTests {
    /// No third party can inject into, take over, or probe for a session (RFC 4976 section 9.3).
    @Suite("The relay: who may do what")
    struct RelaySecurityTests {
        @Test("a third party gets 481, the same as for a session that is none, and the pair goes on")
        func thirdParty() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let unbound = try relay.client("bob")
            func answer(to session: String, _ method: String, from: String? = nil) throws -> String {
                let third = try RawRelayClient(to: relay.address)
                let id = "probe1234"
                try third.stream.send(
                    third.requestBytes(
                        method, id: id, to: "\(session) \(client.uri)", from: from,
                        fields: "Message-ID: p\r\nByte-Range: 1-1/1\r\nUse-Nickname: \"x\"\r\n", body: [65]))
                let response = try third.response(to: id)
                #expect(response.status == 481)
                // What names the session asked for is no news to who asked.
                return String(decoding: response.rawHead, as: UTF8.self).replacingOccurrences(of: session, with: "S")
                    .replacingOccurrences(of: from ?? third.uri, with: "F")
            }
            let nothing = "msrp://127.0.0.1:\(relay.address.port)/\(String(repeating: "0f", count: 16));tcp"
            for method in ["SEND", "NICKNAME", "DANCE"] {
                let expected = try answer(to: nothing, method)
                #expect(try answer(to: client.usePath[0], method) == expected)
                // Not even under the bound peer's name.
                #expect(try answer(to: client.usePath[0], method, from: outsider.uri) == expected)
                #expect(try answer(to: nothing, method, from: outsider.uri) == expected)
            }
            #expect(try outsider.say("still ours") == 200)
            #expect(try client.hears() == "still ours")
            #expect(try client.say("and back") == 200)
            #expect(try outsider.hears() == "and back")
            #expect(try client.leftovers(after: 0.1).isEmpty)
            _ = unbound
        }

        @Test("a REPORT or a response from a third party reaches nobody")
        func strangersReport() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let third = try RawRelayClient(to: relay.address)
            third.peer = client.path
            try third.post("REPORT", fields: "Message-ID: m\r\nByte-Range: 1-1/1\r\nStatus: 000 413 Stop\r\n")
            #expect(try client.nextIfAny(within: 0.3) == nil)
            #expect(try outsider.say("fine") == 200)
            #expect(try client.hears() == "fine")
        }

        @Test("with a session of one's own one does not get into another's (forged To-Path)")
        func forgedToPath() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair("alice")
            let (mallory, accomplice) = try relay.pair("mallory")
            let fields = "Message-ID: f\r\nByte-Range: 1-1/1\r\n"
            let wrong: [(RawRelayClient, String)] = [
                // The victim's session as the first hop, from either of the attacker's ends.
                (mallory, "\(client.usePath[0]) \(outsider.uri)"), (mallory, "\(client.usePath[0]) \(client.uri)"),
                (accomplice, "\(client.usePath[0]) \(client.uri)"),
                (accomplice, "\(client.usePath[0]) \(outsider.uri)"),
                // Its own session, then the victim's ends.
                (mallory, "\(mallory.usePath[0]) \(outsider.uri)"),
                (accomplice, "\(mallory.usePath[0]) \(client.uri)"),
                (mallory, "\(mallory.usePath[0]) \(client.usePath[0]) \(client.uri)"),
            ]
            for (sender, path) in wrong {
                let id = try sender.post("SEND", to: path, fields: fields, body: [88])
                #expect(try sender.response(to: id).status == 481, "\(path)")
                let asked = try sender.post("NICKNAME", to: path, fields: "Use-Nickname: \"x\"\r\n")
                #expect(try sender.response(to: asked).status == 481, "\(path)")
            }
            #expect(try client.leftovers(after: 0.2).isEmpty)
            #expect(try outsider.leftovers(after: 0.1).isEmpty)
            #expect(try mallory.say("own session") == 200)
            #expect(try accomplice.hears() == "own session")
        }

        @Test("the client's own end cannot be taken by whoever knows its URI")
        func clientLeg() throws {
            let relay = try RelayProcess()
            let client = try relay.client()
            // Before the session is bound, someone poses as the client and would bind its peer.
            let poser = try RawRelayClient(to: relay.address)
            let listener = try StreamListener()
            let id = try poser.post(
                "SEND", to: "\(client.usePath[0]) msrp://127.0.0.1:\(listener.port)/trap;tcp", from: client.uri,
                fields: poser.emptyFields)
            #expect(try poser.response(to: id).status == 481)
            #expect(throws: SupportError.self) { try listener.accept(within: 0.2) }
            let outsider = try relay.outsider(for: client)
            try RelayProcess.bind(outsider, to: client)
        }

        @Test("a session ends with its client's connection (RFC 4976 section 6.3)")
        func sessionEnds() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let unbound = try relay.client("bob")
            for gone in [client, unbound] {
                gone.close()
                var status = 0
                let deadline = Deadline.after(seconds: 5)
                // The relay sees the end when it reads it.
                while status != 481, !deadline.passed {
                    let late = try RawRelayClient(to: relay.address)
                    late.peer = gone.path
                    status = try late.bind().status
                }
                #expect(status == 481)
            }
            #expect(outsider.closes(within: 5))
        }

        @Test("Expires in AUTH is enforced: the URI ends, and both sides are told (RFC 4976 section 6.3)")
        func expiry() throws {
            let relay = try RelayProcess(["Relay": ["minimum_expires": "1"]])
            let client = try relay.client(expires: "2")
            let refreshed = try relay.client("bob", expires: "2")
            let unbound = try relay.client("carol", expires: "2")
            let outsider = try relay.outsider(for: client)
            try RelayProcess.bind(outsider, to: client)
            let other = try relay.outsider(for: refreshed)
            try RelayProcess.bind(other, to: refreshed)
            #expect(try refreshed.authenticate(as: "bob", target: refreshed.usePath[0], expires: "60").status == 200)
            #expect(outsider.closes(within: 8))
            #expect(client.closes(within: 2))
            let late = try RawRelayClient(to: relay.address)
            for path in [client.path, unbound.path] {
                late.peer = path
                var status = try late.bind().status
                let deadline = Deadline.after(seconds: 3)
                while status != 481, !deadline.passed { status = try late.bind().status }
                #expect(status == 481)
            }
            #expect(try other.say("refreshed") == 200)
            #expect(try refreshed.hears() == "refreshed")
        }

        @Test("without Expires a bound session lives on, an unbound one ends at default_expires")
        func noExpiry() throws {
            let relay = try RelayProcess([
                "Relay": ["minimum_expires": "1", "default_expires": "2", "maximum_expires": "3"]
            ])
            let (client, outsider) = try relay.pair()
            let unbound = try relay.client("bob")
            let late = try RawRelayClient(to: relay.address)
            late.peer = unbound.path
            #expect(unbound.closes(within: 6))
            #expect(try late.bind().status == 481)
            #expect(try outsider.say("as long as its connection") == 200)
            #expect(try client.hears() == "as long as its connection")
        }

        @Test("maximum_session_time ends a session that would live on")
        func maximumTime() throws {
            let relay = try RelayProcess([
                "Relay": ["minimum_expires": "1", "default_expires": "1", "maximum_session_time": "3"]
            ])
            let (client, outsider) = try relay.pair()
            #expect(client.closes(within: 8))
            #expect(outsider.closes(within: 3))
        }

        @Test("a receiver who learns the outgoing id cannot make its writer forge frames (RFC 4975 section 7.1)")
        func endLineAttack() throws {
            let relay = try RelayProcess()
            let (attacker, victim) = try relay.pair("mallory")
            // The attacker's friend is the receiver here: both ids are known while the chunk is still open.
            let id = attacker.newID()
            try attacker.stream.send(
                "MSRP \(id) SEND\r\nTo-Path: \(attacker.toPath)\r\nFrom-Path: \(attacker.uri)\r\nMessage-ID: evil\r\n"
                    + "Byte-Range: 1-*/*\r\nContent-Type: application/octet-stream\r\n\r\n"
                    + String(repeating: "x", count: 4096))
            let (head, prefix) = try victim.openChunk()
            let outgoing = head.transactionID
            #expect(outgoing != id)
            let forged =
                "\r\n-------\(outgoing)$\r\nMSRP forged01 SEND\r\nTo-Path: \(victim.uri)\r\n"
                + "From-Path: \(attacker.usePath[0]) \(attacker.uri)\r\nMessage-ID: forged\r\nByte-Range: 1-4/4\r\n"
                + "Content-Type: text/plain\r\n\r\nevil\r\n-------forged01$\r\n"
            // In pieces, so that the mark is cut at every place.
            for octet in forged.utf8 { try attacker.stream.send([octet]) }
            try attacker.stream.send("the end\r\n-------\(id)$\r\n")
            #expect(try attacker.response(to: id).status == 200)
            let whole = try victim.finishMessage(head, prefix)
            let expected = String(repeating: "x", count: 4096) + forged + "the end"
            #expect(String(decoding: whole.body, as: UTF8.self) == expected)
            #expect(whole.chunks > 1)
            #expect(try victim.leftovers(after: 0.2).isEmpty)
        }
    }
}
