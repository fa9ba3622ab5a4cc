/// A URI as SIP headers carry it (RFC 3261 section 19.1).
///
/// sip and sips URIs are taken apart; of other schemes (tel, mailto, ...) only the scheme and the opaque rest are
/// known.
package struct SIPURI: Sendable, Hashable, CustomStringConvertible {
    /// A `;name=value` or `;name` of a URI or a header.
    package struct Parameter: Sendable, Hashable {
        package let name: String
        package let value: String?

        package init(_ name: String, _ value: String? = nil) {
            self.name = name
            self.value = value
        }
    }

    /// Lower-cased: `sip`, `sips`, `tel`, ...
    package var scheme: String
    /// The user part with its escapes resolved; nil when there is none.
    package var user: String?
    package var password: String?
    /// The host in lower case, IPv6 without brackets; empty for schemes other than sip and sips.
    package var host: String
    package var port: Int?
    package var parameters: [Parameter]
    /// What follows `?`, as written.
    package var headers: String?
    /// What follows the scheme of a URI that is neither sip nor sips, as written.
    package var opaque: String?

    package init(
        scheme: String = "sip", user: String? = nil, host: String, port: Int? = nil, parameters: [Parameter] = []
    ) {
        self.scheme = scheme
        self.user = user
        self.host =
            (host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host).lowercased()
        self.port = port
        self.parameters = parameters
    }

    /// Parses a URI without angle brackets.
    package init?(_ text: some StringProtocol) {
        let text = Substring(text)
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex,
            text[..<colon].utf8.allSatisfy({ $0.isLetter || $0.isDigit || $0 == 0x2b || $0 == 0x2d || $0 == 0x2e })
        else { return nil }
        scheme = text[..<colon].lowercased()
        host = ""
        parameters = []
        var rest = text[text.index(after: colon)...]
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return nil }
        guard scheme == "sip" || scheme == "sips" else {
            guard !rest.isEmpty else { return nil }
            opaque = String(rest)
            return
        }
        // The user part may hold `;` and `?` (RFC 3261 section 25.1, user-unreserved), so look for its end first.
        if let at = rest.firstIndex(of: "@") {
            let userinfo = rest[..<at]
            rest = rest[rest.index(after: at)...]
            let end = userinfo.firstIndex(of: ":") ?? userinfo.endIndex
            guard end != userinfo.startIndex, let user = Escapes.resolve(userinfo[..<end]) else { return nil }
            self.user = user
            if end != userinfo.endIndex {
                guard let password = Escapes.resolve(userinfo[userinfo.index(after: end)...]) else { return nil }
                self.password = password
            }
        }
        if let question = rest.firstIndex(of: "?") {
            headers = String(rest[rest.index(after: question)...])
            rest = rest[..<question]
        }
        let authorityEnd = rest.firstIndex(of: ";") ?? rest.endIndex
        guard let authority = HostPort(rest[..<authorityEnd]) else { return nil }
        host = authority.host.lowercased()
        port = authority.port
        parameters = Parameters.parse(rest[authorityEnd...])
    }

    package var isSIP: Bool { opaque == nil }
    package var isSecure: Bool { scheme == "sips" }

    /// The value of a parameter ("" for one without a value); nil when it is not there. Names ignore case.
    package func parameter(_ name: String) -> String? { Parameters.value(of: name, in: parameters) }

    package var uriHost: String { host.contains(":") ? "[\(host)]" : host }

    /// The URI as it goes on the wire.
    package var description: String {
        if let opaque { return "\(scheme):\(opaque)" }
        var text = "\(scheme):"
        if let user {
            text += Escapes.escapeUser(user)
            if let password { text += ":\(Escapes.escapeUser(password))" }
            text += "@"
        }
        text += uriHost
        if let port { text += ":\(port)" }
        text += Parameters.print(parameters)
        if let headers { text += "?\(headers)" }
        return text
    }
}

/// A name-addr or addr-spec with the header parameters behind it: From, To, Contact, Referred-By, ...
package struct NameAddr: Sendable, Hashable, CustomStringConvertible {
    /// Without its quotes and backslashes; nil when absent or empty.
    package var displayName: String?
    package var uri: SIPURI
    /// The header's parameters (behind the angle brackets).
    package var parameters: [SIPURI.Parameter]

    package init(displayName: String? = nil, uri: SIPURI, parameters: [SIPURI.Parameter] = []) {
        self.displayName = displayName
        self.uri = uri
        self.parameters = parameters
    }

    package var tag: String? { parameter("tag") }

    package func parameter(_ name: String) -> String? { Parameters.value(of: name, in: parameters) }

    package var description: String {
        var text = ""
        if let displayName { text = "\(Quoting.quote(displayName)) " }
        return text + "<\(uri)>" + Parameters.print(parameters)
    }
}
