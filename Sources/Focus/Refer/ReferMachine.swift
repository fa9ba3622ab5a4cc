import SIP

/// The subscription that a REFER makes, to what becomes of it (RFC 3515 section 2.4.4, RFC 6665 section 4.2).
///
/// The first NOTIFY says 100, the last one the final status; one is on its way at a time, and what is newer replaces
/// what waits. Refusing a NOTIFY or unsubscribing ends the subscription, never the deed.
struct ReferMachine: Sendable, Equatable {
    /// A NOTIFY to be sent.
    struct Notice: Sendable, Equatable {
        let event: EventName
        let state: SubscriptionState
        let outcome: DialOutcome
    }

    private enum State: Sendable, Equatable {
        case active
        /// No more than one NOTIFY, the last, is to be sent or answered.
        case terminated(reason: String)
    }

    /// With the id that tells this REFER from others of the dialog, where there may be others (RFC 3515 section 2.4.6).
    let event: EventName
    private(set) var deadline: ContinuousClock.Instant
    private var state = State.active
    private var outcome = DialOutcome.trying
    /// A NOTIFY has no answer yet.
    private var isUnderWay = false
    /// What the peer has been sent last is not what it has to know.
    private var hasNews = false

    init(event: EventName, deadline: ContinuousClock.Instant) {
        self.event = event
        self.deadline = deadline
    }

    var isActive: Bool { state == .active }

    /// The NOTIFY that follows the 202 at once.
    mutating func begin(now: ContinuousClock.Instant) -> Notice? { tell(now: now) }

    /// The deed is done, or has failed. The first final outcome counts.
    mutating func finished(_ outcome: DialOutcome, now: ContinuousClock.Instant) -> Notice? {
        guard isActive, outcome.isFinal else { return nil }
        self.outcome = outcome
        state = .terminated(reason: "noresource")
        return tell(now: now)
    }

    /// SUBSCRIBE within the dialog (RFC 3515 section 2.4.4).
    /// - Parameter expiry: zero: it unsubscribes.
    mutating func refreshed(_ expiry: Duration, now: ContinuousClock.Instant) -> Notice? {
        guard isActive else { return nil }
        deadline = now + expiry
        if expiry <= .zero { state = .terminated(reason: "timeout") }
        return tell(now: now)
    }

    /// Nil when the deadline has been moved, too.
    mutating func expired(now: ContinuousClock.Instant) -> Notice? {
        guard isActive, now >= deadline else { return nil }
        state = .terminated(reason: "timeout")
        return tell(now: now)
    }

    /// We stop serving (RFC 6665 section 4.1.3).
    mutating func deactivated(now: ContinuousClock.Instant) -> Notice? {
        guard isActive else { return nil }
        state = .terminated(reason: "deactivated")
        return tell(now: now)
    }

    enum OnAnswer: Sendable, Equatable {
        case send(Notice)
        /// The subscription is over.
        case forget
        case ignore
    }

    /// The answer to our NOTIFY.
    mutating func answered(_ status: Int, now: ContinuousClock.Instant) -> OnAnswer {
        guard status >= 200 else { return .ignore }
        isUnderWay = false
        // Nobody is there, or nobody wants to know (RFC 6665 section 4.2.2).
        guard status < 300 else { return .forget }
        if hasNews, let notice = tell(now: now) { return .send(notice) }
        return isActive ? .ignore : .forget
    }

    private mutating func tell(now: ContinuousClock.Instant) -> Notice? {
        hasNews = isUnderWay
        guard !isUnderWay else { return nil }
        isUnderWay = true
        let state =
            switch state {
            case .active:
                SubscriptionState("active", expires: max(0, Int(clamping: (deadline - now).components.seconds)))
            case .terminated(let reason): SubscriptionState("terminated", reason: reason)
            }
        return Notice(event: event, state: state, outcome: outcome)
    }
}
