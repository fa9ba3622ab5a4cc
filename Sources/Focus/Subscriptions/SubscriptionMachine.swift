import SIP

/// One subscription to a room's roster, as its notifier sees it (RFC 6665 section 4.2).
///
/// One NOTIFY is on its way at a time, and what comes meanwhile is told together when it is answered. What the room
/// tells is counted in revisions, which number the documents: who has the last one gets the next one's changes,
/// everybody else the whole.
struct SubscriptionMachine: Sendable, Equatable {
    /// What somebody may see.
    enum View: Sendable, Equatable {
        /// Nothing until a policy says more: the subscription is pending.
        case undecided
        case everything
        /// A room with nobody in it: polite-block (RFC 5025 section 3.2.1).
        case neutral
    }

    /// RFC 6665 section 4.1.3
    enum Reason: String, Sendable, Equatable {
        case deactivated, rejected, timeout, noresource
    }

    /// What a NOTIFY carries.
    enum Content: Sendable, Equatable {
        case nothing
        case whole
        /// What the last revision changed.
        case changes
        case neutral
        /// What fits into a datagram, where the whole or the changes do not: how many are there, and the subscriber.
        case brief(isWhole: Bool)
        /// Nothing but the end of the conference.
        case deleted
    }

    /// A NOTIFY to be sent.
    struct Notice: Sendable, Equatable {
        let state: SubscriptionState
        let content: Content
        /// The document's number (RFC 4575 section 5.2).
        let version: UInt32
    }

    enum OnAnswer: Sendable, Equatable {
        case none
        /// What came meanwhile, or the same in another form.
        case notify(Notice)
        /// Send the whole when this many seconds have passed.
        case retry(after: Int)
        /// The last NOTIFY was answered: nothing is left.
        case over
        /// The subscriber is gone or refuses: the subscription is removed without another word.
        case failed(status: Int)
    }

    /// So many NOTIFYs may fail one after the other.
    static let mostFailures = 3
    /// The longest time that a Retry-After is waited for, in seconds.
    static let longestRetry = 300

    let isWholeOnly: Bool
    private(set) var view: View
    private(set) var deadline: ContinuousClock.Instant
    private(set) var ending: Reason?
    /// The last revision whose state the subscriber has, or is being sent; nil: it must be sent the whole.
    private var told: UInt32?
    private var sent = Content.nothing
    /// The NOTIFY on its way has no answer yet.
    private(set) var isUnderWay = false
    /// Something has to be told, though perhaps nothing is new: an answer to SUBSCRIBE, another state.
    private var owesWord = false
    /// The subscriber asked for another time, so nothing is sent before.
    private(set) var isHeldBack = false
    private var failures = 0

    init(view: View, deadline: ContinuousClock.Instant, isWholeOnly: Bool = false) {
        self.view = view
        self.deadline = deadline
        self.isWholeOnly = isWholeOnly
    }

    var isOver: Bool { ending != nil }

    /// The SUBSCRIBE was answered, the first one or a refresh: the whole follows at once (RFC 6665 section 4.2.1.2).
    mutating func subscribed(
        until deadline: ContinuousClock.Instant, revision: UInt32, now: ContinuousClock.Instant
    ) -> Notice? {
        guard !isOver else { return nil }
        self.deadline = deadline
        if deadline <= now { return end(.timeout, revision: revision) }
        told = nil
        owesWord = true
        isHeldBack = false
        return next(revision: revision, now: now)
    }

    /// The room has something new to tell.
    mutating func changed(revision: UInt32, now: ContinuousClock.Instant) -> Notice? {
        guard !isOver, view == .everything else { return nil }
        return next(revision: revision, now: now)
    }

    /// The room's policy decides otherwise now; nil where it doesn't. A refusal is `end(.rejected)`.
    mutating func decided(_ view: View, revision: UInt32, now: ContinuousClock.Instant) -> Notice? {
        guard !isOver, view != self.view else { return nil }
        self.view = view
        told = nil
        owesWord = true
        return next(revision: revision, now: now)
    }

