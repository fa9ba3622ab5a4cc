package import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// The last path part of an MSRP URI of ours: 128 random bits as 32 hex digits (RFC 4975 section 14.1).
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package init(text: String) { self.text = text }

    /// Its digits.
    static let digits = 32

    /// A new id.
    /// - Parameter place: the loop that it names by its first octet.
    package static func random(at place: LoopPlace = .only) -> SessionID {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { bits in
            // Asked of the system in one call; the generator takes two.
            if getentropy(bits.baseAddress, bits.count) != 0 {
                var generator = SystemRandomNumberGenerator()
                for index in bits.indices { bits[index] = generator.next() }
            }
            bits[0] = place.mark(bits[0])
            let text = String(unsafeUninitializedCapacity: digits) { digits in
                for (index, octet) in bits.enumerated() {
                    digits[2 * index] = digit(octet >> 4)
                    digits[2 * index + 1] = digit(octet & 15)
                }
                return Self.digits
            }
            return SessionID(text: text)
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ value &- 10
    }

    package var description: String { text }

    /// Whether the octets end in a slash and this id.
    func isEnd(of octets: UnsafeRawBufferPointer) -> Bool {
        var text = text
        return text.withUTF8 { id in
            let start = octets.count - id.count
            guard start > 0, octets[start - 1] == UInt8(ascii: "/") else { return false }
            return octets[start...].elementsEqual(id)
        }
    }
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
    /// The most ids in the tables of all loops; lowering it keeps those that are there.
    package var limit: Int
    /// Whose table it is.
    package let place: LoopPlace
    private let all: SessionCount

    package init(limit: Int, place: LoopPlace = .only, countedWith all: SessionCount = SessionCount()) {
        self.limit = limit
        self.place = place
        self.all = all
    }

    /// An id that leads whoever names it to this table's loop.
    package func newID() -> SessionID { SessionID.random(at: place) }

    package var count: Int { entries.count }

    /// A new id for the owner; nil when `TransportLimits.sessions` are there already. The owner keeps itself alive
    /// until it releases the id.
    /// - Parameter deadline: when a session nobody connected to is dropped and its owner told.
    package mutating func reserve(owner: any SessionOwner, deadline: NIODeadline?) -> SessionID? {
        let id = newID()
        return reserve(id, owner: owner, deadline: deadline) ? id : nil
    }

    /// The same with an id made before its owner, by `newID`.
    /// - Returns: false when the table is full or the id is there already.
    package mutating func reserve(_ id: SessionID, owner: any SessionOwner, deadline: NIODeadline?) -> Bool {
        guard entries[id] == nil, all.take(limit: limit) else { return false }
        entries[id] = Entry(owner: owner, connection: nil, deadline: deadline)
        return true
    }

    package func owner(of id: SessionID) -> (any SessionOwner)? { entries[id]?.owner }

    /// From now on the id is unknown (481).
    package mutating func release(_ id: SessionID) {
        if entries.removeValue(forKey: id) != nil { all.giveBack() }
    }

    /// Whether no other connection has this session; also so when the id is unknown.
    package func isFree(_ id: SessionID, for connection: Connection) -> Bool {
        entries[id]?.connection.map { $0 === connection } ?? true
    }

    /// The connection serves this session from now on (RFC 4975 section 5.4). When another connection does already, that
    /// one stays the session's in this table: a relay session has two.
    /// - Returns: the owner; nil when the id is unknown (481).
    @discardableResult
    package mutating func bind(_ id: SessionID, to connection: Connection) -> (any SessionOwner)? {
        guard let entry = entries[id] else { return nil }
        if entry.connection == nil { entries[id]?.connection = connection }
        if entry.deadline != nil { entries[id]?.deadline = nil }
        return entry.owner
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
        if !expired.isEmpty { all.giveBack(expired.count) }
        return expired
    }
}
