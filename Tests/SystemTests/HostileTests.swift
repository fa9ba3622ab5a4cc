import Foundation
import Support
import Testing

/// Two people in a room who talk while something else goes on: what was sent must arrive, once and in order.
struct UndisturbedCall {
    let alice: Participant
    let bob: Participant
    private(set) var turns = 0

    init(_ confd: ConfdProcess) throws {
        alice = try Participant("alice", in: "sip:undisturbed@127.0.0.1", of: confd)
        bob = try Participant("bob", in: "sip:undisturbed@127.0.0.1", of: confd, over: .tcp, tls: true)
    }

    mutating func talk() throws {
        turns += 1
        #expect(try alice.say("turn \(turns)") == 200)
        #expect(try bob.hears() == "turn \(turns)")
    }

    func end() throws {
        try alice.leave()
        try bob.leave()
    }
}

extension SystemTests {
    @Suite("Hostile peers")
    struct HostileTests {
        /// The packets that kill or unroute an unguarded library, as complete messages.
        static func crashPackets(_ sip: RawSIPClient) -> [String] {
            let uri = "sip:crash@127.0.0.1"
            func request(_ method: String, _ extra: String, body: String = "") -> String {
                sip.requestText(
                    method, uri, to: "<\(uri)>", fromTag: sip.newTag(), callID: sip.newCallID(), sequence: 1,
                    extra: extra, body: body)
            }
            let offer = Offer().text
            let sdp = "Content-Type: application/sdp\r\n"
            let contact = "Contact: \(sip.contact)\r\n"
            let unroutable = [
                "Contact: <tel:+123>\r\n\(sdp)",
                "\(contact)Record-Route: <tel:1>\r\n\(sdp)",
                "\(contact)Record-Route: <sip:>\r\n\(sdp)",
                "Contact: *\r\n\(sdp)",
                "Contact: <sip:>\r\n\(sdp)",
                "Contact: <mailto:a@b>\r\n\(sdp)",
                "Contact: <urn:service:sos>\r\n\(sdp)",
                sdp,
            ]
            var packets = unroutable.map { request("INVITE", $0, body: offer) }
            packets.append(
                request("INVITE", sdp, body: offer).replacingOccurrences(
                    of: "From: <\(sip.addressOfRecord)>", with: "From: <tel:+123>"))
            packets.append(
                request("INVITE", contact + sdp, body: offer).replacingOccurrences(
                    of: "From: <\(sip.addressOfRecord)>", with: "From: <tel:+123>"))
            for method in ["SUBSCRIBE", "REFER", "PUBLISH", "NOTIFY", "INFO", "PRACK", "UPDATE"] {
                packets.append(request(method, "Event: conference\r\n"))
                packets.append(request(method, "Contact: <tel:+1>\r\nEvent: conference\r\nRefer-To: <tel:+1>\r\n"))
                packets.append(request(method, "\(contact)Event: conference\r\nRecord-Route: <tel:1>\r\n"))
            }
            // Multipart bodies that end too soon, and a Content-Type without a boundary.
            packets.append(request("INVITE", contact + "Content-Type: multipart/mixed\r\n", body: "--x\r\n"))
            packets.append(
                request("INVITE", contact + "Content-Type: multipart/mixed;boundary=x\r\n", body: "--x\r\n\r\n--x-"))
            packets.append(request("INVITE", contact + sdp, body: "v=0\r\nm=message 99999 TCP/MSRP *\r\na=path:\r\n"))
            packets.append(request("REFER", "\(contact)Refer-To: <sip:x@127.0.0.1?Replaces=%00>;method=\r\n"))
            return packets
        }

