import MSRPTransport

/// Counts failed AUTHs by address: who fails too often is refused for a while, on whatever connections it comes.
/// Times are nanoseconds of a monotonic clock.
struct FailureThrottle {
    /// Failures that an address may have at once.
    static let burst: UInt64 = 30
    /// One more after each of these.
    static let interval: UInt64 = 2_000_000_000
    /// Addresses remembered; further ones go uncounted until others are forgotten.
    static let mostAddresses = 10_000

    private struct Key: Hashable {
        let high: UInt32
        let low: UInt32
        let isIPv6: Bool

        /// An IPv6 network of 64 bits is one subscriber's.
        init(_ address: IPAddress) {
            var words: [UInt32] = [0, 0]
            for (index, octet) in address.octets.prefix(8).enumerated() {
                words[index / 4] = words[index / 4] << 8 | UInt32(octet)
            }
            high = words[0]
            low = words[1]
            isIPv6 = address.octets.count > 4
        }
    }

    /// When all failures of an address are forgiven.
    private var forgiven: [Key: UInt64] = [:]
    private var lastSweep: UInt64 = 0

    var count: Int { forgiven.count }

    func isBlocked(_ address: IPAddress, at now: UInt64) -> Bool {
        guard !forgiven.isEmpty, let time = forgiven[Key(address)] else { return false }
        return time > now && time &- now > (Self.burst &- 1) &* Self.interval
    }

    mutating func failed(_ address: IPAddress, at now: UInt64) {
        let key = Key(address)
        if forgiven[key] == nil, forgiven.count >= Self.mostAddresses {
            // At most once an interval: a sweep looks at all addresses.
            if now >= lastSweep, now &- lastSweep >= Self.interval {
                lastSweep = now
                forgiven = forgiven.filter { $0.value > now }
            }
            guard forgiven.count < Self.mostAddresses else { return }
        }
        // An address that goes on failing is not blocked for longer than the burst takes to be forgiven.
        let latest = now &+ Self.burst &* Self.interval
        forgiven[key] = min(max(forgiven[key] ?? 0, now) &+ Self.interval, latest)
    }
}
