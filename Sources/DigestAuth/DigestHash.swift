internal import CGnuTLS

/// The hash functions of digest authentication (RFC 7616 section 3.3, RFC 8760).
package enum DigestAlgorithm: String, Sendable, CaseIterable {
    case md5 = "MD5"
    case sha256 = "SHA-256"
    case md5Session = "MD5-sess"
    case sha256Session = "SHA-256-sess"

    /// Finds the algorithm by its token; case does not count. No token means MD5.
    package init?(token: String?) {
        guard let token else {
            self = .md5
            return
        }
        guard let known = Self.allCases.first(where: { $0.rawValue.lowercased() == token.lowercased() }) else {
            return nil
        }
        self = known
    }

    /// Whether H(A1) takes in the nonces (RFC 7616 section 3.4.2).
    package var isSession: Bool { self == .md5Session || self == .sha256Session }

    /// Larger is better.
    package var strength: Int {
        switch self {
        case .md5: 0
        case .md5Session: 1
        case .sha256: 2
        case .sha256Session: 3
        }
    }

    /// The hash of `text` in lower-case hexadecimal digits.
    package func hash(_ text: String) -> String { hash(Array(text.utf8)) }

    /// The hash of `bytes` in lower-case hexadecimal digits.
    package func hash(_ bytes: [UInt8]) -> String { String(decoding: hexadecimal(bytes), as: UTF8.self) }

    /// The digits as octets.
    func hexadecimal(_ bytes: [UInt8]) -> [UInt8] {
        let (function, length) =
            switch self {
            case .md5, .md5Session: (GNUTLS_DIG_MD5, 16)
            case .sha256, .sha256Session: (GNUTLS_DIG_SHA256, 32)
            }
        return [UInt8](unsafeUninitializedCapacity: 2 * length) { digits, count in
            // The digest is made in the upper half and spread from there; digit pairs never overtake it.
            let digest = UnsafeMutableBufferPointer(rebasing: digits[length..<2 * length])
            let status = bytes.withUnsafeBytes {
                gnutls_hash_fast(function, $0.baseAddress, $0.count, digest.baseAddress)
            }
            // A host whose policy forbids MD5 makes the call fail: no digits match no response.
            guard status == 0 else { return }
            for index in 0..<length {
                let byte = digest[index]
                digits[2 * index] = Self.digit(byte >> 4)
                digits[2 * index + 1] = Self.digit(byte & 15)
            }
            count = 2 * length
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ value &- 10
    }
}
