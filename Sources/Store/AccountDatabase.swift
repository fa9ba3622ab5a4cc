package import DigestAuth
package import Logging
internal import Synchronization

/// The accounts of an SQLite table, ours or that of a SIP server beside us.
///
/// The file is only read; other processes may write to it, or put a new one in its place, at any time. While it can't
/// be read, look-ups are unavailable, and the log says so once a minute.
package final class AccountDatabase: AccountStore {
    /// What of a database is asked for often is remembered.
    package struct Cache: Sendable, Equatable {
        /// How long an answer holds; zero: every time the table is asked.
        package var lifetime: Duration = .seconds(5)
        /// The most accounts that are remembered, and the most names nobody has.
        package var capacity = 10_000

        package init() {}
    }

    /// More aliases of an account are not read.
    package static let mostAliases = 100
    /// A failure that lasts is logged that often.
    static let logPause: Duration = .seconds(60)

    private struct State {
        var cache: LookupCache
        /// Changes whenever something is forgotten: an answer from before must not be remembered after.
        var generation: UInt64 = 0
        var algorithms: (table: AlgorithmTable, at: ContinuousClock.Instant)?
        var loggedAt: ContinuousClock.Instant?
    }

    /// The file that is read.
    package let path: String
    private let file: SubscriberFile
    private let hasClearTextPasswords: Bool
    private let lifetime: Duration
    private let state: Mutex<State>
    private let now: @Sendable () -> ContinuousClock.Instant
    private let logger: Logger

    /// Opens an SQLite file and makes sure that it has what `table` names.
    ///
    /// - Parameter now: the clock by which answers grow old.
    /// - Throws: which option is wrong and what to do about it.
    package static func open(
        path: String, table: SubscriberTable = SubscriberTable(), cache: Cache = Cache(), logger: Logger,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) async throws(StoreError) -> AccountDatabase {
        let database = AccountDatabase(path: path, table: table, cache: cache, logger: logger, now: now)
        try await database.file.open()
        return database
    }

    /// Opens the embedded database, which is made when it isn't there.
    package static func openEmbedded(
        stateDirectory: String, cache: Cache = Cache(), logger: Logger
    ) async throws(StoreError) -> AccountDatabase {
        let embedded = try await EmbeddedDatabase.open(stateDirectory: stateDirectory)
        await embedded.close()
        return try await open(path: embedded.path, cache: cache, logger: logger)
    }

    private init(
        path: String, table: SubscriberTable, cache: Cache, logger: Logger,
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.path = path
        self.logger = logger
        self.now = now
        hasClearTextPasswords = table.hasClearTextPasswords
        lifetime = cache.lifetime
        file = SubscriberFile(path: path, table: table, now: now)
        state = Mutex(State(cache: LookupCache(cache)))
    }

    package func algorithms(realm: String) async -> [DigestAlgorithm] {
        let moment = now()
        let last = state.withLock { $0.algorithms }
        if let last, moment - last.at < lifetime { return last.table[realm] }
        do throws(StoreError) {
            let table = try await file.algorithms()
            state.withLock { $0.algorithms = (table, moment) }
            return table[realm]
        } catch {
            complain(error)
            // Nobody can be verified just now; MD5 is what every client knows.
            return last?.table[realm] ?? [.md5]
        }
    }

    package func knownAlgorithms(realm: String) -> [DigestAlgorithm]? {
        let moment = now()
        guard let last = state.withLock({ $0.algorithms }), moment - last.at < lifetime else { return nil }
        return last.table[realm]
    }

    package func known(username: String, realm: String) -> AccountLookup? {
        let moment = now()
        return state.withLock { $0.cache.answer(key(username, realm), at: moment) }
    }

    package func lookUp(username: String, realm: String) async -> AccountLookup {
        let generation = state.withLock { $0.generation }
        do throws(StoreError) {
            let secrets = try await file.secrets(username: username, realm: realm)
            let answer = secrets.map(AccountLookup.found) ?? .unknown
            let moment = now()
            state.withLock {
                guard $0.generation == generation else { return }
                $0.cache.remember(answer, for: key(username, realm), at: moment)
            }
            return answer
        } catch {
            complain(error)
            return .unavailable(error.description)
        }
    }

    /// Asks the table each time: a caller that isn't who From says is rare. None while the table can't be read.
    package func aliases(username: String, realm: String) async -> [String] {
        do throws(StoreError) {
            return try await file.aliases(username: username, realm: realm)
        } catch {
            complain(error)
            return []
        }
    }

    /// Forgets what is remembered: of one account, or (nil) of all.
    package func forget(_ account: AccountName? = nil) {
        state.withLock {
            $0.generation &+= 1
            $0.algorithms = nil
            if let account {
                $0.cache.forget(key(account.username, account.domain))
            } else {
                $0.cache.forgetAll()
            }
        }
    }

    /// Closes the file; what is asked afterwards is unavailable.
    package func close() async {
        forget()
        await file.close()
    }

    /// Domains are the same in any case, except where a password is hashed with the realm as it was written.
    private func key(_ username: String, _ realm: String) -> LookupCache.Key {
        LookupCache.Key(username: username, realm: hasClearTextPasswords ? realm : realm.lowercased())
    }

    private func complain(_ error: StoreError) {
        let moment = now()
        let isDue = state.withLock { state in
            if let last = state.loggedAt, moment - last < Self.logPause { return false }
            state.loggedAt = moment
            return true
        }
        if isDue { logger.error("accounts can't be looked up", metadata: ["reason": "\(error)"]) }
    }
}
