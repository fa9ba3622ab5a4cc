import MSRP
import NIOCore

/// One accepted message on its way to many: what all receivers share is made once, when the first of them needs it.
final class Fanout {
    /// One SEND, complete but for start line and paths.
    struct Shared {
        let id: UInt64
        let tail: ByteBuffer
        let body: ByteBuffer
        let messageID: MessageID
        let contentType: String
    }

    let envelope: Envelope
    private let ids: Mixer
    private var wrapped: Shared?
    private var text: Shared??

    init(_ envelope: Envelope, ids: Mixer) {
        self.envelope = envelope
        self.ids = ids
    }

    /// For participants that take Message/CPIM.
    var asCPIM: Shared {
        if let wrapped { return wrapped }
        let made = make(envelope.cpim, contentType: "message/cpim")
        wrapped = made
        return made
    }

    /// For participants that take text/plain; nil for content that is no text.
    var asText: Shared? {
        if let text { return text }
        let made = envelope.plainText.map { make($0, contentType: "text/plain") }
        text = made
        return made
    }

    func form(for format: PeerMedia.Format) -> Shared? {
        format == .cpim ? asCPIM : asText
    }

    private func make(_ body: ByteBuffer, contentType: String) -> Shared {
        let id = ids.generator.next(avoiding: body)
        let messageID = MessageID(ids.generator.next())
        return Shared(
            id: id,
            tail: body.readableBytes <= ids.configuration.maximumUnchunkedSize
                ? Frame.sharedTail(id: id, messageID: messageID, contentType: contentType, body: body) : ByteBuffer(),
            body: body, messageID: messageID, contentType: contentType)
    }
}
