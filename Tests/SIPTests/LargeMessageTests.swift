import SIP
import Testing

/// Requests of ours that are too large for a datagram (RFC 3261 section 18.1.1).
@Suite("Large messages", .timeLimit(.minutes(2))) struct LargeMessageTests {
    private let body = String(repeating: "x", count: 3000)

    /// A subscriber who takes requests at `port`.
    private func subscribe(_ port: Int) async throws -> (Application, Dialog, Caller) {
        let (application, accepted) = try await DialogTests.accepting()
        let alice = try Caller(application.stack.listeners[0])
        alice.contact = "<sip:alice@127.0.0.1:\(port)>"
        alice.send("SUBSCRIBE", extra: DialogTests.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 200)
        return (application, try #require(await accepted.dialogs(application).first), alice)
    }

    @Test("a NOTIFY above 1300 octets goes over TCP to a peer that said UDP, a small one does not")
    func overTCP() async throws {
        let (datagrams, stream) = try StreamServer.beside()
        let (application, dialog, _) = try await subscribe(datagrams.port)
        _ = await DialogTests.notify(application, .dialog(dialog))
        let small = try #require(datagrams.receive { $0.method == "NOTIFY" })
        datagrams.send(small.ok())
        for count in 1...2 {
            _ = await DialogTests.notify(application, .dialog(dialog), body: body)
            let notify = try #require(stream.receive())
            #expect(notify.header("Via")?.hasPrefix("SIP/2.0/TCP") == true)
            #expect(notify.body.count == 3000)
            stream.send(notify.ok())
            await application.wait(for: "answer", count: 1 + count)
        }
        #expect(application.answers.map(\.response.status) == [200, 200, 200])
        #expect(datagrams.receive(milliseconds: 1) { _ in true } == nil)
        await application.stack.shutdown()
    }

    @Test("where TCP is refused it is a datagram all the same, and TCP is not tried again")
    func refused() async throws {
        let datagrams = try Server()
        let (application, dialog, _) = try await subscribe(datagrams.port)
        _ = await DialogTests.notify(application, .dialog(dialog), body: body)
        let first = try #require(datagrams.receive { $0.method == "NOTIFY" })
        #expect(first.header("Via")?.hasPrefix("SIP/2.0/UDP") == true)
        #expect(first.body.count == 3000)
        datagrams.send(first.ok())
        await application.wait(for: "answer")
        let stream = try StreamServer(port: datagrams.port)
        _ = await DialogTests.notify(application, .dialog(dialog), body: body)
        let second = try #require(datagrams.receive { $0.method == "NOTIFY" })
        datagrams.send(second.ok())
        await application.wait(for: "answer", count: 2)
        #expect(stream.receive(milliseconds: 1) == nil)
        #expect(application.answers.map(\.response.status) == [200, 200])
        await application.stack.shutdown()
    }

    @Test("a peer behind NAT gets a datagram at once, and again when it is lost")
    func behindNAT() async throws {
        let (datagrams, stream) = try StreamServer.beside()
        let (application, dialog, _) = try await subscribe(9)
        await application.stack.setRoute(dialog, Endpoint(transport: .udp, host: "127.0.0.1", port: datagrams.port))
        _ = await DialogTests.notify(application, .dialog(dialog), body: body)
        let first = try #require(datagrams.receive { $0.method == "NOTIFY" })
        let again = try #require(datagrams.receive { $0.method == "NOTIFY" })
        #expect(first.header("CSeq") == again.header("CSeq"))
        datagrams.send(again.ok())
        await application.wait(for: "answer")
        #expect(application.answers.map(\.response.status) == [200])
        #expect(stream.receive(milliseconds: 1) == nil)
        await application.stack.shutdown()
    }

    @Test("what no datagram takes is answered with a local 513 where TCP is refused", arguments: [true, false])
    func tooLarge(behindNAT: Bool) async throws {
        let datagrams = try Server()
        let (application, dialog, _) = try await subscribe(datagrams.port)
        if behindNAT {
            await application.stack.setRoute(
                dialog, Endpoint(transport: .udp, host: "127.0.0.1", port: datagrams.port))
        }
        _ = await DialogTests.notify(application, .dialog(dialog), body: String(repeating: "x", count: 70_000))
        await application.wait(for: "answer")
        let answer = try #require(application.answers.first).response
        #expect(answer.status == 513)
        #expect(answer.isLocal)
        // And the dialog goes on.
        _ = await DialogTests.notify(application, .dialog(dialog))
        #expect(datagrams.receive { $0.method == "NOTIFY" }?.body == "<x/>")
        await application.stack.shutdown()
    }

    @Test("a body of half a megabyte goes over a connection, and within a call as well")
    func overConnection() async throws {
        let (application, accepted) = try await DialogTests.accepting()
        let alice = try Caller(application.stack.listeners[1])
        try alice.call()
        await application.wait(for: "acknowledged")
        let call = try #require(application.events.first?.call)
        let bob = try Caller(application.stack.listeners[1])
        bob.send("SUBSCRIBE", extra: DialogTests.subscriber(bob))
        #expect(bob.peer.receiveFinal()?.status == 200)
        let large = String(repeating: "x", count: 500_000)
        for (caller, place) in [
            (alice, DialogReference.call(call)),
            (bob, .dialog(try #require(await accepted.dialogs(application).first))),
        ] {
            await application.stack.setRoute(
                place,
                Endpoint(
                    transport: .tcp, host: "127.0.0.1", port: caller.peer.port))
            _ = await DialogTests.notify(application, place, body: large)
            #expect(caller.peer.receive { $0.method == "NOTIFY" }?.body.utf8.count == 500_000)
        }
        await application.stack.shutdown()
    }
}

extension SIPStack {
    fileprivate func setRoute(_ place: DialogReference, _ endpoint: Endpoint) {
        switch place {
        case .call(let call): setRoute(call, endpoint)
        case .dialog(let dialog): setRoute(dialog, endpoint)
        }
    }
}
