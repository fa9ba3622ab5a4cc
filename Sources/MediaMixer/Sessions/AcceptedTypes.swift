/// What wrapped content a participant takes (a=accept-wrapped-types, RFC 4975 section 8.6).
struct AcceptedTypes: Equatable, Sendable {
    /// Nearly every client takes everything, and the room asks before each delivery.
    let isEverything: Bool
    /// Nearly all that is said is text, and nearly every list has `text/*`.
    let isEveryText: Bool
    private let patterns: [String]

    init(_ types: [String]) {
        patterns = types.map { $0.lowercased() }
        isEverything = types.isEmpty || patterns.contains("*") || patterns.contains("*/*")
        isEveryText = isEverything || patterns.contains("text/*")
    }

    /// - Parameter type: lower case, without parameters.
    func accepts(_ type: String) -> Bool {
        if isEverything { return true }
        if isEveryText, type.utf8.starts(with: "text/".utf8) { return true }
        return patterns.contains { pattern in
            pattern == type || (pattern.hasSuffix("/*") && type.utf8.starts(with: pattern.utf8.dropLast()))
        }
    }
}
