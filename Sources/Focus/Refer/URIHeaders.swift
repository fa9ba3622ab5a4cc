/// The header fields that a SIP URI carries behind its question mark (RFC 3261 section 19.1.1).
struct URIHeaders: Sendable, Equatable {
    /// Fields of a peer's URI that are looked at.
    static let limit = 16

    private let fields: [(name: String, value: String)]

    /// - Parameter text: `name=value&name=value`, escaped; what has no name is left out.
    init(_ text: String?) {
        fields = (text ?? "").split(separator: "&").prefix(Self.limit).compactMap { field in
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.unescaped(parts[0])?.lowercased(), !name.isEmpty,
                let value = Self.unescaped(parts.count > 1 ? parts[1] : "")
            else { return nil }
            return (name, value)
        }
    }

    /// The value of the first field of that name (lower case).
    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// Whether there are several of that name.
    func repeats(_ name: String) -> Bool { fields.count { $0.name == name } > 1 }

    static func == (left: URIHeaders, right: URIHeaders) -> Bool {
        left.fields.elementsEqual(right.fields) { $0 == $1 }
    }

    /// Nil for a broken escape, and for octets that would break out of a header.
    static func unescaped(_ text: some StringProtocol) -> String? {
        var octets: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let octet = iterator.next() {
            guard octet == UInt8(ascii: "%") else {
                octets.append(octet)
                continue
            }
            guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit) else {
                return nil
            }
            octets.append(high << 4 | low)
        }
        guard octets.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
        return String(validating: octets, as: UTF8.self)
    }

    private static func digit(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x30...0x39: octet - 0x30
        case 0x41...0x46: octet - 0x37
        case 0x61...0x66: octet - 0x57
        default: nil
        }
    }
}
