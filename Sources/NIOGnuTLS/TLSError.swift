/// Why a TLS connection could not be set up or had to end. It reaches this connection only.
package enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The session could not be created from its context; nothing was sent.
    case setup(GnuTLSCode)
    /// The handshake failed: hostile or incompatible bytes, or no common version, cipher or signature.
    case handshakeFailed(GnuTLSCode)
    /// The peer refused the handshake or ended the session with a fatal alert (RFC 8446 section 6.2).
    case alertReceived(UInt8)
    /// The handshake was not complete in time.
    case handshakeTimedOut
    /// The peer sent more than `TLSLimits.maximumHandshakeBytes` before its handshake was complete.
    case handshakeTooLong
    /// The peer's certificate is not the one it should be; the reason is in the value.
    case peerNotVerified(PeerVerificationFailure)
    /// After the handshake: a record that cannot be decrypted, a renegotiation, an unexpected message.
    case protocolViolation(GnuTLSCode)
    /// More than `TLSLimits.maximumHeldBytes` were written while the handshake was not complete.
    case tooMuchHeld
    /// The connection closed before these bytes were encrypted.
    case closed

    package var description: String {
        switch self {
        case .setup(let code): "TLS session could not be made: \(code)"
        case .handshakeFailed(let code): "TLS handshake failed: \(code)"
        case .alertReceived(let alert): "peer sent TLS alert \(alert)"
        case .handshakeTimedOut: "TLS handshake timed out"
        case .handshakeTooLong: "peer sent too much during the TLS handshake"
        case .peerNotVerified(let failure): "peer's certificate refused: \(failure)"
        case .protocolViolation(let code): "TLS protocol violation: \(code)"
        case .tooMuchHeld: "too much was written before the TLS handshake was complete"
        case .closed: "TLS connection is closed"
        }
    }
}

/// Why a peer's certificate was not accepted.
package enum PeerVerificationFailure: Error, Equatable, Sendable {
    /// The peer presented none.
    case noCertificate
    /// Its digest is in no given fingerprint (RFC 8122 section 5.1).
    case fingerprintMismatch
    /// It is not signed by a trusted authority, expired, or revoked; bits of `gnutls_certificate_status_t`.
    case notTrusted(status: UInt32)
    /// It is not for the name that was asked for (RFC 6125 as GnuTLS implements it).
    case wrongName
}
