internal import CGnuTLS

/// The hash functions by which files are known: RFC 5547 has the first, its users the second.
package enum FileHash: String, Sendable, CaseIterable {
    case sha1 = "sha-1"
    case sha256 = "sha-256"

    var length: Int { self == .sha1 ? 20 : 32 }

    fileprivate var algorithm: gnutls_digest_algorithm_t { self == .sha1 ? GNUTLS_DIG_SHA1 : GNUTLS_DIG_SHA256 }
}

/// What a file's octets come to.
struct FileDigests: Sendable, Equatable {
    var sha1: [UInt8]
    var sha256: [UInt8]

    func digest(_ hash: FileHash) -> [UInt8] { hash == .sha1 ? sha1 : sha256 }
}

/// SHA-1 and SHA-256 of octets as they come.
final class FileDigest {
    private var handles: [(hash: FileHash, handle: gnutls_hash_hd_t)] = []

    /// Nil when the host's policy forbids one of the functions.
    init?() {
        for hash in FileHash.allCases {
            var handle: gnutls_hash_hd_t?
            guard gnutls_hash_init(&handle, hash.algorithm) == 0, let handle else { return nil }
            handles.append((hash, handle))
        }
    }

    deinit {
        for (_, handle) in handles { gnutls_hash_deinit(handle, nil) }
    }

    /// - Returns: false when GnuTLS fails.
    func update(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return true }
        return handles.allSatisfy { gnutls_hash($0.handle, base, bytes.count) == 0 }
    }

    /// The digests of what came since the last call; then it begins anew.
    func take() -> FileDigests {
        var digests = FileDigests(sha1: [], sha256: [])
        for (hash, handle) in handles {
            let digest = [UInt8](unsafeUninitializedCapacity: hash.length) { output, count in
                gnutls_hash_output(handle, output.baseAddress)
                count = hash.length
            }
            if hash == .sha1 { digests.sha1 = digest } else { digests.sha256 = digest }
        }
        return digests
    }
}

@available(*, unavailable)
extension FileDigest: Sendable {}
