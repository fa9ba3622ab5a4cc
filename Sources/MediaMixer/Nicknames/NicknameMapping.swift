internal import Foundation

/// The mapping rules of nicknames (RFC 7700 section 2.1).
///
/// They are applied again until nothing changes any more, and a text with which that doesn't happen is refused
/// (RFC 8266 section 2.1).
enum NicknameMapping {
    private static let mostApplications = 4

    /// Blanks and compatibility characters mapped (RFC 7700 section 2.3).
    static func enforced(_ text: String) -> String? {
        stable(text) { compatible(withPlainBlanks($0)) }
    }

    /// The same without case (section 2.4).
    static func compared(_ text: String) -> String? {
        stable(text) { compatible(withoutCase(withPlainBlanks($0))) }
    }

    private static func stable(_ text: String, _ rules: (String) -> String) -> String? {
        var text = text
        for _ in 0..<mostApplications {
            let mapped = rules(text)
            // Octet for octet: String would find canonical equivalents equal.
            if mapped.utf8.elementsEqual(text.utf8) { return text }
            text = mapped
        }
        return rules(text).utf8.elementsEqual(text.utf8) ? text : nil
    }

    /// Every kind of blank is a space, one at a time, and none at the ends: the additional mapping rule.
    private static func withPlainBlanks(_ text: String) -> String {
        text.unicodeScalars.split { $0.properties.generalCategory == .spaceSeparator }
            .map { String($0) }.joined(separator: " ")
    }

    /// Unicode default case folding: what lower and upper case make of a character after one another, but for the
    /// dotless i, which folds to itself.
    static func withoutCase(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
        var folded = ""
        for scalar in text.unicodeScalars {
            if scalar == "\u{131}" {
                folded.unicodeScalars.append(scalar)
            } else {
                // Lower case first for ẞ, which has no other upper case than itself.
                folded += scalar.properties.lowercaseMapping.uppercasedByScalar.lowercasedByScalar
            }
        }
        return folded
    }

    /// Normalization form KC.
    private static func compatible(_ text: String) -> String {
        text.utf8.allSatisfy { $0 < 0x80 } ? text : text.precomposedStringWithCompatibilityMapping
    }
}

extension String {
    fileprivate var uppercasedByScalar: String { unicodeScalars.map(\.properties.uppercaseMapping).joined() }
    fileprivate var lowercasedByScalar: String { unicodeScalars.map(\.properties.lowercaseMapping).joined() }
}
