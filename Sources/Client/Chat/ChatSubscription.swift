package import SIP

/// Our subscription to the room's roster (RFC 6665 section 4.1), within the call: says when to send SUBSCRIBE.
package struct ChatSubscription: Sendable {
    package enum Action: Equatable, Sendable {
        case nothing
        /// Send SUBSCRIBE with this Expires, in seconds.
        case subscribe(expires: Int)
        /// Call `due` with this number after as many seconds.
        case wait(seconds: Int, number: Int)
        /// There is none, and will be none.
        case over(String)
    }

    /// What RFC 4575 section 3.3 has as default.
    static let expiry = 3600
    /// Subscriptions that end without telling anything in between: so many, and no more is tried.
    static let attempts = 3
    /// How long a Retry-After is obeyed at most, in seconds.
    private static let longestWait = 3600

    private enum State: Equatable { case idle, active, over }

    private var state = State.idle
    private var expires = expiry
    private var fruitless = 0
    /// The timer that counts; those before it are stale.
    private var timer = 0

    package init() {}

    package var isOver: Bool { state == .over }
    /// Whether NOTIFYs are expected.
    package var isActive: Bool { state == .active }

    package mutating func start() -> Action {
        guard state != .over else { return .nothing }
        state = .active
        return .subscribe(expires: expires)
    }

    /// A final response to SUBSCRIBE that is no challenge.
    package mutating func answered(_ status: Int, expires granted: Int?, minimum: Int?) -> Action {
        guard state == .active else { return .nothing }
        switch status {
        case 200...299:
            let life = min(max(granted ?? expires, 1), expires)
            return wait(max(1, life > 120 ? life - 60 : life / 2))
        case 423:
            guard let minimum, minimum > expires, minimum <= 86_400 else { return end("\(status)") }
            expires = minimum
            return .subscribe(expires: minimum)
        default:
            return end("\(status)")
        }
    }

    /// A NOTIFY came, with this Subscription-State.
    package mutating func notified(_ subscription: SubscriptionState) -> Action {
        guard state == .active else { return .nothing }
        guard subscription.isTerminated else {
            fruitless = 0
            return .nothing
        }
        switch subscription.reason {
        case "rejected", "noresource", "invariant":
            return end(subscription.reason ?? "")
        case "probation", "giveup":
            fruitless += 1
            guard fruitless < Self.attempts else { return end(subscription.reason ?? "") }
            return wait(min(subscription.retryAfter ?? 30, Self.longestWait))
        default:
            // It ran out or was moved: subscribe again at once (RFC 6665 section 4.1.3).
            fruitless += 1
            guard fruitless < Self.attempts else { return end(subscription.reason ?? "terminated") }
            return .subscribe(expires: expires)
        }
    }

    /// What is known has a gap: a SUBSCRIBE brings all of it.
    package mutating func incomplete() -> Action { state == .active ? .subscribe(expires: expires) : .nothing }

    package mutating func due(_ number: Int) -> Action {
        state == .active && number == timer ? .subscribe(expires: expires) : .nothing
    }

    private mutating func wait(_ seconds: Int) -> Action {
        timer += 1
        return .wait(seconds: seconds, number: timer)
    }

    private mutating func end(_ reason: String) -> Action {
        state = .over
        return .over(reason)
    }
}
