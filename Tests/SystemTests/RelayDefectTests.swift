import Foundation
import Support
import Testing

extension SystemTests {
    /// What the predecessor and its peer got wrong; one test a defect.
    @Suite("The relay: defects not inherited")
    struct RelayDefectTests {
        // MARK: The predecessor's

        private static func session(_ client: RawRelayClient) -> String {
            String(client.usePath[0].split(separator: "/").last?.prefix { $0 != ";" } ?? "")
        }

        @Test("a session id is no nonce, and is told to nobody before it is reserved")
        func sessionIsNoNonce() throws {
            let relay = try RelayProcess()
            let client = try RawRelayClient(to: relay.address)
            let first = try client.auth(client.relayURI(RelayProcess.domain))
            #expect(try client.authenticate().status == 200)
            let said = first.fields.map(\.value) + [client.lastAnswer?.header ?? ""]
            let session = Self.session(client)
            #expect(session.utf8.count >= 22)
            #expect(said.allSatisfy { !$0.contains(session) })
            let nonce = try #require(client.lastAnswer?.challenge["nonce"])
            #expect(!session.contains(nonce))
        }

        @Test("an Authorization that is replayed from a second connection gets no session and takes none away")
        func replayedAuthorization() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let header = try #require(client.lastAnswer).header
            let thief = try RawRelayClient(to: relay.address)
            let stolen = try thief.auth(thief.relayURI(RelayProcess.domain), authorization: header)
            #expect(stolen.status != 200)
            #expect(stolen["Use-Path"] == nil)
            let toSession = try RawRelayClient(to: relay.address)
            #expect(try toSession.auth(client.usePath[0], authorization: header).status != 200)
            // Not before its use by its owner either: a nonce belongs to the connection it was given to.
            let owner = try RawRelayClient(to: relay.address)
            let challenge = try owner.challenge(in: try owner.auth(owner.relayURI(RelayProcess.domain)))
            let answer = owner.digestAnswer(
                to: challenge, as: "alice", password: RelayProcess.password(of: "alice"),
                target: owner.relayURI(RelayProcess.domain))
            let early = try RawRelayClient(to: relay.address)
            #expect(try early.auth(early.relayURI(RelayProcess.domain), authorization: answer.header).status != 200)
            #expect(try outsider.say("still mine") == 200)
            #expect(try client.hears() == "still mine")
        }

