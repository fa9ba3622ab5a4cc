import Testing

@testable import SIP

@Suite("SIP syntax") struct SyntaxTests {
    static let uris: [(text: String, user: String?, host: String, port: Int?, printed: String?)] = [
        ("sip:alice@example.com", "alice", "example.com", nil, nil),
        ("SIP:Alice@EXAMPLE.com:5070", "Alice", "example.com", 5070, "sip:Alice@example.com:5070"),
        ("sips:room%20one@[2001:db8::1]:5061;transport=tcp", "room one", "2001:db8::1", 5061, nil),
        ("sip:127.0.0.1", nil, "127.0.0.1", nil, nil),
        ("sip:a%3bb@h", "a;b", "h", nil, "sip:a%3Bb@h"),
        (
            "sip:user;par=u%40example.net@example.com", "user;par=u@example.net", "example.com", nil,
            "sip:user%3Bpar=u%40example.net@example.com"
        ),
        ("sip:a:secret@h;lr?Subject=x", "a", "h", nil, nil),
        ("sip:sips%3Auser%40example.com@example.net", "sips:user@example.com", "example.net", nil, nil),
    ]

    @Test("URIs are taken apart, and printed the same (RFC 3261 section 19.1)", arguments: uris)
    func uri(_ row: (text: String, user: String?, host: String, port: Int?, printed: String?)) throws {
        let uri = try #require(SIPURI(row.text))
        #expect(uri.user == row.user)
        #expect(uri.host == row.host)
        #expect(uri.port == row.port)
        #expect(uri.description == row.printed ?? row.text)
        #expect(SIPURI(uri.description) == uri)
    }

