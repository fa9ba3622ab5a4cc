import DigestAuth
import MSRP

/// Judges the AUTHs of one connection (RFC 4976 sections 5.1, 6.3 and 9.1): what is challenged, refused and granted.
///
/// Two steps: `receive` says what can be said without the account, or whom to look up; `judge` says the rest. Times
/// are nanoseconds of a monotonic clock.
///
/// - The password is judged before the nonce: a wrong digest is 403 whatever its nonce; a right one on a nonce that is
///   too old, replayed, or was issued on another connection is 401 with stale=true (RFC 7616 section 3.3).
/// - Expires is judged last, so that only those who may have a session learn about it.
struct AuthMachine {
    /// 401s without a failure before them that a connection gets at most, between two 200s.
    static let mostChallenges = 10
    /// Nonces kept for a client's connection, and for one that carries a relay's many clients.
    static let clientNonces = 4
    static let relayNonces = 1024

    private var nonces: NonceKeeper
    private var failures = 0
    private var challenges = 0

    init(source: NonceSource = .system) {
        nonces = NonceKeeper(limit: Self.clientNonces, source: source)
    }

    /// Where an AUTH came from.
    struct Scene: Equatable {
        var isProtected: Bool
        /// The previous hop is a relay that proved to be one of `RelayConfiguration.peers`.
        var isRelayPeer = false
        /// Somebody else's session is on the connection.
        var isTaken = false
        /// Whose session is to be refreshed; nil: a new one is asked for.
        var session: RelayAccount?
    }

    enum OnRequest: Equatable {
        case decided(AuthDecision)
        case lookUp(DigestClaim)
    }

    // MARK: Before the account is known

    mutating func receive(
        _ request: AuthRequest?, in scene: Scene, rules: RelayConfiguration, at now: UInt64
    ) -> OnRequest {
        nonces.limit = scene.isRelayPeer ? Self.relayNonces : Self.clientNonces
        guard scene.isProtected || rules.allowsPlainAuth else {
            // Whoever sends a password's digest in the clear should not go on.
            return .decided(
                .refuse(
                    AuthRefusal(status: .forbidden, reason: .notProtected, isFailure: false, closes: true)))
        }
        guard let request else { return .decided(fail(.badRequest, .malformed, scene, rules)) }
        if scene.session == nil {
            guard request.toPath.uris.count == 1, request.toPath.first.sessionID == nil else {
                return .decided(fail(.noSuchSession, .noSuchSession, scene, rules))
            }
            guard scene.isRelayPeer || !scene.isTaken else {
                return .decided(fail(.noSuchSession, .connectionTaken, scene, rules))
            }
        }
        guard scene.isRelayPeer || request.fromPath.uris.count == 1 else {
            return .decided(fail(.forbidden, .forgedPath, scene, rules))
        }
        let realm = Self.realm(for: request, in: scene, rules: rules)
        switch request.authorization {
        case .none:
            return .decided(challenge(realm, rules, scene, at: now))
        case .defective(.otherScheme):
            // RFC 4976 section 9.1: Basic is not accepted.
            return .decided(challenge(realm, failure: .otherScheme, rules, scene, at: now))
        case .defective(.otherAlgorithm):
            return .decided(challenge(realm, failure: .otherAlgorithm, rules, scene, at: now))
        case .defective:
            // RFC 2617 section 3.2.2: what is missing or improper gets 400.
            return .decided(fail(.badRequest, .incomplete, scene, rules))
        case .claim(let claim):
            guard claim.realm == realm else {
                return .decided(challenge(realm, failure: .otherRealm, rules, scene, at: now))
            }
            if let uri = claim.uri, !request.names(uri) {
                return .decided(fail(.badRequest, .otherURI, scene, rules))
            }
            return .lookUp(claim)
        }
    }

    /// A refresh is for the account's realm; a new session for the configured domain, or the host the client called.
    /// Hosts are the same in any case, but stored hashes are of the domain in lower case.
    static func realm(for request: AuthRequest, in scene: Scene, rules: RelayConfiguration) -> String {
        scene.session?.realm ?? rules.defaultDomain ?? request.toPath.last.host.lowercased()
    }

    // MARK: With the account

