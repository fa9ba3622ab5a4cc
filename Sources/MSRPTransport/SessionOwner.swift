package import MSRP
package import NIOCore

/// What owns sessions and is told what their connections do: a chat member, a relay session, a client.
///
/// - All calls are made on the transport's loop.
/// - Within a call an owner may enqueue, close, pause, reserve and release freely: nothing of it calls back before
///   the owner has returned, because bytes are written and connections closed by `OutboundScheduler.flush` alone.
package protocol SessionOwner: AnyObject {
    /// A connection's first request named one of this owner's sessions, or is an AUTH for the AUTH owner, or the
    /// connection was opened for this owner (`head` is nil then). The head follows as a part all the same.
    func bound(_ connection: Connection, head: Head?)

    /// The next part. After `connection.unbind()` or `close` no more come.
    func part(_ part: Part, from connection: Connection)

    /// Bytes as read, before the parser, while no message is begun: the place to recognise expected responses.
    /// Consume whole messages only.
    func rawRead(_ buffer: inout ByteBuffer, from connection: Connection)

    /// The queue, which was congested, has been written; or the owner asked with `notifyWhenWritable`.
    func writable(_ connection: Connection)

    /// The connection is gone. The last call for it.
    func closed(_ connection: Connection, reason: CloseReason)

    /// A reserved session was dropped because nobody connected in time.
    func reservationExpired(_ session: SessionID)
}

extension SessionOwner {
    package func rawRead(_ buffer: inout ByteBuffer, from connection: Connection) {}
    package func writable(_ connection: Connection) {}
    package func reservationExpired(_ session: SessionID) {}
}

/// Why a connection ended.
package enum CloseReason: Sendable, Equatable {
    case peerClosed
    /// A read or write failed, reset included.
    case failed
    /// Bytes that cannot be framed as MSRP.
    case garbage
    case tlsFailed
    /// Nobody named a session in time.
    case unboundTimeout
    /// This side closed it.
    case closedHere
}

package enum ClosingMode: Sendable {
    /// What is queued is written, TLS says goodbye, and the peer has `TransportLimits.lingerTimeout`.
    case orderly
    /// The queue is dropped.
    case now
}
