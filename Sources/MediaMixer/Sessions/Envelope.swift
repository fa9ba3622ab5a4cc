import NIOCore
import Payloads

/// A message the room has accepted, in the forms its participants take. The octets are shared by all receivers.
struct Envelope: Equatable, Sendable {
    /// The whole Message/CPIM body, unchanged from what its sender wrote.
    let cpim: ByteBuffer
    /// The wrapped content's type without parameters, lower case.
    let contentType: String
    /// Where the wrapped content begins.
    let contentStart: Int
    /// How participants without CPIM see the sender.
    let senderName: String

    init(cpim: ByteBuffer, contentType: String, contentStart: Int, senderName: String) {
        self.cpim = cpim
        self.contentType = contentType.lowercased()
        self.contentStart = contentStart
        self.senderName = senderName
    }

    /// Bare text, wrapped for those who take CPIM.
    init(text: ByteBuffer, contentType: String, from: CPIMAddress, room: RoomAddress, dateTime: String) {
        let head = CPIMWrapper.head(
            from: from, to: [CPIMAddress(uri: room.uri)], dateTime: dateTime, contentType: contentType)
        var cpim = ByteBuffer()
        cpim.reserveCapacity(head.count + text.readableBytes)
        cpim.writeBytes(head)
        cpim.writeImmutableBuffer(text)
        self.init(
            cpim: cpim, contentType: String(contentType.prefix { $0 != ";" && $0 != " " }), contentStart: head.count,
            senderName: from.displayName ?? from.uri)
    }

    var isText: Bool { contentType == "text/plain" }

    /// `sender: text`, for participants that take text/plain only; nil for other content.
    var plainText: ByteBuffer? {
        guard isText,
            let content = cpim.getSlice(
                at: cpim.readerIndex + contentStart, length: cpim.readableBytes - contentStart)
        else { return nil }
        var text = ByteBuffer()
        text.reserveCapacity(senderName.utf8.count + 2 + content.readableBytes)
        text.writeString(senderName)
        text.writeString(": ")
        text.writeImmutableBuffer(content)
        return text
    }
}
