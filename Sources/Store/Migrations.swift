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
        migrator.registerMigration("rooms") { database in
            // What an operator said of a room is kept apart from what its people made of it: rooms of the configuration
            // file have the latter only.
            try database.execute(
                sql: """
                    CREATE TABLE room (
                        id INTEGER PRIMARY KEY,
                        username TEXT NOT NULL,
                        domain TEXT NOT NULL COLLATE NOCASE,
                        configuration TEXT NOT NULL CHECK (json_valid(configuration)),
                        UNIQUE (username, domain)
                    ) STRICT;
                    CREATE TABLE room_condition (
                        id INTEGER PRIMARY KEY,
                        username TEXT NOT NULL,
                        domain TEXT NOT NULL COLLATE NOCASE,
                        condition TEXT NOT NULL CHECK (json_valid(condition)),
                        UNIQUE (username, domain)
                    ) STRICT
                    """)
        }
        migrator.registerMigration("policies") { database in
            // The columns are those that OpenSIPS and its XCAP servers use.
            try database.execute(
                sql: """
                    CREATE TABLE xcap (
                        id INTEGER PRIMARY KEY,
                        username TEXT NOT NULL,
                        domain TEXT NOT NULL COLLATE NOCASE,
                        doc BLOB NOT NULL,
                        doc_type INTEGER NOT NULL,
                        etag TEXT NOT NULL,
                        source INTEGER NOT NULL DEFAULT 0,
                        doc_uri TEXT NOT NULL,
                        port INTEGER NOT NULL DEFAULT 0,
                        UNIQUE (username, domain, doc_type, doc_uri)
                    ) STRICT
                    """)
        }
        migrator.registerMigration("aliases") { database in
            // The columns are those of the table dbaliases of SIP servers, so that one reader serves both.
            try database.execute(
                sql: """
                    CREATE TABLE account_alias (
                        id INTEGER PRIMARY KEY,
                        alias_username TEXT NOT NULL,
                        alias_domain TEXT NOT NULL COLLATE NOCASE,
                        username TEXT NOT NULL,
                        domain TEXT NOT NULL COLLATE NOCASE,
                        UNIQUE (username, domain, alias_username, alias_domain),
                        FOREIGN KEY (username, domain) REFERENCES subscriber (username, domain) ON DELETE CASCADE
                    ) STRICT
                    """)
        }
        migrator.registerMigration("history") { database in
            // Rooms have a number here, so that each message takes little room, and a last sequence number that outlives
            // their messages: no number is given twice.
            try database.execute(
                sql: """
                    CREATE TABLE history_room (
                        id INTEGER PRIMARY KEY,
                        username TEXT NOT NULL,
                        domain TEXT NOT NULL COLLATE NOCASE,
                        last_sequence INTEGER NOT NULL DEFAULT 0,
                        UNIQUE (username, domain)
                    ) STRICT;
                    CREATE TABLE history (
                        id INTEGER PRIMARY KEY,
                        room INTEGER NOT NULL REFERENCES history_room (id) ON DELETE CASCADE,
                        sequence INTEGER NOT NULL,
                        time INTEGER NOT NULL,
                        sender TEXT NOT NULL,
                        sender_name TEXT NOT NULL,
                        recipient TEXT,
                        message_id TEXT NOT NULL,
                        content_type TEXT NOT NULL,
                        cpim BLOB NOT NULL,
                        UNIQUE (room, sequence)
                    ) STRICT;
                    CREATE INDEX history_time ON history (room, time)
                    """)
        }
        migrator.registerMigration("files") { database in
            // What the spool's folder holds; the room as people write it, `user@domain`.
            try database.execute(
                sql: """
                    CREATE TABLE room_file (
                        id TEXT NOT NULL PRIMARY KEY,
                        room TEXT NOT NULL,
                        name TEXT NOT NULL,
                        type TEXT,
                        size INTEGER NOT NULL CHECK (size >= 0),
                        sha1 BLOB NOT NULL CHECK (length(sha1) = 20),
                        sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
                        sender TEXT NOT NULL,
                        sender_name TEXT,
                        received INTEGER NOT NULL,
                        expires INTEGER
                    ) STRICT
                    """)
        }
        return migrator
    }
}
