import DigestAuth
import MSRP
import NIOCore
import Testing

@testable import RelayCore

@Suite("AUTH, judged without a connection")
struct AuthTests {
    private var machine = AuthMachine(source: .sequence(1))
    private var rules = RelayConfiguration(hostname: "relay.example.com", port: 2855)
    private var scene = AuthMachine.Scene(isProtected: true)
    private static let second: UInt64 = 1_000_000_000
    private static let alice = AccountSecrets(username: "alice", realm: "example.com", password: "1234")
    private static let nonce = "00000000000000000000000000000001"

    /// What the head of an AUTH with these header fields says.
    private func request(
        to: String = "msrps://example.com:2855;tcp", from: String = "msrps://10.0.0.1:9/c;tcp",
        expires: String? = nil, _ authorization: String?
    ) throws -> AuthRequest {
        var text = "MSRP a1b2 AUTH\r\nTo-Path: \(to)\r\nFrom-Path: \(from)\r\n"
        if let expires { text += "Expires: \(expires)\r\n" }
        if let authorization { text += "Authorization: \(authorization)\r\n" }
        return try #require(AuthRequest(try head(text + "-------a1b2$\r\n")))
    }

    /// A right answer, unless something is changed.
    private func answer(
        _ username: String = "alice", password: String = "1234", realm: String = "example.com",
        nonce: String = nonce, count: UInt32 = 1, uri: String = "msrps://example.com:2855;tcp",
        algorithm: String = "MD5"
    ) throws -> String {
        let challenge = try #require(
            DigestChallenge("Digest realm=\"\(realm)\", nonce=\"\(nonce)\", qop=\"auth\", algorithm=\(algorithm)"))
        return DigestCredentials(
            answering: challenge, username: username, password: password, method: "AUTH", uri: uri,
            count: .init(cnonce: "c", nonceCount: count)
        ).headerValue
    }

    /// Both steps with the account alice; the second only where the first asks for it.
    private mutating func decide(_ request: AuthRequest, at now: UInt64 = 0) -> AuthDecision {
        switch machine.receive(request, in: scene, rules: rules, at: now) {
        case .decided(let decision): return decision
        case .lookUp(let claim):
            let lookup: AccountLookup = claim.username.hasPrefix("alice") ? .found(Self.secrets(claim)) : .unknown
            return machine.judge(request, claim, lookup, in: scene, rules: rules, at: now)
        }
    }

    private static func secrets(_ claim: DigestClaim) -> AccountSecrets {
        AccountSecrets(username: claim.username, realm: claim.realm, password: "1234")
    }

    private mutating func challenged(at now: UInt64 = 0) throws {
        guard case .challenge = decide(try request(nil), at: now) else {
            Issue.record("not challenged")
            return
        }
    }

    private func refusal(
        _ status: Int, _ reason: AuthFailure, isFailure: Bool = true, closes: Bool = false
    ) -> AuthDecision {
        .refuse(AuthRefusal(status: Status(status), reason: reason, isFailure: isFailure, closes: closes))
    }

    private func challenge(
        nonce: Int, stale: Bool = false, _ reason: AuthFailure? = nil, isFailure: Bool = false, closes: Bool = false,
        realm: String = "example.com"
    ) -> AuthDecision {
        let digits = String(nonce, radix: 16)
        return .challenge(
            AuthChallenge(
                realm: realm, nonce: String(repeating: "0", count: 32 - digits.count) + digits, isStale: stale,
                reason: reason, isFailure: isFailure, closes: closes))
    }

    // MARK: Challenges

    @Test("an AUTH without Authorization is challenged (RFC 4976 section 5.1)")
    mutating func first() throws {
        #expect(decide(try request(nil)) == challenge(nonce: 1))
    }

    @Test("the realm is the host of To-Path in lower case, or the configured domain")
    mutating func realms() throws {
        #expect(
            decide(try request(to: "msrps://Other.example:2855;tcp", nil))
                == challenge(nonce: 1, realm: "other.example"))
        rules.defaultDomain = "one.example"
        #expect(decide(try request(nil)) == challenge(nonce: 2, realm: "one.example"))
        #expect(
            decide(try request(try answer())) == challenge(nonce: 3, .otherRealm, isFailure: true, realm: "one.example")
        )
    }

    @Test("a right answer is granted, with proof and a nonce for the next (RFC 4976 section 9.1)")
    mutating func granted() throws {
        try challenged()
        let hash: (String) -> String = DigestAlgorithm.md5.hash
        let a1 = hash("alice:example.com:1234")
        let proof = hash("\(a1):\(Self.nonce):00000001:c:auth:\(hash(":msrps://example.com:2855;tcp"))")
        #expect(
            decide(try request(try answer()))
                == .grant(
                    AuthGrant(
                        account: RelayAccount(username: "alice", realm: "example.com"), requestedExpires: nil,
                        expires: 600,
                        authenticationInfo: """
                            nextnonce="00000000000000000000000000000002", rspauth="\(proof)", cnonce="c", nc=00000001, \
                            qop=auth
                            """)))
    }

    @Test("a client without uri and with everything quoted is granted the same (msrplib)")
    mutating func withoutURI() throws {
        try challenged()
        let uri = "msrps://Example.com:2855;tcp"
        let hash: (String) -> String = DigestAlgorithm.md5.hash
        let response = hash(
            "\(hash("alice:example.com:1234")):\(Self.nonce):00000001:c:auth:\(hash("AUTH:\(uri)"))")
        rules.defaultDomain = "example.com"
        let authorization =
            "Digest username=\"alice\", realm=\"example.com\", nonce=\"\(Self.nonce)\", qop=\"auth\", cnonce=\"c\", "
            + "nc=\"00000001\", response=\"\(response)\", opaque=\"o\""
        guard case .grant = decide(try request(to: uri, authorization)) else {
            Issue.record("not granted")
            return
        }
    }

    @Test("credentials for another URI than To-Path's end get 400 (RFC 7616 section 3.4.6)")
    mutating func otherURI() throws {
        try challenged()
        #expect(
            decide(try request(try answer(uri: "msrps://example.org:2855;tcp"))) == refusal(400, .otherURI))
        guard case .grant = decide(try request(try answer(uri: "msrps://EXAMPLE.com:2855;tcp"))) else {
            Issue.record("an equivalent URI is not refused")
            return
        }
    }

    @Test("SHA-256 is judged by its own secret (RFC 8760)")
    mutating func strongerAlgorithm() throws {
        try challenged()
        guard case .grant = decide(try request(try answer(algorithm: "SHA-256"))) else {
            Issue.record("not granted")
            return
        }
    }

    @Test("a user name with its domain is the same account")
    mutating func domainInName() throws {
        try challenged()
        guard case .grant(let grant) = decide(try request(try answer("alice@example.com"))) else {
            Issue.record("not granted")
            return
        }
        #expect(grant.account == RelayAccount(username: "alice", realm: "example.com"))
    }

    // MARK: Refusals

    @Test("wrong password and unknown user get the same 403 (RFC 4976 section 6.3)")
    mutating func wrong() throws {
        try challenged()
        #expect(decide(try request(try answer(password: "12345"))) == refusal(403, .wrongPassword))
        #expect(decide(try request(try answer("bob"))) == refusal(403, .unknownUser))
    }

    @Test("a right digest on an expired nonce gets stale=true, a wrong one 403")
    mutating func expired() throws {
        try challenged()
        let late = 15 * Self.second
        #expect(decide(try request(try answer(password: "x")), at: late) == refusal(403, .wrongPassword))
        #expect(decide(try request(try answer()), at: late) == challenge(nonce: 2, stale: true, .staleNonce))
        guard case .grant = decide(try request(try answer(nonce: Self.nonce.dropLast() + "2")), at: late) else {
            Issue.record("the fresh nonce is good")
            return
        }
    }

    @Test("the answer to a challenge of another connection gets stale=true and no session")
    mutating func otherConnection() throws {
        try challenged()
        let replayed = try request(try answer())
        machine = AuthMachine(source: .sequence(100))
        #expect(decide(replayed) == challenge(nonce: 100, stale: true, .staleNonce))
    }

    @Test("an answer is good once: the count has to grow (RFC 7616 section 3.4)")
    mutating func replay() throws {
        try challenged()
        guard case .grant = decide(try request(try answer(count: 2))) else {
            Issue.record("not granted")
            return
        }
        #expect(
            decide(try request(try answer(count: 2)))
                == challenge(nonce: 3, stale: true, .replayedNonce, isFailure: true))
        #expect(
            decide(try request(try answer(count: 1)))
                == challenge(nonce: 4, stale: true, .replayedNonce, isFailure: true))
        guard case .grant = decide(try request(try answer(count: 3))) else {
            Issue.record("a higher count is good")
            return
        }
    }

    @Test("Basic is refused with a challenge (RFC 4976 section 9.1)")
    mutating func basic() throws {
        #expect(
            decide(try request("Basic YWxpY2U6MTIzNA==")) == challenge(nonce: 1, .otherScheme, isFailure: true))
    }

    @Test("an answer without qop, as of RFC 2069, gets 400 (RFC 4976 section 9.1)")
    mutating func withoutQop() throws {
        try challenged()
        let old = "Digest username=\"alice\", realm=\"example.com\", nonce=\"\(Self.nonce)\", uri=\"x\", response=\"y\""
        #expect(decide(try request(old)) == refusal(400, .incomplete))
    }

    @Test("AUTH needs TLS (RFC 4976 section 9.2), unless that is switched off")
    mutating func plain() throws {
        scene.isProtected = false
        #expect(decide(try request(nil)) == refusal(403, .notProtected, isFailure: false, closes: true))
        rules.allowsPlainAuth = true
        #expect(decide(try request(nil)) == challenge(nonce: 1))
    }

    @Test("paths that are not ours to serve: a session-id, further hops, a second session")
    mutating func paths() throws {
        rules.maxAuthAttempts = 100
        #expect(decide(try request(to: "msrps://example.com:2855/s1;tcp", nil)) == refusal(481, .noSuchSession))
        #expect(
            decide(try request(to: "msrps://example.com:2855;tcp msrps://b:1;tcp", nil)) == refusal(481, .noSuchSession)
        )
        #expect(
            decide(try request(from: "msrps://b.example:2855/x;tcp msrps://10.0.0.1:9/c;tcp", nil))
                == refusal(403, .forgedPath))
        scene.isTaken = true
        #expect(decide(try request(nil)) == refusal(481, .connectionTaken))
        scene.isRelayPeer = true
        #expect(
            decide(try request(from: "msrps://b.example:2855/x;tcp msrps://10.0.0.1:9/c;tcp", nil))
                == challenge(nonce: 1))
    }

    @Test("the attempt of the configured number ends the connection, unless it is a relay's (RFC 4976 section 6.3)")
    mutating func attempts() throws {
        try challenged()
        for attempt in 1...3 {
            #expect(
                decide(try request(try answer(password: "x"))) == refusal(403, .wrongPassword, closes: attempt == 3))
        }
        scene.isRelayPeer = true
        #expect(decide(try request(try answer(password: "x"))) == refusal(403, .wrongPassword))
    }

    @Test("a 200 forgives the failures before it")
    mutating func forgiven() throws {
        try challenged()
        for _ in 1...2 { _ = decide(try request(try answer(password: "x"))) }
        guard case .grant = decide(try request(try answer())) else {
            Issue.record("not granted")
            return
        }
        #expect(decide(try request(try answer(password: "x", count: 2))) == refusal(403, .wrongPassword))
    }

    @Test("nobody is challenged for ever")
    mutating func endless() throws {
        for number in 1...AuthMachine.mostChallenges { #expect(decide(try request(nil)) == challenge(nonce: number)) }
        #expect(decide(try request(nil)) == challenge(nonce: AuthMachine.mostChallenges + 1, closes: true))
    }

    @Test("accounts that can't be looked up are not wrong passwords")
    mutating func unavailable() throws {
        try challenged()
        let request = try request(try answer())
        guard case .lookUp(let claim) = machine.receive(request, in: scene, rules: rules, at: 0) else {
            Issue.record("not looked up")
            return
        }
        #expect(
            machine.judge(request, claim, .unavailable("disk"), in: scene, rules: rules, at: 0)
                == refusal(408, .storeUnavailable, isFailure: false))
        #expect(
            machine.judge(request, claim, .found(Self.alice), in: scene, rules: rules, at: 0)
                != refusal(408, .storeUnavailable, isFailure: false))
    }

    // MARK: Expires

    @Test(
        "Expires has its bounds (RFC 4976 sections 4.6 and 6.3)",
        arguments: [
            ("60", 200, nil, nil), ("3600", 200, nil, nil), ("59", 423, 60, nil), ("0", 423, 60, nil),
            ("3601", 423, nil, 3600), ("99999999999999999999999", 423, nil, 3600), ("-1", 400, nil, nil),
            ("soon", 400, nil, nil), ("600s", 400, nil, nil), ("", 400, nil, nil),
        ] as [(String, Int, Int?, Int?)])
    mutating func expires(text: String, status: Int, minimum: Int?, maximum: Int?) throws {
        try challenged()
        let decision = decide(try request(expires: text, try answer()))
        switch decision {
        case .grant(let grant):
            #expect(status == 200 && grant.requestedExpires == Int(text) && grant.expires == Int(text))
        case .refuse(let refusal):
            #expect(refusal.status.code == status && !refusal.isFailure && !refusal.closes)
            #expect(refusal.minimumExpires == minimum && refusal.maximumExpires == maximum)
        case .challenge:
            Issue.record("challenged")
        }
    }

    @Test("Expires is looked at when the password was right, not before")
    mutating func expiresLast() throws {
        #expect(decide(try request(expires: "1", nil)) == challenge(nonce: 1))
        #expect(decide(try request(expires: "x", try answer(password: "x"))) == refusal(403, .wrongPassword))
    }

    // MARK: Refresh

    @Test("a refresh uses the next nonce of its 200, long after the challenge's time")
    mutating func refresh() throws {
        try challenged()
        _ = decide(try request(try answer()))
        scene.session = RelayAccount(username: "alice", realm: "example.com")
        scene.isTaken = true
        let target = "msrps://relay.example.com:2855/s1;tcp"
        let next = String(Self.nonce.dropLast() + "2")
        let refresh = try request(to: target, try answer(nonce: next, uri: target))
        guard case .grant = decide(refresh, at: 599 * Self.second) else {
            Issue.record("not granted")
            return
        }
        #expect(
            decide(try request(to: target, try answer(nonce: next, count: 2, uri: target)), at: 600 * Self.second)
                == challenge(nonce: 4, stale: true, .staleNonce))
    }

    @Test("nobody refreshes another account's session")
    mutating func otherAccount() throws {
        scene.session = RelayAccount(username: "bob", realm: "example.com")
        try challenged()
        #expect(decide(try request(try answer())) == refusal(403, .otherAccount))
    }

    // MARK: Heads

    @Test(
        "without a To-Path and a From-Path that can be read there is nothing to judge: 400",
        arguments: [
            "", "To-Path: msrps://a:1;tcp\r\n", "From-Path: msrps://a:1/x;tcp\r\n",
            "To-Path: a\r\nFrom-Path: msrps://a:1/x;tcp\r\n", "To-Path: msrps://a:1;tcp\r\nFrom-Path: x\r\n",
            "To-Path: msrps://a:1;tcp\r\nFrom-Path: msrps://a:1/x;tcp\r\n folded\r\n",
        ])
    mutating func malformed(fields: String) throws {
        #expect(AuthRequest(try head("MSRP a1b2 AUTH\r\n\(fields)-------a1b2$\r\n")) == nil)
        #expect(machine.receive(nil, in: scene, rules: rules, at: 0) == .decided(refusal(400, .malformed)))
    }

    @Test("of several Authorizations the first that can be judged counts")
    mutating func severalAuthorizations() throws {
        try challenged()
        let fields = "Digest algorithm=SHA-512-256\r\nAUTHORIZATION: \(try answer())"
        guard case .grant = decide(try request(fields)) else {
            Issue.record("not granted")
            return
        }
    }
}

/// The head of a message as the wire brings it.
private func head(_ text: String) throws -> Head {
    var parser = PartParser()
    var buffer = ByteBuffer(string: text)
    guard case .head(let head) = try parser.next(&buffer) else { throw NoHead() }
    return head
}

private struct NoHead: Error {}
