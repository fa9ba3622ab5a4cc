/// Token buckets by source address, in a bounded table. Times are nanoseconds of a monotonic clock.
///
/// Of each bucket only the time is kept at which it is full again, so a bucket that is full need not be kept.
struct SourceThrottle: Sendable {
    /// A look through all sources for what need not be kept is made at most that often.
    private static let sweepInterval: UInt64 = 1_000_000_000

    /// Whom something is counted for: an IPv4 address, or an IPv6 network of 64 bits, which is one subscriber's.
    struct Key: Hashable, Sendable {
        private let network: [UInt8]

        init(_ address: Address) {
            network = address.octets.count == 4 ? address.octets : Array(address.octets.prefix(8))
        }
    }

    private let interval: UInt64
    private let tolerance: UInt64
    /// Sources remembered; at the limit a new one takes the place of some other.
    private let limit: Int
    private var fullAt: [Key: UInt64] = [:]
    private var lastSweep: UInt64 = 0

    /// - Parameter rate: at most that much; 0 a second: no limit.
    init(_ rate: AccessConfiguration.Rate, limit: Int) {
        let isLimited = rate.perSecond > 0 && rate.perSecond.isFinite
        // Between a nanosecond and an hour, so that no sum of these can overflow.
        interval = isLimited ? UInt64(min(max(1e9 / rate.perSecond, 1), 3_600e9)) : 0
        tolerance = interval * UInt64(min(max(rate.burst, 1), 1_000_000) - 1)
        self.limit = max(limit, 1)
    }

    var count: Int { fullAt.count }

    /// Nanoseconds until the next one is allowed; nil: it is now.
    func wait(_ key: Key, at now: UInt64) -> UInt64? {
        guard let full = fullAt[key], full > now, full - now > tolerance else { return nil }
        return full - now - tolerance
    }

    /// Counts one. What is refused is not counted, so who comes back at the allowed rate is served.
    /// - Returns: nanoseconds to wait when it is one too many.
    mutating func take(_ key: Key, at now: UInt64) -> UInt64? {
        guard interval > 0 else { return nil }
        if let wait = wait(key, at: now) { return wait }
        if fullAt[key] == nil { makeRoom(at: now) }
        fullAt[key] = max(fullAt[key] ?? 0, now) + interval
        return nil
    }

    private mutating func makeRoom(at now: UInt64) {
        guard fullAt.count >= limit else { return }
        if now >= lastSweep, now - lastSweep >= Self.sweepInterval {
            lastSweep = now
            fullAt = fullAt.filter { $0.value > now }
        }
        // Whoever it is: among very many sources none can be told to be worse than others.
        if fullAt.count >= limit { fullAt.remove(at: fullAt.startIndex) }
    }
}

/// Whether the SIP thread keeps up: a timer that is late says by how much. Times are nanoseconds of a monotonic clock.
struct LagGauge: Sendable {
    /// How long the timer is set for.
    static let interval: UInt64 = 100_000_000
    /// The thread is watched only when that many requests came since it was last asked: an idle one is not late.
    static let busy = 100

    private var requests = 0
    private var due: UInt64?
    private var lag: UInt64 = 0

    /// - Returns: whether a timer is to be set for `interval` from now.
    mutating func requestCame(at now: UInt64) -> Bool {
        requests &+= 1
        guard due == nil, requests >= Self.busy else { return false }
        requests = 0
        due = now &+ Self.interval
        return true
    }

    /// - Returns: whether the timer is to be set again.
    mutating func timerFired(at now: UInt64) -> Bool {
        lag = due.map { now > $0 ? now - $0 : 0 } ?? 0
        let goesOn = requests >= Self.busy || lag > Self.interval
        requests = 0
        if !goesOn { lag = 0 }
        due = goesOn ? now &+ Self.interval : nil
        return goesOn
    }

    func isLate(by limit: UInt64) -> Bool { lag > limit }
}