        @Test("no packet kills the process, and whoever is called is still there", arguments: SIPTransportName.allCases)
        func crashPackets(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(["Log": ["level": "error"]])
            var call = try UndisturbedCall(confd)
            let witness = try RawSIPClient(.udp, to: confd, user: "witness")
            let count = Self.crashPackets(witness).count
            for index in 0..<count {
                // A connection each: closing it is a good answer to such bytes.
                let sip = try RawSIPClient(transport, to: confd, user: "mallory")
                try sip.send(Self.crashPackets(sip)[index])
                // A call that came about all the same is ended by confd sooner or later: let it try to.
                if let response = try? sip.nextIfAny(within: 0.1, where: { $0.status >= 200 }), response.status == 200,
                    response.method == "INVITE"
                {
                    Issue.record("packet \(index) was accepted:\n\(Self.crashPackets(sip)[index])")
                }
                #expect(try witness.ask("OPTIONS", "sip:crash@127.0.0.1").status > 0, "after packet \(index)")
                sip.reset()
            }
            try call.talk()
            try call.end()
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("a refused REFER brings no NOTIFY to whoever its Contact names (no reflector)")
        func noReflection() throws {
            let confd = try ConfdProcess()
            let victim = try RawSIPClient(.udp, to: confd, user: "victim")
            let sip = try RawSIPClient(.udp, to: confd, user: "mallory")
            let uri = "sip:reflect@127.0.0.1"
            let callID = sip.newCallID()
            try sip.send(
                sip.requestText(
                    "REFER", uri, to: "<\(uri)>", fromTag: sip.newTag(), callID: callID, sequence: 1,
                    extra: "Contact: \(victim.contact)\r\nRefer-To: <sip:bob@127.0.0.1>\r\n"))
            #expect(try sip.finalResponse(to: callID, 1, "REFER").status >= 400)
            #expect(try victim.nextIfAny(within: 0.7) == nil)
            #expect(try sip.nextIfAny(within: 0.1) { !$0.isResponse } == nil)
        }

        /// Bounded: at most 100 connections are open at a time.
        @Test("10,000 garbage connections leave no trace", arguments: ["SIP TCP", "SIP TLS", "MSRP"])
        func garbageConnections(_ port: String) throws {
            let confd = try ConfdProcess(["Log": ["level": "error"]])
            var call = try UndisturbedCall(confd)
            let address = port == "MSRP" ? confd.msrp : port == "SIP TCP" ? confd.tcp : confd.tls
            var generator = SeededGenerator(seed: 2)
            let total = port == "SIP TLS" ? 2_000 : 10_000
            var open = [ByteStream]()
            // The first ones warm every path; what memory they need stays.
            var residentAfterWarmUp = 0
            for number in 0..<total {
                let stream = try ByteStream(to: address)
                var bytes = (0..<Int.random(in: 1...400, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                // Every fourth looks like TLS, every fourth like a start line.
                if number % 4 == 1 { bytes.replaceSubrange(0..<1, with: [0x16, 3, 1, 0, 200, 1]) }
                if number % 4 == 2 { bytes.replaceSubrange(0..<1, with: Array("MSRP abcd SEND\r\nTo-Path: ".utf8)) }
                if number % 4 == 3 { bytes.replaceSubrange(0..<1, with: Array("INVITE sip:a@b SIP/2.0\r\nVia: ".utf8)) }
                try? stream.send(bytes)
                open.append(stream)
                if open.count == 100 {
                    for (index, stream) in open.enumerated() { index % 2 == 0 ? stream.reset() : stream.close() }
                    open.removeAll()
                    try call.talk()
                    if residentAfterWarmUp == 0, number >= total / 4 { residentAfterWarmUp = try confd.residentKiB() }
                }
            }
            try call.talk()
            #expect(try confd.residentKiB() - residentAfterWarmUp < 8 * 1024)
            try call.end()
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("a connection that says nothing is closed (silent_timeout)")
        func silentConnection() throws {
            let confd = try ConfdProcess(["MSRP": ["silent_timeout": "1 s"]])
            let silent = try ByteStream(to: confd.msrp)
            let stuttering = try ByteStream(to: confd.msrp)
            try stuttering.send("MSRP abcd1234 SEND\r\nTo-Pa")
            #expect(try silent.closes(within: 6))
            #expect(try stuttering.closes(within: 6))
        }

        @Test("a head without end closes the connection (max_head_size)")
        func endlessHead() throws {
            let confd = try ConfdProcess()
            let stream = try ByteStream(to: confd.msrp)
            let line = Array("X-Padding: \(String(repeating: "x", count: 1000))\r\n".utf8)
            try stream.send("MSRP abcd1234 SEND\r\n")
            var closed = false
            for _ in 0..<200 where !closed {
                do { try stream.send(line) } catch { closed = true }
            }
            if !closed { closed = try stream.closes(within: 5) }
            #expect(closed)
        }
    }
}
