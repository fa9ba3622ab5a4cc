import CGnuTLS

/// A hash function that fingerprints may use (RFC 8122 section 5); MD5 and MD2 must not be used.
package enum HashFunction: String, CaseIterable, Sendable {
    case sha1 = "sha-1"
    case sha224 = "sha-224"
    case sha256 = "sha-256"
    case sha384 = "sha-384"
    case sha512 = "sha-512"

    /// Octets in a digest.
    package var length: Int {
        switch self {
        case .sha1: 20
        case .sha224: 28
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// The digest of these bytes.
    package func digest(of bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: length) { output, count in
            let result = bytes.withUnsafeBytes { input in
                gnutls_hash_fast(algorithm, input.baseAddress, input.count, output.baseAddress)
            }
            precondition(result == 0, "GnuTLS has every hash function of RFC 8122")
            count = length
        }
    }

    private var algorithm: gnutls_digest_algorithm_t {
        switch self {
        case .sha1: GNUTLS_DIG_SHA1
        case .sha224: GNUTLS_DIG_SHA224
        case .sha256: GNUTLS_DIG_SHA256
        case .sha384: GNUTLS_DIG_SHA384
        case .sha512: GNUTLS_DIG_SHA512
        }
    }
}

/// The hash of a certificate as SDP's a=fingerprint carries it (RFC 8122 section 5).
package struct CertificateFingerprint: Hashable, Sendable, CustomStringConvertible {
    package let hash: HashFunction
    package let digest: [UInt8]

    /// The fingerprint of a certificate in DER.
    package init(_ hash: HashFunction, ofCertificate der: [UInt8]) {
        self.hash = hash
        digest = hash.digest(of: der)
    }

    /// Reads `sha-256 AB:CD:...`, case-insensitively; nil when it is malformed, of the wrong length,
    /// or of a hash function that is not used.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, let hash = HashFunction(rawValue: parts[0].lowercased()) else { return nil }
        guard parts[1].utf8.count == hash.length * 3 - 1 else { return nil }
        var digest: [UInt8] = []
        digest.reserveCapacity(hash.length)
        for pair in parts[1].utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            let digits = pair.compactMap(Self.hexDigit)
            guard pair.count == 2, digits.count == 2 else { return nil }
            digest.append(digits[0] << 4 | digits[1])
        }
        guard digest.count == hash.length else { return nil }
        self.hash = hash
        self.digest = digest
    }

    /// `sha-256 AB:CD:...`, as it stands after `a=fingerprint:`.
    package var description: String {
        var text = Array("\(hash.rawValue) ".utf8)
        for (index, octet) in digest.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ":")) }
            text.append(Self.hexDigits[Int(octet >> 4)])
            text.append(Self.hexDigits[Int(octet & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether a certificate in DER is one of those described: the fingerprints with the strongest hash
    /// function among those given decide (RFC 8122 section 5.1).
    package static func match(certificate der: [UInt8], oneOf fingerprints: [CertificateFingerprint]) -> Bool {
        guard let hash = fingerprints.map(\.hash).max(by: { $0.length < $1.length }) else { return false }
        return fingerprints.contains(CertificateFingerprint(hash, ofCertificate: der))
    }

    private static let hexDigits = Array("0123456789ABCDEF".utf8)

    private static func hexDigit(_ octet: UInt8) -> UInt8? {
        switch octet {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): octet - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): octet - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): octet - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
