/// A client that joined a room and bound its MSRP session.
package final class Participant: @unchecked Sendable {
    // Unchecked: one thread uses it at a time.
    package let sip: RawSIPClient
    package let dialog: RawDialog
    package let msrp: RawMSRPClient
    package let room: String

    package init(
        _ user: String, in room: String, of confd: ConfdProcess, over transport: SIPTransportName = .udp,
        tls: Bool = false, domain: String? = nil, password: String? = nil, extra: String = "",
        prepare: (inout Offer, RawSIPClient) -> Void = { _, _ in }
    ) throws {
        self.room = room
        sip = try RawSIPClient(transport, to: confd, user: user, domain: domain, password: password)
        var offer = Offer(tls: tls, host: confd.msrp.host)
        // With a=chatroom there is no welcome text (RFC 7701 section 11).
        offer.chatroom = ""
        prepare(&offer, sip)
        let call = try sip.invite(room, offer: offer.text, extra: extra)
        guard call.status == 200 else { throw SupportError("INVITE was answered `\(call.response.startLine)`") }
        try call.ack()
        dialog = call
        msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path)
        try msrp.requireBind()
    }

    /// Joins by a call that is answered 200 and not acknowledged yet.
    package init(_ sip: RawSIPClient, _ call: RawCall, _ offer: Offer) throws {
        (self.sip, room, dialog) = (sip, call.room, call)
        try call.ack()
        msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path)
        try msrp.requireBind()
    }

    /// Takes a call of confd's; the room's URI is that of Contact.
    package init(answering call: RawIncomingCall) throws {
        sip = call.client
        dialog = call
        room = call.target
        var answer = Offer(tls: call.path.hasPrefix("msrps"))
        answer.chatroom = ""
        try call.answer(answer.text)
        msrp = try RawMSRPClient(remotePath: call.path, localPath: answer.path)
        try msrp.requireBind()
    }

    /// The call of a participant that called.
    package var call: RawCall {
        guard let call = dialog as? RawCall else { preconditionFailure("\(sip.user) was called") }
        return call
    }

    /// Says something to the room without waiting; the transaction id.
    @discardableResult
    package func post(_ text: String, extra: String = "") throws -> String {
        try msrp.post(RawMSRPClient.cpim(from: sip.addressOfRecord, to: room, text), extra: extra)
    }

    /// Says something to the room; the response's status.
    @discardableResult
    package func say(_ text: String, extra: String = "") throws -> Int {
        try msrp.response(to: try post(text, extra: extra)).status
    }

    /// The text of the next message.
    package func hears(within seconds: Double = 10) throws -> String {
        try msrp.nextMessage(within: seconds).cpimText
    }

    /// Says BYE and closes.
    package func leave() throws {
        try dialog.bye()
        msrp.stream.close()
    }
}
