/// A certificate's fingerprint, a=fingerprint (RFC 8122 section 5).
package struct Fingerprint: Sendable, Hashable {
    /// The hash functions a fingerprint may be checked with. MD5 and MD2 are registered and must not be used
    /// (RFC 8122 section 5), so they are not here.
    package enum Hash: String, Sendable, Hashable {
        case sha1 = "sha-1"
        case sha224 = "sha-224"
        case sha256 = "sha-256"
        case sha384 = "sha-384"
        case sha512 = "sha-512"

        /// Octets of a digest.
        package var length: Int {
            switch self {
            case .sha1: 20
            case .sha224: 28
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }
    }

    /// What an a=fingerprint value says.
    package enum Parsed: Sendable, Hashable {
        case fingerprint(Fingerprint)
        /// Well formed, with a hash function that is not used here.
        case unusable
        case malformed
    }

    package let hash: Hash
    package let digest: [UInt8]

    package init(hash: Hash, digest: [UInt8]) {
        self.hash = hash
        self.digest = digest
    }

    /// Hash names and hexadecimal digits are taken in either case.
    package static func parse(_ value: String) -> Parsed {
        let words = ASCII.words(value.utf8)
        guard words.count == 2, ASCII.isToken(words[0].utf8) else { return .malformed }
        var digest: [UInt8] = []
        for pair in words[1].utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            guard pair.count == 2, let first = pair.first.flatMap(ASCII.hexValue),
                let second = pair.last.flatMap(ASCII.hexValue)
            else { return .malformed }
            digest.append(first << 4 | second)
        }
        guard let hash = Hash(rawValue: ASCII.lowercased(words[0])) else { return .unusable }
        guard digest.count == hash.length else { return .malformed }
        return .fingerprint(Fingerprint(hash: hash, digest: digest))
    }

    /// The attribute's value, digits in upper case as its grammar wants.
    package var value: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text = Array("\(hash.rawValue) ".utf8)
        for (index, octet) in digest.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ":")) }
            text.append(digits[Int(octet >> 4)])
            text.append(digits[Int(octet & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
