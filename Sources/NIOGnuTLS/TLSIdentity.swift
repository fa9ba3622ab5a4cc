import CGnuTLS

/// A certificate with its chain and private key: what one end of a TLS connection presents.
package struct TLSIdentity: Sendable {
    /// Leaf first, then the intermediates; DER. Never empty.
    package let chain: [[UInt8]]
    /// The private key in PEM (PKCS #8), whatever form it was read from.
    package let keyPEM: [UInt8]
    /// When the leaf expires, seconds since 1970.
    package let expires: Int

    /// Reads a PEM certificate (leaf first, any intermediates after it) and its PEM private key. Both may
    /// be in one file.
    package static func load(certificateFile: String, keyFile: String) throws(CertificateError) -> TLSIdentity {
        let certificate = try PrivateFile.read(certificateFile)
        let key = try PrivateFile.read(keyFile)
        return try TLSIdentity(
            certificatePEM: certificate, keyPEM: key, certificateName: certificateFile, keyName: keyFile)
    }

    /// The same from memory; the names appear in error texts.
    package init(
        certificatePEM: [UInt8], keyPEM: [UInt8], certificateName: String = "certificate", keyName: String = "key"
    ) throws(CertificateError) {
        guard let certificates = X509List(pem: certificatePEM), let leaf = certificates.first else {
            throw .notACertificate(file: certificateName)
        }
        guard let key = X509Key(pem: keyPEM), let normalised = try? key.pem() else { throw .notAKey(file: keyName) }
        guard key.belongs(to: leaf) else { throw .keyMismatch(keyFile: keyName, certificateFile: certificateName) }
        guard let chain = try? certificates.der() else { throw .notACertificate(file: certificateName) }
        self.chain = chain
        self.keyPEM = normalised
        expires = gnutls_x509_crt_get_expiration_time(leaf)
    }

    /// The leaf and its chain as one PEM text.
    package var certificatePEM: [UInt8] {
        chain.flatMap(Self.pem(ofCertificate:))
    }

    /// The leaf's fingerprint for SDP.
    package func fingerprint(_ hash: HashFunction = .sha256) -> CertificateFingerprint {
        CertificateFingerprint(hash, ofCertificate: chain[0])
    }

    static func pem(ofCertificate der: [UInt8]) -> [UInt8] {
        let pem = try? [UInt8].exported { (output: UnsafeMutablePointer<gnutls_datum_t>) -> Int32 in
            der.withDatum { gnutls_pem_base64_encode2("CERTIFICATE", $0, output) }
        }
        return pem ?? []
    }
}

/// Certificates that GnuTLS has parsed.
struct X509List: ~Copyable {
    private let list: UnsafeMutablePointer<gnutls_x509_crt_t?>?
    private let count: UInt32

    /// nil when this is not PEM, or holds no certificate.
    init?(pem: [UInt8]) {
        var list: UnsafeMutablePointer<gnutls_x509_crt_t?>?
        var count: UInt32 = 0
        let flags = GNUTLS_X509_CRT_LIST_SORT.rawValue
        let result = pem.withDatum { gnutls_x509_crt_list_import2(&list, &count, $0, GNUTLS_X509_FMT_PEM, flags) }
        guard result >= 0, count > 0 else { return nil }
        self.list = list
        self.count = count
    }

    deinit {
        for certificate in UnsafeBufferPointer(start: list, count: Int(count)) {
            gnutls_x509_crt_deinit(certificate)
        }
        confd_gnutls_free(list)
    }

    var first: gnutls_x509_crt_t? { list?.pointee }

    func der() throws(GnuTLSCode) -> [[UInt8]] {
        var chain: [[UInt8]] = []
        for certificate in UnsafeBufferPointer(start: list, count: Int(count)) {
            chain.append(
                try .exported { (output: UnsafeMutablePointer<gnutls_datum_t>) -> Int32 in
                    gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, output)
                })
        }
        return chain
    }
}

/// A private key that GnuTLS has parsed or made.
struct X509Key: ~Copyable {
    let handle: gnutls_x509_privkey_t

    /// nil when this holds no private key in PEM, or an encrypted one.
    init?(pem: [UInt8]) {
        var created: gnutls_x509_privkey_t?
        guard gnutls_x509_privkey_init(&created) == 0, let handle = created else { return nil }
        let result = pem.withDatum { gnutls_x509_privkey_import2(handle, $0, GNUTLS_X509_FMT_PEM, nil, 0) }
        guard result >= 0 else {
            gnutls_x509_privkey_deinit(handle)
            return nil
        }
        self.handle = handle
    }

    /// A new ECDSA key on P-256.
    init() throws(GnuTLSCode) {
        var created: gnutls_x509_privkey_t?
        let result = gnutls_x509_privkey_init(&created)
        guard result == 0, let handle = created else { throw GnuTLSCode(result) }
        let generated = gnutls_x509_privkey_generate(handle, GNUTLS_PK_ECDSA, confd_gnutls_p256_bits(), 0)
        guard generated >= 0 else {
            gnutls_x509_privkey_deinit(handle)
            throw GnuTLSCode(generated)
        }
        self.handle = handle
    }

    deinit {
        gnutls_x509_privkey_deinit(handle)
    }

    func pem() throws(GnuTLSCode) -> [UInt8] {
        let handle = handle
        return try .exported { (output: UnsafeMutablePointer<gnutls_datum_t>) -> Int32 in
            gnutls_x509_privkey_export2_pkcs8(handle, GNUTLS_X509_FMT_PEM, nil, GNUTLS_PKCS_PLAIN.rawValue, output)
        }
    }

    func belongs(to certificate: gnutls_x509_crt_t) -> Bool {
        var own = [UInt8](repeating: 0, count: 64)
        var other = own
        var ownLength = own.count
        var otherLength = other.count
        let flags = GNUTLS_KEYID_USE_SHA256.rawValue
        guard gnutls_x509_privkey_get_key_id(handle, flags, &own, &ownLength) == 0,
            gnutls_x509_crt_get_key_id(certificate, flags, &other, &otherLength) == 0
        else { return false }
        return own.prefix(ownLength) == other.prefix(otherLength)
    }
}
