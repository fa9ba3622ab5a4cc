internal import MediaMixer

/// `alice@example.com`, as an account is named on the command line.
package struct AccountName: Sendable, Hashable, CustomStringConvertible {
    /// Case-sensitive.
    package var username: String
    /// In lower case, an IPv6 address without brackets and in its shortest form: the realm that passwords are hashed with.
    package var domain: String

    package static let longestUsername = 128
    package static let longestDomain = 255

    /// - Throws: what is wrong with the text.
    package init(_ text: String) throws(StoreError) {
        guard let at = text.lastIndex(of: "@") else {
            throw StoreError("'\(text)' is not an account's name; write user@domain, such as alice@example.com")
        }
        let username = text[..<at]
        let domain = RoomAddress.normalized(host: String(text[text.index(after: at)...]))
        guard !username.isEmpty, !domain.isEmpty else {
            throw StoreError("'\(text)' is not an account's name; write user@domain, such as alice@example.com")
        }
        guard username.utf8.count <= Self.longestUsername, domain.utf8.count <= Self.longestDomain else {
            throw StoreError(
                "the name is too long: at most \(Self.longestUsername) bytes before the @ and "
                    + "\(Self.longestDomain) after it")
        }
        // The hash is made of user:realm:password, so a colon in the user would let two accounts have the same one.
        let isBad = { (scalar: Unicode.Scalar) in scalar.value <= 0x20 || scalar.value == 0x7F || scalar == ":" }
        guard !username.unicodeScalars.contains(where: isBad) else {
            throw StoreError("'\(text)': the user part can't have blanks, colons or control characters")
        }
        guard domain.utf8.allSatisfy(Self.isOfDomain) else {
            throw StoreError("'\(text)': a domain has letters, digits, '.' and '-' only (IDNs in their xn-- form)")
        }
        self.username = String(username)
        self.domain = domain
    }

    private static func isOfDomain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        // Addresses are domains too.
        default: ".-_:".utf8.contains(byte)
        }
    }

    package var description: String { "\(username)@\(domain)" }
}
