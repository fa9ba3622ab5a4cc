import Synchronization

/// Which end of the handshake this is.
package enum TLSRole: Sendable {
    case client
    case server
}

/// A protocol version that was negotiated.
package enum TLSVersion: Sendable, Equatable {
    case tls12
    case tls13
}

/// How a client decides about the server's certificate.
package enum PeerVerification: Sendable {
    /// Any certificate is taken; the owner compares it afterwards if it wants to.
    case none
    /// The certificate must match (RFC 8122 section 5.1).
    case fingerprints([CertificateFingerprint])
    /// The chain must lead to an authority of the context, and the leaf must be for this name or address.
    case authority(name: String)
}

/// Which authorities a client trusts when it verifies by authority.
package enum TrustAnchors: Sendable {
    case none
    /// Those of the operating system.
    case system
    /// Certificates in a PEM file.
    case file(String)
    case pem([UInt8])
}

/// What all TLS connections of one kind share: certificates, trust, ticket key, counters.
package final class TLSContext: Sendable {
    package let role: TLSRole
    package let counters = TLSCounters()

    /// For accepting connections. The first identity is the default; with several, the name that the
    /// client asks for (SNI, RFC 6066 section 3) selects. A client certificate is asked for, never
    /// required: whom it belongs to is for the owner to decide when the handshake is complete.
    package static func server(
        identities: [TLSIdentity], asksForCertificate: Bool = true, versions: [TLSVersion] = [.tls12, .tls13],
        sendsTickets: Bool = true
    ) throws(CertificateError) -> TLSContext {
        TLSContext(role: .server)
    }

    /// For connecting. The identity is presented when the server asks for a certificate.
    package static func client(
        identity: TLSIdentity? = nil, trust: TrustAnchors = .none, versions: [TLSVersion] = [.tls12, .tls13]
    ) throws(CertificateError) -> TLSContext {
        TLSContext(role: .client)
    }

    private init(role: TLSRole) {
        self.role = role
    }
}

/// How often what happened, over all connections of a context. Never decreases.
package final class TLSCounters: Sendable {
    let completed = Atomic<UInt64>(0)
    let failed = Atomic<UInt64>(0)
    let timedOut = Atomic<UInt64>(0)
    let violated = Atomic<UInt64>(0)

    package var handshakesCompleted: UInt64 { completed.load(ordering: .relaxed) }
    /// Includes those that timed out.
    package var handshakesFailed: UInt64 { failed.load(ordering: .relaxed) }
    package var handshakesTimedOut: UInt64 { timedOut.load(ordering: .relaxed) }
    /// Connections ended because of hostile or broken bytes after their handshake.
    package var protocolViolations: UInt64 { violated.load(ordering: .relaxed) }
}
