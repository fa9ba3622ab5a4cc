import Foundation

/// Many subscribers of one room, served by one thread: each NOTIFY is answered as it comes, and looked at later.
package final class RosterCrowd {
    package final class Member {
        package let client: RawSIPClient
        package let subscription: RawDialog
        package let call: RawCall?
        package let msrp: RawMSRPClient?
        /// Numbers of the documents it got, in order, and the sequence numbers of the NOTIFYs.
        package fileprivate(set) var documents = [Int]()
        package fileprivate(set) var lastState = ""
        package fileprivate(set) var sequences = [Int]()

        fileprivate init(_ client: RawSIPClient, _ subscription: RawDialog, _ call: RawCall?, _ msrp: RawMSRPClient?) {
            (self.client, self.subscription, self.call, self.msrp) = (client, subscription, call, msrp)
        }
    }

    package private(set) var members = [Member]()
    package private(set) var notifications = 0
    /// Each document once: subscribers share most of them.
    package private(set) var documents = [[UInt8]]()
    private var numbers = [[UInt8]: Int]()
    private let room: String
    private let confd: ConfdProcess

    package init(_ room: String, of confd: ConfdProcess) {
        (self.room, self.confd) = (room, confd)
    }

    /// One more joins over TCP, opens its MSRP session and subscribes.
    package func join(_ user: String) throws {
        let client = try RawSIPClient(.tcp, to: confd, user: user)
        var offer = Offer(host: confd.msrp.host)
        offer.chatroom = ""
        let call = try client.invite(room, offer: offer.text)
        guard call.status == 200 else { throw SupportError("INVITE was answered `\(call.response.startLine)`") }
        try call.ack()
        let msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path)
        try msrp.requireBind()
        try subscribe(client, call, msrp)
    }

    /// One more subscribes over TCP without joining.
    package func watch(_ user: String) throws {
        try subscribe(try RawSIPClient(.tcp, to: confd, user: user), nil, nil)
    }

    private func subscribe(_ client: RawSIPClient, _ call: RawCall?, _ msrp: RawMSRPClient?) throws {
        let dialog = RawDialog(client: client, to: room)
        let response = try dialog.ask(
            "SUBSCRIBE", extra: "Event: conference\r\nExpires: 3600\r\nAccept: application/conference-info+xml\r\n")
        guard response.status == 200 else { throw SupportError("SUBSCRIBE was answered `\(response.startLine)`") }
        dialog.establish(by: response)
        let member = Member(client, dialog, call, msrp)
        members.append(member)
        // The first NOTIFY may have come with the response: poll(2) knows nothing of it any more.
        try serve(member)
    }

    /// Answers NOTIFYs until `isEnough` or the time is over; whether it was enough.
    @discardableResult
    package func serve(for seconds: Double, until isEnough: () -> Bool = { false }) throws -> Bool {
        let deadline = Deadline.after(seconds: seconds)
        while !isEnough() {
            var entries = members.map { pollfd(fd: $0.client.descriptor, events: Int16(POLLIN), revents: 0) }
            guard poll(&entries, nfds_t(entries.count), deadline.remainingMilliseconds) > 0 else { return isEnough() }
            for (entry, member) in zip(entries, members) where entry.revents != 0 { try serve(member) }
        }
        return true
    }

    private func serve(_ member: Member) throws {
        while let notify = try member.client.nextIfAny(within: 0, where: { !$0.isResponse && $0.method == "NOTIFY" }) {
            try member.client.respond(to: notify)
            notifications += 1
            member.sequences.append(notify.sequence)
            member.lastState = notify["Subscription-State"] ?? ""
            guard !notify.body.isEmpty else { continue }
            if let number = numbers[notify.body] {
                member.documents.append(number)
            } else {
                numbers[notify.body] = documents.count
                member.documents.append(documents.count)
                documents.append(notify.body)
            }
        }
    }

    /// Puts together what each member was told; throws on a gap in the versions and on anything the schema forbids.
    package func views() throws -> [RosterView] {
        try DocumentSchema.conferenceInfo.validate(documents)
        let parsed = try documents.map { try RosterDocument($0) }
        return try members.map { member in
            var view = RosterView()
            for number in member.documents { try view.apply(parsed[number]) }
            return view
        }
    }

    /// Everybody who joined says BYE and closes.
    package func leave() throws {
        for member in members {
            if let call = member.call {
                try serve(member)
                _ = try call.bye()
            }
            member.msrp?.stream.close()
            member.client.close()
        }
        members.removeAll()
    }
}
