import DigestAuth
import MediaMixer
import Testing

@testable import Focus
@testable import SIP

/// With `auth = required`, what somebody without an account can try, and somebody with one at others' cost. After
/// each try nothing but the answer may have left.
@Suite("Attacks on the door", .timeLimit(.minutes(1)))
struct AccessAttackTests {
    private static let elsewhere = Endpoint(transport: .udp, host: "203.0.113.66", port: 5060)
    private static let room = "sip:lobby@example.com"

    private func bench(_ change: (inout FocusConfiguration) -> Void = { _ in }) -> Bench {
        Bench {
            $0.access.mode = .required
            $0.access.accounts = MemoryAccounts(AccessBench.passwords)
            change(&$0)
        }
    }

    /// Sends a request, answers the challenge, and hands out the second answer.
    private func prove(
        _ bench: Bench, _ user: TestUser, _ request: Request, within dialog: DialogReference? = nil
    ) async throws -> Answer {
        let challenge = try await send(bench, request, within: dialog)
        try #require(challenge.status == 401)
        let authorization = try user.authorization(
            challenge, method: request.method, uri: request.requestURI.description)
        return try await send(bench, request.with("Authorization", authorization), within: dialog)
    }

    private func send(_ bench: Bench, _ request: Request, within dialog: DialogReference? = nil) async throws -> Answer
    {
        let transaction = bench.nextTransaction()
        switch (request.method, dialog) {
        case ("INVITE", nil): await bench.focus.handle(.invite(Call(id: transaction.id), transaction, request))
        case ("INVITE", .call(let call)): await bench.focus.handle(.reinvite(call, transaction, request))
        case ("UPDATE", .call(let call)): await bench.focus.handle(.update(call, transaction, request))
        case (_, .call(let call)): await bench.focus.handle(.inDialogRequest(call, transaction, request))
        case (_, .dialog(let dialog)): await bench.focus.handle(.dialogRequest(dialog, transaction, request))
        case (_, nil): await bench.focus.handle(.request(transaction, request))
        }
        let answer = try await answer(to: transaction, bench)
        if request.method == "INVITE", dialog == nil, answer.status >= 300 {
            await bench.focus.handle(.ended(Call(id: transaction.id), .rejected(status: answer.status)))
        }
        return answer
    }

    private func answer(to transaction: Transaction, _ bench: Bench) async throws -> Answer {
        while true {
            let answer = try await bench.nextAnswer()
            if answer.transaction == transaction { return answer }
        }
    }

    /// Joins as Alice, from her own address.
    private func alice(in bench: Bench) async throws -> Call {
        let user = TestUser.alice
        let invite = Request.invite(headers: ["From": user.from])
        let challenge = try await send(bench, invite)
        let authorization = try user.authorization(challenge)
        let transaction = bench.nextTransaction()
        let call = Call(id: transaction.id)
        await bench.focus.handle(.invite(call, transaction, invite.with("Authorization", authorization)))
        #expect(try await answer(to: transaction, bench).status == 200)
        await bench.focus.handle(.acknowledged(call, nil))
        while true {
            if case .joined = await bench.next() { return call }
        }
    }

    // MARK: Strangers

    @Test("a stranger's INVITE, SUBSCRIBE, REFER and PUBLISH get 401, and nothing else happens")
    func strangers() async throws {
        let bench = bench()
        _ = try await alice(in: bench)
        let requests: [Request] = [
            .invite(), .make("SUBSCRIBE", Self.room, headers: ["Event": "conference", "Expires": "3600"]),
            .make("REFER", Self.room, headers: ["Refer-To": "<sip:bob@example.org>"]),
            .make("REFER", Self.room, headers: ["Refer-To": "<sip:alice@example.com;method=BYE>"]),
            .make("REFER", Self.room, headers: ["Refer-To": "<sip:lobby@example.com;method=BYE>"]),
            .make("PUBLISH", Self.room, headers: ["Event": "conference"]),
            .make("SUBSCRIBE", Self.room, headers: ["Event": "conference", "Expires": "0"]),
        ]
        for request in requests {
            #expect(try await send(bench, request).status == 401, "\(request.method)")
            await bench.expectQuiet()
        }
        #expect(await bench.focus.callCount == 1)
    }

