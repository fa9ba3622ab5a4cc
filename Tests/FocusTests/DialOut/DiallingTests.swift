import DigestAuth
import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

/// Calls of the focus, from a REFER to the participant they make.
@Suite struct DiallingTests {
    private static let carol = Endpoint(transport: .udp, host: "203.0.113.5", port: 5060)

    private static let okHeaders = [
        "To: <sip:carol@chicago.example>;tag=c1", "From: <sip:lobby@example.com>;tag=f1", "Call-ID: out@focus",
        "Contact: <sip:carol@203.0.113.5:5060>", "Server: Blink 5.0",
    ]

    private static func ok(_ sdp: String = Offer.make(setup: "active")) -> Response {
        .status(200, "OK", headers: okHeaders, body: MessageBody(sdp: sdp), source: carol)
    }

    private static func bench(
        _ method: RoomConfiguration.DialOut = .invite, _ change: (inout FocusConfiguration) -> Void = { _ in }
    ) -> Bench {
        Bench { configuration in
            configuration.adhoc.dialOut = method
            change(&configuration)
        }
    }

    /// A REFER of alice's; its first NOTIFY is answered.
    private func refer(
        _ bench: Bench, _ referTo: String = "<sip:carol@chicago.example>", headers: [String: String] = [:]
    ) async throws {
        await bench.focus.handle(
            .request(bench.nextTransaction(), ReferringTests.refer(referTo, headers: headers)))
        let first = try await ReferringTests.sent("NOTIFY", bench)
        #expect(first.text == "SIP/2.0 100 Trying\r\n")
        await bench.focus.handle(.answer(first.exchange, .status(200)))
    }

    private func outcome(_ bench: Bench) async throws -> String {
        let last = try await ReferringTests.sent("NOTIFY", bench)
        #expect(last.header("Subscription-State") == "terminated;reason=noresource")
        return last.text
    }

    private func respond(_ bench: Bench, _ invite: Sent, _ response: Response) async {
        await bench.focus.handle(.response(Call(id: invite.exchange.id), method: "INVITE", response))
    }

    // MARK: By INVITE

