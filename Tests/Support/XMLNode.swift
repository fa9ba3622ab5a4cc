/// An XML element as these tests look at one: names without prefixes, no entities but the five and numbers. Written
/// for the tests alone; whether a document is well-formed and valid is xmllint's to say.
package final class XMLNode: Sendable {
    package let name: String
    /// By name without prefix.
    package let attributes: [String: String]
    package let children: [XMLNode]
    package let text: String

    init(name: String, attributes: [String: String], children: [XMLNode], text: String) {
        (self.name, self.attributes, self.children, self.text) = (name, attributes, children, text)
    }

    package subscript(attribute: String) -> String? { attributes[attribute] }

    /// The first child of this name.
    package func child(_ name: String) -> XMLNode? { children.first { $0.name == name } }
    package func all(_ name: String) -> [XMLNode] { children.filter { $0.name == name } }
    /// The text of the first child of this name.
    package func value(_ name: String) -> String? { child(name)?.text.trimmedLines }

    package static func parse(_ bytes: [UInt8]) throws -> XMLNode {
        var reader = Reader(text: Array(String(decoding: bytes, as: UTF8.self)))
        return try reader.document()
    }

    private struct Reader {
        let text: [Character]
        var at = 0

        init(text: [Character]) { self.text = text }

        func starts(_ pattern: String) -> Bool { text[at...].starts(with: pattern) }

        mutating func skip(to pattern: String) throws {
            let pattern = Array(pattern)
            while at + pattern.count <= text.count {
                if text[at..<at + pattern.count].elementsEqual(pattern) {
                    at += pattern.count
                    return
                }
                at += 1
            }
            throw SupportError("XML ends before `\(String(pattern))`")
        }

        mutating func skipMisc() throws {
            while at < text.count {
                if text[at].isWhitespace {
                    at += 1
                } else if starts("<?") {
                    try skip(to: "?>")
                } else if starts("<!--") {
                    try skip(to: "-->")
                } else {
                    return
                }
            }
        }

        mutating func document() throws -> XMLNode {
            try skipMisc()
            let root = try element()
            try skipMisc()
            guard at == text.count else { throw SupportError("XML goes on after its root") }
            return root
        }

        mutating func name() -> String {
            let start = at
            while at < text.count, !" \t\r\n\r\n=/>".contains(text[at]) { at += 1 }
            let name = String(text[start..<at])
            return name.split(separator: ":").last.map(String.init) ?? name
        }

        mutating func element() throws -> XMLNode {
            guard starts("<") else { throw SupportError("no XML element") }
            at += 1
            let name = name()
            var attributes = [String: String]()
            while true {
                while at < text.count, text[at].isWhitespace { at += 1 }
                if starts("/>") {
                    at += 2
                    return XMLNode(name: name, attributes: attributes, children: [], text: "")
                }
                if starts(">") {
                    at += 1
                    break
                }
                let attribute = self.name()
                guard at + 1 < text.count, text[at] == "=", text[at + 1] == "\"" || text[at + 1] == "'" else {
                    throw SupportError("no value of attribute \(attribute)")
                }
                let quote = text[at + 1]
                at += 2
                let start = at
                while at < text.count, text[at] != quote { at += 1 }
                attributes[attribute] = Self.unescaped(text[start..<min(at, text.count)])
                at += 1
            }
            var children = [XMLNode]()
            var content = ""
            while at < text.count {
                if starts("</") {
                    try skip(to: ">")
                    return XMLNode(name: name, attributes: attributes, children: children, text: content)
                }
                if starts("<!--") {
                    try skip(to: "-->")
                } else if starts("<") {
                    children.append(try element())
                } else {
                    let start = at
                    while at < text.count, text[at] != "<" { at += 1 }
                    content += Self.unescaped(text[start..<at])
                }
            }
            throw SupportError("XML ends within <\(name)>")
        }

        static func unescaped(_ text: ArraySlice<Character>) -> String {
            guard text.contains("&") else { return String(text) }
            var result = ""
            var rest = String(text)[...]
            while let ampersand = rest.firstIndex(of: "&"), let end = rest[ampersand...].firstIndex(of: ";") {
                result += rest[..<ampersand]
                let name = rest[rest.index(after: ampersand)..<end]
                let named: [Substring: String] = ["lt": "<", "gt": ">", "amp": "&", "quot": "\"", "apos": "'"]
                if name.hasPrefix("#x"), let code = UInt32(name.dropFirst(2), radix: 16),
                    let scalar = Unicode.Scalar(code)
                {
                    result.unicodeScalars.append(scalar)
                } else if name.hasPrefix("#"), let code = UInt32(name.dropFirst()), let scalar = Unicode.Scalar(code) {
                    result.unicodeScalars.append(scalar)
                } else {
                    result += named[name] ?? "&\(name);"
                }
                rest = rest[rest.index(after: end)...]
            }
            return result + rest
        }
    }
}

extension String {
    fileprivate var trimmedLines: String {
        var view = self[...]
        while let first = view.first, first.isWhitespace { view.removeFirst() }
        while let last = view.last, last.isWhitespace { view.removeLast() }
        return String(view)
    }
}