    @Test("Alice's name in From and in P-Asserted-Identity lets nobody in")
    func borrowedNames() async throws {
        let bench = bench()
        _ = try await alice(in: bench)
        let headers = [
            "From": "\"Alice\" <sip:alice@example.com>;tag=x", "P-Asserted-Identity": "<sip:alice@example.com>",
            "Remote-Party-ID": "<sip:alice@example.com>", "Referred-By": "<sip:alice@example.com>",
            "Refer-To": "<sip:bob@example.org>", "Event": "conference",
        ]
        for method in ["INVITE", "SUBSCRIBE", "REFER", "PUBLISH"] {
            #expect(try await send(bench, .make(method, Self.room, headers: headers)).status == 401)
            await bench.expectQuiet()
        }
    }

    @Test("an Authorization that was seen on the wire opens nothing, in this call or another, here or elsewhere")
    func replay() async throws {
        let bench = bench()
        let user = TestUser.alice
        let invite = Request.invite(headers: ["From": user.from])
        let authorization = try user.authorization(try await send(bench, invite))
        #expect(try await send(bench, invite.with("Authorization", authorization)).status == 200)
        for source in [Request.client, Self.elsewhere] {
            for method in ["INVITE", "REFER", "SUBSCRIBE", "PUBLISH"] {
                let request = Request.make(
                    method, Self.room,
                    headers: ["From": user.from, "Authorization": authorization, "Event": "conference"],
                    source: source)
                #expect(try await send(bench, request).status == 401)
            }
        }
    }

    @Test("a made-up To tag is no dialog (RFC 3261 section 12.2.2)", arguments: ["SUBSCRIBE", "REFER", "PUBLISH"])
    func madeUpTags(method: String) async throws {
        let headers = [
            "To": "<sip:lobby@example.com>;tag=made-up", "Event": "conference", "Refer-To": "<sip:bob@example.org>",
        ]
        let bench = bench()
        _ = try await alice(in: bench)
        #expect(try await send(bench, .make(method, Self.room, headers: headers)).status == 481)
        await bench.expectQuiet()
    }

    @Test("a thousand challenged INVITEs leave nothing behind")
    func nothingStays() async throws {
        let bench = bench()
        for _ in 0..<1000 {
            let transaction = bench.nextTransaction()
            let call = Call(id: transaction.id)
            await bench.focus.handle(
                .invite(call, transaction, .invite(source: .init(transport: .udp, host: "127.0.0.1", port: 9))))
            #expect(try await bench.nextAnswer().status == 401)
            await bench.focus.handle(.ended(call, .rejected(status: 401)))
        }
        #expect(await bench.focus.admitting.isEmpty)
        #expect(await bench.focus.accessLoad == (visits: 0, nonces: 0))
        #expect(await bench.focus.callCount == 0)
    }

    // MARK: Within others' dialogs

    @Test("who knows the tags of Alice's call but comes from elsewhere is asked who it is")
    func strangersWithin() async throws {
        let bench = bench()
        let call = try await alice(in: bench)
        let target = "sip:lobby@192.0.2.1:5060"
        let headers = ["From": TestUser.alice.from, "Event": "conference", "Refer-To": "<sip:bob@example.org>"]
        for method in ["INVITE", "UPDATE", "SUBSCRIBE", "REFER"] {
            let request = Request.make(method, target, headers: headers, source: Self.elsewhere)
            #expect(try await send(bench, request, within: .call(call)).status == 401, "\(method)")
            await bench.expectQuiet()
        }
    }

    @Test("Bob's password is no key to Alice's call")
    func othersWithin() async throws {
        let bench = bench()
        let call = try await alice(in: bench)
        for method in ["INVITE", "UPDATE", "SUBSCRIBE", "REFER"] {
            let request = Request.make(
                method, "sip:lobby@192.0.2.1:5060",
                headers: [
                    "From": TestUser.alice.from, "Event": "conference",
                    "Refer-To": "<sip:alice@example.com;method=BYE>",
                ], source: Self.elsewhere)
            let answer = try await prove(bench, .bob, request, within: .call(call))
            #expect(answer.status == 403, "\(method)")
            await bench.expectQuiet()
        }
        #expect(await bench.focus.callCount == 1)
    }

