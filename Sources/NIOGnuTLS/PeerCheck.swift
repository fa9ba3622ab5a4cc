import CGnuTLS

/// A client's verdict on the server's certificate, made within the handshake so that a wrong server
/// never sees it completed (RFC 8122 section 5.1).
struct PeerCheck {
    let verification: PeerVerification
    var failure: PeerVerificationFailure?

    /// Makes a session ask the check at this address, which must stay until the handshake is over.
    static func attach(_ check: UnsafeMutablePointer<PeerCheck>, to session: gnutls_session_t) {
        gnutls_session_set_ptr(session, check)
        gnutls_session_set_verify_function(session) { session in
            guard let session, let check = gnutls_session_get_ptr(session) else { return -1 }
            return check.assumingMemoryBound(to: PeerCheck.self).pointee.verify(session) ? 0 : -1
        }
    }

    private mutating func verify(_ session: gnutls_session_t) -> Bool {
        switch verification {
        case .none:
            break
        case .fingerprints(let fingerprints):
            if let certificate = TLSSession.peerCertificate(of: session) {
                let matches = CertificateFingerprint.match(certificate: certificate, oneOf: fingerprints)
                failure = matches ? nil : .fingerprintMismatch
            } else {
                failure = .noCertificate
            }
        case .authority(let name):
            failure = Self.verifyChain(session, name: name)
        }
        return failure == nil
    }

    private static func verifyChain(_ session: gnutls_session_t, name: String) -> PeerVerificationFailure? {
        guard TLSSession.peerCertificate(of: session) != nil else { return .noCertificate }
        var status: UInt32 = 0
        guard gnutls_certificate_verify_peers3(session, name, &status) == 0 else { return .notTrusted(status: 0) }
        let wrongOwner = GNUTLS_CERT_UNEXPECTED_OWNER.rawValue
        let invalid = GNUTLS_CERT_INVALID.rawValue
        if status == 0 { return nil }
        return status & ~invalid == wrongOwner ? .wrongName : .notTrusted(status: status)
    }
}
