/// What offer and answer need of an MSRP URI in a=path (RFC 4975 section 6): the address and whether it names a session.
package struct PathURI: Sendable, Hashable {
    /// The port of a URI without one. SDP demands an explicit port (RFC 4975 section 8.2); peers forget it.
    package static let defaultPort: UInt16 = 2855

    package let isTLS: Bool
    /// A name or an address literal, IPv6 without brackets.
    package let host: String
    package let port: UInt16
    /// Nil for one that names no session.
    package let sessionID: String?

    /// Nil for anything but msrp and msrps URIs over TCP.
    package init?(parsing text: String) {
        let octets = Array(text.utf8)
        // These end up in To-Path lines: nothing may be in them that could end a URI or a line there.
        let forbidden = Array("\"<>\\^`{|}".utf8)
        guard octets.allSatisfy({ ASCII.isVisible($0) && !forbidden.contains($0) }) else { return nil }
        guard let colon = octets.firstIndex(of: UInt8(ascii: ":")), octets[colon...].starts(with: "://".utf8) else {
            return nil
        }
        if ASCII.equalIgnoringCase(octets[..<colon], "msrps".utf8) {
            isTLS = true
        } else if ASCII.equalIgnoringCase(octets[..<colon], "msrp".utf8) {
            isTLS = false
        } else {
            return nil
        }
        let rest = octets[(colon + 3)...]
        guard let semicolon = rest.firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let transport = rest[(semicolon + 1)...].prefix { $0 != UInt8(ascii: ";") }
        guard ASCII.equalIgnoringCase(transport, "tcp".utf8) else { return nil }

        let located = rest[..<semicolon]
        let slash = located.firstIndex(of: UInt8(ascii: "/")) ?? located.endIndex
        let session = slash < located.endIndex ? located[(slash + 1)...] : []
        sessionID = session.isEmpty ? nil : String(decoding: session, as: UTF8.self)

        var authority = located[..<slash]
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) { authority = authority[(at + 1)...] }
        let hostEnd: Int
        if authority.first == UInt8(ascii: "[") {
            guard let bracket = authority.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            hostEnd = bracket + 1
            host = String(decoding: authority[(authority.startIndex + 1)..<bracket], as: UTF8.self)
            guard case .ipv6 = HostAddress(host) else { return nil }
        } else {
            hostEnd = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
            host = String(decoding: authority[..<hostEnd], as: UTF8.self)
            guard !host.isEmpty, host.utf8.allSatisfy(PathURI.isHostName) else { return nil }
        }
        let port = authority[hostEnd...]
        if port.isEmpty {
            self.port = PathURI.defaultPort
        } else {
            guard port.first == UInt8(ascii: ":"),
                let value = ASCII.decimal(port.dropFirst()).flatMap(UInt16.init(exactly:)), value > 0
            else { return nil }
            self.port = value
        }
    }

    private static func isHostName(_ octet: UInt8) -> Bool {
        ASCII.isLetter(octet) || ASCII.isDigit(octet) || octet == UInt8(ascii: "-") || octet == UInt8(ascii: ".")
            || octet == UInt8(ascii: "_")
    }

    /// Whether the c= and m= lines name the same place (RFC 6714 section 4.4); without DNS a name may be any address.
    func matches(_ connection: ConnectionAddress, port: UInt16) -> Bool {
        self.port == port && HostAddress(host).mayEqual(HostAddress(connection.address))
    }
}
