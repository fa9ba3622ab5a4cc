import SIP
import Testing

@testable import Focus

@Suite("A subscription")
struct SubscriptionMachineTests {
    private let start = ContinuousClock.now

    private func machine(
        _ view: SubscriptionMachine.View = .everything, expiry: Int = 600, isWholeOnly: Bool = false
    ) -> SubscriptionMachine {
        SubscriptionMachine(view: view, deadline: start + .seconds(expiry), isWholeOnly: isWholeOnly)
    }

    private func notice(
        _ state: String, _ content: SubscriptionMachine.Content, _ version: UInt32
    ) -> SubscriptionMachine.Notice {
        SubscriptionMachine.Notice(
            state: SubscriptionState(parsing: state) ?? SubscriptionState(""), content: content, version: version)
    }

    /// A subscription that has been sent revision 1, and has answered.
    private func settled(_ view: SubscriptionMachine.View = .everything, isWholeOnly: Bool = false)
        -> SubscriptionMachine
    {
        var machine = machine(view, isWholeOnly: isWholeOnly)
        _ = machine.subscribed(until: start + .seconds(600), revision: 1, now: start)
        _ = machine.answered(status: 200, revision: 1, now: start)
        return machine
    }

    @Test("RFC 6665 4.2.1.2: the state follows every 200 at once, whole")
    func confirmed() {
        var machine = machine()
        #expect(
            machine.subscribed(until: start + .seconds(600), revision: 1, now: start)
                == notice("active;expires=600", .whole, 1))
        #expect(machine.answered(status: 200, revision: 1, now: start) == .none)
        #expect(
            machine.subscribed(until: start + .seconds(900), revision: 1, now: start + .seconds(300))
                == notice("active;expires=600", .whole, 1))
    }

    @Test("RFC 4575 5.2: changes are told with consecutive versions")
    func changes() {
        var machine = settled()
        #expect(machine.changed(revision: 2, now: start) == notice("active;expires=600", .changes, 2))
        #expect(machine.answered(status: 200, revision: 2, now: start) == .none)
        #expect(
            machine.changed(revision: 3, now: start + .seconds(10)) == notice("active;expires=590", .changes, 3))
    }

    @Test("one NOTIFY is on its way at a time, and who missed more than one revision gets the whole")
    func oneAtATime() {
        var machine = settled()
        _ = machine.changed(revision: 2, now: start)
        #expect(machine.changed(revision: 3, now: start) == nil)
        #expect(
            machine.answered(status: 200, revision: 3, now: start)
                == .notify(notice("active;expires=600", .changes, 3)))
        #expect(machine.changed(revision: 4, now: start) == nil)
        #expect(machine.changed(revision: 5, now: start) == nil)
        #expect(
            machine.answered(status: 200, revision: 5, now: start) == .notify(notice("active;expires=600", .whole, 5)))
        #expect(machine.answered(status: 200, revision: 5, now: start) == .none)
    }

    @Test("by configuration every document is a whole one")
    func wholeOnly() {
        var machine = settled(isWholeOnly: true)
        #expect(machine.changed(revision: 2, now: start) == notice("active;expires=600", .whole, 2))
    }

    @Test("RFC 6665 4.4.3: Expires 0 fetches the state once")
    func fetch() {
        var machine = machine(expiry: 0)
        #expect(
            machine.subscribed(until: start, revision: 1, now: start) == notice("terminated;reason=timeout", .whole, 1))
        #expect(machine.changed(revision: 2, now: start) == nil)
        #expect(machine.answered(status: 200, revision: 2, now: start) == .over)
    }

    @Test("RFC 6665 4.2.1.4: Expires 0 ends it, and so does time")
    func ends() {
        var machine = settled()
        #expect(
            machine.subscribed(until: start, revision: 4, now: start) == notice("terminated;reason=timeout", .whole, 4))
        machine = settled()
        #expect(machine.end(.timeout, revision: 4) == notice("terminated;reason=timeout", .whole, 4))
        #expect(machine.end(.timeout, revision: 4) == nil)
    }

    @Test(
        "RFC 6665 4.1.3: why the notifier ends it",
        arguments: [
            (SubscriptionMachine.Reason.noresource, SubscriptionMachine.Content.deleted),
            (.rejected, .nothing), (.deactivated, .nothing),
        ])
    func reasons(reason: SubscriptionMachine.Reason, content: SubscriptionMachine.Content) {
        var machine = settled()
        #expect(
            machine.end(reason, revision: 1)
                == notice("terminated;reason=\(reason.rawValue)", content, content == .deleted ? 2 : 1))
        #expect(machine.end(.timeout, revision: 1) == nil)
        #expect(machine.answered(status: 481, revision: 1, now: start) == .over)
    }

    @Test("the last NOTIFY doesn't wait for the answer to the one before")
    func endsAtOnce() {
        var machine = settled()
        _ = machine.changed(revision: 2, now: start)
        #expect(machine.end(.noresource, revision: 2) == notice("terminated;reason=noresource", .deleted, 3))
    }

    @Test("RFC 5025 3.2.1, confirm: pending, nothing is told, until a policy allows it")
    func pending() {
        var machine = machine(.undecided)
        #expect(
            machine.subscribed(until: start + .seconds(600), revision: 1, now: start)
                == notice("pending;expires=600", .nothing, 1))
        _ = machine.answered(status: 200, revision: 1, now: start)
        #expect(machine.changed(revision: 2, now: start) == nil)
        #expect(machine.decided(.undecided, revision: 2, now: start) == nil)
        #expect(machine.decided(.everything, revision: 2, now: start) == notice("active;expires=600", .whole, 2))
    }

    @Test("RFC 5025 3.2.1, polite-block: active, and told of a room with nobody in it")
    func polite() {
        var machine = machine(.neutral)
        #expect(
            machine.subscribed(until: start + .seconds(600), revision: 1, now: start)
                == notice("active;expires=600", .neutral, 1))
        _ = machine.answered(status: 200, revision: 1, now: start)
        #expect(machine.changed(revision: 2, now: start) == nil)
        #expect(machine.end(.timeout, revision: 2) == notice("terminated;reason=timeout", .neutral, 2))
    }

    @Test(
        "RFC 6665 4.2.2: who refuses a NOTIFY, or is gone, is told nothing more",
        arguments: [404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
    func refused(status: Int) {
        var machine = settled()
        _ = machine.changed(revision: 2, now: start)
        #expect(machine.answered(status: status, revision: 2, now: start) == .failed(status: status))
    }

    @Test("nobody answers, or nobody can be reached", arguments: [408, 503])
    func unreachable(status: Int) {
        var machine = settled()
        _ = machine.changed(revision: 2, now: start)
        #expect(machine.answered(status: status, isLocal: true, revision: 2, now: start) == .failed(status: status))
    }

    @Test("Retry-After is kept, and the whole follows then")
    func retry() {
        var machine = settled()
        _ = machine.changed(revision: 2, now: start)
        #expect(machine.answered(status: 503, retryAfter: 20, revision: 2, now: start) == .retry(after: 20))
        #expect(machine.changed(revision: 3, now: start) == nil)
        #expect(
            machine.resumed(revision: 3, now: start + .seconds(20)) == notice("active;expires=580", .whole, 3))
        #expect(machine.resumed(revision: 3, now: start + .seconds(20)) == nil)
    }

    @Test("other refusals cost the subscriber one NOTIFY, and three in a row the subscription")
    func failures() {
        var machine = settled()
        for revision in 2...3 {
            #expect(
                machine.changed(revision: UInt32(revision), now: start)?.content == (revision == 2 ? .changes : .whole))
            #expect(machine.answered(status: 500, revision: UInt32(revision), now: start) == .none)
        }
        #expect(machine.changed(revision: 4, now: start)?.content == .whole)
        #expect(machine.answered(status: 500, revision: 4, now: start) == .failed(status: 500))
    }

    @Test("what no way takes is sent in brief, under the same number")
    func tooLarge() {
        var machine = machine()
        _ = machine.subscribed(until: start + .seconds(600), revision: 1, now: start)
        #expect(
            machine.answered(status: 513, isLocal: true, revision: 1, now: start)
                == .notify(notice("active;expires=600", .brief(isWhole: true), 1)))
        #expect(machine.answered(status: 200, revision: 1, now: start) == .none)
        #expect(machine.changed(revision: 2, now: start)?.version == 2)
        #expect(
            machine.answered(status: 513, isLocal: true, revision: 2, now: start)
                == .notify(notice("active;expires=600", .brief(isWhole: false), 2)))
        #expect(machine.answered(status: 513, isLocal: true, revision: 2, now: start) == .failed(status: 513))
    }

    @Test("provisional answers mean nothing")
    func provisional() {
        var machine = settled()
        _ = machine.changed(revision: 2, now: start)
        #expect(machine.answered(status: 100, revision: 2, now: start) == .none)
        #expect(machine.isUnderWay)
    }
}

