import NIOCore
import Payloads

/// A message the room has accepted, in the forms its participants take. The octets are shared by all receivers.
struct Envelope: Equatable, Sendable {
    /// The whole Message/CPIM body, unchanged from what its sender wrote.
    private(set) var cpim: ByteBuffer
    /// The wrapped content's type without parameters, lower case.
    let contentType: String
    /// Where the wrapped content begins.
    let contentStart: Int
    /// How participants without CPIM see the sender; nil for what the room itself says.
    let senderName: String?

    init(cpim: ByteBuffer, contentType: String, contentStart: Int, senderName: String?) {
        self.cpim = cpim
        self.contentType = contentType
        self.contentStart = contentStart
        self.senderName = senderName
    }

    /// - Parameter body: all of the message as it came.
    init(_ opening: ChatSessionState.Opening, body: ByteBuffer) {
        var cpim = body
        if opening.head.readableBytes > 0 {
            let rest = body.readableBytesView.dropFirst(opening.replaced)
            cpim = ByteBuffer()
            cpim.reserveCapacity(opening.head.readableBytes + rest.count)
            cpim.writeImmutableBuffer(opening.head)
            cpim.writeBytes(rest)
        }
        self.init(
            cpim: cpim, contentType: opening.contentType, contentStart: opening.contentStart,
            senderName: opening.senderName)
    }

    /// Something that passes at once and means nothing later: a typing notice (RFC 3994). Never kept for anybody, and
    /// left out first.
    var isEphemeral: Bool { Self.isEphemeral(contentType) }

    static func isEphemeral(_ contentType: String) -> Bool { contentType == "application/im-iscomposing+xml" }

    /// The same with its octets elsewhere.
    func moved(to cpim: ByteBuffer) -> Envelope {
        var moved = self
        moved.cpim = cpim
        return moved
    }

    var isText: Bool { contentType == "text/plain" }

    /// `sender: text`, for participants that take text/plain only, or what the room says as it is; nil for other
    /// content.
    var plainText: ByteBuffer? {
        guard isText,
            let content = cpim.getSlice(
                at: cpim.readerIndex + contentStart, length: cpim.readableBytes - contentStart)
        else { return nil }
        guard let senderName else { return content }
        var text = ByteBuffer()
        text.reserveCapacity(senderName.utf8.count + 2 + content.readableBytes)
        text.writeString(senderName)
        text.writeString(": ")
        text.writeImmutableBuffer(content)
        return text
    }
}
