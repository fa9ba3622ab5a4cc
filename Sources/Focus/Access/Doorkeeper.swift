import DigestAuth
import MediaMixer
import SIP

/// Finds out who sends a request: by a trusted peer's word, by digest, or by believing From.
///
/// Asked in steps, since accounts may have to be looked up: `receive` says what can be said without them, `judge` what
/// the password says, `identify` whether the name in From is the account's. Nothing is kept of a request that was
/// challenged. Times are nanoseconds of a monotonic clock.
///
/// - The password is judged before the nonce: a wrong digest is challenged anew whatever its nonce; a right one on a
///   nonce that is too old, or whose count was used, is challenged with stale=true (RFC 7616 section 3.3).
/// - Whoever asks for privacy is anonymous from here on, whichever way the identity was proven.
struct Doorkeeper: Sendable {
    /// What holds for a request.
    struct Rules: Sendable {
        var mode: AccessConfiguration.Mode
        var trusted: TrustedPeers
        var resolver: RoomResolver
        var displayNameOctets: Int
        var mostAliases: Int
    }

    enum OnRequest: Equatable {
        case decided(Decision)
        case lookUp(DigestClaim, Account)
    }

    enum OnAccount: Equatable {
        case decided(Decision)
        /// The password is right, and From says another name: is it one of the account's?
        case askAliases(Account)
    }

    enum Decision: Equatable {
        case admit(Caller)
        /// 401
        case challenge(realm: String, isStale: Bool, Defect?)
        case refuse(status: Int, Defect)
    }

    /// Header fields with credentials that are looked at; a client has one for each realm and algorithm.
    static let mostCredentials = 8

    private var nonces: NonceLedger
    /// Counts those whose names are kept from others, so that each has a URI of its own.
    private var anonymous: UInt64 = 0

    init(nonces: NonceLedger) { self.nonces = nonces }

    /// Nonces whose counts are remembered.
    var nonceCount: Int { nonces.count }

    mutating func issueNonce(at now: UInt64) -> String { nonces.issue(at: now) }

    mutating func configure(nonceLifetime: UInt64, nonceLimit: Int) {
        nonces.lifetime = nonceLifetime
        nonces.limit = nonceLimit
    }

    // MARK: Before any account is known

    /// - Parameter known: whose dialog the request came within, from elsewhere than they are.
    mutating func receive(_ request: Request, within known: Caller?, rules: Rules) -> OnRequest {
        guard let identity = Identity(of: request, serial: 0, displayNameOctets: rules.displayNameOctets),
            let from = request.from
        else { return .decided(.refuse(status: 400, .unusableFrom)) }
        let isTrusted =
            rules.trusted.contains(address: request.source.host) || rules.trusted.contains(names: request.peerNames)
        if isTrusted { return .decided(vouched(request, identity, within: known, rules)) }
        switch rules.mode {
        case .none:
            // Nobody's word is doubted, so neither is that the dialog is theirs.
            if let known { return .decided(.admit(known.moved(to: request))) }
            return .decided(.admit(caller(identity, account: account(of: from.uri), .believed, request, rules)))
        case .trustedOnly:
            return .decided(.refuse(status: 403, .notTrusted))
        case .required:
            return credentials(of: request, from, rules)
        }
    }

    /// Whether a request brings credentials, so that judging it is a try at a password.
    static func isAttempt(_ request: Request) -> Bool { request.headers.contains("Authorization") }

    private func credentials(of request: Request, _ from: NameAddr, _ rules: Rules) -> OnRequest {
        let realm = Self.realm(for: request, from, rules)
        var defect: Defect?
        for value in request.authorizations.prefix(Self.mostCredentials) {
            let claim: DigestClaim
            do throws(DigestDefect) { claim = try DigestClaim(value) } catch {
                switch error {
                case .otherScheme: defect = defect ?? .otherScheme
                case .otherAlgorithm, .otherProtection: defect = defect ?? .otherAlgorithm
                case .unreadable, .incomplete, .badCount: defect = .malformedCredentials
                }
                continue
            }
            // Credentials for other servers may stand beside ours (RFC 3261 section 22.3).
            guard let domain = rules.resolver.servedDomain(claim.realm, local: nil),
                domain == RoomResolver.normalized(claim.realm)
            else {
                defect = defect ?? .otherRealm
                continue
            }
            guard let uri = claim.uri, rules.resolver.isSameTarget(uri, as: request) else {
                return .decided(.refuse(status: 400, .otherTarget))
            }
            guard let account = Account(claim, domain: domain) else {
                return .decided(.challenge(realm: realm, isStale: false, .unknownUser))
            }
            return .lookUp(claim, account)
        }
        // RFC 7616 section 3.4: what is missing or improper gets 400.
        if defect == .malformedCredentials { return .decided(.refuse(status: 400, .malformedCredentials)) }
        return .decided(.challenge(realm: realm, isStale: false, defect))
    }

