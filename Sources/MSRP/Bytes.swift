import Glibc
import NIOCore

/// The octets of the MSRP grammar (RFC 4975 section 9) that the code names.
enum Octet {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let hyphen = UInt8(ascii: "-")
    static let colon = UInt8(ascii: ":")
    static let slash = UInt8(ascii: "/")
    static let semicolon = UInt8(ascii: ";")
    static let star = UInt8(ascii: "*")
    static let zero = UInt8(ascii: "0")
    static let nine = UInt8(ascii: "9")

    static func isDigit(_ octet: UInt8) -> Bool { octet >= zero && octet <= nine }

    static func lowercased(_ octet: UInt8) -> UInt8 {
        octet >= UInt8(ascii: "A") && octet <= UInt8(ascii: "Z") ? octet | 0x20 : octet
    }

    static func isAlphanumeric(_ octet: UInt8) -> Bool {
        isDigit(octet) || (lowercased(octet) >= UInt8(ascii: "a") && lowercased(octet) <= UInt8(ascii: "z"))
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the octets are exactly those of a literal.
    func equals(_ literal: StaticString) -> Bool {
        count == literal.utf8CodeUnitCount && starts(with: literal)
    }

    func starts(with literal: StaticString) -> Bool {
        guard count >= literal.utf8CodeUnitCount, let base = baseAddress else { return literal.utf8CodeUnitCount == 0 }
        return memcmp(base, literal.utf8Start, literal.utf8CodeUnitCount) == 0
    }

    func equals(_ octets: [UInt8]) -> Bool {
        octets.withUnsafeBytes { other in
            guard let a = baseAddress, let b = other.baseAddress else { return count == other.count }
            return count == other.count && memcmp(a, b, count) == 0
        }
    }

    /// ASCII letters compare without case, everything else exactly.
    func equalsIgnoringCase(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where Octet.lowercased(self[index]) != Octet.lowercased(other[index]) { return false }
        return true
    }

    func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        equalsIgnoringCase(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    func sub(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[range])
    }

    /// The value of a string of decimal digits, or nil when there is anything else in it or it does not
    /// fit: the peer chooses how many digits it sends.
    var decimal: UInt64? {
        guard !isEmpty else { return nil }
        var value: UInt64 = 0
        for octet in self {
            guard Octet.isDigit(octet) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(octet &- Octet.zero))
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }

    /// The index of an octet at or after `start`.
    func firstIndex(of octet: UInt8, from start: Int) -> Int? {
        guard let base = baseAddress, start < count else { return nil }
        guard let found = memchr(base + start, Int32(octet), count - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }
}

extension ByteBuffer {
    mutating func write(_ literal: StaticString) {
        writeBytes(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    mutating func write(decimal value: UInt64) {
        // 20 digits hold UInt64.max.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var index = 20
            var rest = value
            repeat {
                index -= 1
                digits[index] = Octet.zero &+ UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[index..<20]))
        }
    }
}
