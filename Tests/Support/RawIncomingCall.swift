/// A call that confd made to a raw client (RFC 4579 section 5.2).
package final class RawIncomingCall: RawDialog, @unchecked Sendable {
    // Unchecked for the reason its client gives.
    package let invite: SIPMessage

    package init(client: RawSIPClient, invite: SIPMessage) {
        self.invite = invite
        super.init(client: client, acceptedFrom: invite, localTag: client.newTag())
    }

    /// The offer's SDP: the body, or the part of it that is SDP.
    package var offer: String { invite.part("application/sdp") ?? "" }

    package var path: String {
        offer.split(whereSeparator: \.isNewline).first { $0.hasPrefix("a=path:") }.map { String($0.dropFirst(7)) } ?? ""
    }

    package func ring() throws {
        try client.respond(
            to: invite, "180 Ringing", toTag: localTag, extra: "Contact: \(client.contact)\r\n")
    }

    /// 200 with this answer; waits for the ACK.
    /// - Parameter tag: of To; nil: this dialog's. Another one is another branch of a forked INVITE.
    package func answer(_ description: String, tag: String? = nil) throws {
        try post(answer: description, tag: tag)
        _ = try client.next(within: 10, "ACK") { $0.method == "ACK" && $0.callID == callID && !$0.isResponse }
    }

    /// 200 with this answer, without waiting.
    package func post(answer description: String, tag: String? = nil) throws {
        try client.respond(
            to: invite, toTag: tag ?? localTag,
            extra: "Contact: \(client.contact)\r\nContent-Type: application/sdp\r\n"
                + "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER\r\n",
            body: description)
    }

    /// A final response that is no success; waits for its ACK.
    package func decline(_ status: String, extra: String = "") throws {
        try client.respond(to: invite, status, toTag: localTag, extra: extra)
        _ = try client.next(within: 10, "ACK") { $0.method == "ACK" && $0.callID == callID && !$0.isResponse }
    }
}

extension RawSIPClient {
    /// The next INVITE that makes a call.
    package func incomingCall(within seconds: Double = 15) throws -> RawIncomingCall {
        let invite = try next(within: seconds, "a call") {
            !$0.isResponse && $0.method == "INVITE" && $0.toTag == nil
        }
        return RawIncomingCall(client: self, invite: invite)
    }
}

/// A REFER that confd sent to a raw client, and what the client tells about it (RFC 3515 section 2.4).
package final class RawIncomingReferral: RawDialog, @unchecked Sendable {
    // Unchecked for the reason its client gives.
    package let refer: SIPMessage

    package init(client: RawSIPClient, refer: SIPMessage) {
        self.refer = refer
        super.init(client: client, acceptedFrom: refer, localTag: client.newTag())
    }

    /// The URI of Refer-To.
    package var referTarget: String { SIPMessage.uri(of: refer["Refer-To"] ?? "") }

    package func respond(_ status: String = "202 Accepted", extra: String = "") throws {
        try client.respond(
            to: refer, status, toTag: localTag, extra: "Contact: \(client.contact)\r\n" + extra)
    }

    /// NOTIFY with a sipfrag; its final response.
    @discardableResult
    package func tell(_ fragment: String, final: Bool = false) throws -> SIPMessage {
        try ask(
            "NOTIFY",
            extra: "Event: refer\r\nSubscription-State: "
                + (final ? "terminated;reason=noresource\r\n" : "active;expires=60\r\n"),
            body: "SIP/2.0 \(fragment)\r\n", type: "message/sipfrag;version=2.0")
    }
}

extension RawSIPClient {
    /// The next REFER.
    package func incomingReferral(within seconds: Double = 15) throws -> RawIncomingReferral {
        let refer = try next(within: seconds, "REFER") { !$0.isResponse && $0.method == "REFER" }
        return RawIncomingReferral(client: self, refer: refer)
    }
}
