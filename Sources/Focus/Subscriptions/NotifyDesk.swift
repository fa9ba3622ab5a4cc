import MediaMixer
import Payloads

/// The event package's state: subscriptions, what their rooms have told, publications, policies that were read.
struct NotifyDesk {
    var subscriptions = SubscriptionBook()
    /// Of rooms with subscriptions.
    var tellings: [RoomAddress: RoomTelling] = [:]
    var publications = PublicationBook()
    /// What the rooms' policy documents say, where somebody was judged by them.
    var policies: [RoomAddress: (etag: String, rules: PresenceRules)] = [:]
    var lastTimer: UInt64 = 0
    /// When the next look for what has expired is due; nil: none is arranged.
    var sweep: ContinuousClock.Instant?
    /// Waits for the answers to the last NOTIFYs.
    var shutdownWaiter: CheckedContinuation<Void, Never>?
    private var counts = NotifyCounters()

    var counters: NotifyCounters {
        get {
            var counters = counts
            counters.subscriptions = subscriptions.count
            counters.publications = publications.count
            return counters
        }
        set { counts = newValue }
    }

    /// What the room has told last.
    func revision(of room: RoomAddress) -> UInt32 { tellings[room]?.revision ?? 0 }

    /// Nil: no timer needs to be started.
    mutating func arrangeSweep(
        at deadline: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) -> Duration? {
        if let sweep, sweep <= deadline { return nil }
        sweep = deadline
        // Those that end within a second are looked for together.
        return max(deadline - now, .seconds(1))
    }
}
