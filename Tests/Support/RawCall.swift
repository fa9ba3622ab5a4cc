/// One INVITE and the dialog it makes.
package final class RawCall: RawDialog, @unchecked Sendable {
    // Unchecked for the reason its client gives.
    package let room: String
    package private(set) var response: SIPMessage

    package init(client: RawSIPClient, room: String) {
        self.room = room
        response = SIPMessage(startLine: "", fields: [], body: [])
        super.init(client: client, to: room)
        sequence = 1
    }

    package var status: Int { response.status }

    /// - Parameter type: the body's; nil: SDP.
    package func sendInvite(offer: String?, extra: String = "", contact: String? = nil, type: String? = nil) throws {
        let type = offer == nil ? "" : "Content-Type: \(type ?? "application/sdp")\r\n"
        try client.send(
            text(
                "INVITE", sequence: sequence, branch: branch,
                extra: "Contact: \(contact ?? client.contact)\r\n"
                    + "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, NOTIFY, REFER\r\n" + type + extra,
                body: offer ?? ""))
    }

    package func awaitFinal(within seconds: Double = 10) throws {
        response = try client.finalResponse(to: callID, sequence, "INVITE", within: seconds)
        if response.status < 300 {
            establish(by: response)
        } else {
            // RFC 3261 section 17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction.
            try client.send(
                client.requestText(
                    "ACK", room, to: response["To"] ?? to, fromTag: localTag, callID: callID, sequence: sequence,
                    branch: branch))
        }
    }

    /// INVITE to its end, with an answer to a challenge where the client has one.
    func complete(offer: String?, extra: String, contact: String?, type: String?) throws {
        try sendInvite(offer: offer, extra: extra, contact: contact, type: type)
        try awaitFinal()
        guard let answer = try client.credentials?.answer(to: response, "INVITE", room) else { return }
        sequence += 1
        branch = client.newBranch()
        try sendInvite(offer: offer, extra: answer + extra, contact: contact, type: type)
        try awaitFinal()
    }

    /// The answer's (or, without our offer, the offer's) a=path.
    package var path: String { response.attributes("path").first ?? "" }

    package func ack(answer: String? = nil) throws {
        let type = answer == nil ? "" : "Content-Type: application/sdp\r\n"
        try client.send(text("ACK", sequence: sequence, branch: nil, extra: type, body: answer ?? ""))
    }

    /// CANCEL of the INVITE (RFC 3261 section 9.1: same branch); its own final response.
    package func cancel() throws -> SIPMessage {
        try client.send(
            client.requestText(
                "CANCEL", room, to: "<\(room)>", fromTag: localTag, callID: callID, sequence: sequence, branch: branch))
        return try client.finalResponse(to: callID, sequence, "CANCEL")
    }

    /// A request within the dialog; its final response. A re-INVITE's 200 is not acknowledged yet, its refusal is.
    @discardableResult
    package override func ask(
        _ method: String, extra: String = "", body: String? = nil, type: String = "application/sdp",
        within seconds: Double = 10
    ) throws -> SIPMessage {
        let response = try super.ask(method, extra: extra, body: body, type: type, within: seconds)
        guard method == "INVITE" else { return response }
        self.response = response
        if response.status >= 300 {
            try client.send(text("ACK", sequence: sequence, branch: branch, extra: "", body: ""))
        }
        return response
    }

    package func reinvite(_ offer: String) throws -> SIPMessage {
        let response = try ask("INVITE", body: offer)
        if response.status < 300 { try ack() }
        return response
    }

    package func update(_ offer: String) throws -> SIPMessage {
        try ask("UPDATE", body: offer)
    }
}
