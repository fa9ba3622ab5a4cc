import CGnuTLS
import NIOCore

/// One TLS connection as a synchronous machine over memory: bytes are fed, bytes are taken, nothing waits.
///
/// It knows no channel. Its owner feeds ciphertext, calls one operation, and takes the output after it.
final class TLSSession {
    /// RFC 8446 section 5.1.
    static let largestRecord = 16384
    /// Header, explicit nonce, padding, MAC: no cipher in use adds more.
    static let largestRecordOverhead = 96
    /// Handshake messages larger than this fail the handshake; a long certificate chain has about 8 KiB.
    private static let largestHandshakeMessage = 65536
    /// Warnings have no use (RFC 8446 section 6); a peer that sends more is playing.
    private static let maximumWarnings = 4

    enum HandshakeStep {
        case wantsMore
        case complete
        case failed(TLSError)
    }

    enum ReadEnd {
        /// All that arrived is decrypted.
        case drained
        /// The peer sent close_notify.
        case closed
        case failed(TLSError)
    }

    private let handle: gnutls_session_t
    private let transport: UnsafeMutablePointer<MemoryTransport>
    private var check: UnsafeMutablePointer<PeerCheck>?
    /// Owns what the handle points to.
    let context: TLSContext
    private var warnings: UInt8 = 0

    init(context: TLSContext, serverName: String?, verification: PeerVerification) throws(TLSError) {
        var created: gnutls_session_t?
        let result = gnutls_init(&created, context.sessionFlags)
        guard result == 0, let handle = created else { throw .setup(GnuTLSCode(result)) }
        self.handle = handle
        self.context = context
        transport = .allocate(capacity: 1)
        transport.initialize(to: MemoryTransport())
        MemoryTransport.attach(transport, to: handle)
        do throws(GnuTLSCode) {
            try context.configure(handle)
            gnutls_handshake_set_max_packet_length(handle, Self.largestHandshakeMessage)
            if context.role == .client {
                if let name = serverName.flatMap(ServerName.init) {
                    try GnuTLSCode.check { name.set(on: handle) }
                }
                let check = UnsafeMutablePointer<PeerCheck>.allocate(capacity: 1)
                check.initialize(to: PeerCheck(verification: verification))
                PeerCheck.attach(check, to: handle)
                self.check = check
            }
        } catch {
            throw .setup(error)
        }
    }

    deinit {
        gnutls_deinit(handle)
        transport.deinitialize(count: 1)
        transport.deallocate()
        check?.deinitialize(count: 1)
        check?.deallocate()
    }

    // MARK: Ciphertext

    var inputBytes: Int { transport.pointee.input.readableBytes }
    var hasInput: Bool { inputBytes > 0 }

    /// Adds ciphertext that arrived.
    func feed(_ ciphertext: ByteBuffer) {
        if hasInput {
            var ciphertext = ciphertext
            transport.pointee.input.writeBuffer(&ciphertext)
        } else {
            transport.pointee.input = ciphertext
        }
    }

    /// Gives the operations that follow a buffer to write their ciphertext to.
    func lendOutput(_ buffer: ByteBuffer) {
        if transport.pointee.output.readableBytes == 0 { transport.pointee.output = buffer }
    }

    var hasOutput: Bool { transport.pointee.output.readableBytes > 0 }

    /// What is to be sent; the session keeps nothing of it.
    func takeOutput() -> ByteBuffer {
        var output = ByteBuffer()
        swap(&output, &transport.pointee.output)
        return output
    }

    // MARK: Operations

    func handshake() -> HandshakeStep {
        while true {
            let result = gnutls_handshake(handle)
            switch result {
            case GNUTLS_E_SUCCESS:
                releaseInputIfDrained()
                return .complete
            case GNUTLS_E_AGAIN, GNUTLS_E_INTERRUPTED:
                releaseInputIfDrained()
                return .wantsMore
            case GNUTLS_E_WARNING_ALERT_RECEIVED, GNUTLS_E_GOT_APPLICATION_DATA:
                if let error = countWarning(result) { return .failed(error) }
            case GNUTLS_E_FATAL_ALERT_RECEIVED:
                return .failed(receivedAlert)
            default:
                gnutls_alert_send_appropriate(handle, result)
                if let failure = check?.pointee.failure { return .failed(.peerNotVerified(failure)) }
                return .failed(.handshakeFailed(GnuTLSCode(result)))
            }
        }
    }

