/// A SIP dialog (RFC 3261 section 12) of a raw client: INVITE's, SUBSCRIBE's, REFER's, or one that confd opened.
package class RawDialog: @unchecked Sendable {
    // Unchecked: one thread uses it at a time, the one that uses its client.
    package let client: RawSIPClient
    package let callID: String
    package let localTag: String
    /// The URI of the other side's To or From.
    package let remoteURI: String
    /// The URI of our From.
    package let localURI: String
    package var remoteTag: String?
    /// The remote target: where requests within the dialog go.
    package var target: String
    package var sequence = 0
    /// CSeq of the first REFER within the dialog; 0: there was none.
    var firstReferral = 0
    var branch: String

    /// A dialog to be made by the first request to `remoteURI`.
    package init(client: RawSIPClient, to remoteURI: String, target: String? = nil) {
        self.client = client
        self.remoteURI = remoteURI
        localURI = client.addressOfRecord
        callID = client.newCallID()
        localTag = client.newTag()
        self.target = target ?? remoteURI
        branch = client.newBranch()
    }

    /// The dialog that confd's request makes when it is accepted with `localTag`.
    package init(client: RawSIPClient, acceptedFrom request: SIPMessage, localTag: String) {
        self.client = client
        callID = request.callID
        self.localTag = localTag
        remoteTag = request.fromTag
        remoteURI = SIPMessage.uri(of: request["From"] ?? "")
        localURI = SIPMessage.uri(of: request["To"] ?? "")
        target = request.contactURI ?? remoteURI
        branch = client.newBranch()
    }

    package var to: String { remoteTag.map { "<\(remoteURI)>;tag=\($0)" } ?? "<\(remoteURI)>" }
    package var isEstablished: Bool { remoteTag != nil }

    func text(_ method: String, sequence: Int, branch: String?, extra: String, body: String) -> String {
        client.requestText(
            method, target, to: to, from: localURI, fromTag: localTag, callID: callID, sequence: sequence,
            branch: branch, extra: extra, body: body)
    }

    /// Sends a request; its CSeq number.
    @discardableResult
    package func post(_ method: String, extra: String = "", body: String? = nil, type: String = "application/sdp")
        throws -> Int
    {
        sequence += 1
        branch = client.newBranch()
        let type = body == nil ? "" : "Content-Type: \(type)\r\n"
        let contact = method == "BYE" ? "" : "Contact: \(client.contact)\r\n"
        try client.send(
            text(method, sequence: sequence, branch: branch, extra: contact + type + extra, body: body ?? ""))
        return sequence
    }

    /// A request within the dialog; its final response. A re-INVITE's 200 is not acknowledged yet. A challenge is
    /// answered when the client has credentials.
    @discardableResult
    package func ask(
        _ method: String, extra: String = "", body: String? = nil, type: String = "application/sdp",
        within seconds: Double = 10
    ) throws -> SIPMessage {
        try post(method, extra: extra, body: body, type: type)
        let response = try client.finalResponse(to: callID, sequence, method, within: seconds)
        guard let answer = try client.credentials?.answer(to: response, method, target) else { return response }
        try post(method, extra: answer + extra, body: body, type: type)
        return try client.finalResponse(to: callID, sequence, method, within: seconds)
    }

    /// Takes the tag and the target from a response that makes the dialog.
    package func establish(by response: SIPMessage) {
        remoteTag = remoteTag ?? response.toTag
        target = response.contactURI ?? target
    }

    @discardableResult
    package func bye() throws -> SIPMessage {
        try ask("BYE")
    }

    /// The next request of this method within the dialog; unanswered.
    package func request(_ method: String, within seconds: Double = 10) throws -> SIPMessage {
        try client.next(within: seconds, "\(method) within \(callID)") {
            !$0.isResponse && $0.method == method && $0.callID == callID
        }
    }

    /// Waits for confd's BYE and answers it.
    @discardableResult
    package func awaitBye(within seconds: Double = 10) throws -> SIPMessage {
        let bye = try request("BYE", within: seconds)
        try client.respond(to: bye)
        return bye
    }
}
