/// Finds the lines of a Message/CPIM head (RFC 3862 sections 2 and 3).
enum CPIMParser {
    struct Parsed {
        var head: [UInt8]
        var headers: [CPIMMessage.Header]
        var contentOffset: Int
        var contentType: ContentType?
    }

    static func parse(
        _ octets: UnsafeRawBufferPointer, isWhole: Bool, limits: CPIMLimits
    ) throws(CPIMError) -> Parsed {
        var headers: [CPIMMessage.Header] = []
        headers.reserveCapacity(4)
        var namespaces = Namespaces()
        var start = 0
        let window = UnsafeRawBufferPointer(rebasing: octets.prefix(limits.head))
        let isCut = octets.count > window.count
        while true {
            guard let line = line(of: window, from: start) else {
                throw isCut ? .tooLong : isWhole ? .unterminated : .incomplete
            }
            if line.content.isEmpty {
                start = line.next
                break
            }
            guard headers.count < limits.headers else { throw .tooManyHeaders }
            headers.append(try header(window, line, &namespaces))
            start = line.next
        }
        let contentOffset = start
        let fields = try contentFields(window, from: start, mayGrow: !isWhole && !isCut)
        return Parsed(
            head: Array(window[..<fields.end]), headers: headers, contentOffset: contentOffset,
            contentType: fields.contentType.flatMap { ContentType(parsing: $0[...]) })
    }

    private struct Line {
        /// Without its end.
        var content: Range<Int>
        var next: Int
    }

    /// The line that begins at an offset; nil when its end is not there. Both CRLF and LF end a line.
    private static func line(of octets: UnsafeRawBufferPointer, from start: Int) -> Line? {
        guard let end = octets[start...].firstIndex(of: ASCII.lineFeed) else { return nil }
        let hasReturn = end > start && octets[end - 1] == ASCII.carriageReturn
        return Line(content: start..<(hasReturn ? end - 1 : end), next: end + 1)
    }

    /// `Name:` `*( ";" Parameter )` SP value (RFC 3862 section 3.6).
    private static func header(
        _ octets: UnsafeRawBufferPointer, _ line: Line, _ namespaces: inout Namespaces
    ) throws(CPIMError) -> CPIMMessage.Header {
        let content = octets[line.content]
        for octet in content where octet < 0x20 && octet != ASCII.tab || octet == 0x7F { throw .malformedHeader }
        guard let colon = content.firstIndex(of: UInt8(ascii: ":")), colon > content.startIndex,
            content[..<colon].allSatisfy({ ASCII.isToken($0) && $0 != UInt8(ascii: "{") && $0 != UInt8(ascii: "}") })
        else { throw .malformedHeader }
        var value = colon + 1
        if value < content.endIndex, content[value] == UInt8(ascii: ";") {
            value = endOfParameters(content, from: value)
        }
        if value < content.endIndex, content[value] == ASCII.space { value += 1 }
        let name = content.startIndex..<colon
        let range = value..<content.endIndex
        let core = namespaces.resolve(octets[name])
        if core == .namespace { namespaces.declare(octets[range]) }
        return CPIMMessage.Header(name: name, value: range, line: line.content.lowerBound..<line.next, core: core)
    }

    /// Parameters end at the first blank outside of a quoted string.
    private static func endOfParameters(_ content: Slice<UnsafeRawBufferPointer>, from start: Int) -> Int {
        var index = start
        var isQuoted = false
        while index < content.endIndex {
            switch content[index] {
            case ASCII.quote: isQuoted.toggle()
            case ASCII.backslash where isQuoted: index += 1
            case ASCII.space where !isQuoted: return index
            default: break
            }
            index += 1
        }
        return content.endIndex
    }

    /// The MIME headers before the content. What does not look like them is content already: some senders forget them.
    private static func contentFields(
        _ octets: UnsafeRawBufferPointer, from offset: Int, mayGrow: Bool
    ) throws(CPIMError) -> (end: Int, contentType: [UInt8]?) {
        var start = offset
        var contentType: [UInt8]?
        var isContentType = false
        while let line = line(of: octets, from: start) {
            let content = octets[line.content]
            start = line.next
            guard let first = content.first else { return (line.next, contentType) }
            if ASCII.isBlank(first), line.content.lowerBound > offset {
                if isContentType { contentType?.append(contentsOf: content) }
                continue
            }
            guard let colon = content.firstIndex(of: UInt8(ascii: ":")), ASCII.isToken(content[..<colon]) else {
                return (offset, nil)
            }
            isContentType = contentType == nil && ASCII.equalIgnoringCase(content[..<colon], "content-type".utf8)
            if isContentType { contentType = Array(content[(colon + 1)...]) }
        }
        if mayGrow { throw .incomplete }
        return (offset, nil)
    }

    /// The meaning of names through NS headers (RFC 3862 section 3.4), as far as it concerns the core headers.
    private struct Namespaces {
        private var defaultIsCore = true
        private var corePrefixes: [[UInt8]] = []

        mutating func declare(_ value: Slice<UnsafeRawBufferPointer>) {
            guard let open = value.firstIndex(of: UInt8(ascii: "<")),
                let close = value.lastIndex(of: UInt8(ascii: ">")), open < close
            else { return }
            let isCore = value[(open + 1)..<close].elementsEqual("urn:ietf:params:cpim-headers:".utf8)
            let prefix = ASCII.trimmed(Array(value[..<open])[...])
            if prefix.isEmpty {
                defaultIsCore = isCore
            } else {
                corePrefixes.removeAll { $0.elementsEqual(prefix) }
                if isCore { corePrefixes.append(Array(prefix)) }
            }
        }

        func resolve(_ name: Slice<UnsafeRawBufferPointer>) -> CPIMMessage.CoreHeader? {
            if let dot = name.firstIndex(of: UInt8(ascii: ".")) {
                guard corePrefixes.contains(where: { $0.elementsEqual(name[..<dot]) }) else { return nil }
                return core(name[(dot + 1)...])
            }
            let core = core(name)
            // NS declares the namespaces, so it stands above them.
            return defaultIsCore || core == .namespace ? core : nil
        }

        private func core(_ name: Slice<UnsafeRawBufferPointer>) -> CPIMMessage.CoreHeader? {
            guard name.count <= 8 else { return nil }
            return CPIMMessage.CoreHeader(rawValue: String(decoding: name, as: UTF8.self))
        }
    }
}
