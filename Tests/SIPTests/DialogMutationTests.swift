import SIP
import Testing

/// Hostile peers of dialogs that exist: mutated requests within them, mutated answers to requests of ours.
@Suite("Mutations within dialogs", .timeLimit(.minutes(2))) struct DialogMutationTests {
    private static func quick(_ configuration: inout SIPConfiguration) {
        configuration.retransmissionInterval = 50
        configuration.transactionTimeout = 400
    }

    @Test("mutated requests within a dialog leave the others' NOTIFYs going", arguments: [0, 1])
    func requests(_ listener: Int) async throws {
        let (application, accepted) = try await DialogTests.accepting(configure: Self.quick)
        let server = application.stack.listeners[listener]
        let alice = try Caller(server)
        alice.send("SUBSCRIBE", extra: DialogTests.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 200)
        let own = try #require(await accepted.dialogs(application).first)
        var generator = TorturedGenerator(state: 6665)
        var mallory = try Caller(server)
        for round in 0..<3000 {
            if round.isMultiple(of: 20) {
                mallory = try Caller(server)
                mallory.send("SUBSCRIBE", extra: DialogTests.subscriber(mallory))
                mallory.remember(try #require(mallory.peer.receiveFinal(), "round \(round)"))
            }
            let method = ["SUBSCRIBE", "REFER", "NOTIFY", "INFO", "BYE", "OPTIONS"][round % 6]
            let text = mallory.peer.wire(
                """
                \(method) sip:room@127.0.0.1 SIP/2.0
                Via: $via;branch=z9hG4bK\(round)
                Max-Forwards: 70
                From: <sip:alice@example.com>;tag=alice
                To: <sip:room@example.com>;tag=\(mallory.toTag ?? "")
                Call-ID: \(mallory.callID)
                CSeq: \(round + 10) \(method)
                Contact: <sip:m@127.0.0.1:9>
                Event: conference
                Refer-To: <sip:b@h>
                Subscription-State: active
                Content-Length: 0


                """)
            mallory.peer.send(TortureTests.mutate(Array(text.utf8), &generator))
            if round.isMultiple(of: 7), let dialog = await accepted.dialogs(application).last {
                // Sent to whatever target the last mutation left.
                _ = await DialogTests.notify(application, .dialog(dialog))
            }
            if round.isMultiple(of: 60) {
                while mallory.peer.receiveBytes(milliseconds: 0)?.isEmpty == false {}
                _ = await DialogTests.notify(application, .dialog(own))
                let notify = try #require(
                    alice.peer.receive(milliseconds: 5000) { $0.method == "NOTIFY" }, "round \(round)")
                alice.peer.send(notify.ok())
            }
        }
        await application.stack.shutdown()
    }

    @Test("mutated answers to NOTIFY and REFER end these at most")
    func responses() async throws {
        let (application, accepted) = try await DialogTests.accepting(configure: Self.quick)
        let server = try Server()
        let alice = try Caller(application.stack.listeners[0])
        alice.contact = "<sip:alice@127.0.0.1:\(server.port)>"
        alice.send("SUBSCRIBE", extra: DialogTests.subscriber(alice))
        #expect(alice.peer.receiveFinal()?.status == 200)
        let dialog = try #require(await accepted.dialogs(application).first)
        let target = try #require(SIPURI("sip:bob@127.0.0.1:\(server.port)"))
        var generator = TorturedGenerator(state: 3515)
        for round in 0..<1500 {
            if round.isMultiple(of: 2) {
                _ = await DialogTests.notify(application, .dialog(dialog))
            } else {
                _ = await application.stack.send(
                    "REFER", to: target, from: "<sip:room@127.0.0.1>",
                    headers: [HeaderField("Refer-To", "<sip:room@127.0.0.1>")])
            }
            guard let request = server.receive(where: { $0.method == "NOTIFY" || $0.method == "REFER" }) else {
                Issue.record("nothing in round \(round)")
                break
            }
            let status = ["200 OK", "202 Accepted", "401 Who", "302 There", "481 Gone", "100 Trying"][round % 6]
            let answer = request.response(
                status,
                "Contact: <sip:x@127.0.0.1:\(server.port)>\nRecord-Route: <sip:127.0.0.1;lr>\nRetry-After: 1\n"
                    + "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\n")
            server.send(TortureTests.mutate(answer, &generator))
        }
        // Those without a usable answer time out; the stack goes on.
        await application.wait(for: "answer", count: 1500)
        #expect(application.names.count { $0 == "answer" } >= 1500)
        _ = await DialogTests.notify(application, .dialog(dialog), body: "last")
        let last = try #require(server.receive { $0.body == "last" })
        server.send(last.ok())
        await application.stack.shutdown()
    }
}

typealias TorturedGenerator = TortureTests.Generator
