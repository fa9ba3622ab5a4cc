import Testing

@testable import Focus

@Suite("An INVITE dialog's machine")
struct InviteMachineTests {
    private func pending(offering: Bool = false) -> InviteMachine {
        var machine = InviteMachine()
        _ = machine.reserved(offering: offering)
        return machine
    }

    private func confirmed() -> InviteMachine {
        var machine = pending()
        _ = machine.acknowledged()
        return machine
    }

    @Test("INVITE, 200, ACK, BYE (RFC 3261 sections 13.3 and 15.1.2)")
    func ordinary() {
        var machine = InviteMachine()
        #expect(machine.reserved(offering: false) == .accept)
        #expect(machine.acknowledged() == .join)
        #expect(machine.isConfirmed)
        #expect(machine.peerGone() == .leave)
        #expect(machine.peerGone() == .ignore)
    }

    @Test("a CANCEL while the mixer works releases what it makes (RFC 3261 section 9.2)")
    func cancelledEarly() {
        var machine = InviteMachine()
        #expect(machine.cancelled() == .releaseLater)
        #expect(machine.peerGone() == .releaseLater)
        #expect(machine.reserved(offering: false) == .release)
        #expect(machine.acknowledged() == .ignore)
    }

    @Test("a CANCEL after the 200 changes nothing (RFC 3261 section 9.2)")
    func cancelledLate() {
        var machine = pending()
        #expect(machine.cancelled() == .ignore)
        #expect(machine.acknowledged() == .join)
        #expect(machine.cancelled() == .ignore)
    }

    @Test("a CANCEL while the mixer refuses leaves nothing to answer")
    func cancelledAndRefused() {
        var machine = InviteMachine()
        _ = machine.cancelled()
        #expect(machine.refused() == .forget)
        var other = InviteMachine()
        #expect(other.refused() == .reject)
    }

    @Test(
        "without an ACK the participant leaves, once, and a late ACK does not bring it back (RFC 3261 section 13.3.1.4)"
    )
    func noAcknowledgement() {
        var machine = pending()
        #expect(machine.acknowledgementTimedOut() == .leaveAndHangUp)
        #expect(machine.acknowledgementTimedOut() == .ignore)
        #expect(machine.acknowledged() == .ignore)
        #expect(machine.peerGone() == .ignore)
    }

    @Test("an ACK in time makes the deadline pass unnoticed")
    func acknowledgedInTime() {
        var machine = confirmed()
        #expect(machine.acknowledgementTimedOut() == .ignore)
        #expect(machine.acknowledged() == .ignore)
    }

    @Test("a 200 with our offer wants the answer in the ACK (RFC 3261 section 13.2.1)")
    func offerless() {
        var machine = pending(offering: true)
        #expect(machine.acknowledged() == .joinWithAnswer)
    }

    @Test("a BYE before the ACK takes the participant out (RFC 3261 section 15)")
    func byeBeforeAcknowledgement() {
        var machine = pending()
        #expect(machine.peerGone() == .leave)
        #expect(machine.acknowledged() == .ignore)
    }

    @Test("hanging up happens once")
    func hangUp() {
        var machine = confirmed()
        #expect(machine.hangUp() == .hangUp)
        #expect(machine.hangUp() == .ignore)
        #expect(machine.peerGone() == .ignore)
        var early = InviteMachine()
        #expect(early.hangUp() == .rejectAndReleaseLater)
        #expect(early.reserved(offering: false) == .release)
    }

    @Test("an offer while another is being answered gets 500 (RFC 3261 section 14.2, RFC 3311 section 5.2)")
    func overlappingOffers() {
        var machine = confirmed()
        #expect(machine.offered() == .examine)
        #expect(machine.offered() == .retryLater)
        #expect(machine.answered() == true)
        #expect(machine.offered() == .examine)
    }

    @Test("an offer while ours has no answer gets 491 (RFC 3261 section 14.2, RFC 3311 section 5.2)")
    func glare() {
        var machine = confirmed()
        #expect(machine.offerRequested() == .examine)
        #expect(machine.offered() == .pending)
        #expect(machine.offerRequested() == .pending)
        #expect(machine.acknowledged() == .takeAnswer)
        #expect(machine.offered() == .examine)

        var first = pending(offering: true)
        #expect(first.offered() == .pending)
    }

    @Test("an UPDATE before the ACK is answered when offer and answer are done (RFC 3311 section 5.2)")
    func updateBeforeAcknowledgement() {
        var machine = pending()
        #expect(machine.offered() == .examine)
        #expect(machine.answered() == true)
        #expect(machine.acknowledged() == .join)
    }

    @Test("a re-INVITE without offer before the ACK gets 491, since the ACK could be taken for its answer")
    func offerlessBeforeAcknowledgement() {
        var machine = pending()
        #expect(machine.offerRequested() == .pending)
        #expect(machine.acknowledged() == .join)
    }

    @Test("offers outside of the dialog's life are refused (RFC 3261 section 12.2.2)")
    func offersOutside() {
        var early = InviteMachine()
        #expect(early.offered() == .retryLater)
        var over = confirmed()
        _ = over.peerGone()
        #expect(over.offered() == .gone)
        var leaving = confirmed()
        _ = leaving.hangUp()
        #expect(leaving.offered() == .gone)
    }

    @Test("a BYE while an offer is being answered is told to whoever answers it (RFC 3261 section 15.1.2)")
    func byeDuringOffer() {
        var machine = confirmed()
        _ = machine.offered()
        _ = machine.peerGone()
        #expect(machine.answered() == false)
    }
}

@Suite("The watch for ACKs")
struct AcknowledgementWatchTests {
    @Test("one timer serves all, and each call comes up at its own deadline")
    func deadlines() {
        let start = ContinuousClock.now
        var watch = AcknowledgementWatch()
        #expect(watch.add(1, deadline: start + .seconds(5)) == true)
        #expect(watch.add(2, deadline: start + .seconds(6)) == false)
        let early = watch.expire(now: start + .seconds(4))
        #expect(early.due.isEmpty && early.next == start + .seconds(5))
        let first = watch.expire(now: start + .seconds(5))
        #expect(first.due == [1] && first.next == start + .seconds(6))
        let second = watch.expire(now: start + .seconds(60))
        #expect(second.due == [2] && second.next == nil)
        #expect(watch.add(3, deadline: start + .seconds(65)) == true)
    }

    @Test("what was watched is given back in order, however much it is")
    func many() {
        let start = ContinuousClock.now
        var watch = AcknowledgementWatch()
        for call in 0..<5_000 { _ = watch.add(UInt64(call), deadline: start + .milliseconds(call)) }
        var seen: [UInt64] = []
        for moment in stride(from: 0, through: 5_000, by: 250) {
            seen += watch.expire(now: start + .milliseconds(moment)).due
        }
        #expect(seen == (0..<5_000).map { UInt64($0) })
    }
}
