internal import DigestAuth
internal import GRDB

#if canImport(Glibc)
    internal import Glibc
#endif

/// confd's own database in its state directory: accounts, made and changed by `confd account`, and what of rooms outlives
/// the process.
///
/// Several processes may use it at a time. A change that was reported as made survives the end of any of them.
package final class EmbeddedDatabase: Sendable {
    package static let fileName = "confd.sqlite"
    /// How long a change waits for that of another process, in seconds.
    static let busyTimeout = 5.0
    /// Two processes that make the file at the same moment get in each other's way; the later one looks again.
    static let mostAttempts = 5

    package let path: String
    let queue: DatabaseQueue
    private let reader: AccountDatabase?

    /// Opens it, makes it when it isn't there, and brings its schema up to date.
    ///
    /// - Parameter reader: a store of this process on the same file; it is told what changes.
    package static func open(
        stateDirectory: String, reader: AccountDatabase? = nil
    ) async throws(StoreError) -> EmbeddedDatabase {
        let path = "\(stateDirectory)/\(fileName)"
        try prepareFile(path, in: stateDirectory)
        var attempt = 1
        while true {
            do {
                return EmbeddedDatabase(path: path, queue: try openQueue(path), reader: reader)
            } catch let error as StoreError {
                throw error
            } catch {
                guard attempt < mostAttempts, isContention(error) else { throw describe(error, path: path) }
                attempt += 1
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private init(path: String, queue: DatabaseQueue, reader: AccountDatabase?) {
        self.path = path
        self.queue = queue
        self.reader = reader
    }

    // MARK: Accounts

    /// - Throws: there is one of this name already, or the file can't be written.
    package func add(_ account: AccountName, password: String) async throws(StoreError) {
        let hashes = Hashes(account, password)
        try await write(account) { database in
            try database.execute(
                sql: """
                    INSERT INTO subscriber (username, domain, ha1, ha1_sha256)
                    VALUES (:username, :domain, :ha1, :sha256) ON CONFLICT DO NOTHING
                    """, arguments: hashes.arguments)
            guard database.changesCount == 1 else {
                throw StoreError("\(account) exists already; 'confd account passwd \(account)' changes its password")
            }
        }
    }

    /// - Throws: there is none of this name, or the file can't be written.
    package func setPassword(_ account: AccountName, password: String) async throws(StoreError) {
        let hashes = Hashes(account, password)
        try await write(account) { database in
            try database.execute(
                sql: """
                    UPDATE subscriber SET ha1 = :ha1, ha1_sha256 = :sha256
                    WHERE username = :username AND domain = :domain
                    """, arguments: hashes.arguments)
            guard database.changesCount == 1 else {
                throw StoreError("there is no account \(account); 'confd account add \(account)' makes it")
            }
        }
    }

    /// Removes it and its aliases.
    ///
    /// - Throws: there is none of this name, or the file can't be written.
    package func remove(_ account: AccountName) async throws(StoreError) {
        try await write(account) { database in
            try database.execute(
                sql: "DELETE FROM subscriber WHERE username = ? AND domain = ?",
                arguments: [account.username, account.domain])
            guard database.changesCount == 1 else { throw StoreError("there is no account \(account)") }
        }
    }

    /// Whether there is an account of this name.
    package func contains(_ account: AccountName) async throws(StoreError) -> Bool {
        try await perform {
            try await self.queue.read { database in
                try Bool.fetchOne(
                    database, sql: "SELECT EXISTS (SELECT 1 FROM subscriber WHERE username = ? AND domain = ?)",
                    arguments: [account.username, account.domain]) ?? false
            }
        }
    }

    /// All accounts, by domain and name.
    package func accounts() async throws(StoreError) -> [AccountName] {
        try await perform {
            try await self.queue.read { database in
                try Row.fetchAll(
                    database, sql: "SELECT username, domain FROM subscriber ORDER BY lower(domain), username"
                ).map { AccountName(username: $0[0], domain: $0[1]) }
            }
        }
    }

    package func close() async {
        // Statements are finished when their calls are; what is left is closed with the last reference.
        try? queue.close()
    }

    /// Every account has both hashes, so both algorithms can be offered.
    private struct Hashes {
        let arguments: StatementArguments

        init(_ account: AccountName, _ password: String) {
            let secrets = AccountSecrets(username: account.username, realm: account.domain, password: password)
            arguments = [
                "username": account.username, "domain": account.domain, "ha1": secrets.md5, "sha256": secrets.sha256,
            ]
        }
    }

    func write(
        _ account: AccountName, _ change: @escaping @Sendable (Database) throws -> Void
    ) async throws(StoreError) {
        try await perform { try await self.queue.write(change) }
        reader?.forget(account)
    }

    func perform<Answer: Sendable>(
        _ work: @Sendable () async throws -> Answer
    ) async throws(StoreError) -> Answer {
        do {
            return try await work()
        } catch {
            throw Self.describe(error, path: path)
        }
    }

    // MARK: The file

    /// Makes an empty file for its owner only, before SQLite would make one for others too.
    private static func prepareFile(_ path: String, in folder: String) throws(StoreError) {
        // An existing file is not opened here: closing it again would end the locks that SQLite holds in this process.
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            guard errno == EEXIST else {
                throw StoreError("the database '\(path)' can't be made: \(String(cString: strerror(errno)))")
            }
            tighten(path)
            return
        }
        defer { Glibc.close(descriptor) }
        // An administrator's command must not take the database away from the user the server runs as.
        var owner = stat()
        if geteuid() == 0, stat(folder, &owner) == 0, owner.st_uid != 0 {
            guard fchown(descriptor, owner.st_uid, owner.st_gid) == 0 else {
                throw StoreError("the database '\(path)' can't be given to its folder's owner")
            }
        }
    }

    /// Takes away the rights of others; the files beside it get theirs from it.
    private static func tighten(_ path: String) {
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & 0o077 != 0 else { return }
        _ = chmod(path, 0o600)
    }

    private static func openQueue(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "confd.sqlite"
        configuration.prepareDatabase { database in
            // What was reported as stored is on the disk.
            try database.execute(sql: "PRAGMA synchronous = FULL")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        let migrator = Migrations.migrator
        if try queue.read(migrator.hasBeenSuperseded) {
            throw StoreError("the database '\(path)' was written by a newer confd; use that one")
        }
        try migrator.migrate(queue)
        return queue
    }

    /// Another process was making the same tables, or switching to WAL.
    private static func isContention(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        return [.SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_ERROR, .SQLITE_CONSTRAINT].contains(error.resultCode)
    }

    private static func describe(_ error: any Error, path: String) -> StoreError {
        if let error = error as? DatabaseError {
            switch error.resultCode {
            case .SQLITE_READONLY, .SQLITE_PERM:
                return StoreError("the database '\(path)' can't be written; run this as the user that owns it")
            case .SQLITE_FULL: return StoreError("the disk is full; '\(path)' was not changed")
            default: break
            }
        }
        var described = SubscriberFile.describe(error, path: path)
        described.option = nil
        return described
    }
}

extension AccountName {
    /// As it stands in the database.
    init(username: String, domain: String) {
        self.username = username
        self.domain = domain
    }
}
