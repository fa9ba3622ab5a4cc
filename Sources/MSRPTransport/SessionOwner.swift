package import MSRP
package import NIOCore

/// What owns sessions and is told what their connections do: a chat member, a relay session, a client.
///
/// - All calls are made on the transport's loop.
/// - Within a call an owner may enqueue, close, pause, reserve and release freely: nothing of it calls back before
///   the owner has returned, because bytes are written, connections closed and reading resumed by
///   `OutboundScheduler.flush` alone.
/// - A connection may carry sessions of several owners (RFC 4975 section 5.4). Each gets the parts of its own messages,
///   found by the session-id in To-Path; all are told of `writable` and `closed`.
package protocol SessionOwner: AnyObject {
    /// A connection's first request named one of this owner's sessions, or is an AUTH for the AUTH owner, or the
    /// connection was opened for this owner or given to it (`head` is nil then unless the giver has one). A head that
    /// came over the wire follows as a part all the same.
    func bound(_ connection: Connection, head: Head?)

    /// The next part. After `connection.unbind(self)` or `close` no more come.
    func part(_ part: Part, from connection: Connection)

    /// Bytes as read, before the parser, while no message is begun: the place to recognise expected responses.
    /// Consume whole messages only. Not called while the connection has several owners.
    func rawRead(_ buffer: inout ByteBuffer, from connection: Connection)

    /// The queue, which was congested, has been written; or an owner asked with `notifyWhenWritable`.
    func writable(_ connection: Connection)

    /// The connection is gone. The last call for it.
    func closed(_ connection: Connection, reason: CloseReason)

    /// A reserved session was dropped because nobody connected in time.
    func reservationExpired(_ session: SessionID)

    /// Whose sessions may be on a connection together with this owner's. Asked when another is to be bound.
    func sharing(on connection: Connection) -> ConnectionSharing

    /// A request over this connection names the owner's session, to which the connection is not bound. `head` is the
    /// request. The usual answer is that a session has one connection: another gets 506 (RFC 4975 section 5.4).
    func admits(_ connection: Connection, head: Head, session: SessionID) -> Admission
}

extension SessionOwner {
    package func rawRead(_ buffer: inout ByteBuffer, from connection: Connection) {}
    package func writable(_ connection: Connection) {}
    package func reservationExpired(_ session: SessionID) {}
    package func sharing(on connection: Connection) -> ConnectionSharing { .alone }
    package func admits(_ connection: Connection, head: Head, session: SessionID) -> Admission {
        connection.transport.sessions.isFree(session, for: connection) ? .yes : .no(.sessionInUse)
    }
}

/// Which sessions share a connection: those whose owners say the same, unless it is `alone`.
package enum ConnectionSharing: Sendable, Equatable {
    /// This one session only.
    case alone
    /// Any number of chat members (RFC 4975 section 5.4).
    case members
    /// Any number of relay sessions: the other end is a relay (RFC 4976 section 5.1).
    case relaySessions
}

/// Whether a session may be bound to a connection.
package enum Admission: Sendable, Equatable {
    case yes
    /// The request is answered so, and its body skipped.
    case no(Status)
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
