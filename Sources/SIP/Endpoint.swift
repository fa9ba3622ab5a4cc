/// A transport that SIP runs over here. WebSocket is not among them: the library has none.
package enum SIPTransport: String, Sendable, Hashable, CaseIterable {
    case udp, tcp, tls

    /// The port a URI without one means (RFC 3261 section 19.1.2).
    package var defaultPort: Int { self == .tls ? 5061 : 5060 }

    /// Whether the transport is a stream (one connection, reused for requests in both directions).
    package var isStream: Bool { self != .udp }
}

/// A transport address: where a listener stands, or where a packet came from.
package struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    package let transport: SIPTransport
    /// A host name or a literal address; IPv6 is held without brackets.
    package let host: String
    package let port: Int
    /// Of a listener: only peers that show a certificate which `SIPConfiguration.trust` vouches for get in.
    package let isTrusted: Bool

    package init(transport: SIPTransport, host: String, port: Int, isTrusted: Bool = false) {
        self.transport = transport
        self.isTrusted = isTrusted && transport == .tls
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        self.port = port
    }

    /// Parses `udp:127.0.0.1:5060`, `tls:[::1]:5061`, `tls-trusted:192.0.2.1:5063`; without a port the transport's
    /// default is taken.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let name = text[..<colon].lowercased()
        let isTrusted = name == Self.trustedName
        guard let transport = isTrusted ? .tls : SIPTransport(rawValue: name),
            let authority = HostPort(text[text.index(after: colon)...])
        else { return nil }
        self.init(
            transport: transport, host: authority.host, port: authority.port ?? transport.defaultPort,
            isTrusted: isTrusted)
    }

    private static let trustedName = "tls-trusted"

    package var isIPv6: Bool { host.contains(":") }

    /// The host as a URI shows it: IPv6 in brackets.
    package var uriHost: String { isIPv6 ? "[\(host)]" : host }

    /// `host:port`, IPv6 in brackets.
    package var authority: String { "\(uriHost):\(port)" }

    /// Whether the host stands for all addresses of this machine.
    package var isWildcard: Bool { host == "0.0.0.0" || host == "::" || host == "*" }

    /// `udp:127.0.0.1:5060`, what `init(_:)` takes.
    package var description: String { "\(isTrusted ? Self.trustedName : transport.rawValue):\(authority)" }
}

/// `host[:port]` as it stands in URIs and settings.
struct HostPort: Equatable {
    let host: String
    let port: Int?

    init?(_ text: some StringProtocol) {
        let host: Substring
        let rest: Substring
        let text = Substring(text)
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
            guard host.contains(":"), host.utf8.allSatisfy(\.isIPv6Octet) else { return nil }
        } else {
            let end = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<end]
            rest = text[end...]
            guard !host.isEmpty, host.utf8.allSatisfy(\.isHostOctet) else { return nil }
        }
        self.host = String(host)
        if rest.isEmpty {
            port = nil
            return
        }
        let digits = rest.dropFirst()
        guard rest.first == ":", (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy(\.isDigit),
            let number = Int(digits), number <= 65_535
        else { return nil }
        port = number
    }
}

extension UInt8 {
    var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    var isHexDigit: Bool { isDigit || (self | 0x20 >= 0x61 && self | 0x20 <= 0x66) }
    var isLetter: Bool { self | 0x20 >= 0x61 && self | 0x20 <= 0x7a }
    var isHostOctet: Bool { isDigit || isLetter || self == 0x2d || self == 0x2e || self == 0x5f }
    var isIPv6Octet: Bool { isHexDigit || self == 0x3a || self == 0x2e }
    var isBlank: Bool { self == 0x20 || self == 0x09 }
}
