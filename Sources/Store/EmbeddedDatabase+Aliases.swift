internal import GRDB

/// Another address of an account: its owner may call itself by it in From.
package struct AccountAlias: Sendable, Hashable {
    package var account: AccountName
    package var alias: AccountName

    package init(account: AccountName, alias: AccountName) {
        self.account = account
        self.alias = alias
    }
}

extension EmbeddedDatabase {
    /// - Throws: there is no such account, it has this alias or too many, the alias is somebody's account, or the file
    ///   can't be written.
    package func addAlias(_ alias: AccountName, of account: AccountName) async throws(StoreError) {
        try await write(account) { database in
            guard try Self.exists(account, database) else {
                throw StoreError("there is no account \(account); 'confd account add \(account)' makes it")
            }
            guard try alias == account || !Self.exists(alias, database) else {
                throw StoreError("\(alias) is an account of its own; an alias would let \(account) speak in its name")
            }
            guard alias != account else { throw StoreError("\(account) is the account's own name") }
            let count = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM account_alias WHERE username = ? AND domain = ?",
                arguments: [account.username, account.domain])
            guard count ?? 0 < AccountDatabase.mostAliases else {
                throw StoreError("\(account) has \(AccountDatabase.mostAliases) aliases already, which is the most")
            }
            try database.execute(
                sql: """
                    INSERT INTO account_alias (alias_username, alias_domain, username, domain)
                    VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
                    """, arguments: [alias.username, alias.domain, account.username, account.domain])
            guard database.changesCount == 1 else { throw StoreError("\(account) has the alias \(alias) already") }
        }
    }

    /// - Throws: the account has no such alias, or the file can't be written.
    package func removeAlias(_ alias: AccountName, of account: AccountName) async throws(StoreError) {
        try await write(account) { database in
            try database.execute(
                sql: """
                    DELETE FROM account_alias
                    WHERE alias_username = ? AND alias_domain = ? AND username = ? AND domain = ?
                    """, arguments: [alias.username, alias.domain, account.username, account.domain])
            guard database.changesCount == 1 else { throw StoreError("\(account) has no alias \(alias)") }
        }
    }

    /// - Parameter account: nil: those of all accounts.
    package func aliases(of account: AccountName? = nil) async throws(StoreError) -> [AccountAlias] {
        try await perform {
            try await self.queue.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT username, domain, alias_username, alias_domain FROM account_alias
                        WHERE :username IS NULL OR (username = :username AND domain = :domain)
                        ORDER BY lower(domain), username, lower(alias_domain), alias_username
                        """, arguments: ["username": account?.username, "domain": account?.domain]
                ).map { row in
                    AccountAlias(
                        account: AccountName(username: row[0], domain: row[1]),
                        alias: AccountName(username: row[2], domain: row[3]))
                }
            }
        }
    }

    private static func exists(_ account: AccountName, _ database: Database) throws -> Bool {
        try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM subscriber WHERE username = ? AND domain = ?)",
            arguments: [account.username, account.domain]) ?? false
    }
}
