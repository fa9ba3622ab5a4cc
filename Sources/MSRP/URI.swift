import Glibc

/// An MSRP URI (RFC 4975 sections 6 and 9): one hop, or a session at a host.
package struct URI: Sendable, Hashable, CustomStringConvertible {
    package enum Scheme: String, Sendable {
        case msrp
        /// The connection is protected by TLS.
        case msrps
    }

    package var scheme: Scheme
    package var userinfo: String?
    /// A name or an address; an IPv6 address is kept without its brackets.
    package var host: String
    /// Nil when the URI names none; there is no default port (RFC 4975 section 6).
    package var port: Int?
    package var sessionID: String?
    /// `tcp`, or what another document binds (`ws`, RFC 7977).
    package var transport: String
    /// What follows the transport, in order and as written: `name` or `name=value`.
    package var parameters: [String]

    /// The longest URI taken from a peer, in octets.
    package static let longest = 1024

    package init(
        scheme: Scheme, userinfo: String? = nil, host: String, port: Int?, sessionID: String?,
        transport: String = "tcp", parameters: [String] = []
    ) {
        self.scheme = scheme
        self.userinfo = userinfo
        self.host = host
        self.port = port
        self.sessionID = sessionID
        self.transport = transport
        self.parameters = parameters
    }

    /// Nil when the text is not an MSRP URI: other scheme, no host, no transport, characters outside the grammar.
    package init?(_ string: String) {
        var string = string
        guard let uri = string.withUTF8({ URI(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = uri
    }

    package init?(_ octets: UnsafeRawBufferPointer) {
        guard octets.count <= Self.longest, let separator = octets.firstIndex(of: Octet.colon, from: 0),
            separator + 3 <= octets.count, octets.sub(separator..<separator + 3).equals("://")
        else { return nil }
        let name = octets.sub(0..<separator)
        if name.equalsIgnoringCase("msrp") {
            scheme = .msrp
        } else if name.equalsIgnoringCase("msrps") {
            scheme = .msrps
        } else {
            return nil
        }
        let rest = octets.sub(separator + 3..<octets.count)
        // The session-id has no semicolon in it, so the first one starts the transport.
        guard let semicolon = rest.firstIndex(of: Octet.semicolon, from: 0) else { return nil }
        let target = rest.sub(0..<semicolon)

        var authority = target
        sessionID = nil
        if let slash = target.firstIndex(of: Octet.slash, from: 0) {
            let session = target.sub(slash + 1..<target.count)
            guard !session.isEmpty, session.allSatisfy(Self.isSessionOctet) else { return nil }
            sessionID = String(decoding: session, as: UTF8.self)
            authority = target.sub(0..<slash)
        }

        userinfo = nil
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
            let user = authority.sub(0..<at)
            guard user.allSatisfy({ Self.isHostOctet($0) || $0 == Octet.colon }) else { return nil }
            userinfo = String(decoding: user, as: UTF8.self)
            authority = authority.sub(at + 1..<authority.count)
        }
        guard let (host, port) = Self.hostAndPort(authority) else { return nil }
        self.host = host
        self.port = port

        var parts = rest.sub(semicolon + 1..<rest.count).split(
            separator: Octet.semicolon, omittingEmptySubsequences: false)[...]
        guard let first = parts.popFirst(), !first.isEmpty, first.allSatisfy(Octet.isAlphanumeric) else { return nil }
        transport = String(decoding: first, as: UTF8.self)
        parameters = []
        for part in parts {
            guard part.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
            parameters.append(String(decoding: part, as: UTF8.self))
        }
    }

    /// The part of the session-id after its last slash: what peers behind address rewriting still agree on.
    package var sessionKey: Substring? {
        guard let sessionID else { return nil }
        let octets = sessionID.utf8
        return octets.lastIndex(of: Octet.slash).map { sessionID[octets.index(after: $0)...] } ?? sessionID[...]
    }

    /// Whether two URIs name the same thing (RFC 4975 section 6.1).
    package func isEquivalent(to other: URI) -> Bool {
        scheme == other.scheme && port == other.port && sessionID == other.sessionID
            && transport.lowercased() == other.transport.lowercased() && Self.sameHost(host, other.host)
    }

    package var description: String {
        var text = scheme.rawValue + "://"
        if let userinfo { text += userinfo + "@" }
        text += host.utf8.contains(Octet.colon) ? "[\(host)]" : host
        if let port { text += ":\(port)" }
        if let sessionID { text += "/" + sessionID }
        text += ";" + transport
        for parameter in parameters { text += ";" + parameter }
        return text
    }

    // MARK: Grammar

    private static func hostAndPort(_ authority: UnsafeRawBufferPointer) -> (String, Int?)? {
        var host = authority
        var digits: UnsafeRawBufferPointer?
        if authority.first == UInt8(ascii: "[") {
            guard let close = authority.firstIndex(of: UInt8(ascii: "]"), from: 0) else { return nil }
            host = authority.sub(1..<close)
            guard host.contains(Octet.colon), host.allSatisfy({ Self.isHostOctet($0) || $0 == Octet.colon }) else {
                return nil
            }
            let rest = authority.sub(close + 1..<authority.count)
            if let first = rest.first {
                guard first == Octet.colon else { return nil }
                digits = rest.sub(1..<rest.count)
            }
        } else {
            if let colon = authority.firstIndex(of: Octet.colon, from: 0) {
                host = authority.sub(0..<colon)
                digits = authority.sub(colon + 1..<authority.count)
            }
            guard !host.isEmpty, host.allSatisfy(Self.isHostOctet) else { return nil }
        }
        var port: Int?
        if let digits {
            guard let value = digits.decimal, value <= 65535 else { return nil }
            port = Int(value)
        }
        return (String(decoding: host, as: UTF8.self), port)
    }

    /// unreserved, sub-delims without the semicolon that ends the authority here, and the percent sign.
    private static func isHostOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"),
            UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("),
            UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: "="):
            true
        default:
            Octet.isAlphanumeric(octet)
        }
    }

    private static func isSessionOctet(_ octet: UInt8) -> Bool {
        isHostOctet(octet) || octet == Octet.slash || octet == Octet.colon || octet == UInt8(ascii: "@")
    }

    // MARK: Comparison

    private static func sameHost(_ a: String, _ b: String) -> Bool {
        if a == b { return true }
        let a = normalized(a)
        let b = normalized(b)
        if a == b { return true }
        guard let a = address(a), let b = address(b) else { return false }
        return a == b
    }

    /// Lower case, with percent-encoded unreserved characters decoded (RFC 3986 section 6.2.2.2).
    private static func normalized(_ host: String) -> String {
        var result: [UInt8] = []
        var rest = Array(host.utf8)[...]
        while let octet = rest.popFirst() {
            if octet == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                Octet.isAlphanumeric(value)
                    || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~")].contains(value)
            {
                result.append(Octet.lowercased(value))
                rest = rest.dropFirst(2)
            } else {
                result.append(Octet.lowercased(octet))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func address(_ host: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, host, &bytes) == 1 { return Array(bytes[0..<4]) }
        if inet_pton(AF_INET6, host, &bytes) == 1 { return bytes }
        return nil
    }
}
