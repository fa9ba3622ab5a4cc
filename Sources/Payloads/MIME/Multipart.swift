/// A multipart body split into its parts (RFC 2046 section 5.1).
package struct Multipart: Sendable, Hashable {
    package struct Part: Sendable, Hashable {
        package var fields: [MIMEField]
        package var body: ArraySlice<UInt8>

        package init(fields: [MIMEField], body: ArraySlice<UInt8>) {
            self.fields = fields
            self.body = body
        }

        /// The value of the first field of that name, in any case.
        package func field(_ name: String) -> String? {
            fields.first { ASCII.equalIgnoringCase($0.name, name) }?.value
        }

        /// text/plain when it names none (RFC 2046 section 5.1); nil when what it names is no type.
        package var contentType: ContentType? {
            guard let value = field("Content-Type") else { return ContentType(type: "text", subtype: "plain") }
            return ContentType(parsing: value)
        }
    }

    package var parts: [Part]

    package init(parts: [Part]) {
        self.parts = parts
    }

    /// Splits one level; preamble and epilogue are dropped. Lines may end in CRLF or LF.
    /// - Throws: `MultipartError`.
    package init(
        parsing body: ArraySlice<UInt8>, boundary: String, limits: MultipartLimits = MultipartLimits()
    ) throws(MultipartError) {
        guard Multipart.isBoundary(boundary) else { throw .noBoundary }
        let delimiter = Array("--\(boundary)".utf8)
        var parts: [Part] = []
        var partStart: Int?
        var lineStart = body.startIndex
        while lineStart < body.endIndex {
            let lineEnd = body[lineStart...].firstIndex(of: ASCII.lineFeed) ?? body.endIndex
            let next = lineEnd < body.endIndex ? lineEnd + 1 : lineEnd
            if let closes = Multipart.delimits(body[lineStart..<lineEnd], delimiter) {
                if let start = partStart {
                    guard parts.count < limits.parts else { throw .tooManyParts }
                    let end = Multipart.endOfPart(body, start: start, delimiterAt: lineStart)
                    parts.append(try Part(parsing: body[start..<end], limits: limits))
                }
                if closes {
                    guard partStart != nil else { throw .unterminated }
                    self.parts = parts
                    return
                }
                partStart = next
            }
            lineStart = next
        }
        throw .unterminated
    }

    /// The parts that are no multiparts, in order, of a body of the given type: itself when that is no multipart.
    /// - Throws: `MultipartError`.
    package static func leaves(
        of body: [UInt8], type: ContentType, limits: MultipartLimits = MultipartLimits()
    ) throws(MultipartError) -> [Part] {
        var leaves: [Part] = []
        let root = Part(fields: [MIMEField(name: "Content-Type", value: type.value)], body: body[...])
        var split = 0
        try collect(root, depth: 0, limits: limits, split: &split, into: &leaves)
        return leaves
    }

    private static func collect(
        _ part: Part, depth: Int, limits: MultipartLimits, split: inout Int, into leaves: inout [Part]
    ) throws(MultipartError) {
        guard let type = part.contentType, type.type == "multipart" else {
            leaves.append(part)
            return
        }
        guard depth < limits.depth else { throw .tooDeep }
        guard let boundary = type.parameter("boundary") else { throw .noBoundary }
        for child in try Multipart(parsing: part.body, boundary: boundary, limits: limits).parts {
            split += 1
            guard split <= limits.parts else { throw .tooManyParts }
            try collect(child, depth: depth + 1, limits: limits, split: &split, into: &leaves)
        }
    }

    /// RFC 2046 section 5.1.1: 1 to 70 characters of a small set, no blank at the end.
    private static func isBoundary(_ boundary: String) -> Bool {
        let others = Set("'()+_,-./:=? ".utf8)
        return (1...70).contains(boundary.utf8.count) && boundary.utf8.last != ASCII.space
            && boundary.utf8.allSatisfy { ASCII.isLetter($0) || ASCII.isDigit($0) || others.contains($0) }
    }

    /// Whether a line (without LF) is a delimiter: false for one between parts, true for the last, nil for neither.
    private static func delimits(_ line: ArraySlice<UInt8>, _ delimiter: [UInt8]) -> Bool? {
        guard line.starts(with: delimiter) else { return nil }
        var rest = line.dropFirst(delimiter.count)
        let closes = rest.starts(with: "--".utf8)
        if closes { rest = rest.dropFirst(2) }
        if rest.last == ASCII.carriageReturn { rest = rest.dropLast() }
        return rest.allSatisfy(ASCII.isBlank) ? closes : nil
    }

    /// The line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
    private static func endOfPart(_ body: ArraySlice<UInt8>, start: Int, delimiterAt delimiter: Int) -> Int {
        var end = delimiter
        if end > start, body[end - 1] == ASCII.lineFeed { end -= 1 }
        if end > start, end < delimiter, body[end - 1] == ASCII.carriageReturn { end -= 1 }
        return end
    }
}

extension Multipart.Part {
    /// Header fields up to an empty line, and the body behind it.
    fileprivate init(parsing octets: ArraySlice<UInt8>, limits: MultipartLimits) throws(MultipartError) {
        var fields: [MIMEField] = []
        var lineStart = octets.startIndex
        while lineStart < octets.endIndex {
            let lineEnd = octets[lineStart...].firstIndex(of: ASCII.lineFeed) ?? octets.endIndex
            let next = lineEnd < octets.endIndex ? lineEnd + 1 : lineEnd
            guard next - octets.startIndex <= limits.fieldOctets else { throw .malformedPart }
            var line = octets[lineStart..<lineEnd]
            if line.last == ASCII.carriageReturn { line = line.dropLast() }
            lineStart = next
            guard let first = line.first else { break }
            if ASCII.isBlank(first), !fields.isEmpty {
                fields[fields.count - 1].value += " " + String(decoding: ASCII.trimmed(line), as: UTF8.self)
                continue
            }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
                case let name = ASCII.trimmed(line[..<colon]), ASCII.isToken(name)
            else { throw .malformedPart }
            fields.append(
                MIMEField(
                    name: String(decoding: name, as: UTF8.self),
                    value: String(decoding: ASCII.trimmed(line[(colon + 1)...]), as: UTF8.self)))
        }
        self.init(fields: fields, body: octets[lineStart...])
    }
}

/// One header field of a MIME part, unfolded.
package struct MIMEField: Sendable, Hashable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// Why a body is no multipart.
package enum MultipartError: Error, Sendable, Hashable {
    /// The type has no boundary parameter, or one that is no boundary (RFC 2046 section 5.1.1).
    case noBoundary
    /// No delimiter line, or no closing one.
    case unterminated
    case malformedPart
    case tooManyParts
    case tooDeep
}

/// What a peer's multipart body may cost.
package struct MultipartLimits: Sendable {
    /// Parts in all, at every depth together.
    package var parts: Int
    /// Multiparts within multiparts.
    package var depth: Int
    /// Octets of one part's header fields.
    package var fieldOctets: Int

    package init(parts: Int = 32, depth: Int = 4, fieldOctets: Int = 8_192) {
        self.parts = parts
        self.depth = depth
        self.fieldOctets = fieldOctets
    }
}
