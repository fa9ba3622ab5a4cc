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
