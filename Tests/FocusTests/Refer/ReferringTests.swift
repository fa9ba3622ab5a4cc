import MediaMixer
import Testing

@testable import Focus
@testable import SIP

/// REFER at the focus: who may, what happens, and what the referrer hears.
@Suite struct ReferringTests {
    private let bob = [
        "From": "<sip:bob@example.org>;tag=b1", "Contact": "<sip:bob@198.51.100.9:5070>", "Call-ID": "bob",
    ]

    static func refer(_ referTo: String, headers: [String: String] = [:]) -> Request {
        .make("REFER", "sip:lobby@example.com", headers: headers.merging(["Refer-To": referTo]) { $1 })
    }

    /// Skips what happens beside until the focus sends this.
    static func sent(
        _ method: String, _ bench: Bench, _ location: SourceLocation = #_sourceLocation
    ) async throws -> Sent {
        for _ in 0..<50 {
            switch await bench.next() {
            case .sent(let sent) where sent.method == method: return sent
            case .nothing: throw TestFailure()
            default: continue
            }
        }
        Issue.record("no \(method)", sourceLocation: location)
        throw TestFailure()
    }

    private static func answer(_ bench: Bench, _ sent: Sent, _ status: Int) async {
        await bench.focus.handle(.answer(sent.exchange, .status(status)))
    }

    private func alice(_ bench: Bench) async throws -> Call { try await bench.join().0 }

    // MARK: Who may

