import MSRP
import MSRPTransport
import NIOCore

/// One connection as the place where several writers' messages meet: whole messages go between chunks, never into them.
///
/// - A chunk that says `*` is interrupted at once for what waits; one with a range-end flows to its end, but is
///   interrupted when it still has not ended at the next tick, or when `mostWaitingBytes` wait
///   (RFC 4975 sections 5.1 and 7.1.1).
/// - Made for the first session on a connection and shared by those that come later.
final class Leg: OutputArbiter {
    /// Octets of whole messages that wait for the end of a chunk.
    static let mostWaitingBytes = 64 * 1024
    /// The same where the chunk is one that nobody expects to be cut.
    static let mostWaitingForShort = 1024 * 1024

    let connection: Connection
    /// Whose chunk is under way.
    private(set) var writer: Side?
    private var waiting = ByteBuffer()
    /// Those whose next chunk waits for the end of the one under way.
    private var turns: [Side] = []
    /// Those that stopped reading until this connection takes more.
    private var congested: [Side] = []

    private init(_ connection: Connection) { self.connection = connection }

    static func of(_ connection: Connection) -> Leg {
        if let leg = connection.companion as? Leg { return leg }
        let leg = Leg(connection)
        connection.companion = leg
        return leg
    }

    // MARK: Writing

    /// Writes a whole message as soon as no chunk is in the way.
    func writeWhole(_ body: (inout ByteBuffer) -> Void) {
        guard let writer else { return connection.withOutput(body) }
        body(&waiting)
        let most = writer.isShort ? Self.mostWaitingForShort : Self.mostWaitingBytes
        if writer.isInterruptible || waiting.readableBytes > most { writer.interrupt() }
    }

    /// Whether the side may write a chunk now. If not, `Side.turnCame` will be called.
    func mayBegin(_ side: Side) -> Bool {
        guard let writer else {
            self.writer = side
            return true
        }
        if writer === side { return true }
        if writer.isInterruptible {
            writer.interrupt()
            if self.writer == nil {
                self.writer = side
                return true
            }
        }
        if !turns.contains(where: { $0 === side }) { turns.append(side) }
        return false
    }

    /// The chunk under way has ended, or was interrupted.
    func ended() {
        writer = nil
        if waiting.readableBytes > 0 {
            let frames = waiting
            waiting = ByteBuffer()
            connection.enqueue(frames)
        }
        while writer == nil, !turns.isEmpty { turns.removeFirst().turnCame() }
    }

    /// Nothing waits for longer than from one tick to the next.
    func ticked() {
        guard let writer, waiting.readableBytes > 0 || !turns.isEmpty else { return }
        writer.interrupt()
    }

    // MARK: Congestion

    /// The side stops reading; `Side.windowOpened` will be called.
    func awaitWindow(_ side: Side) {
        if !congested.contains(where: { $0 === side }) { congested.append(side) }
        connection.notifyWhenWritable()
    }

    func writable() {
        guard !congested.isEmpty else { return }
        let sides = congested
        congested = []
        for side in sides { side.windowOpened() }
    }

    /// The side writes here no more.
    func forget(_ side: Side) {
        turns.removeAll { $0 === side }
        congested.removeAll { $0 === side }
        // It may have had its turn while the end of its session was told: then its chunk has begun.
        if writer === side { side.giveUpChunk() }
        if writer === side { ended() }
    }
}

@available(*, unavailable)
extension Leg: Sendable {}
