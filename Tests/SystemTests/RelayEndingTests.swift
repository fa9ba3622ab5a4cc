import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("The relay: ends that vanish, and peers that do wrong")
    struct RelayEndingTests {
        /// How an end goes.
        enum Death: String, CaseIterable, Sendable {
            case close, reset
        }

        private static func kill(_ client: RawRelayClient, _ death: Death) {
            death == .close ? client.close() : client.stream.reset()
        }

        @Test("a client that goes at any stage leaves nothing behind", arguments: Death.allCases, [false, true])
        func clientGoes(_ death: Death, tls: Bool) throws {
            let relay = try RelayProcess()
            let (witness, friend) = try relay.pair("bob")
            let descriptors = try relay.descriptorCount()
            let target = "msrps://\(RelayProcess.domain):\(relay.address.port);tcp"
            // Before AUTH; in it; challenged; with the second AUTH just sent; authenticated.
            for stage in 0..<5 {
                let client = try RawRelayClient(to: relay.address, tls: tls)
                switch stage {
                case 0: break
                case 1: try client.stream.send("MSRP half AUTH\r\nTo-Path: \(target)\r\nFrom")
                case 2: _ = try client.auth(target)
                case 3:
                    let answer = client.digestAnswer(
                        to: try client.challenge(in: try client.auth(target)), as: "alice",
                        password: RelayProcess.password(of: "alice"), target: target)
                    try client.post("AUTH", to: target, fields: "Authorization: \(answer.header)\r\n")
                default: #expect(try client.authenticate().status == 200)
                }
                Self.kill(client, death)
            }
            // Bound and idle; in a head; in a body; with requests open; with a pipeline half written.
            for stage in 0..<5 {
                let (client, outsider) = try relay.pair(tls: tls)
                try Self.arrange(stage, client, outsider)
                Self.kill(client, death)
                #expect(outsider.closes(within: 5), "stage \(stage)")
                outsider.close()
            }
            try Self.expectQuiet(relay, descriptors: descriptors)
            #expect(try friend.say("undisturbed") == 200)
            #expect(try witness.hears() == "undisturbed")
            #expect(try relay.terminate() == .exited(0))
        }

        @Test(
            "an outside peer that goes at any stage ends its session alone", arguments: Death.allCases, [false, true])
        func peerGoes(_ death: Death, tls: Bool) throws {
            let relay = try RelayProcess()
            let (witness, friend) = try relay.pair("bob")
            let descriptors = try relay.descriptorCount()
            for stage in 0..<5 {
                let (client, outsider) = try relay.pair(tls: tls)
                try Self.arrange(stage, outsider, client)
                Self.kill(outsider, death)
                #expect(client.closes(within: 5), "stage \(stage)")
                client.close()
            }
            // Before the bind is answered, the session waits for another peer or ends; never half of it stays.
            let client = try relay.client(tls: tls)
            let hasty = try relay.outsider(for: client, tls: tls)
            try hasty.post("SEND", fields: hasty.emptyFields)
            Self.kill(hasty, death)
            client.close()
            try Self.expectQuiet(relay, descriptors: descriptors)
            #expect(try friend.say("undisturbed") == 200)
            #expect(try witness.hears() == "undisturbed")
        }

        /// What `going` is in the middle of when it goes.
        private static func arrange(_ stage: Int, _ going: RawRelayClient, _ staying: RawRelayClient) throws {
            let head =
                "MSRP going1 SEND\r\nTo-Path: \(going.toPath)\r\nFrom-Path: \(going.uri)\r\nMessage-ID: g\r\n"
                + "Byte-Range: 1-*/50000\r\n"
            switch stage {
            case 0: break
            case 1: try going.stream.send(head)
            case 2:
                try going.stream.send(head + "Content-Type: text/plain\r\n\r\n")
                try going.stream.send([UInt8](repeating: 120, count: 20_000))
                _ = try staying.openChunk()
            case 3:
                // Requests of the other side that it will never answer.
                going.answer = .silent
                try staying.postMessage("never answered")
                _ = try going.nextMessage()
                try staying.post("FILE_OFFSET")
            default:
                for number in 0..<20 { try going.postMessage("last words \(number)") }
            }
        }

        /// The descriptors come down again to what they were.
        private static func expectQuiet(
            _ relay: RelayProcess, descriptors: Int, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let deadline = Deadline.after(seconds: 10)
            while try relay.descriptorCount() > descriptors, !deadline.passed { usleep(20_000) }
            #expect(try relay.descriptorCount() <= descriptors, sourceLocation: sourceLocation)
        }

        @Test("a sender that vanishes in a chunk: the receiver's message ends with #, or its connection does")
        func brokenChunk() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            try outsider.stream.send(
                "MSRP broken1 SEND\r\nTo-Path: \(outsider.toPath)\r\nFrom-Path: \(outsider.uri)\r\nMessage-ID: b\r\n"
                    + "Byte-Range: 1-*/50000\r\nContent-Type: text/plain\r\n\r\n")
            try outsider.stream.send([UInt8](repeating: 120, count: 20_000))
            _ = try client.openChunk()
            outsider.stream.reset()
            #expect(client.closes(within: 5))
            if let frame = try? client.nextIfAny(within: 0) { #expect(frame.flag != "$") }
        }

        @Test("a client that goes while the relay connects for it stops that")
        func goesWhileConnecting() throws {
            let relay = try RelayProcess()
            let descriptors = try relay.descriptorCount()
            for _ in 0..<10 {
                let client = try relay.client()
                let listener = try StreamListener()
                client.peer = ["msrp://127.0.0.1:\(listener.port)/late;tcp"]
                try client.postMessage("knock")
                client.stream.reset()
            }
            let deadline = Deadline.after(seconds: 10)
            while try relay.descriptorCount() > descriptors, !deadline.passed { usleep(20_000) }
            #expect(try relay.descriptorCount() <= descriptors)
        }

        @Test("heads that trickle in are closed in time, and stop nobody (silent_timeout)")
        func slowLoris() throws {
            let relay = try RelayProcess(["MSRP": ["silent_timeout": "2 s"]])
            let (client, outsider) = try relay.pair()
            let slow = try (0..<20).map { _ in try ByteStream(to: relay.address) }
            let head = Array(
                "MSRP slow1234 AUTH\r\nTo-Path: msrps://example.com:2855;tcp\r\nFrom-Path: msrp://a/b;tcp\r\n".utf8)
            let start = Date()
            var open = slow
            var at = 0
            while !open.isEmpty, Date().timeIntervalSince(start) < 10 {
                open = try open.filter { stream in
                    do { try stream.send([head[at % head.count]]) } catch { return false }
                    return try stream.receiveIfAny(.after(seconds: 0))?.isEmpty != true
                }
                at += 1
                if at % 10 == 0 {
                    #expect(try outsider.say("on time \(at)", within: 2) == 200)
                    #expect(try client.hears(within: 2) == "on time \(at)")
                }
                usleep(20_000)
            }
            #expect(open.isEmpty)
        }

        @Test(
            "header lines of 64 KiB are refused or passed on, never swallowed", arguments: [8 << 10, 64 << 10, 1 << 20])
        func longLines(size: Int) throws {
            let relay = try RelayProcess()
            let (witness, friend) = try relay.pair("bob")
            let line = "X-Long: \(String(repeating: "y", count: size))\r\n"
            // From whoever, and within a session.
            let stranger = try RawRelayClient(to: relay.address)
            let target = stranger.relayURI(RelayProcess.domain)
            var said = false
            do {
                let id = try stranger.post("AUTH", to: target, fields: line)
                said = try stranger.responseIfAny(to: id, within: 3) != nil
            } catch { said = true }
            #expect(said)
            let (client, outsider) = try relay.pair()
            do {
                let id = try outsider.postMessage(Array("long".utf8), fields: line)
                let status = try outsider.response(to: id, within: 3).status
                if status == 200 { #expect(try client.nextMessage().rawHead.count > size) }
            } catch {
                // Closed: then the client's end is, too.
                #expect(client.closes(within: 5))
            }
            #expect(try friend.say("undisturbed") == 200)
            #expect(try witness.hears() == "undisturbed")
        }

        @Test("damaged frames, in a session and before, end no process")
        func damagedFrames() throws {
            let relay = try RelayProcess(["Log": ["level": "error"]])
            let (witness, friend) = try relay.pair("bob")
            let tokens = [
                "\r\n", "\r\n\r\n", "-------", "$\r\n", "+\r\n", "#\r\n", "MSRP ", " SEND\r\n", " 200 OK\r\n",
                " AUTH\r\n",
                " REPORT\r\n", "To-Path: ", "From-Path: ", "Byte-Range: 1-*/*\r\n", "Byte-Range: 0-0/0\r\n",
                "Byte-Range: 99999999999999999999-1/5\r\n", "Failure-Report: partial\r\n", "Expires: -1\r\n", "\0",
                "Authorization: Digest ", "Status: 000 200\r\n", "msrps://", ";tcp", "[::1]", "%", "\u{00ff}",
            ]
            var mutator = Mutator(seed: 45, tokens: tokens)
            let deadline = Deadline.after(seconds: SystemTests.long ? 300 : 4)
            var rounds = 0
            while !deadline.passed {
                rounds += 1
                let (client, outsider) = try relay.pair(tls: rounds % 4 == 0)
                let sender = rounds % 2 == 0 ? client : outsider
                let target = sender.relayURI(RelayProcess.domain)
                let seeds: [[UInt8]] = [
                    sender.requestBytes(
                        "SEND", id: "aaaa1", fields: "Message-ID: 1\r\nByte-Range: 1-3/3\r\n", body: [1, 2, 3]),
                    sender.requestBytes(
                        "SEND", id: "aaaa2", fields: "Message-ID: 2\r\nByte-Range: 1-*/9000\r\n",
                        body: [UInt8](repeating: 65, count: 9000)),
                    sender.requestBytes(
                        "SEND", id: "aaaa3", fields: "Message-ID: 3\r\nByte-Range: 1-2/4\r\n", body: [1, 2], flag: "+"),
                    sender.requestBytes("REPORT", id: "aaaa4", fields: "Message-ID: 4\r\nStatus: 000 200 OK\r\n"),
                    sender.requestBytes("NICKNAME", id: "aaaa5", fields: "Use-Nickname: \"x\"\r\n"),
                    sender.requestBytes("AUTH", id: "aaaa6", to: target, fields: "Expires: 60\r\n"),
                    sender.requestBytes(
                        "AUTH", id: "aaaa7", to: sender.usePath.first,
                        fields: "Authorization: \(client.lastAnswer?.header ?? "")\r\n"),
                    Array(
                        "MSRP aaaa8 200 OK\r\nTo-Path: \(client.usePath[0])\r\nFrom-Path: \(sender.uri)\r\n-------aaaa8$\r\n"
                            .utf8),
                ]
                do {
                    for _ in 0..<20 {
                        try sender.stream.send(mutator.mutate(mutator.choose(seeds)), within: 2)
                    }
                } catch {
                    // The relay gave up on these bytes, which it may.
                }
                client.stream.reset()
                outsider.stream.reset()
                let stranger = try ByteStream(to: relay.address)
                try? stranger.send(mutator.mutate(mutator.choose(seeds)), within: 2)
                stranger.reset()
                if rounds % 10 == 0 {
                    #expect(try friend.say("round \(rounds)") == 200)
                    #expect(try witness.hears() == "round \(rounds)")
                }
            }
            #expect(try relay.terminate() == .exited(0))
        }
    }
}
