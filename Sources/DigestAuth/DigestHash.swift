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
    package func hash(_ bytes: [UInt8]) -> String {
        let (function, length) =
            switch self {
            case .md5, .md5Session: (GNUTLS_DIG_MD5, 16)
            case .sha256, .sha256Session: (GNUTLS_DIG_SHA256, 32)
            }
        var digest = [UInt8](repeating: 0, count: length)
        let status = digest.withUnsafeMutableBytes { out in
            bytes.withUnsafeBytes { gnutls_hash_fast(function, $0.baseAddress, $0.count, out.baseAddress) }
        }
        // A host whose policy forbids MD5 makes the call fail: an empty string matches no response.
        if status != 0 { return "" }
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * length)
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
