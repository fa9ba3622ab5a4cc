/// Why an offer is not taken: the SIP status, and the text of a Warning (RFC 3261 section 20.43).
package struct Refusal: Error, Sendable, Hashable {
    /// 400 for what is no session description, 488 for one that cannot be accepted.
    package var status: Int
    /// 399 or the 3xx code that says which part of the description is at fault.
    package var warningCode: Int
    /// For people, without quotes or line ends.
    package var text: String

    package init(status: Int, warningCode: Int, text: String) {
        self.status = status
        self.warningCode = warningCode
        self.text = text
    }

    /// The value of a Warning header; `agent` is our host, or host:port.
    package func warning(agent: String) -> String { "\(warningCode) \(agent) \"\(text)\"" }
}

extension Refusal {
    private init(_ warningCode: Int, _ text: String) {
        self.init(status: 488, warningCode: warningCode, text: text)
    }

    static func malformed(_ error: SDPError) -> Refusal {
        Refusal(status: 400, warningCode: 399, text: "Malformed session description: \(error.reason)")
    }

    static let noMSRP = Refusal(304, "No m=message line over TCP/MSRP or TCP/TLS/MSRP")
    static let disabled = Refusal(304, "The m=message line is disabled (port 0)")
    static func transport(isTLS: Bool) -> Refusal {
        Refusal(302, isTLS ? "TCP/TLS/MSRP is not available here" : "TCP/MSRP is not available here")
    }
    static let fileTransfer = Refusal(305, "A file transfer needs a call of its own (RFC 5547)")
    static let noFileSelector = Refusal(
        399, "The m=message line has no a=file-selector that names a file (RFC 5547 section 5)")
    static let badFileSelector = Refusal(399, "The a=file-selector cannot be read (RFC 5547 section 6)")
    static let badTransferID = Refusal(399, "The a=file-transfer-id cannot be read (RFC 5547 section 6)")
    static let badFileRange = Refusal(399, "The a=file-range holds no octets (RFC 5547 section 6)")
    static let noFileDirection = Refusal(399, "A file is offered sendonly, or asked for recvonly (RFC 5547 section 8)")
    static let tooManyTransfers = Refusal(399, "Too many file transfers in one session")
    static let noPath = Refusal(399, "The m=message line has no a=path (RFC 4975 section 8.2)")
    static let badPath = Refusal(399, "The a=path is no list of MSRP URIs over TCP with a session-id")
    static let otherScheme = Refusal(399, "The scheme in a=path is not that of the transport (RFC 4975 section 8.1)")
    static let noAcceptTypes = Refusal(305, "The m=message line has no a=accept-types (RFC 4975 section 8.6)")
    static let noCommonType = Refusal(305, "Neither message/cpim nor an allowed plain type in a=accept-types")
    static let badFingerprint = Refusal(399, "No usable a=fingerprint (RFC 8122 section 5)")
    static let addressMismatch = Refusal(
        399, "The c= and m= lines differ from a=path, and there is no a=msrp-cema (RFC 6714 section 4.3)")
    static let tooManyTimes = Refusal(399, "Too many or too long t=, r= and z= lines")
}

extension SDPError {
    /// For people.
    package var reason: String {
        switch self {
        case .tooLong: "too long"
        case .tooManyLines: "too many lines"
        case .tooManyMedia: "too many m= lines"
        case .malformedLine(let line): "line \(line) is no line of SDP"
        case .unsupportedVersion: "no v=0 at its start"
        case .malformedOrigin: "no usable o= line"
        case .malformedMedia(let line): "line \(line), m="
        case .malformedConnection(let line): "line \(line), c="
        case .malformedTime(let line): "line \(line), t="
        }
    }
}

/// Why an answer to our offer establishes nothing. The dialog then stands without media, so the caller ends it (BYE),
/// or keeps the session that stood before.
package enum AnswerError: Error, Sendable, Hashable {
    /// There is no offer of ours to answer.
    case noOffer
    case malformed(SDPError)
    /// The m= line of our offer came back with port 0, or not at all.
    case rejected
    /// Another medium or transport than offered (RFC 3264 section 6).
    case otherTransport
    case unusable(Refusal)
    /// The answer has no a=msrp-cema where RFC 6714 section 4.2 wants a new offer without it:
    /// `makeOffer(..., cema: false)`.
    case needsOfferWithoutCEMA
}
