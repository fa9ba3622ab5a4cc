internal import FoundationEssentials
internal import GRDB
package import MediaMixer

/// What was said in rooms.
extension EmbeddedDatabase: HistoryStore {
    package func append(_ entries: [HistoryEntry]) async throws(StoreError) {
        guard !entries.isEmpty else { return }
        try await perform {
            try await self.queue.write { database in
                let statement = try database.cachedStatement(
                    sql: """
                        INSERT INTO history (
                            room, sequence, time, sender, sender_name, recipient, message_id, content_type, cpim)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room, sequence) DO NOTHING
                        """)
                var last: [RoomAddress: (id: Int64, sequence: Int64)] = [:]
                for entry in entries {
                    var room = try last[entry.room] ?? (id: Self.makeRoom(entry.room, database), sequence: 0)
                    try statement.execute(arguments: [
                        room.id, entry.sequence, entry.time, entry.sender, entry.senderName, entry.recipient,
                        entry.messageID, entry.contentType, Data(entry.cpim),
                    ])
                    room.sequence = max(room.sequence, entry.sequence)
                    last[entry.room] = room
                }
                for (id, sequence) in last.values {
                    try database.execute(
                        sql: "UPDATE history_room SET last_sequence = max(last_sequence, ?) WHERE id = ?",
                        arguments: [sequence, id])
                }
            }
        }
    }

    package func lastSequence(_ room: RoomAddress) async throws(StoreError) -> Int64 {
        try await perform {
            try await self.queue.read { database in
                try Int64.fetchOne(
                    database, sql: "SELECT last_sequence FROM history_room WHERE username = ? AND domain = ?",
                    arguments: [room.user, room.domain]) ?? 0
            }
        }
    }

    package func entries(_ query: HistoryQuery) async throws(StoreError) -> [HistoryEntry] {
        try await perform {
            try await self.queue.read { database in
                guard let id = try Self.room(query.room, database) else { return [] }
                guard let (first, last) = try Self.ends(query, id, database) else { return [] }
                return try Row.fetchAll(
                    database,
                    sql: """
                        SELECT sequence, time, sender, sender_name, recipient, message_id, content_type, cpim
                        FROM history WHERE room = ? AND sequence BETWEEN ? AND ? AND time >= ? ORDER BY sequence
                        """, arguments: [id, first, last, query.since ?? .min]
                ).map { row in
                    HistoryEntry(
                        room: query.room, sequence: row[0], time: row[1], sender: row[2], senderName: row[3],
                        recipient: row[4], messageID: row[5], contentType: row[6], cpim: [UInt8](row[7] as Data))
                }
            }
        }
    }

    /// What has a time or a number that must go is found by an index; what goes is removed at once, the messages of a
    /// room being bounded by its rule.
    package func purge(
        _ room: RoomAddress, before: Int64?, keepingLast last: Int?
    ) async throws(StoreError) -> Int {
        try await perform {
            try await self.queue.write { database in
                guard let id = try Self.room(room, database) else { return 0 }
                var removed = 0
                if before == nil, last == nil {
                    try database.execute(sql: "DELETE FROM history WHERE room = ?", arguments: [id])
                    removed += database.changesCount
                }
                if let before {
                    try database.execute(
                        sql: "DELETE FROM history WHERE room = ? AND time < ?", arguments: [id, before])
                    removed += database.changesCount
                }
                if let last {
                    try database.execute(
                        sql: """
                            DELETE FROM history WHERE room = :room AND sequence <= (
                                SELECT sequence FROM history WHERE room = :room
                                ORDER BY sequence DESC LIMIT 1 OFFSET :last)
                            """, arguments: ["room": id, "last": max(0, last)])
                    removed += database.changesCount
                }
                return removed
            }
        }
    }

    package func roomsWithHistory() async throws(StoreError) -> [RoomAddress] {
        try await perform {
            try await self.queue.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT username, domain FROM history_room
                        WHERE EXISTS (SELECT 1 FROM history WHERE history.room = history_room.id) ORDER BY domain, username
                        """
                ).map { RoomAddress(user: $0[0], domain: $0[1]) }
            }
        }
    }

    // MARK: Rows

    private static func room(_ room: RoomAddress, _ database: Database) throws -> Int64? {
        try Int64.fetchOne(
            database, sql: "SELECT id FROM history_room WHERE username = ? AND domain = ?",
            arguments: [room.user, room.domain])
    }

    private static func makeRoom(_ address: RoomAddress, _ database: Database) throws -> Int64 {
        if let id = try room(address, database) { return id }
        try database.execute(
            sql: "INSERT INTO history_room (username, domain) VALUES (?, ?)",
            arguments: [address.user, address.domain])
        return database.lastInsertedRowID
    }

    /// The first and the last that are few enough and small enough; nil: there is none.
    private static func ends(
        _ query: HistoryQuery, _ id: Int64, _ database: Database
    ) throws -> (first: Int64, last: Int64)? {
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT sequence, length(cpim) FROM history WHERE room = ? AND sequence > ? AND sequence < ? AND time >= ?
                ORDER BY sequence \(query.after == nil ? "DESC" : "ASC") LIMIT ?
                """,
            arguments: [
                id, query.after ?? .min, query.before ?? .max, query.since ?? .min,
                query.last.map { max(0, $0) } ?? -1,
            ])
        var ends: (first: Int64, last: Int64)?
        var octets = 0
        while let row = try rows.next() {
            let sequence: Int64 = row[0]
            octets += row[1] as Int
            // One that is too large by itself is still the next one for who reads in pages.
            if let most = query.octets, octets > most, query.after == nil || ends != nil { break }
            ends = (min(ends?.first ?? sequence, sequence), max(ends?.last ?? sequence, sequence))
        }
        return ends
    }

    /// The first number of what is asked for; nil: there is nothing.
    package func firstSequence(_ query: HistoryQuery) async throws(StoreError) -> Int64? {
        try await perform {
            try await self.queue.read { database in
                guard let id = try Self.room(query.room, database) else { return nil }
                return try Self.ends(query, id, database)?.first
            }
        }
    }

    static func removeHistory(of room: RoomAddress, _ database: Database) throws {
        try database.execute(
            sql: "DELETE FROM history_room WHERE username = ? AND domain = ?", arguments: [room.user, room.domain])
    }
}
