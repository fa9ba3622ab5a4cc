import CGnuTLS
package import NIOCore

/// SHA-256 of what is given to it piece by piece.
package final class FileHash {
    private var handle: gnutls_hash_hd_t?

    package init() {
        // Without the function the digest stays empty, and an empty one equals no other.
        if gnutls_hash_init(&handle, GNUTLS_DIG_SHA256) != 0 { handle = nil }
    }

    deinit {
        if let handle { gnutls_hash_deinit(handle, nil) }
    }

    package func update(_ octets: UnsafeRawBufferPointer) {
        guard let handle, octets.count > 0 else { return }
        gnutls_hash(handle, octets.baseAddress, octets.count)
    }

    package func update(_ bytes: ByteBuffer) { bytes.withUnsafeReadableBytes(update) }

    /// Of all so far, in lower-case hexadecimal digits; more may follow.
    package var hexadecimal: String {
        guard let handle, let copy = gnutls_hash_copy(handle) else { return "" }
        var digest = [UInt8](repeating: 0, count: 32)
        gnutls_hash_deinit(copy, &digest)
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
