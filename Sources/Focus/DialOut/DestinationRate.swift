/// How often each address and each host is called: so many at once, and then one in each interval.
///
/// For each destination only the time is kept at which its allowance would be whole again, so what has rested long
/// enough is forgotten without a trace.
struct DestinationRate: Sendable {
    private var restored: [String: ContinuousClock.Instant] = [:]

    var count: Int { restored.count }

    /// Takes one call out of a destination's allowance. False when there is none left, or no room to remember it.
    mutating func take(
        _ destination: String, burst: Int, interval: Duration, limit: Int, now: ContinuousClock.Instant
    ) -> Bool {
        guard allows(destination, burst: burst, interval: interval, now: now) else { return false }
        if restored[destination] == nil, restored.count >= limit {
            restored = restored.filter { $0.value > now }
            guard restored.count < limit else { return false }
        }
        restored[destination] = max(restored[destination] ?? now, now) + interval
        return true
    }

    func allows(_ destination: String, burst: Int, interval: Duration, now: ContinuousClock.Instant) -> Bool {
        guard burst > 0 else { return false }
        guard let restored = restored[destination], restored > now else { return true }
        return restored - now <= interval * (burst - 1)
    }
}
