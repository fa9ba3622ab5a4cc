import MSRP
import MSRPTransport
import NIOCore

/// How a participant receives what goes out in pieces: they wait here while its connection has enough to write, so that
/// other messages get in between.
extension Member {
    enum Reception {
        case nothing
        case inPieces
        /// In one SEND, when all of it is there.
        case whole
    }

    /// How the participant receives a large message that is beginning.
    /// - Parameter size: of the message; nil: not known.
    func reception(of opening: ChatSessionState.Opening, size: UInt64?, now: NIODeadline) -> Reception {
        guard media.direction.peerReceives, accepted.isEverything || accepted.accepts(opening.contentType),
            phase == .active, let connection, connection.isOpen
        else { return .nothing }
        if let size, let maximum = media.maximumSize, size > UInt64(clamping: maximum) { return .nothing }
        if connection.isCongested || chunkedBytes > 0 || slow.isCongested {
            watch()
            observe(now: now)
            guard connection.isOpen else { return .nothing }
            if leavesOut || standsStill {
                mixer.counters.messagesLeftOut &+= 1
                leftOut &+= 1
                return .nothing
            }
        }
        switch media.format {
        case .plainText: return opening.contentType == "text/plain" ? .whole : .nothing
        case .cpim: return takesChunks ? .inPieces : .whole
        }
    }

    /// Much is queued, and the participant doesn't take octets.
    private var standsStill: Bool { queuedBytes > mixer.configuration.queueBound / 2 && !isSlow }

    func learn(userAgent: String) { takesChunks = mixer.takesChunks(userAgent) }

    // MARK: Pieces

    /// Octets of pieces given to the connection in one turn.
    private static let turnBytes = 4 * 64 * 1024

    /// - Returns: whether the participant gets the message's next piece as well. When not, it was told so (`#`), unless
    ///   it has refused the message or has no connection any more.
    func deliver(_ piece: ChunkedMessage.Piece, now: NIODeadline) -> Bool {
        let message = piece.message
        guard phase == .active, let connection, connection.isOpen else { return false }
        if piece.start == 0 {
            receiving.append(message)
        } else if !receiving.contains(where: { $0 === message }) {
            return false
        }
        guard media.direction.peerReceives, piece.end <= media.maximumSize ?? .max else {
            abort(message, after: piece.start)
            return false
        }
        // The first piece doesn't wait, so that messages begin in the same order for everybody.
        let flows = pieces.isEmpty && connection.flows && connection.queuedBytes < Self.turnBytes
        if flows || piece.start == 0 { return send(piece, over: connection, now: now) }
        pieces.append(piece)
        chunkedBytes += piece.size
        watch()
        observe(now: now)
        guard connection.isOpen else { return false }
        if standsStill || queuedBytes > mixer.configuration.queueBound {
            abort(message, after: piece.start)
            return false
        }
        connection.notifyWhenWritable()
        return true
    }

    private func send(_ piece: ChunkedMessage.Piece, over connection: Connection, now: NIODeadline) -> Bool {
        guard session.registerShared(id: piece.id, now: now) else {
            giveUpSlow()
            return false
        }
        connection.enqueueShared(id: piece.id, sendLines: sendLines, tail: piece.tail)
        if piece.isLast { receiving.removeAll { $0 === piece.message } }
        return true
    }

    /// The connection takes more.
    func sendPieces(_ connection: Connection) {
        let now = mixer.now
        var left = Self.turnBytes
        while left > 0, connection.isOpen, let piece = pieces.popFirst() {
            left -= piece.size
            chunkedBytes -= piece.size
            guard send(piece, over: connection, now: now) else { return }
        }
        if pieces.isEmpty {
            pieces = CircularBuffer(initialCapacity: 0)
        } else {
            connection.notifyWhenWritable()
        }
    }

    /// The message goes no further: its pieces that have not been sent don't go out, and the participant is told.
    /// - Parameter octets: of the message before the piece at which it ends.
    func abort(_ message: ChunkedMessage, after octets: Int? = nil) {
        guard receiving.contains(where: { $0 === message }) else { return }
        let sent = forget(message) ?? octets ?? message.octets
        guard phase == .active, let connection, connection.isOpen else { return }
        let id = mixer.generator.next()
        connection.enqueueShared(id: id, sendLines: sendLines, tail: message.abort(id: id, after: sent))
    }

    /// The participant refused a piece: no more of the message may be sent (RFC 4975 section 10.5).
    func stopSending(_ id: UInt64) {
        if let message = receiving.first(where: { $0.hasPiece(id) }) { _ = forget(message) }
    }

    /// - Returns: how many octets of the message were sent, if pieces of it were waiting.
    private func forget(_ message: ChunkedMessage) -> Int? {
        receiving.removeAll { $0 === message }
        let first = pieces.first { $0.message === message }
        guard let first else { return nil }
        pieces.removeAll { $0.message === message }
        chunkedBytes = pieces.reduce(0) { $0 + $1.size }
        return first.start
    }

    /// The connection is gone, and with it the way of everything under way.
    func forgetPieces() {
        pieces = CircularBuffer(initialCapacity: 0)
        chunkedBytes = 0
        receiving = []
        assembled = []
    }

    // MARK: Whole

    /// The participant will get the message in one SEND.
    func expectAssembled(_ stream: StreamedMessage) { assembled.append(stream) }

    /// Whether the participant still has the connection it had when the message began; asked once.
    func takesAssembled(_ stream: StreamedMessage) -> Bool {
        guard let index = assembled.firstIndex(where: { $0 === stream }) else { return false }
        assembled.remove(at: index)
        return phase == .active
    }
}
