import CGnuTLS

/// Whom a certificate is for.
package enum CertificateName {
    /// Whether a certificate in DER is for this host, a name or an address, by its subjectAltName; the common name does not
    /// count (RFC 6125 section 6.4.4).
    package static func matches(certificate der: [UInt8], host: String) -> Bool {
        // C would see only what is before it.
        guard !host.utf8.contains(0) else { return false }
        var created: gnutls_x509_crt_t?
        guard gnutls_x509_crt_init(&created) == 0, let certificate = created else { return false }
        defer { gnutls_x509_crt_deinit(certificate) }
        let isRead = der.withDatum { gnutls_x509_crt_import(certificate, $0, GNUTLS_X509_FMT_DER) } >= 0
        return isRead && hasAlternativeName(certificate) && gnutls_x509_crt_check_hostname2(certificate, host, 0) != 0
    }

    private static func hasAlternativeName(_ certificate: gnutls_x509_crt_t) -> Bool {
        var index: UInt32 = 0
        while true {
            var size = 0
            let type = gnutls_x509_crt_get_subject_alt_name(certificate, index, nil, &size, nil)
            if type == GNUTLS_E_SHORT_MEMORY_BUFFER {
                return true
            }
            guard type >= 0 else { return false }
            index += 1
        }
    }
}