    /// The domain of From where it is ours, since that is where the account is; else the room's.
    static func realm(for request: Request, _ from: NameAddr, _ rules: Rules) -> String {
        if let domain = rules.resolver.servedDomain(from.uri.host, local: request.local.host) { return domain }
        var target = request.requestURI
        if target.user == nil { target.user = "server" }
        guard case .room(let room) = rules.resolver.resolve(target, local: request.local.host) else {
            return RoomResolver.normalized(request.requestURI.host)
        }
        return room.domain
    }

    // MARK: With the account

    mutating func judge(
        _ request: Request, _ claim: DigestClaim, _ account: Account, _ secrets: AccountSecrets?, within known: Caller?,
        rules: Rules, at now: UInt64
    ) -> OnAccount {
        guard claim.proof(secrets: secrets, method: request.method, uri: []) != nil else {
            let defect: Defect = secrets == nil ? .unknownUser : .wrongPassword
            return .decided(.challenge(realm: claim.realm, isStale: false, defect))
        }
        switch nonces.judge(claim.nonce, count: claim.nonceCount, at: now) {
        case .fresh: nonces.use(claim.nonce, count: claim.nonceCount, at: now)
        case .replayed: return .decided(.challenge(realm: claim.realm, isStale: true, .replayedNonce))
        case .expired, .unknown: return .decided(.challenge(realm: claim.realm, isStale: true, .staleNonce))
        }
        if let known {
            // What was proven outside of the dialog must be who the dialog is with.
            let isSame = known.account.utf8.elementsEqual(account.description.utf8)
            return .decided(
                isSame ? .admit(known.moved(to: request)) : .refuse(status: 403, .otherDialog))
        }
        guard let from = request.from else { return .decided(.refuse(status: 400, .unusableFrom)) }
        let isOwn =
            from.uri.isAnonymous
            || account.isNamed(user: from.uri.user, domain: domain(of: from.uri, request, rules))
        return isOwn ? .decided(proven(request, account, aliases: [], rules)) : .askAliases(account)
    }

    /// - Parameter aliases: the account's other addresses, each `user@domain`.
    mutating func identify(
        _ request: Request, _ account: Account, aliases: [String], rules: Rules
    ) -> Decision {
        guard let from = request.from?.uri, let user = from.user else { return .refuse(status: 403, .otherIdentity) }
        let written = Account(user: user, domain: domain(of: from, request, rules))
        let isOwn = aliases.prefix(rules.mostAliases).contains { Account($0) == written }
        return isOwn ? proven(request, account, aliases: [account], rules) : .refuse(status: 403, .otherIdentity)
    }

    private mutating func proven(
        _ request: Request, _ account: Account, aliases: [Account], _ rules: Rules
    ) -> Decision {
        guard var identity = Identity(of: request, serial: 0, displayNameOctets: rules.displayNameOctets) else {
            return .refuse(status: 400, .unusableFrom)
        }
        for alias in aliases { identity.add(alias: alias.uri) }
        return .admit(caller(identity, account: account, .digest, request, rules))
    }

    // MARK: By somebody's word

    private mutating func vouched(
        _ request: Request, _ identity: Identity, within known: Caller?, _ rules: Rules
    ) -> Decision {
        let caller: Caller
        if let asserted = AssertedIdentity(of: request) {
            let identity = Identity(asserted, displayNameOctets: rules.displayNameOctets)
            let name = asserted.address.map { account(of: $0) } ?? Account(telephone: asserted.uri)
            if let known {
                // Whom we called need not be asserted under the name we called them by.
                let isSame =
                    known.proof == .believed || known.account.utf8.elementsEqual(name.description.utf8)
                return isSame ? .admit(known.moved(to: request)) : .refuse(status: 403, .otherDialog)
            }
            caller = self.caller(identity, account: name, .trustedPeer, request, rules)
        } else {
            // It carried the dialog's identity when it was made; later requests need not repeat it.
            if let known { return .admit(known.moved(to: request)) }
            let from = request.from?.uri ?? SIPURI(host: "")
            caller = self.caller(identity, account: account(of: from), .trustedPeer, request, rules)
        }
        return .admit(caller)
    }

    private mutating func caller(
        _ identity: Identity, account: Account, _ proof: Caller.Proof, _ request: Request, _ rules: Rules
    ) -> Caller {
        var identity = identity
        var account = account
        if identity.isAnonymous || Privacy.isAsked(request) {
            anonymous &+= 1
            if identity.isAnonymous {
                // Made with the number that this one has alone.
                let numbered = Identity(of: request, serial: anonymous, displayNameOctets: rules.displayNameOctets)
                identity = numbered ?? identity
                if proof != .digest { account = Account(anonymous: identity.uri) }
            } else {
                identity.hide(serial: anonymous)
            }
        }
        return Caller(
            uri: identity.uri, aliases: identity.aliases, displayName: identity.displayName,
            account: account.description, isAnonymous: identity.isAnonymous, proof: proof,
            source: Caller.source(of: request))
    }

