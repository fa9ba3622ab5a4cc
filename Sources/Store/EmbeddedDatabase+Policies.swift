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
            try await self.queue.read { database in
                try Row.fetchOne(
                    database,
                    sql: """
                        SELECT doc, etag FROM xcap
                        WHERE username = ? AND domain = ? AND doc_type = ? AND doc_uri = ?
                        """, arguments: Self.arguments(room)
                ).map { PolicyDocument(content: [UInt8]($0[0] as Data), etag: $0[1]) }
            }
        }
    }

    package func setPolicy(_ document: PolicyDocument?, of room: RoomAddress) async throws(StoreError) {
        if let document, document.content.count > Self.largestPolicy {
            throw StoreError("a policy document has at most \(Self.largestPolicy) octets")
        }
        try await perform {
            try await self.queue.write { database in
                guard let document else { return try Self.removePolicy(of: room, database) }
                try database.execute(
                    sql: """
                        INSERT INTO xcap (username, domain, doc_type, doc_uri, doc, etag) VALUES (?, ?, ?, ?, ?, ?)
                        ON CONFLICT (username, domain, doc_type, doc_uri)
                        DO UPDATE SET doc = excluded.doc, etag = excluded.etag
                        """, arguments: Self.arguments(room) + [Data(document.content), document.etag])
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
