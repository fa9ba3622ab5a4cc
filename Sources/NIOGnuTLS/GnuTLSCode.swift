import CGnuTLS

/// A GnuTLS error number that prints as GnuTLS words it.
package struct GnuTLSCode: Error, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32

    package init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }

    package var description: String {
        guard let text = gnutls_strerror(rawValue) else { return "GnuTLS error \(rawValue)" }
        return String(cString: text)
    }
}

extension GnuTLSCode {
    /// Runs a GnuTLS call that answers with a negative number on failure.
    @discardableResult
    static func check(_ call: () -> Int32) throws(GnuTLSCode) -> Int32 {
        let result = call()
        if result < 0 { throw GnuTLSCode(result) }
        return result
    }
}
