/// The escapes of CPIM headers (RFC 3862 section 2.3).
package enum CPIMEscape {
    /// What must be escaped, and nothing else: the backslash and control characters, and the double quote inside a
    /// quoted string (section 2.3.1).
    package static func escaped(_ text: String, quoted: Bool = false) -> String {
        var output: [UInt8] = []
        for octet in text.utf8 {
            if octet == ASCII.backslash || quoted && octet == ASCII.quote {
                output += [ASCII.backslash, octet]
            } else {
                append(octet, to: &output)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends an octet, as an escape when it is a control character.
    static func append(_ octet: UInt8, to output: inout [UInt8]) {
        let letter: UInt8
        switch octet {
        case 0x08: letter = UInt8(ascii: "b")
        case ASCII.tab: letter = UInt8(ascii: "t")
        case ASCII.lineFeed: letter = UInt8(ascii: "n")
        case ASCII.carriageReturn: letter = UInt8(ascii: "r")
        case 0..<0x20, 0x7F:
            let digits = Array("0123456789abcdef".utf8)
            output += Array("\\u00".utf8) + [digits[Int(octet >> 4)], digits[Int(octet & 15)]]
            return
        default:
            output.append(octet)
            return
        }
        output += [ASCII.backslash, letter]
    }

    /// Reads every escape; an unknown one stands for the character after the backslash, and a backslash at the end for
    /// nothing (section 2.3.1). Escapes are UCS-2: pairs of surrogates are joined, single ones replaced.
    package static func unescaped(_ octets: ArraySlice<UInt8>) -> String {
        guard octets.contains(ASCII.backslash) else { return String(decoding: octets, as: UTF8.self) }
        var output: [UInt8] = []
        var index = octets.startIndex
        while index < octets.endIndex {
            let octet = octets[index]
            index += 1
            guard octet == ASCII.backslash else {
                output.append(octet)
                continue
            }
            guard index < octets.endIndex else { break }
            let letter = octets[index]
            index += 1
            switch letter {
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "t"): output.append(ASCII.tab)
            case UInt8(ascii: "n"): output.append(ASCII.lineFeed)
            case UInt8(ascii: "r"): output.append(ASCII.carriageReturn)
            case UInt8(ascii: "u"):
                guard let unit = codeUnit(octets[index...]) else {
                    output.append(letter)
                    continue
                }
                index += 4
                var units = [unit]
                if UTF16.isLeadSurrogate(unit), octets[index...].starts(with: "\\u".utf8),
                    let trail = codeUnit(octets[(index + 2)...]), UTF16.isTrailSurrogate(trail)
                {
                    units.append(trail)
                    index += 6
                }
                output += Array(String(decoding: units, as: UTF16.self).utf8)
            default: output.append(letter)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func codeUnit(_ octets: ArraySlice<UInt8>) -> UInt16? {
        guard octets.count >= 4 else { return nil }
        var unit: UInt16 = 0
        for octet in octets.prefix(4) {
            guard let digit = ASCII.hexValue(octet) else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
