package import FileSpool
internal import FoundationEssentials
internal import GRDB

/// Which files are in the spool.
extension EmbeddedDatabase: FileIndex {
    package func files() async throws(StoreError) -> [SpooledFile] {
        try await perform {
            try await self.queue.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT id, room, name, type, size, sha1, sha256, sender, sender_name, received, expires
                        FROM room_file ORDER BY received, rowid
                        """
                ).map { row in
                    SpooledFile(
                        id: row[0], room: row[1], name: row[2], type: row[3], size: row[4],
                        sha1: [UInt8](row[5] as Data), sha256: [UInt8](row[6] as Data), sender: row[7],
                        senderName: row[8], received: row[9], expires: row[10])
                }
            }
        }
    }

    /// - Throws: there is one with this id already, or the file can't be written.
    package func add(_ file: SpooledFile) async throws(StoreError) {
        try await perform {
            try await self.queue.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO room_file
                            (id, room, name, type, size, sha1, sha256, sender, sender_name, received, expires)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        file.id, file.room, file.name, file.type, file.size, Data(file.sha1), Data(file.sha256),
                        file.sender, file.senderName, file.received, file.expires,
                    ])
            }
        }
    }

    package func remove(_ ids: [String]) async throws(StoreError) {
        try await perform {
            try await self.queue.write { database in
                for id in ids { try database.execute(sql: "DELETE FROM room_file WHERE id = ?", arguments: [id]) }
            }
        }
    }
}
