package import DigestAuth
package import Logging

/// The accounts of an SQLite table, ours or that of a SIP server beside us.
///
/// The file is only read; other processes may write to it, or put a new one in its place, at any time.
package final class AccountDatabase: AccountStore {
    /// What of a database is asked for often is remembered.
    package struct Cache: Sendable, Equatable {
        /// How long an answer holds; zero: every time the table is asked.
        package var lifetime: Duration = .seconds(5)
        /// The most accounts that are remembered, and the most names nobody has.
        package var capacity = 10_000

        package init() {}
    }

    /// Opens an SQLite file and makes sure that it has what `table` names.
    ///
    /// - Throws: which option is wrong and what to do about it.
    package static func open(
        path: String, table: SubscriberTable = SubscriberTable(), cache: Cache = Cache(), logger: Logger
    ) async throws(StoreError) -> AccountDatabase {
        throw StoreError("not yet")
    }

    /// Opens the embedded database, which is made when it isn't there.
    package static func openEmbedded(
        stateDirectory: String, cache: Cache = Cache(), logger: Logger
    ) async throws(StoreError) -> AccountDatabase {
        throw StoreError("not yet")
    }

    package func algorithms(realm: String) async -> [DigestAlgorithm] { [.md5] }
    package func known(username: String, realm: String) -> AccountLookup? { nil }
    package func lookUp(username: String, realm: String) async -> AccountLookup { .unknown }

    /// Forgets what is remembered: of one account, or (nil) of all.
    package func forget(_ account: AccountName? = nil) {}
    /// Closes the file; what is asked afterwards is unavailable.
    package func close() async {}
}
