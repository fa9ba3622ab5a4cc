import SIP

/// The bodies of NOTIFYs that tell how a REFER went: a status line (RFC 3515 section 2.4.5, RFC 3420).
enum Sipfrag {
    /// Octets of a phrase that are passed on.
    static let phraseOctets = 128

    static func body(_ outcome: DialOutcome) -> MessageBody {
        MessageBody(
            contentType: "message/sipfrag;version=2.0",
            content: Array("SIP/2.0 \(outcome.status) \(outcome.phrase)\r\n".utf8))
    }

    /// The status line that a body begins with; nil when it has none.
    static func outcome(of body: MessageBody?) -> DialOutcome? {
        guard let body, body.mediaType == "message/sipfrag" else { return nil }
        let line = body.content.prefix { $0 != 0x0d && $0 != 0x0a }
        let words = String(decoding: line.prefix(512), as: UTF8.self).split(
            separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 2, words[0].lowercased() == "sip/2.0", words[1].utf8.count == 3,
            let status = Int(words[1]), (100...699).contains(status)
        else { return nil }
        return DialOutcome(status, words.count > 2 ? String(words[2]) : nil)
    }
}

/// A SIP status with its phrase: what became of a request made at somebody's word.
struct DialOutcome: Sendable, Equatable {
    let status: Int
    /// Without control characters, and not longer than `Sipfrag.phraseOctets`.
    let phrase: String

    init(_ status: Int, _ phrase: String? = nil) {
        self.status = status
        var text = String.UnicodeScalarView()
        var octets = 0
        for scalar in (phrase ?? "").unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7f {
            octets += UTF8.width(scalar)
            guard octets <= Sipfrag.phraseOctets else { break }
            text.append(scalar)
        }
        self.phrase = text.isEmpty ? Self.phrase(of: status) : String(text)
    }

    init(_ response: Response) { self.init(response.status, response.phrase) }

    static let trying = DialOutcome(100)
    static let done = DialOutcome(200)
    static let notFound = DialOutcome(404)
    static let timeout = DialOutcome(408)
    static let withdrawn = DialOutcome(487)
    static let unavailable = DialOutcome(503)

    var isFinal: Bool { status >= 200 }
    var isSuccess: Bool { (200..<300).contains(status) }

    /// The phrases of RFC 3261 section 21 that the focus writes itself.
    private static func phrase(of status: Int) -> String {
        switch status {
        case 100: "Trying"
        case 180: "Ringing"
        case 200: "OK"
        case 202: "Accepted"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 407: "Proxy Authentication Required"
        case 408: "Request Timeout"
        case 480: "Temporarily Unavailable"
        case 486: "Busy Here"
        case 487: "Request Terminated"
        case 488: "Not Acceptable Here"
        case 491: "Request Pending"
        case 503: "Service Unavailable"
        case 603: "Decline"
        default: status < 200 ? "Progress" : status < 300 ? "OK" : "Failed"
        }
    }
}
