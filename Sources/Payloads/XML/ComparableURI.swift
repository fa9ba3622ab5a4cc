/// A URI taken apart as far as RFC 3261 section 19.1.4 compares it.
///
/// That relation is not transitive (a parameter that only one of two URIs has is ignored), so there is no value that is
/// equal for all equal URIs: `key` is equal for them, and `matches` decides.
struct ComparableURI {
    /// Scheme, user, password, host and port.
    let key: String
    /// Lower-cased, escapes resolved.
    private var parameters: [String: String] = [:]
    private var headers: [String: String] = [:]

    /// A URI without a scheme is compared as it is written.
    init(_ text: String) {
        let octets = Array(text.utf8)
        guard let colon = octets.firstIndex(of: UInt8(ascii: ":")) else {
            key = text
            return
        }
        let scheme = ASCII.lowercased(String(decoding: octets[..<colon], as: UTF8.self))
        var rest = octets[(colon + 1)...]
        guard scheme == "sip" || scheme == "sips" else {
            // RFC 3966 section 4: visual separators do not count, and letters in any case are the same.
            let separators = Set("-.()".utf8)
            let compared =
                scheme == "tel" ? rest.filter { !separators.contains($0) }.map(ASCII.lowercased) : Array(rest)
            key = "\(scheme):\(String(decoding: compared, as: UTF8.self))"
            return
        }
        var user = ""
        if let at = rest.firstIndex(of: UInt8(ascii: "@")) {
            // A user may be written with escapes or without; the bar keeps an escaped @ or : from being another's.
            let parts = rest[..<at].split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            user = parts.map { Self.escaped(Self.unescaped(Array($0))) }.joined(separator: ":") + "@"
            rest = rest[(at + 1)...]
        }
        if let question = rest.firstIndex(of: UInt8(ascii: "?")) {
            headers = Self.fields(rest[(question + 1)...], separator: UInt8(ascii: "&"))
            rest = rest[..<question]
        }
        let host = rest.prefix { $0 != UInt8(ascii: ";") }
        parameters = Self.fields(rest.dropFirst(host.count), separator: UInt8(ascii: ";"))
        key = "\(scheme):\(user)\(ASCII.lowercased(String(decoding: host, as: UTF8.self)))"
    }

    func matches(_ other: ComparableURI) -> Bool {
        guard key == other.key, headers == other.headers else { return false }
        let names = Set(parameters.keys).union(other.parameters.keys)
        return names.allSatisfy { name in
            switch (parameters[name], other.parameters[name]) {
            case (let left?, let right?): left == right
            default: !["user", "ttl", "method", "maddr"].contains(name)
            }
        }
    }

    /// Whether both are the same person, as policies name them: parameters and headers do not count, nor does it whether
    /// a URI asks for TLS.
    func isSameIdentity(as other: ComparableURI) -> Bool { identity == other.identity }

    private var identity: Substring { key.hasPrefix("sips:") ? "sip:" + key.dropFirst(5) : key[...] }

    /// The domain of an identity: what stands behind the @ without a port; nil when there is none.
    var domain: String? {
        guard let at = key.utf8.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        let host = key[key.utf8.index(after: at)...]
        guard !host.hasPrefix("[") else { return String(host.prefix { $0 != "]" }) + "]" }
        return String(host.prefix { $0 != ":" })
    }

    private static func fields(_ octets: ArraySlice<UInt8>, separator: UInt8) -> [String: String] {
        var fields: [String: String] = [:]
        for field in octets.split(separator: separator) {
            let name = field.prefix { $0 != UInt8(ascii: "=") }
            let value = field.dropFirst(name.count + 1)
            fields[ASCII.lowercased(unescaped(Array(name)))] = ASCII.lowercased(unescaped(Array(value)))
        }
        return fields
    }

    /// What is no escape stays.
    static func unescaped(_ octets: [UInt8]) -> String {
        var output: [UInt8] = []
        var index = 0
        while index < octets.count {
            if octets[index] == UInt8(ascii: "%"), index + 2 < octets.count,
                let high = ASCII.hexValue(octets[index + 1]), let low = ASCII.hexValue(octets[index + 2])
            {
                output.append(high << 4 | low)
                index += 3
            } else {
                output.append(octets[index])
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// The separators of a URI, and the percent sign, as escapes.
    private static func escaped(_ text: String) -> String {
        var output = ""
        for character in text.unicodeScalars {
            switch character {
            case "%": output += "%25"
            case "@": output += "%40"
            case ":": output += "%3A"
            default: output.unicodeScalars.append(character)
            }
        }
        return output
    }
}
