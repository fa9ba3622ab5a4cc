import DigestAuth
import Testing

@testable import Focus
@testable import SIP

/// INVITE without credentials, 401, INVITE with them: the caller.
@Suite("Digest authentication of requests", .timeLimit(.minutes(1)))
struct AccessDigestTests {
    @Test("a stranger is challenged, with all algorithms, the strongest first (RFC 3261 section 22.2, RFC 8760)")
    func challenge() async throws {
        let door = AccessBench()
        for method in ["INVITE", "SUBSCRIBE", "REFER", "PUBLISH"] {
            let answer = try await door.refused(.make(method, "sip:lobby@example.com"))
            #expect(answer.status == 401)
            let fields = answer.headers.filter { $0.name == "WWW-Authenticate" }
            let offers = fields.compactMap { DigestChallenge($0.value) }
            #expect(offers.map(\.algorithm) == [.sha256, .md5])
            #expect(offers.allSatisfy { $0.realm == "example.com" && $0.offersAuth && !$0.isStale })
        }
        #expect(await door.counters.challenged == 4)
        #expect(await door.bench.focus.accessLoad == (visits: 0, nonces: 0))
    }

    @Test("SHA-256 is offered only where every account can (RFC 8760 section 2.3)")
    func algorithms() async throws {
        let door = AccessBench { $0.access.accounts = SlowAccounts(algorithms: [.md5]) }
        let answer = try await door.challenge()
        #expect(answer.headers.map(\.name) == ["WWW-Authenticate"])
        #expect(DigestChallenge(answer.headers[0].value)?.algorithm == .md5)
    }

