import Foundation

/// A SIP user agent on a bare socket: it says what the test says, in the test's order, and nothing by itself.
package final class RawSIPClient: @unchecked Sendable {
    // Unchecked: one thread uses it at a time.
    private enum Wire {
        case datagrams(DatagramSocket)
        case stream(ByteStream)
    }

    package let transport: SIPTransportName
    package let server: SocketAddress
    package let user: String
    /// The URI in From.
    package let addressOfRecord: String
    package let localPort: UInt16
    /// What stands in Contact and Via; a private address shows a client behind a NAT.
    package var contactHost: String
    package var displayName: String?
    package var userAgent = "raw-client"

    private let wire: Wire
    private var received = [UInt8]()
    private var inbox = [SIPMessage]()
    private var counter = 0
    private let nonce: String

    package init(
        _ transport: SIPTransportName, to server: SocketAddress, user: String, domain: String = "127.0.0.1"
    ) throws {
        self.transport = transport
        self.server = server
        self.user = user
        addressOfRecord = "sip:\(user)@\(domain)"
        nonce = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        switch transport {
        case .udp:
            let socket = try DatagramSocket(to: server)
            wire = .datagrams(socket)
            localPort = socket.localPort
        case .tcp:
            let stream = try ByteStream(to: server)
            wire = .stream(stream)
            localPort = stream.localPort
        case .tls:
            let stream = try TLSByteStream(to: server)
            wire = .stream(stream)
            localPort = stream.localPort
        }
        contactHost = server.uriHost
    }

    package convenience init(_ transport: SIPTransportName, to confd: ConfdProcess, user: String) throws {
        try self.init(transport, to: confd.address(transport), user: user, domain: confd.udp.uriHost)
    }

    package var contact: String {
        switch transport {
        case .udp: "<sip:\(user)@\(contactHost):\(localPort)>"
        case .tcp: "<sip:\(user)@\(contactHost):\(localPort);transport=tcp>"
        case .tls: "<sip:\(user)@\(contactHost):\(localPort);transport=tls>"
        }
    }

    package func newCallID() -> String {
        counter += 1
        return "\(nonce)-\(counter)@raw"
    }

    package func newBranch() -> String {
        counter += 1
        return "z9hG4bK\(nonce)\(counter)"
    }

    package func newTag() -> String {
        counter += 1
        return "t\(nonce)\(counter)"
    }

    // MARK: Bytes

    package func send(_ bytes: [UInt8]) throws {
        switch wire {
        case .datagrams(let socket): try socket.send(bytes)
        case .stream(let stream): try stream.send(bytes)
        }
    }

    package func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    package func close() {
        if case .stream(let stream) = wire { stream.close() }
    }

    package func reset() {
        if case .stream(let stream) = wire { stream.reset() }
    }

    /// Whether confd closes the connection (never for UDP).
    package func closes(within seconds: Double) throws -> Bool {
        guard case .stream(let stream) = wire else { return false }
        return try stream.closes(within: seconds)
    }

    // MARK: Messages

    private func read(_ deadline: Deadline) throws -> SIPMessage? {
        while true {
            switch wire {
            case .datagrams(let socket):
                guard let datagram = try socket.receive(deadline) else { return nil }
                // A keep-alive's answer is two or four octets.
                if datagram.allSatisfy({ $0 == 13 || $0 == 10 }) { continue }
                guard let parsed = try SIPMessage.parse(datagram[...], datagram: true) else {
                    throw SupportError("a datagram without a blank line")
                }
                return parsed.message
            case .stream(let stream):
                while let first = received.first, first == 13 || first == 10 { received.removeFirst() }
                if let parsed = try SIPMessage.parse(received[...], datagram: false) {
                    received.removeFirst(parsed.size)
                    return parsed.message
                }
                guard let bytes = try stream.receiveIfAny(deadline) else { return nil }
                if bytes.isEmpty { throw SupportError("confd closed the SIP connection of \(user)") }
                received += bytes
            }
        }
    }

    /// The next message that `matches`, in order of arrival; others are kept for later.
    package func next(
        within seconds: Double = 10, _ what: String = "a message", where matches: (SIPMessage) -> Bool = { _ in true }
    ) throws -> SIPMessage {
        guard let message = try nextIfAny(within: seconds, where: matches) else {
            throw SupportError(
                "\(user) (\(transport.rawValue)) waited for \(what); had \(inbox.map(\.startLine))")
        }
        return message
    }

    package func nextIfAny(within seconds: Double, where matches: (SIPMessage) -> Bool = { _ in true }) throws
        -> SIPMessage?
    {
        if let index = inbox.firstIndex(where: matches) { return inbox.remove(at: index) }
        let deadline = Deadline.after(seconds: seconds)
        while let message = try read(deadline) {
            if matches(message) { return message }
            inbox.append(message)
        }
        return nil
    }

    /// The final response to a request of ours.
    package func finalResponse(to callID: String, _ sequence: Int, _ method: String, within seconds: Double = 10)
        throws -> SIPMessage
    {
        try next(within: seconds, "the final response to \(method)") {
            $0.status >= 200 && $0.callID == callID && $0.sequence == sequence && $0.method == method
        }
    }

    /// The next request of this method.
    package func request(_ method: String, within seconds: Double = 10) throws -> SIPMessage {
        try next(within: seconds, method) { !$0.isResponse && $0.method == method }
    }

    package func respond(to request: SIPMessage, _ status: String = "200 OK", extra: String = "") throws {
        var text = "SIP/2.0 \(status)\r\n"
        for (name, title) in [
            ("via", "Via"), ("record-route", "Record-Route"), ("from", "From"), ("to", "To"), ("call-id", "Call-ID"),
            ("cseq", "CSeq"),
        ] {
            for value in request.all(name) { text += "\(title): \(value)\r\n" }
        }
        try send(text + extra + "Content-Length: 0\r\n\r\n")
    }

    // MARK: Requests

    /// A request with the header fields that every one has.
    package func requestText(
        _ method: String, _ uri: String, to: String, fromTag: String, callID: String, sequence: Int,
        branch: String? = nil, extra: String = "", body: String = ""
    ) -> String {
        let name = displayName.map { "\"\($0)\" " } ?? ""
        return """
            \(method) \(uri) SIP/2.0\r
            Via: SIP/2.0/\(transport.rawValue.uppercased()) \(contactHost):\(localPort);rport;branch=\(branch ?? newBranch())\r
            Max-Forwards: 70\r
            From: \(name)<\(addressOfRecord)>;tag=\(fromTag)\r
            To: \(to)\r
            Call-ID: \(callID)\r
            CSeq: \(sequence) \(method)\r
            User-Agent: \(userAgent)\r
            \(extra)Content-Length: \(body.utf8.count)\r
            \r
            \(body)
            """
    }

    /// A request out of a dialog; its final response.
    package func ask(
        _ method: String, _ uri: String, extra: String = "", body: String = "", within seconds: Double = 10
    )
        throws -> SIPMessage
    {
        let callID = newCallID()
        try send(
            requestText(
                method, uri, to: "<\(uri)>", fromTag: newTag(), callID: callID, sequence: 1,
                extra: "Contact: \(contact)\r\n" + extra, body: body))
        return try finalResponse(to: callID, 1, method, within: seconds)
    }

    /// INVITE; the dialog is there when the final response is a 200, and the ACK is not sent yet.
    package func invite(_ room: String, offer: String?, extra: String = "", contact: String? = nil) throws -> RawCall {
        let call = RawCall(client: self, room: room)
        try call.sendInvite(offer: offer, extra: extra, contact: contact)
        try call.awaitFinal()
        return call
    }
}

