import SIP
import Testing

/// Nobody can make us send packets to others: what a REFER or SUBSCRIBE asks for is the application's to do, and a
/// refused one causes nothing but its final response (RFC 3515 section 4.1, RFC 6665 section 6.4).
@Suite("No reflector", .timeLimit(.minutes(2))) struct ReflectorTests {
    enum Place: CaseIterable { case outside, call, dialog }

    /// A stack that refuses or accepts with `status`, without making a dialog of it.
    private func start(_ status: Int) async throws -> Application {
        let application = try await Application.start()
        application.react { stack, event in
            switch event {
            case .request(let transaction, let request) where request.event?.package == "setup":
                _ = stack.accept(transaction, status: 200, contact: "<sip:room@192.0.2.9>")
            case .request(let transaction, _), .inDialogRequest(_, let transaction, _),
                .dialogRequest(_, let transaction, _):
                stack.respond(to: transaction, status: status)
            default: Application.answerEverything(stack, event)
            }
        }
        return application
    }

    @Test(
        "a REFER or SUBSCRIBE causes no packet but its final response",
        arguments: [SIPTransport.udp, .tcp], Place.allCases)
    func silence(_ transport: SIPTransport, _ place: Place) async throws {
        for status in [202, 403] {
            let application = try await start(status)
            let (victim, stream) = try StreamServer.beside()
            let alice = try Caller(application.stack.listeners[transport == .udp ? 0 : 1])
            switch place {
            case .outside: break
            case .call:
                try alice.call()
                await application.wait(for: "acknowledged")
            case .dialog:
                alice.send("SUBSCRIBE", extra: "Contact: \(alice.contact)\nEvent: setup\n")
                alice.remember(try #require(alice.peer.receiveFinal()))
            }
            let address = "127.0.0.1:\(victim.port)"
            for uri in ["sip:v@\(address)", "sip:v@\(address);transport=tcp"] {
                for (method, extra) in [
                    ("REFER", "Refer-To: <sip:b@\(address)>\nReferred-By: <sip:c@\(address)>\n"),
                    ("REFER", "Refer-To: <sip:b@\(address)>\nRefer-Sub: false\n"),
                    ("REFER", "Refer-To: <sip:b@\(address);method=BYE>\n"),
                    ("REFER", ""),
                    ("SUBSCRIBE", "Event: conference\nExpires: 60\n"),
                    ("SUBSCRIBE", "Event: presence\n"),
                    ("SUBSCRIBE", ""),
                    ("SUBSCRIBE", "Event: refer;id=1\n"),
                ] {
                    alice.send(method, extra: "Contact: <\(uri)>\n\(extra)")
                    let answer = try #require(alice.peer.receive())
                    #expect(answer.status == status, "\(method) \(extra)")
                    // 202 is no acceptance here: nothing was made of it.
                }
            }
            #expect(victim.receive(milliseconds: 100) { _ in true } == nil)
            #expect(stream.receive(milliseconds: 1) == nil)
            #expect(alice.peer.receive(milliseconds: 1) == nil)
            await application.stack.shutdown()
            #expect(victim.receive(milliseconds: 1) { $0.method != "BYE" } == nil)
        }
    }

    @Test("requests that the stack refuses by itself leave nothing behind either")
    func refusedByTheStack() async throws {
        let application = try await start(200)
        let victim = try Server()
        let alice = try Caller(application.stack.listeners[0])
        let contact = "Contact: <sip:v@127.0.0.1:\(victim.port)>\n"
        for (method, extra, status) in [
            ("REFER", "Require: unheard-of\nRefer-To: <sip:b@h>\n", 420),
            ("SUBSCRIBE", "Require: unheard-of\nEvent: conference\n", 420),
            ("NOTIFY", "Event: conference\nSubscription-State: active\n", 481),
            ("REFER", "Record-Route: <sip:127.0.0.1:\(victim.port)>, <tel:1>\nRefer-To: <sip:b@h>\n", 400),
        ] {
            alice.send(method, extra: contact + extra)
            #expect(alice.peer.receiveFinal()?.status == status, "\(method) \(extra)")
        }
        #expect(application.names.isEmpty)
        #expect(victim.receive(milliseconds: 200) { _ in true } == nil)
        await application.stack.shutdown()
    }
}
