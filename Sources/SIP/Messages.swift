/// A request that arrived, as a plain value.
///
/// Sofia has parsed it before: From, To, Call-ID, CSeq and Via are there and valid. What a peer wrote into other
/// headers may still be anything.
package struct Request: Sendable {
    /// As written; methods are case-sensitive.
    package let method: String
    package let requestURI: SIPURI
    package let headers: HeaderFields
    package let body: MessageBody?
    /// The address, port and transport the packet came from.
    package let source: Endpoint
    /// The listener it arrived at; a wildcard listener shows the concrete local address that faces the source.
    package let local: Endpoint
    /// The names in the certificate of a peer that proved to have one: on a listener for trusted peers only
    /// (`local.isTrusted`), else empty.
    package let peerNames: [String]

    package init(
        method: String, requestURI: SIPURI, headers: HeaderFields, body: MessageBody?, source: Endpoint,
        local: Endpoint, peerNames: [String] = []
    ) {
        self.method = method
        self.requestURI = requestURI
        self.headers = headers
        self.body = body
        self.source = source
        self.local = local
        self.peerNames = peerNames
    }

    /// The caller; nil when its URI is of a kind we cannot take apart.
    package var from: NameAddr? { headers["From"].flatMap { NameAddr($0) } }
    package var to: NameAddr? { headers["To"].flatMap { NameAddr($0) } }
    /// The Call-ID (RFC 3261 section 20.8).
    package var callID: String { headers["Call-ID"] ?? "" }
    /// The number of CSeq (RFC 3261 section 20.16).
    package var sequence: UInt32 {
        UInt32(headers["CSeq"]?.split(whereSeparator: { $0 == " " || $0 == "\t" }).first ?? "") ?? 0
    }
    package var contacts: [NameAddr] { headers.all("Contact").flatMap { NameAddr.list($0) } }
    package var contentType: String? { body?.contentType }
    package var supported: [String] { headers.items("Supported") }
    package var allow: [String] { headers.items("Allow") }
    package var require: [String] { headers.items("Require") }
    package var accept: [String] { headers.items("Accept") }
    package var subject: String? { headers["Subject"] }
    package var userAgent: String? { headers["User-Agent"] }
    /// Values of Authorization headers, one credential each (RFC 3261 section 20.7).
    package var authorizations: [String] { headers.all("Authorization") }
    package var proxyAuthorizations: [String] { headers.all("Proxy-Authorization") }
}

/// A response to a request of ours, as a plain value.
package struct Response: Sendable {
    package let status: Int
    package let phrase: String
    /// Empty when the stack itself made the response (timeout, unreachable).
    package let headers: HeaderFields
    package let body: MessageBody?
    /// Where it came from; nil when the stack itself made it (408, 503 and the like).
    package let source: Endpoint?

    package init(status: Int, phrase: String, headers: HeaderFields, body: MessageBody?, source: Endpoint?) {
        self.status = status
        self.phrase = phrase
        self.headers = headers
        self.body = body
        self.source = source
    }

    package var isProvisional: Bool { status < 200 }
    package var isSuccess: Bool { (200..<300).contains(status) }
    var isChallenge: Bool { status == 401 || status == 407 }
    /// Whether no peer sent it: the request timed out or could not be sent.
    package var isLocal: Bool { source == nil }

    package var from: NameAddr? { headers["From"].flatMap { NameAddr($0) } }
    package var to: NameAddr? { headers["To"].flatMap { NameAddr($0) } }
    package var callID: String { headers["Call-ID"] ?? "" }
    package var contacts: [NameAddr] { headers.all("Contact").flatMap { NameAddr.list($0) } }
    package var contentType: String? { body?.contentType }
    package var supported: [String] { headers.items("Supported") }
    package var allow: [String] { headers.items("Allow") }
    /// What the client is: its Server, or its User-Agent, which many write there (RFC 3261 sections 20.35 and 20.41).
    package var userAgent: String? { headers["Server"] ?? headers["User-Agent"] }
    /// Values of WWW-Authenticate, one challenge each.
    package var challenges: [String] { headers.all("WWW-Authenticate") }
    package var proxyChallenges: [String] { headers.all("Proxy-Authenticate") }
}
