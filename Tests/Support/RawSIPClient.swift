import Foundation

/// A SIP user agent on a bare socket: it says what the test says, in the test's order, and nothing by itself. With
/// `credentials` it answers challenges.
package final class RawSIPClient: @unchecked Sendable {
    // Unchecked: one thread uses it at a time.
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

    /// Answers a 401 once with these; nil: a 401 is the test's business.
    package var credentials: SIPCredentials?

    private let wire: SIPWire
    /// Where confd may connect to, when the client listens, and the connections it opened.
    private var listener: StreamListener?
    private var accepted = [SIPWire]()
    /// By Via branch: where a request came from, and its response goes.
    private var origins = [String: SIPWire]()
    private var inbox = [SIPMessage]()
    private var counter = 0
    private let nonce: String

    /// - Parameters:
    ///   - local: the address to come from; nil: the system's choice.
    ///   - port: the UDP port to come from; 0: a free one.
    ///   - identity: PEM, certificate and key, shown where TLS asks for it.
    package init(
        _ transport: SIPTransportName, to server: SocketAddress, user: String, domain: String = "127.0.0.1",
        from local: String? = nil, port: UInt16 = 0, identity: (certificate: [UInt8], key: [UInt8])? = nil
    ) throws {
        self.transport = transport
        self.server = server
        self.user = user
        addressOfRecord = "sip:\(user)@\(domain)"
        nonce = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        switch transport {
        case .udp:
            let socket = try DatagramSocket(to: server, from: local, port: port)
            wire = SIPWire(.datagrams(socket))
            localPort = socket.localPort
        case .tcp:
            let stream = try ByteStream(to: server, from: local)
            wire = SIPWire(.stream(stream))
            localPort = stream.localPort
        case .tls:
            let stream = try TLSByteStream(to: server, from: local, identity: identity)
            wire = SIPWire(.stream(stream))
            localPort = stream.localPort
        }
        contactHost = local ?? server.uriHost
    }

    package convenience init(
        _ transport: SIPTransportName, to confd: ConfdProcess, user: String, domain: String? = nil,
        password: String? = nil, from local: String? = nil, port: UInt16 = 0
    ) throws {
        try self.init(
            transport, to: confd.address(transport), user: user, domain: domain ?? confd.udp.uriHost, from: local,
            port: port)
        credentials = password.map { SIPCredentials(username: user, password: $0) }
    }

    /// Takes TCP connections on the port that Contact shows, as an agent does whose datagrams may become too large
    /// (RFC 3261 section 18.1.1).
    package func listen() throws {
        listener = try StreamListener(host: contactHost, port: localPort)
    }

    /// What poll(2) waits for.
    var descriptor: Int32 { wire.descriptor }

    /// Where others reach this client without asking confd.
    package var uri: String {
        SIPMessage.uri(of: contact)
    }

    /// How many connections confd has opened to this client.
    package var acceptedConnections: Int { accepted.count }

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
        try wire.send(bytes)
    }

    package func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    package func close() {
        if case .stream(let stream) = wire.medium { stream.close() }
    }

    package func reset() {
        if case .stream(let stream) = wire.medium { stream.reset() }
    }

    /// Whether confd closes the connection (never for UDP).
    package func closes(within seconds: Double) throws -> Bool {
        guard case .stream(let stream) = wire.medium else { return false }
        return try stream.closes(within: seconds)
    }

    // MARK: Messages

    private func read(_ deadline: Deadline) throws -> SIPMessage? {
        while true {
            for way in [wire] + accepted {
                guard let message = try way.message() else { continue }
                if !message.isResponse { origins[message.branch] = way }
                return message
            }
            if wire.isClosed { throw SupportError("confd closed the SIP connection of \(user)") }
            accepted.removeAll { $0.isClosed }
            var descriptors = ([wire] + accepted).map(\.descriptor)
            if let listener { descriptors.append(listener.descriptor) }
            guard waitUntilReadable(descriptors, deadline) else { return nil }
            if let listener, let stream = try listener.acceptIfAny() { accepted.append(SIPWire(.stream(stream))) }
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

    /// - Parameters:
    ///   - toTag: added to To when the request had none.
    ///   - extra: further header fields.
    package func respond(
        to request: SIPMessage, _ status: String = "200 OK", toTag: String? = nil, extra: String = "", body: String = ""
    ) throws {
        var text = "SIP/2.0 \(status)\r\n"
        for (name, title) in [
            ("via", "Via"), ("record-route", "Record-Route"), ("from", "From"), ("to", "To"), ("call-id", "Call-ID"),
            ("cseq", "CSeq"),
        ] {
            for value in request.all(name) {
                let tag = name == "to" && request.toTag == nil ? toTag.map { ";tag=\($0)" } ?? "" : ""
                text += "\(title): \(value)\(tag)\r\n"
            }
        }
        text += extra + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
        try (origins[request.branch] ?? wire).send(Array(text.utf8))
    }

    // MARK: Requests

    /// A request with the header fields that every one has.
    /// - Parameter from: the URI of From; nil: the address of record.
    package func requestText(
        _ method: String, _ uri: String, to: String, from: String? = nil, fromTag: String, callID: String,
        sequence: Int, branch: String? = nil, extra: String = "", body: String = ""
    ) -> String {
        let name = displayName.map { "\"\($0)\" " } ?? ""
        return """
            \(method) \(uri) SIP/2.0\r
            Via: SIP/2.0/\(transport.rawValue.uppercased()) \(contactHost):\(localPort);rport;branch=\(branch ?? newBranch())\r
            Max-Forwards: 70\r
            From: \(name)<\(from ?? addressOfRecord)>;tag=\(fromTag)\r
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
        let tag = newTag()
        func ask(_ sequence: Int, _ more: String) throws -> SIPMessage {
            try send(
                requestText(
                    method, uri, to: "<\(uri)>", fromTag: tag, callID: callID, sequence: sequence,
                    extra: "Contact: \(contact)\r\n" + more + extra, body: body))
            return try finalResponse(to: callID, sequence, method, within: seconds)
        }
        let response = try ask(1, "")
        guard let answer = try credentials?.answer(to: response, method, uri) else { return response }
        return try ask(2, answer)
    }

    /// INVITE; the dialog is there when the final response is a 200, and the ACK is not sent yet.
    /// - Parameter type: the body's; nil: SDP.
    package func invite(
        _ room: String, offer: String?, extra: String = "", contact: String? = nil, type: String? = nil
    ) throws -> RawCall {
        let call = RawCall(client: self, room: room)
        try call.complete(offer: offer, extra: extra, contact: contact, type: type)
        return call
    }
}
