import CSofia
import SIP
import Testing

/// Packets that killed the library before the guards were there, over each transport.
@Suite("Guards", .timeLimit(.minutes(2))) struct GuardTests {
    enum Way: CaseIterable { case udp, tcp, tls }

    private func start(_ way: Way) async throws -> Application {
        let identity = Certificates.selfSigned()
        let transport: SIPTransport = way == .udp ? .udp : way == .tcp ? .tcp : .tls
        let application = try await Application.start([Endpoint(transport: transport, host: "127.0.0.1", port: 0)]) {
            $0.identity = .init(certificateChain: identity.chain, privateKey: identity.key)
        }
        application.react { stack, event in
            Application.answerEverything(stack, event)
            // What turned the bad target into an abort.
            if case .invite(let call, _, _) = event { stack.bye(call) }
            if case .acknowledged(let call, _) = event { stack.bye(call) }
        }
        return application
    }

    private func peer(_ application: Application) throws -> Peer {
        let listener = application.stack.listeners[0]
        return listener.transport == .tls ? try Peer(tls: listener) : try Peer(listener)
    }

    /// The stack still takes a whole call.
    private func checkAlive(_ application: Application, sourceLocation: SourceLocation = #_sourceLocation) async throws
    {
        application.react(Application.answerEverything)
        let listener = application.stack.listeners[0]
        let alice = listener.transport == .tls ? try Caller(tls: listener) : try Caller(listener)
        try alice.call(sourceLocation: sourceLocation)
        alice.send("BYE")
        #expect(
            alice.peer.receive { $0.header("CSeq")?.hasSuffix("BYE") == true }?.status == 200,
            sourceLocation: sourceLocation)
    }

    /// Header lines that replace Contact (and From where given), and the response's status.
    static let packets: [(name: String, from: String, lines: String, status: Int)] = [
        ("tel Contact", "<sip:a@b>;tag=1", "Contact: <tel:+123>\n", 400),
        ("tel Contact without brackets", "<sip:a@b>;tag=1", "m: tel:+123\n", 400),
        ("tel Record-Route", "<sip:a@b>;tag=1", "Contact: <sip:a@127.0.0.1>\nRecord-Route: <tel:1>\n", 400),
        ("no Contact, tel From", "<tel:1>;tag=1", "", 400),
        ("no Contact", "<sip:a@b>;tag=1", "", 400),
        ("second Contact is tel", "<sip:a@b>;tag=1", "Contact: <sip:a@127.0.0.1>, <tel:1>\n", 400),
        ("star Contact", "<sip:a@b>;tag=1", "Contact: *\n", 400),
        ("empty Contact", "<sip:a@b>;tag=1", "Contact: <>\n", 400),
        ("Contact without host", "<sip:a@b>;tag=1", "Contact: <sip:>\n", 400),
        ("urn Contact", "<sip:a@b>;tag=1", "Contact: <urn:service:sos>\n", 400),
        (
            "Record-Route list", "<sip:a@b>;tag=1",
            "Contact: <sip:a@127.0.0.1>\nRecord-Route: <sip:p;lr>, <mailto:x@y>\n", 400
        ),
        ("required extension", "<sip:a@b>;tag=1", "Contact: <sip:a@127.0.0.1>\nRequire: nothing-we-know\n", 420),
    ]

    @Test("packets that would abort the library are answered 400", arguments: Way.allCases)
    func crashPackets(_ way: Way) async throws {
        let application = try await start(way)
        for (index, packet) in Self.packets.enumerated() {
            for method in ["INVITE", "SUBSCRIBE", "REFER", "UPDATE"] {
                let peer = try peer(application)
                peer.send(
                    "\(method) sip:room@example.com SIP/2.0\nVia: $via;branch=z9hG4bK\(method)\(index)\nMax-Forwards: 70\n"
                        + "From: \(packet.from)\nTo: <sip:room@example.com>\nCall-ID: \(method)-\(index)-\(way)\n"
                        + "CSeq: 1 \(method)\nEvent: conference\nRefer-To: <sip:b@h>\n\(packet.lines)Content-Length: 0\n\n"
                )
                let answer = peer.receive { $0.status >= 200 }
                let expected =
                    method == "UPDATE" && packet.status == 420
                    ? [481] : method == "UPDATE" ? [400, 481] : [packet.status]
                #expect(
                    answer.map { expected.contains($0.status) } ?? false,
                    "\(packet.name) \(method): \(answer?.startLine ?? "-")")
                #expect(peer.receive(milliseconds: 1) { $0.method == "NOTIFY" || $0.method == "BYE" } == nil)
            }
        }
        #expect(application.names.isEmpty)
        #expect(cs_guard_refusals() > 0)
        try await checkAlive(application)
        await application.stack.shutdown()
    }

    @Test("a bad target cannot come in by a later request of the dialog", arguments: Way.allCases)
    func targetRefresh(_ way: Way) async throws {
        let application = try await start(way)
        application.react(Application.answerEverything)
        let listener = application.stack.listeners[0]
        for (index, method) in ["UPDATE", "INVITE"].enumerated() {
            let alice = listener.transport == .tls ? try Caller(tls: listener) : try Caller(listener)
            try alice.call()
            await application.wait(for: "acknowledged", count: index + 1)
            let call = try #require(application.events.last?.call)
            alice.send(method, extra: "Contact: <tel:1>\n")
            #expect(alice.peer.receiveFinal()?.status == 400, "\(method)")
            // On a stream the library closes the connection after what it could not parse; the BYE fails then.
            await application.stack.setRoute(call, application.events.last { $0.name == "invite" }?.request?.source)
            await application.stack.bye(call)
            if way == .udp {
                let bye = try #require(alice.peer.receive { $0.method == "BYE" })
                alice.peer.send(bye.ok())
            }
            await application.wait(for: "ended", count: index + 1)
        }
        try await checkAlive(application)
        await application.stack.shutdown()
    }

    @Test("a response with a bad target ends the call and nothing else")
    func badResponse() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            if case .response(let call, "INVITE", let response) = event, response.isSuccess {
                stack.acknowledge(call)
                stack.bye(call)
            }
        }
        for lines in ["Contact: <tel:1>\n", "", "Contact: <sip:a@127.0.0.1>\nRecord-Route: <tel:1>\n"] {
            let server = try Server()
            let target = try #require(SIPURI("sip:x@127.0.0.1:\(server.port)"))
            _ = await application.stack.invite(target, from: "<sip:alice@localhost>", body: MessageBody(sdp: "v=0\r\n"))
            let invite = try #require(server.receive { $0.method == "INVITE" })
            server.send(invite.ok(lines, body: "v=0\r\n"))
            while let request = server.receive(milliseconds: 300, where: { $0.status == 0 && $0.method != "ACK" }) {
                server.send(
                    request.method == "INVITE"
                        ? request.ok("Contact: <sip:x@127.0.0.1:\(server.port)>\n") : request.ok())
                if request.method == "BYE" { break }
            }
        }
        let alice = try Caller(application.stack.listeners[0])
        application.react(Application.answerEverything)
        try alice.call()
        await application.stack.shutdown()
    }

    @Test("unknown methods are answered 501, other schemes 416, unknown extensions 420 (RFC 3261 section 8.2)")
    func refusals() async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        alice.send("NEWMETHOD")
        let unknown = try #require(alice.peer.receiveFinal())
        #expect(unknown.status == 501)
        #expect(unknown.header("Allow")?.contains("INVITE") == true)
        for uri in ["tel:+123", "mailto:a@b", "urn:service:sos", "nobody-knows:x"] {
            alice.peer.send(
                "OPTIONS \(uri) SIP/2.0\nVia: $via;branch=z9hG4bK\(uri.count)\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\n"
                    + "Call-ID: \(uri)\nCSeq: 1 OPTIONS\nMax-Forwards: 70\nContent-Length: 0\n\n")
            #expect(alice.peer.receiveFinal()?.status == 416, "\(uri)")
        }
        alice.send("OPTIONS", extra: "Require: timer, foo, replaces, bar\n")
        let required = try #require(alice.peer.receiveFinal())
        #expect(required.status == 420)
        #expect(required.header("Unsupported") == "foo, bar")
        #expect(application.names.isEmpty)
        await application.stack.shutdown()
    }

    @Test(
        "a source that sent too much is answered 503 before its request is read, its calls go on",
        arguments: Way.allCases)
    func flood(_ way: Way) async throws {
        let application = try await start(way)
        application.react(Application.answerEverything)
        let listener = application.stack.listeners[0]
        let alice = listener.transport == .tls ? try Caller(tls: listener) : try Caller(listener)
        try alice.call()
        await application.wait(for: "acknowledged")
        application.makeWait(17)
        let mallory = listener.transport == .tls ? try Caller(tls: listener) : try Caller(listener)
        for method in ["INVITE", "SUBSCRIBE", "OPTIONS"] {
            mallory.send(method, extra: method == "SUBSCRIBE" ? "Contact: \(mallory.contact)\n" : "")
            let answer = try #require(mallory.peer.receiveFinal())
            #expect(answer.status == 503)
            #expect(answer.header("Retry-After") == "17")
        }
        #expect(application.names == ["invite", "acknowledged"])
        for method in ["INFO", "BYE"] {
            alice.send(method)
            #expect(alice.peer.receiveFinal()?.status == 200)
        }
        await application.stack.shutdown()
    }

    @Test("more calls and pending requests than allowed are answered 503")
    func limits() async throws {
        let application = try await Application.start {
            $0.maximumCalls = 2
            $0.maximumPendingTransactions = 3
        }
        let callers = try (0..<3).map { _ in try Caller(application.stack.listeners[0]) }
        try callers[0].call()
        try callers[1].call()
        callers[2].send("INVITE", body: "v=0\n")
        let answer = try #require(callers[2].peer.receiveFinal())
        #expect(answer.status == 503)
        #expect(answer.header("Retry-After") != nil)
        application.react { _, _ in }
        for caller in [callers[0], callers[0], callers[0]] { caller.send("INFO") }
        await application.wait(for: "inDialogRequest", count: 3)
        callers[1].send("INFO")
        #expect(callers[1].peer.receiveFinal()?.status == 503)
        await application.stack.shutdown()
    }

    @Test(
        "huge heads, many headers, wrong lengths and garbage end their connection at most", arguments: [Way.tcp, .tls])
    func streams(_ way: Way) async throws {
        let application = try await start(way)
        let start = "OPTIONS sip:room@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKx\r\n"
        let rest = "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
        let many = String(repeating: "X-Header: value\r\n", count: 5000)
        let texts = [
            start + rest + "X: " + String(repeating: "a", count: 300_000) + "\r\nContent-Length: 0\r\n\r\n",
            start + many + rest + "Content-Length: 0\r\n\r\n",
            start + rest + "Content-Length: 4000000000\r\n\r\nshort",
            start + rest + "Content-Length: 99999999999999999999999\r\n\r\nshort",
            start + rest + "Content-Length: -1\r\n\r\nshort",
            start + rest + "Content-Length: 5\r\nContent-Length: 500000\r\n\r\nshort",
            start + rest + "\r\nno length at all",
            String(repeating: "\r\n", count: 50_000),
            String(repeating: "\0", count: 50_000),
            String(repeating: "GET / HTTP/1.1\r\n\r\n", count: 100),
            start + String(repeating: "Via: SIP/2.0/TCP h\r\n", count: 3000) + rest + "\r\n",
            start + rest + "Contact: " + String(repeating: "<sip:a@b>,", count: 20_000)
                + "<sip:a@b>\r\nContent-Length: 0\r\n\r\n",
            start + "From: " + String(repeating: "\"", count: 60_000) + "\r\n\r\n",
            start + rest + "Content-Length: 0\r\n" + String(repeating: " folded\r\n", count: 10_000) + "\r\n",
        ]
        for text in texts {
            let peer = try peer(application)
            peer.send(Array(text.utf8))
            _ = peer.receiveBytes(milliseconds: 50)
        }
        try await checkAlive(application)
        await application.stack.shutdown()
    }

    @Test("datagrams up to the largest, empty ones and garbage do no harm")
    func datagrams() async throws {
        let application = try await start(.udp)
        let peer = try peer(application)
        for size in [0, 1, 3, 4, 5, 1000, 1500, 9000, 65_000] {
            for octet: UInt8 in [0, 0x0a, 0x20, 0x3a, 0x49, 0xff] { peer.send([UInt8](repeating: octet, count: size)) }
        }
        let head = "OPTIONS sip:r@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n"
        peer.send(Array((head + String(repeating: "X: y\r\n", count: 10_000)).utf8))
        peer.send(Array((head + "Content-Length: 70000\r\n\r\n").utf8))
        try await checkAlive(application)
        await application.stack.shutdown()
    }
}
