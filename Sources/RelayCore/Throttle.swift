import NIOCore

/// A token bucket: so many octets a second on average, a second's worth at once.
///
/// What is taken may exceed what is there, since octets have arrived already when they are counted; then nobody reads
/// until the debt is paid.
struct Throttle: Equatable {
    /// Octets a second; at least one.
    let rate: Int
    private var tokens: Int
    private var filled: NIODeadline

    init(rate: Int, now: NIODeadline) {
        self.rate = max(1, rate)
        tokens = self.rate
        filled = now
    }

    /// - Returns: whether reading may go on.
    mutating func take(_ count: Int, now: NIODeadline) -> Bool {
        fill(now)
        let (rest, overflow) = tokens.subtractingReportingOverflow(count)
        tokens = overflow ? .min : rest
        return tokens >= 0
    }

    /// Whether reading may go on.
    mutating func isOpen(now: NIODeadline) -> Bool {
        fill(now)
        return tokens >= 0
    }

    private mutating func fill(_ now: NIODeadline) {
        let nanoseconds = (now - filled).nanoseconds
        guard nanoseconds > 0 else { return }
        // In steps of milliseconds, so that small rates fill up exactly; an hour fills any bucket.
        let milliseconds = min(nanoseconds / 1_000_000, 3_600_000)
        let (product, overflow) = rate.multipliedReportingOverflow(by: Int(milliseconds))
        let gained = overflow ? rate : product / 1000
        guard gained > 0 else { return }
        let (sum, tooMany) = tokens.addingReportingOverflow(gained)
        tokens = tooMany ? rate : min(rate, sum)
        filled = now
    }
}
