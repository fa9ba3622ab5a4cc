/// When a room's changes are told: the first at once, or as soon as what belongs to it has settled, further ones
/// gathered until the interval is over (RFC 4575 section 3.9). What isn't urgent waits for the interval in any case.
struct NotifyPace: Sendable, Equatable {
    private var lastTold: ContinuousClock.Instant?
    /// When the timer that counts is due; nil: none runs.
    private(set) var due: ContinuousClock.Instant?

    init() {}

    /// How long from now the room's changes are to be told; nil: that is arranged already. A new timer takes the place
    /// of one that runs.
    mutating func changed(
        isUrgent: Bool = true, now: ContinuousClock.Instant, interval: Duration, settling: Duration
    ) -> Duration? {
        var earliest = now + (isUrgent ? settling : max(interval, settling))
        if let lastTold { earliest = max(earliest, lastTold + interval) }
        if let due, due <= earliest { return nil }
        due = earliest
        return earliest - now
    }

    /// The timer has run out.
    mutating func told(now: ContinuousClock.Instant) {
        due = nil
        lastTold = now
    }
}
