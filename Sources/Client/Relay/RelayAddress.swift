/// Who a relay's account belongs to: `alice@example.com`.
package struct RelayUser: Sendable, Equatable, CustomStringConvertible {
    package let name: String
    /// The SIP domain, which is also what the relay is looked up by.
    package let domain: String

    /// Nil when it isn't `user@domain`; a `sip:` before it is taken off.
    package init?(_ text: String) {
        var text = text[...]
        for scheme in ["sip:", "sips:"] where text.lowercased().hasPrefix(scheme) {
            text = text.dropFirst(scheme.count)
        }
        guard let at = text.lastIndex(of: "@") else { return nil }
        let (name, domain) = (text[..<at], text[text.index(after: at)...])
        guard !name.isEmpty, name.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }),
            RelayAddress.isHost(domain)
        else { return nil }
        self.name = String(name)
        self.domain = String(domain)
    }

    package var description: String { "\(name)@\(domain)" }
}

/// Where a relay is, as its user writes it: `host[:port]`.
package struct RelayAddress: Sendable, Equatable, CustomStringConvertible {
    /// RFC 4976 section 8.
    package static let defaultPort = 2855

    /// A name or a numeric address, IPv6 without brackets.
    package var host: String
    package var port: Int?

    package init(host: String, port: Int?) {
        self.host = host
        self.port = port
    }

    /// Nil when it is neither `host`, `host:port`, `[address]` nor `[address]:port`.
    package init?(_ text: String) {
        var host = text[...]
        var digits: Substring?
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<close]
            let rest = text[text.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            if !rest.isEmpty { digits = rest.dropFirst() }
            guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
        } else {
            if let colon = text.firstIndex(of: ":") {
                host = text[..<colon]
                digits = text[text.index(after: colon)...]
            }
            guard Self.isHost(host) else { return nil }
        }
        if let digits {
            guard digits.allSatisfy(\.isNumber), let port = Int(digits), (1...65535).contains(port) else { return nil }
            self.port = port
        }
        self.host = String(host)
    }

    package var description: String {
        (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
    }

    static func isHost(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy {
                ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z"))
                    || ($0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z"))
                    || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")) || "-._".utf8.contains($0)
            }
    }
}

/// How a client gets to its relays, and how much it trusts them.
package struct RelayOptions: Sendable {
    package var user: RelayUser
    package var password: String
    /// In a row, the nearest first; empty: the one that the user's domain announces (`_msrps._tcp`).
    package var relays: [RelayAddress]
    package var security: LinkSecurity
    /// Seconds to ask for; nil leaves it to the relay.
    package var expires: Int?

    package init(
        user: RelayUser, password: String, relays: [RelayAddress] = [], security: LinkSecurity = LinkSecurity(),
        expires: Int? = nil
    ) {
        self.user = user
        self.password = password
        self.relays = relays
        self.security = security
        self.expires = expires
    }
}

/// Whether a client's connections use TLS, and whose certificates it takes.
package struct LinkSecurity: Sendable {
    /// False: AUTH and messages go over plain TCP, for relays under test.
    package var usesTLS = true
    /// Whether a server's certificate must be good for its name (RFC 4976 section 9.2).
    package var verifies = true
    /// PEM file of the authorities to trust; nil: those of the operating system.
    package var trustFile: String?

    package init(usesTLS: Bool = true, verifies: Bool = true, trustFile: String? = nil) {
        self.usesTLS = usesTLS
        self.verifies = verifies
        self.trustFile = trustFile
    }
}
