import CGnuTLS
import Foundation

/// How a family of clients writes its Authorization header. Both are digest with qop auth; what differs has broken
/// relays.
package enum DigestDialect: String, Sendable, CaseIterable, CustomStringConvertible {
    /// Every parameter quoted (`qop="auth"`, `nc="00000001"`), neither `uri` nor `algorithm`; MD5 whatever was offered.
    case msrplib
    /// With `uri`, `algorithm` where one was offered; qop and nc bare, as the grammar of RFC 4976 section 7 says.
    case kamailio

    package var description: String { rawValue }
}

/// A digest challenge and the answer to it, computed without the project's own modules.
package struct DigestAnswer: Sendable {
    package var dialect = DigestDialect.msrplib
    package var username: String
    package var password: String
    /// AUTH at a relay; at a SIP server, that of the request (RFC 3261 section 22.4).
    package var method = "AUTH"
    /// RFC 4976 section 9.1: the rightmost URI of To-Path. SIP: the Request-URI.
    package var uri: String
    /// The challenge's parameters; names in lower case.
    package var challenge: [String: String]
    package var nonceCount = 1
    package var clientNonce = String(UInt64.random(in: 0...UInt64.max), radix: 16)
    /// Between parameters; some clients leave the blank out.
    package var separator = ", "
    /// Letter case of the parameters' names and the scheme is not to count.
    package var upperCase = false

    package init(username: String, password: String, uri: String, challenge: [String: String]) {
        (self.username, self.password, self.uri, self.challenge) = (username, password, uri, challenge)
    }

    /// The parameters of `Digest a="b", c=d`; names in lower case.
    package static func parameters(_ header: String) -> [String: String] {
        var result = [String: String]()
        var rest = Substring(header)
        if rest.lowercased().hasPrefix("digest ") { rest = rest.dropFirst(7) }
        while let equals = rest.firstIndex(of: "=") {
            let name = String(rest[..<equals]).trimmingCharacters(in: CharacterSet(charactersIn: " ,\t")).lowercased()
            rest = rest[rest.index(after: equals)...]
            if rest.first == "\"" {
                rest = rest.dropFirst()
                let end = rest.firstIndex(of: "\"") ?? rest.endIndex
                result[name] = String(rest[..<end])
                rest = rest[end...].dropFirst()
            } else {
                let end = rest.firstIndex(of: ",") ?? rest.endIndex
                result[name] = String(rest[..<end]).trimmingCharacters(in: .whitespaces)
                rest = rest[end...]
            }
        }
        return result
    }

    private var usesSHA256: Bool { dialect == .kamailio && challenge["algorithm"]?.uppercased() == "SHA-256" }

    private func hash(_ text: String) -> String { Self.hash(text, sha256: usesSHA256) }

    package static func hash(_ text: String, sha256: Bool = false) -> String {
        let bytes = Array(text.utf8)
        var digest = [UInt8](repeating: 0, count: sha256 ? 32 : 16)
        _ = digest.withUnsafeMutableBytes { out in
            bytes.withUnsafeBytes {
                gnutls_hash_fast(sha256 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_MD5, $0.baseAddress, $0.count, out.baseAddress)
            }
        }
        return digest.map { String(format: "%02x", $0) }.joined()
    }

    private var nc: String { String(format: "%08x", nonceCount) }

    private func digest(method: String) -> String {
        let secret = hash("\(username):\(challenge["realm"] ?? ""):\(password)")
        return hash("\(secret):\(challenge["nonce"] ?? ""):\(nc):\(clientNonce):auth:" + hash("\(method):\(uri)"))
    }

    package var response: String { digest(method: method) }
    /// What the other side proves with: A2 has no method (RFC 7616 section 3.5).
    package var expectedProof: String { digest(method: "") }

    /// The value of the Authorization header.
    package var header: String {
        var parameters: [(String, String, quoted: Bool)] = [
            ("username", username, true), ("realm", challenge["realm"] ?? "", true),
            ("nonce", challenge["nonce"] ?? "", true),
        ]
        switch dialect {
        case .msrplib:
            parameters += [("qop", "auth", true), ("cnonce", clientNonce, true), ("nc", nc, true)]
        case .kamailio:
            parameters += [
                ("uri", uri, true), ("qop", "auth", false), ("nc", nc, false), ("cnonce", clientNonce, true),
            ]
            if let algorithm = challenge["algorithm"] { parameters.append(("algorithm", algorithm, false)) }
        }
        parameters.append(("response", response, true))
        if let opaque = challenge["opaque"] { parameters.append(("opaque", opaque, true)) }
        return (upperCase ? "DIGEST " : "Digest ")
            + parameters.map { name, value, quoted in
                "\(upperCase ? name.uppercased() : name)=\(quoted ? "\"\(value)\"" : value)"
            }.joined(separator: separator)
    }

    /// Throws when Authentication-Info does not prove that the other side knows the password (RFC 4976 section 9.1).
    package func check(authenticationInfo: String) throws {
        let info = Self.parameters(authenticationInfo)
        guard info["rspauth"] == expectedProof, info["cnonce"] == clientNonce, info["nc"] == nc, info["qop"] == "auth"
        else { throw SupportError("Authentication-Info proves nothing: \(authenticationInfo)") }
    }
}
