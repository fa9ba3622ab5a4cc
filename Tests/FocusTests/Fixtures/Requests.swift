import Testing

@testable import SIP

/// Requests as a client sends them.
extension Request {
    static let client = Endpoint(transport: .udp, host: "198.51.100.7", port: 5060)
    static let server = Endpoint(transport: .udp, host: "192.0.2.1", port: 5060)

    static func make(
        _ method: String, _ uri: String, headers: [String: String] = [:], body: MessageBody? = nil,
        source: Endpoint = client, local: Endpoint = server
    ) -> Request {
        var fields = [
            "From": "\"Alice\" <sip:alice@example.org>;tag=a1", "To": "<sip:lobby@example.com>",
            "Call-ID": "call@client", "CSeq": "1 \(method)", "Contact": "<sip:alice@198.51.100.7:5060>",
        ]
        for (name, value) in headers { fields[name] = value.isEmpty ? nil : value }
        let text = fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
        return Request(
            method: method, requestURI: SIPURI(uri) ?? SIPURI(host: "invalid.invalid"),
            headers: HeaderFields(octets: Array(text.utf8)), body: body, source: source, local: local)
    }

    static func invite(
        _ uri: String = "sip:lobby@example.com", headers: [String: String] = [:],
        body: MessageBody? = MessageBody(sdp: Offer.plain), source: Endpoint = client, local: Endpoint = server
    ) -> Request {
        make("INVITE", uri, headers: headers, body: body, source: source, local: local)
    }

    static func update(headers: [String: String] = [:], body: MessageBody? = nil, source: Endpoint = client) -> Request
    {
        make("UPDATE", "sip:lobby@192.0.2.1:5060", headers: headers, body: body, source: source)
    }

    static func options(_ uri: String, local: Endpoint = server) -> Request { make("OPTIONS", uri, local: local) }
}

/// Session descriptions of a client. The first one is what a real client sends: active, no direction.
enum Offer {
    static let plain = make()
    static let moved = make(version: 2, path: "msrp://198.51.100.7:2855/second;tcp")
    static let hold = make(version: 2, more: ["a=sendonly"])
    static let audioOnly = """
        v=0\r
        o=- 1 1 IN IP4 198.51.100.7\r
        s=-\r
        c=IN IP4 198.51.100.7\r
        t=0 0\r
        m=audio 49170 RTP/AVP 0\r

        """

    static func make(
        version: Int = 1, path: String = "msrp://198.51.100.7:2855/first;tcp", transport: String = "TCP/MSRP",
        accept: String = "message/cpim text/*", setup: String = "active", port: Int = 2855, more: [String] = []
    ) -> String {
        ([
            "v=0", "o=- 1 \(version) IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0",
            "m=message \(port) \(transport) *", "a=path:\(path)", "a=accept-types:\(accept)",
            "a=accept-wrapped-types:text/* image/*", "a=setup:\(setup)",
        ] + more).map { "\($0)\r\n" }.joined()
    }
}
