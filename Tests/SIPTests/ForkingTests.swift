import SIP
import Testing

/// INVITEs of ours that a proxy forks (RFC 3261 section 13.2.2.4).
@Suite("Forked calls", .timeLimit(.minutes(2))) struct ForkingTests {
    /// A response of the branch with that tag.
    private func answer(_ invite: Message, _ status: String, tag: String, port: Int) -> [UInt8] {
        let text = String(
            decoding: invite.response(status, "Contact: <sip:\(tag)@127.0.0.1:\(port)>\n", body: "v=0\r\n"),
            as: UTF8.self)
        return Array(text.replacing(";tag=peer", with: ";tag=\(tag)").utf8)
    }

    //  stack                          proxy
    //    | INVITE -------------------> |
    //    | <--------------- 180 a      |
    //    | <--------------- 180 b      |
    //    | <--------------- 200 a      |
    //    | ACK a --------------------> |
    //    | <--------------- 200 b      |
    //    | ACK b, BYE b -------------> |
    @Test("of several 2xx the first makes the call, the others get ACK and BYE", arguments: [true, false])
    func several(ringing: Bool) async throws {
        let application = try await Application.start()
        let server = try Server()
        application.react { stack, event in
            if case .response(let call, "INVITE", let response) = event, response.isSuccess { stack.acknowledge(call) }
        }
        let call = await application.stack.invite(
            try #require(SIPURI("sip:bob@127.0.0.1:\(server.port)")), from: "<sip:lobby@example.com>",
            body: MessageBody(sdp: "v=0\r\n"))
        let invite = try #require(server.receive { $0.method == "INVITE" })
        if ringing {
            server.send(answer(invite, "180 Ringing", tag: "a", port: server.port))
            server.send(answer(invite, "180 Ringing", tag: "b", port: server.port))
        }
        server.send(answer(invite, "200 OK", tag: "a", port: server.port))
        let first = try #require(server.receive { $0.method == "ACK" })
        #expect(first.header("To")?.hasSuffix(";tag=a") == true)
        #expect(first.startLine.hasPrefix("ACK sip:a@"))
        for tag in ["b", "c"] {
            server.send(answer(invite, "200 OK", tag: tag, port: server.port))
            var seen: Set<String> = []
            while seen.count < 2, let request = server.receive(where: { $0.method == "ACK" || $0.method == "BYE" }) {
                guard request.header("To")?.hasSuffix(";tag=\(tag)") == true else { continue }
                #expect(request.startLine.contains(" sip:\(tag)@"))
                seen.insert(request.method)
                if request.method == "BYE" { server.send(request.ok()) }
            }
            #expect(seen == ["ACK", "BYE"], "\(tag)")
        }
        // The first is the call, and goes on.
        #expect(!application.names.contains("ended"))
        let name = DialogName(
            callID: try #require(invite.header("Call-ID")),
            localTag: try #require(invite.header("From")?.split(separator: ";tag=").last.map(String.init)),
            remoteTag: "a")
        #expect(await application.stack.find(name) == call)
        _ = await application.stack.send("INFO", within: .call(call))
        let info = try #require(server.receive { $0.method == "INFO" })
        #expect(info.startLine == "INFO sip:a@127.0.0.1:\(server.port) SIP/2.0")
        #expect(info.header("Contact") == "<sip:\(application.stack.listeners[0].authority)>")
        server.send(info.ok())
        await application.stack.bye(call)
        let bye = try #require(server.receive { $0.method == "BYE" && $0.header("To")?.hasSuffix("a") == true })
        server.send(bye.ok())
        await application.wait(for: "ended")
        #expect(application.events.compactMap(\.ending) == [.hungUp])
        #expect(application.names.count { $0 == "response INVITE 200" } == 1)
        await application.stack.shutdown()
    }

    @Test("a 2xx to a call that was given up, from another branch than the one that rang, ends as well")
    func lateAnswer() async throws {
        let application = try await Application.start()
        let server = try Server()
        let call = await application.stack.invite(
            try #require(SIPURI("sip:bob@127.0.0.1:\(server.port)")), from: "<sip:lobby@example.com>",
            body: MessageBody(sdp: "v=0\r\n"))
        let invite = try #require(server.receive { $0.method == "INVITE" })
        server.send(answer(invite, "180 Ringing", tag: "a", port: server.port))
        await application.wait(for: "response INVITE 180")
        await application.stack.cancel(call)
        let cancel = try #require(server.receive { $0.method == "CANCEL" })
        server.send(cancel.ok())
        server.send(answer(invite, "200 OK", tag: "b", port: server.port))
        let bye = try #require(server.receive { $0.method == "BYE" })
        #expect(bye.header("To")?.hasSuffix(";tag=b") == true)
        server.send(bye.ok())
        await application.wait(for: "ended")
        #expect(application.events.compactMap(\.ending) == [.cancelled])
        await application.stack.shutdown()
    }
}
