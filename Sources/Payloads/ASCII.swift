/// The few operations on octets that the text formats here share. Octets rather than `Character`s: these
/// formats are defined on octets, and "\r\n" is one `Character`.
enum ASCII {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")

    static func isDigit(_ octet: UInt8) -> Bool { octet >= 0x30 && octet <= 0x39 }

    static func isLetter(_ octet: UInt8) -> Bool { (octet | 0x20) >= 0x61 && (octet | 0x20) <= 0x7A }

    static func isBlank(_ octet: UInt8) -> Bool { octet == space || octet == tab }

    /// Visible US-ASCII, the space not included.
    static func isVisible(_ octet: UInt8) -> Bool { octet > 0x20 && octet < 0x7F }

    static func lowercased(_ octet: UInt8) -> UInt8 { octet >= 0x41 && octet <= 0x5A ? octet | 0x20 : octet }

    static func hexValue(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x30...0x39: octet - 0x30
        case 0x41...0x46: octet - 0x41 + 10
        case 0x61...0x66: octet - 0x61 + 10
        default: nil
        }
    }

    /// The characters of a token: RFC 8866 section 9 and RFC 2045 section 5.1 agree but for the brackets and braces.
    static func isToken(_ octet: UInt8) -> Bool {
        switch octet {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "@"),
            UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"), backslash, quote, UInt8(ascii: "/"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "?"), UInt8(ascii: "="):
            false
        default: isVisible(octet)
        }
    }

    static func isToken(_ octets: some Collection<UInt8>) -> Bool { !octets.isEmpty && octets.allSatisfy(isToken) }

    static func equalIgnoringCase(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Bool {
        left.elementsEqual(right) { lowercased($0) == lowercased($1) }
    }

    static func equalIgnoringCase(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
        equalIgnoringCase(left.utf8, right.utf8)
    }

    static func lowercased(_ text: some StringProtocol) -> String {
        String(decoding: text.utf8.map { lowercased($0) }, as: UTF8.self)
    }

    static func trimmed(_ octets: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = octets
        while let first = rest.first, isBlank(first) { rest.removeFirst() }
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return rest
    }

    /// A decimal number of at least one digit and nothing else; nil when it does not fit.
    static func decimal(_ octets: some Collection<UInt8>) -> UInt64? {
        guard !octets.isEmpty else { return nil }
        var value: UInt64 = 0
        for octet in octets {
            guard isDigit(octet) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(octet - 0x30))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// The words of a line: what stands between runs of blanks.
    static func words(_ octets: some Collection<UInt8>) -> [String] {
        octets.split(whereSeparator: isBlank).map { String(decoding: $0, as: UTF8.self) }
    }
}
