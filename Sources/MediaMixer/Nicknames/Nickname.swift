/// A nickname as it is shown, and what tells whether two are the same or look so (RFC 7700).
struct Nickname: Equatable, Sendable {
    /// Octets (RFC 7701 section 7.1).
    static let longest = 1023

    let text: String
    /// Equal for two nicknames that are the same (RFC 7700 section 2.4).
    let key: String
    /// Equal for two nicknames that look the same (RFC 7701 section 7.1: "BOY" and "B0Y").
    let skeleton: String

    /// The value of Use-Nickname, quoted or not; nil when malformed. Empty removes the nickname (RFC 7701 section 7.3).
    init?(header value: String) {
        guard let text = Self.unquoted(value), text.utf8.count <= Self.longest else { return nil }
        if text.isEmpty {
            self.init(text: "", key: "", skeleton: "")
            return
        }
        self.init(enforcing: text)
    }

    /// Prepares and enforces (RFC 7700 sections 2.2 and 2.3); nil for what is no nickname, and for what is empty
    /// afterwards: blanks alone are a name that nobody could see, not none.
    init?(enforcing text: String) {
        guard FreeformClass.contains(text), let enforced = NicknameMapping.enforced(text),
            let key = NicknameMapping.compared(text), !enforced.isEmpty, enforced.utf8.count <= Self.longest
        else { return nil }
        self.init(text: enforced, key: key, skeleton: Confusables.skeleton(of: enforced))
    }

    private init(text: String, key: String, skeleton: String) {
        self.text = text
        self.key = key
        self.skeleton = skeleton
    }

    func isLike(_ other: Nickname) -> Bool { key == other.key || skeleton == other.skeleton }

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
}
