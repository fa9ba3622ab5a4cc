#if canImport(Glibc)
    import Glibc
#endif

/// The name of a room: the user and host part of its SIP URI.
///
/// The user part is case-sensitive and held unescaped; the domain is not and is held in lower case
/// (RFC 3261 section 19.1.4), an IPv6 address without its brackets.
package struct RoomAddress: Hashable, Sendable, Codable, CustomStringConvertible {
    package let user: String
    package let domain: String

    /// - Parameter user: the unescaped user part.
    package init(user: String, domain: String) {
        self.user = user
        self.domain = domain.lowercased()
    }

    /// The room's identity as a SIP URI, with the user part escaped where RFC 3261 section 25.1 asks for it.
    package var uri: String {
        var escaped = ""
        for byte in user.utf8 {
            if Self.isUnescaped(byte) {
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits: [Character] = Array("0123456789ABCDEF")
                escaped.append("%")
                escaped.append(digits[Int(byte >> 4)])
                escaped.append(digits[Int(byte & 15)])
            }
        }
        return "sip:\(escaped)@\(domain.contains(":") ? "[\(domain)]" : domain)"
    }

    package var description: String { "\(user)@\(domain)" }

    /// Lower case, no brackets, no final dot, IPv6 in its one shortest form: equal hosts are equal text
    /// (RFC 3261 section 19.1.4; names and addresses stay apart).
    package static func normalized(host: String) -> String {
        var text = host.lowercased()
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        if text.count > 1, text.hasSuffix(".") { text.removeLast() }
        guard text.utf8.contains(UInt8(ascii: ":")) else { return text }
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return text }
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, &address, &buffer, socklen_t(INET6_ADDRSTRLEN)) != nil else { return text }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func isUnescaped(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            // mark and user-unreserved
            "-_.!~*'()&=+$,;?/".utf8.contains(byte)
        }
    }
}
