/// A URI by which a participant is known, in a form that can be compared.
///
/// - sip, sips, im and pres name the same participant here (RFC 3261 section 19.1.4, RFC 3860): the scheme says how to
///   reach somebody, not who it is.
/// - The user part is compared unescaped and with case, the host without case.
/// - Of the parameters only user, ttl, method and maddr must agree; others count when both have them.
/// - tel numbers are compared without visual separators (RFC 3966 section 5).
struct ParticipantURI: Hashable, Sendable {
    private let scheme: String
    let user: String
    let host: String
    private let port: String
    /// Sorted `name=value`, lower case; of those that must agree.
    private let parameters: [String]

    init(_ text: String) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            self.init(scheme: "", user: text, host: "", port: "", parameters: [])
            return
        }
        let scheme = text[..<colon].lowercased()
        let rest = text[text.utf8.index(after: colon)...]
        switch scheme {
        case "sip", "sips", "im", "pres": self.init(address: rest)
        case "tel": self.init(number: rest)
        // The scheme without case, the rest as it is
        default: self.init(scheme: scheme, user: String(rest), host: "", port: "", parameters: [])
        }
    }

    private init(address: Substring) {
        var rest = address
        if let question = rest.utf8.firstIndex(of: UInt8(ascii: "?")) { rest = rest[..<question] }
        var user = ""
        if let at = rest.utf8.lastIndex(of: UInt8(ascii: "@")) {
            user = Self.unescaped(rest[..<at])
            rest = rest[rest.utf8.index(after: at)...]
        }
        let pieces = rest.utf8.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: true).map {
            String(decoding: $0, as: UTF8.self).lowercased()
        }
        var host = pieces.first ?? ""
        var port = ""
        if let colon = host.utf8.lastIndex(of: UInt8(ascii: ":")), !host[colon...].utf8.contains(UInt8(ascii: "]")) {
            port = String(host[host.utf8.index(after: colon)...])
            host = String(host[..<colon])
        }
        let deciding: Set<Substring> = ["user", "ttl", "method", "maddr"]
        let parameters = pieces.dropFirst().filter {
            deciding.contains($0.prefix { $0 != "=" })
        }.sorted()
        self.init(scheme: "sip", user: user, host: host, port: port, parameters: parameters)
    }

    private init(number: Substring) {
        let pieces = number.utf8.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: true)
        let digits = (pieces.first ?? Substring().utf8).filter { !"-.()".utf8.contains($0) }
        let parameters = pieces.dropFirst().map { String(decoding: $0, as: UTF8.self).lowercased() }.sorted()
        self.init(
            scheme: "tel", user: String(decoding: digits, as: UTF8.self).lowercased(), host: "", port: "",
            parameters: parameters)
    }

    private init(scheme: String, user: String, host: String, port: String, parameters: [String]) {
        self.scheme = scheme
        self.user = user
        self.host = host
        self.port = port
        self.parameters = parameters
    }

    private static func unescaped(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var octets: [UInt8] = []
        var rest = ArraySlice(text.utf8)
        while let octet = rest.popFirst() {
            if octet == UInt8(ascii: "%"), rest.count >= 2, let high = digit(rest[rest.startIndex]),
                let low = digit(rest[rest.startIndex + 1])
            {
                octets.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                octets.append(octet)
            }
        }
        return String(decoding: octets, as: UTF8.self)
    }

    private static func digit(_ octet: UInt8) -> UInt8? {
        switch octet {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): octet - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): octet - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): octet - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
