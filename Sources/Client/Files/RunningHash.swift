import CGnuTLS
package import NIOCore
package import Payloads

/// The hash of what is given to it piece by piece.
package final class RunningHash {
    package let function: Fingerprint.Hash
    private var handle: gnutls_hash_hd_t?

    package init(_ function: Fingerprint.Hash = .sha256) {
        self.function = function
        let algorithm: gnutls_digest_algorithm_t =
            switch function {
            case .sha1: GNUTLS_DIG_SHA1
            case .sha224: GNUTLS_DIG_SHA224
            case .sha256: GNUTLS_DIG_SHA256
            case .sha384: GNUTLS_DIG_SHA384
            case .sha512: GNUTLS_DIG_SHA512
            }
        // Without the function the digest stays empty, and an empty one equals no other.
        if gnutls_hash_init(&handle, algorithm) != 0 { handle = nil }
    }

    deinit {
        if let handle { gnutls_hash_deinit(handle, nil) }
    }

    package func update(_ octets: UnsafeRawBufferPointer) {
        guard let handle, octets.count > 0 else { return }
        gnutls_hash(handle, octets.baseAddress, octets.count)
    }

    package func update(_ bytes: ByteBuffer) { bytes.withUnsafeReadableBytes(update) }

    /// Of all so far; more may follow.
    package var digest: [UInt8] {
        guard let handle, let copy = gnutls_hash_copy(handle) else { return [] }
        var digest = [UInt8](repeating: 0, count: function.length)
        gnutls_hash_deinit(copy, &digest)
        return digest
    }

    package var fingerprint: Fingerprint { Fingerprint(hash: function, digest: digest) }

    /// `digest` in lower-case hexadecimal digits.
    package var hexadecimal: String { digest.hexadecimal }
}

extension [UInt8] {
    /// Lower-case digits.
    var hexadecimal: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