    @Test(
        "who shares Alice's address and knows her dialog's tags is challenged within it (RFC 3261 section 12.2)",
        arguments: ["REFER", "SUBSCRIBE", "INVITE", "UPDATE", "PUBLISH"])
    func sharedAddress(method: String) async throws {
        let bench = bench()
        let call = try await alice(in: bench)
        let request = Request.make(
            method, "sip:lobby@192.0.2.1:5060",
            headers: [
                "From": TestUser.alice.from, "Event": "conference", "Expires": "600", "Refer-Sub": "false",
                "Refer-To": "<sip:alice@example.com;method=BYE>",
            ], source: Endpoint(transport: .udp, host: Request.client.host, port: 5061))
        #expect(try await send(bench, request, within: .call(call)).status == 401)
        await bench.expectQuiet()
        #expect(await bench.focus.callCount == 1)
        #expect(try await prove(bench, .bob, request, within: .call(call)).status == 403)
        await bench.expectQuiet()
    }

    @Test("a client that proves itself at another port is not asked there again, but where it was before")
    func moves() async throws {
        let bench = bench()
        let call = try await alice(in: bench)
        let refer = { (source: Endpoint) in
            Request.make(
                "REFER", "sip:lobby@192.0.2.1:5060",
                headers: [
                    "From": TestUser.alice.from, "Refer-To": "<sip:nobody@example.com;method=BYE>",
                    "Refer-Sub": "false",
                ], source: source)
        }
        let moved = Endpoint(transport: .udp, host: Request.client.host, port: 5061)
        let answer = try await prove(bench, .alice, refer(moved), within: .call(call))
        #expect(answer.status == 403 || answer.status == 202)
        #expect(try await send(bench, refer(moved), within: .call(call)).status == answer.status)
        #expect(try await send(bench, refer(Request.client), within: .call(call)).status == 401)
    }

    @Test("a REFER within somebody else's subscription is refused")
    func othersSubscription() async throws {
        let bench = bench()
        _ = try await alice(in: bench)
        let subscribe = Request.make(
            "SUBSCRIBE", Self.room, headers: ["From": TestUser.alice.from, "Event": "conference", "Expires": "600"])
        let challenge = try await send(bench, subscribe)
        let authorization = try TestUser.alice.authorization(challenge, method: "SUBSCRIBE")
        let transaction = bench.nextTransaction()
        await bench.focus.handle(.request(transaction, subscribe.with("Authorization", authorization)))
        #expect(try await answer(to: transaction, bench).status == 200)
        let dialog = Dialog(id: transaction.id)
        let refer = Request.make(
            "REFER", "sip:lobby@192.0.2.1:5060",
            headers: ["From": TestUser.bob.from, "Refer-To": "<sip:carol@example.org>"], source: Self.elsewhere)
        #expect(try await prove(bench, .bob, refer, within: .dialog(dialog)).status == 403)
        let notify = Request.make(
            "SUBSCRIBE", "sip:lobby@192.0.2.1:5060", headers: ["Event": "conference", "Expires": "0"],
            source: Self.elsewhere)
        #expect(try await send(bench, notify, within: .dialog(dialog)).status == 401)
    }

    @Test("people behind one trusted peer are not each other")
    func samePeer() async throws {
        let peers = try TrustedPeers(["198.51.100.7"])
        let bench = bench { $0.access.trusted = peers }
        let (call, _, _) = try await bench.join(
            .invite(headers: ["P-Asserted-Identity": "<sip:carol@example.org>"]))
        let refer = { (name: String) in
            Request.make(
                "REFER", "sip:lobby@192.0.2.1:5060",
                headers: ["P-Asserted-Identity": name, "Refer-To": "<sip:dave@example.org>", "Refer-Sub": "false"])
        }
        #expect(try await send(bench, refer("<sip:mallory@example.org>"), within: .call(call)).status == 403)
        #expect(try await send(bench, refer("<sip:carol@example.org>"), within: .call(call)).status == 202)
    }

    // MARK: Members at others' cost