    @Test(
        "what is no URI is refused",
        arguments: [
            "", "sip", "sip:", ":a@b", "sip:@h", "sip:a@", "sip:a@h:", "sip:a@h:99999", "sip:a@h:5 0", "sip:a@[::1",
            "sip:a%0@h", "sip:a%zz@h", "sip:a%00@h", "sip:a@h\r\nX: y", "tel:", "sip:a@h,b", "sip:%ff@h", "sip:a@[h]",
        ])
    func badURI(_ text: String) { #expect(SIPURI(text) == nil) }

    @Test("other schemes keep their text")
    func otherScheme() {
        #expect(SIPURI("tel:+123;x=y")?.opaque == "+123;x=y")
        #expect(SIPURI("tel:+123;x=y")?.isSIP == false)
        #expect(SIPURI("TEL:+1")?.description == "tel:+1")
    }

    @Test("parameters are found whatever their case (RFC 3261 section 19.1.4)")
    func parameters() throws {
        let uri = try #require(SIPURI("sip:a@h;Transport=TCP;lr"))
        #expect(uri.parameter("transport") == "TCP")
        #expect(uri.parameter("LR") == "")
        #expect(uri.parameter("maddr") == nil)
        #expect(uri.withoutTransport.description == "sip:a@h")
    }

    static let addresses: [(text: String, name: String?, uri: String, tag: String?)] = [
        ("<sip:a@h>;tag=1", nil, "sip:a@h", "1"),
        ("sip:a@h;tag=1", nil, "sip:a@h", "1"),
        ("\"Bob \\\"B\\\" B\" <sip:b@h;transport=tcp>;x=\"a;b\";TAG=2", "Bob \"B\" B", "sip:b@h;transport=tcp", "2"),
        ("Bob  <sip:b@h>", "Bob", "sip:b@h", nil),
        ("Bob<sip:b@h>", "Bob", "sip:b@h", nil),
        ("  < sip:b@h >  ; tag = 3", nil, "sip:b@h", "3"),
        ("\"\" <sip:b@h>", nil, "sip:b@h", nil),
    ]

    @Test("names and addresses (RFC 3261 sections 20.10, 25.1)", arguments: addresses)
    func nameAddr(_ row: (text: String, name: String?, uri: String, tag: String?)) throws {
        let value = try #require(NameAddr(row.text))
        #expect(value.displayName == row.name)
        #expect(value.uri.description == row.uri)
        #expect(value.tag == row.tag)
        #expect(NameAddr(value.description) == value)
    }

    @Test("lists are split outside of quotes and brackets; what cannot be parsed is left out")
    func lists() {
        let list = NameAddr.list("\"a, b\" <sip:x@h;y=1,2>;q=1, sip:c@h, nonsense, <sip:d@h>")
        #expect(list.map(\.uri.user) == ["x", "c", "d"])
        for text in ["\"open <sip:a@h>", "<sip:a@h", "\"x\" sip:a@h", "<>", "<sip:a@h> x", ""] {
            #expect(NameAddr(text) == nil, "\(text)")
        }
    }

    @Test("header fields: case, compact forms, folding, repetition (RFC 3261 section 7.3)")
    func headers() {
        let headers = HeaderFields(
            octets: Array(
                "f: <sip:a@h>;tag=1\r\nSUBJECT : hello\r\n  world\r\nk: timer\r\nSupported:replaces ,norefersub\r\n\u{20}\r\nEmpty:\r\nno colon\r\nX-Last: 1"
                    .utf8))
        #expect(headers["From"] == "<sip:a@h>;tag=1")
        #expect(headers["subject"] == "hello   world" || headers["subject"] == "hello    world")
        #expect(headers.items("Supported") == ["timer", "replaces", "norefersub"])
        #expect(headers.contains("supported", token: "TIMER"))
        #expect(headers["Empty"] == "")
        #expect(headers["x-last"] == "1")
        #expect(headers["f"] == nil || headers["f"] == "<sip:a@h>;tag=1")
        #expect(headers["Missing"] == nil)
        #expect(headers.fields.count == 6)
    }

    @Test("endpoints as settings write them")
    func endpoints() {
        #expect(Endpoint("udp:127.0.0.1:5060") == Endpoint(transport: .udp, host: "127.0.0.1", port: 5060))
        #expect(Endpoint("TLS:[::1]") == Endpoint(transport: .tls, host: "::1", port: 5061))
        #expect(Endpoint("tcp:h")?.port == 5060)
        #expect(Endpoint("tls:[::1]:5")?.description == "tls:[::1]:5")
        for text in ["", "udp", "udp:", "sctp:h:1", "udp:h:", "udp:h:70000", "udp:[::1", "udp:a b"] {
            #expect(Endpoint(text) == nil, "\(text)")
        }
    }

    @Test("the hosts file: comments, several names, families")
    func hosts() {
        let four = [Endpoint(transport: .udp, host: "127.0.0.1", port: 1)]
        let six = [Endpoint(transport: .udp, host: "::1", port: 1)]
        let hosts = HostsFile(
            text: "# x\n127.0.0.1\tlocalhost here # there\n::1 localhost\n\n10.0.0.1 chat.Example.com\n")
        #expect(hosts.address(of: "LOCALHOST", reachableFrom: four) == "127.0.0.1")
        #expect(hosts.address(of: "localhost", reachableFrom: six) == "::1")
        #expect(hosts.address(of: "chat.example.com", reachableFrom: four) == "10.0.0.1")
        #expect(hosts.address(of: "chat.example.com", reachableFrom: six) == nil)
        #expect(hosts.address(of: "there", reachableFrom: four) == nil)
        #expect(HostsFile(text: "").address(of: "localhost", reachableFrom: four) == "127.0.0.1")
    }

    @Test("certificates are found in PEM text with anything around them")
    func pem() {
        let one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        #expect(TLSDirectory.certificates(in: "x\n\(one)\r\n\(one)\n-----BEGIN X-----\n") == [one, one])
        #expect(TLSDirectory.certificates(in: "-----BEGIN CERTIFICATE-----\nAAAA").isEmpty)
    }
}
