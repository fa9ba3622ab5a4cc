import CGnuTLS
import Foundation

/// A certificate authority of a test: what it signs is good for one day and for the names it was given.
package final class TestAuthority: @unchecked Sendable {
    // Unchecked: nothing changes after init.
    private let certificate: gnutls_x509_crt_t
    private let key: gnutls_x509_privkey_t
    package let pem: String

    package init(_ name: String = "test authority") throws {
        (certificate, key) = try Self.make(name, serial: 1)
        guard gnutls_x509_crt_set_basic_constraints(certificate, 1, -1) >= 0,
            gnutls_x509_crt_set_key_usage(certificate, UInt32(GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN)) >= 0,
            gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0) >= 0
        else { throw SupportError("no authority") }
        pem = try Self.export { [certificate] in gnutls_x509_crt_export(certificate, GNUTLS_X509_FMT_PEM, $0, $1) }
    }

    deinit {
        gnutls_x509_crt_deinit(certificate)
        gnutls_x509_privkey_deinit(key)
    }

    /// A certificate for the DNS names, and for 127.0.0.1 when it is to be; PEM, certificate and key.
    package func issue(_ names: [String], address: Bool = false) throws -> (certificate: String, key: String) {
        let serial = UInt8.random(in: 2...255)
        let (leaf, leafKey) = try Self.make(names.first ?? "127.0.0.1", serial: serial)
        defer {
            gnutls_x509_crt_deinit(leaf)
            gnutls_x509_privkey_deinit(leafKey)
        }
        var results = names.map { name in
            name.withCString {
                gnutls_x509_crt_set_subject_alt_name(
                    leaf, GNUTLS_SAN_DNSNAME, $0, UInt32(strlen($0)), UInt32(GNUTLS_FSAN_APPEND))
            }
        }
        if address {
            let octets: [UInt8] = [127, 0, 0, 1]
            results.append(
                gnutls_x509_crt_set_subject_alt_name(leaf, GNUTLS_SAN_IPADDRESS, octets, 4, UInt32(GNUTLS_FSAN_APPEND)))
        }
        results.append(gnutls_x509_crt_sign2(leaf, certificate, key, GNUTLS_DIG_SHA256, 0))
        guard results.allSatisfy({ $0 >= 0 }) else { throw SupportError("no certificate: \(results)") }
        return (
            try Self.export { gnutls_x509_crt_export(leaf, GNUTLS_X509_FMT_PEM, $0, $1) },
            try Self.export { gnutls_x509_privkey_export(leafKey, GNUTLS_X509_FMT_PEM, $0, $1) }
        )
    }

    private static func make(_ name: String, serial: UInt8) throws -> (gnutls_x509_crt_t, gnutls_x509_privkey_t) {
        var key: gnutls_x509_privkey_t?
        var certificate: gnutls_x509_crt_t?
        guard gnutls_x509_privkey_init(&key) >= 0, gnutls_x509_crt_init(&certificate) >= 0, let key, let certificate
        else { throw SupportError("GnuTLS cannot start") }
        let number: [UInt8] = [serial]
        let now = time(nil)
        // Bit 31 says that the number names a curve, bits 0 to 30 which.
        let curve = UInt32(1) << 31 | GNUTLS_ECC_CURVE_SECP256R1.rawValue
        let results = [
            gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, curve, 0),
            gnutls_x509_crt_set_version(certificate, 3),
            gnutls_x509_crt_set_serial(certificate, number, number.count),
            gnutls_x509_crt_set_activation_time(certificate, now - 3600),
            gnutls_x509_crt_set_expiration_time(certificate, now + 86400),
            gnutls_x509_crt_set_dn(certificate, "CN=\(name)", nil),
            gnutls_x509_crt_set_key(certificate, key),
        ]
        guard results.allSatisfy({ $0 >= 0 }) else { throw SupportError("no certificate: \(results)") }
        return (certificate, key)
    }

    private static func export(_ write: (UnsafeMutableRawPointer, UnsafeMutablePointer<Int>) -> Int32) throws -> String
    {
        var size = 16384
        var bytes = [UInt8](repeating: 0, count: size)
        let result = bytes.withUnsafeMutableBytes { buffer in buffer.baseAddress.map { write($0, &size) } ?? -1 }
        guard result >= 0 else { throw SupportError("no PEM") }
        return String(decoding: bytes[..<size], as: UTF8.self)
    }
}