    /// Decrypts all that was fed, and appends it to `plaintext`.
    func read(into plaintext: inout ByteBuffer) -> ReadEnd {
        while hasInput || gnutls_record_check_pending(handle) > 0 {
            let before = transport.pointee.input.readableBytes
            var result = 0
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: 256) { bytes in
                result = gnutls_record_recv(handle, bytes.baseAddress, bytes.count)
                return max(result, 0)
            }
            guard result <= 0 else { continue }
            switch Int32(truncatingIfNeeded: result) {
            case 0:
                releaseInput()
                return .closed
            case GNUTLS_E_AGAIN, GNUTLS_E_INTERRUPTED:
                // Also the answer after a ticket or a key update, with more records behind it.
                if transport.pointee.input.readableBytes == before {
                    return .failed(.protocolViolation(GnuTLSCode(GNUTLS_E_AGAIN)))
                }
            case GNUTLS_E_WARNING_ALERT_RECEIVED:
                if let error = countWarning(GNUTLS_E_WARNING_ALERT_RECEIVED) { return .failed(error) }
            case GNUTLS_E_FATAL_ALERT_RECEIVED:
                return .failed(receivedAlert)
            case let code:
                // Renegotiation (GNUTLS_E_REHANDSHAKE) ends here, too: it is not offered.
                gnutls_alert_send_appropriate(handle, code)
                return .failed(.protocolViolation(GnuTLSCode(code)))
            }
        }
        releaseInput()
        return .drained
    }

    /// Encrypts these bytes, at most `largestRecord`, as one record.
    func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError) {
        guard bytes.count > 0 else { return }
        let result = gnutls_record_send(handle, bytes.baseAddress, bytes.count)
        guard result == bytes.count else {
            throw .protocolViolation(GnuTLSCode(result < 0 ? Int32(truncatingIfNeeded: result) : GNUTLS_E_PUSH_ERROR))
        }
    }

    /// Makes close_notify.
    func close() {
        gnutls_bye(handle, GNUTLS_SHUT_WR)
    }

    // MARK: Outcome of the handshake

    var outcome: TLSHandshakeCompleted {
        TLSHandshakeCompleted(
            version: gnutls_protocol_get_version(handle) == GNUTLS_TLS1_3 ? .tls13 : .tls12,
            peerCertificate: Self.peerCertificate(of: handle), peerIsTrusted: isPeerTrusted,
            serverName: context.role == .server ? ServerName.requested(on: handle) : nil,
            isResumed: gnutls_session_is_resumed(handle) != 0)
    }

    /// Whether the peer's chain leads to a trust anchor of the context.
    private var isPeerTrusted: Bool {
        guard context.hasTrustAnchors, Self.peerCertificate(of: handle) != nil else { return false }
        // The handshake would not have completed.
        if let check, case .authority = check.pointee.verification { return true }
        var status: UInt32 = 0
        return gnutls_certificate_verify_peers3(handle, nil, &status) == 0 && status == 0
    }

    /// The peer's own certificate in DER.
    static func peerCertificate(of session: gnutls_session_t) -> [UInt8]? {
        var count: UInt32 = 0
        guard let list = gnutls_certificate_get_peers(session, &count), count > 0 else { return nil }
        return Array(list.pointee)
    }

    // MARK: Helpers

    private var receivedAlert: TLSError {
        .alertReceived(UInt8(truncatingIfNeeded: gnutls_alert_get(handle).rawValue))
    }

    private func countWarning(_ code: Int32) -> TLSError? {
        warnings &+= 1
        return warnings > Self.maximumWarnings ? .protocolViolation(GnuTLSCode(code)) : nil
    }

    private func releaseInput() {
        transport.pointee.input = ByteBuffer()
    }

    private func releaseInputIfDrained() {
        if !hasInput { releaseInput() }
    }
}
