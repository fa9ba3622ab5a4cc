/// Certificates for servers that were given none: ECDSA P-256, self-signed, valid for ten years.
package enum SelfSignedCertificate {
    /// A new certificate for these host names and IP addresses; the first is the common name.
    package static func generate(names: [String]) throws(CertificateError) -> TLSIdentity {
        throw .generationFailed(GnuTLSCode(-59))
    }

    /// The certificate in `directory` (`certificate.pem`, `key.pem`) if it is there, readable and not
    /// expired, else a new one for `names`, written there atomically; the key has mode 0600.
    package static func ensure(directory: String, names: [String]) throws(CertificateError) -> CertificateFiles {
        throw .notFound(file: directory)
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

/// The folder from which Sofia-SIP loads its certificate (`NUTAG_CERTIFICATE_DIR`).
package enum SIPCertificateFolder {
    /// Writes `agent.pem` (leaf and key, 0600) and `cafile.pem` (intermediates, which Sofia sends as the
    /// chain, or the leaf when there are none) atomically; makes the folder when it is missing.
    package static func write(_ identity: TLSIdentity, to directory: String) throws(CertificateError) {
    }
}
