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
        /// A part of `tail`, if that has it.
        let body: ByteBuffer
        let messageID: MessageID
        let contentType: String
        /// For a message that goes out in chunks: those, and what follows the paths where it goes in one SEND all the same.
        private(set) lazy var pieces = makePieces()
        private(set) lazy var whole =
            goesInChunks ? Frame.sharedTail(id: id, messageID: messageID, contentType: contentType, body: body) : tail
        private let mixer: Mixer

        /// - Parameter messageID: of a message that went out before; nil: a new one.
        init(body: ByteBuffer, contentType: String, messageID: MessageID? = nil, mixer: Mixer) {
            self.contentType = contentType
            self.mixer = mixer
            size = body.readableBytes
            goesInChunks = size > mixer.configuration.maximumUnchunkedSize
            id = mixer.generator.next(avoiding: body)
            let messageID = messageID ?? MessageID(mixer.generator.next())
            self.messageID = messageID
            guard !goesInChunks else {
                tail = ByteBuffer()
                self.body = body
                return
            }
            tail = Frame.sharedTail(id: id, messageID: messageID, contentType: contentType, body: body)
            self.body =
                tail.getSlice(at: tail.writerIndex - Self.lengthAfterBody - size, length: size) ?? ByteBuffer()
        }

        /// CRLF, seven hyphens, sixteen digits, `$`, CRLF.
        private static let lengthAfterBody = 28

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
    /// The room's number of this message, from 1 on; zero for what isn't kept: room lines, typing notices, streams.
    var sequence: Int64 = 0
    /// For participants that take Message/CPIM.
    let cpim: Shared
    /// For participants that take text/plain; nil for content that is no text.
    private(set) lazy var text = makeText()
    /// Of `text`, once that was asked for.
    private(set) var textID: UInt64?

    private let mixer: Mixer

    /// - Parameter messageID: of a message that went out before; nil: a new one.
    init(_ envelope: Envelope, messageID: MessageID? = nil, mixer: Mixer) {
        self.mixer = mixer
        cpim = Shared(body: envelope.cpim, contentType: "message/cpim", messageID: messageID, mixer: mixer)
        // What was read from the sender is let go: rooms keep messages for a while.
        self.envelope = envelope.moved(to: cpim.body)
    }

    private func makeText() -> Shared? {
        guard let body = envelope.plainText else { return nil }
        let shared = Shared(body: body, contentType: "text/plain", mixer: mixer)
        textID = shared.id
        return shared
    }
}
