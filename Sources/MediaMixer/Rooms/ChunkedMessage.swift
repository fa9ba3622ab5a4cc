import MSRP
import NIOCore

/// A message that goes out piece by piece: what is written to it is cut into chunks that all receivers share.
///
/// Each piece is a chunk that is complete in memory before any of it goes out. Its transaction identifier is drawn when
/// all its octets are known, so no sender can have put an end-line of ours among them.
final class ChunkedMessage {
    /// Octets of a piece's body: with what stands around them they fit 64 KiB.
    static let pieceSize = 64 * 1024 - 512

    /// One chunk, complete but for start line and paths.
    final class Piece {
        let message: ChunkedMessage
        let id: UInt64
        let tail: ByteBuffer
        /// Octets of the message before it, and up to its end.
        let start: Int
        let end: Int
        let isLast: Bool

        var size: Int { tail.readableBytes }

        fileprivate init(
            of message: ChunkedMessage, id: UInt64, tail: ByteBuffer, start: Int, end: Int, isLast: Bool
        ) {
            self.message = message
            self.id = id
            self.tail = tail
            self.start = start
            self.end = end
            self.isLast = isLast
        }
    }

    let messageID: MessageID
    let contentType: String
    /// Octets of the whole message; nil: not known yet.
    let total: UInt64?
    /// Octets in the pieces that are made.
    private(set) var octets = 0
    private let mixer: Mixer
    private var open = ByteBuffer()
    private var openOctets = 0
    /// The identifiers of the last pieces, for a refusal names no message.
    private var lastIDs: [UInt64] = []
    private static let mostIDs = 64

    init(messageID: MessageID? = nil, contentType: String, total: UInt64?, mixer: Mixer) {
        self.messageID = messageID ?? MessageID(mixer.generator.next())
        self.contentType = contentType
        self.total = total
        self.mixer = mixer
    }

    /// Something was written that is in no piece yet.
    var hasOpenOctets: Bool { openOctets > 0 }

    /// Takes as many octets as the piece under way holds; call again until none are left.
    /// - Returns: a piece that was full already, for more octets have come.
    func write(_ octets: inout ByteBuffer) -> Piece? {
        if openOctets == Self.pieceSize { return seal(.more) }
        guard let part = octets.readSlice(length: min(Self.pieceSize - openOctets, octets.readableBytes)) else {
            return nil
        }
        if openOctets == 0 { begin(expecting: part.readableBytes, end: nil) }
        open.writeImmutableBuffer(part)
        openOctets += part.readableBytes
        return nil
    }

    /// Closes the piece under way, which is an empty one if nothing was written since the last.
    func seal(_ continuation: Continuation) -> Piece {
        if openOctets == 0 { begin(expecting: 0, end: octets) }
        let id = mixer.generator.next(avoiding: open)
        Frame.writeBodyEnd(id: id, continuation, into: &open)
        let piece = Piece(
            of: self, id: id, tail: open, start: octets, end: octets + openOctets, isLast: continuation == .complete)
        octets += openOctets
        open = ByteBuffer()
        openOctets = 0
        if lastIDs.count == Self.mostIDs { lastIDs.removeFirst() }
        lastIDs.append(id)
        return piece
    }

    /// Whether this is the identifier of one of the last pieces.
    func hasPiece(_ id: UInt64) -> Bool { lastIDs.contains(id) }

    /// What the receivers share of the chunk that gives the message up.
    /// - Parameter octets: what the receiver was sent of it.
    func abort(id: UInt64, after octets: Int) -> ByteBuffer {
        Frame.sharedAbort(id: id, messageID: messageID, octets: octets, total: total, contentType: contentType)
    }

    private func begin(expecting size: Int, end: Int?) {
        open.reserveCapacity(min(max(size, 1024), Self.pieceSize) + 512)
        Frame.beginSharedChunk(
            messageID: messageID, start: octets + 1, end: end, total: total, contentType: contentType, into: &open)
    }
}

@available(*, unavailable)
extension ChunkedMessage: Sendable {}
