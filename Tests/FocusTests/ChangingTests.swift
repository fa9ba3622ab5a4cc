import MediaMixer
import Testing

@testable import Focus
@testable import SIP

@Suite("re-INVITE and UPDATE", .timeLimit(.minutes(1)))
struct ChangingTests {
    @Test(
        "an unchanged offer gets the same answer and touches nothing (RFC 3264 section 8)",
        arguments: ["INVITE", "UPDATE"])
    func unchanged(method: String) async throws {
        let bench = Bench()
        let (call, _, first) = try await bench.join()
        let transaction = await bench.offer(
            call, .make(method, "sip:lobby@192.0.2.1:5060", body: MessageBody(sdp: Offer.plain)))
        guard case .answer(let answer) = await bench.next() else { throw TestFailure() }
        #expect(answer.transaction == transaction && answer.status == 200)
        #expect(answer.body == first.body)
        #expect(answer.contact == "<sip:lobby@192.0.2.1:5060>;isfocus")
        await bench.focus.handle(.acknowledged(call, nil))
        await bench.expectQuiet()
    }

    @Test("a new path makes a new session (RFC 4975 section 5.4)", arguments: ["INVITE", "UPDATE"])
    func moved(method: String) async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        _ = await bench.offer(call, .make(method, "sip:lobby@192.0.2.1:5060", body: MessageBody(sdp: Offer.moved)))
        guard case .renegotiate(member, let media, newSession: true) = await bench.next() else { throw TestFailure() }
        #expect(media.path == "msrp://198.51.100.7:2855/second;tcp")
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200)
        #expect(answer.sdpLine("a=path") == "a=path:msrp://192.0.2.1:2855/m1-1;tcp")
    }

    @Test("hold: the same session, and the mixer is told (RFC 3264 section 8.4)")
    func hold() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        _ = await bench.offer(call, .update(body: MessageBody(sdp: Offer.hold)))
        guard case .renegotiate(member, let media, newSession: false) = await bench.next() else { throw TestFailure() }
        #expect(media.direction == .sendOnly)
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200)
        #expect(answer.sdp.contains("a=recvonly\r\n"))
        #expect(answer.sdpLine("a=path") == "a=path:msrp://192.0.2.1:2855/m1;tcp")
        _ = await bench.offer(call, .update(body: MessageBody(sdp: Offer.make(version: 3))))
        guard case .renegotiate(member, let resumed, newSession: false) = await bench.next() else {
            throw TestFailure()
        }
        #expect(resumed.direction == .sendReceive)
    }

    @Test("an offer that cannot be accepted: 488, and the session goes on (RFC 3261 section 14.2)")
    func bad() async throws {
        let bench = Bench()
        let (call, _, first) = try await bench.join()
        _ = await bench.offer(call, .invite(body: MessageBody(sdp: Offer.audioOnly)))
        let refusal = try await bench.nextAnswer()
        #expect(refusal.status == 488)
        #expect(refusal.header("Warning") != nil)
        _ = await bench.offer(call, .invite(body: MessageBody(sdp: Offer.plain)))
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200)
        #expect(answer.sdpLine("a=path") == first.sdpLine("a=path"))
        await bench.expectQuiet()
    }

    @Test("a body that is not understood: 415, and the session goes on (RFC 3261 section 8.2.3)")
    func unsupported() async throws {
        let bench = Bench()
        let (call, _, _) = try await bench.join()
        _ = await bench.offer(call, .update(body: MessageBody(contentType: "text/html", content: [1])))
        #expect(try await bench.nextAnswer().status == 415)
        await bench.expectQuiet()
    }

    @Test("what the mixer refuses leaves the session as it was (RFC 3261 section 14.1)")
    func refusedByMixer() async throws {
        let bench = Bench()
        let (call, _, first) = try await bench.join()
        bench.mixer.refuse(.malformedPath)
        _ = await bench.offer(call, .update(body: MessageBody(sdp: Offer.moved)))
        #expect(try await bench.nextAnswer().status == 488)
        bench.mixer.refuse(nil)
        _ = await bench.offer(call, .update(body: MessageBody(sdp: Offer.plain)))
        #expect(try await bench.nextAnswer().body == first.body)
    }

    @Test(
        "a second offer while the first is worked on: 500 with Retry-After (RFC 3261 section 14.2, RFC 3311 section 5.2)"
    )
    func overlapping() async throws {
        let bench = Bench()
        let (call, _, _) = try await bench.join()
        bench.mixer.hold()
        let first = await bench.offer(call, .update(body: MessageBody(sdp: Offer.moved)))
        guard case .renegotiate = await bench.next() else { throw TestFailure() }
        let second = await bench.offer(call, .invite(body: MessageBody(sdp: Offer.hold)))
        let refusal = try await bench.nextAnswer()
        #expect(refusal.transaction == second && refusal.status == 500)
        #expect((0...10).contains(try #require(refusal.header("Retry-After").flatMap { Int($0) })))
        bench.mixer.goOn()
        let answer = try await bench.nextAnswer()
        #expect(answer.transaction == first && answer.status == 200)
    }

    @Test("a BYE while an offer is worked on: 487 for it (RFC 3261 section 15.1.2)")
    func byeMeanwhile() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        bench.mixer.hold()
        let transaction = await bench.offer(call, .update(body: MessageBody(sdp: Offer.moved)))
        guard case .renegotiate = await bench.next() else { throw TestFailure() }
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        #expect(await bench.next() == .leave(member, .departed))
        bench.mixer.refuse(.noSuchMember)
        bench.mixer.goOn()
        let answer = try await bench.nextAnswer()
        #expect(answer.transaction == transaction && answer.status == 487)
        await bench.focus.handle(.ended(call, .bye))
        #expect(await bench.focus.dialogCount == 0)
    }

    // MARK: Without an offer

    @Test("a re-INVITE without offer gets our description as it is; its answer changes nothing (RFC 3261 section 14.2)")
    func offerless() async throws {
        let bench = Bench()
        let (call, _, first) = try await bench.join()
        _ = await bench.offer(call, .invite(body: nil))
        let offer = try await bench.nextAnswer()
        #expect(offer.status == 200)
        #expect(offer.sdpLine("a=path") == first.sdpLine("a=path"))
        #expect(offer.sdpLine("m=message") == first.sdpLine("m=message"))
        await bench.focus.handle(.acknowledged(call, MessageBody(sdp: Offer.plain)))
        await bench.expectQuiet()
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("an offer while ours has no answer: 491 (RFC 3261 section 14.2, RFC 3311 section 5.2)")
    func glare() async throws {
        let bench = Bench()
        let (call, _, _) = try await bench.join()
        _ = await bench.offer(call, .invite(body: nil))
        #expect(try await bench.nextAnswer().status == 200)
        _ = await bench.offer(call, .update(body: MessageBody(sdp: Offer.hold)))
        #expect(try await bench.nextAnswer().status == 491)
    }

    @Test("a missing answer to a later offer of ours leaves the session as it was")
    func offerlessUnanswered() async throws {
        let bench = Bench()
        let (call, _, first) = try await bench.join()
        _ = await bench.offer(call, .invite(body: nil))
        _ = try await bench.nextAnswer()
        await bench.focus.handle(.acknowledged(call, nil))
        await bench.expectQuiet()
        _ = await bench.offer(call, .update(body: MessageBody(sdp: Offer.plain)))
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200)
        #expect(answer.sdpLine("a=path") == first.sdpLine("a=path"))
    }

    @Test("an answer that moves the peer's end changes the session, not our path")
    func offerlessMoved() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        _ = await bench.offer(call, .invite(body: nil))
        _ = try await bench.nextAnswer()
        await bench.focus.handle(.acknowledged(call, MessageBody(sdp: Offer.moved)))
        guard case .renegotiate(member, let media, newSession: false) = await bench.next() else { throw TestFailure() }
        #expect(media.path == "msrp://198.51.100.7:2855/second;tcp")
        await bench.expectQuiet()
    }

    @Test("an UPDATE without offer is a refresh: 200 without a body (RFC 4028 section 9)")
    func refresh() async throws {
        let bench = Bench()
        let (call, _, _) = try await bench.join()
        _ = await bench.offer(call, .update())
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200)
        #expect(answer.body == nil)
        #expect(answer.contact == "<sip:lobby@192.0.2.1:5060>;isfocus")
    }

    // MARK: The route

    @Test("later requests go to the packet's source, renewed on target refresh (RFC 3261 section 12.2.2)")
    func route() async throws {
        let bench = Bench()
        let source = Endpoint(transport: .udp, host: "203.0.113.5", port: 40_000)
        let transaction = bench.nextTransaction()
        let call = Call(id: 7)
        await bench.focus.handle(.invite(call, transaction, .invite(source: source)))
        guard case .reserve = await bench.next() else { throw TestFailure() }
        #expect(await bench.next() == .route(call, source))
        _ = try await bench.nextAnswer()
        await bench.focus.handle(.acknowledged(call, nil))
        _ = await bench.next()
        let moved = Endpoint(transport: .udp, host: "203.0.113.5", port: 40_001)
        _ = await bench.offer(call, .update(source: moved))
        #expect(await bench.next() == .route(call, moved))
        #expect(try await bench.nextAnswer().status == 200)
        _ = await bench.offer(call, .update())
        #expect(await bench.next() == .route(call, nil))
        #expect(try await bench.nextAnswer().status == 200)
        await bench.expectQuiet()
    }

    @Test("an offer for a call that is not there: 481 (RFC 3261 section 12.2.2)")
    func unknownCall() async throws {
        let bench = Bench()
        _ = await bench.offer(Call(id: 77), .update(body: MessageBody(sdp: Offer.plain)))
        #expect(try await bench.nextAnswer().status == 481)
    }
}
