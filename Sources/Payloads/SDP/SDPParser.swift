/// Reads a session description line by line.
///
/// Stricter than the grammar nowhere; more liberal where peers and the RFCs' own examples are: a missing s=, t= or c=
/// line, lines out of order, and type letters it does not know (kept, not understood).
enum SDPParser {
    static func parse(_ octets: some Collection<UInt8>, limits: SDPLimits) throws(SDPError) -> SessionDescription {
        guard octets.count <= limits.octets else { throw .tooLong }
        let octets = Array(octets)
        var session: [SDPLine] = []
        var media: [MediaDescription] = []
        var hasOrigin = false
        var number = 0
        var start = octets.startIndex
        var ended = false
        while start < octets.endIndex {
            let end = octets[start...].firstIndex(of: ASCII.lineFeed) ?? octets.endIndex
            var content = octets[start..<end]
            if content.last == ASCII.carriageReturn { content.removeLast() }
            start = end < octets.endIndex ? end + 1 : end
            number += 1
            guard number <= limits.lines else { throw .tooManyLines }
            // Empty lines are no lines of SDP, but some senders end with one.
            if content.isEmpty {
                ended = true
                continue
            }
            guard !ended, let line = line(content) else { throw .malformedLine(number) }
            if number == 1 {
                guard line.is("v"), ASCII.trimmed(line.octets[...]).elementsEqual("0".utf8) else {
                    throw .unsupportedVersion
                }
            }
            switch line.type {
            case UInt8(ascii: "m"):
                guard hasOrigin else { throw .malformedOrigin }
                guard media.count < limits.media else { throw .tooManyMedia }
                guard let medium = MediaDescription(parsing: line) else { throw .malformedMedia(line: number) }
                media.append(medium)
                continue
            case UInt8(ascii: "o") where media.isEmpty:
                guard Origin(parsing: line.value) != nil else { throw .malformedOrigin }
                hasOrigin = true
            case UInt8(ascii: "c"):
                guard ConnectionAddress(parsing: line.value) != nil else { throw .malformedConnection(line: number) }
            case UInt8(ascii: "t") where media.isEmpty:
                let words = ASCII.words(line.octets)
                guard words.count == 2, words.allSatisfy({ $0.utf8.allSatisfy(ASCII.isDigit) }) else {
                    throw .malformedTime(line: number)
                }
            default:
                break
            }
            if media.isEmpty {
                session.append(line)
            } else {
                media[media.count - 1].lines.append(line)
            }
        }
        guard !session.isEmpty else { throw .unsupportedVersion }
        guard hasOrigin else { throw .malformedOrigin }
        return SessionDescription(lines: session, media: media)
    }

    /// A letter, an equals sign, and octets other than NUL and CR (RFC 8866 section 9, byte-string).
    private static func line(_ content: ArraySlice<UInt8>) -> SDPLine? {
        guard content.count >= 2, let type = content.first, ASCII.isLetter(type),
            content[content.startIndex + 1] == UInt8(ascii: "="),
            !content.contains(where: { $0 == 0 || $0 == ASCII.carriageReturn })
        else { return nil }
        return SDPLine(type: type, octets: Array(content.dropFirst(2)))
    }
}
