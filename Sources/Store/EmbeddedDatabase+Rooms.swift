internal import GRDB
package import MediaMixer

/// Rooms: what `confd room` made, and what people changed in static rooms.
extension EmbeddedDatabase: RoomStore {
    package func rooms() async throws(StoreError) -> [StoredRoom] {
        try await perform {
            try await self.queue.read { database in
                let rows = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT username, domain, configuration, condition
                        FROM room LEFT JOIN room_condition USING (username, domain)
                        UNION ALL
                        SELECT username, domain, NULL, condition FROM room_condition
                        WHERE NOT EXISTS (
                            SELECT 1 FROM room WHERE room.username = room_condition.username
                            AND room.domain = room_condition.domain)
                        ORDER BY 2, 1
                        """)
                return try rows.map { row in
                    try StoredRoom(
                        RoomAddress(user: row[0], domain: row[1]), configuration: row[2], condition: row[3])
                }
            }
        }
    }

    /// A room whose configuration is nil keeps the one that is stored: the configuration file's comes before it.
    package func save(_ room: StoredRoom) async throws(StoreError) {
        try await perform {
            try await self.queue.write { database in try Self.write(room, database) }
        }
    }

    /// Changes a room in one step, whatever other processes do at the same time.
    ///
    /// - Parameter change: gets the room, or nil when nothing is stored; nil in it afterwards: the room is forgotten,
    ///   with its policy document and history. What it throws changes nothing, and comes out as a StoreError.
    package func update<Answer: Sendable>(
        _ address: RoomAddress, _ change: @escaping @Sendable (inout StoredRoom?) throws -> Answer
    ) async throws(StoreError) -> Answer {
        try await perform {
            try await self.queue.write { database in
                let before = try Self.read(address, database)
                var room = before
                let answer = try change(&room)
                if let room {
                    if room != before { try Self.write(room, database) }
                } else if before != nil {
                    try Self.forget(address, database)
                }
                return answer
            }
        }
    }

    /// Whether something is stored of it, understood or not.
    package func contains(_ room: RoomAddress) async throws(StoreError) -> Bool {
        try await perform {
            try await self.queue.read { database in
                try Bool.fetchOne(
                    database,
                    sql: """
                        SELECT EXISTS (SELECT 1 FROM room WHERE username = :user AND domain = :domain)
                        OR EXISTS (SELECT 1 FROM room_condition WHERE username = :user AND domain = :domain)
                        """, arguments: ["user": room.user, "domain": room.domain]) ?? false
            }
        }
    }

    package func remove(_ room: RoomAddress) async throws(StoreError) {
        try await perform {
            try await self.queue.write { database in try Self.forget(room, database) }
        }
    }

    // MARK: Rows

    private static func read(_ address: RoomAddress, _ database: Database) throws -> StoredRoom? {
        let arguments: StatementArguments = [address.user, address.domain]
        let configuration = try String.fetchOne(
            database, sql: "SELECT configuration FROM room WHERE username = ? AND domain = ?", arguments: arguments)
        let condition = try String.fetchOne(
            database, sql: "SELECT condition FROM room_condition WHERE username = ? AND domain = ?",
            arguments: arguments)
        if configuration == nil, condition == nil { return nil }
        return try StoredRoom(address, configuration: configuration, condition: condition)
    }

    private static func write(_ room: StoredRoom, _ database: Database) throws {
        let (user, domain) = (room.address.user, room.address.domain)
        if let configuration = room.configuration {
            try database.execute(
                sql: """
                    INSERT INTO room (username, domain, configuration) VALUES (?, ?, ?)
                    ON CONFLICT (username, domain) DO UPDATE SET configuration = excluded.configuration
                    """, arguments: [user, domain, try RoomRecord(configuration).json()])
        }
        try database.execute(
            sql: """
                INSERT INTO room_condition (username, domain, condition) VALUES (?, ?, ?)
                ON CONFLICT (username, domain) DO UPDATE SET condition = excluded.condition
                """, arguments: [user, domain, try RoomConditionRecord(room.condition).json()])
    }

    private static func forget(_ room: RoomAddress, _ database: Database) throws {
        for table in ["room", "room_condition"] {
            try database.execute(
                sql: "DELETE FROM \(table) WHERE username = ? AND domain = ?", arguments: [room.user, room.domain])
        }
        try removePolicy(of: room, database)
        try removeHistory(of: room, database)
    }
}

extension StoredRoom {
    /// - Throws: StoreError naming the room: one that is not understood must not be taken for one that isn't there, which
    ///   anybody might make.
    fileprivate init(_ address: RoomAddress, configuration: String?, condition: String?) throws {
        do {
            self.init(
                address: address,
                configuration: try configuration.map { try RoomRecord(json: $0).configuration(of: address) },
                condition: try condition.map { try RoomConditionRecord(json: $0).condition } ?? RoomCondition())
        } catch {
            throw StoreError(
                "the room \(address) in confd's database can't be read: \(error); 'confd room remove \(address)' "
                    + "forgets it")
        }
    }
}
