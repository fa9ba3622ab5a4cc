import DigestAuth
import Testing

@Suite("Digest authentication")
struct DigestTests {
    /// RFC 7616 section 3.9.1.
    private static let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    private static let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

    private func credentials(_ challenge: String) throws -> DigestCredentials {
        DigestCredentials(
            answering: try #require(DigestChallenge(challenge)), username: "Mufasa", password: "Circle of Life",
            method: "GET", uri: "/dir/index.html", count: .init(cnonce: Self.cnonce))
    }

    @Test(
        "the responses are those of RFC 7616 section 3.9.1",
        arguments: [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ])
    func example(algorithm: String, response: String) throws {
        let answer = try credentials(
            """
            Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=\(algorithm), \
            nonce="\(Self.nonce)", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
            """)
        #expect(answer.response == response)
        #expect(
            answer.headerValue == """
                Digest username="Mufasa", realm="http-auth@example.org", nonce="\(Self.nonce)", uri="/dir/index.html", \
                response="\(response)", algorithm=\(algorithm), opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", \
                qop=auth, nc=00000001, cnonce="\(Self.cnonce)"
                """)
    }

    @Test("the response is that of RFC 2617 section 3.5")
    func olderExample() throws {
        let challenge = try #require(
            DigestChallenge(
                #"Digest realm="testrealm@host.com",qop="auth,auth-int",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#))
        let answer = DigestCredentials(
            answering: challenge, username: "Mufasa", password: "Circle Of Life", method: "GET", uri: "/dir/index.html",
            count: .init(cnonce: "0a4f113b"))
        #expect(answer.response == "6629fae49393a05397450978507c4ef1")
    }

    @Test("without qop the response is that of RFC 2617 section 3.2.2.1, without nc and cnonce")
    func withoutQop() throws {
        let answer = try credentials("digest realm=a,nonce=b")
        let hash: (String) -> String = DigestAlgorithm.md5.hash
        #expect(answer.response == hash("\(hash("Mufasa:a:Circle of Life")):b:\(hash("GET:/dir/index.html"))"))
        #expect(!answer.headerValue.contains("nc=") && !answer.headerValue.contains("qop"))
    }

    @Test("a session algorithm takes both nonces into H(A1) (RFC 7616 section 3.4.2)")
    func sessionAlgorithm() throws {
        let answer = try credentials(#"Digest realm="a", nonce="b", algorithm=MD5-sess, qop="auth""#)
        let hash: (String) -> String = DigestAlgorithm.md5.hash
        let a1 = hash("\(hash("Mufasa:a:Circle of Life")):b:\(Self.cnonce)")
        #expect(answer.response == hash("\(a1):b:00000001:\(Self.cnonce):auth:\(hash("GET:/dir/index.html"))"))
    }

    @Test("parameters are read quoted and unquoted, in any case, with or without blanks")
    func dialects() throws {
        let quoted = try #require(
            DigestChallenge(
                #"Digest realm="x, \"y\"",nonce="n=1",qop="auth",opaque="o",stale="TRUE",algorithm="sha-256""#))
        #expect(quoted.realm == #"x, "y""#)
        #expect(quoted.nonce == "n=1")
        #expect(quoted.algorithm == .sha256)
        #expect(quoted.isStale && quoted.offersAuth && quoted.opaque == "o")
        let bare = try #require(DigestChallenge("DIGEST Realm = z , NONCE=n==,QOP=auth,, stale=false"))
        #expect(bare.realm == "z" && bare.nonce == "n==" && bare.offersAuth && !bare.isStale)
        #expect(bare.algorithm == .md5)
    }

    @Test(
        "what can't be answered is refused",
        arguments: [
            "", "Basic realm=\"x\"", "Digest realm=\"x\"", "Digest nonce=\"x\"", "Digest realm=\"x\", nonce=\"open",
            "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-1", "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"",
            "Digest realm \"x\"", "Digest ==,",
        ])
    func unreadable(value: String) {
        #expect(DigestChallenge(value) == nil)
    }

    @Test("of several challenges the strongest is answered (RFC 8760 section 2.4)")
    func strongest() {
        let values = ["MD5", "SHA-256", "SHA-512-256"].map { "Digest realm=r, nonce=n, qop=auth, algorithm=\($0)" }
        #expect(DigestChallenge.best(of: values)?.algorithm == .sha256)
        #expect(DigestChallenge.best(of: []) == nil)
    }

    @Test("a header with too many parameters is refused")
    func bounded() {
        let many = (0...AuthParameters.mostParameters).map { "p\($0)=x" }.joined(separator: ",")
        #expect(AuthParameters("Digest " + many) == nil)
    }

    @Test("quotes in a name can't break out of the header value")
    func quoting() throws {
        let challenge = try #require(DigestChallenge("Digest realm=r, nonce=n"))
        let answer = DigestCredentials(
            answering: challenge, username: "a\"\r\nX: y\\", password: "", method: "INVITE", uri: "sip:r@h",
            count: .init(cnonce: "c"))
        #expect(answer.headerValue.hasPrefix(#"Digest username="a\"X: y\\", realm="r""#))
    }

    @Test("nc has eight hexadecimal digits", arguments: [(1, "00000001"), (0xAB12, "0000ab12"), (.max, "ffffffff")])
    func nonceCount(number: UInt32, text: String) {
        #expect(DigestCredentials.Count(cnonce: "", nonceCount: number).nc == text)
    }
}
