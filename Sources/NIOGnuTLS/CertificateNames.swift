import CGnuTLS
import Glibc

extension TLSIdentity {
    /// The names and addresses the leaf is for (subjectAltName), in its order.
    package var names: [String] { chain.first.map { CertificateName.all(of: $0) } ?? [] }

    /// Whether the leaf is for this host.
    package func isFor(_ host: String) -> Bool {
        chain.first.map { CertificateName.matches(certificate: $0, host: host) } ?? false
    }
}

extension CertificateName {
    /// The DNS names and IP addresses of a certificate in DER.
    static func all(of der: [UInt8]) -> [String] {
        var created: gnutls_x509_crt_t?
        guard gnutls_x509_crt_init(&created) == 0, let certificate = created else { return [] }
        defer { gnutls_x509_crt_deinit(certificate) }
        guard der.withDatum({ gnutls_x509_crt_import(certificate, $0, GNUTLS_X509_FMT_DER) }) >= 0 else { return [] }
        var names: [String] = []
        var index: UInt32 = 0
        while true {
            var octets = [UInt8](repeating: 0, count: 1024)
            var size = octets.count
            let type = gnutls_x509_crt_get_subject_alt_name(certificate, index, &octets, &size, nil)
            if type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE { break }
            index += 1
            if type == Int32(bitPattern: GNUTLS_SAN_DNSNAME.rawValue) {
                names.append(String(decoding: octets.prefix(size), as: UTF8.self))
            } else if type == Int32(bitPattern: GNUTLS_SAN_IPADDRESS.rawValue) {
                if let address = text(ofAddress: octets.prefix(size)) { names.append(address) }
            } else if type < 0, type != GNUTLS_E_SHORT_MEMORY_BUFFER {
                break
            }
        }
        return names
    }

    private static func text(ofAddress octets: ArraySlice<UInt8>) -> String? {
        var text = [CChar](repeating: 0, count: 64)
        let family = octets.count == 4 ? AF_INET : AF_INET6
        guard octets.count == 4 || octets.count == 16,
            octets.withUnsafeBytes({ inet_ntop(family, $0.baseAddress, &text, socklen_t(text.count)) }) != nil
        else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
