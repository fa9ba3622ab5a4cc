@testable import Client
import DigestAuth
import MSRP
import NIOCore
import Testing

@Suite("AUTH as a client (RFC 4976 section 5.1)")
struct ClientAuthTests {
    private let relay = "msrps://example.com:2855;tcp"

    private func exchange(expires: Int? = nil) throws -> AuthExchange {
        AuthExchange(
            user: try #require(RelayUser("alice@example.com")), password: "secret",
            toPath: try #require(Path("msrps://b.example.com:2855/s1;tcp \(relay)")), expires: expires,
            relay: "the relay", cnonce: { "c0ffee" })
    }

    private func response(_ text: String) throws -> Head {
        var parser = PartParser()
        var bytes = ByteBuffer(
            string: "MSRP a1b2 \(text.replacing("\n", with: "\r\n"))\r\nTo-Path: msrps://c;tcp\r\n"
                + "From-Path: \(relay)\r\n-------a1b2$\r\n")
        guard case .head(let head)? = try parser.next(&bytes) else { throw WireError(.badTransactionID) }
        return head
    }

    private func challenge(_ nonce: String, _ more: String = "", qop: String = #", qop="auth""#) -> String {
        #"WWW-Authenticate: Digest realm="example.com", nonce="\#(nonce)"\#(qop)\#(more)"#
    }

    private func value(_ name: String, _ headers: [AuthExchange.Header]) -> String? {
        headers.first { $0.name == name }?.value
    }

    private func retry(
        _ step: AuthExchange.Step, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [AuthExchange.Header] {
        guard case .retry(let headers) = step else {
            Issue.record("\(step)", sourceLocation: sourceLocation)
            return []
        }
        return headers
    }

    private func failure(_ step: AuthExchange.Step) -> ClientError? {
        if case .failed(let error) = step { error } else { nil }
    }

    @Test("the first AUTH has no Authorization; Expires only when it is wanted")
    func first() throws {
        var plain = try exchange()
        #expect(plain.begin().isEmpty)
        var wanting = try exchange(expires: 900)
        #expect(wanting.begin().map(\.name) == ["Expires"])
    }

    @Test(
        "an MD5 challenge is answered with everything quoted and no uri, the digest URI being the last of To-Path (section 9.1)"
    )
    func quoted() throws {
        var exchange = try exchange()
        _ = exchange.begin()
        let step = exchange.received(try response("401 Unauthorized\n" + challenge("n1", #", opaque="o1""#)))
        let secret = DigestAlgorithm.md5.hash("alice:example.com:secret")
        let a2 = DigestAlgorithm.md5.hash("AUTH:\(relay)")
        let right = DigestAlgorithm.md5.hash("\(secret):n1:00000001:c0ffee:auth:\(a2)")
        #expect(
            value("Authorization", try retry(step))
                == #"Digest username="alice", realm="example.com", nonce="n1", qop="auth", nc="00000001", "#
                + #"cnonce="c0ffee", response="\#(right)", opaque="o1""#)
    }

    @Test("of several challenges the strongest is answered, SHA-256 in the form of RFC 7616 (RFC 8760)")
    func strongest() throws {
        var exchange = try exchange()
        _ = exchange.begin()
        let both =
            "401 Unauthorized\n" + challenge("n1", ", algorithm=SHA-256") + "\n" + challenge("n1", ", algorithm=MD5")
        let text = try #require(value("Authorization", try retry(exchange.received(try response(both)))))
        let parameters = try #require(AuthParameters(text))
        #expect(parameters["algorithm"] == "SHA-256" && parameters["uri"] == relay && text.contains(", qop=auth, "))
        let secret = DigestAlgorithm.sha256.hash("alice:example.com:secret")
        let a2 = DigestAlgorithm.sha256.hash("AUTH:\(relay)")
        #expect(
            parameters["response"] == DigestAlgorithm.sha256.hash("\(secret):n1:00000001:c0ffee:auth:\(a2)"))
    }

    @Test("a relay that asks again, or answers 400, gets the other form; the third time it is the password")
    func otherForm() throws {
        for refusal in ["401 Unauthorized\n" + challenge("n2"), "400 Bad Request"] {
            var exchange = try exchange()
            _ = exchange.begin()
            let before = try retry(exchange.received(try response("401 Unauthorized\n" + challenge("n1"))))
            #expect(value("Authorization", before)?.contains("uri=") == false)
            let after = try retry(exchange.received(try response(refusal)))
            #expect(value("Authorization", after)?.contains(#"uri="\#(relay)""#) == true)
            let last = failure(exchange.received(try response("401 Unauthorized\n" + challenge("n3"))))
            #expect(last == .denied("the relay refused: wrong user name or password for alice@example.com"))
        }
    }

    @Test("a stale nonce is replaced without a word (RFC 7616 section 3.3)")
    func stale() throws {
        var exchange = try exchange()
        _ = exchange.begin()
        _ = exchange.received(try response("401 Unauthorized\n" + challenge("n1")))
        let step = exchange.received(try response("401 Unauthorized\n" + challenge("n2", ", stale=true")))
        let text = try #require(value("Authorization", try retry(step)))
        #expect(text.contains(#"nonce="n2""#) && text.contains(#"nc="00000001""#) && !text.contains("uri="))
        // It can't go on for ever.
        for number in 3..<6 {
            _ = exchange.received(try response("401 Unauthorized\n" + challenge("n\(number)", ", stale=true")))
        }
        #expect(
            failure(exchange.received(try response("401 Unauthorized\n" + challenge("n9", ", stale=true"))))
                == .denied("the relay refused: it asks for the password again and again"))
    }

    @Test("403 is a wrong name or password, 501 no relay at all, 481 a lost session")
    func refusals() throws {
        var exchange = try exchange()
        _ = exchange.begin()
        guard case .denied(let early)? = failure(exchange.received(try response("403 Forbidden"))) else {
            Issue.record("403")
            return
        }
        #expect(early.contains("TLS"))
        _ = exchange.received(try response("401 Unauthorized\n" + challenge("n1")))
        #expect(
            failure(exchange.received(try response("403 Forbidden")))
                == .denied("the relay refused: wrong user name or password for alice@example.com"))
        guard case .denied(let text)? = failure(exchange.received(try response("501 Not Implemented"))) else {
            Issue.record("501")
            return
        }
        #expect(text.contains("--relay"))
        #expect(
            failure(exchange.received(try response("481 No Such Session")))
                == .lost("the relay no longer knows our session"))
    }

