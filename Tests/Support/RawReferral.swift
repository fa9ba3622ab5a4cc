/// A REFER to a room and what is heard of it (RFC 3515).
package final class RawReferral: @unchecked Sendable {
    // Unchecked: one thread uses it at a time, the one that uses its client.
    package let dialog: RawDialog
    package private(set) var response = SIPMessage(startLine: "", fields: [], body: [])
    /// The statuses that the sipfrags told, in order.
    package private(set) var statuses = [Int]()
    private var sequence = 0

    package var status: Int { response.status }

    /// Sends REFER and waits for its final response.
    /// - Parameters:
    ///   - referTo: the value of Refer-To; nil: none.
    ///   - call: within whose dialog; nil: a dialog of its own.
    ///   - body: a resource list (RFC 5368), its type and further fields in `extra`.
    package init(
        _ client: RawSIPClient, room: String, referTo: String?, within call: RawDialog? = nil, extra: String = "",
        body: String? = nil, type: String = "application/resource-lists+xml"
    ) throws {
        dialog = call ?? RawDialog(client: client, to: room)
        let fields = (referTo.map { "Refer-To: \($0)\r\n" } ?? "") + "Accept: message/sipfrag\r\n" + extra
        response = try dialog.ask("REFER", extra: fields, body: body, type: type)
        sequence = dialog.sequence
        if dialog.firstReferral == 0 { dialog.firstReferral = sequence }
        if response.status / 100 == 2, !dialog.isEstablished { dialog.establish(by: response) }
    }

    package func take(within seconds: Double = 10) throws -> SIPMessage {
        try dialog.client.next(within: seconds, "NOTIFY of REFER", where: isOurs)
    }

    private func isOurs(_ message: SIPMessage) -> Bool {
        guard !message.isResponse, message.method == "NOTIFY", message.callID == dialog.callID,
            let event = message["Event"], event.lowercased().hasPrefix("refer")
        else { return false }
        // RFC 3515 section 2.4.6: that of the first REFER of a dialog may be left out.
        guard let id = SIPMessage.parameter("id", of: event) else { return sequence == dialog.firstReferral }
        return id == "\(sequence)"
    }

    /// The next NOTIFY of this REFER, answered with 200.
    @discardableResult
    package func notification(within seconds: Double = 10) throws -> RawNotification {
        let message = try take(within: seconds)
        try dialog.client.respond(to: message)
        let notification = try RawNotification(message)
        guard let status = notification.fragmentStatus else {
            throw SupportError("NOTIFY of REFER without a sipfrag (RFC 3515 section 2.4.5): \(message)")
        }
        statuses.append(status)
        return notification
    }

    package func notificationIfAny(within seconds: Double) throws -> SIPMessage? {
        try dialog.client.nextIfAny(within: seconds, where: isOurs)
    }

    /// Takes NOTIFYs up to the one that ends the subscription; the status it tells.
    @discardableResult
    package func outcome(within seconds: Double = 20) throws -> Int {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            let next = try notification(within: Double(deadline.remainingMilliseconds) / 1000)
            if next.state == "terminated" { return next.fragmentStatus ?? 0 }
        }
    }
}