        @Test("a nonce says nothing about the client: random, of at least 128 bits")
        func nonceIsRandom() throws {
            let relay = try RelayProcess()
            var nonces = [String]()
            for _ in 0..<20 {
                let client = try RawRelayClient(to: relay.address)
                let parameters = try client.challenge(in: try client.auth(client.relayURI(RelayProcess.domain)))
                nonces.append(parameters["nonce"] ?? "")
            }
            #expect(Set(nonces).count == 20)
            for nonce in nonces {
                #expect(nonce.utf8.count >= 22)
                let decoded = Data(base64Encoded: nonce).map { String(decoding: $0, as: UTF8.self) } ?? ""
                for text in [nonce, decoded] { #expect(!text.contains("127.0.0.1") && !text.contains("7f000001")) }
            }
            // No place at which all agree beyond chance: nothing constant is inside.
            let columns = (0..<22).filter { at in Set(nonces.map { Array($0.utf8)[at] }).count == 1 }
            #expect(columns.isEmpty, "\(columns)")
        }

        @Test("Expires is enforced")
        func expiresIsEnforced() throws {
            let relay = try RelayProcess(["Relay": ["minimum_expires": "1"]])
            let client = try relay.client(expires: "1")
            let late = try relay.outsider(for: client)
            #expect(client.closes(within: 5))
            #expect(try late.bind().status == 481)
        }

        @Test("an Authorization with a parameter missing, or with uri=, is answered")
        func missingParameters() throws {
            let relay = try RelayProcess()
            for dialect in DigestDialect.allCases {
                for missing in ["username", "realm", "nonce", "qop", "cnonce", "nc", "response", "opaque", "uri"] {
                    let client = try RawRelayClient(to: relay.address, dialect: dialect)
                    let target = client.relayURI(RelayProcess.domain)
                    let challenge = try client.challenge(in: try client.auth(target))
                    let answer = client.digestAnswer(
                        to: challenge, as: "alice", password: RelayProcess.password(of: "alice"), target: target)
                    let parameters = answer.header.dropFirst(7).components(separatedBy: ", ")
                        .filter { !$0.lowercased().hasPrefix("\(missing)=") }
                    let header = "Digest " + parameters.joined(separator: ", ")
                    let response = try client.auth(target, authorization: header, within: 5)
                    // Without uri the request's own counts, and opaque proves nothing.
                    if missing == "uri" {
                        #expect(response.status == 200)
                    } else if missing != "opaque" {
                        #expect([400, 401, 403].contains(response.status), "\(dialect) \(missing): \(response)")
                    }
                }
            }
            for junk in ["", "Digest", "Digest ", "Digest =,=", "Digest username", "Digest username=\"", "Nothing x=y"]
            {
                let client = try RawRelayClient(to: relay.address)
                let response = try client.auth(client.relayURI(RelayProcess.domain), authorization: junk, within: 5)
                #expect([400, 401, 403].contains(response.status), "`\(junk)`: \(response)")
            }
        }

        @Test("names of header fields are known in any case")
        func headerCase() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            for upper in [true, false] {
                func spell(_ text: String) -> String { upper ? text.uppercased() : text.lowercased() }
                let id = outsider.newID()
                try outsider.stream.send(
                    "MSRP \(id) SEND\r\n\(spell("To-Path")): \(outsider.toPath)\r\n"
                        + "\(spell("From-Path")): \(outsider.uri)\r\n\(spell("Message-ID")): case\r\n"
                        + "\(spell("Failure-Report")): no\r\n\(spell("Byte-Range")): 1-2/2\r\n"
                        + "\(spell("Content-Type")): text/plain\r\n\r\nhi\r\n-------\(id)$\r\n")
                let came = try client.nextMessage()
                #expect(came.bodyText == "hi")
                #expect(String(decoding: came.rawHead, as: UTF8.self).contains(spell("Message-ID") + ": case\r\n"))
                #expect(try outsider.responseIfAny(to: id, within: 0.2) == nil)
            }
            // AUTH too.
            let other = try RawRelayClient(to: relay.address)
            let target = other.relayURI(RelayProcess.domain)
            let challenge = try other.challenge(in: try other.auth(target))
            let answer = other.digestAnswer(
                to: challenge, as: "bob", password: RelayProcess.password(of: "bob"), target: target)
            try other.stream.send(
                "MSRP casing AUTH\r\nTO-PATH: \(target)\r\nfrom-path: \(other.uri)\r\naUTHORIZATION: \(answer.header)\r\n"
                    + "EXPIRES: 77\r\n-------casing$\r\n")
            let response = try other.response(to: "casing")
            #expect(response.status == 200)
            #expect(response["Expires"] == "77")
        }

