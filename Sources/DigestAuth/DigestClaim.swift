/// What a client claims in answer to a challenge, as a server reads it from Authorization (RFC 7616 section 3.4,
/// RFC 4976 section 9.1): the parameters as written, since all of them go into hashes.
///
/// Taken with and without `uri`, quoted or not, in any case and order.
package struct DigestClaim: Sendable, Equatable {
    package var username: String
    package var realm: String
    package var nonce: String
    /// Nil where the client leaves out what the request's start line or path says anyway.
    package var uri: String?
    package var response: String
    package var algorithm: DigestAlgorithm
    package var cnonce: String
    /// As written: eight hexadecimal digits.
    package var nc: String
    /// The value of `nc`, at least 1.
    package var nonceCount: UInt32

    /// Octets of the longest parameter value taken.
    package static let longestValue = 1024

    /// Reads a header value.
    package init(_ octets: UnsafeRawBufferPointer) throws(DigestDefect) {
        guard let parameters = AuthParameters(octets) else {
            // What another scheme has after its name need not be parameters.
            throw Self.isDigest(octets) ? .unreadable : .otherScheme
        }
        try self.init(parameters)
    }

    package init(_ value: String) throws(DigestDefect) {
        try self.init(Array(value.utf8))
    }

    private init(_ value: [UInt8]) throws(DigestDefect) {
        let result: Result<DigestClaim, DigestDefect> = value.withUnsafeBytes { octets in
            do throws(DigestDefect) { return .success(try DigestClaim(octets)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    private static func isDigest(_ octets: UnsafeRawBufferPointer) -> Bool {
        octets.count >= 6 && zip(octets, "digest".utf8).allSatisfy { $0 | 0x20 == $1 }
    }

    private init(_ parameters: AuthParameters) throws(DigestDefect) {
        guard parameters.isDigest else { throw .otherScheme }
        var username: String?
        var realm: String?
        var nonce: String?
        var uri: String?
        var response: String?
        var algorithm: String?
        var cnonce: String?
        var nc: String?
        var qop: String?
        for (name, value) in parameters.list {
            guard value.utf8.count <= Self.longestValue else { throw .unreadable }
            switch name {
            case "username": try Self.set(&username, value)
            case "realm": try Self.set(&realm, value)
            case "nonce": try Self.set(&nonce, value)
            case "uri": try Self.set(&uri, value)
            case "response": try Self.set(&response, value)
            case "algorithm": try Self.set(&algorithm, value)
            case "cnonce": try Self.set(&cnonce, value)
            case "nc": try Self.set(&nc, value)
            case "qop": try Self.set(&qop, value)
            default: break
            }
        }
        guard let username, let realm, let nonce, let response, let cnonce, let nc, let qop else { throw .incomplete }
        // RFC 4976 section 9.1 wants qop in every Authorization, and auth-int in none.
        guard Self.isAuth(qop) else { throw .otherProtection }
        guard nc.utf8.count == 8, let nonceCount = UInt32(nc, radix: 16), nonceCount > 0, nc.utf8.first != Self.plus
        else { throw .badCount }
        guard let known = DigestAlgorithm(token: algorithm), !known.isSession else { throw .otherAlgorithm }
        self.username = username
        self.realm = realm
        self.nonce = nonce
        self.uri = uri
        self.response = response
        self.algorithm = known
        self.cnonce = cnonce
        self.nc = nc
        self.nonceCount = nonceCount
    }

    private static let plus = UInt8(ascii: "+")

    /// Said twice, nobody knows which is meant.
    private static func set(_ slot: inout String?, _ value: String) throws(DigestDefect) {
        guard slot == nil else { throw .unreadable }
        slot = value
    }

    private static func isAuth(_ qop: String) -> Bool {
        qop.utf8.count == 4 && zip(qop.utf8, "auth".utf8).allSatisfy { $0 | 0x20 == $1 }
    }

    // MARK: Checking

    /// Checks the response, at the same cost whether the account exists or not.
    /// - Parameters:
    ///   - secrets: of the account; nil: there is none, and the answer is nil.
    ///   - uri: the digest URI where the client names none.
    /// - Returns: `rspauth` (RFC 7616 section 3.5) when the response is right; nil when it is wrong, or the account has
    ///   no secret for the algorithm.
    package func proof(secrets: AccountSecrets?, method: String, uri: [UInt8]) -> String? {
        let uri = self.uri.map { Array($0.utf8) } ?? uri
        let known = algorithm == .sha256 ? secrets?.sha256 : secrets?.md5
        let secret = known ?? Self.nobodysSecret(algorithm)
        let expected = digest(secret: secret, method: method, uri: uri)
        let proof = digest(secret: secret, method: "", uri: uri)
        let isRight = !expected.isEmpty && ConstantTime.areEqual(expected, response.utf8)
        return isRight && known != nil ? String(decoding: proof, as: UTF8.self) : nil
    }

    /// Hashed for accounts that don't exist; as long as a real one.
    private static func nobodysSecret(_ algorithm: DigestAlgorithm) -> String {
        algorithm == .sha256
            ? "0000000000000000000000000000000000000000000000000000000000000000" : "00000000000000000000000000000000"
    }

    /// RFC 7616 section 3.4.1 with qop auth.
    private func digest(secret: String, method: String, uri: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(256)
        text.append(contentsOf: method.utf8)
        text.append(UInt8(ascii: ":"))
        text.append(contentsOf: uri)
        let a2 = algorithm.hexadecimal(text)
        text.removeAll(keepingCapacity: true)
        // Tables hold their digits in either case; what is hashed has them in lower case.
        for octet in secret.utf8 { text.append(octet | 0x20) }
        text.append(UInt8(ascii: ":"))
        text.append(contentsOf: nonce.utf8)
        text.append(UInt8(ascii: ":"))
        text.append(contentsOf: nc.utf8)
        text.append(UInt8(ascii: ":"))
        text.append(contentsOf: cnonce.utf8)
        text.append(contentsOf: ":auth:".utf8)
        text.append(contentsOf: a2)
        return algorithm.hexadecimal(text)
    }
}

/// Why an Authorization header can't be judged.
package enum DigestDefect: Error, Sendable, Equatable {
    /// Not parameters, too many or too long ones, or one said twice.
    case unreadable
    /// Basic or another scheme.
    case otherScheme
    /// A parameter that RFC 4976 section 9.1 wants is missing: username, realm, nonce, response, cnonce, nc or qop.
    case incomplete
    /// A qop other than `auth`.
    case otherProtection
    /// An algorithm that is never offered.
    case otherAlgorithm
    /// `nc` is not eight hexadecimal digits, or zero.
    case badCount
}

/// Comparison that takes as long for a first difference as for a last.
enum ConstantTime {
    /// Whether hexadecimal digits are the same; the case of those received does not matter.
    static func areEqual(_ expected: [UInt8], _ received: String.UTF8View) -> Bool {
        guard received.count == expected.count else { return false }
        var difference: UInt8 = 0
        for (a, b) in zip(expected, received) { difference |= a ^ (b | 0x20) }
        return difference == 0
    }
}
