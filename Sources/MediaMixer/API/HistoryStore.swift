/// One message of a room as it is kept.
package struct HistoryEntry: Sendable, Equatable {
    package var room: RoomAddress
    /// Grows with each message of the room, with gaps where one isn't kept; tells whether an entry is there twice.
    package var sequence: Int64
    /// Milliseconds since 1970 at which the room accepted it.
    package var time: Int64
    /// The sender's URI as others know it.
    package var sender: String
    /// How others saw the sender: nickname, display name or URI.
    package var senderName: String
    /// A private message's other end, as a URI; nil: said to all.
    package var recipient: String?
    package var messageID: String
    /// The wrapped content's type, lower case, without parameters.
    package var contentType: String
    /// The whole Message/CPIM body as it was passed on, From and DateTime included.
    package var cpim: [UInt8]

    package init(
        room: RoomAddress, sequence: Int64, time: Int64, sender: String, senderName: String, recipient: String? = nil,
        messageID: String, contentType: String, cpim: [UInt8]
    ) {
        self.room = room
        self.sequence = sequence
        self.time = time
        self.sender = sender
        self.senderName = senderName
        self.recipient = recipient
        self.messageID = messageID
        self.contentType = contentType
        self.cpim = cpim
    }
}

/// What of a room's messages is asked for.
package struct HistoryQuery: Sendable, Equatable {
    package var room: RoomAddress
    /// Milliseconds since 1970: from this moment on; nil: from the first one.
    package var since: Int64?
    /// The last so many; nil: all.
    package var last: Int?
    /// The last that have together so many octets of `HistoryEntry.cpim` at most; nil: any number.
    package var octets: Int?
    /// Those before this sequence number; nil: up to the last. For reading in pages from the end.
    package var before: Int64?
    /// Those after this one, and then `octets` counts from the first, not from the last. For reading in pages from the
    /// start.
    package var after: Int64?

    package init(
        room: RoomAddress, since: Int64? = nil, last: Int? = nil, octets: Int? = nil, before: Int64? = nil,
        after: Int64? = nil
    ) {
        self.after = after
        self.room = room
        self.since = since
        self.last = last
        self.octets = octets
        self.before = before
    }
}

/// Where messages are kept. Implementations are shared by all threads; what a method has saved when it returns survives
/// the end of the process.
package protocol HistoryStore: Sendable {
    /// In one transaction. An entry whose room and sequence are there already is left as it is.
    func append(_ entries: [HistoryEntry]) async throws
    /// The largest sequence number that is stored of the room; zero when nothing is.
    func lastSequence(_ room: RoomAddress) async throws -> Int64
    /// In the order in which they were said.
    func entries(_ query: HistoryQuery) async throws -> [HistoryEntry]
    /// Removes what is older than `before` (milliseconds since 1970) and all but the last `last`; without both, all.
    /// - Returns: how many were removed.
    func purge(_ room: RoomAddress, before: Int64?, keepingLast last: Int?) async throws -> Int
    /// The rooms of which something is kept.
    func roomsWithHistory() async throws -> [RoomAddress]
}
