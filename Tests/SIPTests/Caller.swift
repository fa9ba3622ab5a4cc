import SIP
import Testing

/// A caller with one dialog, which writes requests the way a test wants them.
final class Caller {
    let peer: Peer
    let callID: String
    var contact: String
    private(set) var toTag: String?
    private var sequence = 1

    init(_ server: Endpoint, callID: String = "call-\(UInt64.random(in: 0 ... .max))") throws {
        peer = try Peer(server)
        self.callID = callID
        contact = "<sip:alice@127.0.0.1:\(peer.port)\(server.transport == .tcp ? ";transport=tcp" : "")>"
    }

    /// A caller over TLS.
    init(tls server: Endpoint, callID: String = "call-\(UInt64.random(in: 0 ... .max))") throws {
        peer = try Peer(tls: server)
        self.callID = callID
        contact = "<sips:alice@127.0.0.1:\(peer.port)>"
    }

    /// A request within the dialog; `extra` are header lines.
    @discardableResult
    func send(
        _ method: String, sequence number: Int? = nil, branch: String? = nil, extra: String = "", body: String = ""
    ) -> String {
        let branch = branch ?? "z9hG4bK\(UInt64.random(in: 0 ... .max))"
        if number == nil { sequence += 1 }
        let number = number ?? sequence
        let contactLine =
            ["INVITE", "UPDATE"].contains(method) && !extra.contains("Contact:") ? "Contact: \(contact)\n" : ""
        let type = body.isEmpty ? "" : "Content-Type: application/sdp\n"
        peer.send(
            "\(method) sip:room@example.com SIP/2.0\nVia: $via;branch=\(branch)\nMax-Forwards: 70\n"
                + "From: <sip:alice@example.com>;tag=alice\n"
                + "To: <sip:room@example.com>\(toTag.map { ";tag=\($0)" } ?? "")\nCall-ID: \(callID)\n"
                + "CSeq: \(number) \(method)\n\(contactLine)\(extra)\(type)"
                + "Content-Length: \(body.replacing("\n", with: "\r\n").utf8.count)\n\n\(body)")
        return branch
    }

    /// INVITE, its final response, ACK.
    @discardableResult
    func call(
        extra: String = "", body: String = "v=0\n", acknowledging ackBody: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Message {
        send("INVITE", extra: extra, body: body)
        let answer = try #require(peer.receiveFinal(), sourceLocation: sourceLocation)
        try #require(answer.status == 200, "\(answer)", sourceLocation: sourceLocation)
        remember(answer)
        acknowledge(body: ackBody)
        return answer
    }

    func acknowledge(body: String = "") { send("ACK", sequence: sequence, body: body) }

    func remember(_ answer: Message) {
        let to = answer.header("To") ?? ""
        if let tag = to.split(separator: ";tag=").dropFirst().first { toTag = String(tag) }
    }
}
