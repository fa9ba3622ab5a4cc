import DigestAuth
import SIP

/// Our answers to the challenges of one request: by a proxy, by the server behind it, or both (RFC 3261 sections 22.2
/// and 22.3). The strongest algorithm offered is used (RFC 8760 section 2.4).
struct OutboundDigest: Sendable {
    /// Challenges that are answered; a peer that goes on challenging is not obeyed for ever.
    static let mostChallenges = 3

    private struct Claim: Sendable {
        var challenge: DigestChallenge
        var uses: UInt32 = 0
    }

    /// By the header that answers it.
    private var claims: [String: Claim] = [:]
    private var challenges = 0

    init() {}

    /// Takes a 401 or 407 into account. False when trying again is of no use: no challenge that can be answered, or
    /// the password was wrong.
    mutating func learn(_ response: Response) -> Bool {
        let (header, values) =
            response.status == 401
            ? ("Authorization", response.challenges) : ("Proxy-Authorization", response.proxyChallenges)
        guard challenges < Self.mostChallenges, let challenge = DigestChallenge.best(of: values) else { return false }
        if let known = claims[header], known.challenge.realm == challenge.realm, known.uses > 0, !challenge.isStale {
            return false
        }
        challenges += 1
        claims[header] = Claim(challenge: challenge)
        return true
    }

    /// What the next request carries.
    /// - Parameters:
    ///   - uri: as it stands in the start line.
    ///   - cnonce: never used before with these nonces.
    mutating func headers(
        method: String, uri: String, credentials: DialConfiguration.Credentials, cnonce: String
    ) -> [HeaderField] {
        claims.keys.sorted().compactMap { header in
            guard var claim = claims[header] else { return nil }
            claim.uses &+= 1
            claims[header] = claim
            let answer = DigestCredentials(
                answering: claim.challenge, username: credentials.user, password: credentials.password, method: method,
                uri: uri, count: .init(cnonce: cnonce, nonceCount: claim.uses))
            return HeaderField(header, answer.headerValue)
        }
    }
}
