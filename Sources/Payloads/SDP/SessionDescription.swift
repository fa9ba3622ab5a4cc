/// A session description (RFC 8866), parsed and printed without loss: order, unknown lines and unknown attributes are
/// kept; only line ends become CRLF.
package struct SessionDescription: Sendable, Hashable {
    /// The session-level lines, v= first.
    package var lines: [SDPLine]
    package var media: [MediaDescription]

    package init(lines: [SDPLine], media: [MediaDescription]) {
        self.lines = lines
        self.media = media
    }

    /// - Throws: `SDPError` for octets that are no session description.
    package init(parsing octets: some Collection<UInt8>, limits: SDPLimits = SDPLimits()) throws(SDPError) {
        self = try SDPParser.parse(octets, limits: limits)
    }

    /// The octets to send, every line ended by CRLF.
    package func serialized() -> [UInt8] {
        var output: [UInt8] = []
        func append(_ line: SDPLine) {
            output.append(line.type)
            output.append(UInt8(ascii: "="))
            output.append(contentsOf: line.octets)
            output.append(ASCII.carriageReturn)
            output.append(ASCII.lineFeed)
        }
        for line in lines { append(line) }
        for medium in media {
            append(medium.mediaLine)
            for line in medium.lines { append(line) }
        }
        return output
    }

    /// The value of the first session-level line of a type.
    package func first(_ type: Unicode.Scalar) -> String? { lines.first { $0.is(type) }?.value }

    package var origin: Origin? { first("o").flatMap(Origin.init(parsing:)) }

    /// The c= line that holds for an m= line: its own, else the session's (RFC 8866 section 5.7).
    package func connection(of medium: MediaDescription) -> ConnectionAddress? {
        let line = medium.lines.first { $0.is("c") } ?? lines.first { $0.is("c") }
        return line.flatMap { ConnectionAddress(parsing: $0.value) }
    }

    /// The direction that holds for an m= line, from its sender's point of view (RFC 3264 section 5.1: sendrecv when
    /// nothing is said).
    package func direction(of medium: MediaDescription) -> Direction {
        Direction(in: medium.lines) ?? Direction(in: lines) ?? .sendrecv
    }

    /// The a=setup that holds for an m= line (RFC 4145 section 4: session or media level). holdconn, and what we do
    /// not know, count as absent (RFC 6135 section 4.2.1).
    package func setup(of medium: MediaDescription) -> Setup? {
        (medium.attribute("setup") ?? lines.attribute("setup")).flatMap(Setup.init(parsing:))
    }
}

/// The o= line (RFC 8866 section 5.2). The numbers stay text: they may be of any length.
package struct Origin: Sendable, Hashable {
    package var username: String
    package var sessionID: String
    package var version: String
    package var networkType: String
    package var addressType: String
    package var address: String

    package init(
        username: String, sessionID: String, version: String, networkType: String, addressType: String, address: String
    ) {
        self.username = username
        self.sessionID = sessionID
        self.version = version
        self.networkType = networkType
        self.addressType = addressType
        self.address = address
    }

    package init?(parsing value: String) {
        let words = ASCII.words(value.utf8)
        guard words.count == 6, words[1].utf8.allSatisfy(ASCII.isDigit), words[2].utf8.allSatisfy(ASCII.isDigit) else {
            return nil
        }
        self.init(
            username: words[0], sessionID: words[1], version: words[2], networkType: words[3], addressType: words[4],
            address: words[5])
    }

    package var value: String { "\(username) \(sessionID) \(version) \(networkType) \(addressType) \(address)" }
}

/// The c= line (RFC 8866 section 5.7).
package struct ConnectionAddress: Sendable, Hashable {
    package var networkType: String
    package var addressType: String
    /// An address literal or a name, without TTL.
    package var address: String

    package init(networkType: String = "IN", addressType: String, address: String) {
        self.networkType = networkType
        self.addressType = addressType
        self.address = address
    }

    /// The c= line for a host of ours: IP6 for an IPv6 literal, else IP4 (names too).
    package init(host: String) {
        self.init(addressType: host.utf8.contains(UInt8(ascii: ":")) ? "IP6" : "IP4", address: host)
    }

    package init?(parsing value: String) {
        let words = ASCII.words(value.utf8)
        guard words.count == 3 else { return nil }
        let address = words[2].utf8.prefix { $0 != UInt8(ascii: "/") }
        guard !address.isEmpty else { return nil }
        self.init(networkType: words[0], addressType: words[1], address: String(decoding: address, as: UTF8.self))
    }

    package var value: String { "\(networkType) \(addressType) \(address)" }
}
