package import NIOCore

/// The name of a transaction, in its start line and its end-line (RFC 4975 section 7.1).
///
/// Peers send 1 to 64 characters, though the grammar wants 4 to 32. The characters are held in place, so
/// that copying and comparing cost no allocation.
package struct TransactionID: Sendable, Hashable, CustomStringConvertible {
    /// The longest identifier taken from a peer.
    package static let longest = 64

    private var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    package private(set) var count: Int

    /// An identifier of ours: 16 lower-case hexadecimal digits.
    package init(_ value: UInt64) {
        let (high, low) = Hexadecimal.digits(of: value)
        words = (high, low, 0, 0, 0, 0, 0, 0)
        count = 16
    }

    /// An identifier as a peer sent it, or nil when it is empty, too long or has a character that cannot
    /// stand in a start line (anything but visible ASCII).
    package init?(_ octets: UnsafeRawBufferPointer) {
        guard !octets.isEmpty, octets.count <= Self.longest, octets.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        words = (0, 0, 0, 0, 0, 0, 0, 0)
        count = octets.count
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: octets) }
    }

    package init?(_ string: String) {
        var string = string
        guard let value = string.withUTF8({ TransactionID(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = value
    }

    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        Swift.withUnsafeBytes(of: words) { body(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }

    /// The number behind an identifier of ours; nil for any other form.
    package var value: UInt64? {
        count == 16 ? Hexadecimal.value(high: words.0, low: words.1) : nil
    }

    package var description: String {
        withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    package static func == (a: TransactionID, b: TransactionID) -> Bool {
        a.count == b.count && a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2
            && a.words.3 == b.words.3 && a.words.4 == b.words.4 && a.words.5 == b.words.5 && a.words.6 == b.words.6
            && a.words.7 == b.words.7
    }

    package func hash(into hasher: inout Hasher) {
        withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

/// Sixteen hexadecimal digits as two words in memory order, made and read without a loop.
enum Hexadecimal {
    /// The first eight digits and the last eight, ready to be stored as they are.
    static func digits(of value: UInt64) -> (high: UInt64, low: UInt64) {
        (eightDigits(UInt32(truncatingIfNeeded: value >> 32)), eightDigits(UInt32(truncatingIfNeeded: value)))
    }

    static func value(high: UInt64, low: UInt64) -> UInt64? {
        guard let upper = eightNibbles(high), let lower = eightNibbles(low) else { return nil }
        return UInt64(upper) << 32 | UInt64(lower)
    }

    private static func eightDigits(_ value: UInt32) -> UInt64 {
        // Spread the eight nibbles to eight octets, the most significant nibble in the highest octet.
        var x = UInt64(value)
        x = (x | x << 16) & 0x0000_FFFF_0000_FFFF
        x = (x | x << 8) & 0x00FF_00FF_00FF_00FF
        x = (x | x << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // An octet of ten or more carries into bit 4 when 6 is added; letters lie 0x27 above the digits.
        let letters = ((x &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        return (x &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).bigEndian
    }

    private static func eightNibbles(_ digits: UInt64) -> UInt32? {
        var value: UInt32 = 0
        var rest = UInt64(bigEndian: digits)
        for _ in 0..<8 {
            rest = rest << 8 | rest >> 56
            let octet = UInt8(truncatingIfNeeded: rest)
            switch octet {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(octet &- UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(octet &- UInt8(ascii: "a") &+ 10)
            default: return nil
            }
        }
        return value
    }
}

/// Where transaction and message identifiers of ours come from: 64 random bits each (RFC 4975 section 7.1).
package struct IDGenerator: Sendable {
    private enum Source: Sendable {
        case system
        case sequence(UInt64)
    }
    private var source: Source

    /// Identifiers from the system's random numbers.
    package init() { source = .system }

    /// For tests: consecutive numbers.
    package init(sequenceFrom first: UInt64) { source = .sequence(first) }

    package mutating func next() -> UInt64 {
        switch source {
        case .system:
            return UInt64.random(in: .min ... .max)
        case .sequence(let value):
            source = .sequence(value &+ 1)
            return value
        }
    }

    /// An identifier whose end-line does not occur in `body` (RFC 4975 section 7.1).
    package mutating func next(avoiding body: ByteBuffer) -> UInt64 {
        while true {
            let candidate = next()
            if !EndLineSearch.contains(endLineOf: TransactionID(candidate), in: body) { return candidate }
        }
    }
}
