/// One m= line and the lines under it (RFC 8866 section 5.14).
package struct MediaDescription: Sendable, Hashable {
    /// Octets of a medium's or a transport's name; they are repeated in answers.
    static let tokenOctets = 64

    /// "message", "audio", ...
    package var medium: String
    package var port: UInt16
    /// The number after a slash behind the port.
    package var portCount: UInt16?
    /// "TCP/MSRP", "TCP/TLS/MSRP", ... as written.
    package var transport: String
    package var formats: [String]
    package var lines: [SDPLine]
    /// The m= line as it came, so that printing changes nothing.
    private var original: SDPLine?

    package init(
        medium: String, port: UInt16, portCount: UInt16? = nil, transport: String, formats: [String],
        lines: [SDPLine] = []
    ) {
        self.medium = medium
        self.port = port
        self.portCount = portCount
        self.transport = transport
        self.formats = formats
        self.lines = lines
    }

    /// Parses the value of an m= line; nil when it lacks a field or its port is no port.
    init?(parsing line: SDPLine) {
        let words = ASCII.words(line.octets)
        guard words.count >= 4, ASCII.isToken(words[0].utf8), words[0].utf8.count <= MediaDescription.tokenOctets,
            words[2].utf8.count <= MediaDescription.tokenOctets,
            words[2].utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy(
                ASCII.isToken)
        else { return nil }
        let ports = words[1].utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard ports.count <= 2, let first = ports.first, let port = ASCII.decimal(first).flatMap(UInt16.init(exactly:))
        else { return nil }
        var count: UInt16?
        if ports.count == 2 {
            guard let parsed = ASCII.decimal(ports[1]).flatMap(UInt16.init(exactly:)) else { return nil }
            count = parsed
        }
        self.init(
            medium: words[0], port: port, portCount: count, transport: words[2], formats: Array(words.dropFirst(3)))
        original = line
    }

    /// The m= line to print: the one parsed as long as no field of it was changed.
    var mediaLine: SDPLine {
        if let original, let parsed = MediaDescription(parsing: original), parsed.medium == medium,
            parsed.port == port, parsed.portCount == portCount, parsed.transport == transport,
            parsed.formats == formats
        {
            return original
        }
        let ports = portCount.map { "\(port)/\($0)" } ?? "\(port)"
        return SDPLine("m", "\(medium) \(ports) \(transport) \(formats.joined(separator: " "))")
    }

    /// The value of the first attribute of that name; "" for one without a value, nil when absent.
    package func attribute(_ name: String) -> String? { lines.attribute(name) }

    /// The values of every attribute of that name.
    package func attributes(_ name: String) -> [String] { lines.attributes(name) }

    package func hasAttribute(_ name: String) -> Bool { lines.contains { $0.isAttribute(name) } }
}

extension [SDPLine] {
    /// The value of the first attribute of that name; "" for one without a value, nil when absent.
    func attribute(_ name: String) -> String? { first { $0.isAttribute(name) }.map { $0.attributeValue ?? "" } }

    func attributes(_ name: String) -> [String] { filter { $0.isAttribute(name) }.map { $0.attributeValue ?? "" } }
}
