package import DigestAuth
package import MSRP

/// What a relay granted (RFC 4976 section 5.1).
package struct RelayGrant: Sendable, Equatable {
    /// The way through our relays, the nearest first.
    package var usePath: Path
    /// Seconds for which the URIs are valid; nil when the relay doesn't say.
    package var expires: Int?

    package init(usePath: Path, expires: Int?) {
        self.usePath = usePath
        self.expires = expires
    }
}

/// AUTH with one relay: what to send, and what its answers mean. A pure machine; it goes on after the first grant,
/// for refreshes.
///
/// The relays in use read different forms of Authorization. To a relay that offers SHA-256 (RFC 8760), which is a new
/// one, it goes in the form of RFC 7616: `uri` and `algorithm` written, qop and nc bare. To others it first goes as the
/// most widespread client writes it, every value quoted and no `uri` (RFC 4976 section 7 has none), which msrprelay needs
/// and the others read too; a relay that refuses that with 400 or with its 401 again gets the other form.
package struct AuthExchange: Sendable {
    package typealias Header = (name: String, value: String)

    package enum Step: Sendable {
        /// Another AUTH with these header fields.
        case retry([Header])
        case granted(RelayGrant)
        case failed(ClientError)
    }

    private enum Form { case quoted, bare }

    /// Challenges answered in a row until one is given up.
    private static let mostAttempts = 4
    /// Challenges read from one response.
    private static let mostChallenges = 8
    /// The longest validity of a grant that is believed, seconds.
    private static let longestExpires = 1 << 30

    private let user: RelayUser
    private let password: String
    private let cnonce: @Sendable () -> String
    /// For messages to people.
    private let relay: String
    /// Where AUTH goes: the relays before it and itself.
    package private(set) var toPath: Path
    private var expires: Int?
    private var challenge: DigestChallenge?
    private var form: Form?
    private var nonceCount: UInt32 = 0
    private var sent: DigestCredentials?
    private var attempts = 0
    private var hasChangedExpires = false

    package init(
        user: RelayUser, password: String, toPath: Path, expires: Int?, relay: String,
        cnonce: @escaping @Sendable () -> String = { String(UInt64.random(in: .min ... .max), radix: 16) }
    ) {
        self.user = user
        self.password = password
        self.toPath = toPath
        self.expires = expires
        self.relay = relay
        self.cnonce = cnonce
    }

    /// The header fields of the first AUTH, or of one that refreshes: with the nonce the relay gave last.
    package mutating func begin() -> [Header] {
        attempts = 0
        sent = nil
        return headers()
    }

    /// The next AUTHs go to the session there is (RFC 4976 section 6.3).
    package mutating func refresh(_ grant: RelayGrant) { toPath = grant.usePath }

    package mutating func received(_ head: Head) -> Step {
        guard let status = head.status else { return .failed(.unusableAnswer("\(relay) doesn't answer AUTH")) }
        switch status.code {
        case 200: return granted(head)
        case 401: return challenged(head)
        case 400 where sent != nil && form == .quoted: return retryBare()
        case 423: return outOfBounds(head)
        case 403 where sent == nil:
            return .failed(
                .denied(
                    "\(relay) refuses AUTH before it was given a password (403); most relays take it over TLS only, and not "
                        + "from everybody"))
        case 403: return .failed(.denied(refusal("wrong user name or password for \(user)")))
        case 481: return .failed(.lost("\(relay) no longer knows our session"))
        case 501:
            return .failed(.denied("\(relay) is no MSRP relay for clients (501); give another one with --relay"))
        default:
            let phrase = head.comment.isEmpty ? "\(status.phrase)" : head.comment.withoutControls(keepingLines: false)
            return .failed(.denied("\(relay) refused AUTH: \(status.code) \(phrase)"))
        }
    }

    private func refusal(_ why: String) -> String { "\(relay) refused: \(why)" }

    // MARK: Answers

    private mutating func challenged(_ head: Head) -> Step {
        let values = head.fields.filter { head.name(of: $0).lowercased() == "www-authenticate" }
            .prefix(Self.mostChallenges).map { head.value(of: $0) }
        // auth-int and challenges without qop have no place here (RFC 4976 section 9.1).
        guard let best = DigestChallenge.best(of: values.filter { DigestChallenge($0)?.algorithm.isSession == false })
        else {
            return .failed(
                .unusableAnswer("\(relay) asks for an authentication that is not digest (RFC 4976 section 9.1)"))
        }
        attempts += 1
        guard attempts <= Self.mostAttempts else {
            return .failed(.denied(refusal("it asks for the password again and again")))
        }
        let wasAnswered = sent != nil
        challenge = best
        nonceCount = 0
        if wasAnswered, !best.isStale {
            // Relays that can't read the one form answer with the challenge again, not with 400.
            guard form == .quoted else {
                return .failed(.denied(refusal("wrong user name or password for \(user)")))
            }
            form = .bare
        } else if form == nil {
            form = best.algorithm == .md5 ? .quoted : .bare
        }
        return .retry(headers())
    }

    private mutating func retryBare() -> Step {
        form = .bare
        attempts += 1
        return .retry(headers())
    }

    private mutating func outOfBounds(_ head: Head) -> Step {
        let least = head.value("Min-Expires").flatMap { Int($0) }
        let most = head.value("Max-Expires").flatMap { Int($0) }
        guard !hasChangedExpires, least != nil || most != nil else {
            return .failed(.denied(refusal("it doesn't grant \(expires.map { "\($0) s" } ?? "its default time")")))
        }
        hasChangedExpires = true
        var wanted = expires ?? least ?? most ?? 0
        if let most { wanted = min(wanted, most) }
        if let least { wanted = max(wanted, least) }
        expires = wanted
        return .retry(headers())
    }

    private mutating func granted(_ head: Head) -> Step {
        guard let usePath = head.usePath else {
            return .failed(.unusableAnswer("\(relay) granted no URI that can be used (Use-Path)"))
        }
        if let info = head.value("Authentication-Info") {
            // The grammar has no scheme here; the reader wants one.
            let parameters = AuthParameters("Digest \(info)")
            if let proof = parameters?["rspauth"], !proof.isEmpty, let sent, let challenge,
                !isRight(proof, sent, challenge)
            {
                return .failed(
                    .denied("\(relay) doesn't know the password itself: it is not the relay it pretends to be"))
            }
            if let next = parameters?["nextnonce"], !next.isEmpty, challenge?.nonce != next {
                challenge?.nonce = next
                nonceCount = 0
            }
        }
        attempts = 0
        let expires = head.value("Expires").flatMap { Int($0) }.map { min(max($0, 0), Self.longestExpires) }
        return .granted(RelayGrant(usePath: usePath, expires: expires))
    }

    /// RFC 7616 section 3.5: the response, computed with an empty method.
    private func isRight(_ proof: String, _ sent: DigestCredentials, _ challenge: DigestChallenge) -> Bool {
        let secret = sent.algorithm.hash("\(user.name):\(sent.realm):\(password)")
        let right = DigestCredentials.response(
            algorithm: sent.algorithm, secret: secret, nonce: sent.nonce, cnonce: sent.auth?.cnonce ?? "",
            auth: sent.auth,
            method: "", uri: sent.uri)
        return right == proof.lowercased()
    }

    // MARK: Requests

    private mutating func headers() -> [Header] {
        var headers: [Header] = []
        if let challenge {
            nonceCount &+= 1
            // RFC 4976 section 9.1: the digest URI is the rightmost one of To-Path.
            let credentials = DigestCredentials(
                answering: challenge, username: user.name, password: password, method: "AUTH",
                uri: toPath.last.description, count: .init(cnonce: cnonce(), nonceCount: nonceCount))
            sent = credentials
            let text = form == .quoted ? Self.quoted(credentials) : credentials.headerValue
            headers.append(("Authorization", text))
        }
        if let expires { headers.append(("Expires", "\(expires)")) }
        return headers
    }

    /// Every value quoted, neither `uri` nor `algorithm`.
    private static func quoted(_ credentials: DigestCredentials) -> String {
        var fields = [
            ("username", credentials.username), ("realm", credentials.realm), ("nonce", credentials.nonce),
        ]
        if let auth = credentials.auth { fields += [("qop", "auth"), ("nc", auth.nc), ("cnonce", auth.cnonce)] }
        fields.append(("response", credentials.response))
        if let opaque = credentials.opaque { fields.append(("opaque", opaque)) }
        return "Digest "
            + fields.map { name, value in
                "\(name)=\"\(value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
            }.joined(separator: ", ")
    }
}
