internal import DigestAuth
internal import Logging
internal import Store

/// Where the accounts of callers and of the relay's clients are, as the settings say.
struct Accounts: Sendable {
    let store: any AccountStore
    private let database: AccountDatabase?

    /// Opens the database, if it is one; nil where nobody is asked who they are.
    static func open(_ settings: Settings, stateDirectory: String) async throws(StartError) -> Accounts? {
        guard let backend = settings.accountsBackend else { return nil }
        if backend == .memory { return Accounts(store: settings.memoryAccounts, database: nil) }
        let logger = Logger(label: "accounts")
        var cache = AccountDatabase.Cache()
        cache.lifetime = settings.database.cacheTime
        do {
            let database: AccountDatabase
            if let uri = settings.database.uri, case .sqlite(let path) = try DatabaseURI(uri) {
                database = try await AccountDatabase.open(
                    path: path, table: settings.database.table, cache: cache, logger: logger)
            } else {
                database = try await AccountDatabase.openEmbedded(
                    stateDirectory: stateDirectory, cache: cache, logger: logger)
            }
            return Accounts(store: database, database: database)
        } catch {
            guard let option = error.option else { throw StartError(error.description) }
            throw StartError("Database", option.rawValue, error.description)
        }
    }

    /// Whether both are the same open database.
    func isSame(as other: Accounts) -> Bool { database != nil && database === other.database }

    func close() async { await database?.close() }
}

extension Settings.Database {
    /// In the words of the store.
    var table: SubscriberTable {
        var result = SubscriberTable()
        result.table = subscriberTable
        result.username = usernameColumn
        result.domain = domainColumn
        result.password = passwordColumn
        result.ha1 = ha1Column
        result.ha1SHA256 = ha1SHA256Column
        result.hasClearTextPasswords = cleartextPasswords
        return result
    }
}

extension Settings {
    /// Callers and the relay's clients have the same accounts. Where there is no relay to say which, those of [Memory]
    /// count if there are any.
    var accountsBackend: RelayBackend? {
        if let relay { return relay.backend }
        guard runsSIP, sip.auth == .required else { return nil }
        return memory.isEmpty ? .database : .memory
    }

    /// `[Memory]`
    var memoryAccounts: MemoryAccounts {
        MemoryAccounts(Dictionary(memory.map { ("\($0.username)@\($0.domain)", $0.password) }) { $1 })
    }
}