    @Test("Basic, auth-int alone and MD5-sess are not answered (section 9.1)")
    func otherSchemes() throws {
        for text in [
            #"WWW-Authenticate: Basic realm="example.com""#, challenge("n1", qop: #", qop="auth-int""#),
            challenge("n1", ", algorithm=MD5-sess"), "X: y",
        ] {
            var exchange = try exchange()
            _ = exchange.begin()
            guard case .unusableAnswer? = failure(exchange.received(try response("401 Unauthorized\n" + text))) else {
                Issue.record("answered: \(text)")
                continue
            }
        }
    }

    @Test("423 is asked again within the bounds, once (section 5.1)")
    func bounds() throws {
        for (asked, bounds, next) in [
            (10, "Min-Expires: 60", "60"), (9000, "Max-Expires: 3600", "3600"),
            (nil, "Min-Expires: 60\nMax-Expires: 3600", "60"),
        ] as [(Int?, String, String)] {
            var exchange = try exchange(expires: asked)
            _ = exchange.begin()
            let step = exchange.received(try response("423 Parameter Out Of Bounds\n\(bounds)"))
            #expect(value("Expires", try retry(step)) == next)
            #expect(failure(exchange.received(try response("423 Parameter Out Of Bounds\n\(bounds)"))) != nil)
        }
    }

    private func granted(_ exchange: inout AuthExchange, info: String = "") throws -> AuthExchange.Step {
        _ = exchange.begin()
        _ = exchange.received(try response("401 Unauthorized\n" + challenge("n1")))
        return exchange.received(
            try response(
                "200 OK\nUse-Path: msrps://b.example.com:2855/s1;tcp msrps://c.example.com:2855/s2;tcp\nExpires: 600"
                    + info))
    }

    @Test("200 gives the way through the relays and its time")
    func success() throws {
        var exchange = try exchange()
        guard case .granted(let grant) = try granted(&exchange) else {
            Issue.record("not granted")
            return
        }
        #expect(grant.expires == 600 && grant.usePath.uris.map(\.sessionID) == ["s1", "s2"])
    }

    @Test(
        "a relay that proves the wrong password is refused, one that proves the right one is taken (RFC 7616 section 3.5)"
    )
    func proof() throws {
        let secret = DigestAlgorithm.md5.hash("alice:example.com:secret")
        let a2 = DigestAlgorithm.md5.hash(":\(relay)")
        let right = DigestAlgorithm.md5.hash("\(secret):n1:00000001:c0ffee:auth:\(a2)")
        var good = try exchange()
        guard case .granted = try granted(&good, info: "\nAuthentication-Info: rspauth=\"\(right)\", qop=auth") else {
            Issue.record("not granted")
            return
        }
        var bad = try exchange()
        let step = try granted(&bad, info: "\nAuthentication-Info: rspauth=\"\(secret)\", qop=auth")
        #expect(failure(step) != nil)
    }

    @Test("a refresh goes to the session's URIs with the next nonce, or counts the old one up")
    func refresh() throws {
        for (info, nonce, count) in [
            ("\nAuthentication-Info: nextnonce=\"n2\", qop=auth", "n2", "00000001"), ("", "n1", "00000002"),
        ] {
            var exchange = try exchange()
            guard case .granted(let grant) = try granted(&exchange, info: info) else { continue }
            exchange.refresh(grant)
            #expect(exchange.toPath == grant.usePath)
            let text = try #require(value("Authorization", exchange.begin()))
            #expect(text.contains(#"nonce="\#(nonce)""#) && text.contains(#"nc="\#(count)""#))
            let a2 = DigestAlgorithm.md5.hash("AUTH:msrps://c.example.com:2855/s2;tcp")
            let secret = DigestAlgorithm.md5.hash("alice:example.com:secret")
            #expect(text.contains(DigestAlgorithm.md5.hash("\(secret):\(nonce):\(count):c0ffee:auth:\(a2)")))
        }
    }

    @Test("a grant is refreshed well before its end")
    func refreshTime() {
        let now = NIODeadline.uptimeNanoseconds(0)
        #expect(SessionLink.refreshTime(expires: 600, now: now) == now + .seconds(450))
        #expect(SessionLink.refreshTime(expires: 60, now: now) == now + .seconds(40))
        #expect(SessionLink.refreshTime(expires: 10, now: now) == now + .seconds(5))
        #expect(SessionLink.refreshTime(expires: 0, now: now) == now + .seconds(1))
    }
}
