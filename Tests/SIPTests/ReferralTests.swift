import SIP
import Testing

/// REFERs of ours, and the NOTIFYs they lead to (RFC 3515 section 2.4.4).
@Suite("REFERs of ours", .timeLimit(.minutes(2))) struct ReferralTests {
    static let sipfrag = MessageBody(contentType: "message/sipfrag", content: Array("SIP/2.0 200 OK".utf8))

    private func refer(
        _ application: Application, to server: Server, headers: [HeaderField] = [], retrying: Exchange? = nil
    ) async throws -> Exchange {
        await application.stack.send(
            "REFER", to: try #require(SIPURI("sip:bob@127.0.0.1:\(server.port)")),
            from: "\"Lobby\" <sip:lobby@example.com>", to: "<sip:bob@example.com>",
            headers: [HeaderField("Refer-To", "<sip:lobby@example.com>")] + headers, retrying: retrying)
    }

    /// A NOTIFY as the server sends it for a REFER.
    private func notify(
        _ refer: Message, from server: Server, sequence: Int, tag: String? = nil, callID: String? = nil
    ) -> [UInt8] {
        let local = refer.header("From") ?? ""
        let to = tag.map { "\(local.split(separator: ";tag=").first ?? "");tag=\($0)" } ?? local
        return Array(
            """
            NOTIFY sip:lobby@127.0.0.1 SIP/2.0
            Via: SIP/2.0/UDP 127.0.0.1:\(server.port);rport;branch=z9hG4bK\(UInt64.random(in: 0 ... .max))
            From: <sip:bob@example.com>;tag=peer
            To: \(to)
            Call-ID: \(callID ?? refer.header("Call-ID") ?? "")
            CSeq: \(sequence) NOTIFY
            Max-Forwards: 70
            Contact: <sip:bob@127.0.0.1:\(server.port)>
            Event: refer
            Subscription-State: active;expires=60
            Content-Type: message/sipfrag
            Content-Length: 18

            SIP/2.0 100 Trying
            """.replacing("\n", with: "\r\n").utf8)
    }

    //  stack                          bob
    //    | REFER --------------------> |
    //    | <------------------ NOTIFY  |  notify (it may come before the answer)
    //    | 200 ----------------------> |
    //    | <------------------ 202     |  answer
    //    | <------------------ NOTIFY  |  notify
    @Test("NOTIFYs of a REFER of ours find it by Call-ID and tag, others get 481 (RFC 6665 section 4.1.3)")
    func notifications() async throws {
        let application = try await Application.start()
        let server = try Server()
        let exchange = try await refer(application, to: server)
        let refer = try #require(server.receive { $0.method == "REFER" })
        #expect(refer.startLine == "REFER sip:bob@127.0.0.1:\(server.port) SIP/2.0")
        #expect(refer.header("To") == "<sip:bob@example.com>")
        #expect(refer.header("From")?.hasPrefix("\"Lobby\" <sip:lobby@example.com>;tag=") == true)
        #expect(refer.header("Contact") == "<sip:\(application.stack.listeners[0].authority)>")
        #expect(refer.header("Supported")?.contains("norefersub") == true)
        #expect(refer.header("Allow")?.contains("NOTIFY") == true)
        server.send(notify(refer, from: server, sequence: 1))
        #expect(server.receive { $0.status > 0 }?.status == 200)
        server.send(refer.response("202 Accepted", "Contact: <sip:bob@127.0.0.1:\(server.port)>\n"))
        await application.wait(for: "answer")
        server.send(notify(refer, from: server, sequence: 2))
        #expect(server.receive { $0.status > 0 }?.status == 200)
        #expect(application.names == ["notify", "answer", "notify"])
        for case .notify(let of, _, let request) in application.events {
            #expect(of == exchange)
            #expect(request.event == EventName("refer"))
            #expect(request.subscriptionState == SubscriptionState("active", expires: 60))
        }
        server.send(notify(refer, from: server, sequence: 3, tag: "guessed"))
        #expect(server.receive { $0.status > 0 }?.status == 481)
        server.send(notify(refer, from: server, sequence: 4, callID: "guessed"))
        #expect(server.receive { $0.status > 0 }?.status == 481)
        #expect(await application.stack.dialogCount == 0)
        await application.stack.shutdown()
    }

    @Test(
        "a refused REFER, or one without a subscription, expects no NOTIFY (RFC 4488 section 4)", arguments: [603, 202])
    func noSubscription(_ status: Int) async throws {
        let application = try await Application.start()
        let server = try Server()
        _ = try await refer(application, to: server)
        let refer = try #require(server.receive { $0.method == "REFER" })
        server.send(refer.response("\(status) X", status == 202 ? "Refer-Sub: false\n" : ""))
        await application.wait(for: "answer")
        server.send(notify(refer, from: server, sequence: 1))
        #expect(server.receive { $0.status > 0 }?.status == 481)
        await application.stack.shutdown()
    }

    @Test("a challenged REFER goes on with its Call-ID and tag, one CSeq higher (RFC 3261 section 22.2)")
    func authentication() async throws {
        let application = try await Application.start()
        let server = try Server()
        let exchange = try await refer(application, to: server)
        let first = try #require(server.receive { $0.method == "REFER" })
        server.send(first.response("407 Who", "Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\"\n"))
        await application.wait(for: "answer")
        #expect(application.answers.first?.response.proxyChallenges == ["Digest realm=\"x\", nonce=\"y\""])
        let second = try await refer(
            application, to: server, headers: [HeaderField("Proxy-Authorization", "Digest username=\"confd\"")],
            retrying: exchange)
        let again = try #require(server.receive { $0.method == "REFER" })
        #expect(again.header("Call-ID") == first.header("Call-ID"))
        #expect(again.header("From") == first.header("From"))
        #expect(again.header("Proxy-Authorization") == "Digest username=\"confd\"")
        let sequences = [first, again].map { Int($0.header("CSeq")?.split(separator: " ").first ?? "") ?? 0 }
        #expect(sequences[0] + 1 == sequences[1])
        server.send(again.response("202 Accepted"))
        await application.wait(for: "answer", count: 2)
        server.send(notify(again, from: server, sequence: 1))
        #expect(server.receive { $0.status > 0 }?.status == 200)
        guard case .notify(let of, _, _) = application.events.last else {
            Issue.record("\(application.names)")
            return
        }
        #expect(of == second)
        await application.stack.shutdown()
    }

    @Test("the stack may be shut down while an answer is told, or a request")
    func shutdownInside() async throws {
        for method in ["OPTIONS", "REFER", "NOTIFY"] {
            let application = try await Application.start()
            let server = try Server()
            application.react { stack, event in
                switch event {
                case .answer, .notify: Task.immediate { await stack.shutdown() }
                default: break
                }
                if case .notify(_, let transaction, _) = event { stack.respond(to: transaction, status: 200) }
            }
            if method == "OPTIONS" {
                _ = await application.stack.send(
                    "OPTIONS", to: try #require(SIPURI("sip:bob@127.0.0.1:\(server.port)")), from: "<sip:a@h>")
            } else {
                _ = try await refer(application, to: server)
            }
            let request = try #require(server.receive { $0.method == "OPTIONS" || $0.method == "REFER" })
            server.send(method == "NOTIFY" ? notify(request, from: server, sequence: 1) : request.ok())
            await application.wait(for: method == "NOTIFY" ? "notify" : "answer")
            await application.stack.shutdown()
        }
    }

    @Test("beyond the limit the oldest REFERs are forgotten")
    func limit() async throws {
        let application = try await Application.start { $0.maximumReferrals = 2 }
        let server = try Server()
        var refers: [Message] = []
        for _ in 0..<3 {
            _ = try await refer(application, to: server)
            refers.append(try #require(server.receive { $0.method == "REFER" }))
            server.send(try #require(refers.last).response("202 Accepted"))
            await application.wait(for: "answer", count: refers.count)
        }
        for (refer, status) in zip(refers, [481, 200, 200]) {
            server.send(notify(refer, from: server, sequence: 1))
            #expect(server.receive { $0.status > 0 }?.status == status)
        }
        await application.stack.shutdown()
    }

    @Test("headers in a URI that we are told to call are not sent (RFC 3261 section 19.1.5)")
    func embeddedHeaders() async throws {
        let application = try await Application.start()
        let server = try Server()
        let target = try #require(
            SIPURI("sip:bob@127.0.0.1:\(server.port);method=BYE?Subject=hello&Call-ID=mine&Route=%3Csip:x%3E"))
        _ = await application.stack.send("REFER", to: target, from: "<sip:lobby@example.com>")
        _ = await application.stack.invite(target, from: "<sip:lobby@example.com>")
        for method in ["REFER", "INVITE"] {
            let request = try #require(server.receive { $0.method == method })
            #expect(request.startLine == "\(method) sip:bob@127.0.0.1:\(server.port) SIP/2.0")
            #expect(request.header("Subject") == nil)
            #expect(request.header("Route") == nil)
            #expect(request.header("Call-ID") != "mine")
        }
        await application.stack.shutdown()
    }

    @Test("what the stack can't send is answered by itself, after its sender knows of it")
    func unreachable() async throws {
        let application = try await Application.start()
        for target in ["sips:bob@127.0.0.1:9", "tel:+1", "sip:bob@127.0.0.1:9;transport=sctp"] {
            let count = application.answers.count
            let exchange = await application.stack.send(
                "REFER", to: try #require(SIPURI(target)), from: "<sip:lobby@example.com>")
            await application.wait(for: "answer", count: count + 1)
            #expect(application.answers.last?.exchange == exchange)
            #expect((application.answers.last?.response.status ?? 0) >= 400, "\(target)")
        }
        await application.stack.shutdown()
    }
}
