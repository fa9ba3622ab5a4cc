/// A look at a document before the parser gets it, for what would cost the parser more than its size: libxml2 compares
/// each attribute of an element with all others, and reads a document type declaration before anybody can object.
///
/// It finds where tags, comments, CDATA sections and processing instructions begin and end, and nothing else; whether
/// they are well-formed is the parser's to say. A document that this look misunderstands is not well-formed.
enum XMLScreen {
    static func check(_ octets: [UInt8], limits: XMLLimits) throws(XMLError) {
        var position = 0
        while let start = octets[position...].firstIndex(of: UInt8(ascii: "<")) {
            let rest = octets[start...]
            if rest.starts(with: "<!--".utf8) {
                position = try end(of: "-->", in: octets, from: start + 4)
            } else if rest.starts(with: "<![CDATA[".utf8) {
                position = try end(of: "]]>", in: octets, from: start + 9)
            } else if rest.starts(with: "<!".utf8) {
                throw .documentType
            } else if rest.starts(with: "<?".utf8) {
                position = try end(of: "?>", in: octets, from: start + 2)
            } else {
                position = try endOfTag(in: octets, from: start + 1, limits: limits)
            }
        }
    }

    /// Behind the next occurrence of a mark.
    private static func end(of mark: StaticString, in octets: [UInt8], from start: Int) throws(XMLError) -> Int {
        let mark = Array("\(mark)".utf8)
        var position = start
        while let found = octets[min(position, octets.count)...].firstIndex(of: mark[0]) {
            if octets[found...].starts(with: mark) { return found + mark.count }
            position = found + 1
        }
        throw .malformed(line: line(of: start, in: octets))
    }

    /// Behind the `>` of a tag. Each attribute has one equals sign outside of quotes.
    private static func endOfTag(
        in octets: [UInt8], from start: Int, limits: XMLLimits
    ) throws(XMLError) -> Int {
        var attributes = 0
        var quote: (mark: UInt8, start: Int)?
        var position = start
        while position < octets.count {
            let octet = octets[position]
            if let open = quote {
                if octet == open.mark {
                    quote = nil
                } else if position - open.start > limits.attributeOctets {
                    throw .attributes
                }
            } else if octet == ASCII.quote || octet == UInt8(ascii: "'") {
                quote = (octet, position)
            } else if octet == UInt8(ascii: "=") {
                attributes += 1
                guard attributes <= limits.attributes else { throw .attributes }
            } else if octet == UInt8(ascii: ">") {
                return position + 1
            }
            position += 1
        }
        throw .malformed(line: line(of: start, in: octets))
    }

    private static func line(of position: Int, in octets: [UInt8]) -> Int {
        octets[..<min(position, octets.count)].reduce(1) { $1 == ASCII.lineFeed ? $0 + 1 : $0 }
    }
}
