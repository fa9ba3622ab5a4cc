import CGnuTLS
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

/// Which authorities are trusted: by a client that verifies by authority, and for telling whose certificate the peer's is.
package enum TrustAnchors: Sendable {
    case none
    /// Those of the operating system.
    case system
    /// Certificates in a PEM file.
    case file(String)
    case pem([UInt8])

    /// With the file's contents in place of its name.
    func read() throws(CertificateError) -> TrustAnchors {
        guard case .file(let path) = self else { return self }
        let pem = try PrivateFile.read(path)
        guard X509List(pem: pem) != nil else { throw .notACertificate(file: path) }
        return .pem(pem)
    }
}

/// What all TLS connections of one kind share: certificates, trust, ticket key, counters.
package final class TLSContext: Sendable {
    package let role: TLSRole
    package let counters = TLSCounters()
    let sessionFlags: UInt32

    // GnuTLS only reads credentials and priorities once sessions use them, and allows that from several
    // threads; they are changed nowhere after init and freed when the last session is gone, because every
    // session keeps its context.
    private nonisolated(unsafe) let credentials: gnutls_certificate_credentials_t
    private nonisolated(unsafe) let priorities: gnutls_priority_t
    private let ticketKey: [UInt8]
    private let asksForCertificate: Bool
    let hasTrustAnchors: Bool

    /// For accepting connections. The first identity is the default; with several, the name that the
    /// client asks for (SNI, RFC 6066 section 3) selects. A client certificate is asked for, never
    /// required: whom it belongs to is for the owner to decide when the handshake is complete. The trust anchors decide
    /// about `TLSHandshakeCompleted.peerIsTrusted` and about nothing else (RFC 4976 section 9.2).
    package static func server(
        identities: [TLSIdentity], trust: TrustAnchors = .none, asksForCertificate: Bool = true,
        versions: [TLSVersion] = [.tls12, .tls13],
        sendsTickets: Bool = true
    ) throws(CertificateError) -> TLSContext {
        let trust = try trust.read()
        do throws(GnuTLSCode) {
            return try TLSContext(
                role: .server, identities: identities, trust: trust, versions: versions,
                asksForCertificate: asksForCertificate, sendsTickets: sendsTickets)
        } catch {
            throw .unusable(error)
        }
    }

    /// For connecting. The identity is presented when the server asks for a certificate.
    package static func client(
        identity: TLSIdentity? = nil, trust: TrustAnchors = .none, versions: [TLSVersion] = [.tls12, .tls13]
    ) throws(CertificateError) -> TLSContext {
        let trust = try trust.read()
        do throws(GnuTLSCode) {
            return try TLSContext(
                role: .client, identities: identity.map { [$0] } ?? [], trust: trust, versions: versions,
                asksForCertificate: false, sendsTickets: false)
        } catch {
            throw .unusable(error)
        }
    }

    private init(
        role: TLSRole, identities: [TLSIdentity], trust: TrustAnchors, versions: [TLSVersion],
        asksForCertificate: Bool, sendsTickets: Bool
    ) throws(GnuTLSCode) {
        var credentials: gnutls_certificate_credentials_t?
        try GnuTLSCode.check { gnutls_certificate_allocate_credentials(&credentials) }
        guard let credentials else { throw GnuTLSCode(GNUTLS_E_MEMORY_ERROR) }
        var priorities: gnutls_priority_t?
        do throws(GnuTLSCode) {
            try GnuTLSCode.check { gnutls_priority_init2(&priorities, Self.priority(versions), nil, 0) }
            guard priorities != nil else { throw GnuTLSCode(GNUTLS_E_MEMORY_ERROR) }
            for identity in identities { try Self.add(identity, to: credentials) }
            try Self.add(trust, to: credentials)
            ticketKey =
                sendsTickets
                ? try .exported { (key: UnsafeMutablePointer<gnutls_datum_t>) -> Int32 in
                    gnutls_session_ticket_key_generate(key)
                } : []
        } catch {
            gnutls_certificate_free_credentials(credentials)
            if let priorities { gnutls_priority_deinit(priorities) }
            throw error
        }
        guard let priorities else { throw GnuTLSCode(GNUTLS_E_MEMORY_ERROR) }
        self.role = role
        self.credentials = credentials
        self.priorities = priorities
        self.asksForCertificate = asksForCertificate
        if case .none = trust { hasTrustAnchors = false } else { hasTrustAnchors = true }
        var flags = UInt32(GNUTLS_NONBLOCK)
        switch role {
        case .server: flags |= UInt32(GNUTLS_SERVER)
        case .client: flags |= UInt32(GNUTLS_CLIENT) | GNUTLS_FORCE_CLIENT_CERT.rawValue
        }
        if !sendsTickets { flags |= UInt32(GNUTLS_NO_TICKETS) }
        sessionFlags = flags
    }

    deinit {
        gnutls_certificate_free_credentials(credentials)
        gnutls_priority_deinit(priorities)
    }

    /// Prepares a session that was made with `sessionFlags`.
    func configure(_ session: gnutls_session_t) throws(GnuTLSCode) {
        try GnuTLSCode.check { gnutls_priority_set(session, priorities) }
        try GnuTLSCode.check {
            gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(credentials))
        }
        if asksForCertificate {
            gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST)
            // Clients are not told whom we trust: they would withhold certificates that are good for other ends, such
            // as those that a=fingerprint describes.
            gnutls_certificate_send_x509_rdn_sequence(session, 1)
        }
        if !ticketKey.isEmpty {
            try GnuTLSCode.check { ticketKey.withDatum { gnutls_session_ticket_enable_server(session, $0) } }
        }
    }

    private static func priority(_ versions: [TLSVersion]) -> String {
        // AES-128-GCM first: chat needs no more, and it is the cheapest for both ends.
        let ciphers = "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-CBC:+AES-256-CBC"
        let tls13 = versions.contains(.tls13) ? ":+VERS-TLS1.3" : ""
        let tls12 = versions.contains(.tls12) ? ":+VERS-TLS1.2" : ""
        return "NORMAL:-VERS-ALL\(tls13)\(tls12):\(ciphers)"
    }

    private static func add(
        _ identity: TLSIdentity, to credentials: gnutls_certificate_credentials_t
    ) throws(GnuTLSCode) {
        try GnuTLSCode.check {
            identity.certificatePEM.withDatum { certificate in
                identity.keyPEM.withDatum { key in
                    gnutls_certificate_set_x509_key_mem2(credentials, certificate, key, GNUTLS_X509_FMT_PEM, nil, 0)
                }
            }
        }
    }

    private static func add(
        _ trust: TrustAnchors, to credentials: gnutls_certificate_credentials_t
    ) throws(GnuTLSCode) {
        switch trust {
        case .none, .file: break
        case .system:
            try GnuTLSCode.check { gnutls_certificate_set_x509_system_trust(credentials) }
        case .pem(let pem):
            try GnuTLSCode.check {
                pem.withDatum { gnutls_certificate_set_x509_trust_mem(credentials, $0, GNUTLS_X509_FMT_PEM) }
            }
        }
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
