internal import GRDB

/// The subscriber table as it was found in a file: every name that goes into SQL is one that SQLite itself told.
struct TableShape: Sendable {
    /// Quoted for SQL.
    let table: String
    let username: String
    let domain: String
    /// What is read: the password, or the hashes.
    let secrets: Secrets
    /// The table of aliases, if there is one, quoted for SQL.
    let aliases: String?

    /// The column, if there is one, with the MD5 hash for clients whose user name is `user@domain`.
    private static let ha1b = "ha1b"

    /// What a table of aliases may be called: ours, and that of SIP servers.
    private static let aliasTables = ["account_alias", "dbaliases"]
    private static let aliasColumns = ["alias_username", "alias_domain", "username", "domain"]

    enum Secrets: Sendable {
        case clearText(password: String)
        case hashes(ha1: String, ha1SHA256: String?, ha1b: String?)
    }

    /// Finds table and columns.
    ///
    /// - Throws: StoreError, with the tables or columns that are there; DatabaseError when the file can't be read.
    init(_ database: Database, _ wanted: SubscriberTable, path: String) throws {
        let query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
        let tables = try String.fetchAll(database, sql: query).filter { !Self.isInternal($0) }
        guard let table = Self.find(wanted.table, in: tables) else {
            throw StoreError(
                "there is no table '\(wanted.table)' in '\(path)'; "
                    + (tables.isEmpty ? "it has no tables at all" : "its tables are \(Self.list(tables))"),
                option: .subscriberTable)
        }
        let columns = try String.fetchAll(
            database, sql: "SELECT name FROM pragma_table_xinfo(?)", arguments: [table])
        func column(_ name: String, _ option: StoreError.Option) throws -> String {
            if let column = Self.find(name, in: columns) { return Self.quote(column) }
            throw StoreError(
                "the table '\(table)' in '\(path)' has no column '\(name)'; its columns are \(Self.list(columns))",
                option: option)
        }
        self.table = Self.quote(table)
        aliases = try Self.aliasTable(in: tables, database)
        username = try column(wanted.username, .usernameColumn)
        domain = try column(wanted.domain, .domainColumn)
        if wanted.hasClearTextPasswords {
            secrets = .clearText(password: try column(wanted.password, .passwordColumn))
        } else {
            let ha1SHA256 = Self.find(wanted.ha1SHA256, in: columns).map(Self.quote)
            let ha1b = Self.find(Self.ha1b, in: columns).map(Self.quote)
            secrets = .hashes(ha1: try column(wanted.ha1, .ha1Column), ha1SHA256: ha1SHA256, ha1b: ha1b)
        }
    }

    private static func aliasTable(in tables: [String], _ database: Database) throws -> String? {
        for name in aliasTables {
            guard let table = find(name, in: tables) else { continue }
            let columns = try String.fetchAll(
                database, sql: "SELECT name FROM pragma_table_xinfo(?)", arguments: [table])
            if aliasColumns.allSatisfy({ find($0, in: columns) != nil }) { return quote(table) }
        }
        return nil
    }

    /// Names are the same in any case, as in SQL (ASCII only, as in SQLite).
    private static func find(_ name: String, in names: [String]) -> String? {
        names.first { $0.utf8.elementsEqual(name.utf8) }
            ?? names.first { $0.utf8.lazy.map(lower).elementsEqual(name.utf8.lazy.map(lower)) }
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte
    }

    /// As an identifier of SQL; GRDB's own leaves quotes in it alone.
    private static func quote(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private static func isInternal(_ table: String) -> Bool {
        table.hasPrefix("sqlite_") || table == "grdb_migrations"
    }

    private static func list(_ names: [String]) -> String {
        let most = 30
        return names.prefix(most).joined(separator: ", ")
            + (names.count > most ? " and \(names.count - most) more" : "")
    }

    /// The rows of an account: username and domain as they are written there, then the secrets. Its arguments are
    /// `username` and `domain`.
    ///
    /// The user is compared twice: by the column's own collation, so that an index can serve, and by bytes.
    var accountQuery: String {
        let columns =
            switch secrets {
            case .clearText(let password): "\(password), NULL, NULL"
            case .hashes(let ha1, let ha1SHA256, let ha1b): "\(ha1), \(ha1SHA256 ?? "NULL"), \(ha1b ?? "NULL")"
            }
        return """
            SELECT CAST(\(username) AS TEXT), \(columns) FROM \(table)
            WHERE \(username) = :username AND CAST(\(username) AS TEXT) = :username COLLATE BINARY
            AND \(domain) = :domain COLLATE NOCASE
            ORDER BY \(domain) = :domain COLLATE BINARY DESC LIMIT 1
            """
    }

    /// The aliases of an account, with who it is as it is written there. Its arguments are those of `accountQuery`. Nil
    /// where there are none.
    var aliasQuery: String? {
        aliases.map { aliases in
            """
            SELECT CAST(username AS TEXT), CAST(alias_username AS TEXT), CAST(alias_domain AS TEXT) FROM \(aliases)
            WHERE username = :username AND CAST(username AS TEXT) = :username COLLATE BINARY
            AND domain = :domain COLLATE NOCASE
            ORDER BY alias_domain, alias_username LIMIT \(AccountDatabase.mostAliases)
            """
        }
    }

    /// Each domain, once for accounts that can be verified by SHA-256 and once for those that can't, as 1 and 0.
    /// Nil where passwords are at hand, because then all can be.
    var algorithmsQuery: String? {
        guard case .hashes(let ha1, let ha1SHA256, _) = secrets else { return nil }
        let inOwnColumn = ha1SHA256.map { " OR coalesce(length(\($0)), 0) = 64" } ?? ""
        return """
            SELECT DISTINCT \(domain), coalesce(length(\(ha1)), 0) = 64\(inOwnColumn) FROM \(table)
            LIMIT \(AlgorithmTable.mostDomains + 1)
            """
    }
}
