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
        /// For a message that goes out in chunks: those, and what follows the paths where it goes in one SEND all the same.
        private(set) lazy var pieces = makePieces()
        private(set) lazy var whole =
            goesInChunks ? Frame.sharedTail(id: id, messageID: messageID, contentType: contentType, body: body) : tail
        private let mixer: Mixer

        init(body: ByteBuffer, contentType: String, mixer: Mixer) {
            self.body = body
            self.contentType = contentType
            self.mixer = mixer
            size = body.readableBytes
            goesInChunks = size > mixer.configuration.maximumUnchunkedSize
            id = mixer.generator.next(avoiding: body)
            messageID = MessageID(mixer.generator.next())
            tail =
                goesInChunks
                ? ByteBuffer() : Frame.sharedTail(id: id, messageID: messageID, contentType: contentType, body: body)
        }

        private func makePieces() -> [ChunkedMessage.Piece] {
            let message = ChunkedMessage(
                messageID: messageID, contentType: contentType, total: UInt64(size), mixer: mixer)
            var pieces: [ChunkedMessage.Piece] = []
            var rest = body
            while rest.readableBytes > 0 {
                if let piece = message.write(&rest) { pieces.append(piece) }
            }
            pieces.append(message.seal(.complete))
            return pieces
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