        @Test("a body without Content-Type keeps its blank line")
        func bodyWithoutType() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            try outsider.postMessage(Array("untyped".utf8), contentType: nil)
            let came = try client.nextMessage()
            #expect(came.bodyText == "untyped")
            #expect(came["Content-Type"] == nil)
            #expect(String(decoding: came.rawHead, as: UTF8.self).hasSuffix("\r\n\r\n"))
        }

        @Test("a header value with a second colon and blank is kept whole")
        func secondColon() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            try outsider.postMessage(Array("x".utf8), fields: "X-Note: first: second: third\r\n")
            #expect(try client.nextMessage()["X-Note"] == "first: second: third")
        }

        @Test("a URI parameter without a value is understood")
        func parameterWithoutValue() throws {
            let relay = try RelayProcess()
            let client = try relay.client()
            let stream = try ByteStream(to: relay.address)
            let uri = "msrp://127.0.0.1:\(stream.localPort)/odd;tcp;flag;key=value"
            let outsider = RawRelayClient(stream: stream, uri: uri)
            outsider.peer = client.path
            client.peer = [uri]
            try RelayProcess.bind(outsider, to: client)
            #expect(try client.say("to the odd one") == 200)
            #expect(try outsider.nextMessage()["To-Path"] == uri)
            let other = try RawRelayClient(to: relay.address)
            #expect(try other.auth("msrps://example.com:2855;tcp;flag").status == 401)
        }

        @Test("a URI without a port is connected to at 2855 (RFC 4975 section 6)")
        func defaultPort() throws {
            let relay = try RelayProcess()
            let client = try relay.client()
            // An address of its own, so that nobody else's 2855 is in the way.
            let listener = try StreamListener(host: "127.28.55.9", port: 2855)
            client.peer = ["msrp://127.28.55.9/portless;tcp"]
            #expect(try client.say("knock") == 200)
            let peer = RawRelayClient(stream: try listener.accept(), uri: client.peer[0])
            #expect(try peer.hears() == "knock")
        }

        @Test("forwarded REPORTs cost no memory")
        func reportsLeakNothing() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            var resident = [Int]()
            for round in 0..<5 {
                for _ in 0..<20 {
                    var bytes = [UInt8]()
                    for number in 0..<50 {
                        bytes += outsider.requestBytes(
                            "REPORT", id: outsider.newID(),
                            fields: "Message-ID: r\(round).\(number)\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n")
                    }
                    try outsider.stream.send(bytes)
                    for _ in 0..<50 { _ = try client.nextReport() }
                }
                resident.append(try relay.residentKiB())
            }
            // 1,000 a round; the predecessor kept 6.5 KiB of each.
            #expect(resident[4] - resident[0] < 2048, "\(resident)")
        }

        @Test("an end-line is found wherever reads cut it")
        func splitEndLine() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let text = "body---\r\n---"
            for cut in 0..<30 {
                let id = "cut" + String(cut + 100)
                let bytes = outsider.requestBytes(
                    "SEND", id: id, fields: "Message-ID: \(id)\r\nByte-Range: 1-*/*\r\n", body: Array(text.utf8))
                let at = bytes.count - 1 - cut
                try outsider.stream.send(Array(bytes[..<at]))
                // The next read begins when the relay has done with this one: it has answered an earlier request.
                if cut % 5 == 0 { usleep(5_000) }
                try outsider.stream.send(Array(bytes[at...]))
                #expect(try outsider.response(to: id).status == 200)
                #expect(try client.nextWhole().body == Array(text.utf8), "\(cut)")
            }
            let id = "octets01"
            let bytes = outsider.requestBytes(
                "SEND", id: id, fields: "Message-ID: o\r\nByte-Range: 1-*/*\r\n", body: Array(text.utf8))
            for octet in bytes { try outsider.stream.send([octet]) }
            #expect(try client.nextWhole().body == Array(text.utf8))
        }

        @Test("many text messages are under way at once")
        func manyAtOnce() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            client.answer = .silent
            let ids = try (0..<50).map { try outsider.postMessage("text \($0)") }
            let came = try (0..<50).map { _ in try client.nextMessage() }
            #expect(came.map(\.bodyText) == (0..<50).map { "text \($0)" })
            for id in ids { #expect(try outsider.response(to: id).status == 200) }
            for message in came.reversed() { try client.respond(to: message) }
            #expect(try outsider.leftovers(after: 0.1).isEmpty)
        }

        // MARK: Kamailio's

        @Test("Expires in AUTH is taken, and a 423 says its bounds and nothing else")
        func noStrayMemory() throws {
            let relay = try RelayProcess()
            #expect(try relay.client(dialect: .kamailio, expires: "300").usePath.count == 1)
            let client = try RawRelayClient(to: relay.address, dialect: .kamailio)
            let refused = try client.authenticate(expires: "7200")
            #expect(refused.status == 423)
            #expect(Set(refused.fields.map(\.name)) == ["To-Path", "From-Path", "Max-Expires"])
            #expect(refused["Max-Expires"] == "3600")
            #expect(!String(decoding: refused.rawHead, as: UTF8.self).contains("secret"))
        }

        @Test("TLS clients that come, go and vanish at every point end no process")
        func secureClients() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair(tls: true)
            for number in 0..<60 {
                if number % 3 == 0 {
                    // In the middle of the handshake.
                    let half = try ByteStream(to: relay.address)
                    try half.send([0x16, 3, 1, 0, UInt8(number)])
                    half.reset()
                } else {
                    let (one, other) = try relay.pair("bob", tls: true)
                    try one.stream.send("MSRP half SEND\r\nTo-Pa")
                    number % 2 == 0 ? one.stream.reset() : one.close()
                    number % 4 < 2 ? other.stream.reset() : other.close()
                }
            }
            #expect(try outsider.say("alive") == 200)
            #expect(try client.hears() == "alive")
            #expect(try relay.terminate() == .exited(0))
        }

        @Test("session ids are random: 128 bits, nothing in them repeats")
        func unguessableSessions() throws {
            let relay = try RelayProcess()
            let sessions = try (0..<40).map { _ in Self.session(try relay.client()) }
            #expect(Set(sessions).count == 40)
            #expect(sessions.allSatisfy { $0.utf8.count >= 22 })
            let columns = (0..<22).filter { at in Set(sessions.map { Array($0.utf8)[at] }).count == 1 }
            #expect(columns.isEmpty, "\(columns)")
            // Not in order either.
            #expect(sessions != sessions.sorted())
        }

        @Test("a frame is passed on while it arrives, whatever its size", arguments: [false, true])
        func cutThrough(tls: Bool) throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair(tls: tls)
            let pattern = BodyPattern()
            let id = outsider.newID()
            try outsider.stream.send(
                "MSRP \(id) SEND\r\nTo-Path: \(outsider.toPath)\r\nFrom-Path: \(outsider.uri)\r\nMessage-ID: cut\r\n"
                    + "Byte-Range: 1-*/1000000\r\nContent-Type: application/octet-stream\r\n\r\n")
            try outsider.stream.send(pattern.bytes(offset: 0, count: 500_000))
            // Its start is there before its end was written.
            let (head, prefix) = try client.openChunk()
            #expect(prefix.elementsEqual(pattern.bytes(offset: 0, count: prefix.count)))
            try outsider.stream.send(pattern.bytes(offset: 500_000, count: 500_000))
            try outsider.stream.send("\r\n-------\(id)$\r\n")
            #expect(try client.finishMessage(head, prefix).body == pattern.bytes(offset: 0, count: 1_000_000))
            #expect(try outsider.response(to: id).status == 200)
        }

        @Test("end-to-end replies and their codes are carried back")
        func endToEndReplies() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            outsider.answer = .silent
            for status in ["404 Not Found", "425 Nickname usage failed", "200 OK", "599 Strange"] {
                let id = try client.post("NICKNAME", fields: "Use-Nickname: \"me\"\r\n")
                try outsider.respond(to: try outsider.next(), status)
                #expect(try client.response(to: id).word == status)
            }
        }

        @Test("a failure downstream gives a REPORT, and silence a 408")
        func reportsAndTimeouts() throws {
            let relay = try RelayProcess(["MSRP": ["transaction_timeout": "1 s"]])
            let (client, outsider) = try relay.pair()
            outsider.answer = .status("415 No")
            try client.postMessage("refused")
            _ = try outsider.nextMessage()
            #expect(try client.nextReport()["Status"]?.hasPrefix("000 415") == true)
            outsider.answer = .silent
            try client.postMessage("unheard")
            _ = try outsider.next { $0.bodyText == "unheard" }
            #expect(try client.nextReport(within: 6)["Status"]?.hasPrefix("000 408") == true)
        }

        @Test("only the bound peer may write to a session")
        func bindCheck() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let third = try RawRelayClient(to: relay.address)
            third.peer = client.path
            #expect(try third.say("injected") == 481)
            #expect(try outsider.say("mine") == 200)
            #expect(try client.hears() == "mine")
        }

        @Test("a session goes with its client's connection", arguments: [false, true])
        func sessionsAreRemoved(tls: Bool) throws {
            let relay = try RelayProcess()
            var paths = [[String]]()
            for _ in 0..<20 {
                let client = try relay.client(tls: tls)
                paths.append(client.path)
                client.close()
            }
            let late = try RawRelayClient(to: relay.address)
            late.peer = paths[19]
            let deadline = Deadline.after(seconds: 5)
            while try late.bind().status != 481, !deadline.passed {}
            for path in paths {
                late.peer = path
                #expect(try late.bind().status == 481)
            }
        }
    }
}
