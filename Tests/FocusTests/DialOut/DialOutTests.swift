import MediaMixer
import Testing

@testable import Focus

/// One call to one person: what is done after each answer.
@Suite struct DialOutTests {
    private func invite(_ transports: [Bool] = [false, true]) -> DialOut {
        DialOut(.init(method: .invite, fallback: nil, offersTLS: transports))
    }

    private func refer(fallback: RoomConfiguration.DialOut? = .invite, reports: Bool = false) -> DialOut {
        DialOut(.init(method: .refer, fallback: fallback, reportsRefer: reports, offersTLS: [false]))
    }

    private func inviting(_ transports: [Bool] = [false, true]) -> DialOut {
        var call = invite(transports)
        _ = call.begin()
        _ = call.prepared()
        return call
    }

    private func referring(fallback: RoomConfiguration.DialOut? = .invite) -> DialOut {
        var call = refer(fallback: fallback)
        _ = call.begin()
        return call
    }

    @Test("the focus INVITEs with an offer, and connects at the 200 (RFC 4579 section 5.2)")
    func invited() {
        var call = invite()
        #expect(call.begin() == .prepare(isTLS: false))
        #expect(call.prepared() == true)
        #expect(call.answered(.trying) == .ignore)
        #expect(call.answered(DialOutcome(180)) == .alerting)
        #expect(call.answered(.done) == .connect(.done))
        #expect(call.isOver)
        #expect(call.timedOut() == .ignore)
    }

    @Test(
        "a refusal is the outcome", arguments: [404, 480, 486, 487, 500, 503, 600, 603, 302, 420])
    func refused(_ status: Int) {
        var call = inviting()
        #expect(call.answered(DialOutcome(status)) == .finish(DialOutcome(status)))
        #expect(call.isOver)
    }

    @Test("after 488 the other transport is offered, once")
    func otherTransport() {
        var call = inviting([true, false])
        #expect(call.answered(DialOutcome(488)) == .prepare(isTLS: false))
        #expect(call.prepared() == true)
        #expect(call.answered(DialOutcome(488)) == .finish(DialOutcome(488)))
    }

    @Test("after 488 nothing is offered that we don't have")
    func oneTransport() {
        var call = inviting([true])
        #expect(call.answered(DialOutcome(488)) == .finish(DialOutcome(488)))
    }

    @Test("a challenge is answered where we have credentials (RFC 3261 section 22)", arguments: [401, 407])
    func challenged(_ status: Int) {
        var call = inviting()
        #expect(call.answered(DialOutcome(status), canAuthenticate: true) == .authenticate)
        #expect(call.answered(DialOutcome(status), canAuthenticate: false) == .finish(DialOutcome(status)))
        var refer = referring()
        #expect(refer.answered(DialOutcome(status), canAuthenticate: true) == .authenticate)
        #expect(refer.answered(DialOutcome(status)) == .finish(DialOutcome(status)))
    }

    @Test("who can't read the list of the others is invited without it (RFC 5364 section 7)")
    func simplified() {
        var call = inviting()
        #expect(call.answered(DialOutcome(415), canSimplify: true) == .simplify)
        #expect(call.answered(DialOutcome(415), canSimplify: true) == .finish(DialOutcome(415)))
        var other = inviting()
        #expect(other.answered(DialOutcome(415)) == .finish(DialOutcome(415)))
    }

    @Test("who doesn't answer is given up")
    func unanswered() {
        var call = inviting()
        _ = call.answered(DialOutcome(180))
        #expect(call.timedOut() == .giveUp(.timeout))
        #expect(call.answered(.done) == .ignore)
    }

    @Test("what the room's end leaves over is given up, waiting or not")
    func withdrawn() {
        var waiting = invite()
        #expect(waiting.withdrawn() == .giveUp(.withdrawn))
        #expect(waiting.begin() == .ignore)
        var preparing = invite()
        _ = preparing.begin()
        #expect(preparing.withdrawn() == .giveUp(.withdrawn))
        #expect(preparing.prepared() == false)
        var referred = referring()
        _ = referred.answered(DialOutcome(202))
        #expect(referred.withdrawn() == .giveUp(.withdrawn))
    }

    @Test("a room that is full is the outcome")
    func full() {
        var call = invite()
        _ = call.begin()
        #expect(call.refused(DialOutcome(486)) == .finish(DialOutcome(486)))
        #expect(call.refused(DialOutcome(486)) == .ignore)
    }

    // MARK: By REFER

    @Test("whom we sent a REFER has come when the INVITE is there, or the NOTIFY says so (RFC 4579 section 5.6)")
    func referred() {
        var call = refer()
        #expect(call.begin() == .refer)
        #expect(call.answered(DialOutcome(202)) == .await(DialOutcome(202)))
        #expect(call.notified(.trying) == .ignore)
        #expect(call.notified(nil) == .ignore)
        var other = call
        #expect(call.arrived() == .finish(.done))
        #expect(call.notified(.done) == .ignore)
        #expect(other.notified(.done) == .finish(.done))
        #expect(other.arrived() == .ignore)
    }

    @Test("the INVITE and the NOTIFY may come before the answer to the REFER (RFC 3515 section 2.4.4)")
    func overtaken() {
        var call = referring()
        #expect(call.arrived() == .finish(.done))
        #expect(call.answered(DialOutcome(202)) == .ignore)
        var other = referring()
        #expect(other.notified(DialOutcome(603)) == .finish(DialOutcome(603)))
    }

    @Test("whoever took the REFER and does nothing is given up")
    func idle() {
        var call = referring()
        _ = call.answered(DialOutcome(202))
        #expect(call.timedOut() == .giveUp(.timeout))
    }

    @Test("a client that says nothing to the REFER is INVITEd, or given up without a fallback")
    func silent() {
        var call = referring()
        #expect(call.timedOut() == .prepare(isTLS: false))
        #expect(call.answered(.timeout) == .ignore)
        #expect(call.prepared() == true)
        #expect(call.timedOut() == .giveUp(.timeout))
        var other = referring(fallback: nil)
        #expect(other.timedOut() == .finish(.timeout))
        #expect(other.answered(DialOutcome(202)) == .ignore)
    }

    @Test("a client without REFER is INVITEd (dial_out_fallback = invite)", arguments: [405, 501, 603, 408])
    func fallback(_ status: Int) {
        var call = referring()
        #expect(call.answered(DialOutcome(status)) == .prepare(isTLS: false))
        #expect(call.prepared() == true)
        #expect(call.answered(.done) == .connect(.done))
    }

    @Test("a client without REFER is left alone (dial_out_fallback = none)", arguments: [405, 501, 603, 408])
    func noFallback(_ status: Int) {
        var call = referring(fallback: nil)
        #expect(call.answered(DialOutcome(status)) == .finish(DialOutcome(status)))
    }

    @Test("another refusal of the REFER is the outcome", arguments: [403, 404, 480, 486, 500])
    func otherRefusal(_ status: Int) {
        var call = referring()
        #expect(call.answered(DialOutcome(status)) == .finish(DialOutcome(status)))
    }
}
