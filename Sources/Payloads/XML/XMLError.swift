/// Why octets are no document that can be used.
package enum XMLError: Error, Sendable, Hashable {
    /// More octets than `XMLLimits.octets`.
    case tooLong
    /// A document type declaration: nothing here needs one, and entities come from there.
    case documentType
    /// Elements within elements, more than `XMLLimits.depth`.
    case tooDeep
    case tooManyElements
    /// More attributes on an element than `XMLLimits.attributes`, or one longer than `XMLLimits.attributeOctets`.
    case attributes
    /// Not well-formed.
    case malformed(line: Int)
    /// Well-formed, and another document than was expected, or a value in it that is none of its type.
    case unexpected(String)
    /// More entries than the reader takes.
    case tooManyEntries
}

extension XMLError: CustomStringConvertible {
    /// For people.
    package var description: String {
        switch self {
        case .tooLong: "it is too long"
        case .documentType: "it has a document type declaration (DOCTYPE), which is not taken"
        case .tooDeep: "its elements are nested too deeply"
        case .tooManyElements: "it has too many elements"
        case .attributes: "an element has too many attributes, or one that is too long"
        case .malformed(let line): line > 0 ? "line \(line) is not well-formed XML" : "it is not well-formed XML"
        case .unexpected(let part): "'\(part)' does not belong there or is not as it must be"
        case .tooManyEntries: "it has too many entries"
        }
    }
}

/// What a peer's document may cost.
package struct XMLLimits: Sendable {
    package var octets: Int
    package var depth: Int
    package var elements: Int
    /// On one element, namespace declarations included.
    package var attributes: Int
    /// Of one attribute's value as written.
    package var attributeOctets: Int

    package init(
        octets: Int = 256 << 10, depth: Int = 32, elements: Int = 10_000, attributes: Int = 32,
        attributeOctets: Int = 4096
    ) {
        self.octets = octets
        self.depth = depth
        self.elements = elements
        self.attributes = attributes
        self.attributeOctets = attributeOctets
    }
}
