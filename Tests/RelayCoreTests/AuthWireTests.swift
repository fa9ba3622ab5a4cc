import DigestAuth
import MSRPTransport
import NIOCore
import Support
import Synchronization
import Testing

@testable import RelayCore

@Suite("AUTH on the wire")
struct AuthWireTests {
    private static let one = "00000000000000000000000000000001"

    @Test("challenge and grant, to the octet (RFC 4976 section 5.1)")
    func exact() async throws {
        let fixture = try await AuthFixture(source: .sequence(1))
        let client = try fixture.connect()
        try client.stream.send(AuthClient.request("49fh"))
        let challenge = try await client.receive()
        #expect(
            String(decoding: challenge.rawHead, as: UTF8.self) == """
                MSRP 49fh 401 Unauthorized\r
                To-Path: msrps://10.0.0.1:9/c;tcp\r
                From-Path: msrps://example.com:2855;tcp\r
                WWW-Authenticate: Digest realm="example.com", qop="auth", nonce="\(Self.one)", opaque="\(Self.one)", \
                algorithm=SHA-256\r
                WWW-Authenticate: Digest realm="example.com", qop="auth", nonce="\(Self.one)", opaque="\(Self.one)", \
                algorithm=MD5\r

                """)
        let hash: (String) -> String = { DigestAnswer.hash($0) }
        let secret = hash("alice:example.com:1234")
        let digest = { (method: String) in
            hash("\(secret):\(Self.one):00000001:0a4f113b:auth:" + hash("\(method):\(AuthClient.target)"))
        }
        try client.stream.send(
            """
            MSRP 49fi AUTH\r
            To-Path: msrps://example.com:2855;tcp\r
            From-Path: msrps://10.0.0.1:9/c;tcp\r
            Authorization: Digest username="alice", realm="example.com", nonce="\(Self.one)", \
            qop=auth, nc=00000001, cnonce="0a4f113b", response="\(digest("AUTH"))"\r
            Expires: 900\r
            -------49fi$\r

            """)
        let grant = try await client.receive()
        #expect(
            String(decoding: grant.rawHead, as: UTF8.self) == """
                MSRP 49fi 200 OK\r
                To-Path: msrps://10.0.0.1:9/c;tcp\r
                From-Path: msrps://example.com:2855;tcp\r
                Use-Path: msrps://relay.example.com:2855/1;tcp\r
                Authentication-Info: nextnonce="00000000000000000000000000000002", rspauth="\(digest(""))", \
                cnonce="0a4f113b", nc=00000001, qop=auth\r
                Expires: 900\r

                """)
        #expect(grant.flag == "$" && grant.body == nil)
        #expect(fixture.log.events == ["open alice@example.com msrps://10.0.0.1:9/c;tcp 900"])
        #expect(await fixture.outcomes() == ["401": 1, "200": 1])
        try await fixture.end()
    }

    @Test("an out-of-bounds Expires gets 423, to the octet, and then a fitting one is granted")
    func outOfBounds() async throws {
        let fixture = try await AuthFixture()
        let client = try fixture.connect()
        let challenge = try await client.auth()
        var answer = AuthClient.answer(to: challenge)
        let refusal = try await client.auth(authorization: answer.header, expires: "10")
        #expect(
            String(decoding: refusal.rawHead, as: UTF8.self) == """
                MSRP a1b2 423 Parameter Out Of Bounds\r
                To-Path: msrps://10.0.0.1:9/c;tcp\r
                From-Path: msrps://example.com:2855;tcp\r
                Min-Expires: 60\r

                """)
        answer.nonceCount = 2
        #expect(try await client.auth(authorization: answer.header, expires: "60")["Expires"] == "60")
        try await fixture.end()
    }

    @Test("clients of both dialects are granted", arguments: DigestDialect.allCases, [", ", ","])
    func dialects(dialect: DigestDialect, separator: String) async throws {
        let fixture = try await AuthFixture()
        for upperCase in [false, true] {
            let response = try await fixture.connect().authenticate(dialect) {
                $0.separator = separator
                $0.upperCase = upperCase
            }
            #expect(response.status == 200 && response["Expires"] == "600")
        }
        let opened = fixture.log.events.filter { !$0.hasPrefix("closed") }
        #expect(opened == Array(repeating: "open alice@example.com msrps://10.0.0.1:9/c;tcp -", count: 2))
        try await fixture.end()
    }

    @Test("To-Path's end is the digest URI as written: userinfo, case, no port (RFC 4976 section 9.1)")
    func rawURI() async throws {
        let fixture = try await AuthFixture { $0.defaultDomain = "example.com" }
        for target in ["msrps://alice@Example.COM;tcp", "MSRPS://example.com:02855;TCP;x=%41"] {
            for dialect in DigestDialect.allCases {
                let client = try fixture.connect()
                let answer = AuthClient.answer(to: try await client.auth(to: target), dialect: dialect, target: target)
                #expect(try await client.auth(to: target, authorization: answer.header).status == 200)
            }
        }
        try await fixture.end()
    }

    @Test("wrong password and unknown user: the same 403, and the attempt of the configured number closes")
    func refused() async throws {
        let fixture = try await AuthFixture { $0.maxAuthAttempts = 2 }
        for (user, password) in [("alice", "wrong"), ("nobody", "1234")] {
            let client = try fixture.connect()
            let challenge = try await client.auth()
            for count in 1...2 {
                let answer = AuthClient.answer(to: challenge, as: user, password: password) { $0.nonceCount = count }
                let response = try await client.auth(authorization: answer.header)
                #expect(
                    String(decoding: response.rawHead, as: UTF8.self) == """
                        MSRP a1b2 403 Forbidden\r
                        To-Path: msrps://10.0.0.1:9/c;tcp\r
                        From-Path: msrps://example.com:2855;tcp\r

                        """)
            }
            #expect(try await client.rest() == "")
        }
        #expect(
            fixture.log.lines == [
                "AUTH refused account=alice@example.com reason=wrong password status=403",
                "AUTH refused account=alice@example.com reason=wrong password status=403",
                "AUTH refused account=nobody@example.com reason=unknown user status=403",
                "AUTH refused account=nobody@example.com reason=unknown user status=403",
            ])
        try await fixture.end()
    }

    @Test("nothing is logged about failures unless that is asked for")
    func quiet() async throws {
        let fixture = try await AuthFixture { $0.logsFailedAuth = false }
        #expect(try await fixture.connect().authenticate(password: "wrong").status == 403)
        #expect(fixture.log.lines.isEmpty)
        try await fixture.end()
    }

    @Test("an Authorization that is replayed from a second connection opens nothing and leaves the first alone")
    func replayed() async throws {
        let fixture = try await AuthFixture()
        let owner = try fixture.connect()
        let answer = AuthClient.answer(to: try await owner.auth())
        #expect(try await owner.auth(authorization: answer.header).status == 200)
        let thief = try fixture.connect()
        for _ in 1...2 {
            let response = try await thief.auth(authorization: answer.header)
            #expect(response.status == 401 && response["Use-Path"] == nil)
            #expect(DigestAnswer.parameters(response["WWW-Authenticate"] ?? "")["stale"] == "true")
            #expect(DigestAnswer.parameters(response["WWW-Authenticate"] ?? "")["nonce"] != answer.challenge["nonce"])
        }
        // Nor does naming the session help.
        let target = "msrps://relay.example.com:2855/1;tcp"
        #expect(try await thief.auth(to: target, authorization: answer.header).status == 481)
        #expect(fixture.log.events == ["open alice@example.com msrps://10.0.0.1:9/c;tcp -"])
        #expect(try await owner.auth(to: target).status == 401)
        try await fixture.end()
    }

    @Test("the challenge's time is limited: a right answer after it gets stale=true, a wrong one 403")
    func late() async throws {
        let fixture = try await AuthFixture()
        let client = try fixture.connect()
        let challenge = try await client.auth()
        fixture.log.pass(seconds: 15)
        #expect(
            try await client.auth(authorization: AuthClient.answer(to: challenge, password: "x").header).status == 403)
        let stale = try await client.auth(authorization: AuthClient.answer(to: challenge).header)
        #expect(stale.status == 401 && stale["WWW-Authenticate"]?.hasSuffix(", stale=true") == true)
        #expect(try await client.auth(authorization: AuthClient.answer(to: stale).header).status == 200)
        try await fixture.end()
    }

    @Test("a refresh uses the next nonce, and is answered with the same Use-Path (RFC 4976 section 5.1)")
    func refresh() async throws {
        let fixture = try await AuthFixture()
        let client = try fixture.connect()
        let grant = try await client.authenticate(expires: "600")
        let target = "msrps://relay.example.com:2855/1;tcp"
        fixture.log.pass(seconds: 300)
        let answer = AuthClient.answer(to: grant, target: target)
        let refreshed = try await client.auth(to: target, authorization: answer.header, expires: "900")
        #expect(refreshed.status == 200 && refreshed["Use-Path"] == target && refreshed["Expires"] == "900")
        try answer.check(authenticationInfo: refreshed["Authentication-Info"] ?? "")
        #expect(fixture.log.events.last == "refreshed 1 900")
        // Another AUTH for a session of its own: one connection has one.
        #expect(try await client.auth().status == 481)
        // As whom else.
        let bob = AuthClient.answer(to: refreshed, as: "bob", password: "secret", target: target)
        #expect(try await client.auth(to: target, authorization: bob.header).status == 403)
        #expect(fixture.log.events.count == 2)
        try await fixture.end()
    }

    @Test("when there is no room for a session, the answer doesn't blame the password")
    func full() async throws {
        let fixture = try await AuthFixture()
        let client = try fixture.connect()
        #expect(try await client.authenticate(as: "bob", password: "secret").status == 408)
        try await fixture.end()
    }

    @Test("AUTH without TLS gets 403 and the connection's end (RFC 4976 section 9.2)")
    func plain() async throws {
        let fixture = try await AuthFixture { $0.allowsPlainAuth = false }
        let client = try fixture.connect()
        #expect(try await client.auth().status == 403)
        #expect(try await client.rest() == "")
        try await fixture.end()
    }

    @Test("a body is skipped, up to a bound")
    func bodies() async throws {
        let fixture = try await AuthFixture()
        let client = try fixture.connect()
        let head = "MSRP a1b2 AUTH\r\nTo-Path: \(AuthClient.target)\r\nFrom-Path: \(AuthClient.path)\r\n"
        let body = { (size: Int) in
            head + "Content-Type: text/plain\r\n\r\n" + String(repeating: "x", count: size) + "\r\n-------a1b2$\r\n"
        }
        try client.stream.send(body(AuthDesk.largestBody))
        #expect(try await client.receive().status == 401)
        try client.stream.send(body(AuthDesk.largestBody + 1))
        #expect(try await client.rest() == "")
        let other = try fixture.connect()
        try other.stream.send(body(10).replacing("-------a1b2$", with: "-------a1b2+"))
        #expect(try await other.receive().status == 400)
        try await fixture.end()
    }

    @Test("a request without a From-Path or To-Path gets 400 with what there is to address it")
    func withoutPaths() async throws {
        let fixture = try await AuthFixture()
        let client = try fixture.connect()
        try client.stream.send("MSRP a1b2 AUTH\r\nFrom-Path: \(AuthClient.path)\r\n-------a1b2$\r\n")
        var response = try await client.receive()
        #expect(response.status == 400 && response["To-Path"] == AuthClient.path && response["From-Path"] == nil)
        try client.stream.send("MSRP a1b2 AUTH\r\nTo-Path: \(AuthClient.target)\r\n-------a1b2$\r\n")
        response = try await client.receive()
        #expect(response.status == 400 && response["From-Path"] == AuthClient.target && response["To-Path"] == nil)
        try await fixture.end()
    }

    @Test("From-Path of several hops is answered whole, and needs a relay peer (RFC 4976 sections 6.3 and 9.2)")
    func forgedPath() async throws {
        let fixture = try await AuthFixture {
            $0.peers = [RelayPeer(host: "b.example", port: nil)]
        }
        let client = try fixture.connect()
        let path = "msrps://b.example:2855/s;tcp \(AuthClient.path)"
        try client.stream.send(AuthClient.request(from: path))
        let response = try await client.receive()
        #expect(response.status == 403 && response["To-Path"] == path)
        try await fixture.end()
    }

    @Test("a connection that only ever failed is closed when an unbound one is (RFC 4976 section 6.1)")
    func probation() async throws {
        let fixture = try await AuthFixture(unboundTimeout: .seconds(30))
        let client = try fixture.connect()
        #expect(try await client.auth().status == 401)
        let lucky = try fixture.connect()
        #expect(try await lucky.authenticate().status == 200)
        await fixture.tick(after: .seconds(31))
        #expect(try await client.rest() == "")
        #expect(try await lucky.auth(to: "msrps://relay.example.com:2855/1;tcp").status == 401)
        #expect(await fixture.load().visits == 1)
        try await fixture.end()
    }

    @Test("an address that failed too often is refused on new connections, but keeps its sessions")
    func throttled() async throws {
        let fixture = try await AuthFixture(throttlesLoopback: true) { $0.maxAuthAttempts = 1 }
        let owner = try fixture.connect()
        #expect(try await owner.authenticate().status == 200)
        for _ in 1...FailureThrottle.burst {
            #expect(try await fixture.connect().authenticate(password: "x").status == 403)
        }
        let client = try fixture.connect()
        #expect(try await client.auth().status == 408)
        #expect(try await client.rest() == "")
        #expect(fixture.log.lines.last == "AUTH refused reason=too many failures from this address status=408")
        #expect(try await owner.auth(to: "msrps://relay.example.com:2855/1;tcp").status == 401)
        fixture.log.pass(seconds: 2)
        #expect(try await fixture.connect().authenticate().status == 200)
        try await fixture.end()
    }

    @Test("log lines have neither passwords nor digests")
    func secrets() async throws {
        let fixture = try await AuthFixture()
        let client = try fixture.connect()
        let answer = AuthClient.answer(to: try await client.auth(), password: "hunter2")
        _ = try await client.auth(authorization: answer.header)
        _ = try await client.auth(authorization: "Basic YWxpY2U6aHVudGVyMg==")
        let text = fixture.log.lines.joined()
        #expect(!text.contains("hunter2") && !text.contains(answer.response) && !text.contains("YWxpY2U6"))
        #expect(fixture.log.lines.count == 2)
        try await fixture.end()
    }
}
