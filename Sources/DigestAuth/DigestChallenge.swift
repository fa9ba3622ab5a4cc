/// A server's digest challenge: WWW-Authenticate or Proxy-Authenticate (RFC 7616 section 3.3).
package struct DigestChallenge: Equatable, Sendable {
    package var realm: String
    package var nonce: String
    package var opaque: String?
    package var algorithm: DigestAlgorithm
    /// Whether `auth` is among the qop values.
    package var offersAuth: Bool
    /// Whether any qop was given; without one the response is that of RFC 2069.
    package var hasQop: Bool
    /// The nonce was too old, the password right.
    package var isStale: Bool

    /// Reads a header value; nil when it isn't a digest challenge that can be answered.
    package init?(_ value: String) {
        guard let parameters = AuthParameters(value), parameters.isDigest,
            let realm = parameters["realm"], let nonce = parameters["nonce"],
            let algorithm = DigestAlgorithm(token: parameters["algorithm"])
        else { return nil }
        self.realm = realm
        self.nonce = nonce
        self.algorithm = algorithm
        opaque = parameters["opaque"]
        isStale = parameters["stale"]?.lowercased() == "true"
        let qop = parameters["qop"]?.split { $0 == "," || $0 == " " }.map { $0.lowercased() }
        hasQop = qop != nil
        offersAuth = qop?.contains("auth") ?? false
        // Only auth-int offered: the body would have to be hashed, which no SIP peer asks for.
        if hasQop && !offersAuth { return nil }
    }

    /// The strongest challenge that can be answered (RFC 8760 section 2.4 lets the client choose).
    package static func best(of values: [String]) -> DigestChallenge? {
        values.compactMap(DigestChallenge.init).max { $0.algorithm.strength < $1.algorithm.strength }
    }
}
