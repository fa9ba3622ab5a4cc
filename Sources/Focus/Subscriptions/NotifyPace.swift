/// When a room's changes are told: the first at once, or as soon as what belongs to it has settled, further ones
/// gathered until the interval is over (RFC 4575 section 3.9).
struct NotifyPace: Sendable, Equatable {
    private var lastTold: ContinuousClock.Instant?
    /// When the timer that runs is due; nil: none runs.
    private(set) var due: ContinuousClock.Instant?

    init() {}

    /// How long from now the room's changes are to be told; nil: that is arranged already.
    mutating func changed(
        now: ContinuousClock.Instant, interval: Duration, settling: Duration
    ) -> Duration? {
        guard due == nil else { return nil }
        let earliest = lastTold.map { max($0 + interval, now + settling) } ?? now + settling
        due = earliest
        return earliest - now
    }

    /// The timer has run out.
    mutating func told(now: ContinuousClock.Instant) {
        due = nil
        lastTold = now
    }
}
