package import NIOCore

/// Inbound user event: the handshake is complete and plaintext flows.
package struct TLSHandshakeCompleted: Sendable {
    package let version: TLSVersion
    /// The peer's own certificate in DER; nil when it presented none.
    package let peerCertificate: [UInt8]?
    /// The peer presented a certificate whose chain leads to a trust anchor of the context; whose it is has not been
    /// looked at.
    package let peerIsTrusted: Bool
    /// The name the client asked for (SNI), on the server side.
    package let serverName: String?
    /// The session was resumed from a ticket.
    package let isResumed: Bool

    /// Of the peer's certificate; nil when it presented none.
    package func peerFingerprint(_ hash: HashFunction) -> CertificateFingerprint? {
        peerCertificate.map { CertificateFingerprint(hash, ofCertificate: $0) }
    }

    /// Whether the peer presented a certificate that these describe (RFC 8122 section 5.1).
    package func peerMatches(_ fingerprints: [CertificateFingerprint]) -> Bool {
        guard let peerCertificate else { return false }
        return CertificateFingerprint.match(certificate: peerCertificate, oneOf: fingerprints)
    }
}

/// Outbound user event: closes at once, without close_notify and without waiting for what is queued.
package struct TLSAbort: Sendable {
    package init() {}
}

/// What a peer may make a TLS connection hold, and how long it may take.
package struct TLSLimits: Sendable {
    /// From the start of the handshake to its end.
    package var handshakeTimeout: TimeAmount
    /// How long an orderly close waits for its last bytes to leave.
    package var closeTimeout: TimeAmount
    /// Plaintext held while the handshake is not complete, octets.
    package var maximumHeldBytes: Int
    /// What a peer may send before its handshake is complete, octets.
    package var maximumHandshakeBytes: Int

    package init(
        handshakeTimeout: TimeAmount = .seconds(10), closeTimeout: TimeAmount = .seconds(2),
        maximumHeldBytes: Int = 1 << 20, maximumHandshakeBytes: Int = 1 << 17
    ) {
        self.handshakeTimeout = handshakeTimeout
        self.closeTimeout = closeTimeout
        self.maximumHeldBytes = maximumHeldBytes
        self.maximumHandshakeBytes = maximumHandshakeBytes
    }
}
