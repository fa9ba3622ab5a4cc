internal import Focus
internal import SIP

#if canImport(Glibc)
    internal import Glibc
#endif

/// An address with a port, `127.0.0.1:2855` or `[::1]:2855`.
struct HostPort: Equatable, Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; IPv6 without its brackets.
    var host: String
    var port: Int?

    var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port.map { "\(name):\($0)" } ?? name
    }
}

/// One entry of `[SIP] listen`.
struct ListenEntry: Equatable, Hashable, Sendable, CustomStringConvertible {
    enum Transport: String, Sendable, CaseIterable {
        case udp, tcp, tls
        /// TLS for trusted peers only: a client certificate is needed.
        case tlsTrusted = "tls-trusted"

        var isTLS: Bool { self == .tls || self == .tlsTrusted }
    }

    var transport: Transport
    var host: String
    /// 0 lets the system choose.
    var port: Int

    var description: String { "\(transport.rawValue):\(HostPort(host: host, port: port))" }

    /// Whether not both can be opened. TLS runs over TCP.
    func collides(with other: ListenEntry) -> Bool {
        guard port == other.port, port != 0, (transport == .udp) == (other.transport == .udp) else { return false }
        if host == other.host { return true }
        let isSameFamily = host.contains(":") == other.host.contains(":")
        return isSameFamily && (Settings.isWildcard(host) || Settings.isWildcard(other.host))
    }
}

/// Readers for the kinds of values that options have. Each error says what would be right.
enum Values {
    static func text(_ text: Substring, _: ValueContext) throws(ValueError) -> String { String(text) }

    static func optionalText(_ text: Substring, _: ValueContext) throws(ValueError) -> String? {
        text.isEmpty ? nil : String(text)
    }

    static func boolean(_ text: Substring, _: ValueContext) throws(ValueError) -> Bool {
        switch text.lowercased() {
        case "yes", "true", "on", "1": return true
        case "no", "false", "off", "0": return false
        default: throw ValueError("'\(text)' is neither Yes nor No")
        }
    }