    /// Retry-After has passed.
    mutating func resumed(revision: UInt32, now: ContinuousClock.Instant) -> Notice? {
        guard !isOver, isHeldBack else { return nil }
        isHeldBack = false
        return next(revision: revision, now: now)
    }

    /// The last NOTIFY. It doesn't wait for an answer to the one before.
    mutating func end(_ reason: Reason, revision: UInt32) -> Notice? {
        guard !isOver else { return nil }
        ending = reason
        isUnderWay = true
        let content: Content =
            switch (view, reason) {
            case (.undecided, _): .nothing
            case (_, .timeout): view == .neutral ? .neutral : .whole
            case (_, .noresource): .deleted
            case (_, .rejected), (_, .deactivated): .nothing
            }
        // The end of the conference is a change of its own.
        return notice(
            SubscriptionState("terminated", reason: reason.rawValue), content,
            content == .deleted ? revision &+ 1 : revision)
    }

    /// - Parameters:
    ///   - isLocal: no peer said it: nobody answered, nobody could be reached (408, 503), or there is no way that takes
    ///     so large a message (513).
    ///   - retryAfter: seconds.
    mutating func answered(
        status: Int, isLocal: Bool = false, retryAfter: Int? = nil, revision: UInt32, now: ContinuousClock.Instant
    ) -> OnAnswer {
        guard status >= 200 else { return .none }
        if isLocal, status == 513, sent == .whole || sent == .changes {
            told = revision
            let state = ending.map { SubscriptionState("terminated", reason: $0.rawValue) } ?? self.state(now: now)
            return .notify(notice(state, .brief(isWhole: sent == .whole), revision))
        }
        isUnderWay = false
        if isOver { return .over }
        if (200..<300).contains(status) {
            failures = 0
            return next(revision: revision, now: now).map { .notify($0) } ?? .none
        }
        failures += 1
        // What went out may not have been taken.
        told = nil
        if isLocal || Self.isFatal(status) && retryAfter == nil || failures >= Self.mostFailures {
            return .failed(status: status)
        }
        guard let retryAfter else { return .none }
        isHeldBack = true
        owesWord = true
        return .retry(after: min(max(retryAfter, 1), Self.longestRetry))
    }

    /// Which answers end the subscription by themselves (RFC 6665 section 4.2.2, RFC 5057 section 5.1). A challenge is
    /// one, for we have nothing to prove to a subscriber.
    private static func isFatal(_ status: Int) -> Bool {
        switch status {
        case 401, 404, 405, 407, 408, 410, 416, 480...485, 489, 501, 604: true
        default: false
        }
    }

    private mutating func next(revision: UInt32, now: ContinuousClock.Instant) -> Notice? {
        guard !isUnderWay, !isHeldBack, now < deadline else { return nil }
        switch view {
        case .undecided, .neutral:
            guard owesWord else { return nil }
            owesWord = false
            isUnderWay = true
            return notice(state(now: now), view == .neutral ? .neutral : .nothing, revision)
        case .everything:
            guard owesWord || told != revision else { return nil }
            let content: Content = !isWholeOnly && !owesWord && told.map { $0 &+ 1 } == revision ? .changes : .whole
            owesWord = false
            told = revision
            isUnderWay = true
            return notice(state(now: now), content, revision)
        }
    }

    private mutating func notice(_ state: SubscriptionState, _ content: Content, _ version: UInt32) -> Notice {
        sent = content
        return Notice(state: state, content: content, version: version)
    }

    private func state(now: ContinuousClock.Instant) -> SubscriptionState {
        let seconds = Int(clamping: (deadline - now).components.seconds)
        return SubscriptionState(view == .undecided ? "pending" : "active", expires: max(0, seconds))
    }
}
