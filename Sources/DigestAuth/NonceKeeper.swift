import Glibc

/// The nonces issued on one connection: which may still be used, and how often each was.
///
/// A nonce is 128 random bits and says nothing; it is good on the connection it was issued on alone, so that an
/// Authorization seen elsewhere is of no use. Times are nanoseconds of any monotonic clock.
package struct NonceKeeper: Sendable {
    private struct Entry: Sendable {
        let nonce: Nonce
        let deadline: UInt64
        /// The highest nonce count used; 0: none.
        var count: UInt32 = 0
    }

    private var entries: [Entry] = []
    /// Nonces kept; the oldest is forgotten for a new one.
    package var limit: Int
    private var source: NonceSource

    /// - Parameter limit: nonces kept; the oldest is forgotten for a new one.
    package init(limit: Int, source: NonceSource = .system) {
        self.limit = limit
        self.source = source
    }

    package var count: Int { entries.count }

    /// A new nonce.
    /// - Parameter lifetime: nanoseconds.
    package mutating func issue(lifetime: UInt64, at now: UInt64) -> String {
        entries.removeAll { $0.deadline <= now }
        if entries.count >= max(limit, 1) { entries.removeFirst(entries.count - max(limit, 1) + 1) }
        let nonce = source.next()
        let (deadline, overflow) = now.addingReportingOverflow(lifetime)
        entries.append(Entry(nonce: nonce, deadline: overflow ? .max : deadline))
        return nonce.text
    }

    /// Whether a nonce may be used with this count.
    package func judge(_ nonce: String, count: UInt32, at now: UInt64) -> NonceState {
        guard let nonce = Nonce(text: nonce), let entry = entries.first(where: { $0.nonce == nonce }) else {
            return .unknown
        }
        if entry.deadline <= now { return .expired }
        return count > entry.count ? .fresh : .replayed
    }

    /// The nonce was used with this count, which from now on may not be used again, nor a lower one
    /// (RFC 7616 section 3.4, nc).
    package mutating func use(_ nonce: String, count: UInt32) {
        guard let nonce = Nonce(text: nonce), let index = entries.firstIndex(where: { $0.nonce == nonce }) else {
            return
        }
        entries[index].count = max(entries[index].count, count)
    }
}

/// What is to be thought of a nonce that a client used.
package enum NonceState: Sendable, Equatable {
    case fresh
    case expired
    /// Its count was used already.
    case replayed
    /// Not issued here, or forgotten since.
    case unknown
}

/// 128 bits, written as 32 hexadecimal digits.
struct Nonce: Sendable, Equatable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    init?(text: String) {
        let digits = text.utf8
        guard digits.count == 32 else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        for digit in digits {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit &- UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit &- UInt8(ascii: "a") &+ 10
            default: return nil
            }
            halves.0 = halves.0 << 4 | halves.1 >> 60
            halves.1 = halves.1 << 4 | UInt64(value)
        }
        self.init(high: halves.0, low: halves.1)
    }

    var text: String {
        String(unsafeUninitializedCapacity: 32) { digits in
            var (high, low) = (high, low)
            for index in 0..<16 {
                digits[15 - index] = Self.digit(high & 15)
                digits[31 - index] = Self.digit(low & 15)
                high >>= 4
                low >>= 4
            }
            return 32
        }
    }

    private static func digit(_ value: UInt64) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: value)
        return value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ value &- 10
    }
}

/// Where nonces come from.
package enum NonceSource: Sendable, Equatable {
    /// The system's random numbers.
    case system
    /// For tests: consecutive numbers.
    case sequence(UInt64)

    mutating func next() -> Nonce {
        switch self {
        case .system:
            // Both halves in one call to the system; the generator makes one for each.
            var halves: (UInt64, UInt64) = (0, 0)
            if withUnsafeMutableBytes(of: &halves, { getentropy($0.baseAddress, $0.count) }) != 0 {
                var generator = SystemRandomNumberGenerator()
                halves = (generator.next(), generator.next())
            }
            return Nonce(high: halves.0, low: halves.1)
        case .sequence(let value):
            self = .sequence(value &+ 1)
            return Nonce(high: 0, low: value)
        }
    }

    /// A value of 32 hexadecimal digits, for what else must not be guessed.
    package mutating func text() -> String { next().text }
}
