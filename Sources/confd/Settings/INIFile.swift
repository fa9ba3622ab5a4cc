/// The sections and entries of an INI text with the line each stands on.
///
/// A comment starts with `;` or `#` at the start of a line (blanks before it are allowed), or with `;` after a blank.
/// Values are taken as they stand, never unquoted. The file is UTF-8; lines end in LF or CRLF.
struct INIFile: Equatable, Sendable {
    struct Entry: Equatable, Sendable {
        var key: String
        var value: String
        var line: Int
    }

    struct Section: Equatable, Sendable {
        var name: String
        var line: Int
        var entries: [Entry] = []
    }

    /// A line that is neither a section, an entry nor a comment.
    struct Fault: Equatable, Sendable {
        var line: Int
        var section: String?
        var text: String
    }

    private(set) var sections: [Section] = []
    private(set) var faults: [Fault] = []

    /// Reads all of `bytes`; lines that can't be understood become `faults`, the rest is kept.
    init(parsing bytes: [UInt8]) {
        var rest = bytes[...]
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        var number = 0
        for line in rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard let text = String(validating: line, as: UTF8.self) else {
                faults.append(Fault(line: number, section: sections.last?.name, text: "this line is not UTF-8"))
                continue
            }
            read(Self.withoutComment(text), line: number)
        }
    }

    private mutating func read(_ text: Substring, line: Int) {
        if text.isEmpty { return }
        if text.first == "[" {
            // The last one: an IPv6 domain has brackets of its own.
            guard let close = text.lastIndex(of: "]") else {
                return fault(line, "a section needs its closing bracket: '\(text)]'")
            }
            let name = text[text.index(after: text.startIndex)..<close].trimmingBlanks()
            let tail = text[text.index(after: close)...].trimmingBlanks()
            if name.isEmpty { return fault(line, "a section needs a name, such as [SIP]") }
            if !tail.isEmpty { return fault(line, "'\(tail)' after the section's closing bracket") }
            sections.append(Section(name: String(name), line: line))
            return
        }
        guard let equals = text.firstIndex(of: "=") else {
            return fault(line, "'\(text)' is neither '[section]' nor 'key = value'")
        }
        let key = text[..<equals].trimmingBlanks()
        let value = text[text.index(after: equals)...].trimmingBlanks()
        if key.isEmpty { return fault(line, "a name is missing before '='") }
        if sections.isEmpty {
            return fault(line, "'\(key)' stands before the first section; put it under one, such as [SIP]")
        }
        sections[sections.count - 1].entries.append(Entry(key: String(key), value: String(value), line: line))
    }

    private mutating func fault(_ line: Int, _ text: String) {
        faults.append(Fault(line: line, section: sections.last?.name, text: text))
    }

    private static func withoutComment(_ line: String) -> Substring {
        let text = Substring(line).trimmingBlanks()
        if text.first == ";" || text.first == "#" { return "" }
        var afterBlank = false
        for index in text.unicodeScalars.indices {
            let scalar = text.unicodeScalars[index]
            if scalar == ";" && afterBlank { return text[..<index].trimmingBlanks() }
            afterBlank = scalar == " " || scalar == "\t"
        }
        return text
    }
}

extension StringProtocol where SubSequence == Substring {
    /// Without blanks, tabs and carriage returns at either end.
    func trimmingBlanks() -> Substring {
        func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" || scalar == "\r" }
        var start = unicodeScalars.startIndex
        var end = unicodeScalars.endIndex
        while start < end, isBlank(unicodeScalars[start]) { start = unicodeScalars.index(after: start) }
        while start < end {
            let before = unicodeScalars.index(before: end)
            if !isBlank(unicodeScalars[before]) { break }
            end = before
        }
        return self[start..<end]
    }
}