@Suite("The pace of NOTIFYs")
struct NotifyPaceTests {
    private let start = ContinuousClock.now

    @Test("RFC 4575 3.9: the first change at once, further ones when the interval is over")
    func interval() {
        var pace = NotifyPace()
        let settling = Duration.milliseconds(20)
        #expect(pace.changed(now: start, interval: .seconds(5), settling: settling) == settling)
        #expect(pace.changed(now: start, interval: .seconds(5), settling: settling) == nil)
        pace.told(now: start)
        #expect(pace.changed(now: start + .seconds(1), interval: .seconds(5), settling: settling) == .seconds(4))
        #expect(pace.changed(now: start + .seconds(2), interval: .seconds(5), settling: settling) == nil)
        pace.told(now: start + .seconds(5))
        #expect(pace.changed(now: start + .seconds(60), interval: .seconds(5), settling: settling) == settling)
    }

    @Test("what isn't urgent waits for the interval, and goes with what is")
    func lazy() {
        var pace = NotifyPace()
        let settling = Duration.milliseconds(20)
        #expect(pace.changed(isUrgent: false, now: start, interval: .seconds(5), settling: settling) == .seconds(5))
        #expect(pace.changed(isUrgent: false, now: start, interval: .seconds(5), settling: settling) == nil)
        #expect(
            pace.changed(isUrgent: true, now: start + .seconds(1), interval: .seconds(5), settling: settling)
                == settling)
        pace.told(now: start + .seconds(1))
        #expect(
            pace.changed(isUrgent: false, now: start + .seconds(2), interval: .seconds(5), settling: settling)
                == .seconds(5))
    }
}
