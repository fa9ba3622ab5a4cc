/// One line of a session description, `<type>=<value>` (RFC 8866 section 5). The value is kept as octets, because a
/// description may use another character set than UTF-8 (RFC 8866 section 6.10) and must survive unharmed.
package struct SDPLine: Sendable, Hashable {
    /// The case-significant type letter.
    package var type: UInt8
    package var octets: [UInt8]

    package init(type: UInt8, octets: [UInt8]) {
        self.type = type
        self.octets = octets
    }

    package init(_ type: Unicode.Scalar, _ value: String) {
        self.init(type: UInt8(ascii: type), octets: Array(value.utf8))
    }

    /// The value as text, with octets that are not UTF-8 replaced.
    package var value: String { String(decoding: octets, as: UTF8.self) }

    package func `is`(_ type: Unicode.Scalar) -> Bool { self.type == UInt8(ascii: type) }

    /// An `a=` line with or without a value (RFC 8866 section 5.13).
    package static func attribute(_ name: String, _ value: String? = nil) -> SDPLine {
        SDPLine("a", value.map { "\(name):\($0)" } ?? name)
    }

    /// The attribute's name when this is an `a=` line. Names are case-sensitive (RFC 8866 section 9).
    package var attributeName: String? {
        guard self.is("a") else { return nil }
        return String(decoding: octets.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)
    }

    /// What follows the colon of an `a=` line; nil for a property attribute.
    package var attributeValue: String? {
        guard self.is("a"), let colon = octets.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        return String(decoding: octets[(colon + 1)...], as: UTF8.self)
    }

    func isAttribute(_ name: String) -> Bool {
        guard self.is("a") else { return false }
        let bytes = name.utf8
        guard octets.count >= bytes.count, octets.prefix(bytes.count).elementsEqual(bytes) else { return false }
        return octets.count == bytes.count || octets[bytes.count] == UInt8(ascii: ":")
    }
}

/// Why octets are not a session description. The SIP answer to all of these is 400 (RFC 3261 section 21.4.1).
package enum SDPError: Error, Sendable, Hashable {
    /// More octets than `SDPLimits.octets`.
    case tooLong
    /// More lines than `SDPLimits.lines`.
    case tooManyLines
    /// More m= lines than `SDPLimits.media`.
    case tooManyMedia
    /// A line that is not `<letter>=<value>`, counted from 1.
    case malformedLine(Int)
    /// The first line is not v=0.
    case unsupportedVersion
    /// No o= line before the first m= line, or one that does not have its six fields.
    case malformedOrigin
    /// An m= line without its four fields, or with a port that is no port.
    case malformedMedia(line: Int)
    /// A c= line without its three fields.
    case malformedConnection(line: Int)
    /// A t= line that is not two numbers.
    case malformedTime(line: Int)
}

/// What a peer's session description may cost.
package struct SDPLimits: Sendable {
    /// Octets of a whole description.
    package var octets: Int
    /// Lines of a whole description.
    package var lines: Int
    /// m= lines.
    package var media: Int

    package init(octets: Int = 65_536, lines: Int = 2_000, media: Int = 32) {
        self.octets = octets
        self.lines = lines
        self.media = media
    }
}
