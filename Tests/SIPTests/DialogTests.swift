import SIP
import Testing

/// Dialogs of SUBSCRIBE and REFER (RFC 6665 section 4.4.1), and requests of ours within all kinds.
@Suite("Dialogs", .timeLimit(.minutes(2))) struct DialogTests {
    static let event = "Event: conference\nExpires: 3600\n"
    static let contact = "<sip:room@192.0.2.9>;isfocus"

    static func subscriber(_ caller: Caller, _ extra: String = "") -> String {
        "Contact: \(caller.contact)\n\(event)\(extra)"
    }

    /// Accepts every SUBSCRIBE and REFER outside of calls with 200, and answers 200 to all else.
    static func accepting(
        _ listeners: [Endpoint] = [
            Endpoint(transport: .udp, host: "127.0.0.1", port: 0),
            Endpoint(transport: .tcp, host: "127.0.0.1", port: 0),
        ], configure: (inout SIPConfiguration) -> Void = { _ in }
    ) async throws -> (Application, Accepted) {
        let application = try await Application.start(listeners, configure: configure)
        let accepted = Accepted()
        application.react { stack, event in
            guard case .request(let transaction, let request) = event,
                request.method == "SUBSCRIBE" || request.method == "REFER"
            else { return Application.answerEverything(stack, event) }
            accepted.add(
                stack.accept(
                    transaction, status: 200, contact: contact, headers: [HeaderField("Expires", "3600")]))
        }
        return (application, accepted)
    }

    static func notify(_ application: Application, _ dialog: DialogReference, body: String = "<x/>") async -> Exchange {
        await application.stack.send(
            "NOTIFY", within: dialog,
            headers: [
                HeaderField("Event", "conference"), HeaderField("Subscription-State", "active;expires=3600"),
            ], body: MessageBody(contentType: "application/conference-info+xml", content: Array(body.utf8)))
    }

    //  alice                          stack
    //    | SUBSCRIBE ----------------> |  request, accept
    //    | <------------------ 200     |
    //    | <------------------ NOTIFY  |
    //    | 200 ----------------------> |  answer
    //    | SUBSCRIBE (to tag) -------> |  dialogRequest
    //    | <------------------ 200     |
    //    | SUBSCRIBE (to tag) -------> |  closed: 481
    @Test(
        "a SUBSCRIBE makes a dialog, NOTIFYs go within it, the peer's requests come within it (RFC 6665 section 4.2.1)",
        arguments: [SIPTransport.udp, .tcp])
    func subscription(_ transport: SIPTransport) async throws {
        let (application, accepted) = try await Self.accepting()
        let alice = try Caller(application.stack.listeners[transport == .udp ? 0 : 1])
        alice.send("SUBSCRIBE", extra: Self.subscriber(alice))
        let answer = try #require(alice.peer.receiveFinal())
        #expect(answer.status == 200)
        #expect(answer.header("Contact") == Self.contact)
        #expect(answer.header("Expires") == "3600")
        #expect(answer.headers("Allow-Events") == ["conference"])
        alice.remember(answer)
        let dialog = try #require(await accepted.dialogs(application).first)
        #expect(await application.stack.dialogCount == 1)

        var sequences: [Int] = []
        for _ in 0..<3 {
            let exchange = await Self.notify(application, .dialog(dialog))
            let notify = try #require(alice.peer.receive { $0.method == "NOTIFY" })
            #expect(notify.startLine.hasPrefix("NOTIFY sip:alice@127.0.0.1:\(alice.peer.port)"))
            #expect(notify.header("Call-ID") == alice.callID)
            #expect(notify.header("From") == answer.header("To"))
            #expect(notify.header("To") == "<sip:alice@example.com>;tag=alice")
            #expect(notify.header("Contact") == Self.contact)
            #expect(notify.header("Event") == "conference")
            #expect(notify.header("Subscription-State") == "active;expires=3600")
            #expect(notify.header("Max-Forwards") == "70")
            #expect(notify.header("Content-Type") == "application/conference-info+xml")
            #expect(notify.body == "<x/>")
            sequences.append(Int(notify.header("CSeq")?.split(separator: " ").first ?? "") ?? 0)
            alice.peer.send(notify.ok())
            await application.wait(for: "answer", count: sequences.count)
            #expect(application.answers.last?.exchange == exchange)
            #expect(application.answers.last?.response.status == 200)
        }
        #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $0 + 1 == $1 })

        alice.send("SUBSCRIBE", extra: Self.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 200)
        #expect(application.names.last == "dialogRequest")
        alice.send("REFER", extra: "Contact: \(alice.contact)\nRefer-To: <sip:b@h>\n")
        #expect(alice.peer.receiveFinal()?.status == 200)
        #expect(application.names.last == "dialogRequest")
        for method in ["BYE", "INVITE", "UPDATE"] {
            alice.send(method)
            #expect(alice.peer.receiveFinal()?.status == 481, "\(method)")
        }

        await application.stack.close(dialog)
        #expect(await application.stack.dialogCount == 0)
        alice.send("SUBSCRIBE", extra: Self.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 481)
        _ = await Self.notify(application, .dialog(dialog))
        await application.wait(for: "answer", count: 4)
        #expect(application.answers.last?.response.status == 481)
        #expect(application.answers.last?.response.isLocal == true)
        #expect(alice.peer.receive(milliseconds: 100) { $0.method == "NOTIFY" } == nil)
        await application.stack.shutdown()
    }

    @Test("a request without To tag is outside of the dialog that its Call-ID and From tag once made")
    func another() async throws {
        let (application, accepted) = try await Self.accepting()
        let alice = try Caller(application.stack.listeners[0])
        for _ in 0..<2 {
            alice.send("SUBSCRIBE", extra: Self.subscriber(alice))
            #expect(alice.peer.receiveFinal()?.status == 200)
        }
        #expect(await accepted.dialogs(application).count == 2)
        #expect(application.names == ["request", "request"])
        await application.stack.shutdown()
    }

    @Test(
        "who knows a call's Call-ID and From tag but not our tag is not within it",
        arguments: ["SUBSCRIBE", "REFER", "INFO", "INVITE", "UPDATE", "BYE"])
    func withoutTag(_ method: String) async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[0])
        try alice.call()
        await application.wait(for: "acknowledged")
        let count = application.events.count
        let mallory = try Caller(application.stack.listeners[0], callID: alice.callID)
        mallory.send(
            method, sequence: 2, extra: "Contact: \(mallory.contact)\nEvent: conference\nRefer-To: <sip:b@h>\n")
        #expect(mallory.peer.receiveFinal()?.status == (method == "INVITE" ? 482 : 481))
        #expect(application.events.count == count)
        // And the call goes on.
        for method in ["INFO", "BYE"] {
            alice.send(method)
            #expect(alice.peer.receiveFinal()?.status == 200)
        }
        await application.stack.shutdown()
    }

    @Test("a smaller CSeq than the last within a dialog is answered 500 (RFC 3261 section 12.2.2)")
    func order() async throws {
        let (application, _) = try await Self.accepting()
        let alice = try Caller(application.stack.listeners[0])
        alice.send("SUBSCRIBE", sequence: 10, extra: Self.subscriber(alice))
        alice.remember(try #require(alice.peer.receiveFinal()))
        alice.send("SUBSCRIBE", sequence: 9, extra: Self.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 500)
        alice.send("SUBSCRIBE", sequence: 11, extra: Self.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 200)
        await application.stack.shutdown()
    }

    @Test("an accepted SUBSCRIBE with another Contact moves the target, a refused one does not (RFC 3261 section 12.2)")
    func targetRefresh() async throws {
        let (application, accepted) = try await Self.accepting()
        let alice = try Caller(application.stack.listeners[0])
        let other = try Server()
        alice.send("SUBSCRIBE", extra: Self.subscriber(alice))
        alice.remember(try #require(alice.peer.receiveFinal()))
        let dialog = try #require(await accepted.dialogs(application).first)
        let moved = "Contact: <sip:alice@127.0.0.1:\(other.port)>\n\(Self.event)"

        application.react { stack, event in
            if case .dialogRequest(_, let transaction, _) = event { stack.respond(to: transaction, status: 403) }
        }
        alice.send("SUBSCRIBE", extra: moved)
        #expect(alice.peer.receiveFinal()?.status == 403)
        _ = await Self.notify(application, .dialog(dialog))
        #expect(alice.peer.receive { $0.method == "NOTIFY" } != nil)

        application.react(Application.answerEverything)
        alice.send("SUBSCRIBE", extra: moved)
        #expect(alice.peer.receiveFinal()?.status == 200)
        _ = await Self.notify(application, .dialog(dialog))
        let notify = try #require(other.receive { $0.method == "NOTIFY" })
        #expect(notify.startLine == "NOTIFY sip:alice@127.0.0.1:\(other.port) SIP/2.0")
        await application.stack.shutdown()
    }

    @Test("NOTIFYs take the way that Record-Route says (RFC 3261 section 12.1.1)")
    func routeSet() async throws {
        let (application, accepted) = try await Self.accepting()
        let alice = try Caller(application.stack.listeners[0])
        let proxy = try Server()
        alice.send(
            "SUBSCRIBE",
            extra: "Record-Route: <sip:127.0.0.1:\(proxy.port);lr>\nContact: <sip:alice@192.0.2.1>\n\(Self.event)")
        let answer = try #require(alice.peer.receiveFinal())
        #expect(answer.header("Record-Route") == "<sip:127.0.0.1:\(proxy.port);lr>")
        _ = await Self.notify(application, .dialog(try #require(await accepted.dialogs(application).first)))
        let notify = try #require(proxy.receive { $0.method == "NOTIFY" })
        #expect(notify.startLine == "NOTIFY sip:alice@192.0.2.1 SIP/2.0")
        #expect(notify.header("Route") == "<sip:127.0.0.1:\(proxy.port);lr>")
        await application.stack.shutdown()
    }

    @Test("a dialog's requests go where setRoute says, over the connection that is there", arguments: [0, 1])
    func route(_ listener: Int) async throws {
        let (application, accepted) = try await Self.accepting()
        let alice = try Caller(application.stack.listeners[listener])
        alice.contact = "<sip:alice@192.0.2.1:5060>"
        alice.send("SUBSCRIBE", extra: Self.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 200)
        let dialog = try #require(await accepted.dialogs(application).first)
        await application.stack.setRoute(dialog, try #require(application.events.first?.request).source)
        _ = await Self.notify(application, .dialog(dialog))
        let notify = try #require(alice.peer.receive { $0.method == "NOTIFY" })
        #expect(notify.startLine == "NOTIFY sip:alice@192.0.2.1:5060 SIP/2.0")
        await application.stack.shutdown()
    }

    //  alice                          stack
    //    | INVITE, ACK --------------> |
    //    | SUBSCRIBE (same dialog) --> |  inDialogRequest
    //    | <------------------ NOTIFY  |
    //    | <------------------ NOTIFY  |
    //    | <------------------ BYE     |  one CSeq after the other
    @Test("requests within a call share its dialog with the call's own (RFC 5057 section 3)", arguments: [0, 1])
    func withinCall(_ listener: Int) async throws {
        let application = try await Application.start()
        let alice = try Caller(application.stack.listeners[listener])
        let answer = try alice.call()
        await application.wait(for: "acknowledged")
        let call = try #require(application.events.first?.call)
        alice.send("SUBSCRIBE", extra: Self.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 200)
        #expect(application.names.last == "inDialogRequest")
        var sequences: [Int] = []
        for _ in 0..<2 {
            _ = await Self.notify(application, .call(call))
            let notify = try #require(alice.peer.receive { $0.method == "NOTIFY" })
            #expect(notify.header("From") == answer.header("To"))
            #expect(notify.header("Contact") == answer.header("Contact"))
            sequences.append(Int(notify.header("CSeq")?.split(separator: " ").first ?? "") ?? 0)
            alice.peer.send(notify.response("481 No Subscription"))
        }
        await application.wait(for: "answer", count: 2)
        #expect(application.answers.map(\.response.status) == [481, 481])
        // A subscription that ended ends no call.
        await application.stack.bye(call)
        let bye = try #require(alice.peer.receive { $0.method == "BYE" })
        sequences.append(Int(bye.header("CSeq")?.split(separator: " ").first ?? "") ?? 0)
        #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $0 < $1 })
        alice.peer.send(bye.ok())
        await application.wait(for: "ended")
        _ = await Self.notify(application, .call(call))
        await application.wait(for: "answer", count: 3)
        #expect(application.answers.last?.response.status == 481)
        await application.stack.shutdown()
    }

    @Test("a call is found by the tags of its dialog (RFC 3891 section 3), a dialog without call is not")
    func find() async throws {
        let (application, _) = try await Self.accepting()
        let alice = try Caller(application.stack.listeners[0])
        let answer = try alice.call()
        let tag = try #require(answer.header("To")?.split(separator: ";tag=").last).description
        let call = try #require(application.events.first?.call)
        let name = DialogName(callID: alice.callID, localTag: tag, remoteTag: "alice")
        #expect(await application.stack.find(name) == call)
        for wrong in [
            DialogName(callID: alice.callID, localTag: tag, remoteTag: "bob"),
            DialogName(callID: alice.callID, localTag: "x", remoteTag: "alice"),
            DialogName(callID: alice.callID, localTag: "alice", remoteTag: tag),
            DialogName(callID: "other", localTag: tag, remoteTag: "alice"),
            DialogName(callID: alice.callID, localTag: tag, remoteTag: ""),
        ] {
            #expect(await application.stack.find(wrong) == nil)
        }
        let bob = try Caller(application.stack.listeners[0])
        bob.send("SUBSCRIBE", extra: Self.subscriber(bob))
        bob.remember(try #require(bob.peer.receiveFinal()))
        let dialog = DialogName(callID: bob.callID, localTag: try #require(bob.toTag), remoteTag: "alice")
        #expect(await application.stack.find(dialog) == nil)
        alice.send("BYE")
        await application.wait(for: "ended")
        #expect(await application.stack.find(name) == nil)
        await application.stack.shutdown()
    }

    @Test("more dialogs than allowed are answered 503, and there is room again when one is closed")
    func limit() async throws {
        let (application, accepted) = try await Self.accepting { $0.maximumDialogs = 2 }
        let listener = application.stack.listeners[0]
        for status in [200, 200, 503] {
            let caller = try Caller(listener)
            caller.send("SUBSCRIBE", extra: Self.subscriber(caller))
            let answer = try #require(caller.peer.receiveFinal())
            #expect(answer.status == status)
            #expect((answer.header("Retry-After") != nil) == (status == 503))
        }
        await application.stack.close(try #require(await accepted.dialogs(application).first))
        let caller = try Caller(listener)
        caller.send("SUBSCRIBE", extra: Self.subscriber(caller))
        #expect(caller.peer.receiveFinal()?.status == 200)
        await application.stack.shutdown()
    }

    @Test("what is within a dialog cannot make another, and nothing is accepted twice")
    func acceptOnce() async throws {
        let application = try await Application.start()
        let accepted = Accepted()
        application.react { stack, event in
            switch event {
            case .request(let transaction, _), .dialogRequest(_, let transaction, _),
                .inDialogRequest(_, let transaction, _):
                accepted.add(stack.accept(transaction, status: 202, contact: Self.contact))
                accepted.add(stack.accept(transaction, status: 202, contact: Self.contact))
                stack.respond(to: transaction, status: 403)
            default: Application.answerEverything(stack, event)
            }
        }
        let alice = try Caller(application.stack.listeners[0])
        alice.send("REFER", extra: "Contact: \(alice.contact)\nRefer-To: <sip:b@h>\n")
        let answer = try #require(alice.peer.receiveFinal())
        #expect(answer.status == 202)
        alice.remember(answer)
        alice.send("SUBSCRIBE", extra: Self.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 403)
        let bob = try Caller(application.stack.listeners[0])
        try bob.call()
        bob.send("SUBSCRIBE", extra: Self.subscriber(bob))
        #expect(bob.peer.receiveFinal()?.status == 403)
        #expect(await accepted.dialogs(application).count == 1)
        await application.stack.shutdown()
    }
}
