internal import FoundationEssentials
internal import GRDB
package import MediaMixer

/// Policy documents of rooms, in a table as OpenSIPS and its XCAP servers have it.
extension EmbeddedDatabase {
    /// The number that OpenSIPS has for pres-rules documents.
    private static let presenceRules = 2

    /// A document beyond that is not kept, in octets.
    package static let largestPolicy = 256 << 10

    package func policy(of room: RoomAddress) async throws(StoreError) -> PolicyDocument? {
        try await perform {
            try await self.queue.read { database in try Self.readPolicy(of: room, database) }
        }
    }

    package func setPolicy(_ document: PolicyDocument?, of room: RoomAddress) async throws(StoreError) {
        try await perform {
            try await self.queue.write { database in try Self.writePolicy(document, of: room, database) }
        }
    }

    /// Changes a room's document in one step, whatever other processes do at the same time.
    ///
    /// - Parameter change: gets the document, or nil when there is none. What it throws changes nothing, and comes
    ///   out as a StoreError.
    package func updatePolicy<Answer: Sendable>(
        of room: RoomAddress, _ change: @escaping @Sendable (inout PolicyDocument?) throws -> Answer
    ) async throws(StoreError) -> Answer {
        try await perform {
            try await self.queue.write { database in
                let before = try Self.readPolicy(of: room, database)
                var document = before
                let answer = try change(&document)
                if document != before { try Self.writePolicy(document, of: room, database) }
                return answer
            }
        }
    }

    package func removeLeftovers(keeping rooms: Set<RoomAddress>) async throws(StoreError) {
        try await perform {
            try await self.queue.write { database in
                // Those that were made by `confd room` while nobody looked are kept, too.
                let rows = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT username, domain, doc_uri FROM xcap WHERE doc_type = ? AND NOT EXISTS (
                            SELECT 1 FROM room WHERE room.username = xcap.username AND room.domain = xcap.domain)
                        """, arguments: [Self.presenceRules])
                for row in rows {
                    let room = RoomAddress(user: row[0], domain: row[1])
                    // Documents of other names are none of ours.
                    guard !rooms.contains(room), Self.place(room) == row[2] else { continue }
                    try Self.removePolicy(of: room, database)
                }
            }
        }
    }

    // MARK: Rows

    private static func readPolicy(of room: RoomAddress, _ database: Database) throws -> PolicyDocument? {
        try Row.fetchOne(
            database,
            sql: "SELECT doc, etag FROM xcap WHERE username = ? AND domain = ? AND doc_type = ? AND doc_uri = ?",
            arguments: arguments(room)
        ).map { PolicyDocument(content: [UInt8]($0[0] as Data), etag: $0[1]) }
    }

    private static func writePolicy(
        _ document: PolicyDocument?, of room: RoomAddress, _ database: Database
    ) throws {
        guard let document else { return try removePolicy(of: room, database) }
        guard document.content.count <= largestPolicy else {
            throw StoreError("a policy document has at most \(largestPolicy) octets")
        }
        try database.execute(
            sql: """
                INSERT INTO xcap (username, domain, doc_type, doc_uri, doc, etag) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (username, domain, doc_type, doc_uri)
                DO UPDATE SET doc = excluded.doc, etag = excluded.etag
                """, arguments: arguments(room) + [Data(document.content), document.etag])
    }

    static func removePolicy(of room: RoomAddress, _ database: Database) throws {
        try database.execute(
            sql: "DELETE FROM xcap WHERE username = ? AND domain = ? AND doc_type = ? AND doc_uri = ?",
            arguments: arguments(room))
    }

    private static func arguments(_ room: RoomAddress) -> StatementArguments {
        [room.user, room.domain, presenceRules, place(room)]
    }

    /// The document's place below the XCAP root (RFC 4825 section 6, RFC 5025 section 9).
    private static func place(_ room: RoomAddress) -> String { "pres-rules/users/\(room.uri)/index" }
}
