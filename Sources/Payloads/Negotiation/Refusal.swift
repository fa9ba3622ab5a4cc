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

/// Why an answer to our offer establishes nothing. The dialog then stands without media, so the caller ends it (BYE),
/// or keeps the session that stood before.
package enum AnswerError: Error, Sendable, Equatable {
    /// There is no offer of ours to answer.
    case noOffer
    case malformed(SDPError)
    /// The m= line of our offer came back with port 0, or not at all.
    case rejected
    /// Another transport than offered (RFC 3264 section 6).
    case otherTransport
    case unusable(Refusal)
    /// The answer has no a=msrp-cema where RFC 6714 section 4.2 wants a new offer without it:
    /// `makeOffer(..., cema: false)`.
    case needsOfferWithoutCEMA
}