    /// A whole number within `range`.
    static func count(_ range: ClosedRange<Int>) -> @Sendable (Substring, ValueContext) throws(ValueError) -> Int {
        { (text, _) throws(ValueError) in
            guard let number = Int(text) else { throw ValueError("'\(text)' is not a whole number") }
            guard range.contains(number) else {
                throw ValueError("\(number) is out of bounds: \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }

    /// A number of bytes such as `10 MiB`, within `range` (bytes).
    static func size(_ range: ClosedRange<Int>) -> @Sendable (Substring, ValueContext) throws(ValueError) -> Int {
        { (text, _) throws(ValueError) in
            let (number, unit) = split(text)
            let factors = [
                "": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 1000, "mb": 1_000_000,
                "gb": 1_000_000_000,
            ]
            guard let count = Int(number), let factor = factors[unit.lowercased()] else {
                throw ValueError("'\(text)' is not a size; write bytes, or a number with KiB, MiB or GiB: '10 MiB'")
            }
            let (bytes, overflow) = count.multipliedReportingOverflow(by: factor)
            guard !overflow, range.contains(bytes) else {
                throw ValueError(
                    "'\(text)' is out of bounds: \(printSize(range.lowerBound)) to \(printSize(range.upperBound))")
            }
            return bytes
        }
    }

    /// A duration such as `30 s`, within `range`.
    static func duration(
        _ range: ClosedRange<Duration>
    ) -> @Sendable (Substring, ValueContext) throws(ValueError) -> Duration {
        { (text, _) throws(ValueError) in
            let (number, unit) = split(text)
            let milliseconds = ["": 1000, "ms": 1, "s": 1000, "min": 60_000, "m": 60_000, "h": 3_600_000]
            guard let count = Int(number), let factor = milliseconds[unit.lowercased()] else {
                throw ValueError("'\(text)' is not a duration; write a number with ms, s, min or h: '30 s'")
            }
            let (total, overflow) = count.multipliedReportingOverflow(by: factor)
            guard !overflow, range.contains(.milliseconds(total)) else {
                throw ValueError(
                    "'\(text)' is out of bounds: \(printDuration(range.lowerBound)) to \(printDuration(range.upperBound))"
                )
            }
            return .milliseconds(total)
        }
    }

    /// One of the names of `Choice`.
    static func choice<Choice: RawRepresentable & CaseIterable & SendableMetatype>(
        _: Choice.Type
    ) -> @Sendable (Substring, ValueContext) throws(ValueError) -> Choice
    where Choice.RawValue == String, Choice.AllCases: SendableMetatype {
        { (text, _) throws(ValueError) in
            if let choice = Choice(rawValue: text.lowercased()) { return choice }
            let names = Choice.allCases.map(\.rawValue)
            let hint = Suggestion.nearest(to: String(text), in: names).map { "; did you mean '\($0)'?" } ?? ""
            throw ValueError("'\(text)' is not one of \(names.joined(separator: ", "))\(hint)")
        }
    }

    /// A file that must be there.
    static func file(_ text: Substring, _ context: ValueContext) throws(ValueError) -> String? {
        if text.isEmpty { return nil }
        let path = context.resolve(String(text))
        guard context.isReadable(path) else {
            throw ValueError(
                path == text ? "file '\(text)' not found" : "file '\(text)' not found (looked for \(path))")
        }
        return path
    }

    /// A folder that may still have to be made.
    static func folder(_ text: Substring, _ context: ValueContext) throws(ValueError) -> String? {
        text.isEmpty ? nil : context.resolve(String(text))
    }

    /// `host[:port]`, IPv6 in brackets.
    static func hostPort(_ text: Substring, _: ValueContext) throws(ValueError) -> HostPort {
        try parseHostPort(text)
    }

    static func optionalHostPort(_ text: Substring, _: ValueContext) throws(ValueError) -> HostPort? {
        text.isEmpty ? nil : try parseHostPort(text)
    }

    /// `udp:127.0.0.1:5060, tls:[::1]:5061`
    static func listen(_ text: Substring, _: ValueContext) throws(ValueError) -> [ListenEntry] {
        var result: [ListenEntry] = []
        for item in items(text) {
            let form = "write transport:address:port, such as udp:127.0.0.1:5060 or tls:[::1]:5061"
            guard let colon = item.firstIndex(of: ":") else { throw ValueError("'\(item)': \(form)") }
            guard let transport = ListenEntry.Transport(rawValue: item[..<colon].lowercased()) else {
                throw ValueError("'\(item[..<colon])' is not a transport (udp, tcp, tls, tls-trusted); \(form)")
            }
            let address = try parseHostPort(item[item.index(after: colon)...])
            let port = address.port ?? (transport.isTLS ? 5061 : 5060)
            let entry = ListenEntry(transport: transport, host: address.host, port: port)
            if port != 0, result.contains(entry) { throw ValueError("'\(entry)' is listed twice") }
            result.append(entry)
        }
        if result.isEmpty {
            throw ValueError("at least one address to listen on is needed, such as udp:127.0.0.1:5060")
        }
        return result
    }

    /// Domain names and addresses separated by commas; kept in lower case, IPv6 without brackets.
    static func domains(_ text: Substring, _: ValueContext) throws(ValueError) -> [String] {
        var result: [String] = []
        for item in items(text) {
            if item.hasPrefix("["), item.hasSuffix("]") {
                result.append(item.dropFirst().dropLast().lowercased())
            } else if item.contains(where: { "@/; \t".contains($0) }) {
                throw ValueError("'\(item)' is not a domain; write names separated by commas, such as example.com")
            } else if item.contains(":"), item.split(separator: ":", omittingEmptySubsequences: false).count == 2 {
                throw ValueError("'\(item)': a domain has no port")
            } else {
                result.append(item.lowercased())
            }
        }
        return result
    }

    /// `alice@example.com, *@example.org`; kept with the domain in lower case.
    static func people(_ text: Substring, _: ValueContext) throws(ValueError) -> [String] {
        var result: [String] = []
        for item in items(text) {
            let bare = item.lowercased().hasPrefix("sip:") ? item.dropFirst(4) : item
            guard let at = bare.lastIndex(of: "@"), at != bare.startIndex, bare.index(after: at) != bare.endIndex,
                !bare.contains(where: { " \t;<>\"".contains($0) })
            else { throw ValueError("'\(item)' is not user@domain; write alice@example.com, or *@example.com for all") }
            result.append(bare[..<at] + "@" + RoomResolver.normalized(String(bare[bare.index(after: at)...])))
        }
        return result
    }

    /// Addresses and prefixes of addresses: `192.0.2.10, 2001:db8::/32`.
    static func prefixes(_ text: Substring, _: ValueContext) throws(ValueError) -> [String] {
        var result: [String] = []
        for item in items(text) {
            let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            var host = parts.first ?? ""
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            var octets = [UInt8](repeating: 0, count: 16)
            let bits =
                inet_pton(AF_INET, String(host), &octets) == 1
                ? 32
                : inet_pton(AF_INET6, String(host), &octets) == 1 ? 128 : 0
            let length = parts.count == 2 ? Int(parts[1]) : bits
            guard bits > 0, let length, (0...bits).contains(length) else {
                throw ValueError(
                    "'\(item)' is no address; write addresses or prefixes, such as 192.0.2.10 or 10.0.0.0/8")
            }
            result.append("\(host)/\(length)")
        }
        return result
    }

    /// The user part of an address; `none` is nobody.
    static func userName(_ text: Substring, _: ValueContext) throws(ValueError) -> String? {
        if text.isEmpty || text.lowercased() == "none" { return nil }
        guard !text.contains(where: { " \t@:;/<>\"".contains($0) }) else {
            throw ValueError("'\(text)' is not the user part of an address; write a name such as conference, or none")
        }
        return String(text)
    }

    /// `sip:proxy.example.com;transport=tcp`
    static func sipURI(_ text: Substring, _: ValueContext) throws(ValueError) -> String? {
        if text.isEmpty { return nil }
        guard let uri = SIPURI(String(text)), uri.isSIP, !uri.host.isEmpty else {
            throw ValueError("'\(text)' is not a SIP address; write one such as sip:proxy.example.com;transport=tls")
        }
        return String(text)
    }

    private static func items(_ text: Substring) -> [Substring] {
        text.split(separator: ",").map { $0.trimmingBlanks() }.filter { !$0.isEmpty }
    }

    private static func split(_ text: Substring) -> (number: Substring, unit: Substring) {
        let end = text.firstIndex { !$0.isASCII || !$0.isNumber } ?? text.endIndex
        return (text[..<end], text[end...].trimmingBlanks())
    }

    private static func parseHostPort(_ text: Substring) throws(ValueError) -> HostPort {
        let host: Substring
        let rest: Substring
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else {
                throw ValueError("'\(text)': the closing bracket of the IPv6 address is missing")
            }
            host = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
            guard host.contains(":") else { throw ValueError("'\(text)': brackets are for IPv6 addresses") }
        } else {
            let colons = text.filter { $0 == ":" }.count
            if colons > 1 { throw ValueError("'\(text)': write an IPv6 address in brackets, such as [::1]:5060") }
            let end = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<end]
            rest = text[end...]
        }
        if host.isEmpty { throw ValueError("'\(text)': the address is missing; write address:port") }
        let isPlain = host.unicodeScalars.allSatisfy {
            $0.isASCII
                && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || ".-_:%*".unicodeScalars.contains($0))
        }
        if !isPlain { throw ValueError("'\(host)' is neither a name nor an address") }
        if rest.isEmpty { return HostPort(host: host.lowercased(), port: nil) }
        guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (0...65535).contains(port) else {
            throw ValueError("'\(text)': the port must be a number from 0 to 65535")
        }
        return HostPort(host: host.lowercased(), port: port)
    }

    /// A size in the largest unit that shows it exactly.
    static func printSize(_ bytes: Int) -> String {
        for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        where bytes >= factor && bytes % factor == 0 {
            return "\(bytes / factor) \(unit)"
        }
        return "\(bytes) B"
    }

    /// A duration in the largest unit that shows it exactly.
    static func printDuration(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if attoseconds != 0 { return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000) ms" }
        if seconds >= 3600, seconds % 3600 == 0 { return "\(seconds / 3600) h" }
        return "\(seconds) s"
    }
}