    @Test("an account is no participant: REFER and PUBLISH by those outside are refused, and cause nothing")
    func outsiders() async throws {
        let bench = bench()
        _ = try await alice(in: bench)
        for (method, headers) in [
            ("REFER", ["Refer-To": "<sip:carol@example.org>"]),
            ("REFER", ["Refer-To": "<sip:alice@example.com;method=BYE>"]),
            ("REFER", ["Refer-To": "<sip:alice@example.com>;method=BYE"]),
            ("PUBLISH", ["Event": "conference"]),
        ] {
            let all = headers.merging(["From": TestUser.bob.from]) { $1 }
            let answer = try await prove(bench, .bob, .make(method, Self.room, headers: all))
            #expect(answer.status == 403, "\(method)")
            await bench.expectQuiet()
        }
        #expect(await bench.focus.callCount == 1)
    }

    @Test("Replaces of Alice's call by Bob is refused (RFC 3891 section 5)")
    func replaces() async throws {
        let bench = bench()
        let call = try await alice(in: bench)
        bench.stack.know(call, callID: "call@client", localTag: "l", remoteTag: "a1")
        let invite = Request.invite(
            headers: ["From": TestUser.bob.from, "Replaces": "call@client;to-tag=l;from-tag=a1"],
            source: Self.elsewhere)
        #expect(try await prove(bench, .bob, invite).status == 403)
        await bench.expectQuiet()
        #expect(await bench.focus.callCount == 1)
    }

    @Test("a caller who gives up while the account is looked up does not come in later")
    func givesUp() async throws {
        let accounts = SlowAccounts(isHeld: true)
        let bench = bench { $0.access.accounts = accounts }
        let user = TestUser.alice
        let invite = Request.invite(headers: ["From": user.from])
        let authorization = try user.authorization(try await send(bench, invite))
        let transaction = bench.nextTransaction()
        let call = Call(id: transaction.id)
        await bench.focus.handle(.invite(call, transaction, invite.with("Authorization", authorization)))
        await bench.focus.handle(.cancelled(call, transaction))
        await bench.focus.handle(.ended(call, .cancelled))
        while accounts.waiting == 0 { await Task.yield() }
        accounts.goOn()
        while await bench.focus.accessLoad.visits > 0 { await Task.yield() }
        await bench.expectQuiet()
        #expect(await bench.focus.callCount == 0)
        #expect(await bench.focus.admitting.isEmpty)
    }

    @Test("who is called at a participant's word does not get our password's digest by challenging us")
    func phishing() async throws {
        let bench = bench {
            $0.dialling.credentials = .init(user: "focus", password: "secret")
            $0.adhoc.dialOut = .refer
            $0.adhoc.dialOutFallback = nil
        }
        let call = try await alice(in: bench)
        let refer = Request.make(
            "REFER", "sip:lobby@192.0.2.1:5060",
            headers: ["Refer-To": "<sip:mallory@evil.example>", "Refer-Sub": "false"])
        #expect(try await send(bench, refer, within: .call(call)).status == 202)
        guard case .sent(let sent) = await bench.next() else { throw TestFailure() }
        #expect(sent.method == "REFER" && sent.target?.host == "evil.example")
        let challenge = "WWW-Authenticate: Digest realm=\"evil\", nonce=\"n\", qop=\"auth\", algorithm=MD5\r\n"
        await bench.focus.handle(
            .answer(
                sent.exchange,
                Response(
                    status: 401, phrase: "Unauthorized", headers: HeaderFields(octets: Array(challenge.utf8)),
                    body: nil,
                    source: Self.elsewhere)))
        await bench.expectQuiet()
    }

    @Test("BYE, ACK and CANCEL are never challenged (RFC 3261 section 22.1)")
    func unchallenged() async throws {
        let bench = bench()
        let call = try await alice(in: bench)
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1:5060", source: Self.elsewhere)))
        while true {
            let action = await bench.next()
            if case .leave = action { break }
            if case .answer(let answer) = action { Issue.record("unexpected: \(answer)") }
        }
    }
}

extension Request {
    /// The same with one more header field.
    fileprivate func with(_ name: String, _ value: String) -> Request {
        Request(
            method: method, requestURI: requestURI,
            headers: HeaderFields(octets: Array("\(name): \(value)\r\n".utf8) + headers.octets), body: body,
            source: source, local: local, peerNames: peerNames)
    }
}
