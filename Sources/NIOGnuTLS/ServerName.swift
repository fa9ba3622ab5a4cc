import CGnuTLS
import Glibc

/// A host name as server_name carries it (RFC 6066 section 3); addresses are not names.
struct ServerName {
    let name: String

    init?(_ host: String) {
        var name = host[...]
        if name.hasSuffix(".") { name.removeLast() }
        guard !name.isEmpty, name.utf8.count <= 253, IPAddress.octets(of: String(name)) == nil else { return nil }
        self.name = String(name)
    }

    func set(on session: gnutls_session_t) -> Int32 {
        name.withCString { gnutls_server_name_set(session, GNUTLS_NAME_DNS, $0, name.utf8.count) }
    }

    /// What the client asked for.
    static func requested(on session: gnutls_session_t) -> String? {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { bytes in
            var length = bytes.count
            var type: UInt32 = 0
            guard gnutls_server_name_get(session, bytes.baseAddress, &length, &type, 0) == 0, length <= bytes.count
            else {
                return nil
            }
            return String(decoding: bytes.prefix(length), as: UTF8.self)
        }
    }
}

/// Addresses in text, as certificates and server_name tell them from names.
enum IPAddress {
    /// 4 or 16 octets; brackets around IPv6 are allowed.
    static func octets(of text: String) -> [UInt8]? {
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 { return withUnsafeBytes(of: v4) { Array($0) } }
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        var v6 = in6_addr()
        if inet_pton(AF_INET6, bare, &v6) == 1 { return withUnsafeBytes(of: v6) { Array($0) } }
        return nil
    }
}
