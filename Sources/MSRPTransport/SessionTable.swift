package import NIOCore

/// The last path part of an MSRP URI of ours: 128 random bits as 32 hex digits (RFC 4975 section 14.1).
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package init(text: String) { self.text = text }

    package static func random() -> SessionID {
        var generator = SystemRandomNumberGenerator()
        let high = String(generator.next() as UInt64, radix: 16)
        let low = String(generator.next() as UInt64, radix: 16)
        return SessionID(
            text: String(repeating: "0", count: 16 - high.count) + high
                + String(repeating: "0", count: 16 - low.count) + low)
    }

    package var description: String { text }
}

/// Who owns a session-id of ours, and whether a connection is bound to it. One per loop.
package struct SessionTable {
    private struct Entry {
        // Strong, since a weak reference would slow every use of a connection down for good. The owner releases its
        // ids and a closed connection unbinds itself, so neither is kept.
        let owner: any SessionOwner
        var connection: Connection?
        var deadline: NIODeadline?
    }

    private var entries: [SessionID: Entry] = [:]
    private let limit: Int

    package init(limit: Int) { self.limit = limit }

    package var count: Int { entries.count }

    /// A new id for the owner; nil when `TransportLimits.sessions` are there already. The owner keeps itself alive
    /// until it releases the id.
    /// - Parameter deadline: when a session nobody connected to is dropped and its owner told.
    package mutating func reserve(owner: any SessionOwner, deadline: NIODeadline?) -> SessionID? {
        let id = SessionID.random()
        return reserve(id, owner: owner, deadline: deadline) ? id : nil
    }

    /// The same with an id made before its owner.
    /// - Returns: false when the table is full or the id is there already.
    package mutating func reserve(_ id: SessionID, owner: any SessionOwner, deadline: NIODeadline?) -> Bool {
        guard entries.count < limit, entries[id] == nil else { return false }
        entries[id] = Entry(owner: owner, connection: nil, deadline: deadline)
        return true
    }

    package func owner(of id: SessionID) -> (any SessionOwner)? { entries[id]?.owner }

    /// From now on the id is unknown (481).
    package mutating func release(_ id: SessionID) { entries[id] = nil }

    package enum Binding {
        case bound(any SessionOwner)
        /// 481
        case unknown
        /// 506: another connection has it
        case inUse
    }

    /// A connection's first request named this session (RFC 4975 section 5.4).
    package mutating func bind(_ id: SessionID, to connection: Connection) -> Binding {
        guard let entry = entries[id] else { return .unknown }
        if let other = entry.connection, other !== connection { return .inUse }
        entries[id]?.connection = connection
        entries[id]?.deadline = nil
        return .bound(entry.owner)
    }

    /// The connection is gone; the id may be bound again, if its owner lets it live.
    package mutating func unbind(_ id: SessionID, from connection: Connection) {
        guard let entry = entries[id], entry.connection === connection else { return }
        entries[id]?.connection = nil
    }

    /// Removes the reservations that nobody used in time.
    package mutating func expire(now: NIODeadline) -> [(SessionID, any SessionOwner)] {
        var expired: [(SessionID, any SessionOwner)] = []
        for (id, entry) in entries {
            if let deadline = entry.deadline, deadline <= now { expired.append((id, entry.owner)) }
        }
        for (id, _) in expired { entries[id] = nil }
        return expired
    }
}