    mutating func judge(
        _ request: AuthRequest, _ claim: DigestClaim, _ lookup: AccountLookup, in scene: Scene,
        rules: RelayConfiguration, at now: UInt64
    ) -> AuthDecision {
        let secrets: AccountSecrets?
        switch lookup {
        case .found(let found): secrets = found
        case .unknown: secrets = nil
        case .unavailable:
            // Says nothing about the password: the client may try again.
            return .refuse(AuthRefusal(status: .timeout, reason: .storeUnavailable, isFailure: false, closes: false))
        }
        guard let proof = claim.proof(secrets: secrets, method: "AUTH", uri: request.digestURI) else {
            return fail(.forbidden, secrets == nil ? .unknownUser : .wrongPassword, scene, rules)
        }
        let account = RelayAccount(claimedBy: claim)
        if let owner = scene.session, owner != account { return fail(.forbidden, .otherAccount, scene, rules) }
        switch nonces.judge(claim.nonce, count: claim.nonceCount, at: now) {
        case .fresh: break
        case .replayed:
            return challenge(claim.realm, failure: .replayedNonce, isStale: true, rules, scene, at: now)
        case .expired, .unknown:
            return challenge(claim.realm, reason: .staleNonce, isStale: true, rules, scene, at: now)
        }
        nonces.use(claim.nonce, count: claim.nonceCount)
        let requested: Int?
        switch request.expires {
        case .none: requested = nil
        case .seconds(let seconds): requested = seconds
        case .unreadable:
            return .refuse(AuthRefusal(status: .badRequest, reason: .badExpires, isFailure: false, closes: false))
        }
        if let refusal = Self.refusal(of: requested, rules) { return .refuse(refusal) }
        failures = 0
        challenges = 0
        let expires = requested ?? rules.defaultExpires
        // The next nonce is for the refresh, so it lives as long as the session it is to prolong; the connection, the
        // count and the account keep it from being of use to others.
        let lifetime = max(rules.challengeLifetime.clampedNanoseconds, Duration.seconds(expires).clampedNanoseconds)
        let next = nonces.issue(lifetime: lifetime, at: now)
        return .grant(
            AuthGrant(
                account: account, requestedExpires: requested, expires: expires,
                authenticationInfo: claim.authenticationInfo(proof: proof, nextNonce: next)))
    }

    private static func refusal(of requested: Int?, _ rules: RelayConfiguration) -> AuthRefusal? {
        guard let requested else { return nil }
        var refusal = AuthRefusal(status: .outOfBounds, reason: .expiresOutOfBounds, isFailure: false, closes: false)
        if requested < rules.minimumExpires {
            refusal.minimumExpires = rules.minimumExpires
        } else if requested > rules.maximumExpires {
            refusal.maximumExpires = rules.maximumExpires
        } else {
            return nil
        }
        return refusal
    }

    // MARK: Counting

    private mutating func fail(
        _ status: Status, _ reason: AuthFailure, _ scene: Scene, _ rules: RelayConfiguration
    ) -> AuthDecision {
        .refuse(AuthRefusal(status: status, reason: reason, isFailure: true, closes: countFailure(scene, rules)))
    }

    /// - Parameters:
    ///   - failure: what was wrong with the credentials; counts as an attempt.
    ///   - reason: the same where it doesn't.
    private mutating func challenge(
        _ realm: String, failure: AuthFailure? = nil, reason: AuthFailure? = nil, isStale: Bool = false,
        _ rules: RelayConfiguration, _ scene: Scene, at now: UInt64
    ) -> AuthDecision {
        var closes: Bool
        if failure != nil {
            closes = countFailure(scene, rules)
        } else {
            challenges &+= 1
            closes = challenges > Self.mostChallenges && !scene.isRelayPeer
        }
        return .challenge(
            AuthChallenge(
                realm: realm, nonce: nonces.issue(lifetime: rules.challengeLifetime.clampedNanoseconds, at: now),
                isStale: isStale, reason: failure ?? reason, isFailure: failure != nil, closes: closes))
    }

    /// Whether the attempt was the last one. A relay's connection is not closed for its clients' failures
    /// (RFC 4976 section 6.3).
    private mutating func countFailure(_ scene: Scene, _ rules: RelayConfiguration) -> Bool {
        failures &+= 1
        return failures >= rules.maxAuthAttempts && !scene.isRelayPeer
    }
}

extension RelayAccount {
    /// A user name may bring its domain; where that is the realm, it is said once.
    init(claimedBy claim: DigestClaim) {
        var username = claim.username
        if let at = username.lastIndex(of: "@"),
            username[username.index(after: at)...].lowercased() == claim.realm.lowercased()
        {
            username = String(username[..<at])
        }
        self.init(username: username, realm: claim.realm)
    }
}

extension Duration {
    /// At least 0.
    var clampedNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = product.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return overflow || carry ? .max : sum
    }
}
