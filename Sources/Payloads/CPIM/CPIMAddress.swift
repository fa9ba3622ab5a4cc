/// `Name <uri>` in From, To and cc (RFC 3862 section 4.1).
package struct CPIMAddress: Sendable, Hashable {
    package var displayName: String?
    package var uri: String

    package init(displayName: String? = nil, uri: String) {
        self.displayName = displayName
        self.uri = uri
    }

    /// The name may be quoted, escaped, or neither, the brackets may be missing; but there may be only one URI, since
    /// another reader might choose the other one.
    package init?(parsing octets: ArraySlice<UInt8>) {
        var rest = ASCII.trimmed(octets)
        var name: ArraySlice<UInt8> = []
        if rest.first == ASCII.quote {
            var index = rest.startIndex + 1
            while index < rest.endIndex, rest[index] != ASCII.quote {
                index += rest[index] == ASCII.backslash ? 2 : 1
            }
            guard index < rest.endIndex else { return nil }
            name = rest[(rest.startIndex + 1)..<index]
            rest = ASCII.trimmed(rest[(index + 1)...])
            guard rest.first == UInt8(ascii: "<") else { return nil }
        } else if let open = rest.firstIndex(of: UInt8(ascii: "<")) {
            name = ASCII.trimmed(rest[..<open])
            rest = rest[open...]
        }
        if rest.first == UInt8(ascii: "<") {
            guard rest.last == UInt8(ascii: ">") else { return nil }
            rest = rest.dropFirst().dropLast()
        }
        guard rest.contains(UInt8(ascii: ":")), rest.first != UInt8(ascii: ":"),
            rest.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !CPIMAddress.ends(uri: $0) })
        else { return nil }
        let text = CPIMEscape.unescaped(name)
        displayName = text.isEmpty ? nil : text
        uri = String(decoding: rest, as: UTF8.self)
    }

    private static func ends(uri octet: UInt8) -> Bool {
        octet == UInt8(ascii: "<") || octet == UInt8(ascii: ">") || octet == ASCII.quote
    }

    /// The header value: the name as words where they are tokens, else as a quoted string.
    package var value: String {
        let bracketed = "<\(CPIMAddress.safe(uri))>"
        guard let displayName, !displayName.isEmpty else { return bracketed }
        let words = displayName.utf8.split(separator: ASCII.space, omittingEmptySubsequences: false)
        let isTokens = words.allSatisfy { word in !word.isEmpty && word.allSatisfy(CPIMAddress.isTokenOctet) }
        return isTokens
            ? "\(displayName) \(bracketed)" : "\"\(CPIMEscape.escaped(displayName, quoted: true))\" \(bracketed)"
    }

    private static func isTokenOctet(_ octet: UInt8) -> Bool {
        octet >= 0x80 || ASCII.isToken(octet) && octet != UInt8(ascii: "{") && octet != UInt8(ascii: "}")
    }

    /// What would end the URI or the line is percent-encoded.
    private static func safe(_ uri: String) -> String {
        guard !uri.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !ends(uri: $0) }) else { return uri }
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        for octet in uri.utf8 {
            if octet > 0x20, octet != 0x7F, !ends(uri: octet) {
                output.append(octet)
            } else {
                output += [UInt8(ascii: "%"), digits[Int(octet >> 4)], digits[Int(octet & 15)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