    private func account(of uri: SIPURI) -> Account {
        Account(user: uri.user ?? "", domain: RoomResolver.normalized(uri.host))
    }

    private func domain(of uri: SIPURI, _ request: Request, _ rules: Rules) -> String {
        rules.resolver.servedDomain(uri.host, local: request.local.host) ?? RoomResolver.normalized(uri.host)
    }
}

extension Doorkeeper {
    /// `user@domain`. Compared octet by octet: what is no more than canonically equivalent is somebody else.
    struct Account: Equatable, Sendable, CustomStringConvertible {
        let user: String
        let domain: String
        /// A name that is no address.
        private var whole: String?

        init(user: String, domain: String) {
            self.user = user
            self.domain = domain
        }

        init(telephone: String) { (user, domain, whole) = ("", "", telephone) }

        /// Of those whose identity nobody knows.
        init(anonymous uri: String) {
            (user, domain, whole) = (
                "", "", String(uri[(uri.firstIndex(of: ":").map(uri.index(after:)) ?? uri.startIndex)...])
            )
        }

        /// Of `user@domain`.
        init(_ text: String) {
            let at = text.lastIndex(of: "@")
            user = String(text[..<(at ?? text.endIndex)])
            domain = at.map { RoomResolver.normalized(String(text[text.index(after: $0)...])) } ?? ""
        }

        /// A user name may bring its domain, which must be the realm; nil when it brings another.
        init?(_ claim: DigestClaim, domain: String) {
            var user = claim.username
            if let at = user.lastIndex(of: "@") {
                guard RoomResolver.normalized(String(user[user.index(after: at)...])) == domain else { return nil }
                user = String(user[..<at])
            }
            guard !user.isEmpty else { return nil }
            self.init(user: user, domain: domain)
        }

        var description: String { whole ?? "\(user)@\(domain)" }
        var uri: String { SIPURI(user: user, host: domain).description }

        func isNamed(user: String?, domain: String) -> Bool {
            guard let user else { return false }
            return self == Account(user: user, domain: domain)
        }

        static func == (left: Self, right: Self) -> Bool {
            left.description.utf8.elementsEqual(right.description.utf8)
        }
    }

    /// What was wrong with a request, for the log.
    enum Defect: String, Sendable {
        case unusableFrom = "no usable From"
        case notTrusted = "not from a trusted peer"
        case malformedCredentials = "incomplete or contradictory credentials"
        case otherScheme = "credentials other than digest"
        case otherAlgorithm = "an algorithm that is not offered"
        case otherRealm = "credentials for another realm"
        case otherTarget = "credentials for another URI"
        case unknownUser = "unknown user"
        case wrongPassword = "wrong password"
        case staleNonce = "nonce too old"
        case replayedNonce = "nonce count used before"
        case otherIdentity = "the account does not have the name in From"
        case otherDialog = "the dialog is somebody else's"

        /// Counts as an attempt to get in with what isn't one's own.
        var isFailure: Bool {
            switch self {
            case .unknownUser, .wrongPassword, .otherIdentity, .otherDialog, .otherTarget: true
            default: false
            }
        }
    }
}

extension Caller {
    static func source(of request: Request) -> String { source(request.source) }

    /// The address alone, for people whom we called over a connection and who can prove nothing: they may ask on
    /// another one.
    static func address(_ source: Endpoint) -> String { RoomResolver.normalized(source.host) }

    static func source(_ source: Endpoint) -> String {
        "\(source.transport.rawValue):\(address(source)):\(source.port)"
    }

    /// Whether a request within their dialog is from where they are.
    func isAt(_ source: Endpoint) -> Bool {
        self.source == Self.source(source) || (source.transport != .udp && self.source == Self.address(source))
    }

    func moved(to request: Request) -> Caller {
        var moved = self
        moved.source = Self.source(of: request)
        return moved
    }
}

extension RoomResolver {
    /// The served domain that a host stands for; nil: it is none of ours.
    func servedDomain(_ host: String, local: String?) -> String? {
        guard case .room(let room) = resolve(SIPURI(user: "somebody", host: host), local: local) else { return nil }
        return room.domain
    }

    /// Whether the URI of credentials is the one a request was sent to (RFC 3261 section 22.4 item 1, RFC 7616 section
    /// 3.4.6). Clients write it with or without port and parameters, and a proxy may have put our address in the place
    /// of the domain since: what names the same room is the same.
    func isSameTarget(_ text: String, as request: Request) -> Bool {
        guard let uri = SIPURI(text), uri.isSIP else { return false }
        let target = request.requestURI
        switch resolve(target, local: request.local.host) {
        case .room(let room):
            guard case .room(let named) = resolve(uri, local: request.local.host) else { return false }
            return named == room
        case .server: return resolve(uri, local: request.local.host) == .server
        case .notFound, .unsupportedScheme:
            let users = ((uri.user ?? "").utf8, (target.user ?? "").utf8)
            return users.0.elementsEqual(users.1)
                && Self.normalized(uri.host) == Self.normalized(target.host)
        }
    }
}
