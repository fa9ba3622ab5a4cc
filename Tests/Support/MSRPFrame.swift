import Foundation

/// An MSRP request or response as these tests look at one. Written for the tests alone, so that a mistake in the
/// project's own parser is not made twice.
package struct MSRPFrame: Sendable, CustomStringConvertible {
    package let transactionID: String
    /// "SEND", or "200 OK" for a response.
    package let word: String
    package let fields: [(name: String, value: String)]
    package let body: [UInt8]?
    package let flag: Character
    /// What stands before the body or the end-line, to the octet.
    package var rawHead: [UInt8] = []

    package var status: Int { Int(word.prefix(3)) ?? 0 }
    package var isResponse: Bool { status > 0 }

    package subscript(name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    package var messageID: String { self["Message-ID"] ?? "" }
    package var bodyText: String { String(decoding: body ?? [], as: UTF8.self) }

    /// What follows the CPIM and the inner MIME headers, line ends CRLF or LF.
    package var cpimContent: [UInt8] {
        var rest = (body ?? [])[...]
        for _ in 0..<2 {
            guard let end = Self.blankLine(in: rest) else { return [] }
            rest = rest[end...]
        }
        return Array(rest)
    }

    package var cpimText: String { String(decoding: cpimContent, as: UTF8.self) }

    /// A header of the CPIM part.
    package func cpim(_ name: String) -> String? {
        for line in bodyText.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if line.isEmpty { return nil }
            if line.lowercased().hasPrefix(name.lowercased() + ":") {
                return String(line.dropFirst(name.count + 1)).trimmed
            }
        }
        return nil
    }

    private static func blankLine(in bytes: ArraySlice<UInt8>) -> Int? {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            guard let newline = bytes[index...].firstIndex(of: 10) else { return nil }
            let line = bytes[index..<newline]
            if line.isEmpty || line.elementsEqual([13]) { return newline + 1 }
            index = newline + 1
        }
        return nil
    }

    /// Parses what stands at `start`; nil when it is incomplete. `end` is where the next one starts.
    package static func parse(_ bytes: [UInt8], from start: Int) throws -> (frame: MSRPFrame, end: Int)? {
        guard let (first, afterFirst) = line(bytes, start) else { return nil }
        let words = first.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 3, words[0] == "MSRP", !words[1].isEmpty else { throw SupportError("no MSRP: `\(first)`") }
        let id = String(words[1])
        let mark = Array("-------\(id)".utf8)
        var fields = [(name: String, value: String)]()
        var at = afterFirst
        while true {
            guard let (text, next) = line(bytes, at) else { return nil }
            if text.hasPrefix("-------\(id)"), text.utf8.count == mark.count + 1, let flag = text.last {
                let frame = MSRPFrame(
                    transactionID: id, word: word(words), fields: fields, body: nil, flag: flag,
                    rawHead: Array(bytes[start..<at]))
                return (frame, next)
            }
            at = next
            if text.isEmpty { break }
            guard let colon = text.firstIndex(of: ":") else { throw SupportError("no MSRP header: `\(text)`") }
            fields.append((String(text[..<colon]), String(text[text.index(after: colon)...]).trimmed))
        }
        let bodyStart = at
        var search = at
        let pattern = [13, 10] + mark
        while let found = find(pattern, in: bytes, from: search) {
            let flagAt = found + pattern.count
            guard flagAt + 2 < bytes.count else { return nil }
            if "$+#".utf8.contains(bytes[flagAt]), bytes[flagAt + 1] == 13, bytes[flagAt + 2] == 10 {
                let frame = MSRPFrame(
                    transactionID: id, word: word(words), fields: fields, body: Array(bytes[bodyStart..<found]),
                    flag: Character(UnicodeScalar(bytes[flagAt])), rawHead: Array(bytes[start..<bodyStart]))
                return (frame, flagAt + 3)
            }
            search = found + 1
        }
        return nil
    }

    private static func word(_ words: [Substring]) -> String {
        words[2...].joined(separator: " ")
    }

    private static func line(_ bytes: [UInt8], _ start: Int) -> (text: String, next: Int)? {
        guard start < bytes.count, let newline = bytes[start...].firstIndex(of: 10) else { return nil }
        let end = newline > start && bytes[newline - 1] == 13 ? newline - 1 : newline
        return (String(decoding: bytes[start..<end], as: UTF8.self), newline + 1)
    }

    private static func find(_ pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBytes { $0.first(pattern, from: start) }
    }

    package var description: String {
        "MSRP \(transactionID) \(word)\n" + fields.map { "\($0.name): \($0.value)\n" }.joined()
            + (body.map { "(\($0.count) octets)\n" } ?? "") + String(flag)
    }
}

extension UnsafeRawBufferPointer {
    /// Where the pattern stands first, from `start` on.
    func first(_ pattern: [UInt8], from start: Int) -> Int? {
        guard let base = baseAddress else { return nil }
        var at = start
        while at + pattern.count <= count {
            guard let hit = memchr(base + at, Int32(pattern[0]), count - pattern.count - at + 1) else { return nil }
            at = UnsafeRawPointer(hit) - base
            if memcmp(base + at, pattern, pattern.count) == 0 { return at }
            at += 1
        }
        return nil
    }
}
