import CGnuTLS
import Foundation

/// A TLS connection over GnuTLS on the socket itself; trusts any certificate, shows its own when it has one.
package final class TLSByteStream: ByteStream, @unchecked Sendable {
    // Unchecked for the reason ByteStream gives.
    private var session: gnutls_session_t?
    private var credentials: gnutls_certificate_credentials_t?

    /// `identity` is PEM: certificate and key.
    package init(
        to remote: SocketAddress, from local: String? = nil, identity: (certificate: [UInt8], key: [UInt8])? = nil,
        within seconds: Double = 10
    ) throws {
        try super.init(to: remote, from: local, within: seconds)
        guard gnutls_certificate_allocate_credentials(&credentials) >= 0,
            gnutls_init(&session, UInt32(GNUTLS_CLIENT) | UInt32(GNUTLS_NONBLOCK)) >= 0
        else { throw SupportError("GnuTLS cannot start") }
        if let identity { try present(identity) }
        try shakeHands(within: seconds)
    }

    /// Takes over a connection that was accepted, as its TLS server; `identity` as above.
    init(
        accepted descriptor: Int32, from remote: SocketAddress, identity: (certificate: [UInt8], key: [UInt8]),
        within seconds: Double
    ) throws {
        super.init(accepted: descriptor, from: remote)
        guard gnutls_certificate_allocate_credentials(&credentials) >= 0,
            gnutls_init(&session, UInt32(GNUTLS_SERVER) | UInt32(GNUTLS_NONBLOCK)) >= 0
        else { throw SupportError("GnuTLS cannot start") }
        try present(identity)
        try shakeHands(within: seconds)
    }

    private func shakeHands(within seconds: Double) throws {
        gnutls_set_default_priority(session)
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(credentials))
        gnutls_transport_set_int2(session, descriptor, descriptor)
        let deadline = Deadline.after(seconds: seconds)
        while true {
            let result = gnutls_handshake(session)
            if result >= 0 { break }
            if result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED {
                let events = gnutls_record_get_direction(session) == 0 ? POLLIN : POLLOUT
                if waitUntilReady(descriptor, events, deadline) { continue }
                throw SupportError("no TLS handshake with \(remote)")
            }
            if gnutls_error_is_fatal(result) != 0 { throw failure("handshake", Int(result)) }
        }
    }

    deinit {
        if let session { gnutls_deinit(session) }
        if let credentials { gnutls_certificate_free_credentials(credentials) }
    }

    private func present(_ identity: (certificate: [UInt8], key: [UInt8])) throws {
        var certificateBytes = identity.certificate
        var keyBytes = identity.key
        let result = certificateBytes.withUnsafeMutableBufferPointer { certificate in
            keyBytes.withUnsafeMutableBufferPointer { key in
                var certificateDatum = gnutls_datum_t(
                    data: certificate.baseAddress, size: UInt32(certificate.count))
                var keyDatum = gnutls_datum_t(data: key.baseAddress, size: UInt32(key.count))
                return gnutls_certificate_set_x509_key_mem(
                    credentials, &certificateDatum, &keyDatum, GNUTLS_X509_FMT_PEM)
            }
        }
        guard result >= 0 else { throw failure("the client certificate", Int(result)) }
    }

    private func failure(_ what: String, _ code: Int) -> SupportError {
        SupportError("TLS with \(remote), \(what): \(String(cString: gnutls_strerror(Int32(clamping: code))))")
    }

    override func write(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
        let count = gnutls_record_send(session, bytes.baseAddress, bytes.count)
        if count >= 0 { return count }
        if count == Int(GNUTLS_E_AGAIN) || count == Int(GNUTLS_E_INTERRUPTED) { return nil }
        throw failure("sending", count)
    }

    override func read(into bytes: UnsafeMutableRawBufferPointer) throws -> Int? {
        while true {
            let count = gnutls_record_recv(session, bytes.baseAddress, bytes.count)
            if count >= 0 { return count }
            if count == Int(GNUTLS_E_AGAIN) { return nil }
            if count == Int(GNUTLS_E_PREMATURE_TERMINATION) || count == Int(GNUTLS_E_PULL_ERROR) { return 0 }
            if gnutls_error_is_fatal(Int32(clamping: count)) != 0 { throw failure("reading", count) }
        }
    }

    override func farewell() {
        if let session { _ = gnutls_bye(session, GNUTLS_SHUT_WR) }
    }
}
