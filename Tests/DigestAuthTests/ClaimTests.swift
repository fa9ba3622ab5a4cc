import DigestAuth
import Testing

@Suite("Digest claims, as a server judges them")
struct ClaimTests {
    /// RFC 7616 section 3.9.1.
    private static let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    private static let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    private static let realm = "http-auth@example.org"
    private static let mufasa = AccountSecrets(username: "Mufasa", realm: realm, password: "Circle of Life")

    private static func example(_ algorithm: String, _ response: String) -> String {
        """
        Digest username="Mufasa", realm="\(realm)", uri="/dir/index.html", algorithm=\(algorithm), nonce="\(nonce)", \
        nc=00000001, cnonce="\(cnonce)", qop=auth, response="\(response)", \
        opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
        """
    }

    @Test(
        "the answers of RFC 7616 section 3.9.1 are right",
        arguments: [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ])
    func rightAnswers(algorithm: String, response: String) throws {
        let claim = try DigestClaim(Self.example(algorithm, response))
        #expect(claim.proof(secrets: Self.mufasa, method: "GET", uri: []) != nil)
        #expect(claim.proof(secrets: Self.mufasa, method: "AUTH", uri: []) == nil)
        #expect(claim.proof(secrets: nil, method: "GET", uri: []) == nil)
        let upper = try DigestClaim(Self.example(algorithm, response.uppercased()))
        #expect(upper.proof(secrets: Self.mufasa, method: "GET", uri: []) != nil)
        let wrong = try DigestClaim(Self.example(algorithm, "0" + response.dropFirst()))
        #expect(wrong.proof(secrets: Self.mufasa, method: "GET", uri: []) == nil)
        let short = try DigestClaim(Self.example(algorithm, String(response.dropLast())))
        #expect(short.proof(secrets: Self.mufasa, method: "GET", uri: []) == nil)
    }

    @Test("the answer of RFC 2617 section 3.5 is right, without uri and with H(A1) in upper case")
    func olderExample() throws {
        let secrets = AccountSecrets(md5: "939E7578ED9E3C518A452ACEE763BCE9", sha256: nil)
        let claim = try DigestClaim(
            """
            Digest username="Mufasa",realm="testrealm@host.com",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",qop="auth",\
            nc="00000001",cnonce="0a4f113b",response="6629fae49393a05397450978507c4ef1",\
            opaque="5ccc069c403ebaf9f0171e9517f40e41"
            """)
        #expect(claim.uri == nil)
        #expect(claim.algorithm == .md5)
        #expect(claim.proof(secrets: secrets, method: "GET", uri: Array("/dir/index.html".utf8)) != nil)
        #expect(claim.proof(secrets: secrets, method: "GET", uri: Array("/dir/index.htm".utf8)) == nil)
    }

    @Test("rspauth leaves the method out of A2 (RFC 7616 section 3.5)")
    func responseProof() throws {
        let claim = try DigestClaim(Self.example("MD5", "8ca523f5e9506fed4657c9700eebdbec"))
        let hash: (String) -> String = DigestAlgorithm.md5.hash
        let a1 = hash("Mufasa:\(Self.realm):Circle of Life")
        let expected = hash("\(a1):\(Self.nonce):00000001:\(Self.cnonce):auth:\(hash(":/dir/index.html"))")
        #expect(claim.proof(secrets: Self.mufasa, method: "GET", uri: []) == expected)
        #expect(
            claim.authenticationInfo(proof: expected, nextNonce: "n2")
                == "nextnonce=\"n2\", rspauth=\"\(expected)\", cnonce=\"\(Self.cnonce)\", nc=00000001, qop=auth")
    }

    @Test("an account without a secret for the algorithm proves nothing")
    func missingSecret() throws {
        let only = AccountSecrets(md5: Self.mufasa.md5, sha256: nil)
        let claim = try DigestClaim(
            Self.example("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"))
        #expect(claim.proof(secrets: only, method: "GET", uri: []) == nil)
    }

    @Test(
        "all dialects are read: quotes, blanks, case and order don't matter",
        arguments: [
            #"Digest username="a", realm="r", nonce="n", qop="auth", cnonce="c", nc="00000001", response="x""#,
            #"digest username="a",realm="r",nonce="n",qop=auth,cnonce="c",nc=00000001,response="x",algorithm=md5"#,
            #"DIGEST RESPONSE=x ,NC=00000001 , QOP="AUTH",CNONCE=c,NONCE=n,REALM=r,USERNAME=a,, Algorithm="MD5""#,
            "Digest\tusername=a,\trealm=r,\tnonce=n,\tqop=auth,\tcnonce=c,\tnc=00000001,\tresponse=x, later=stuff",
        ])
    func dialects(value: String) throws {
        let claim = try DigestClaim(value)
        #expect(claim.username == "a" && claim.realm == "r" && claim.nonce == "n" && claim.cnonce == "c")
        #expect(claim.nc == "00000001" && claim.nonceCount == 1 && claim.response == "x" && claim.uri == nil)
        #expect(claim.algorithm == .md5)
    }

    private static let whole = #"Digest username="a",realm="r",nonce="n",qop=auth,cnonce="c",nc=00000001,response="x""#

    @Test(
        "what RFC 4976 section 9.1 wants and is not there is a defect",
        arguments: ["username=\"a\",", "realm=\"r\",", "nonce=\"n\",", "qop=auth,", "cnonce=\"c\",", "nc=00000001,"])
    func missing(parameter: String) {
        #expect(throws: DigestDefect.incomplete) {
            try DigestClaim(Self.whole.replacing(parameter, with: ""))
        }
    }

    /// A whole claim with one thing changed.
    private static let defective: [(String, DigestDefect)] = {
        let change = { (old: String, new: String) in whole.replacing(old, with: new) }
        let long = String(repeating: "a", count: DigestClaim.longestValue + 1)
        var list: [(String, DigestDefect)] = [("Basic YWxpY2U6MTIzNA==", .otherScheme), ("Basic YWxp", .otherScheme)]
        list += [("", .otherScheme), ("Digest username", .unreadable), (whole + ",username=b", .unreadable)]
        list += [(whole + ",realm=\"open", .unreadable), (change("\"a\"", long), .unreadable)]
        list += [(change("=auth", "=auth-int"), .otherProtection), (whole + ",algorithm=MD5-sess", .otherAlgorithm)]
        list += [(whole + ",algorithm=SHA-512-256", .otherAlgorithm), (change("00000001", "00000000"), .badCount)]
        list += [(change("00000001", "1"), .badCount), (change("00000001", "+0000001"), .badCount)]
        list += [(change("00000001", "0000000g"), .badCount)]
        return list
    }()

    @Test("what can't be judged is a defect", arguments: defective)
    func defects(value: String, defect: DigestDefect) {
        #expect(throws: defect) { try DigestClaim(value) }
    }

    @Test("a challenge is written in the order clients know, and quotes stay inside")
    func offers() {
        var offer = DigestOffer(realm: "example.com", nonce: "n", opaque: "o", algorithm: .sha256)
        #expect(
            offer.headerValue
                == #"Digest realm="example.com", qop="auth", nonce="n", opaque="o", algorithm=SHA-256"#)
        offer.isStale = true
        offer.algorithm = .md5
        offer.realm = "a\"\\b\r\nc"
        #expect(
            offer.headerValue
                == #"Digest realm="a\"\\bc", qop="auth", nonce="n", opaque="o", algorithm=MD5, stale=true"#)
    }
}
