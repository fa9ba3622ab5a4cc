/// What wrapped content a participant takes (a=accept-wrapped-types, RFC 4975 section 8.6).
struct AcceptedTypes: Equatable, Sendable {
    /// Nearly every client takes everything, and the room asks before each delivery.
    let isEverything: Bool
    private let patterns: [String]

    init(_ types: [String]) {
        patterns = types.map { $0.lowercased() }
        isEverything = types.isEmpty || patterns.contains("*") || patterns.contains("*/*")
    }

    /// - Parameter type: lower case, without parameters.
    func accepts(_ type: String) -> Bool {
        if isEverything { return true }
        return patterns.contains { pattern in
            pattern == type
                || (pattern.hasSuffix("/*") && type.hasPrefix(pattern.dropLast()))
        }
    }
}
