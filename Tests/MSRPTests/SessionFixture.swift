import MSRP
import NIOCore
import Testing

/// A session whose identifiers count up from a known number, with the clock in the test's hand.
final class SessionFixture {
    static let ours = "msrp://mixer.example.com:2855/ours;tcp"
    static let theirs = "msrp://alice.example.com:7777/theirs;tcp"

    var session: EndpointSession
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    init(_ configuration: EndpointSession.Configuration = .init()) throws {
        session = EndpointSession(
            localPath: try #require(Path(Self.ours)), remotePath: try #require(Path(Self.theirs)),
            configuration: configuration, ids: IDGenerator(sequenceFrom: 0xA0))
    }

    /// What the peer sends goes in; events and the octets written come out.
    func receive(_ text: String) throws -> (events: [EndpointSession.Event], output: String) {
        var output = ByteBuffer()
        var events: [EndpointSession.Event] = []
        for part in try Wire.parts(text) {
            if let event = session.receive(part, now: now, into: &output) { events.append(event) }
        }
        return (events, String(buffer: output))
    }

    /// The same where the owner takes every message; the messages' bodies come out.
    func take(_ text: String) throws -> (bodies: [String], output: String) {
        var output = ByteBuffer()
        var bodies: [String] = []
        for part in try Wire.parts(text) {
            guard case .message(let message, let pending)? = session.receive(part, now: now, into: &output) else {
                continue
            }
            bodies.append(String(buffer: message.body))
            session.respond(pending, .ok, into: &output)
            session.report(on: message, .ok, into: &output)
        }
        return (bodies, String(buffer: output))
    }

    func written(_ body: (inout EndpointSession, NIODeadline, inout ByteBuffer) throws -> Void) rethrows
        -> String
    {
        var output = ByteBuffer()
        try body(&session, now, &output)
        return String(buffer: output)
    }

    /// `EndpointSession` methods in a form that `#expect` can take apart.
    func registerShared(_ id: UInt64) -> Bool { session.registerShared(id: id, now: now) }
    func expire() -> EndpointSession.Expiration { session.expire(now: now) }
    func expire(after time: TimeAmount) -> EndpointSession.Expiration { session.expire(now: now + time) }

    func expireStreams() -> [String] { session.expireStreams(now: now).map(\.string) }

    /// How many answers the fast path takes from the bytes, and how many bytes it leaves.
    func consume(_ bytes: some Sequence<UInt8>) -> (taken: Int, left: Int) {
        var buffer = ByteBuffer(bytes: bytes)
        let taken = session.consumeExpectedResponses(&buffer)
        return (taken, buffer.readableBytes)
    }

    func deliveries() -> [Delivery] {
        var all: [Delivery] = []
        while let delivery = session.nextDelivery() { all.append(delivery) }
        return all
    }

    /// A SEND of the peer's.
    static func send(
        _ body: String?, id: String = "t1", messageID: String? = "m1", range: String? = "1-*/*", flag: String = "$",
        fields: String = "", type: String? = "text/plain", to: String = ours, from: String = theirs
    ) -> String {
        var text = "MSRP \(id) SEND\r\nTo-Path: \(to)\r\nFrom-Path: \(from)\r\n"
        if let messageID { text += "Message-ID: \(messageID)\r\n" }
        if let range { text += "Byte-Range: \(range)\r\n" }
        text += fields
        if let body {
            if let type { text += "Content-Type: \(type)\r\n" }
            text += "\r\n\(body)\r\n"
        }
        return text + "-------\(id)\(flag)\r\n"
    }

    /// Our answer to it.
    static func answer(_ status: String, id: String = "t1", to: String = theirs) -> String {
        "MSRP \(id) \(status)\r\nTo-Path: \(to)\r\nFrom-Path: \(ours)\r\n-------\(id)$\r\n"
    }

    /// The peer's answer to one of ours.
    static func theirAnswer(_ status: String, id: UInt64) -> String {
        let id = TransactionID(id)
        return "MSRP \(id) \(status)\r\nTo-Path: \(ours)\r\nFrom-Path: \(theirs)\r\n-------\(id)$\r\n"
    }

    static func message(
        _ body: String, id: String = "out", failure: FailureReport? = nil, success: SuccessReport? = nil
    ) throws -> OutgoingMessage {
        OutgoingMessage(
            messageID: try #require(MessageID(id)), contentType: "text/plain", body: ByteBuffer(string: body),
            successReport: success, failureReport: failure)
    }
}
