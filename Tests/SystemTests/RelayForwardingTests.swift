import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("The relay: forwarding")
    struct RelayForwardingTests {
        @Test("text goes both ways, hop by hop (RFC 4976 section 6.4)", arguments: RelayWay.all)
        func bothWays(_ way: RelayWay) throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair(tls: way.tls, dialect: way.dialect)
            for turn in 0..<10 {
                #expect(try outsider.say("to the client \(turn)") == 200)
                let came = try client.nextMessage()
                #expect(came.bodyText == "to the client \(turn)")
                #expect(came["To-Path"] == client.uri)
                #expect(came["From-Path"] == "\(client.usePath[0]) \(outsider.uri)")
                #expect(try client.say("to the outsider \(turn)") == 200)
                let went = try outsider.nextMessage()
                #expect(went.bodyText == "to the outsider \(turn)")
                #expect(went["To-Path"] == outsider.uri)
                #expect(went["From-Path"] == "\(client.usePath[0]) \(client.uri)")
            }
            #expect(try client.keepAlive() == 200)
            #expect(try outsider.keepAlive() == 200)
            #expect(try relay.terminate() == .exited(0))
        }

        @Test("every header but the paths arrives as it was sent, to the octet, and Content-Type last")
        func headersArePreserved() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let lines =
                "Message-ID: m1\r\nbyte-RANGE: 1-2/2\r\nX-Colon: a: b: c\r\nX-Empty: \r\nX-List: one, two,three\r\n"
                + "X-Again: 1\r\nX-Again: 2\r\nSuccess-Report: no\r\nX-Umlaut: gr\u{00fc}n  two blanks\r\n"
            try outsider.post("SEND", fields: lines, contentType: "text/plain;charset=\"utf-8\"; x=y", body: [65, 66])
            let came = try client.nextMessage()
            let expected =
                "MSRP \(came.transactionID) SEND\r\nTo-Path: \(client.uri)\r\n"
                + "From-Path: \(client.usePath[0]) \(outsider.uri)\r\n\(lines)"
                + "Content-Type: text/plain;charset=\"utf-8\"; x=y\r\n\r\n"
            #expect(String(decoding: came.rawHead, as: UTF8.self) == expected)
            #expect(came.body == [65, 66])
        }

        @Test("any octets pass, end-lines of others among them")
        func binary() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            var generator = SeededGenerator(seed: 7)
            var bodies: [[UInt8]] = [
                [], [13, 10], Array("\r\n-------".utf8), Array("\r\n-------abc$\r\n".utf8),
                Array("\r\n-------abc$\r\nMSRP abc SEND\r\nTo-Path: x\r\n\r\n".utf8), Array("\r\n\r\n".utf8),
                Array(repeating: 45, count: 5000), (0..<512).map { UInt8($0 & 255) },
            ]
            for size in [1, 2047, 2048, 2049, 16_383, 16_384, 16_385, 65_536] {
                bodies.append((0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) })
            }
            for body in bodies {
                // Its own id with something behind it is content as well.
                let id = outsider.newID()
                let content = body + Array("\r\n-------\(id)x".utf8)
                try outsider.stream.send(
                    outsider.requestBytes(
                        "SEND", id: id, fields: "Message-ID: b\r\nByte-Range: 1-*/\(content.count)\r\n",
                        contentType: "application/octet-stream", body: content))
                #expect(try client.nextWhole().body == content)
                #expect(try outsider.response(to: id).status == 200)
            }
        }

        @Test("a hundred pipelined messages arrive once and in order", arguments: [false, true])
        func pipelined(tls: Bool) throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair(tls: tls)
            for (sender, receiver) in [(outsider, client), (client, outsider)] {
                let ids = (0..<100).map { _ in sender.newID() }
                let bytes = ids.enumerated().flatMap { number, id in
                    sender.requestBytes(
                        "SEND", id: id, fields: "Message-ID: p\(number)\r\nByte-Range: 1-*/*\r\n",
                        body: Array("number \(number)".utf8))
                }
                try sender.stream.send(bytes)
                #expect(try (0..<100).map { _ in try receiver.hears() } == (0..<100).map { "number \($0)" })
                for id in ids { #expect(try sender.response(to: id).status == 200) }
            }
        }

        @Test("a message in chunks keeps its ranges, and # is passed on (RFC 4975 section 7.1)")
        func chunks() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let pattern = BodyPattern()
            for (range, flags) in [("1-2048/*", "+$"), ("1-*/4096", "+#")] {
                let second = range.contains("*/4") ? "2049-*/4096" : "2049-4096/*"
                let message = outsider.newMessageID()
                try outsider.postMessage(
                    pattern.bytes(offset: 0, count: 2048), messageID: message, range: range, flag: flags.first ?? "+")
                try outsider.postMessage(
                    pattern.bytes(offset: 2048, count: 2048), messageID: message, range: second,
                    flag: flags.last ?? "$")
                let first = try client.nextMessage()
                #expect(first["Byte-Range"] == range)
                #expect(first.flag == "+")
                #expect(first.body == pattern.bytes(offset: 0, count: 2048))
                let last = try client.nextMessage()
                #expect(last["Byte-Range"] == second)
                #expect(last.flag == flags.last)
                #expect(last.body == pattern.bytes(offset: 2048, count: 2048))
            }
        }

        @Test("300 KB in a single SEND, with a known end and without", arguments: RelayWay.all)
        func largeSend(_ way: RelayWay) throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair(tls: way.tls, dialect: way.dialect)
            let body = BodyPattern(seed: 3).bytes(offset: 11, count: 300_000)
            for range in ["1-*/300000", "1-300000/300000", "1-*/*"] {
                for (sender, receiver) in [(outsider, client), (client, outsider)] {
                    let id = try sender.postMessage(body, range: range)
                    #expect(try receiver.nextWhole().body == body)
                    #expect(try sender.response(to: id).status == 200)
                }
            }
        }

        @Test("64 KiB chunks with both reports wanted: each is answered and reported on", arguments: RelayWay.all)
        func chunksWithReports(_ way: RelayWay) throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair(tls: way.tls, dialect: way.dialect)
            let pattern = BodyPattern()
            let (size, count) = (65_536, 20)
            for number in 0..<count {
                let start = number * size
                let id = try client.postMessage(
                    pattern.bytes(offset: start, count: size), messageID: "file",
                    range: "\(start + 1)-*/\(size * count)",
                    fields: "Success-Report: yes\r\nFailure-Report: yes\r\n", flag: number == count - 1 ? "$" : "+")
                // The relay may cut it; every piece is reported as it came.
                var reported = 0
                while reported < size {
                    let piece = try outsider.nextMessage()
                    let at = Int(piece["Byte-Range"]?.split(separator: "-").first ?? "") ?? 0
                    #expect(at == start + reported + 1)
                    let octets = piece.body?.count ?? 0
                    #expect(piece.body == pattern.bytes(offset: start + reported, count: octets))
                    reported += octets
                    try outsider.post(
                        "REPORT", to: piece["From-Path"],
                        fields:
                            "Message-ID: file\r\nByte-Range: \(at)-\(at + octets - 1)/\(size * count)\r\nStatus: 000 200 OK\r\n"
                    )
                    let report = try client.nextReport()
                    #expect(report["Status"] == "000 200 OK")
                    #expect(report["Byte-Range"] == "\(at)-\(at + octets - 1)/\(size * count)")
                    #expect(report["To-Path"] == client.uri)
                    #expect(report["From-Path"] == "\(client.usePath[0]) \(outsider.uri)")
                }
                #expect(try client.response(to: id).status == 200)
            }
            // REPORTs are never answered.
            #expect(try outsider.leftovers().isEmpty)
        }

        @Test("ping-pong: no turn waits for a timer", arguments: [false, true])
        func pingPong(tls: Bool) throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair(tls: tls)
            let start = Date()
            for turn in 0..<200 {
                let there = try outsider.postMessage("ping \(turn)")
                #expect(try client.hears() == "ping \(turn)")
                let back = try client.postMessage("pong \(turn)")
                #expect(try outsider.hears() == "pong \(turn)")
                #expect(try outsider.response(to: there).status == 200)
                #expect(try client.response(to: back).status == 200)
            }
            // 40 ms a turn is what Nagle and delayed acknowledgements would cost.
            #expect(Date().timeIntervalSince(start) < 200 * 0.040)
        }

        @Test("other methods are forwarded whole, their replies carried back with headers (RFC 4976 section 6.4.2)")
        func otherMethods() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            for (asker, answerer) in [(client, outsider), (outsider, client)] {
                for method in ["NICKNAME", "FILE_OFFSET", "DANCE"] {
                    answerer.answer = .silent
                    let body: [UInt8]? = method == "DANCE" ? Array("a body".utf8) : nil
                    let id = try asker.post(method, fields: "Use-Nickname: \"a: b\"\r\nX-File: 1\r\n", body: body)
                    let request = try answerer.next()
                    #expect(request.word == method)
                    #expect(request["Use-Nickname"] == "\"a: b\"")
                    #expect(request.body == body)
                    try answerer.respond(
                        to: request, method == "NICKNAME" ? "425 Nickname usage failed" : "200 OK",
                        extra: "Offset: 4711\r\nX-Other: y: z\r\n")
                    let response = try asker.response(to: id)
                    #expect(response.word == (method == "NICKNAME" ? "425 Nickname usage failed" : "200 OK"))
                    #expect(response["Offset"] == "4711")
                    #expect(response["X-Other"] == "y: z")
                    #expect(response["To-Path"] == asker.uri)
                    #expect(response["From-Path"] == "\(client.usePath[0]) \(answerer.uri)")
                    answerer.answer = .honest
                }
            }
        }

        @Test("allow_other_methods = No: 501 for all but SEND, REPORT and NICKNAME")
        func otherMethodsRefused() throws {
            let relay = try RelayProcess(["Relay": ["allow_other_methods": "No"]])
            let (client, outsider) = try relay.pair()
            for sender in [client, outsider] {
                #expect(try sender.response(to: try sender.post("DANCE")).status == 501)
                #expect(try sender.response(to: try sender.post("FILE_OFFSET")).status == 501)
            }
            let nickname = try client.post("NICKNAME", fields: "Use-Nickname: \"x\"\r\n")
            #expect(try outsider.next().word == "NICKNAME")
            #expect(try client.response(to: nickname).status == 200)
            #expect(try client.say("still here") == 200)
            #expect(try outsider.hears() == "still here")
        }

        @Test("no Message-ID: 400; no Byte-Range: a whole message (RFC 4975 section 7.3.1)")
        func missingFields() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            for sender in [client, outsider] {
                let id = try sender.post("SEND", fields: "Byte-Range: 1-2/2\r\n", body: [65, 66])
                #expect(try sender.response(to: id).status == 400)
            }
            let whole = try outsider.post("SEND", fields: "Message-ID: w\r\n", body: Array("whole".utf8))
            #expect(try outsider.response(to: whole).status == 200)
            #expect(try client.hears() == "whole")
        }

        @Test("a changed From-Path or To-Path, and an unknown session, get 481")
        func changedPaths() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let fields = "Message-ID: x\r\nByte-Range: 1-1/1\r\n"
            let other = "msrp://127.0.0.1:9/other;tcp"
            let id = try outsider.post("SEND", from: other, fields: fields, body: [65])
            #expect(try outsider.response(to: id).status == 481)
            let elsewhere = try client.post(
                "SEND", to: "\(client.usePath[0]) \(other)", fields: fields, body: [65])
            #expect(try client.response(to: elsewhere).status == 481)
            let unknown = try outsider.post(
                "SEND", to: "msrp://127.0.0.1:\(relay.address.port)/0123456789abcdef0123456789abcdef;tcp \(client.uri)",
                fields: fields, body: [65])
            #expect(try outsider.response(to: unknown).status == 481)
            #expect(try outsider.say("still bound") == 200)
            #expect(try client.hears() == "still bound")
        }

        @Test(
            "a client's first SEND makes the relay connect to the peer (RFC 4976 section 6.4)",
            arguments: ["127.0.0.1", "localhost"])
        func connectsOut(host: String) throws {
            let relay = try RelayProcess()
            let client = try relay.client()
            let listener = try StreamListener()
            let uri = "msrp://\(host):\(listener.port)/waiting;tcp"
            client.peer = [uri]
            let id = try client.postMessage("first")
            #expect(try client.response(to: id).status == 200)
            let peer = RawRelayClient(stream: try listener.accept(), uri: uri)
            peer.peer = client.path
            let first = try peer.nextMessage()
            #expect(first.bodyText == "first")
            #expect(first["To-Path"] == uri)
            #expect(try peer.say("and back") == 200)
            #expect(try client.hears() == "and back")
            // Nobody else gets in, and no second connection is made.
            let third = try RawRelayClient(to: relay.address)
            third.peer = client.path
            #expect(try third.bind().status == 481)
            #expect(try client.say("second") == 200)
            #expect(try peer.hears() == "second")
        }

        @Test("two clients, each behind a relay, over msrps between the relays", arguments: [false, true])
        func twoRelays(tls: Bool) throws {
            let first = try RelayProcess()
            let second = try RelayProcess()
            let alice = try first.client("alice", tls: tls)
            let bob = try second.client("bob", tls: tls, dialect: .kamailio)
            alice.peer = bob.path
            bob.peer = alice.path
            #expect(try alice.say("hello bob") == 200)
            let came = try bob.nextMessage()
            #expect(came.bodyText == "hello bob")
            #expect(came["From-Path"] == "\(bob.usePath[0]) \(alice.usePath[0]) \(alice.uri)")
            #expect(try bob.say("hello alice") == 200)
            #expect(try alice.hears() == "hello alice")
            let body = BodyPattern().bytes(offset: 0, count: 500_000)
            let id = try alice.postMessage(body)
            #expect(try bob.nextWhole().body == body)
            #expect(try alice.response(to: id).status == 200)
            // End to end, over both relays.
            bob.answer = .silent
            let asked = try alice.post("FILE_OFFSET")
            try bob.respond(to: try bob.next(), extra: "Offset: 17\r\n")
            let answered = try alice.response(to: asked)
            #expect(answered["Offset"] == "17")
            #expect(answered["From-Path"] == "\(alice.usePath[0]) \(bob.usePath[0]) \(bob.uri)")
        }

        @Test("two clients of the same relay reach each other", arguments: [false, true])
        func sameRelay(tls: Bool) throws {
            let relay = try RelayProcess()
            let alice = try relay.client("alice", tls: tls)
            let bob = try relay.client("bob", tls: !tls)
            alice.peer = bob.path
            bob.peer = alice.path
            #expect(try alice.say("hello bob") == 200)
            #expect(try bob.hears() == "hello bob")
            #expect(try bob.say("hello alice") == 200)
            #expect(try alice.hears() == "hello alice")
        }

        @Test("one connection of another relay carries several sessions (RFC 4976 section 5.4)")
        func sharedConnection() throws {
            let relay = try RelayProcess()
            let clients = try ["alice", "bob", "carol"].map { try relay.client($0) }
            let carrier = try RawRelayClient(to: relay.address)
            // The other relay's URI for each of its sessions, and its client behind.
            let paths = clients.indices.map {
                "msrp://127.0.0.1:9/relay\($0);tcp msrp://127.0.0.1:9/far\($0);tcp"
            }
            for (number, client) in clients.enumerated() {
                let id = try carrier.post(
                    "SEND", to: client.path.joined(separator: " "), from: paths[number], fields: carrier.emptyFields)
                #expect(try carrier.response(to: id).status == 200)
                _ = try client.next()
                client.peer = paths[number].split(separator: " ").map(String.init)
            }
            for turn in 0..<10 {
                for (number, client) in clients.enumerated() {
                    try carrier.post(
                        "SEND", to: client.path.joined(separator: " "), from: paths[number],
                        fields: "Message-ID: \(number).\(turn)\r\nByte-Range: 1-*/*\r\n",
                        body: Array("\(number) \(turn)".utf8))
                }
                for (number, client) in clients.enumerated() {
                    #expect(try client.hears() == "\(number) \(turn)")
                    #expect(try client.say("back \(number)") == 200)
                }
                for number in clients.indices {
                    let came = try carrier.nextMessage()
                    #expect(came.bodyText == "back \(number)")
                    #expect(came["To-Path"] == paths[number])
                }
            }
            // One ends, the others live on.
            clients[0].close()
            try relay.awaitSessions(2)
            let id = try carrier.post(
                "SEND", to: clients[1].path.joined(separator: " "), from: paths[1],
                fields: "Message-ID: last\r\nByte-Range: 1-4/4\r\n", body: Array("last".utf8))
            #expect(try clients[1].hears() == "last")
            #expect(try carrier.response(to: id).status == 200)
            let gone = try carrier.post(
                "SEND", to: clients[0].path.joined(separator: " "), from: paths[0],
                fields: "Message-ID: gone\r\nByte-Range: 1-4/4\r\n", body: Array("gone".utf8))
            #expect(try carrier.response(to: gone).status == 481)
        }

        @Test("over IPv6")
        func ipv6() throws {
            let relay = try RelayProcess(["Relay": ["hostname": "::1"]], host: "::1")
            let client = try RawRelayClient(to: relay.address)
            #expect(try client.authenticate().status == 200)
            #expect(client.usePath[0].contains("://[::1]:"))
            let outsider = try relay.outsider(for: client)
            try RelayProcess.bind(outsider, to: client)
            #expect(try outsider.say("six") == 200)
            #expect(try client.hears() == "six")
            let listener = try StreamListener(host: "::1")
            let second = try relay.client()
            second.peer = ["msrp://[::1]:\(listener.port)/six;tcp"]
            #expect(try second.say("out") == 200)
            let peer = RawRelayClient(stream: try listener.accept(), uri: second.peer[0])
            #expect(try peer.hears() == "out")
        }
    }
}
