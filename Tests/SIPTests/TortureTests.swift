import Glibc
import SIP
import Testing

/// The messages of RFC 4475, each with what is right for it, and seeded mutations of them.
@Suite("Torture", .timeLimit(.minutes(3))) struct TortureTests {
    enum Expected: Equatable {
        /// One of these final responses.
        case statuses(Set<Int>)
        /// Valid, or not to be told from valid: any final response, or an INVITE that reaches the handler.
        case answered
        /// A response of nobody's request, or one that must be dropped: nothing comes back.
        case silence
        /// Anything, as long as the stack lives.
        case survived
    }

    /// By file; the section of RFC 4475 in the comment.
    static let corpus: [(file: String, expected: Expected)] = [
        ("wsinv", .statuses([481])),  // 3.1.1.1 a short tortuous INVITE; no dialog has its To tag
        ("intmeth", .survived),  // 3.1.1.2 an unknown but valid method; the library refuses its To
        ("esc01", .answered),  // 3.1.1.3 escapes in URIs
        ("escnull", .answered),  // 3.1.1.4 escaped nulls in URIs
        ("esc02", .statuses([405, 501])),  // 3.1.1.5 a method with percent signs
        ("lwsdisp", .answered),  // 3.1.1.6 no blank between display name and <
        ("longreq", .answered),  // 3.1.1.7 long values
        ("dblreq", .answered),  // 3.1.1.8 trailing octets in a datagram
        ("semiuri", .answered),  // 3.1.1.9 semicolon in the user part
        ("transports", .answered),  // 3.1.1.10 varied transports in Via
        ("mpart01", .answered),  // 3.1.1.11 multipart MESSAGE
        ("unreason", .silence),  // 3.1.1.12 a response with an unusual phrase
        ("noreason", .silence),  // 3.1.1.13 a response with an empty phrase
        ("badinv01", .statuses([400])),  // 3.1.2.1 extraneous separators
        ("clerr", .survived),  // 3.1.2.2 Content-Length larger than the message: 400 or dropped over UDP
        ("ncl", .statuses([400])),  // 3.1.2.3 negative Content-Length
        ("scalar02", .statuses([400])),  // 3.1.2.4 overlarge scalars
        ("scalarlg", .silence),  // 3.1.2.5 overlarge scalars in a response
        ("quotbal", .statuses([400])),  // 3.1.2.6 unterminated quoted string
        ("ltgtruri", .statuses([400])),  // 3.1.2.7 <> around the request URI
        ("lwsruri", .survived),  // 3.1.2.8 blanks within the request URI; dropped
        ("lwsstart", .survived),  // 3.1.2.9 several blanks in the start line: 400, or liberal
        ("trws", .survived),  // 3.1.2.10 blanks at the end of the start line
        ("escruri", .survived),  // 3.1.2.11 escaped headers in the request URI
        ("baddate", .survived),  // 3.1.2.12 invalid time zone in Date
        ("regbadct", .survived),  // 3.1.2.13 Contact not in brackets, with a query
        ("badaspec", .survived),  // 3.1.2.14 blanks within addr-spec
        ("baddn", .survived),  // 3.1.2.15 non-token display name
        ("badvers", .statuses([505])),  // 3.1.2.16 unknown version
        ("mismatch01", .statuses([400, 501])),  // 3.1.2.17 method and CSeq differ
        ("mismatch02", .statuses([400, 501])),  // 3.1.2.18 unknown method and CSeq differ
        ("bigcode", .silence),  // 3.1.2.19 overlarge response code
        ("badbranch", .survived),  // 3.2.1 missing transaction identifier
        ("insuf", .statuses([400])),  // 3.3.1 missing required headers
        ("unkscm", .statuses([416])),  // 3.3.2 unknown scheme
        ("novelsc", .statuses([416])),  // 3.3.3 known but atypical scheme
        ("unksm2", .survived),  // 3.3.4 unknown schemes in To, From and Contact
        ("bext01", .statuses([420])),  // 3.3.5 Require and Proxy-Require
        ("invut", .answered),  // 3.3.6 unknown Content-Type
        ("regaut01", .answered),  // 3.3.7 unknown authorization scheme
        ("multi01", .statuses([400])),  // 3.3.8 several values in single-value headers
        ("mcl01", .survived),  // 3.3.9 several Content-Length
        ("bcast", .silence),  // 3.3.10 a 200 with broadcast Via
        ("zeromf", .answered),  // 3.3.11 Max-Forwards 0 is nothing to a UAS
        ("cparam01", .answered),  // 3.3.12 parameter of a Contact in brackets
        ("cparam02", .answered),  // 3.3.13 parameter outside
        ("regescrt", .answered),  // 3.3.14 escaped Route in a Contact
        ("sdp01", .answered),  // 3.3.15 unacceptable Accept
        ("inv2543", .survived),  // 3.4.1 INVITE of RFC 2543 (no Contact, no Max-Forwards)
        ("test", .silence),  // no SIP version at all
    ]

    static func bytes(_ file: String, relativeTo source: String = #filePath) throws -> [UInt8] {
        let folder = source.split(separator: "/").dropLast(2).joined(separator: "/")
        let path = "/\(folder)/Corpus/sip-rfc4475/\(file).dat"
        guard let stream = fopen(path, "r") else { throw Peer.Failure.socket(path) }
        defer { fclose(stream) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&buffer, 1, buffer.count, stream)
        return Array(buffer[..<count])
    }

    /// A request as a proxy at this socket would pass it on: its own Via on top, so that the response comes here.
    private func proxied(_ bytes: [UInt8], by peer: Peer) -> [UInt8] {
        guard !bytes.starts(with: Array("SIP/2.0 ".utf8)), let end = bytes.firstIndex(of: 0x0a) else { return bytes }
        let via = "Via: SIP/2.0/UDP 127.0.0.1:\(peer.port);rport;branch=z9hG4bK\(peer.port)\r\n"
        return bytes[...end] + Array(via.utf8) + bytes[(end + 1)...]
    }

    @Test("every message of RFC 4475 gets what is right for it", arguments: corpus)
    func rfc4475(_ row: (file: String, expected: Expected)) async throws {
        let application = try await Application.start([Endpoint(transport: .udp, host: "127.0.0.1", port: 0)])
        let peer = try Peer(application.stack.listeners[0])
        let original = try Self.bytes(row.file)
        peer.send(proxied(original, by: peer))
        let answer = peer.receive(milliseconds: row.expected == .silence || row.expected == .survived ? 100 : 2000) {
            $0.status >= 200
        }
        let seen = application.events.compactMap(\.request).first
        switch row.expected {
        case .statuses(let statuses):
            let status = try #require(answer?.status, "\(row.file)")
            #expect(statuses.contains(status), "\(row.file): \(status)")
            #expect(seen == nil)
        case .answered:
            #expect(answer != nil || seen != nil, "\(row.file)")
        case .silence:
            #expect(answer == nil)
            #expect(seen == nil)
        case .survived:
            break
        }
        let alice = try Caller(application.stack.listeners[0])
        alice.send("OPTIONS")
        #expect(alice.peer.receiveFinal()?.status == 200)
        await application.stack.shutdown()
    }

    @Test(
        "what the handler is shown of tortuous requests is what they say (RFC 4475 sections 3.1.1.3, 3.1.1.7, 3.1.1.9)")
    func shown() async throws {
        let application = try await Application.start([Endpoint(transport: .udp, host: "127.0.0.1", port: 0)])
        for file in ["esc01", "longreq", "semiuri"] {
            let peer = try Peer(application.stack.listeners[0])
            peer.send(proxied(try Self.bytes(file), by: peer))
        }
        await application.wait(for: "invite", count: 2)
        await application.wait(for: "request")
        let requests = application.events.compactMap(\.request)
        let escaped = try #require(requests.first { $0.requestURI.user == "sips:user@example.com" })
        #expect(escaped.requestURI.host == "example.net")
        let long = try #require(
            requests.first {
                $0.headers.contains("Unknown-LongLong0123456789") || $0.from?.displayName?.contains("longlong") == true
                    || $0.requestURI.host == "example.com" && $0.method == "INVITE"
            })
        #expect(long.method == "INVITE")
        let semicolon = try #require(requests.first { $0.method == "OPTIONS" })
        #expect(semicolon.requestURI.user == "user;par=u@example.net")
        #expect(semicolon.requestURI.host == "example.com")
        await application.stack.shutdown()
    }

    /// A small generator with a fixed seed: the same run each time.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var word = state
            word ^= word >> 33
            word = word &* 0xff51_afd7_ed55_8ccd
            return word ^ word >> 33
        }
    }

    static let tokens = [
        "\r\n", "\r\n\r\n", " ", ";", ",", "<", ">", "\"", "%00", "tel:1", "sip:", "sips:a@b", "<tel:1>", "Contact: ",
        "m: <tel:1>\r\n",
        "Record-Route: <tel:2>\r\n", "Route: <sip:x;lr>\r\n", "INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "REFER",
        "SUBSCRIBE",
        "NOTIFY", "PRACK", "OPTIONS", "4294967296", "-1", "0", ";tag=", ";branch=z9hG4bK", "Require: timer\r\n",
        "Content-Length: 9\r\n",
        "*", "@", ":", "=", "?", "\0", "é", "SIP/2.0", "Session-Expires: 90\r\n", "RAck: 1 1 INVITE\r\n",
        "Supported: 100rel, timer\r\n",
        "Replaces: a;to-tag=b;from-tag=c\r\n", "Event: conference\r\n", "Refer-To: <sip:a@b>\r\n",
        "Content-Type: multipart/mixed;boundary=x\r\n",
    ].map { Array($0.utf8) }

    static func mutate(_ seed: [UInt8], _ generator: inout Generator) -> [UInt8] {
        var bytes = seed
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            guard !bytes.isEmpty else { break }
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.insert(contentsOf: tokens.randomElement(using: &generator) ?? [], at: at)
            case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...20, using: &generator)))
            case 3:
                let end = min(bytes.count, at + Int.random(in: 1...200, using: &generator))
                bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0..<bytes.count, using: &generator))
            case 4: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            default:
                let token = tokens.randomElement(using: &generator) ?? []
                bytes.replaceSubrange(at..<min(bytes.count, at + token.count), with: token)
            }
        }
        return bytes
    }

    @Test(
        "mutated messages leave the stack answering, and a call that runs meanwhile undisturbed",
        arguments: [SIPTransport.udp, .tcp])
    func mutations(_ transport: SIPTransport) async throws {
        let application = try await Application.start([Endpoint(transport: transport, host: "127.0.0.1", port: 0)]) {
            $0.retransmissionInterval = 50
            $0.transactionTimeout = 400
        }
        application.react { stack, event in
            Application.answerEverything(stack, event)
            if case .invite(let call, _, let request) = event, request.headers["Subject"] != "undisturbed" {
                stack.bye(call)
            }
        }
        let alice = try Caller(application.stack.listeners[0])
        try alice.call(extra: "Subject: undisturbed\n")
        var seeds = try Self.corpus.map { try Self.bytes($0.file) }
        for method in ["INVITE", "UPDATE", "BYE", "INFO", "ACK", "PRACK", "CANCEL", "SUBSCRIBE", "REFER"] {
            seeds.append(
                Array(
                    """
                    \(method) sip:room@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK776;rport\r\n\
                    Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:room@127.0.0.1>\r\n\
                    Call-ID: seed\r\nCSeq: 1 \(method)\r\nContact: <sip:a@127.0.0.1:9>\r\nSupported: timer\r\n\
                    Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n
                    """.utf8))
        }
        var generator = Generator(state: 4475)
        var stream = try Peer(application.stack.listeners[0])
        for round in 0..<3000 {
            if transport == .tcp, round.isMultiple(of: 5) { stream = try Peer(application.stack.listeners[0]) }
            stream.send(Self.mutate(seeds.randomElement(using: &generator) ?? [], &generator))
            // Reads what comes back now and then, so that neither side's buffers fill up.
            if round.isMultiple(of: 50) {
                while stream.receiveBytes(milliseconds: 0)?.isEmpty == false {}
                alice.send("INFO")
                #expect(alice.peer.receiveFinal(milliseconds: 5000)?.status == 200, "round \(round)")
            }
        }
        alice.send("BYE")
        #expect(alice.peer.receive { $0.header("CSeq")?.hasSuffix("BYE") == true }?.status == 200)
        let late = try Caller(application.stack.listeners[0])
        try late.call(extra: "Subject: undisturbed\n")
        await application.stack.shutdown()
    }
}
