/// What proves an identity in answer to a challenge: Authorization or Proxy-Authorization (RFC 7616 section 3.4).
package struct DigestCredentials: Equatable, Sendable {
    package var username: String
    package var realm: String
    package var nonce: String
    package var uri: String
    package var response: String
    package var algorithm: DigestAlgorithm
    package var opaque: String?
    /// The client's nonce and count; nil where the challenge had no qop.
    package var auth: Count?

    package struct Count: Equatable, Sendable {
        package var cnonce: String
        /// How often the nonce was used, this use included.
        package var nonceCount: UInt32

        package init(cnonce: String, nonceCount: UInt32 = 1) {
            self.cnonce = cnonce
            self.nonceCount = nonceCount
        }

        /// `nc` as it is written: eight hexadecimal digits.
        package var nc: String {
            let digits = String(nonceCount, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }
    }

    /// Answers `challenge`.
    ///
    /// - Parameters:
    ///   - uri: the request's URI, as it stands in the start line.
    ///   - count: a client nonce that was never used with this server nonce, and how often the latter was used.
    package init(
        answering challenge: DigestChallenge, username: String, password: String, method: String, uri: String,
        count: Count
    ) {
        self.username = username
        self.uri = uri
        realm = challenge.realm
        nonce = challenge.nonce
        opaque = challenge.opaque
        algorithm = challenge.algorithm
        auth = challenge.offersAuth ? count : nil
        let secret = challenge.algorithm.hash("\(username):\(challenge.realm):\(password)")
        response = Self.response(
            algorithm: algorithm, secret: secret, nonce: nonce, cnonce: count.cnonce, auth: auth, method: method,
            uri: uri)
    }

    /// The response of RFC 7616 section 3.4.1, or RFC 2617's without qop when `auth` is nil.
    ///
    /// - Parameters:
    ///   - secret: H(username:realm:password), what a password table may hold instead of the password.
    package static func response(
        algorithm: DigestAlgorithm, secret: String, nonce: String, cnonce: String, auth: Count?, method: String,
        uri: String
    ) -> String {
        let a1 = algorithm.isSession ? algorithm.hash("\(secret):\(nonce):\(cnonce)") : secret
        let a2 = algorithm.hash("\(method):\(uri)")
        guard let auth else { return algorithm.hash("\(a1):\(nonce):\(a2)") }
        return algorithm.hash("\(a1):\(nonce):\(auth.nc):\(auth.cnonce):auth:\(a2)")
    }

    /// The header value, with qop, nc and algorithm unquoted as RFC 7616 section 3.4 has them.
    package var headerValue: String {
        var text = "Digest username=\(Self.quote(username)), realm=\(Self.quote(realm)), nonce=\(Self.quote(nonce))"
        text += ", uri=\(Self.quote(uri)), response=\"\(response)\", algorithm=\(algorithm.rawValue)"
        if let opaque { text += ", opaque=\(Self.quote(opaque))" }
        if let auth { text += ", qop=auth, nc=\(auth.nc), cnonce=\(Self.quote(auth.cnonce))" }
        return text
    }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { result.unicodeScalars.append("\\") }
            // A line end would let the value break out of its header.
            if scalar != "\r" && scalar != "\n" { result.unicodeScalars.append(scalar) }
        }
        return result + "\""
    }
}
