import CGnuTLS
import Glibc
import NIOCore

/// The network as a GnuTLS session sees it: ciphertext that arrived and ciphertext to send, in memory.
///
/// It lives at an address that stays the same as long as the session, because GnuTLS keeps a pointer to
/// it. GnuTLS calls back only from within a call to it, on the thread of that call.
struct MemoryTransport {
    /// What arrived and was not read by the session yet.
    var input = ByteBuffer()
    /// What the session wants to send.
    var output = ByteBuffer()

    /// Makes a session use the transport at this address.
    static func attach(_ transport: UnsafeMutablePointer<MemoryTransport>, to session: gnutls_session_t) {
        gnutls_transport_set_ptr(session, transport)
        gnutls_transport_set_pull_function(session) { transport, destination, count in
            MemoryTransport.pull(transport, destination, count)
        }
        gnutls_transport_set_vec_push_function(session) { transport, vectors, count in
            MemoryTransport.push(transport, vectors, count)
        }
        // A pull fails for one reason only: nothing has arrived.
        gnutls_transport_set_errno_function(session) { _ in EAGAIN }
    }

    private static func pull(
        _ transport: UnsafeMutableRawPointer?, _ destination: UnsafeMutableRawPointer?, _ count: Int
    ) -> Int {
        guard let transport, let destination else { return -1 }
        let input = transport.assumingMemoryBound(to: MemoryTransport.self)
        let length = input.pointee.input.readWithUnsafeReadableBytes { bytes in
            let length = min(bytes.count, count)
            if let source = bytes.baseAddress { destination.copyMemory(from: source, byteCount: length) }
            return length
        }
        return length > 0 ? length : -1
    }

    private static func push(
        _ transport: UnsafeMutableRawPointer?, _ vectors: UnsafePointer<giovec_t>?, _ count: Int32
    ) -> Int {
        guard let transport, let vectors else { return -1 }
        let output = transport.assumingMemoryBound(to: MemoryTransport.self)
        var length = 0
        for vector in UnsafeBufferPointer(start: vectors, count: Int(count)) {
            let bytes = UnsafeRawBufferPointer(start: vector.iov_base, count: vector.iov_len)
            length += output.pointee.output.writeBytes(bytes)
        }
        return length
    }
}
