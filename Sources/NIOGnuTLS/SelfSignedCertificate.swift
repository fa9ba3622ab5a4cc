import CGnuTLS
import Glibc

/// Certificates for servers that were given none: ECDSA P-256, self-signed, valid for ten years.
package enum SelfSignedCertificate {
    private static let validity = 10 * 365 * 86400
    /// A clock that is behind by less still finds the certificate valid.
    private static let clockTolerance = 86400
    /// X.520's upper bound of a common name.
    private static let longestCommonName = 64

    /// A new certificate for these host names and IP addresses; the first is the common name.
    package static func generate(names: [String]) throws(CertificateError) -> TLSIdentity {
        let pem: (certificate: [UInt8], key: [UInt8])
        do throws(GnuTLSCode) {
            let key = try X509Key()
            pem = (try certificate(for: key, names: names), try key.pem())
        } catch {
            throw .generationFailed(error)
        }
        return try TLSIdentity(certificatePEM: pem.certificate, keyPEM: pem.key)
    }

    /// The certificate in `directory` (`certificate.pem`, `key.pem`) if it is there, readable and not
    /// expired, else a new one for `names`, written there atomically; the key has mode 0600.
    package static func ensure(directory: String, names: [String]) throws(CertificateError) -> CertificateFiles {
        let certificateFile = "\(directory)/certificate.pem"
        let keyFile = "\(directory)/key.pem"
        do throws(CertificateError) {
            let identity = try TLSIdentity.load(certificateFile: certificateFile, keyFile: keyFile)
            if identity.expires > time(nil) {
                return CertificateFiles(
                    certificateFile: certificateFile, keyFile: keyFile, identity: identity, wasGenerated: false)
            }
        } catch {
            // What was written in halves is made anew; what may not be read is for the operator.
            if case .unreadable = error { throw error }
        }
        let identity = try generate(names: names)
        try PrivateFile.makeDirectory(directory)
        try PrivateFile.write(identity.keyPEM, to: keyFile, mode: 0o600)
        try PrivateFile.write(identity.certificatePEM, to: certificateFile, mode: 0o644)
        return CertificateFiles(
            certificateFile: certificateFile, keyFile: keyFile, identity: identity, wasGenerated: true)
    }

    private static func certificate(for key: borrowing X509Key, names: [String]) throws(GnuTLSCode) -> [UInt8] {
        var created: gnutls_x509_crt_t?
        try GnuTLSCode.check { gnutls_x509_crt_init(&created) }
        guard let certificate = created else { throw GnuTLSCode(GNUTLS_E_MEMORY_ERROR) }
        defer { gnutls_x509_crt_deinit(certificate) }
        let handle = key.handle
        let now = time(nil)
        let commonName = Array((names.first ?? "confd").utf8.prefix(longestCommonName))
        var serial = (0..<16).map { _ in UInt8.random(in: 0...255) }
        // Positive and of full length (RFC 5280 section 4.1.2.2).
        serial[0] = serial[0] & 0x3f | 0x40

        try GnuTLSCode.check { gnutls_x509_crt_set_version(certificate, 3) }
        try GnuTLSCode.check { gnutls_x509_crt_set_serial(certificate, serial, serial.count) }
        try GnuTLSCode.check { gnutls_x509_crt_set_activation_time(certificate, now - clockTolerance) }
        try GnuTLSCode.check { gnutls_x509_crt_set_expiration_time(certificate, now + validity) }
        try GnuTLSCode.check {
            gnutls_x509_crt_set_dn_by_oid(
                certificate, GNUTLS_OID_X520_COMMON_NAME, 0, commonName, UInt32(commonName.count))
        }
        for name in names {
            let address = IPAddress.octets(of: name)
            let type = address == nil ? GNUTLS_SAN_DNSNAME : GNUTLS_SAN_IPADDRESS
            let octets = address ?? Array(name.utf8)
            try GnuTLSCode.check {
                gnutls_x509_crt_set_subject_alt_name(
                    certificate, type, octets, UInt32(octets.count), UInt32(GNUTLS_FSAN_APPEND))
            }
        }
        try GnuTLSCode.check { gnutls_x509_crt_set_basic_constraints(certificate, 0, -1) }
        try GnuTLSCode.check {
            gnutls_x509_crt_set_key_usage(certificate, UInt32(GNUTLS_KEY_DIGITAL_SIGNATURE))
        }
        try GnuTLSCode.check { gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0) }
        try GnuTLSCode.check { gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT, 0) }
        try GnuTLSCode.check { gnutls_x509_crt_set_key(certificate, handle) }
        try GnuTLSCode.check { gnutls_x509_crt_sign2(certificate, certificate, handle, GNUTLS_DIG_SHA256, 0) }
        return try .exported { (output: UnsafeMutablePointer<gnutls_datum_t>) -> Int32 in
            gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, output)
        }
    }
}

/// Where a certificate lies, and what is in it.
package struct CertificateFiles: Sendable {
    package let certificateFile: String
    package let keyFile: String
    package let identity: TLSIdentity
    /// False when the files were there before.
    package let wasGenerated: Bool
}
