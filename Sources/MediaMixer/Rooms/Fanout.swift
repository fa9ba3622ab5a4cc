import MSRP
import NIOCore

/// One accepted message on its way to many: what all receivers share is made once.
final class Fanout {
    /// One SEND, complete but for start line and paths. A class, so that a delivery copies no fields.
    final class Shared {
        let id: UInt64
        /// What follows the paths; empty for messages that go out in chunks.
        let tail: ByteBuffer
        let size: Int
        let goesInChunks: Bool
        let body: ByteBuffer
        let messageID: MessageID
        let contentType: String

        init(body: ByteBuffer, contentType: String, mixer: Mixer) {
            self.body = body
            self.contentType = contentType
            size = body.readableBytes
            goesInChunks = size > mixer.configuration.maximumUnchunkedSize
            id = mixer.generator.next(avoiding: body)
            messageID = MessageID(mixer.generator.next())
            tail =
                goesInChunks
                ? ByteBuffer() : Frame.sharedTail(id: id, messageID: messageID, contentType: contentType, body: body)
        }
    }

    let envelope: Envelope
    /// For participants that take Message/CPIM.
    let cpim: Shared
    /// For participants that take text/plain; nil for content that is no text.
    private(set) lazy var text = envelope.plainText.map { Shared(body: $0, contentType: "text/plain", mixer: mixer) }

    private let mixer: Mixer

    init(_ envelope: Envelope, mixer: Mixer) {
        self.envelope = envelope
        self.mixer = mixer
        cpim = Shared(body: envelope.cpim, contentType: "message/cpim", mixer: mixer)
    }
}
