/// A challenge as a server writes it: the value of one WWW-Authenticate header field (RFC 7616 section 3.3, RFC 4976
/// section 9.1: qop auth only, no domain, no session algorithm).
package struct DigestOffer: Sendable, Equatable {
    package var realm: String
    package var nonce: String
    package var opaque: String
    package var algorithm: DigestAlgorithm
    /// The digest was right but its nonce is not to be used any more.
    package var isStale: Bool

    package init(realm: String, nonce: String, opaque: String, algorithm: DigestAlgorithm, isStale: Bool = false) {
        self.realm = realm
        self.nonce = nonce
        self.opaque = opaque
        self.algorithm = algorithm
        self.isStale = isStale
    }

    /// Clients that read the parameters by position or keep the last header field are served by this order and MD5
    /// in the last field.
    package var headerValue: String {
        var text = "Digest realm=\""
        text.reserveCapacity(128 + realm.utf8.count)
        AuthParameters.appendEscaped(realm, to: &text)
        text += "\", qop=\"auth\", nonce=\""
        text += nonce
        text += "\", opaque=\""
        text += opaque
        text += "\", algorithm="
        text += algorithm.rawValue
        if isStale { text += ", stale=true" }
        return text
    }
}

extension DigestClaim {
    /// The value of Authentication-Info (RFC 4976 section 9.1: rspauth, cnonce, nc and qop always).
    package func authenticationInfo(proof: String, nextNonce: String) -> String {
        var text = "nextnonce=\""
        text.reserveCapacity(160 + cnonce.utf8.count)
        text += nextNonce
        text += "\", rspauth=\""
        text += proof
        text += "\", cnonce=\""
        AuthParameters.appendEscaped(cnonce, to: &text)
        text += "\", nc="
        text += nc
        text += ", qop=auth"
        return text
    }
}
