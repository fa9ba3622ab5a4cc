/// A nickname as it is shown, and the key that tells whether two are the same (RFC 7700 section 2).
struct Nickname: Equatable, Sendable {
    /// Octets (RFC 7701 section 7.1).
    static let longest = 1023

    let text: String

    init(text: String) { self.text = text }

    /// The value of Use-Nickname, quoted or not; nil when malformed. Empty removes the nickname (RFC 7701 section 7.3).
    init?(header value: String) {
        guard let text = Self.unquoted(value), text.utf8.count <= Self.longest,
            text.unicodeScalars.allSatisfy(Self.isAllowed)
        else { return nil }
        self.text = Self.withPlainBlanks(text)
        // Blanks alone are a name that nobody could see, not none.
        if self.text.isEmpty, !text.isEmpty { return nil }
    }

    /// Equal for two nicknames that must not be used by different people: case and the wide forms of ASCII don't tell
    /// them apart, nor does the way accents are composed (String compares by canonical equivalence). What else
    /// RFC 7700's NFKC would fold is left apart.
    var key: String {
        var narrow = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isWide = (0xFF01...0xFF5E).contains(scalar.value)
            narrow.append(isWide ? Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar : scalar)
        }
        // Upper case first, so that characters with several lower-case forms meet.
        return String(narrow).uppercased().lowercased()
    }

    private static func unquoted(_ value: String) -> String? {
        guard value.utf8.first == UInt8(ascii: "\"") else { return value }
        guard value.utf8.count >= 2, value.utf8.last == UInt8(ascii: "\"") else { return nil }
        var plain = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in value.unicodeScalars.dropFirst().dropLast() {
            if !isEscaped, scalar == "\\" {
                isEscaped = true
                continue
            }
            if !isEscaped, scalar == "\"" { return nil }
            isEscaped = false
            plain.append(scalar)
        }
        return isEscaped ? nil : String(plain)
    }

    /// The characters of RFC 8264's FreeformClass: nothing that cannot be seen, or is not a character.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        switch properties.generalCategory {
        case .control, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
        default: return !properties.isDefaultIgnorableCodePoint && !properties.isNoncharacterCodePoint
        }
    }

    /// Every kind of blank is a space, one at a time, and none at the ends (RFC 7700 section 2.1).
    private static func withPlainBlanks(_ text: String) -> String {
        text.unicodeScalars.split { $0.properties.generalCategory == .spaceSeparator }
            .map { String($0) }.joined(separator: " ")
    }
}