    @Test("a stranger's REFER gets 403 and causes nothing else (RFC 5368 section 10)")
    func stranger() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        for target in [
            "<sip:x@victim.example>", "<sip:alice@example.org;method=BYE>", "<sip:lobby@example.com;method=BYE>",
        ] {
            let answer = try await bench.refusal(of: Self.refer(target, headers: bob))
            #expect(answer.status == 403)
            await bench.expectQuiet()
        }
        let status = await bench.focus.dialStatus
        #expect(status.refersRefused == 3)
        #expect(status.refersAccepted == 0)
    }

    @Test("refused REFERs get their answer and nothing else is sent")
    func refusals() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        for (request, status) in [
            (Self.refer(""), 400), (Self.refer("<sip:a@h>, <sip:b@h>"), 400), (Self.refer("<tel:+1>"), 416),
            (Self.refer("<sip:a@h;method=MESSAGE>"), 403), (Self.refer("<sip:lobby@example.com>"), 403),
            (Self.refer("<sip:anything@192.0.2.1>"), 403), (Self.refer("<sip:conference@example.com>"), 403),
            (Self.refer("<sip:b@h;method=REFER?Refer-To=sip:elsewhere@h>"), 403),
            (Self.refer("<sip:b@h>", headers: ["Contact": ""]), 400),
            (.make("REFER", "sip:nowhere@example.com", headers: ["Refer-To": "<sip:b@h>"]), 404),
            (.make("REFER", "sip:lobby@other.example", headers: ["Refer-To": "<sip:b@h>"]), 404),
            (.make("REFER", "tel:+1", headers: ["Refer-To": "<sip:b@h>"]), 416),
            (.make("REFER", "sip:example.com", headers: ["Refer-To": "<sip:b@h>"]), 404),
        ] {
            let answer = try await bench.refusal(of: request)
            #expect(answer.status == status, "\(request.headers["Refer-To"] ?? "") \(request.requestURI)")
            await bench.expectQuiet()
        }
    }

    @Test("an address of ours at our own port is refused, at another port it is somebody else's")
    func ownAddress() async throws {
        let bench = Bench(listeners: [Endpoint(transport: .udp, host: "0.0.0.0", port: 5060)])
        _ = try await alice(bench)
        let own = try await bench.refusal(of: Self.refer("<sip:bob@127.0.0.1>"))
        #expect(own.status == 403)
        await bench.expectQuiet()
        let other = try await bench.refusal(of: Self.refer("<sip:bob@127.0.0.1:5070>"))
        #expect(other.status == 202)
    }

    @Test("more subscriptions than reportsPerAccount are refused with 503")
    func tooMany() async throws {
        let bench = Bench { $0.dialling.limits.reportsPerAccount = 0 }
        _ = try await alice(bench)
        let answer = try await bench.refusal(of: Self.refer("<sip:bob@example.org;method=BYE>"))
        #expect(answer.status == 503)
        await bench.expectQuiet()
        #expect(await bench.focus.dialStatus.refusedByLimit == ["reportsPerAccount": 1])
    }

    // MARK: BYE

    /// alice                 focus                bob
    ///   | REFER bob;method=BYE |                   |
    ///   |--------------------->|                   |
    ///   |        202, NOTIFY 100                   |
    ///   |<---------------------|        BYE        |
    ///   |                      |------------------>|
    ///   |        NOTIFY 200    |                   |
    ///   |<---------------------|                   |
    @Test(
        "REFER with BYE removes a participant, in both ways of writing it (RFC 4579 section 5.11)",
        arguments: ["<sip:bob@example.org;method=BYE>", "<sip:bob@example.org>;method=BYE"])
    func removes(_ referTo: String) async throws {
        let bench = Bench { $0.adhoc.remove = .everyone }
        _ = try await alice(bench)
        let (call, member, _) = try await bench.join(.invite(headers: bob))
        let transaction = bench.nextTransaction()
        await bench.focus.handle(.request(transaction, Self.refer(referTo)))
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 202)
        #expect(answer.contact?.hasPrefix("<sip:lobby@192.0.2.1:5060") == true)
        #expect(answer.header("Refer-Sub") == nil)
        let first = try await Self.sent("NOTIFY", bench)
        #expect(first.dialog == .dialog(Dialog(id: transaction.id)))
        #expect(first.header("Event") == "refer")
        #expect(first.header("Subscription-State") == "active;expires=180")
        #expect(first.body?.contentType == "message/sipfrag;version=2.0")
        #expect(first.text == "SIP/2.0 100 Trying\r\n")
        #expect(await bench.next() == .leave(member, .removed))
        guard case .hangUp(call, let reason?) = await bench.next() else {
            Issue.record("no BYE")
            return
        }
        #expect(reason.hasPrefix("SIP;cause="))
        // One NOTIFY at a time.
        await bench.expectQuiet()
        await Self.answer(bench, first, 200)
        let last = try await Self.sent("NOTIFY", bench)
        #expect(last.text == "SIP/2.0 200 OK\r\n")
        #expect(last.header("Subscription-State") == "terminated;reason=noresource")
        await Self.answer(bench, last, 200)
        #expect(await bench.next() == .close(Dialog(id: transaction.id)))
        #expect(await bench.focus.dialStatus.reports == 0)
    }

    @Test("only those may remove others whom the room allows it (moderators by default)")
    func mayNotRemove() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        _ = try await bench.join(.invite(headers: bob))
        let fromBob = try await bench.refusal(of: Self.refer("<sip:alice@example.org;method=BYE>", headers: bob))
        #expect(fromBob.status == 403)
        await bench.expectQuiet()
    }

    @Test("REFER with BYE to somebody who isn't there is taken, and ends with 404")
    func unknown() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        await bench.focus.handle(
            .request(bench.nextTransaction(), Self.refer("<sip:nobody@example.org;method=BYE>")))
        #expect(try await bench.nextAnswer().status == 202)
        let first = try await Self.sent("NOTIFY", bench)
        await Self.answer(bench, first, 200)
        let last = try await Self.sent("NOTIFY", bench)
        #expect(last.text == "SIP/2.0 404 Not Found\r\n")
    }

    @Test("REFER with BYE to a Contact removes that device, to the account all of them")
    func devices() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        let (first, _, _) = try await bench.join(.invite(headers: bob))
        var other = bob
        other["Contact"] = "<sip:bob@198.51.100.9:5080>"
        other["Call-ID"] = "bob2"
        let (second, _, _) = try await bench.join(.invite(headers: other))
        let quiet = ["Refer-Sub": "false"]
        await bench.focus.handle(
            .request(bench.nextTransaction(), Self.refer("<sip:bob@198.51.100.9:5080;method=BYE>", headers: quiet)))
        #expect(try await bench.nextAnswer().status == 202)
        #expect(try await hungUp(bench) == second)
        await bench.expectQuiet()
        await bench.focus.handle(
            .request(bench.nextTransaction(), Self.refer("<sip:bob@example.org;method=BYE>", headers: quiet)))
        #expect(try await bench.nextAnswer().status == 202)
        #expect(try await hungUp(bench) == first)
    }

    private func hungUp(_ bench: Bench) async throws -> Call {
        while true {
            switch await bench.next() {
            case .hangUp(let call, _): return call
            case .nothing: throw TestFailure()
            default: continue
            }
        }
    }

    @Test("Refer-Sub: false is granted: no dialog, no NOTIFY (RFC 4488 section 4)")
    func withoutSubscription() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        let request = Self.refer("<sip:nobody@example.org;method=BYE>", headers: ["Refer-Sub": "false"])
        await bench.focus.handle(.request(bench.nextTransaction(), request))
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 202)
        #expect(answer.header("Refer-Sub") == "false")
        await bench.expectQuiet()
    }

    @Test("BYE to the room's own URI ends a room made on demand, by its owner (RFC 4579 section 5.12)")
    func closes() async throws {
        let bench = Bench()
        let call = try await alice(bench)
        let (other, _, _) = try await bench.join(.invite(headers: bob))
        let refused = try await bench.refusal(of: Self.refer("<sip:lobby@example.com;method=BYE>", headers: bob))
        #expect(refused.status == 403)
        // Within the call that ends with the room: the outcome goes before the BYE.
        await bench.focus.handle(
            .inDialogRequest(call, bench.nextTransaction(), Self.refer("<sip:lobby@example.com;method=BYE>")))
        #expect(try await bench.nextAnswer().status == 202)
        let notify = try await Self.sent("NOTIFY", bench)
        #expect(notify.dialog == .call(call))
        #expect(notify.text == "SIP/2.0 200 OK\r\n")
        #expect(notify.header("Subscription-State") == "terminated;reason=noresource")
        #expect(Set([try await hungUp(bench), try await hungUp(bench)]) == [call, other])
        #expect(await bench.focus.room(at: Bench.room) == nil)
    }

    // MARK: Within a call

    @Test("NOTIFYs of a REFER within a call go within it; the second has its id (RFC 3515 section 2.4.6)")
    func withinCall() async throws {
        let bench = Bench()
        let call = try await alice(bench)
        for (sequence, event) in [(7, "refer"), (8, "refer;id=8")] {
            await bench.focus.handle(
                .inDialogRequest(
                    call, bench.nextTransaction(),
                    Self.refer("<sip:nobody@example.org;method=BYE>", headers: ["CSeq": "\(sequence) REFER"])))
            #expect(try await bench.nextAnswer().status == 202)
            let notify = try await Self.sent("NOTIFY", bench)
            #expect(notify.dialog == .call(call))
            #expect(notify.header("Event") == event)
        }
    }

    @Test("a call's end takes its subscriptions along")
    func callEnds() async throws {
        let bench = Bench { $0.adhocGrace = .seconds(60) }
        let call = try await alice(bench)
        await bench.focus.handle(
            .inDialogRequest(call, bench.nextTransaction(), Self.refer("<sip:nobody@example.org;method=BYE>")))
        let notify = try await Self.sent("NOTIFY", bench)
        await bench.focus.handle(.ended(call, .bye))
        #expect(await bench.focus.dialStatus.reports == 0)
        await Self.answer(bench, notify, 481)
    }

    // MARK: The subscription

    @Test("SUBSCRIBE refreshes and ends the subscription, and makes none (RFC 3515 section 2.4.4)")
    func subscribe() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        let transaction = bench.nextTransaction()
        await bench.focus.handle(.request(transaction, Self.refer("<sip:carol@chicago.example>")))
        let dialog = Dialog(id: transaction.id)
        let first = try await Self.sent("NOTIFY", bench)
        await Self.answer(bench, first, 200)
        func subscribe(_ event: String, _ expires: Int) -> Request {
            .make("SUBSCRIBE", "sip:lobby@192.0.2.1:5060", headers: ["Event": event, "Expires": "\(expires)"])
        }
        await bench.focus.handle(.dialogRequest(dialog, bench.nextTransaction(), subscribe("refer", 300)))
        let refreshed = try await bench.nextAnswer()
        #expect(refreshed.status == 200)
        #expect(refreshed.header("Expires") == "300")
        let second = try await Self.sent("NOTIFY", bench)
        #expect(second.header("Subscription-State") == "active;expires=300")
        await Self.answer(bench, second, 200)
        await bench.focus.handle(.dialogRequest(dialog, bench.nextTransaction(), subscribe("refer;id=99", 300)))
        #expect(try await bench.nextAnswer().status == 403)
        await bench.focus.handle(.dialogRequest(dialog, bench.nextTransaction(), subscribe("refer", 0)))
        #expect(try await bench.nextAnswer().status == 200)
        let last = try await Self.sent("NOTIFY", bench)
        #expect(last.header("Subscription-State") == "terminated;reason=timeout")
        await Self.answer(bench, last, 200)
        #expect(await bench.next() == .close(dialog))
        // The call goes on (RFC 3515 section 2.4.4).
        #expect(await bench.focus.dialStatus.underWay == 1)
        let stranger = Request.make("SUBSCRIBE", "sip:lobby@example.com", headers: ["Event": "refer"])
        #expect(try await bench.refusal(of: stranger).status == 403)
    }

    @Test("a subscription ends at its time")
    func expires() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        await bench.focus.handle(.request(bench.nextTransaction(), Self.refer("<sip:carol@chicago.example>")))
        let first = try await Self.sent("NOTIFY", bench)
        await Self.answer(bench, first, 200)
        bench.clock.advance(by: .seconds(180))
        await bench.fire(after: .seconds(180))
        let last = try await Self.sent("NOTIFY", bench)
        #expect(last.header("Subscription-State") == "terminated;reason=timeout")
        #expect(last.text == "SIP/2.0 100 Trying\r\n")
    }

    @Test("a client that refuses the NOTIFY is not told more, and the dialog is forgotten (RFC 6665 section 4.2.2)")
    func refusedNotify() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        let transaction = bench.nextTransaction()
        await bench.focus.handle(.request(transaction, Self.refer("<sip:nobody@example.org;method=BYE>")))
        let first = try await Self.sent("NOTIFY", bench)
        await Self.answer(bench, first, 481)
        #expect(await bench.next() == .close(Dialog(id: transaction.id)))
        await bench.expectQuiet()
    }

    // MARK: Lists

    @Test("a list is answered 200 with Refer-Sub: false, and each is removed (RFC 5368 section 8)")
    func list() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        let (call, _, _) = try await bench.join(.invite(headers: bob))
        let xml = """
            <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>
            <entry uri="sip:bob@example.org?method=BYE"/><entry uri="sip:nobody@example.net?method=BYE"/>
            </list></resource-lists>
            """
        let request = Request.make(
            "REFER", "sip:lobby@example.com",
            headers: [
                "Refer-To": "<cid:l@h>", "Content-ID": "<l@h>", "Require": "multiple-refer, norefersub",
                "Content-Disposition": "recipient-list",
            ], body: MessageBody(contentType: "application/resource-lists+xml", content: Array(xml.utf8)))
        await bench.focus.handle(.request(bench.nextTransaction(), request))
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200)
        #expect(answer.header("Refer-Sub") == "false")
        #expect(try await hungUp(bench) == call)
        await bench.expectQuiet()
    }

    @Test("one entry that isn't allowed refuses the whole list")
    func listRefused() async throws {
        let bench = Bench()
        _ = try await alice(bench)
        _ = try await bench.join(.invite(headers: bob))
        let xml = """
            <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>
            <entry uri="sip:carol@example.net"/><entry uri="sip:alice@example.org?method=BYE"/>
            </list></resource-lists>
            """
        let request = Request.make(
            "REFER", "sip:lobby@example.com",
            headers: bob.merging(["Refer-To": "<cid:l@h>", "Content-ID": "<l@h>"]) { $1 },
            body: MessageBody(contentType: "application/resource-lists+xml", content: Array(xml.utf8)))
        #expect(try await bench.refusal(of: request).status == 403)
        await bench.expectQuiet()
    }
}

extension Bench {
    /// Runs timers, the oldest first, until one was that was started with this delay.
    func fire(after delay: Duration) async {
        for _ in 0..<50 {
            guard let next = stack.pendingDelays.first else { return }
            await stack.fireTimer(on: focus)
            if next == delay { return }
        }
    }
}

extension Response {
    static func status(
        _ status: Int, _ phrase: String = "", headers: [String] = [], body: MessageBody? = nil,
        source: Endpoint? = Endpoint(transport: .udp, host: "203.0.113.5", port: 5060)
    ) -> Response {
        Response(
            status: status, phrase: phrase,
            headers: HeaderFields(octets: Array(headers.map { "\($0)\r\n" }.joined().utf8)), body: body,
            source: source)
    }
}
