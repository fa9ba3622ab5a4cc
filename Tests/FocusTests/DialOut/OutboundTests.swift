import DigestAuth
import Testing

@testable import Focus
@testable import SIP

/// Where requests of ours go, by which address they name us, and how challenges are answered.
@Suite struct OutboundTests {
    private let udp = Endpoint(transport: .udp, host: "192.0.2.1", port: 5060)
    private let tcp = Endpoint(transport: .tcp, host: "192.0.2.1", port: 5060)
    private let tls = Endpoint(transport: .tls, host: "192.0.2.1", port: 5061)

    private func address(_ listeners: [Endpoint], proxy: String? = nil) -> OutboundAddress {
        OutboundAddress(listeners: listeners, proxy: proxy.flatMap { SIPURI($0) })
    }

    private func local(
        _ listeners: [Endpoint], _ target: String, proxy: String? = nil,
        facing: @escaping (String) -> String? = { _ in "192.0.2.1" }
    ) throws -> Endpoint {
        address(listeners, proxy: proxy).local(to: try #require(SIPURI(target)), facing: facing)
    }

    @Test("the listener of the target's transport is named (RFC 3261 section 8.1.1.8)")
    func transports() throws {
        #expect(try local([udp, tcp, tls], "sip:a@h") == udp)
        #expect(try local([udp, tcp, tls], "sip:a@h;transport=TCP") == tcp)
        #expect(try local([udp, tcp, tls], "sips:a@h") == tls)
        #expect(try local([udp, tcp, tls], "sip:a@h", proxy: "sip:p;transport=tls") == tls)
        #expect(try local([tcp], "sip:a@h") == tcp)
    }

    @Test("a wildcard becomes the address that faces the peer")
    func wildcards() throws {
        let any = Endpoint(transport: .udp, host: "0.0.0.0", port: 5070)
        #expect(try local([any], "sip:a@127.0.0.1") { $0 == "127.0.0.1" ? "127.0.0.1" : nil }.host == "127.0.0.1")
        #expect(try local([any], "sip:a@name.example") { $0 == "198.51.100.1" ? "192.0.2.7" : nil }.host == "192.0.2.7")
        #expect(try local([any], "sip:a@name.example") { _ in nil } == any)
        let six = Endpoint(transport: .udp, host: "::", port: 5070)
        #expect(try local([any, six], "sip:a@[2001:db8::9]") { _ in "2001:db8::1" }.host == "2001:db8::1")
        let loopback = Endpoint(transport: .udp, host: "127.0.0.1", port: 5060)
        #expect(try local([udp, loopback], "sip:a@127.0.0.2") { _ in "127.0.0.1" } == loopback)
    }

    @Test("all goes to the proxy, sips over TLS only (RFC 3261 section 26.2.2)")
    func proxy() throws {
        let target = try #require(SIPURI("sip:a@h"))
        let secure = try #require(SIPURI("sips:a@h"))
        #expect(address([udp]).route(to: target) == nil)
        #expect(
            address([udp], proxy: "sip:proxy.example").route(to: target)
                == Endpoint(transport: .udp, host: "proxy.example", port: 5060))
        #expect(
            address([udp], proxy: "sip:proxy.example:5080;transport=tcp").route(to: secure)
                == Endpoint(transport: .tls, host: "proxy.example", port: 5061))
        #expect(
            address([udp], proxy: "sips:proxy.example:5081").route(to: secure)
                == Endpoint(transport: .tls, host: "proxy.example", port: 5081))
    }

    @Test("a URI with a host of ours and the port of a listener comes back, any other port is somebody else's")
    func loops() throws {
        #expect(address([udp]).returns(try #require(SIPURI("sip:a@192.0.2.1"))))
        #expect(!address([udp]).returns(try #require(SIPURI("sip:a@192.0.2.1:5070"))))
        #expect(!address([udp], proxy: "sip:p").returns(try #require(SIPURI("sip:a@192.0.2.1"))))
    }

    // MARK: Digest

    private let credentials = DialConfiguration.Credentials(user: "focus", password: "secret")

    private func challenge(_ status: Int, _ values: String...) -> Response {
        let header = status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate"
        let text = values.map { "\(header): \($0)\r\n" }.joined()
        return Response(
            status: status, phrase: "", headers: HeaderFields(octets: Array(text.utf8)), body: nil, source: nil)
    }

    private func digest(_ header: HeaderField?) -> DigestClaim? { header.flatMap { try? DigestClaim($0.value) } }

    @Test("the strongest algorithm is answered (RFC 8760 section 2.4)")
    func strongest() throws {
        var digest = OutboundDigest()
        #expect(
            digest.learn(
                challenge(
                    401, "Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\"",
                    "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"")) == true)
        let headers = digest.headers(method: "INVITE", uri: "sip:a@h", credentials: credentials, cnonce: "c")
        #expect(headers.map(\.name) == ["Authorization"])
        let claim = try #require(self.digest(headers.first))
        #expect(claim.algorithm == .sha256)
        #expect(claim.username == "focus")
        #expect(claim.uri == "sip:a@h")
        let secret = DigestAlgorithm.sha256.hash("focus:r:secret")
        #expect(
            claim.response
                == DigestCredentials.response(
                    algorithm: .sha256, secret: secret, nonce: "n", cnonce: "c", auth: .init(cnonce: "c"),
                    method: "INVITE", uri: "sip:a@h"))
    }

    @Test("a proxy and the server behind it are both answered (RFC 3261 section 22.3)")
    func both() {
        var digest = OutboundDigest()
        #expect(digest.learn(challenge(407, "Digest realm=\"p\", nonce=\"1\", qop=\"auth\"")) == true)
        #expect(
            digest.headers(method: "REFER", uri: "sip:a@h", credentials: credentials, cnonce: "c").map(\.name)
                == ["Proxy-Authorization"])
        #expect(digest.learn(challenge(401, "Digest realm=\"r\", nonce=\"2\", qop=\"auth\"")) == true)
        let headers = digest.headers(method: "REFER", uri: "sip:a@h", credentials: credentials, cnonce: "d")
        #expect(headers.map(\.name) == ["Authorization", "Proxy-Authorization"])
        #expect(headers.map { self.digest($0)?.nc } == ["00000001", "00000002"])
    }

    @Test("a wrong password is not tried again, a stale nonce is (RFC 7616 section 3.3)")
    func wrong() {
        var digest = OutboundDigest()
        #expect(digest.learn(challenge(401, "Digest realm=\"r\", nonce=\"1\", qop=\"auth\"")) == true)
        _ = digest.headers(method: "INVITE", uri: "sip:a@h", credentials: credentials, cnonce: "c")
        #expect(digest.learn(challenge(401, "Digest realm=\"r\", nonce=\"2\", qop=\"auth\"")) == false)
        #expect(digest.learn(challenge(401, "Digest realm=\"r\", nonce=\"2\", qop=\"auth\", stale=true")) == true)
        _ = digest.headers(method: "INVITE", uri: "sip:a@h", credentials: credentials, cnonce: "d")
        #expect(digest.learn(challenge(401, "Digest realm=\"r\", nonce=\"3\", qop=\"auth\", stale=true")) == true)
        _ = digest.headers(method: "INVITE", uri: "sip:a@h", credentials: credentials, cnonce: "e")
        // Nobody keeps us busy for ever.
        #expect(digest.learn(challenge(401, "Digest realm=\"r\", nonce=\"4\", qop=\"auth\", stale=true")) == false)
    }

    @Test("what can't be answered is not tried")
    func unanswerable() {
        var digest = OutboundDigest()
        #expect(digest.learn(challenge(401, "Basic realm=\"r\"")) == false)
        #expect(digest.learn(challenge(401, "Digest realm=\"r\", nonce=\"1\", algorithm=WHIRLPOOL")) == false)
        #expect(digest.learn(challenge(407)) == false)
    }
}