/// One INVITE and the dialog it makes.
package final class RawCall: @unchecked Sendable {
    // Unchecked for the reason its client gives.
    package let client: RawSIPClient
    package let room: String
    package let callID: String
    package let localTag: String
    package private(set) var response: SIPMessage
    package private(set) var remoteTag: String?
    package private(set) var target: String
    package var sequence = 1
    private var branch: String

    init(client: RawSIPClient, room: String) {
        self.client = client
        self.room = room
        callID = client.newCallID()
        localTag = client.newTag()
        target = room
        branch = client.newBranch()
        response = SIPMessage(startLine: "", fields: [], body: [])
    }

    package var status: Int { response.status }
    package var to: String { remoteTag.map { "<\(room)>;tag=\($0)" } ?? "<\(room)>" }

    private func text(_ method: String, sequence: Int, branch: String?, extra: String, body: String) -> String {
        client.requestText(
            method, target, to: to, fromTag: localTag, callID: callID, sequence: sequence, branch: branch, extra: extra,
            body: body)
    }

    package func sendInvite(offer: String?, extra: String = "", contact: String? = nil) throws {
        let type = offer == nil ? "" : "Content-Type: application/sdp\r\n"
        try client.send(
            text(
                "INVITE", sequence: sequence, branch: branch,
                extra: "Contact: \(contact ?? client.contact)\r\n"
                    + "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\r\n" + type + extra,
                body: offer ?? ""))
    }

    package func awaitFinal(within seconds: Double = 10) throws {
        response = try client.finalResponse(to: callID, sequence, "INVITE", within: seconds)
        if response.status < 300 {
            remoteTag = response.toTag
            target = response.contactURI ?? target
        } else {
            // RFC 3261 section 17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction.
            try client.send(
                client.requestText(
                    "ACK", room, to: response["To"] ?? to, fromTag: localTag, callID: callID, sequence: sequence,
                    branch: branch))
        }
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

    /// A request within the dialog; its final response. A re-INVITE's 200 is not acknowledged yet.
    @discardableResult
    package func ask(_ method: String, extra: String = "", body: String? = nil, within seconds: Double = 10) throws
        -> SIPMessage
    {
        sequence += 1
        branch = client.newBranch()
        let type = body == nil ? "" : "Content-Type: application/sdp\r\n"
        let contact = method == "BYE" ? "" : "Contact: \(client.contact)\r\n"
        try client.send(
            text(method, sequence: sequence, branch: branch, extra: contact + type + extra, body: body ?? ""))
        let response = try client.finalResponse(to: callID, sequence, method, within: seconds)
        if method == "INVITE" { self.response = response }
        return response
    }

    package func reinvite(_ offer: String) throws -> SIPMessage {
        let response = try ask("INVITE", body: offer)
        try ack()
        return response
    }

    package func update(_ offer: String) throws -> SIPMessage {
        try ask("UPDATE", body: offer)
    }

    @discardableResult
    package func bye() throws -> SIPMessage {
        try ask("BYE")
    }

    /// Waits for confd's BYE and answers it.
    @discardableResult
    package func awaitBye(within seconds: Double = 10) throws -> SIPMessage {
        let bye = try client.next(within: seconds, "BYE") {
            !$0.isResponse && $0.method == "BYE" && $0.callID == callID
        }
        try client.respond(to: bye)
        return bye
    }
}
