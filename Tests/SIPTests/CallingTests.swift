import SIP
import Testing

@Suite("Calls of ours", .timeLimit(.minutes(2))) struct CallingTests {
    static func target(_ endpoint: Endpoint, user: String = "room") throws -> SIPURI {
        let scheme = endpoint.transport == .tls ? "sips" : "sip"
        let suffix = endpoint.transport == .tcp ? ";transport=tcp" : ""
        return try #require(SIPURI("\(scheme):\(user)@\(endpoint.authority)\(suffix)"))
    }

    //  caller stack                 callee stack
    //    | INVITE ------------------> |  invite
    //    | <------------------ 200    |
    //    | ACK ---------------------> |  acknowledged
    //    | BYE ---------------------> |  bye, ended
    //    | <------------------ 200    |
    @Test("two stacks call each other", arguments: [SIPTransport.udp, .tcp, .tls])
    func stacks(_ transport: SIPTransport) async throws {
        let identity = Certificates.selfSigned()
        let configure: (inout SIPConfiguration) -> Void = {
            $0.identity = .init(certificateChain: identity.chain, privateKey: identity.key)
            $0.trust = identity.chain
        }
        let listener = Endpoint(transport: transport, host: "127.0.0.1", port: 0)
        let callee = try await Application.start([listener], configure: configure)
        let caller = try await Application.start([listener], configure: configure)
        caller.react { stack, event in
            if case .response(let call, "INVITE", let response) = event, response.isSuccess { stack.acknowledge(call) }
        }
        let target = try Self.target(callee.stack.listeners[0])
        let call = await caller.stack.invite(
            target, from: "\"Alice\" <sip:alice@example.com>", body: MessageBody(sdp: "v=0\r\n"))
        await callee.wait(for: "acknowledged")
        let request = try #require(callee.events.first?.request)
        #expect(request.from?.displayName == "Alice")
        #expect(request.from?.uri.user == "alice")
        #expect(request.body?.mediaType == "application/sdp")
        #expect(request.source.transport == transport)
        #expect(request.local == callee.stack.listeners[0])
        await caller.stack.bye(call)
        await caller.wait(for: "ended")
        await callee.wait(for: "ended")
        #expect(caller.names.filter { $0 != "response INVITE 100" } == ["response INVITE 200", "ended"])
        #expect(caller.events.last?.ending == .hungUp)
        #expect(callee.names == ["invite", "acknowledged", "bye", "ended"])
        // And the other way round: the callee ends the call.
        let second = await caller.stack.invite(
            target, from: "<sip:alice@example.com>", body: MessageBody(sdp: "v=0\r\n"))
        await callee.wait(for: "acknowledged", count: 2)
        let incoming = try #require(callee.events.last?.call)
        await callee.stack.bye(incoming, reason: "SIP;cause=200")
        await caller.wait(for: "ended", count: 2)
        #expect(caller.events.last?.ending == .bye)
        #expect(caller.events.last?.call == second)
        await caller.stack.shutdown()
        await callee.stack.shutdown()
    }

    @Test("OPTIONS with its round trip", arguments: [SIPTransport.udp, .tcp])
    func options(_ transport: SIPTransport) async throws {
        let listener = Endpoint(transport: transport, host: "127.0.0.1", port: 0)
        let callee = try await Application.start([listener])
        callee.react { stack, event in
            guard case .request(let transaction, let request) = event else { return }
            stack.respond(
                to: transaction, status: 200, contact: "<sip:room@\(request.local.authority)>;isfocus",
                headers: [HeaderField("Accept", "application/sdp, message/cpim")])
        }
        let caller = try await Application.start([listener])
        let (response, roundTrip) = await caller.stack.options(
            try Self.target(callee.stack.listeners[0]), from: "<sip:probe@localhost>")
        #expect(response.status == 200)
        #expect(response.contacts.first?.parameter("isfocus") == "")
        #expect(response.headers.items("Accept") == ["application/sdp", "message/cpim"])
        #expect(response.headers.all("Accept").count == 1)
        #expect(response.supported.contains("timer"))
        #expect(response.allow.contains("INVITE"))
        #expect(response.headers.contains("Allow-Events", token: "conference"))
        #expect(response.source?.port == callee.stack.listeners[0].port)
        #expect(roundTrip > .zero && roundTrip < .seconds(2))
        await caller.stack.shutdown()
        await callee.stack.shutdown()
    }

    @Test("nobody there: a local 408 or 503")
    func nobody() async throws {
        let caller = try await Application.start { configuration in
            configuration.retransmissionInterval = 50
            configuration.transactionTimeout = 500
        }
        let silent = try Peer(Endpoint(transport: .udp, host: "127.0.0.1", port: 9))
        let target = try #require(SIPURI("sip:x@127.0.0.1:\(silent.port)"))
        let (response, _) = await caller.stack.options(target, from: "<sip:probe@localhost>")
        #expect(response.isLocal)
        #expect([408, 503].contains(response.status))
        _ = await caller.stack.invite(target, from: "<sip:alice@localhost>", body: MessageBody(sdp: "v=0\r\n"))
        await caller.wait(for: "ended")
        guard case .failed(let status, _) = caller.events.last?.ending else {
            Issue.record("\(String(describing: caller.events.last))")
            return
        }
        #expect([408, 503].contains(status))
        await caller.stack.shutdown()
    }

    @Test("a challenged INVITE is sent again in the same Call-ID, one CSeq higher (RFC 3261 section 22.2)")
    func authentication() async throws {
        let caller = try await Application.start()
        let server = try Server()
        let target = try #require(SIPURI("sip:room@127.0.0.1:\(server.port)"))
        caller.react { stack, event in
            if case .response(let call, "INVITE", let response) = event {
                if response.status == 401 {
                    _ = stack.invite(
                        target, from: "<sip:alice@localhost>",
                        headers: [
                            HeaderField(
                                "Authorization", "Digest username=\"alice\", response=\"\(response.challenges.count)\"")
                        ],
                        body: MessageBody(sdp: "v=0\r\n"), retrying: call)
                } else if response.isSuccess {
                    stack.acknowledge(call)
                }
            }
        }
        _ = await caller.stack.invite(target, from: "<sip:alice@localhost>", body: MessageBody(sdp: "v=0\r\n"))
        let first = try #require(server.receive { $0.method == "INVITE" })
        server.send(
            first.response(
                "401 Unauthorized", "WWW-Authenticate: Digest realm=\"x\", nonce=\"abc\", algorithm=SHA-256\n"))
        #expect(server.receive { $0.method == "ACK" } != nil)
        let second = try #require(server.receive { $0.method == "INVITE" })
        #expect(second.header("Call-ID") == first.header("Call-ID"))
        #expect(second.header("From") == first.header("From"))
        #expect(
            Int(second.header("CSeq")?.prefix { $0 != " " } ?? "")
                == Int(first.header("CSeq")?.prefix { $0 != " " } ?? "").map { $0 + 1 })
        #expect(second.header("Authorization") == "Digest username=\"alice\", response=\"1\"")
        #expect(second.headers("From").count == 1)
        server.send(second.ok("Contact: <sip:room@127.0.0.1:\(server.port)>\n", body: "v=0\r\n"))
        let ack = try #require(server.receive { $0.method == "ACK" })
        #expect(ack.header("CSeq")?.hasSuffix(" ACK") == true)
        await caller.wait(for: "ended")
        #expect(caller.events.compactMap(\.ending) == [.rejected(status: 401)])
        await caller.stack.shutdown()
    }

    @Test(
        "CANCEL of ours, and a 2xx that crosses it is acknowledged and ended (RFC 3261 section 9.1)",
        arguments: [false, true])
    func cancel(crossing: Bool) async throws {
        let caller = try await Application.start()
        let server = try Server()
        let target = try #require(SIPURI("sip:room@127.0.0.1:\(server.port)"))
        let call = await caller.stack.invite(target, from: "<sip:alice@localhost>", body: MessageBody(sdp: "v=0\r\n"))
        let invite = try #require(server.receive { $0.method == "INVITE" })
        server.send(invite.response("180 Ringing"))
        await caller.wait(for: "response INVITE 180")
        await caller.stack.cancel(call)
        let cancel = try #require(server.receive { $0.method == "CANCEL" })
        server.send(cancel.ok())
        if crossing {
            server.send(invite.ok("Contact: <sip:room@127.0.0.1:\(server.port)>\n", body: "v=0\r\n"))
            #expect(server.receive { $0.method == "ACK" } != nil)
            let bye = try #require(server.receive { $0.method == "BYE" })
            server.send(bye.ok())
        } else {
            server.send(invite.response("487 Request Terminated"))
            #expect(server.receive { $0.method == "ACK" } != nil)
        }
        await caller.wait(for: "ended")
        #expect(caller.events.last?.ending == .cancelled)
        await caller.stack.shutdown()
    }

    @Test("redirections are not followed by themselves")
    func redirection() async throws {
        let caller = try await Application.start()
        let server = try Server()
        let target = try #require(SIPURI("sip:room@127.0.0.1:\(server.port)"))
        _ = await caller.stack.invite(target, from: "<sip:alice@localhost>", body: MessageBody(sdp: "v=0\r\n"))
        let invite = try #require(server.receive { $0.method == "INVITE" })
        server.send(invite.response("302 Moved", "Contact: <sip:victim@127.0.0.1:\(server.port)>\n"))
        await caller.wait(for: "ended")
        #expect(caller.events.last?.ending == .rejected(status: 302))
        #expect(server.receive(milliseconds: 200) { $0.startLine.contains("victim") } == nil)
        await caller.stack.shutdown()
    }

    @Test("a host name is resolved in the background", arguments: ["localhost", "no-such-host.invalid"])
    func names(_ host: String) async throws {
        let application = try await Application.start {
            $0.retransmissionInterval = 50
            $0.transactionTimeout = 1000
        }
        let port = application.stack.listeners[0].port
        let target = try #require(SIPURI("sip:room@\(host):\(port)"))
        async let answer = application.stack.options(target, from: "<sip:probe@localhost>")
        // Meanwhile the thread serves others.
        let alice = try Caller(application.stack.listeners[0])
        alice.send("OPTIONS")
        #expect(alice.peer.receiveFinal()?.status == 200)
        let status = await answer.response.status
        #expect(host == "localhost" ? status == 200 : status >= 400)
        await application.stack.shutdown()
    }
}
