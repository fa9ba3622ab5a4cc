import Foundation

/// A NOTIFY that a subscription took, checked against RFC 6665.
package struct RawNotification: Sendable {
    package let message: SIPMessage
    /// active, pending or terminated.
    package let state: String
    /// Seconds, of active and pending.
    package let expires: Int?
    /// Of terminated: timeout, noresource, rejected, deactivated, probation, giveup.
    package let reason: String?
    /// Of the conference package, when there is a body.
    package let roster: RosterDocument?

    package init(_ message: SIPMessage) throws {
        self.message = message
        let words = (message["Subscription-State"] ?? "").split(separator: ";").map { String($0).trimmed }
        guard let state = words.first, ["active", "pending", "terminated"].contains(state) else {
            throw SupportError("NOTIFY without Subscription-State (RFC 6665 section 4.1.3): \(message)")
        }
        self.state = state
        func parameter(_ name: String) -> String? {
            words.dropFirst().first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
        }
        expires = parameter("expires").flatMap { Int($0) }
        reason = parameter("reason")
        guard message["Event"] != nil, message["Contact"] != nil, message["Max-Forwards"] != nil else {
            throw SupportError("NOTIFY without Event, Contact or Max-Forwards: \(message)")
        }
        if message.body.isEmpty {
            roster = nil
        } else if message["Content-Type"]?.lowercased().hasPrefix("application/conference-info+xml") == true {
            roster = try RosterDocument(message.body)
        } else {
            roster = nil
        }
    }

    /// The status of a message/sipfrag body (RFC 3515 section 2.4.5).
    package var fragmentStatus: Int? {
        guard message["Content-Type"]?.lowercased().hasPrefix("message/sipfrag") == true else { return nil }
        return Int(message.bodyText.dropFirst(8).prefix(3))
    }
}

/// A subscription to a room (RFC 4575, RFC 6665), in a dialog of its own or in a call's. It answers NOTIFYs with 200
/// when the test takes them, checks each against RFC 6665 and its body against the schema, and keeps the roster.
package final class RawSubscription: @unchecked Sendable {
    // Unchecked: one thread uses it at a time, the one that uses its client.
    package let dialog: RawDialog
    package let event: String
    /// The last response to a SUBSCRIBE.
    package private(set) var response = SIPMessage(startLine: "", fields: [], body: [])
    package private(set) var view = RosterView()
    /// Whether each document is shown to xmllint at once; else `documents` has them all.
    package var checksSchema = true
    package private(set) var documents = [[UInt8]]()
    private var lastSequence = -1

    package var client: RawSIPClient { dialog.client }
    package var status: Int { response.status }

    /// - Parameter call: whose dialog to subscribe in; nil: a dialog of its own.
    package init(_ client: RawSIPClient, to room: String, within call: RawDialog? = nil, event: String = "conference") {
        dialog = call ?? RawDialog(client: client, to: room)
        self.event = event
    }

    /// SUBSCRIBE, the first or another; its final response.
    /// - Parameter expires: nil: no Expires, the package's default.
    @discardableResult
    package func subscribe(
        expires: Int? = 3600, accept: String? = "application/conference-info+xml", extra: String = ""
    ) throws -> SIPMessage {
        var fields = "Event: \(event)\r\n"
        if let expires { fields += "Expires: \(expires)\r\n" }
        if let accept { fields += "Accept: \(accept)\r\n" }
        response = try dialog.ask("SUBSCRIBE", extra: fields + extra)
        if response.status / 100 == 2 { dialog.establish(by: response) }
        return response
    }

    /// The next NOTIFY, taken but not answered.
    package func take(within seconds: Double = 10) throws -> SIPMessage {
        try client.next(within: seconds, "NOTIFY of \(event)", where: isOurs)
    }

    private func isOurs(_ message: SIPMessage) -> Bool {
        !message.isResponse && message.method == "NOTIFY" && message.callID == dialog.callID
            && (message["Event"] ?? "").lowercased().hasPrefix(event.lowercased().prefix { $0 != ";" })
            && (!event.contains(";id=") || message["Event"] == event)
    }

    /// The next NOTIFY, answered with 200.
    @discardableResult
    package func notification(within seconds: Double = 10) throws -> RawNotification {
        try accept(try take(within: seconds))
    }

    package func notificationIfAny(within seconds: Double) throws -> RawNotification? {
        try client.nextIfAny(within: seconds, where: isOurs).map(accept)
    }

    private func accept(_ message: SIPMessage) throws -> RawNotification {
        try client.respond(to: message)
        let notification = try RawNotification(message)
        guard message.toTag == dialog.localTag, dialog.remoteTag == nil || message.fromTag == dialog.remoteTag else {
            throw SupportError("NOTIFY outside the dialog: \(message)")
        }
        guard message.sequence > lastSequence else {
            throw SupportError("CSeq \(message.sequence) after \(lastSequence)")
        }
        lastSequence = message.sequence
        if let roster = notification.roster {
            documents.append(roster.octets)
            if checksSchema { try DocumentSchema.conferenceInfo.validate([roster.octets]) }
            try view.apply(roster)
        }
        return notification
    }

    /// Takes NOTIFYs until one `fits`; that one.
    @discardableResult
    package func until(
        _ what: String, within seconds: Double = 15, _ fits: (RawNotification, RosterView) -> Bool
    ) throws -> RawNotification {
        let deadline = Deadline.after(seconds: seconds)
        while !deadline.passed {
            guard let next = try notificationIfAny(within: Double(deadline.remainingMilliseconds) / 1000) else { break }
            if fits(next, view) { return next }
        }
        throw SupportError("\(client.user) waited for \(what) in the roster; it has \(summary)")
    }

    /// Takes NOTIFYs until exactly these are in the room, sorted.
    @discardableResult
    package func until(connected users: [String], within seconds: Double = 15) throws -> RawNotification? {
        if view.connected == users.sorted() { return nil }
        return try until("\(users)", within: seconds) { $1.connected == users.sorted() }
    }

    /// Waits for the NOTIFY that ends the subscription.
    @discardableResult
    package func untilTerminated(within seconds: Double = 15) throws -> RawNotification {
        try until("the end", within: seconds) { notification, _ in notification.state == "terminated" }
    }

    private var summary: [String] {
        view.users.values.map { user in
            "\(user.entity): \(user.endpoints.map { "\($0.status ?? "-") \($0.disconnectionMethod ?? "")" })"
        }.sorted()
    }
}
