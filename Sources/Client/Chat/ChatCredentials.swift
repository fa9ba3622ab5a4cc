import DigestAuth
import SIP

/// Who we are to servers that ask, and how often which nonce was used for it (RFC 7616 section 3.4).
struct ChatCredentials: Sendable {
    let username: String
    let password: String

    private var nonce: String?
    private var count: UInt32 = 0

    init?(username: String?, password: String?) {
        guard let username, let password else { return nil }
        self.username = username
        self.password = password
    }

    /// The header that answers a challenge; nil when it can't be answered, or was answered already and says no.
    ///
    /// - Parameters:
    ///   - uri: the Request-URI as it was sent.
    ///   - isRetry: whether the challenged request had credentials.
    mutating func answer(_ response: Response, method: String, uri: String, isRetry: Bool) -> HeaderField? {
        let isProxy = response.status == 407
        guard let challenge = DigestChallenge.best(of: isProxy ? response.proxyChallenges : response.challenges),
            !isRetry || challenge.isStale
        else { return nil }
        if nonce == challenge.nonce {
            count &+= 1
        } else {
            nonce = challenge.nonce
            count = 1
        }
        let credentials = DigestCredentials(
            answering: challenge, username: username, password: password, method: method, uri: uri,
            count: .init(cnonce: String(UInt64.random(in: .min ... .max), radix: 16), nonceCount: count))
        return HeaderField(isProxy ? "Proxy-Authorization" : "Authorization", credentials.headerValue)
    }
}
