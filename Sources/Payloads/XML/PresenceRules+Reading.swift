extension PresenceRules {
    /// - Throws: `XMLError`.
    package init(parsing octets: some Collection<UInt8>, limits: XMLLimits = XMLLimits()) throws(XMLError) {
        throw .malformed(line: 0)
    }
}
