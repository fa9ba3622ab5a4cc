// Readers for the kinds of values that the relay's options have.

extension Values {
    /// A duration in whole seconds, as SIP-like headers carry it.
    static func seconds(_ range: ClosedRange<Int>) -> @Sendable (Substring, ValueContext) throws(ValueError) -> Int {
        { (text, context) throws(ValueError) in
            let bounds = Duration.seconds(range.lowerBound) ... .seconds(range.upperBound)
            let (seconds, fraction) = try duration(bounds)(text, context).components
            if fraction != 0 { throw ValueError("'\(text)' is not a whole number of seconds") }
            return Int(seconds)
        }
    }

    /// Bytes a second; nil for `unlimited`.
    static func rate(_ text: Substring, _ context: ValueContext) throws(ValueError) -> Int? {
        if text.lowercased() == "unlimited" { return nil }
        var number = text
        for suffix in ["/s", "ps"] where number.lowercased().hasSuffix(suffix) {
            number = number.dropLast(suffix.count).trimmingBlanks()
        }
        return try size(1024...(1 << 40))(number, context)
    }

    /// A host without a port; IPv6 with or without brackets, kept without.
    static func hostName(_ text: Substring, _ context: ValueContext) throws(ValueError) -> String? {
        if text.isEmpty { return nil }
        let isBareIPv6 = !text.hasPrefix("[") && text.filter { $0 == ":" }.count > 1
        let host = try hostPort(isBareIPv6 ? "[\(text)]" : text, context)
        if let port = host.port { throw ValueError("'\(text)': write the name alone, without ':\(port)'") }
        return host.host
    }

    /// `host[:port]` separated by commas.
    static func hostPorts(_ text: Substring, _ context: ValueContext) throws(ValueError) -> [HostPort] {
        if text.lowercased() == "none" { return [] }
        var result: [HostPort] = []
        for item in text.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" }) {
            let place = try hostPort(item, context)
            if !result.contains(place) { result.append(place) }
        }
        return result
    }
}
