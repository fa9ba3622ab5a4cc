import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("Fuzzing the process")
    struct FuzzTests {
        private static let sipTokens = [
            "\r\n", "\r\n\r\n", "\0", ":", ";", ",", "<", ">", "\"", "\\", "@", "sip:", "sips:", "tel:", "urn:", "*",
            "%00", "%", "?", "=", "[::1]", "99999999999999999999", "-1", "0", "SIP/2.0", "Via: ", "Contact: *\r\n",
            "Content-Length: 999999\r\n", "Record-Route: <tel:1>\r\n", "Route: <sip:127.0.0.1;lr>\r\n", ";tag=",
            "INVITE",
            "BYE", "ACK", "CANCEL", "UPDATE", "REGISTER", "\u{00e9}", "a=path:", "m=message", "v=0\r\n",
        ]

        private static func seeds(_ sip: RawSIPClient) -> [[UInt8]] {
            let uri = "sip:fuzz@127.0.0.1"
            let methods = [
                "OPTIONS", "INVITE", "BYE", "CANCEL", "ACK", "UPDATE", "SUBSCRIBE", "REFER", "REGISTER",
                "MESSAGE", "PUBLISH", "NOTIFY", "INFO", "PRACK",
            ]
            let requests = methods.map { method in
                sip.requestText(
                    method, uri, to: "<\(uri)>", fromTag: sip.newTag(), callID: sip.newCallID(), sequence: 1,
                    extra: "Contact: \(sip.contact)\r\nRecord-Route: <sip:127.0.0.1:\(sip.localPort);lr>\r\n"
                        + "Event: conference\r\nRefer-To: <sip:bob@127.0.0.1;method=BYE>\r\nSession-Expires: 1800\r\n"
                        + "Supported: timer, replaces\r\nRSeq: 1\r\nRAck: 1 1 INVITE\r\n"
                        + "Content-Type: application/sdp\r\n",
                    body: Offer().text)
            }
            let response = requests[0].replacingOccurrences(of: "OPTIONS \(uri) SIP/2.0", with: "SIP/2.0 200 OK")
            return (requests + [response] + HostileTests.crashPackets(sip)).map { Array($0.utf8) }
        }

        @Test("damaged SIP over UDP: the process stays up, its memory flat, a call undisturbed")
        func datagrams() throws {
            let total = SystemTests.long ? 200_000 : 6_000
            let confd = try ConfdProcess(["Log": ["level": "error"]])
            var call = try UndisturbedCall(confd)
            let witness = try RawSIPClient(.udp, to: confd, user: "witness")
            let fuzzer = try DatagramSocket(to: confd.udp)
            let sip = try RawSIPClient(.udp, to: confd, user: "fuzzer")
            let seeds = Self.seeds(sip)
            var mutator = Mutator(seed: 42, tokens: Self.sipTokens)
            var resident = [Int]()
            for number in 0..<total {
                // What is too long for a datagram is not sent.
                try fuzzer.send(mutator.mutate(mutator.choose(seeds)))
                // The witness also paces: no more than a socket buffer of datagrams is under way.
                if number % 100 == 99 {
                    #expect(try witness.ask("OPTIONS", "sip:fuzz@127.0.0.1", within: 20).status > 0)
                    while try fuzzer.receive(.after(seconds: 0)) != nil {}
                }
                if number % 1000 == 999 { try call.talk() }
                if SystemTests.long, number % (total / 4) == total / 4 - 1 {
                    resident.append(try Self.residentAtRest(confd, &call))
                }
            }
            try call.talk()
            try call.end()
            if SystemTests.long { #expect(resident[3] - resident[1] < 8 * 1024, "\(resident)") }
            #expect(try confd.terminate() == .exited(0))
        }

        /// Resident memory when the transactions and half-open calls of before are over (64 times T1 and some).
        private static func residentAtRest(_ confd: ConfdProcess, _ call: inout UndisturbedCall) throws -> Int {
            let deadline = Deadline.after(seconds: 40)
            while !deadline.passed {
                try call.talk()
                usleep(200_000)
            }
            return try confd.residentKiB()
        }

        @Test("damaged SIP over streams", arguments: [SIPTransportName.tcp, .tls])
        func streams(_ transport: SIPTransportName) throws {
            let total = SystemTests.long ? (transport == .tcp ? 100_000 : 20_000) : 1_500
            let confd = try ConfdProcess(["Log": ["level": "error"]])
            var call = try UndisturbedCall(confd)
            let witness = try RawSIPClient(.udp, to: confd, user: "witness")
            let sip = try RawSIPClient(.udp, to: confd, user: "fuzzer")
            let seeds = Self.seeds(sip)
            var mutator = Mutator(seed: 43, tokens: Self.sipTokens)
            let address = confd.address(transport)
            var stream: ByteStream?
            for number in 0..<total {
                let open: ByteStream
                if let stream {
                    open = stream
                } else {
                    open = transport == .tls ? try TLSByteStream(to: address) : try ByteStream(to: address)
                    stream = open
                }
                do {
                    try open.send(mutator.mutate(mutator.choose(seeds)), within: 5)
                    while let bytes = try open.receiveIfAny(.after(seconds: 0)) {
                        if bytes.isEmpty { throw SupportError("closed") }
                    }
                } catch {
                    // confd gave up on these bytes, which it may.
                    stream = nil
                }
                // A stream is poisoned by the first wrong Content-Length: a fresh one every few messages.
                if number % 5 == 4 {
                    stream?.reset()
                    stream = nil
                }
                if number % 100 == 99 {
                    #expect(try witness.ask("OPTIONS", "sip:fuzz@127.0.0.1", within: 20).status > 0)
                }
                if number % 500 == 499 { try call.talk() }
            }
            try call.talk()
            try call.end()
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("damaged MSRP, before and after the bind, plain and TLS", arguments: [false, true])
        func msrp(tls: Bool) throws {
            let confd = try ConfdProcess(["Log": ["level": "error"]])
            var call = try UndisturbedCall(confd)
            let tokens = [
                "\r\n", "\r\n\r\n", "-------", "$\r\n", "+\r\n", "#\r\n", "MSRP ", " SEND\r\n", " 200 OK\r\n",
                " REPORT\r\n",
                " NICKNAME\r\n", " AUTH\r\n", "To-Path: ", "From-Path: ", "Byte-Range: 1-*/*\r\n",
                "Byte-Range: 0-0/0\r\n",
                "Byte-Range: 99999999999999999999-1/5\r\n", "Byte-Range: 5-2/1\r\n", "Success-Report: yes\r\n",
                "Failure-Report: partial\r\n", "Content-Type: message/cpim\r\n", "Content-Type: text/plain\r\n", "\0",
                "Status: 000 200\r\n", "Use-Nickname: \"\r\n", "msrp://", ";tcp", "[::1]", "%", "\u{00ff}",
            ]
            var mutator = Mutator(seed: 44, tokens: tokens)
            var sessions = 0
            var resident = [Int]()
            // In all 10 minutes of both ways.
            for _ in 0..<(SystemTests.long ? 4 : 1) {
                let deadline = Deadline.after(seconds: SystemTests.long ? 75 : 4)
                while !deadline.passed {
                    try Self.damagedSession(sessions, confd, tls: tls, &mutator)
                    sessions += 1
                    if sessions % 10 == 0 { try call.talk() }
                }
                if SystemTests.long { resident.append(try Self.residentAtRest(confd, &call)) }
            }
            try call.talk()
            try call.end()
            if SystemTests.long { #expect(resident[3] - resident[1] < 8 * 1024, "\(resident), \(sessions) sessions") }
            #expect(try confd.terminate() == .exited(0))
        }

        /// One participant who says 20 damaged things and goes, and a stranger who says one.
        private static func damagedSession(_ number: Int, _ confd: ConfdProcess, tls: Bool, _ mutator: inout Mutator)
            throws
        {
            let member = try Participant("fuzzer\(number)", in: "sip:fuzz@127.0.0.1", of: confd, tls: tls)
            let from = member.sip.addressOfRecord
            let cpim = RawMSRPClient.cpim(from: from, to: member.room, "some text of a message")
            let long = RawMSRPClient.cpim(from: from, to: member.room, String(repeating: "long", count: 5_000))
            let path = member.msrp.remotePath
            let local = member.msrp.localPath
            let seeds: [[UInt8]] = [
                member.msrp.sendBytes(id: "aaaa1111", body: cpim),
                member.msrp.sendBytes(id: "aaaa2222", messageID: "x", byteRange: "1-50/100", body: cpim, flag: "+"),
                member.msrp.sendBytes(id: "aaaa3333", messageID: "x", byteRange: "51-100/100", body: cpim),
                member.msrp.sendBytes(id: "aaaa4444", messageID: "y", body: cpim, flag: "#"),
                member.msrp.sendBytes(id: "aaaa5555", body: long),
                member.msrp.sendBytes(id: "aaaa6666", extra: "Success-Report: yes\r\n", body: cpim),
                member.msrp.sendBytes(id: "aaaa7777", body: nil),
                Array(
                    "MSRP bbbb1111 NICKNAME\r\nTo-Path: \(path)\r\nFrom-Path: \(local)\r\nUse-Nickname: \"n\"\r\n-------bbbb1111$\r\n"
                        .utf8),
                Array(
                    "MSRP bbbb2222 200 OK\r\nTo-Path: \(path)\r\nFrom-Path: \(local)\r\n-------bbbb2222$\r\n".utf8),
                Array(
                    "MSRP bbbb3333 REPORT\r\nTo-Path: \(path)\r\nFrom-Path: \(local)\r\nMessage-ID: m\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n-------bbbb3333$\r\n"
                        .utf8),
            ]
            do {
                for _ in 0..<20 {
                    try member.msrp.stream.send(mutator.mutate(mutator.choose(seeds)), within: 5)
                    while let bytes = try member.msrp.stream.receiveIfAny(.after(seconds: 0)) {
                        if bytes.isEmpty { throw SupportError("closed") }
                    }
                }
            } catch {}
            member.msrp.stream.reset()
            // Bytes that name no session.
            let stranger = try ByteStream(to: confd.msrp)
            try? stranger.send(mutator.mutate(mutator.choose(seeds)), within: 5)
            stranger.reset()
            #expect(try member.call.bye().status > 0)
        }
    }
}
