import CGnuTLS
import Foundation

/// A self-signed certificate with its key, as a client makes one for a=fingerprint (RFC 8122).
package struct ClientIdentity: Sendable {
    /// PEM.
    package let certificate: [UInt8]
    package let key: [UInt8]
    /// As in a=fingerprint: `sha-256 AB:CD:...`.
    package let fingerprint: String

    package init() throws {
        var privateKey: gnutls_x509_privkey_t?
        var certificate: gnutls_x509_crt_t?
        guard gnutls_x509_privkey_init(&privateKey) >= 0, gnutls_x509_crt_init(&certificate) >= 0 else {
            throw SupportError("GnuTLS cannot start")
        }
        defer {
            gnutls_x509_privkey_deinit(privateKey)
            gnutls_x509_crt_deinit(certificate)
        }
        var serial: [UInt8] = [1]
        let name = "CN=raw-client"
        let now = time(nil)
        // Bit 31 says that the number names a curve, bits 0 to 30 which.
        let curve = UInt32(1) << 31 | GNUTLS_ECC_CURVE_SECP256R1.rawValue
        let results = [
            gnutls_x509_privkey_generate(privateKey, GNUTLS_PK_ECDSA, curve, 0),
            gnutls_x509_crt_set_version(certificate, 3),
            gnutls_x509_crt_set_serial(certificate, &serial, serial.count),
            gnutls_x509_crt_set_activation_time(certificate, now - 3600),
            gnutls_x509_crt_set_expiration_time(certificate, now + 86400),
            gnutls_x509_crt_set_dn(certificate, name, nil),
            gnutls_x509_crt_set_key(certificate, privateKey),
            gnutls_x509_crt_sign2(certificate, certificate, privateKey, GNUTLS_DIG_SHA256, 0),
        ]
        guard results.allSatisfy({ $0 >= 0 }) else { throw SupportError("no certificate: \(results)") }

        var digest = [UInt8](repeating: 0, count: 32)
        var size = digest.count
        guard gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, &digest, &size) >= 0 else {
            throw SupportError("no fingerprint")
        }
        fingerprint = "sha-256 " + digest.map { String(format: "%02X", $0) }.joined(separator: ":")
        self.certificate = try Self.export { gnutls_x509_crt_export(certificate, GNUTLS_X509_FMT_PEM, $0, $1) }
        key = try Self.export { gnutls_x509_privkey_export(privateKey, GNUTLS_X509_FMT_PEM, $0, $1) }
    }

    private static func export(_ write: (UnsafeMutableRawPointer, UnsafeMutablePointer<Int>) -> Int32) throws -> [UInt8]
    {
        var size = 16384
        var bytes = [UInt8](repeating: 0, count: size)
        let result = bytes.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { write($0, &size) } ?? -1
        }
        guard result >= 0 else { throw SupportError("no PEM") }
        return Array(bytes[..<size])
    }

    package var pem: (certificate: [UInt8], key: [UInt8]) { (certificate, key) }
}
