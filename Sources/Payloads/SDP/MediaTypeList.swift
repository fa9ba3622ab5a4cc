/// The value of a=accept-types or a=accept-wrapped-types (RFC 4975 section 8.6): media types, `type/*` and `*`.
/// It keeps one string, because every participant's session holds one.
package struct MediaTypeList: Sendable, Hashable {
    /// The entries, lower-cased and without parameters, separated by one space.
    package let text: String
    /// Whether `*` is among them, so that the usual case needs no search.
    package let allowsAnything: Bool

    package init(_ entries: [String]) {
        let entries = entries.map { ASCII.lowercased($0) }
        allowsAnything = entries.contains("*")
        text =
            allowsAnything && entries.count > 1 && entries.allSatisfy { $0 == "*" }
            ? "*" : entries.joined(separator: " ")
    }

    /// Parameters of an entry do not matter for matching (RFC 4975 section 8.6).
    package init(parsing value: String) {
        self.init(
            ASCII.words(value.utf8).map { word in
                String(decoding: word.utf8.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
            }.filter { !$0.isEmpty })
    }

    package var entries: [String] { ASCII.words(text.utf8) }

    package var isEmpty: Bool { text.isEmpty }

    /// Whether content of this type may be sent; `type` is "type/subtype" without parameters, in any case.
    package func allows(_ type: String) -> Bool {
        if allowsAnything { return true }
        let wanted = ASCII.lowercased(type)
        let major = wanted.utf8.prefix { $0 != UInt8(ascii: "/") }
        guard major.count < wanted.utf8.count else { return false }
        for entry in text.utf8.split(separator: ASCII.space) {
            if entry.elementsEqual(wanted.utf8) { return true }
            if entry.count == major.count + 2, entry.suffix(2).elementsEqual("/*".utf8), entry.starts(with: major) {
                return true
            }
        }
        return false
    }

    package func allows(_ type: ContentType) -> Bool { allowsAnything || allows("\(type.type)/\(type.subtype)") }
}
