import Testing

@testable import Focus
@testable import SIP

/// The subscription to a REFER's outcome. Time moves when the test moves it.
@Suite struct ReferMachineTests {
    private let start = ContinuousClock.now
    private let event = EventName("refer")

    private func machine(_ id: String? = nil) -> ReferMachine {
        ReferMachine(event: EventName("refer", id: id), deadline: start + .seconds(60))
    }

    private func notice(_ state: SubscriptionState, _ outcome: DialOutcome) -> ReferMachine.Notice {
        ReferMachine.Notice(event: event, state: state, outcome: outcome)
    }

    @Test("the first NOTIFY says 100, the last the outcome and noresource (RFC 3515 sections 2.4.5 and 2.4.7)")
    func course() {
        var machine = machine()
        #expect(machine.begin(now: start) == notice(SubscriptionState("active", expires: 60), .trying))
        #expect(machine.answered(200, now: start) == .ignore)
        #expect(
            machine.finished(DialOutcome(486, "Busy"), now: start)
                == notice(SubscriptionState("terminated", reason: "noresource"), DialOutcome(486, "Busy")))
        #expect(machine.answered(200, now: start) == .forget)
    }

    @Test("the outcome waits until the first NOTIFY is answered (RFC 6665 section 4.2.2)")
    func oneAtATime() {
        var machine = machine()
        _ = machine.begin(now: start)
        #expect(machine.finished(.done, now: start) == nil)
        #expect(machine.answered(100, now: start) == .ignore)
        #expect(
            machine.answered(200, now: start)
                == .send(notice(SubscriptionState("terminated", reason: "noresource"), .done)))
        #expect(machine.answered(200, now: start) == .forget)
    }

    @Test("only the first final outcome is told")
    func firstOutcome() {
        var machine = machine()
        _ = machine.begin(now: start)
        _ = machine.finished(DialOutcome(202), now: start)
        #expect(machine.finished(.done, now: start) == nil)
        guard case .send(let last) = machine.answered(200, now: start) else {
            Issue.record("no last NOTIFY")
            return
        }
        #expect(last.outcome == DialOutcome(202))
    }

    @Test("a provisional outcome is not told")
    func provisional() {
        var machine = machine()
        _ = machine.begin(now: start)
        #expect(machine.finished(DialOutcome(180), now: start) == nil)
        #expect(machine.isActive)
    }

    @Test("a refused NOTIFY ends the subscription (RFC 6665 section 4.2.2)", arguments: [481, 404, 405, 489, 408, 503])
    func refused(_ status: Int) {
        var machine = machine()
        _ = machine.begin(now: start)
        #expect(machine.answered(status, now: start) == .forget)
    }

    @Test("SUBSCRIBE extends the subscription, and is answered by a NOTIFY (RFC 3515 section 2.4.4)")
    func refreshed() {
        var machine = machine()
        _ = machine.begin(now: start)
        _ = machine.answered(200, now: start)
        let later = start + .seconds(50)
        #expect(
            machine.refreshed(.seconds(120), now: later) == notice(SubscriptionState("active", expires: 120), .trying))
        #expect(machine.expired(now: start + .seconds(60)) == nil)
        _ = machine.answered(200, now: later)
        #expect(
            machine.expired(now: later + .seconds(120))
                == notice(SubscriptionState("terminated", reason: "timeout"), .trying))
    }

    @Test("Expires 0 ends it with one more NOTIFY, and the outcome is nobody's any more (RFC 3515 section 2.4.4)")
    func unsubscribed() {
        var machine = machine()
        _ = machine.begin(now: start)
        _ = machine.answered(200, now: start)
        #expect(
            machine.refreshed(.zero, now: start) == notice(SubscriptionState("terminated", reason: "timeout"), .trying))
        #expect(machine.finished(.done, now: start) == nil)
        #expect(machine.answered(200, now: start) == .forget)
    }

    @Test("a stop is told as deactivated (RFC 6665 section 4.1.3)")
    func deactivated() {
        var machine = machine()
        _ = machine.begin(now: start)
        _ = machine.answered(200, now: start)
        #expect(
            machine.deactivated(now: start)
                == notice(SubscriptionState("terminated", reason: "deactivated"), .trying))
    }

    // MARK: The desk

    private let caller = Caller(uri: "sip:alice@example.org", account: "alice@example.org")

    private func open(_ desk: inout ReferDesk, _ dialog: DialogReference, sequence: UInt32) -> ReferDesk.Key {
        desk.open(
            in: dialog, caller: caller, room: Bench.room, sequence: sequence, contact: "<sip:lobby@example.com>",
            deadline: start)
    }

    @Test("the second REFER of a dialog is known by its CSeq (RFC 3515 section 2.4.6)")
    func ids() {
        var desk = ReferDesk()
        let call = DialogReference.call(Call(id: 1))
        let first = open(&desk, call, sequence: 7)
        let second = open(&desk, call, sequence: 9)
        #expect(desk[first]?.machine.event == EventName("refer"))
        #expect(desk[second]?.machine.event == EventName("refer", id: "9"))
        #expect(desk.find(in: call, id: nil) == first)
        #expect(desk.find(in: call, id: "7") == first)
        #expect(desk.find(in: call, id: "9") == second)
        #expect(desk.find(in: call, id: "8") == nil)
        #expect(desk.find(in: .dialog(Dialog(id: 1)), id: nil) == nil)
        #expect(desk.forget(first) == nil)
        #expect(desk.forget(second) == call)
        // Also when the first one is long over.
        let third = open(&desk, call, sequence: 12)
        #expect(desk[third]?.machine.event == EventName("refer", id: "12"))
    }

    @Test("a call's end takes its subscriptions along")
    func callEnded() {
        var desk = ReferDesk()
        let key = open(&desk, .call(Call(id: 1)), sequence: 7)
        desk.ended(Call(id: 1))
        #expect(desk[key] == nil)
        #expect(desk.count == 0)
        #expect(desk.caller(of: .call(Call(id: 1))) == nil)
    }

    @Test("subscriptions are bounded, for each account and in all")
    func bounds() {
        var desk = ReferDesk()
        var limits = DialConfiguration.Limits()
        limits.reportsPerAccount = 1
        limits.reports = 2
        #expect(desk.limit(for: "alice@example.org", limits) == nil)
        let key = open(&desk, .dialog(Dialog(id: 1)), sequence: 1)
        #expect(desk.limit(for: "alice@example.org", limits) == "reportsPerAccount")
        #expect(desk.limit(for: "bob@example.org", limits) == nil)
        _ = open(&desk, .dialog(Dialog(id: 2)), sequence: 1)
        #expect(desk.limit(for: "bob@example.org", limits) == "reports")
        _ = desk.forget(key)
        #expect(desk.limit(for: "bob@example.org", limits) == nil)
    }
}
