/// A certificate with its chain and private key: what one end of a TLS connection presents.
package struct TLSIdentity: Sendable {
    /// Leaf first, then the intermediates in the order of the file; DER. Never empty.
    package let chain: [[UInt8]]
    /// The same certificates as one PEM text.
    package let certificatePEM: [UInt8]
    package let keyPEM: [UInt8]

    /// Reads a PEM certificate (leaf first, any intermediates after it) and its PEM private key.
    package static func load(certificateFile: String, keyFile: String) throws(CertificateError) -> TLSIdentity {
        throw .notFound(file: certificateFile)
    }

    /// The same from memory; the names appear in error texts.
    package init(
        certificatePEM: [UInt8], keyPEM: [UInt8], certificateName: String = "certificate", keyName: String = "key"
    ) throws(CertificateError) {
        throw .notACertificate(file: certificateName)
    }

    /// The leaf's fingerprint for SDP.
    package func fingerprint(_ hash: HashFunction = .sha256) -> CertificateFingerprint {
        CertificateFingerprint(hash, ofCertificate: chain.first ?? [])
    }
}
