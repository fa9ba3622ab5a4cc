/// Reads a session description line by line.
enum SDPParser {
    static func parse(_ octets: some Collection<UInt8>, limits: SDPLimits) throws(SDPError) -> SessionDescription {
        throw SDPError.unsupportedVersion
    }
}
