extension ResourceList {
    /// - Throws: `XMLError`.
    package init(parsing octets: some Collection<UInt8>, limits: XMLLimits = XMLLimits()) throws(XMLError) {
        throw .malformed(line: 0)
    }

    /// All entries of all lists, each recipient once: of several entries that are the same by the comparison of RFC 3261
    /// section 19.1.4 the first stays, with the highest copy control of them all (RFC 5364 section 4).
    ///
    /// - Parameters:
    ///   - maximum: recipients; one more throws `.tooManyEntries`.
    ///   - part: the octets that a `cid:` reference names, by the id without brackets and scheme; nil when there are none.
    ///     They are read as another resource list.
    /// - Throws: `XMLError`.
    package func flattened(
        maximum: Int, part: (_ contentID: String) -> [UInt8]? = { _ in nil }
    ) throws(XMLError) -> Flattened {
        Flattened(recipients: [], unresolved: [], duplicates: 0)
    }
}
