/// One of the event loops that share the work of a process, and what belongs to it: session-ids and the numbers of
/// members and transfers say by themselves whose they are, so nobody has to be asked.
package struct LoopPlace: Sendable, Equatable {
    /// The most loops; a session-id's first octet names one.
    package static let most = 64

    /// The only one there is.
    package static let only = LoopPlace(index: 0, count: 1)

    /// From 0; the first one has the listeners, AUTH and the relay.
    package let index: Int
    package let count: Int

    /// - Parameters:
    ///   - index: brought to 0 to `count` - 1.
    ///   - count: brought to 1 to `most`.
    package init(index: Int, count: Int) {
        self.count = min(max(count, 1), Self.most)
        self.index = min(max(index, 0), self.count - 1)
    }

    /// The number of the `serial`th thing that this loop makes; other loops make others.
    package func number(_ serial: UInt64) -> UInt64 {
        serial &* UInt64(truncatingIfNeeded: count) &+ UInt64(truncatingIfNeeded: index)
    }

    /// The loop that made the thing with this number.
    package static func index(ofNumber number: UInt64, count: Int) -> Int {
        count > 1 ? Int(truncatingIfNeeded: number % UInt64(truncatingIfNeeded: count)) : 0
    }

    /// Makes a random octet one that names this loop. With one loop every octet does.
    func mark(_ octet: UInt8) -> UInt8 {
        guard count > 1 else { return octet }
        let first = Int(octet) - Int(octet) % count
        return UInt8(truncatingIfNeeded: first + index < 256 ? first + index : first - count + index)
    }

    /// The loop that a session-id names; nil for one that none of ours can be.
    package func owner(of session: SessionID) -> Int? {
        guard session.text.utf8.count == SessionID.digits else { return nil }
        var first: UInt8 = 0
        for (position, digit) in session.text.utf8.enumerated() {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            if position < 2 { first = first << 4 | value }
        }
        return Int(first) % count
    }
}
