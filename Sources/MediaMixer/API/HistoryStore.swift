/// One message of a room as it is kept.
package struct HistoryEntry: Sendable, Equatable {
    package var room: RoomAddress
    /// Grows by one with each kept message of the room; tells whether an entry is there twice.
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

    package init(room: RoomAddress, since: Int64? = nil, last: Int? = nil) {
        self.room = room
        self.since = since
        self.last = last
    }
}

/// Where messages are kept. Implementations are shared by all threads; what a method has saved when it returns survives
/// the end of the process.
package protocol HistoryStore: Sendable {
    /// In one transaction. An entry whose room and sequence are there already is left as it is.
    func append(_ entries: [HistoryEntry]) async throws
    /// In the order in which they were said.
    func entries(_ query: HistoryQuery) async throws -> [HistoryEntry]
    /// Removes what is older than `before` (milliseconds since 1970) and all but the last `last`; without both, all.
    /// - Returns: how many were removed.
    func purge(_ room: RoomAddress, before: Int64?, keepingLast last: Int?) async throws -> Int
    /// The rooms of which something is kept.
    func roomsWithHistory() async throws -> [RoomAddress]
}
