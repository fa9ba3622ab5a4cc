import CGnuTLS

extension [UInt8] {
    /// The octets of a datum that belongs to somebody else.
    init(_ datum: gnutls_datum_t) {
        self.init(UnsafeBufferPointer(start: datum.data, count: Int(datum.size)))
    }

    /// The octets that a GnuTLS function allocates; its memory is released.
    static func exported(by function: (UnsafeMutablePointer<gnutls_datum_t>) -> Int32) throws(GnuTLSCode) -> [UInt8] {
        var datum = gnutls_datum_t()
        let result = function(&datum)
        guard result >= 0 else { throw GnuTLSCode(result) }
        defer { confd_gnutls_free(datum.data) }
        return Array(datum)
    }

    /// Lends these octets as a datum, for functions that only read it.
    func withDatum<Result>(_ body: (UnsafePointer<gnutls_datum_t>) -> Result) -> Result {
        withUnsafeBufferPointer { bytes in
            var datum = gnutls_datum_t(
                data: UnsafeMutablePointer(mutating: bytes.baseAddress), size: UInt32(clamping: bytes.count))
            return body(&datum)
        }
    }
}
