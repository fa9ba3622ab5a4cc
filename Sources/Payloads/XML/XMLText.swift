import CLibXML2

/// Strings as values of XML's types.
enum XMLText {
    static func isBlank(_ octet: UInt8) -> Bool {
        octet == ASCII.space || octet == ASCII.tab || octet == ASCII.lineFeed || octet == ASCII.carriageReturn
    }

    static func trimmed(_ text: String) -> String {
        let octets = text.utf8
        guard let first = octets.first, let last = octets.last, isBlank(first) || isBlank(last) else { return text }
        let start = octets.firstIndex { !isBlank($0) } ?? octets.endIndex
        let end = octets.lastIndex { !isBlank($0) }.map { octets.index(after: $0) } ?? start
        return String(text[start..<end])
    }

    /// The words of an `xs:list`.
    static func words(_ text: String) -> [String] {
        text.utf8.split(whereSeparator: isBlank).compactMap { String($0) }
    }

    static func boolean(_ text: String?) -> Bool? {
        switch text.map(trimmed) {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }

    /// An `xs:unsignedInt`.
    static func number(_ text: String?) -> UInt32? {
        text.flatMap { ASCII.decimal(Array(trimmed($0).utf8)) }.flatMap { UInt32(exactly: $0) }
    }

    /// Appends characters so that an element's content or an attribute's value in double quotes holds them.
    ///
    /// What XML 1.0 has no place for (control characters, U+FFFE, U+FFFF; section 2.2) becomes U+FFFD: a name that
    /// somebody calls himself by must not take the document from all others.
    static func append(_ text: String, isAttribute: Bool, to output: inout [UInt8]) {
        var previous: (UInt8, UInt8) = (0, 0)
        for octet in text.utf8 {
            switch octet {
            case UInt8(ascii: "&"): output += "&amp;".utf8
            case UInt8(ascii: "<"): output += "&lt;".utf8
            case UInt8(ascii: ">"): output += "&gt;".utf8
            case ASCII.quote where isAttribute: output += "&quot;".utf8
            case ASCII.carriageReturn: output += "&#13;".utf8
            case ASCII.lineFeed where isAttribute: output += "&#10;".utf8
            case ASCII.tab where isAttribute: output += "&#9;".utf8
            case ASCII.lineFeed, ASCII.tab: output.append(octet)
            case 0x00..<0x20: output += "\u{FFFD}".utf8
            // EF BF BE and EF BF BF are U+FFFE and U+FFFF; EF BF BD is U+FFFD.
            case 0xBE...0xBF where previous == (0xEF, 0xBF):
                output.append(0xBD)
            default: output.append(octet)
            }
            previous = (previous.1, octet)
        }
    }

    /// A URI as an `xs:anyURI` that validators take: what has no place in one is percent-encoded.
    ///
    /// That goes for the brackets of an IPv6 address in a SIP URI too: RFC 3986 has them behind `//` only, and a
    /// subscriber that validates ignores the whole document for one of them. `literal(_:)` takes it back.
    static func uri(_ text: String) -> String {
        let octets = Array(text.utf8)
        guard !octets.allSatisfy(isPlain) || !hasScheme(octets) else { return text }
        let result = encoded(octets, keepingAuthority: true)
        guard result.firstRange(of: "://") != nil else { return result }
        // The authority has a structure of its own, such as a port that is a number.
        if let parsed = xmlParseURI(result) {
            xmlFreeURI(parsed)
            return result
        }
        return encoded(octets, keepingAuthority: false)
    }

    /// A URI read from a document, its host's brackets as SIP has them.
    static func literal(_ text: String) -> String {
        guard let at = text.utf8.lastIndex(of: UInt8(ascii: "@")) ?? text.utf8.firstIndex(of: UInt8(ascii: ":")),
            case let host = text[text.utf8.index(after: at)...], host.hasPrefix("%5B") || host.hasPrefix("%5b"),
            let end = host.firstRange(of: "%5D") ?? host.firstRange(of: "%5d")
        else { return text }
        let address = host[..<end.lowerBound].dropFirst(3)
        return String(text[..<host.startIndex]) + "[" + address + "]" + host[end.upperBound...]
    }

    private static func encoded(_ octets: [UInt8], keepingAuthority: Bool) -> String {
        let colon = hasScheme(octets) ? octets.firstIndex(of: UInt8(ascii: ":")) : nil
        let rest = octets[(colon.map { $0 + 1 } ?? 0)...]
        let hasAuthority = keepingAuthority && colon != nil && rest.starts(with: "//".utf8)
        let authorityEnd =
            hasAuthority
            ? rest.dropFirst(2).firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? octets.endIndex : 0
        var output: [UInt8] = []
        var hasFragment = false
        for (index, octet) in octets.enumerated() {
            let isKept =
                switch octet {
                case UInt8(ascii: "%"):
                    index + 2 < octets.count && ASCII.hexValue(octets[index + 1]) != nil
                        && ASCII.hexValue(octets[index + 2]) != nil
                case UInt8(ascii: "["), UInt8(ascii: "]"): index < authorityEnd
                case UInt8(ascii: "#"): hasAuthority && !hasFragment
                case UInt8(ascii: ":"): colon != nil
                case UInt8(ascii: "/"): keepingAuthority || index > rest.startIndex
                default: isPlain(octet)
                }
            if octet == UInt8(ascii: "#"), isKept { hasFragment = true }
            if isKept {
                output.append(octet)
            } else {
                let digits = Array("0123456789ABCDEF".utf8)
                output += [UInt8(ascii: "%"), digits[Int(octet >> 4)], digits[Int(octet & 15)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Unreserved and most of the reserved characters of RFC 3986: those that may stand anywhere behind the scheme but
    /// for a slash at its beginning.
    private static func isPlain(_ octet: UInt8) -> Bool {
        if ASCII.isLetter(octet) || ASCII.isDigit(octet) { return true }
        switch octet {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "!"),
            UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="),
            UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "?"):
            return true
        default: return false
        }
    }

    private static func hasScheme(_ octets: [UInt8]) -> Bool {
        guard let first = octets.first, ASCII.isLetter(first),
            let colon = octets.firstIndex(of: UInt8(ascii: ":"))
        else { return false }
        return octets[..<colon].allSatisfy {
            ASCII.isLetter($0) || ASCII.isDigit($0) || $0 == 0x2B || $0 == 0x2D || $0 == 0x2E
        }
    }
}
