import SIP
import Testing

@Suite("Calls of peers", .timeLimit(.minutes(2))) struct CallTests {
    //  Alice                      stack                handler
    //    | INVITE (twice) -------> |  invite ----------> |
    //    | <------------- 100      | <------ respond 200 |
    //    | <------------- 200      |                     |
    //    | ACK (twice) ----------> |  acknowledged ----> |
    //    | BYE ------------------> |  bye, ended ------> |
    //    | <------------- 200      |                     |
    @Test("a call from INVITE to BYE, retransmissions absorbed (RFC 3261 sections 13, 15, 17.2)")
    func wholeCall() async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        let branch = alice.send("INVITE", body: "v=0\n")
        let answer = try #require(alice.peer.receiveFinal())
        alice.remember(answer)
        #expect(answer.status == 200)
        #expect(answer.header("Contact") == "<sip:room@\(application.stack.listeners[0].authority)>;isfocus")
        #expect(answer.body == "v=0\r\n")
        #expect(answer.header("User-Agent") == "confd")
        #expect(answer.headers("Allow").count == 1)
        #expect(answer.header("Accept") == "application/sdp")
        #expect(
            answer.headers("Supported").joined(separator: ", ")
                == "replaces, join, norefersub, multiple-refer, recipient-list-invite, timer")
        alice.send("INVITE", sequence: 2, branch: branch, body: "v=0\n")
        alice.acknowledge()
        alice.acknowledge()
        await application.wait(for: "acknowledged")
        alice.send("BYE")
        #expect(alice.peer.receive { $0.header("CSeq")?.hasSuffix("BYE") == true }?.status == 200)
        await application.wait(for: "ended")
        #expect(application.names == ["invite", "acknowledged", "bye", "ended"])
        #expect(application.events.last?.ending == .bye)
        let request = try #require(application.events.first?.request)
        #expect(request.body?.mediaType == "application/sdp")
        #expect(request.body?.content == Array("v=0\r\n".utf8))
        #expect(request.callID == alice.callID)
        #expect(request.source == Endpoint(transport: .udp, host: "127.0.0.1", port: alice.peer.port))
        await application.stack.shutdown()
    }

    @Test("a refused INVITE ends its call (RFC 3261 section 13.3.1.3)")
    func refused() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            guard case .invite(_, let transaction, _) = event else { return }
            stack.respond(
                to: transaction, status: 488, phrase: "No usable media",
                headers: [HeaderField("Warning", "305 confd \"no\r\nX-Injected: 1\"")])
        }
        let alice = try Caller(application.stack.listeners[0])
        let branch = alice.send("INVITE", body: "v=0\n")
        let answer = try #require(alice.peer.receiveFinal())
        #expect(answer.startLine == "SIP/2.0 488 No usable media")
        #expect(answer.header("Warning")?.hasPrefix("305 confd") == true)
        #expect(answer.header("X-Injected") == nil)
        alice.remember(answer)
        alice.send("ACK", sequence: 2, branch: branch)
        await application.wait(for: "ended")
        #expect(application.names == ["invite", "ended"])
        #expect(application.events.last?.ending == .rejected(status: 488))
        await application.stack.shutdown()
    }

    //    | INVITE ----------------> |  invite ----------> |   (no answer)
    //    | CANCEL ----------------> |  cancelled, ended -> |
    //    | <------- 200 (CANCEL)    |
    //    | <------- 487 (INVITE)    |
    @Test("CANCEL is answered 200 and its INVITE 487 (RFC 3261 section 9.2)")
    func cancel() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            if case .invite(_, let transaction, _) = event { stack.respond(to: transaction, status: 180) }
            // Too late an answer does no harm.
            if case .cancelled(_, let transaction) = event { stack.respond(to: transaction, status: 200) }
        }
        let alice = try Caller(application.stack.listeners[0])
        let branch = alice.send("INVITE", body: "v=0\n")
        #expect(alice.peer.receive { $0.status == 180 } != nil)
        alice.send("CANCEL", sequence: 2, branch: branch)
        let first = try #require(alice.peer.receiveFinal())
        let second = try #require(alice.peer.receiveFinal())
        let statuses = [first, second].map { "\($0.header("CSeq") ?? "") \($0.status)" }.sorted()
        #expect(statuses == ["2 CANCEL 200", "2 INVITE 487"])
        await application.wait(for: "ended")
        #expect(application.names == ["invite", "cancelled", "ended"])
        #expect(application.events.last?.ending == .cancelled)
        await application.stack.shutdown()
    }

    @Test("an offerless INVITE is answered in the ACK (RFC 3261 section 13.2.1)")
    func offerless() async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call(body: "", acknowledging: "v=0\no=answer\n")
        await application.wait(for: "acknowledged")
        guard case .acknowledged(_, let body) = application.events.last else { return }
        #expect(body?.content == Array("v=0\r\no=answer\r\n".utf8))
        #expect(body?.mediaType == "application/sdp")
        #expect(application.events.first?.request?.body == nil)
        await application.stack.shutdown()
    }

    @Test("re-INVITE and UPDATE come as events and are answered by the handler (RFC 3261 section 14, RFC 3311)")
    func changes() async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call()
        alice.send("INVITE", body: "v=0\na=sendonly\n")
        let answer = try #require(alice.peer.receiveFinal())
        #expect(answer.status == 200)
        #expect(answer.body == "v=0\r\n")
        alice.acknowledge()
        await application.wait(for: "acknowledged", count: 2)
        alice.send("UPDATE", body: "v=0\na=sendrecv\n")
        let updated = try #require(alice.peer.receiveFinal())
        #expect(updated.status == 200)
        #expect(updated.body == "v=0\r\n")
        #expect(updated.header("Contact") != nil)
        alice.send("UPDATE")
        #expect(alice.peer.receiveFinal()?.status == 200)
        alice.send("BYE")
        await application.wait(for: "ended")
        #expect(
            application.names
                == ["invite", "acknowledged", "reinvite", "acknowledged", "update", "update", "bye", "ended"])
        #expect(application.events[2].request?.body?.content == Array("v=0\r\na=sendonly\r\n".utf8))
        await application.stack.shutdown()
    }

    @Test("a refused re-INVITE or UPDATE leaves the call as it was (RFC 3261 section 14.2)")
    func refusedChange() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            switch event {
            case .reinvite(_, let transaction, _): stack.respond(to: transaction, status: 488)
            case .update(_, let transaction, _): stack.respond(to: transaction, status: 488)
            default: Application.answerEverything(stack, event)
            }
        }
        let alice = try Caller(application.stack.listeners[0])
        try alice.call()
        let branch = alice.send("INVITE", body: "v=0\n")
        #expect(alice.peer.receiveFinal()?.status == 488)
        alice.send("ACK", sequence: 3, branch: branch)
        alice.send("UPDATE", body: "v=0\n")
        #expect(alice.peer.receiveFinal()?.status == 488)
        alice.send("INFO")
        #expect(alice.peer.receiveFinal()?.status == 200)
        #expect(application.names.contains("ended") == false)
        await application.stack.shutdown()
    }

    //    | <------------- 200       |
    //    |     (no ACK)             |  ended(unacknowledged)
    //    | <------------- BYE       |
    @Test("a missing ACK ends the call with a BYE after 64*T1 (RFC 3261 section 13.3.1.4)")
    func missingACK() async throws {
        let application = try await Application.start { configuration in
            configuration.retransmissionInterval = 50
            configuration.transactionTimeout = 1000
        }
        let alice = try Caller(application.stack.listeners[0])
        alice.send("INVITE", body: "v=0\n")
        let bye = try #require(alice.peer.receive(milliseconds: 5000) { $0.method == "BYE" })
        alice.peer.send(bye.ok())
        await application.wait(for: "ended")
        #expect(application.names == ["invite", "ended"])
        #expect(application.events.last?.ending == .unacknowledged)
        await application.stack.shutdown()
    }

    @Test("a BYE of ours waits for the ACK (RFC 3261 section 15)")
    func byeWaitsForACK() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            Application.answerEverything(stack, event)
            if case .invite(let call, _, _) = event { stack.bye(call, reason: "SIP;cause=200;text=\"closed\"") }
        }
        let alice = try Caller(application.stack.listeners[0])
        alice.send("INVITE", body: "v=0\n")
        let answer = try #require(alice.peer.receiveFinal())
        alice.remember(answer)
        #expect(alice.peer.receive(milliseconds: 200) { $0.method == "BYE" } == nil)
        alice.acknowledge()
        let bye = try #require(alice.peer.receive { $0.method == "BYE" })
        #expect(bye.header("Reason") == "SIP;cause=200;text=\"closed\"")
        alice.peer.send(bye.ok())
        await application.wait(for: "ended")
        #expect(application.names == ["invite", "acknowledged", "ended"])
        #expect(application.events.last?.ending == .hungUp)
        await application.stack.shutdown()
    }

    @Test("a BYE without answer ends the call all the same (RFC 3261 section 15.1.1)")
    func unansweredBye() async throws {
        let application = try await Application.start { configuration in
            configuration.retransmissionInterval = 50
            configuration.transactionTimeout = 800
        }
        application.react { stack, event in
            Application.answerEverything(stack, event)
            if case .acknowledged(let call, _) = event { stack.bye(call) }
        }
        let alice = try Caller(application.stack.listeners[0])
        try alice.call()
        await application.wait(for: "ended")
        #expect(application.events.last?.ending == .hungUp)
        await application.stack.shutdown()
    }

    @Test("a BYE before the answer ends the INVITE with 487 (RFC 3261 section 15.1.2)")
    func earlyBye() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            if case .invite(_, let transaction, _) = event { stack.respond(to: transaction, status: 180) }
        }
        let alice = try Caller(application.stack.listeners[0])
        alice.send("INVITE", body: "v=0\n")
        let ringing = try #require(alice.peer.receive { $0.status == 180 })
        alice.remember(ringing)
        alice.send("BYE")
        let first = try #require(alice.peer.receiveFinal())
        let second = try #require(alice.peer.receiveFinal())
        #expect([first.status, second.status].sorted() == [200, 487])
        await application.wait(for: "ended")
        #expect(application.names == ["invite", "bye", "ended"])
        await application.stack.shutdown()
    }

    @Test("requests within a call carry their call; those of no call are answered 481 (RFC 3261 section 12.2.2)")
    func inDialog() async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call()
        alice.send("INFO")
        #expect(alice.peer.receiveFinal()?.status == 200)
        alice.send("MESSAGE")
        #expect(alice.peer.receiveFinal()?.status == 200)
        alice.send(
            "REFER", extra: "Contact: <sip:alice@127.0.0.1:\(alice.peer.port)>\nRefer-To: <sip:bob@example.com>\n")
        #expect(alice.peer.receiveFinal()?.status == 200)
        #expect(
            application.names == ["invite", "acknowledged", "inDialogRequest", "inDialogRequest", "inDialogRequest"])
        #expect(application.events[2].call == application.events[0].call)
        let stranger = try Caller(application.stack.listeners[0])
        stranger.remember(Message(Array("SIP/2.0 200 OK\r\nTo: <sip:room@example.com>;tag=nobody\r\n\r\n".utf8)))
        for method in ["BYE", "UPDATE", "INFO", "NOTIFY", "PRACK", "MESSAGE", "OPTIONS", "INVITE", "REFER"] {
            stranger.send(method, extra: method == "REFER" ? "Contact: <sip:a@127.0.0.1>\nRefer-To: <sip:b@h>\n" : "")
            #expect(stranger.peer.receiveFinal()?.status == 481, "\(method)")
        }
        for method in ["BYE", "UPDATE", "INFO", "NOTIFY", "PRACK"] {
            let early = try Caller(application.stack.listeners[0])
            early.send(method)
            #expect(early.peer.receiveFinal()?.status == 481, "\(method)")
        }
        #expect(application.names.count == 5)
        await application.stack.shutdown()
    }

    @Test(
        "a call over TCP keeps its connection, and BYE comes back on it past an unroutable Contact (RFC 5626 idea, NAT)"
    )
    func connectionReuse() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            if case .invite(let call, _, let request) = event { stack.setRoute(call, request.source) }
            Application.answerEverything(stack, event)
            if case .acknowledged(let call, _) = event { stack.bye(call) }
        }
        let alice = try Caller(application.stack.listeners[1])
        alice.contact = "<sip:alice@192.0.2.1:5060;transport=tcp>"
        try alice.call()
        let bye = try #require(alice.peer.receive { $0.method == "BYE" })
        #expect(bye.startLine == "BYE sip:alice@192.0.2.1:5060;transport=tcp SIP/2.0")
        alice.peer.send(bye.ok())
        await application.wait(for: "ended")
        #expect(application.events.last?.ending == .hungUp)
        await application.stack.shutdown()
    }

    @Test("a client behind NAT gets BYE over UDP where its packets came from (RFC 3581)")
    func packetSource() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            if case .invite(let call, _, let request) = event { stack.setRoute(call, request.source) }
            Application.answerEverything(stack, event)
            if case .acknowledged(let call, _) = event { stack.bye(call) }
        }
        let alice = try Caller(application.stack.listeners[0])
        alice.contact = "<sip:alice@192.0.2.1:5060>"
        let answer = try alice.call()
        #expect(answer.header("Via")?.contains("rport=\(alice.peer.port)") == true)
        let bye = try #require(alice.peer.receive { $0.method == "BYE" })
        alice.peer.send(bye.ok())
        await application.wait(for: "ended")
        await application.stack.shutdown()
    }

    @Test("keep-alives are answered (RFC 5626 section 3.5.1)")
    func keepAlives() async throws {
        let application = try await Application.start()
        let stream = try Peer(application.stack.listeners[1])
        stream.send([13, 10, 13, 10])
        #expect(stream.receiveBytes() == [13, 10])
        let datagram = try Peer(application.stack.listeners[0])
        datagram.send([13, 10, 13, 10])
        datagram.send([0])
        let alice = try Caller(application.stack.listeners[0])
        alice.send("OPTIONS")
        #expect(alice.peer.receiveFinal()?.status == 200)
        await application.stack.shutdown()
    }

    @Test("a challenged INVITE comes again with its Call-ID and tag, even before its ACK (RFC 3261 section 22.2)")
    func challenged() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            guard case .invite(_, let transaction, let request) = event else { return }
            stack.respond(to: transaction, status: request.authorizations.isEmpty ? 401 : 200)
        }
        for listener in application.stack.listeners {
            let alice = try Caller(listener)
            let branch = alice.send("INVITE", body: "v=0\n")
            #expect(alice.peer.receiveFinal()?.status == 401)
            alice.send("INVITE", extra: "Authorization: Digest username=\"alice\"\n", body: "v=0\n")
            let answer = try #require(alice.peer.receive { $0.status >= 200 && $0.status != 401 })
            #expect(answer.status == 200)
            alice.send("ACK", sequence: 2, branch: branch)
            alice.remember(answer)
            alice.acknowledge()
            alice.send("BYE")
            #expect(alice.peer.receive { $0.header("CSeq")?.hasSuffix("BYE") == true }?.status == 200)
        }
        await application.stack.shutdown()
    }

    @Test("provisional responses are not sent reliably, since PRACK is not offered (RFC 3262 section 3)")
    func unreliable() async throws {
        let application = try await Application.start()
        application.react { stack, event in
            guard case .invite(_, let transaction, _) = event else { return }
            stack.respond(to: transaction, status: 183)
            stack.respond(to: transaction, status: 200, body: MessageBody(sdp: "v=0\r\n"))
        }
        let alice = try Caller(application.stack.listeners[0])
        alice.send("INVITE", extra: "Supported: 100rel\n", body: "v=0\n")
        let progress = try #require(alice.peer.receive { $0.status == 183 })
        #expect(progress.header("RSeq") == nil)
        #expect(progress.header("Require") == nil)
        let answer = try #require(alice.peer.receiveFinal())
        #expect(answer.status == 200)
        alice.remember(answer)
        alice.send("INVITE", extra: "Require: 100rel\n", body: "v=0\n")
        #expect(alice.peer.receive { $0.status >= 300 }?.status == 420)
        await application.stack.shutdown()
    }

    @Test(
        "names in headers never make the stack wait",
        arguments: ["received=no-such-host.invalid", "maddr=no-such-host.invalid"])
    func names(_ parameter: String) async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        let begin = ContinuousClock.now
        for transport in ["UDP", "TCP", "TLS"] {
            for status in ["OPTIONS sip:a@b SIP/2.0", "SIP/2.0 200 OK"] {
                alice.peer.send(
                    "\(status)\nVia: SIP/2.0/\(transport) no-such-host.invalid;branch=z9hG4bK\(transport);\(parameter)\n"
                        + "Via: SIP/2.0/\(transport) no-such-host.invalid;branch=z9hG4bK0\nFrom: <sip:a@b>;tag=1\n"
                        + "To: <sip:a@b>\nCall-ID: n\(transport)\nCSeq: 1 OPTIONS\nMax-Forwards: 70\nContent-Length: 0\n\n"
                )
            }
        }
        alice.send("OPTIONS")
        #expect(alice.peer.receive { $0.header("Call-ID") == alice.callID }?.status == 200)
        #expect(ContinuousClock.now - begin < .seconds(3))
        await application.stack.shutdown()
    }

    @Test("STUN on the SIP port is dropped")
    func stun() async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        alice.peer.send([0, 1, 0, 0] + [UInt8](repeating: 0x61, count: 16))
        alice.send("OPTIONS")
        #expect(alice.peer.receive()?.status == 200)
        await application.stack.shutdown()
    }
}
