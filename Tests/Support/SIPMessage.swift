/// The SIP transports of these tests.
package enum SIPTransportName: String, CaseIterable, Sendable {
    case udp, tcp, tls
}

/// A SIP message as these tests look at one: a start line, fields in order, a body. Written for the tests alone, so
/// that a mistake in the project's own parser is not made twice.
package struct SIPMessage: Sendable, CustomStringConvertible {
    package let startLine: String
    package let fields: [(name: String, value: String)]
    package let body: [UInt8]

    private static let compactNames = [
        "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "c": "content-type", "l": "content-length",
        "k": "supported", "e": "content-encoding", "s": "subject", "x": "session-expires", "o": "event",
        "r": "refer-to", "b": "referred-by", "u": "allow-events",
    ]

    private static func canonical(_ name: String) -> String {
        let lowered = name.lowercased()
        return compactNames[lowered] ?? lowered
    }

    /// Parses a message that stands at the start of `bytes`; nil when it is incomplete. `size` is what it took.
    package static func parse(_ bytes: ArraySlice<UInt8>, datagram: Bool) throws -> (message: SIPMessage, size: Int)? {
        guard let headEnd = end(of: "\r\n\r\n", in: bytes) else { return nil }
        let head = String(decoding: bytes[bytes.startIndex..<headEnd - 4], as: UTF8.self)
        var lines = head.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        let start = lines.removeFirst()
        var fields = [(name: String, value: String)]()
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { throw SupportError("no header field: `\(line)`") }
            let name = String(line[..<colon]).trimmed
            fields.append((canonical(name), String(line[line.index(after: colon)...]).trimmed))
        }
        var length = bytes.endIndex - headEnd
        if let field = fields.first(where: { $0.name == "content-length" }) {
            guard let value = Int(field.value) else { throw SupportError("Content-Length: \(field.value)") }
            guard value <= length else {
                if datagram { throw SupportError("a datagram cut short") }
                return nil
            }
            length = value
        } else if !datagram {
            throw SupportError("no Content-Length on a stream: \(head)")
        }
        let body = Array(bytes[headEnd..<headEnd + length])
        return (SIPMessage(startLine: start, fields: fields, body: body), headEnd + length - bytes.startIndex)
    }

    private static func end(of pattern: String, in bytes: ArraySlice<UInt8>) -> Int? {
        let pattern = Array(pattern.utf8)
        guard bytes.count >= pattern.count else { return nil }
        for start in bytes.startIndex...(bytes.endIndex - pattern.count)
        where bytes[start..<start + pattern.count].elementsEqual(pattern) {
            return start + pattern.count
        }
        return nil
    }

    package var isResponse: Bool { startLine.hasPrefix("SIP/2.0 ") }
    /// 0 for a request.
    package var status: Int { isResponse ? Int(startLine.dropFirst(8).prefix(3)) ?? 0 : 0 }
    /// Of a response, the request's.
    package var method: String {
        isResponse
            ? (self["CSeq"]?.split(separator: " ").last.map(String.init) ?? "")
            : String(startLine.prefix { $0 != " " })
    }
    /// The branch of the topmost Via.
    package var branch: String {
        let via = self["Via"] ?? ""
        for part in via.split(separator: ";").dropFirst() where part.hasPrefix("branch=") {
            return String(part.dropFirst(7))
        }
        return ""
    }
    package var sequence: Int { self["CSeq"]?.split(separator: " ").first.flatMap { Int($0) } ?? -1 }
    package var callID: String { self["Call-ID"] ?? "" }
    package var requestURI: String { startLine.split(separator: " ").dropFirst().first.map(String.init) ?? "" }

    package subscript(name: String) -> String? {
        fields.first { $0.name == Self.canonical(name) }?.value
    }

    package func all(_ name: String) -> [String] {
        fields.filter { $0.name == Self.canonical(name) }.map(\.value)
    }

    package var toTag: String? { Self.parameter("tag", of: self["To"] ?? "") }
    package var fromTag: String? { Self.parameter("tag", of: self["From"] ?? "") }

    /// The URI between the angle brackets of Contact.
    package var contactURI: String? { self["Contact"].map(Self.uri) }

    /// The URI of a header field's value, without brackets and what follows them.
    package static func uri(of value: String) -> String {
        if let open = value.firstIndex(of: "<"), let close = value[open...].firstIndex(of: ">") {
            return String(value[value.index(after: open)..<close])
        }
        return String(value.prefix { $0 != ";" })
    }

    package static func parameter(_ name: String, of value: String) -> String? {
        let tail = value.lastIndex(of: ">").map { value[$0...] } ?? value[...]
        for part in tail.split(separator: ";").dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2, String(pair[0]).trimmed.lowercased() == name { return String(pair[1]).trimmed }
        }
        return nil
    }

    package var bodyText: String { String(decoding: body, as: UTF8.self) }

    /// The values of the lines `a=NAME:...` (or "" for `a=NAME`) of the body, in order.
    package func attributes(_ name: String) -> [String] {
        bodyText.split(whereSeparator: \.isNewline).compactMap { line in
            if line == "a=\(name)" { return "" }
            return line.hasPrefix("a=\(name):") ? String(line.dropFirst(name.utf8.count + 3)) : nil
        }
    }

    /// The m= lines of the body.
    package var mediaLines: [String] {
        bodyText.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("m=") }.map(String.init)
    }

    package var description: String {
        startLine + "\n" + fields.map { "\($0.name): \($0.value)\n" }.joined() + "\n" + bodyText
    }
}

extension String {
    var trimmed: String {
        var view = self[...]
        while let first = view.first, first == " " || first == "\t" { view.removeFirst() }
        while let last = view.last, last == " " || last == "\t" { view.removeLast() }
        return String(view)
    }
}