    @Test(
        "the right password gets in, with either algorithm",
        arguments: [DigestAlgorithm.md5, .sha256], ["INVITE", "SUBSCRIBE", "REFER", "PUBLISH"])
    func rightPassword(algorithm: DigestAlgorithm, method: String) async throws {
        let door = AccessBench()
        let user = TestUser.alice
        let challenge = try await door.challenge(user.request(method))
        let authorization = try user.authorization(challenge, method: method, algorithm: algorithm)
        let caller = try await door.admitted(user.request(method, authorization: authorization))
        #expect(
            caller
                == Caller(
                    uri: "sip:alice@example.com", displayName: "Alice", account: "alice@example.com", proof: .digest,
                    source: "udp:198.51.100.7:5060"))
        #expect(await door.counters.admitted == 1)
    }

    @Test("no qop, another qop, an algorithm nobody offered: not let in (RFC 3261 section 22.4)")
    func otherProtection() async throws {
        let door = AccessBench()
        let user = TestUser.alice
        let right = try user.authorization(try await door.challenge(user.request()))
        for (old, new, status) in [
            ("qop=auth", "qop=auth-int", 401), ("algorithm=SHA-256", "algorithm=SHA-256-sess", 401),
            ("algorithm=SHA-256", "algorithm=SHA-512-256", 401), (", qop=auth", "", 400), ("Digest ", "Basic ", 401),
            ("nc=00000001", "nc=1", 400), ("nc=00000001", "nc=00000000", 400),
        ] {
            let answer = try await door.refused(user.request(authorization: right.replacing(old, with: new)))
            #expect(answer.status == status, "\(new)")
        }
        _ = try await door.admitted(user.request(authorization: right))
    }

    @Test("a wrong password, an unknown user, another method's digest: challenged again, and counted")
    func wrongPassword() async throws {
        let door = AccessBench()
        let challenge = try await door.challenge()
        var users = [TestUser.alice, .alice, .alice]
        users[0].password = "Secret"
        users[1].username = "carol"
        users[1].from = "<sip:carol@example.com>;tag=1"
        users[2].username = "alice@example.org"
        for user in users {
            let answer = try await door.refused(user.request(authorization: try user.authorization(challenge)))
            #expect(answer.status == 401)
            #expect(answer.header("WWW-Authenticate")?.contains("stale") == false)
        }
        let authorization = try TestUser.alice.authorization(challenge, method: "SUBSCRIBE")
        #expect(try await door.refused(TestUser.alice.request(authorization: authorization)).status == 401)
        #expect(await door.counters.failures == 4)
        #expect(await door.counters.admitted == 0)
    }

    @Test("a replayed Authorization gets stale=true and a new nonce, never in (RFC 7616 section 3.4)")
    func replay() async throws {
        let door = AccessBench()
        let user = TestUser.alice
        let challenge = try await door.challenge(user.request())
        let authorization = try user.authorization(challenge)
        _ = try await door.admitted(user.request(authorization: authorization))
        // Also from elsewhere, in another call.
        for source in [Request.client, Endpoint(transport: .tcp, host: "203.0.113.5", port: 4000)] {
            let replayed = user.request(authorization: authorization, headers: ["Call-ID": "other"], source: source)
            let answer = try await door.refused(replayed)
            #expect(answer.status == 401)
            let offer = try #require(DigestChallenge(answer.header("WWW-Authenticate") ?? ""))
            #expect(offer.isStale)
            #expect(!authorization.contains(offer.nonce))
        }
        _ = try await door.admitted(user.request(authorization: try user.authorization(challenge, count: 2)))
        #expect(await door.counters.stale == 2)
    }

    @Test("a nonce that is too old: stale=true, and the same password gets in with the new one (RFC 7616 section 3.3)")
    func stale() async throws {
        let door = AccessBench { $0.access.nonceLifetime = .seconds(60) }
        let user = TestUser.alice
        let challenge = try await door.challenge(user.request())
        door.bench.clock.advance(by: .seconds(61))
        let answer = try await door.refused(user.request(authorization: try user.authorization(challenge)))
        #expect(answer.status == 401)
        #expect(answer.header("WWW-Authenticate")?.hasSuffix("stale=true") == true)
        _ = try await door.admitted(user.request(authorization: try user.authorization(answer)))
    }

    @Test("of several credentials the ones for this realm count (RFC 3261 section 22.3)")
    func several() async throws {
        let door = AccessBench()
        let user = TestUser.alice
        let right = try user.authorization(try await door.challenge(user.request()))
        let foreign = right.replacing("realm=\"example.com\"", with: "realm=\"example.org\"")
        let both = "\(foreign)\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\nAuthorization: \(right)"
        _ = try await door.admitted(user.request(authorization: both))
        #expect(try await door.refused(user.request(authorization: foreign)).status == 401)
        let many = Array(repeating: foreign, count: Doorkeeper.mostCredentials).joined(separator: "\r\nAuthorization: ")
        let late = "\(many)\r\nAuthorization: \(try user.authorization(try await door.challenge(user.request())))"
        #expect(try await door.refused(user.request(authorization: late)).status == 401)
    }

    @Test("Proxy-Authorization is for proxies (RFC 3261 section 22.3)")
    func proxyAuthorization() async throws {
        let door = AccessBench()
        let user = TestUser.alice
        let right = try user.authorization(try await door.challenge(user.request()))
        let answer = try await door.refused(user.request(headers: ["Proxy-Authorization": right]))
        #expect(answer.status == 401)
    }

    // MARK: The digest URI

    @Test(
        "the digest URI may be any spelling of the request's target (RFC 3261 section 22.4)",
        arguments: [
            "sip:lobby@example.com", "sip:lobby@EXAMPLE.com:5060", "sip:lobby@example.com;transport=tcp",
            "sips:lobby@example.com", "sip:%6cobby@example.com.", "sip:lobby@192.0.2.1", "sip:lobby@192.0.2.1:5060",
        ])
    func spellings(uri: String) async throws {
        let door = AccessBench()
        let user = TestUser.alice
        let challenge = try await door.challenge(user.request())
        let authorization = try user.authorization(challenge, uri: uri)
        for target in ["sip:lobby@example.com", "sip:lobby@192.0.2.1:5060;transport=tcp"] {
            let count: UInt32 = target.contains("192") ? 2 : 1
            let request = user.request(
                "INVITE", target, authorization: try user.authorization(challenge, uri: uri, count: count))
            #expect(try await door.admitted(request).account == "alice@example.com")
        }
        #expect(!authorization.isEmpty)
    }

    @Test(
        "credentials for another target are refused: 400 (RFC 7616 section 3.4.6)",
        arguments: [
            "sip:Lobby@example.com", "sip:other@example.com", "sip:lobby@example.net", "sip:lobby@example.org",
            "sip:example.com", "tel:+4930", "lobby@example.com", "", "*", "/",
        ])
    func otherTarget(uri: String) async throws {
        let door = AccessBench()
        let user = TestUser.alice
        let authorization = try user.authorization(try await door.challenge(user.request()), uri: uri)
        #expect(try await door.refused(user.request(authorization: authorization)).status == 400)
        let without = authorization.replacing("uri=\"\(uri)\", ", with: "")
        #expect(try await door.refused(user.request(authorization: without)).status == 400)
    }

    // MARK: Who it is

    @Test(
        "From must be the account's: another name gets 403, whatever it looks like",
        arguments: [
            "<sip:bob@example.com>", "<sip:alice@example.net>", "<sip:alice@example.org>", "<sip:Alice@example.com>",
            "<sip:example.com>", "\"alice@example.com\" <sip:eve@example.org>", "<sip:alice%40example.com@example.org>",
            "<sip:alice@example.com.evil.org>", "<sip:bob@192.0.2.1>",
        ])
    func forgedFrom(from: String) async throws {
        let door = AccessBench()
        var user = TestUser.alice
        let challenge = try await door.challenge(user.request())
        user.from = "\(from);tag=1"
        let answer = try await door.refused(user.request(authorization: try user.authorization(challenge)))
        #expect(answer.status == 403)
        #expect(answer.header("WWW-Authenticate") == nil)
        #expect(await door.counters.refused == 1)
    }

    @Test(
        "spellings of the account's own address are its own",
        arguments: [
            ("<sip:alice@EXAMPLE.com>", "sip:alice@example.com"),
            ("<sips:alice@example.com>", "sips:alice@example.com"),
            ("<sip:%61lice@example.com.;user=phone>", "sip:alice@example.com."),
            ("<sip:alice@example.com:5060>", "sip:alice@example.com:5060"),
            ("<sip:alice@192.0.2.1>", "sip:alice@192.0.2.1"), ("sip:alice@example.com", "sip:alice@example.com"),
        ])
    func spellingsOfFrom(from: String, uri: String) async throws {
        let door = AccessBench()
        var user = TestUser.alice
        user.from = "\(from);tag=1"
        let authorization = try user.authorization(try await door.challenge(user.request()))
        let caller = try await door.admitted(user.request(authorization: authorization))
        #expect(caller.uri == uri)
        #expect(caller.account == "alice@example.com")
    }

    @Test("a user name may bring its domain, which must be the realm")
    func usernameWithDomain() async throws {
        let door = AccessBench()
        var user = TestUser.alice
        let challenge = try await door.challenge(user.request())
        user.username = "alice@Example.com"
        let caller = try await door.admitted(user.request(authorization: try user.authorization(challenge)))
        #expect(caller.account == "alice@example.com")
        // The same store has this account too, in another realm.
        user.username = "alice@example.net"
        user.password = "other"
        user.from = "<sip:alice@example.net>;tag=1"
        let answer = try await door.refused(user.request(authorization: try user.authorization(challenge)))
        #expect(answer.status == 401)
    }

    @Test("the realm is From's domain where it is served, else the room's")
    func realms() async throws {
        let door = AccessBench()
        for (from, uri, realm) in [
            ("<sip:alice@example.net>", "sip:lobby@example.com", "example.net"),
            ("<sip:alice@example.org>", "sip:lobby@example.net", "example.net"),
            ("<sip:alice@192.0.2.1>", "sip:lobby@example.net", "example.com"),
            ("<sip:anonymous@anonymous.invalid>", "sip:lobby@example.net", "example.net"),
            ("<sip:alice@example.org>", "sip:example.net", "example.net"),
            ("<sip:alice@example.org>", "sip:lobby@192.0.2.1;room-domain=example.net", "example.net"),
        ] {
            let answer = try await door.refused(.make("INVITE", uri, headers: ["From": "\(from);tag=1"]))
            #expect(DigestChallenge(answer.header("WWW-Authenticate") ?? "")?.realm == realm, "\(from) \(uri)")
        }
    }

    @Test("an account of another served domain comes in with its own realm")
    func otherDomain() async throws {
        let door = AccessBench()
        let user = TestUser(password: "other", from: "<sip:alice@example.net>;tag=1")
        let authorization = try user.authorization(try await door.challenge(user.request()))
        #expect(try await door.admitted(user.request(authorization: authorization)).account == "alice@example.net")
    }

    @Test("an account's other addresses are its own in From; policy goes by the account")
    func aliases() async throws {
        let door = AccessBench {
            $0.access.accounts = SlowAccounts(aliases: ["alice@example.com": ["chief@example.net", "a@Example.org"]])
        }
        for (from, isOwn) in [
            ("sip:chief@example.net", true), ("sip:a@example.org", true), ("sip:A@example.org", false),
            ("sip:chief@example.com", false),
        ] {
            var user = TestUser.alice
            let challenge = try await door.challenge(user.request())
            user.from = "<\(from)>;tag=1"
            let request = user.request(authorization: try user.authorization(challenge))
            guard isOwn else {
                #expect(try await door.refused(request).status == 403)
                continue
            }
            let caller = try await door.admitted(request)
            #expect(caller.uri == from)
            #expect(caller.account == "alice@example.com")
            #expect(caller.aliases == ["sip:alice@example.com"])
        }
    }
}
