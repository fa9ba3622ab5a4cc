internal import GRDB

/// The schema of the embedded database, version by version. A version that was released is never changed.
enum Migrations {
    /// In order; a file says which of them it has seen.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("accounts") { database in
            // The columns have the names that SIP servers give them, so that one reader serves both.
            try database.execute(
                sql: """
                    CREATE TABLE subscriber (
                        id INTEGER PRIMARY KEY,
                        username TEXT NOT NULL,
                        domain TEXT NOT NULL COLLATE NOCASE,
                        ha1 TEXT NOT NULL CHECK (length(ha1) = 32),
                        ha1_sha256 TEXT NOT NULL CHECK (length(ha1_sha256) = 64),
                        UNIQUE (username, domain)
                    ) STRICT
                    """)
        }
        return migrator
    }
}
