/// The content types a session takes: `message/cpim`, `text/*` or `*` (RFC 4975 section 8.6).
package struct AcceptTypes: Sendable, Hashable {
    private let patterns: [String]

    package init(_ patterns: [String]) {
        self.patterns = patterns.map { $0.lowercased() }
    }

    package static let all = AcceptTypes(["*"])

    /// Whether a Content-Type value is among them; its parameters do not count, nor does case.
    package func accepts(_ contentType: String) -> Bool {
        let type = contentType.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        guard let slash = type.firstIndex(of: "/"), slash != type.startIndex else { return false }
        return patterns.contains { pattern in
            pattern == "*" || pattern == "*/*" || pattern == type
                || (pattern.hasSuffix("/*") && type[...slash] == pattern.dropLast())
        }
    }
}
