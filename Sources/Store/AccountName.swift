#if canImport(Glibc)
    internal import Glibc
#endif

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
        let domain = Self.normalized(String(text[text.index(after: at)...]))
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

    /// As domains are compared and served (RFC 3261 section 19.1.4).
    private static func normalized(_ domain: String) -> String {
        var text = domain.lowercased()
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        if text.count > 1, text.hasSuffix(".") { text.removeLast() }
        guard text.utf8.contains(UInt8(ascii: ":")) else { return text }
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return text }
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, &address, &buffer, socklen_t(INET6_ADDRSTRLEN)) != nil else { return text }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
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