    /// alice           focus               carol
    ///   | REFER carol   |                   |
    ///   |-------------->|                   |
    ///   | 202, NOTIFY 100                   |
    ///   |<--------------| INVITE (offer)    |
    ///   |               |------------------>|
    ///   |               | 180, 200 (answer) |
    ///   |               |<------------------|
    ///   | NOTIFY 200    | ACK               |
    ///   |<--------------|------------------>|
    @Test("a REFER has the focus call somebody, who is a participant then (RFC 4579 section 5.5)")
    func invites() async throws {
        let bench = Self.bench()
        _ = try await bench.join()
        try await refer(bench, headers: ["Referred-By": "\"Alice\" <sip:alice@example.org;x=1>;cid=\"a@b\""])
        guard case .reserve(let join) = await bench.next() else {
            Issue.record("nothing reserved")
            return
        }
        #expect(join.participant == "sip:carol@chicago.example")
        #expect(join.account == "carol@chicago.example")
        #expect(join.media.path.isEmpty)
        #expect(join.localHost == "192.0.2.1")
        let invite = try await ReferringTests.sent("INVITE", bench)
        #expect(invite.target == SIPURI("sip:carol@chicago.example"))
        #expect(invite.from == "<sip:lobby@example.com>")
        #expect(invite.header("Referred-By") == "\"Alice\" <sip:alice@example.org>")
        #expect(invite.body?.contentType == "application/sdp")
        #expect(invite.text.contains("m=message 2855 TCP/MSRP *\r\n"))
        #expect(invite.text.contains("a=setup:actpass\r\n"))
        #expect(await bench.focus.dialStatus.underWay == 1)

        await respond(bench, invite, .status(180, "Ringing"))
        let call = Call(id: invite.exchange.id)
        await respond(bench, invite, Self.ok())
        #expect(await bench.next() == .acknowledge(call))
        // The mixer and the referrer hear of it side by side.
        var (media, joined, told) = (PeerMedia?.none, MemberID?.none, String?.none)
        while joined == nil || told == nil {
            switch await bench.next() {
            case .renegotiate(_, let agreed, newSession: false): media = agreed
            case .joined(let who): joined = who
            case .sent(let notify) where notify.method == "NOTIFY": told = notify.text
            case .nothing: throw TestFailure()
            default: continue
            }
        }
        let member = try #require(joined)
        #expect(media?.path == "msrp://198.51.100.7:2855/first;tcp")
        #expect(media?.role == .peerConnects)
        #expect(told == "SIP/2.0 200 OK\r\n")
        // What the client is decides how it gets large messages.
        #expect(bench.mixer.userAgent(of: member) == "Blink 5.0")
        #expect(await bench.focus.isParticipant("carol@chicago.example", in: Bench.room))
        let status = await bench.focus.dialStatus
        #expect(status.underWay == 0)
        #expect(status.succeeded == 1)
        // A participant like any other: its BYE ends it.
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        #expect(await bench.next() == .leave(member, .departed))
        await bench.focus.handle(.ended(call, .bye))
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("a refusal is told to the referrer, and the session is released", arguments: [486, 603, 480, 404])
    func refused(_ status: Int) async throws {
        let bench = Self.bench()
        _ = try await bench.join()
        try await refer(bench)
        let invite = try await ReferringTests.sent("INVITE", bench)
        await respond(bench, invite, .status(status, "No"))
        #expect(await bench.next() == .leave(MemberID(number: bench.mixer.lastMember), .notCompleted))
        #expect(try await outcome(bench) == "SIP/2.0 \(status) No\r\n")
        await bench.focus.handle(.ended(Call(id: invite.exchange.id), .rejected(status: status)))
        #expect(await bench.focus.dialogCount == 1)
        #expect(await bench.focus.dialStatus.failed == 1)
    }

    @Test("a call that can't be sent is over with the stack's word")
    func unsendable() async throws {
        let bench = Self.bench()
        _ = try await bench.join()
        try await refer(bench)
        let invite = try await ReferringTests.sent("INVITE", bench)
        await bench.focus.handle(
            .ended(Call(id: invite.exchange.id), .failed(status: 503, phrase: "Not running")))
        #expect(try await outcome(bench) == "SIP/2.0 503 Not running\r\n")
    }

    @Test("after 488 the other transport is offered, with a new session")
    func otherTransport() async throws {
        let bench = Self.bench {
            $0.dialling.offersTLS = true
            $0.media.allowsTLS = true
        }
        _ = try await bench.join()
        try await refer(bench)
        let first = try await ReferringTests.sent("INVITE", bench)
        #expect(first.text.contains("TCP/TLS/MSRP"))
        let member = MemberID(number: bench.mixer.lastMember)
        await respond(bench, first, .status(488, "Not Acceptable Here"))
        #expect(await bench.next() == .leave(member, .notCompleted))
        let second = try await ReferringTests.sent("INVITE", bench)
        #expect(second.text.contains("m=message 2855 TCP/MSRP *"))
        // The first call's end is no end of the second.
        await bench.focus.handle(.ended(Call(id: first.exchange.id), .rejected(status: 488)))
        await respond(bench, second, .status(488, "Not Acceptable Here"))
        #expect(try await outcome(bench) == "SIP/2.0 488 Not Acceptable Here\r\n")
    }

    @Test("a bad answer ends the call and is told as 488 (RFC 3261 section 13.2.2.4)")
    func badAnswer() async throws {
        let bench = Self.bench()
        _ = try await bench.join()
        try await refer(bench)
        let invite = try await ReferringTests.sent("INVITE", bench)
        let call = Call(id: invite.exchange.id)
        await respond(bench, invite, Self.ok(Offer.audioOnly))
        #expect(await bench.next() == .acknowledge(call))
        #expect(await bench.next() == .leave(MemberID(number: bench.mixer.lastMember), .notCompleted))
        guard case .hangUp(call, _) = await bench.next() else {
            Issue.record("no BYE")
            return
        }
        #expect(try await outcome(bench) == "SIP/2.0 488 Not Acceptable Here\r\n")
    }

    @Test("who doesn't answer is cancelled after answerTimeout")
    func unanswered() async throws {
        let bench = Self.bench { $0.dialling.answerTimeout = .seconds(7) }
        _ = try await bench.join()
        try await refer(bench)
        let invite = try await ReferringTests.sent("INVITE", bench)
        await respond(bench, invite, .status(180, "Ringing"))
        await bench.fire(after: .seconds(7))
        #expect(await bench.next() == .cancel(Call(id: invite.exchange.id)))
        #expect(try await outcome(bench) == "SIP/2.0 408 Request Timeout\r\n")
        await respond(bench, invite, .status(487, "Request Terminated"))
        await bench.focus.handle(.ended(Call(id: invite.exchange.id), .cancelled))
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("the room's end gives up who has not answered")
    func roomEnds() async throws {
        let bench = Self.bench()
        let (call, _, _) = try await bench.join()
        try await refer(bench, headers: ["Refer-Sub": "true"])
        let invite = try await ReferringTests.sent("INVITE", bench)
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        await bench.focus.handle(.ended(call, .bye))
        #expect(try await skip(to: .cancel(Call(id: invite.exchange.id)), bench))
        let status = await bench.focus.dialStatus
        #expect(status.underWay == 0)
        #expect(status.waiting == 0)
    }

    @Test("a full room is the outcome, and nobody is called")
    func fullRoom() async throws {
        let bench = Self.bench()
        _ = try await bench.join()
        bench.mixer.refuse(.roomIsFull)
        try await refer(bench)
        #expect(try await outcome(bench) == "SIP/2.0 486 Busy Here\r\n")
    }

    @Test("who is banned is not called")
    func banned() async throws {
        let bench = Self.bench()
        _ = try await bench.join()
        await bench.focus.ban("carol@chicago.example")
        try await refer(bench)
        #expect(try await outcome(bench) == "SIP/2.0 403 Forbidden\r\n")
    }

    @Test("a point-to-point call becomes one to the room (RFC 4579 section 5.10)")
    func replaces() async throws {
        let bench = Self.bench(.refer)
        _ = try await bench.join()
        try await refer(
            bench, "<sip:carol@chicago.example?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE>")
        let invite = try await ReferringTests.sent("INVITE", bench)
        #expect(invite.header("Replaces") == "12345@192.168.118.3;to-tag=12345;from-tag=5FFE")
        #expect(invite.header("Require") == "replaces")
    }

    @Test("challenges are answered with the credentials of [Outbound] (RFC 3261 section 22.2)", arguments: [401, 407])
    func challenged(_ status: Int) async throws {
        let bench = Self.bench {
            $0.dialling.credentials = .init(user: "focus", password: "secret")
            $0.dialling.proxy = SIPURI("sip:proxy.example")
        }
        _ = try await bench.join()
        try await refer(bench)
        let first = try await ReferringTests.sent("INVITE", bench)
        let (challenge, answer) =
            status == 401 ? ("WWW-Authenticate", "Authorization") : ("Proxy-Authenticate", "Proxy-Authorization")
        #expect(first.header(answer) == nil)
        await respond(
            bench, first,
            .status(
                status,
                headers: [
                    "\(challenge): Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5",
                    "\(challenge): Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
                ]))
        let second = try await ReferringTests.sent("INVITE", bench)
        let claim = try DigestClaim(try #require(second.header(answer)))
        #expect(claim.algorithm == .sha256)
        #expect(claim.uri == "sip:carol@chicago.example")
        #expect(second.body == first.body)
        await bench.focus.handle(.ended(Call(id: first.exchange.id), .rejected(status: status)))
        await respond(bench, second, .status(status, "Still no"))
        #expect(try await outcome(bench) == "SIP/2.0 \(status) Still no\r\n")
    }

    // MARK: By REFER

    /// alice           focus               carol
    ///   | REFER carol   |                   |
    ///   |-------------->| REFER room        |
    ///   | 202, NOTIFY 100 ----------------->|
    ///   |<--------------|        202        |
    ///   |               |<------------------|
    ///   |               | INVITE, 200, ACK  |
    ///   | NOTIFY 200    |<----------------->|
    ///   |<--------------|                   |
    @Test("a REFER has the focus send another to the room, whose outcome is told (RFC 4579 section 5.6)")
    func refers() async throws {
        let bench = Self.bench(.refer)
        _ = try await bench.join()
        try await refer(bench)
        let refer = try await ReferringTests.sent("REFER", bench)
        #expect(refer.dialog == nil)
        #expect(refer.target == SIPURI("sip:carol@chicago.example"))
        #expect(refer.from == "<sip:lobby@example.com>")
        #expect(refer.header("Refer-To")?.hasPrefix("<sip:lobby@192.0.2.1:5060") == true)
        #expect(refer.header("Referred-By") == "<sip:alice@example.org>")
        await bench.focus.handle(.answer(refer.exchange, .status(202)))
        await bench.expectQuiet()
        _ = try await bench.join(
            .invite(headers: ["From": "<sip:carol@chicago.example>;tag=c", "Call-ID": "carol"]))
        #expect(try await outcome(bench) == "SIP/2.0 200 OK\r\n")
        #expect(await bench.focus.dialStatus.succeeded == 1)
    }

    @Test("what they say by NOTIFY is told (RFC 3515 section 2.4.5)")
    func notified() async throws {
        let bench = Self.bench(.refer)
        _ = try await bench.join()
        try await refer(bench)
        let refer = try await ReferringTests.sent("REFER", bench)
        await bench.focus.handle(.answer(refer.exchange, .status(202)))
        func notify(_ text: String, event: String = "refer") -> Request {
            .make(
                "NOTIFY", "sip:lobby@192.0.2.1:5060",
                headers: ["Event": event, "Subscription-State": "active;expires=60"],
                body: MessageBody(contentType: "message/sipfrag", content: Array(text.utf8)))
        }
        await bench.focus.handle(.notify(refer.exchange, bench.nextTransaction(), notify("SIP/2.0 100 Trying")))
        #expect(try await bench.nextAnswer().status == 200)
        await bench.focus.handle(
            .notify(refer.exchange, bench.nextTransaction(), notify("SIP/2.0 200 OK", event: "presence")))
        #expect(try await bench.nextAnswer().status == 489)
        await bench.focus.handle(.notify(refer.exchange, bench.nextTransaction(), notify("SIP/2.0 603 Decline")))
        #expect(try await bench.nextAnswer().status == 200)
        #expect(try await outcome(bench) == "SIP/2.0 603 Decline\r\n")
        // One that comes late is answered all the same.
        await bench.focus.handle(.notify(refer.exchange, bench.nextTransaction(), notify("SIP/2.0 603 Decline")))
        #expect(try await bench.nextAnswer().status == 200)
    }

    @Test("a client without REFER is INVITEd", arguments: [405, 501, 603, 408])
    func fallback(_ status: Int) async throws {
        let bench = Self.bench(.refer)
        _ = try await bench.join()
        try await refer(bench)
        let refer = try await ReferringTests.sent("REFER", bench)
        await bench.focus.handle(.answer(refer.exchange, .status(status, source: status == 408 ? nil : Self.carol)))
        let invite = try await ReferringTests.sent("INVITE", bench)
        #expect(invite.target == refer.target)
    }

    @Test("dial_out_fallback = none: the outcome is the REFER's")
    func noFallback() async throws {
        let bench = Self.bench(.refer) { $0.adhoc.dialOutFallback = nil }
        _ = try await bench.join()
        try await refer(bench)
        let refer = try await ReferringTests.sent("REFER", bench)
        await bench.focus.handle(.answer(refer.exchange, .status(405, "Method Not Allowed")))
        #expect(try await outcome(bench) == "SIP/2.0 405 Method Not Allowed\r\n")
    }

    @Test("a REFER to REFER tells what became of the REFER, and sends no INVITE (RFC 4579 section 5.7)")
    func referWithRefer() async throws {
        let bench = Self.bench()
        _ = try await bench.join()
        try await refer(bench, "<sip:carol@chicago.example;method=REFER?Refer-To=sip:lobby%40example.com>")
        let refer = try await ReferringTests.sent("REFER", bench)
        await bench.focus.handle(.answer(refer.exchange, .status(202, "Accepted")))
        #expect(try await outcome(bench) == "SIP/2.0 202 Accepted\r\n")
        // It is still shown as being called.
        #expect(await bench.focus.dialStatus.underWay == 1)
    }

    @Test("a challenged REFER is sent again with its identity")
    func challengedRefer() async throws {
        let bench = Self.bench(.refer) {
            $0.dialling.credentials = .init(user: "focus", password: "secret")
            $0.dialling.proxy = SIPURI("sip:proxy.example")
        }
        _ = try await bench.join()
        try await refer(bench)
        let first = try await ReferringTests.sent("REFER", bench)
        await bench.focus.handle(
            .answer(
                first.exchange,
                .status(407, headers: ["Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\""])))
        let second = try await ReferringTests.sent("REFER", bench)
        #expect(second.header("Proxy-Authorization") != nil)
        #expect(second.header("Refer-To") == first.header("Refer-To"))
        await bench.focus.handle(.answer(second.exchange, .status(403, "Forbidden")))
        #expect(try await outcome(bench) == "SIP/2.0 403 Forbidden\r\n")
    }

    @Test("a client that says nothing to the REFER is INVITEd after referTimeout; what it says later is ignored")
    func silent() async throws {
        let bench = Self.bench(.refer) { $0.dialling.referTimeout = .seconds(9) }
        _ = try await bench.join()
        try await refer(bench)
        let refer = try await ReferringTests.sent("REFER", bench)
        await bench.fire(after: .seconds(9))
        let invite = try await ReferringTests.sent("INVITE", bench)
        #expect(invite.target == refer.target)
        // The stack gives the REFER up by itself, later.
        await bench.focus.handle(.answer(refer.exchange, .status(408, source: nil)))
        await bench.focus.handle(.answer(refer.exchange, .status(202)))
        await bench.expectQuiet()
        #expect(await bench.focus.dialStatus.underWay == 1)
        await respond(bench, invite, Self.ok())
        #expect(try await outcome(bench) == "SIP/2.0 200 OK\r\n")
    }

    @Test("whoever took the REFER and never comes is given up after referTimeout")
    func neverComes() async throws {
        let bench = Self.bench(.refer) { $0.dialling.referTimeout = .seconds(9) }
        _ = try await bench.join()
        try await refer(bench)
        let refer = try await ReferringTests.sent("REFER", bench)
        await bench.focus.handle(.answer(refer.exchange, .status(202)))
        await bench.fire(after: .seconds(9))
        #expect(try await outcome(bench) == "SIP/2.0 408 Request Timeout\r\n")
    }

    // MARK: Taken back

    /// alice                  focus             carol
    ///   | REFER carol            |     INVITE, 180 |
    ///   |----------------------->|<--------------->|
    ///   | REFER carol;method=BYE |                 |
    ///   |----------------------->|     CANCEL      |
    ///   |   NOTIFY 487, 200      |---------------->|
    ///   |<-----------------------|                 |
    @Test("REFER with BYE for somebody who is being called gives the call up (RFC 4579 section 5.11)")
    func takenBack() async throws {
        let bench = Self.bench { $0.adhoc.remove = .everyone }
        _ = try await bench.join()
        try await refer(bench)
        let invite = try await ReferringTests.sent("INVITE", bench)
        await respond(bench, invite, .status(180))
        await bench.focus.handle(
            .request(bench.nextTransaction(), ReferringTests.refer("<sip:carol@chicago.example;method=BYE>")))
        #expect(try await bench.nextAnswer().status == 202)
        var texts: [String] = []
        var isCancelled = false
        while texts.last != "SIP/2.0 200 OK\r\n" {
            switch await bench.next() {
            case .cancel(Call(id: invite.exchange.id)): isCancelled = true
            case .sent(let sent) where sent.method == "NOTIFY":
                texts.append(sent.text)
                await bench.focus.handle(.answer(sent.exchange, .status(200)))
            case .nothing: throw TestFailure()
            default: break
            }
        }
        #expect(isCancelled)
        #expect(texts.contains { $0.hasPrefix("SIP/2.0 487") })
        let status = await bench.focus.dialStatus
        #expect(status.underWay == 0 && status.waiting == 0 && status.failed == 1)
    }

    @Test("so does one for somebody who waits to be called; who may not remove others is refused")
    func takenBackWaiting() async throws {
        let bench = Self.bench { $0.dialling.limits.underWay = 0 }
        _ = try await bench.join()
        let bob = ["From": "<sip:bob@example.org>;tag=b1", "Call-ID": "bob"]
        _ = try await bench.join(.invite(headers: bob))
        try await refer(bench)
        #expect(await bench.focus.dialStatus.waiting == 1)
        let target = "<sip:carol@chicago.example;method=BYE>"
        let quiet = ["Refer-Sub": "false"]
        let byBob = ReferringTests.refer(target, headers: quiet.merging(bob) { $1 })
        #expect(try await bench.refusal(of: byBob).status == 403)
        #expect(await bench.focus.dialStatus.waiting == 1)
        #expect(try await bench.refusal(of: ReferringTests.refer(target, headers: quiet)).status == 202)
        #expect(await bench.focus.dialStatus.waiting == 0)
    }

    // MARK: Lists

    private static func list(_ entries: String...) -> Request {
        let xml =
            "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" "
            + "xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>\(entries.joined())</list></resource-lists>"
        let body = [
            "--b", "Content-Type: application/sdp", "", Offer.plain, "--b",
            "Content-Type: application/resource-lists+xml", "Content-Disposition: recipient-list", "", xml, "--b--", "",
        ].joined(separator: "\r\n")
        return .invite(
            headers: ["Require": "recipient-list-invite"],
            body: MessageBody(contentType: "multipart/mixed;boundary=b", content: Array(body.utf8)))
    }

    @Test("an INVITE with a list has everybody else called after the ACK, and nobody twice (RFC 5366 section 5)")
    func inviteWithList() async throws {
        let bench = Self.bench(.refer)
        let (call, _, _) = try await bench.invite(
            Self.list(
                "<entry uri=\"sip:bob@h\"/>", "<entry uri=\"sip:alice@example.org\"/>",
                "<entry uri=\"sip:lobby@example.com\"/>", "<entry uri=\"sip:bob@H\"/>", "<entry uri=\"tel:+1\"/>",
                "<entry uri=\"sip:carol@h\"/>"))
        await bench.expectQuiet()
        await bench.focus.handle(.acknowledged(call, nil))
        let first = try await ReferringTests.sent("REFER", bench)
        let second = try await ReferringTests.sent("REFER", bench)
        #expect([first.target, second.target] == [SIPURI("sip:bob@h"), SIPURI("sip:carol@h")])
        #expect(first.header("Referred-By") == "<sip:alice@example.org>")
        await bench.expectQuiet()
    }

    @Test("INVITEs to people of a list show the others, and no bcc (RFC 5366 section 5, RFC 5364 section 4)")
    func history() async throws {
        let bench = Self.bench()
        let (call, _, _) = try await bench.invite(
            Self.list(
                "<entry uri=\"sip:bob@h\" cp:copyControl=\"to\"/>",
                "<entry uri=\"sip:secret@h\" cp:copyControl=\"bcc\"/>"))
        await bench.focus.handle(.acknowledged(call, nil))
        // The mixer answers in any order.
        var invites: [SIPURI?: Sent] = [:]
        for _ in 0..<2 {
            let invite = try await ReferringTests.sent("INVITE", bench)
            invites[invite.target] = invite
            #expect(invite.body?.mediaType == "multipart/mixed")
            #expect(invite.text.contains("Content-Disposition: recipient-list-history; handling=optional\r\n"))
            #expect(invite.text.contains("sip:bob@h"))
            #expect(!invite.text.contains("secret"))
        }
        #expect(Set(invites.keys) == [SIPURI("sip:bob@h"), SIPURI("sip:secret@h")])
        // Who can't read it is invited without.
        await respond(bench, try #require(invites[SIPURI("sip:bob@h")]), .status(415))
        let simple = try await ReferringTests.sent("INVITE", bench)
        #expect(simple.target == SIPURI("sip:bob@h"))
        #expect(simple.body?.mediaType == "application/sdp")
    }

    @Test("more than underWayPerRoom wait for their turn")
    func queue() async throws {
        let bench = Self.bench(.refer) { $0.dialling.limits.underWayPerRoom = 1 }
        let (call, _, _) = try await bench.invite(
            Self.list("<entry uri=\"sip:bob@h\"/>", "<entry uri=\"sip:carol@h\"/>"))
        await bench.focus.handle(.acknowledged(call, nil))
        let first = try await ReferringTests.sent("REFER", bench)
        await bench.expectQuiet()
        #expect(await bench.focus.dialStatus.waiting == 1)
        await bench.focus.handle(.answer(first.exchange, .status(404)))
        let second = try await ReferringTests.sent("REFER", bench)
        #expect(second.target == SIPURI("sip:carol@h"))
    }

    @Test("the room's end calls none of those who wait")
    func endedQueue() async throws {
        let bench = Self.bench(.refer) { $0.dialling.limits.underWayPerRoom = 1 }
        let (call, _, _) = try await bench.invite(
            Self.list("<entry uri=\"sip:bob@h\"/>", "<entry uri=\"sip:carol@h\"/>"))
        await bench.focus.handle(.acknowledged(call, nil))
        _ = try await ReferringTests.sent("REFER", bench)
        await bench.focus.stopDialling(to: Bench.room)
        await bench.expectQuiet()
        let status = await bench.focus.dialStatus
        #expect(status.underWay == 0)
        #expect(status.waiting == 0)
    }

    @Test("a long list of people who may not come is done with at once")
    func bannedList() async throws {
        let bench = Self.bench {
            $0.dialling.limits.listEntries = 400
            $0.dialling.limits.underWayPerRoom = 1
        }
        let (call, _, _) = try await bench.invite(Self.list((0..<400).map { "<entry uri=\"sip:u\($0)@h\"/>" }.joined()))
        await bench.focus.ban("*@h")
        await bench.focus.handle(.acknowledged(call, nil))
        #expect(await bench.focus.dialStatus.failed == 400)
        #expect(await bench.focus.dialStatus.waiting == 0)
    }

    @Test("who is being called is not called again: 491")
    func twice() async throws {
        let bench = Self.bench(.refer)
        _ = try await bench.join()
        try await refer(bench)
        _ = try await ReferringTests.sent("REFER", bench)
        try await refer(bench)
        #expect(try await outcome(bench) == "SIP/2.0 491 Request Pending\r\n")
    }

    @Test("a stop gives up all calls and tells who waits for an outcome")
    func shutdown() async throws {
        let bench = Self.bench()
        let (call, _, _) = try await bench.join()
        try await refer(bench)
        let invite = try await ReferringTests.sent("INVITE", bench)
        let focus = bench.focus
        async let stopped: Void = focus.shutdown()
        #expect(try await skip(to: .cancel(Call(id: invite.exchange.id)), bench))
        #expect(try await outcome(bench) == "SIP/2.0 487 Request Terminated\r\n")
        await bench.focus.handle(.ended(call, .hungUp))
        await stopped
    }

    private func skip(to action: Action, _ bench: Bench) async throws -> Bool {
        for _ in 0..<50 {
            let next = await bench.next()
            if next == action { return true }
            if next == .nothing { throw TestFailure() }
        }
        return false
    }
}

extension Focus {
    fileprivate func ban(_ account: String) {
        change(Bench.room) { $0.bans.append(RoomCondition.Ban(account: account)) }
    }
}
