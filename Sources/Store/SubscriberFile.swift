internal import DigestAuth
internal import Dispatch
internal import GRDB
internal import Synchronization

/// An SQLite file with a subscriber table, open for reading.
///
/// Everything that may wait for the disk or for another process's lock happens on a queue of its own. A file that was
/// replaced, or came back, is opened anew.
final class SubscriberFile: Sendable {
    /// How long another process's lock is waited for.
    static let busyTimeout = 2.0
    /// After a failure, that long nothing is tried.
    static let retryPause: Duration = .seconds(1)

    /// The file as it is open.
    private struct Opened: Sendable {
        var queue: DatabaseQueue
        var identity: FileIdentity?
        var shape: TableShape
    }

    private struct Algorithms: Sendable {
        var table: AlgorithmTable
        /// SQLite's `data_version`: another one after another process has written to the file.
        var version: Int
    }

    private struct State: Sendable {
        var opened: Opened?
        /// Of the file as it is open.
        var algorithms: Algorithms?
        var failure: (error: StoreError, at: ContinuousClock.Instant)?
        var isClosed = false
    }

    private let path: String
    private let wanted: SubscriberTable
    private let now: @Sendable () -> ContinuousClock.Instant
    private let queue = DispatchQueue(label: "confd.accounts")
    /// Only blocks on `queue` take it, so it is never waited for.
    private let state = Mutex(State())

    init(path: String, table: SubscriberTable, now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.path = path
        wanted = table
        self.now = now
    }

    /// Opens the file, or says why it can't be used.
    func open() async throws(StoreError) {
        try await ask { _, _ in }
    }

    /// What the account's password is checked against; nil when there is no such account.
    ///
    /// A client may give its domain with its user name, and hashes both.
    func secrets(username: String, realm: String) async throws(StoreError) -> AccountSecrets? {
        try await ask { database, shape in
            if let row = try Self.row(username, realm, database, shape) {
                switch shape.secrets {
                case .clearText: return Self.secrets(username, realm, password: Self.text(row, 1))
                case .hashes: return Self.hashes(Self.text(row, 1), Self.text(row, 2))
                }
            }
            if let bare = Self.bareName(username, realm), let row = try Self.row(bare, realm, database, shape) {
                switch shape.secrets {
                case .clearText: return Self.secrets(username, realm, password: Self.text(row, 1))
                case .hashes: return Self.hashes(Self.text(row, 3), nil)
                }
            }
            // Hashed for nobody too, so that the time taken doesn't tell who there is.
            if case .clearText = shape.secrets { _ = AccountSecrets(username: username, realm: realm, password: "") }
            return nil
        }
    }

    /// Other addresses of an account, `user@domain` with the domain in lower case.
    func aliases(username: String, realm: String) async throws(StoreError) -> [String] {
        try await ask { database, shape in
            guard let query = shape.aliasQuery else { return [] }
            let statement = try database.cachedStatement(sql: query)
            let rows = try Row.fetchAll(statement, arguments: ["username": username, "domain": realm])
            return rows.compactMap { row -> String? in
                guard let owner = Self.text(row, 0), owner.utf8.elementsEqual(username.utf8),
                    let name = Self.text(row, 1), let domain = Self.text(row, 2), !name.isEmpty, !domain.isEmpty
                else { return nil }
                return "\(name)@\(domain.lowercased())"
            }
        }
    }

    private static func row(
        _ username: String, _ realm: String, _ database: Database, _ shape: TableShape
    ) throws -> Row? {
        let statement = try database.cachedStatement(sql: shape.accountQuery)
        guard let row = try Row.fetchOne(statement, arguments: ["username": username, "domain": realm]) else {
            return nil
        }
        // SQLite takes a text to end at a NUL, and a column of numbers would take 007 for 7.
        guard let found = text(row, 0), found.utf8.elementsEqual(username.utf8) else { return nil }
        return row
    }

    private static func secrets(_ username: String, _ realm: String, password: String?) -> AccountSecrets? {
        let secrets = AccountSecrets(username: username, realm: realm, password: password ?? "")
        return password?.isEmpty ?? true ? nil : secrets
    }

    /// `alice` of `alice@example.com` where the realm is example.com.
    private static func bareName(_ username: String, _ realm: String) -> String? {
        guard let at = username.lastIndex(of: "@"),
            username[username.index(after: at)...].lowercased() == realm.lowercased()
        else { return nil }
        return String(username[..<at])
    }

    /// What may be offered where. The whole table is read only when somebody wrote to it since the last time, and once
    /// for all who ask meanwhile.
    func algorithms() async throws(StoreError) -> AlgorithmTable {
        try await run { state in
            let known = state.algorithms
            let algorithms = try self.read(&state) { database, shape in
                let version = try Int.fetchOne(database, sql: "PRAGMA data_version") ?? 0
                if let known, known.version == version { return known }
                guard let query = shape.algorithmsQuery else { return Algorithms(table: .all, version: version) }
                let rows = try Row.fetchAll(database, sql: query).map { row in
                    (domain: Self.text(row, 0) ?? "", hasSHA256: Self.text(row, 1) == "1")
                }
                // What is written between the two statements is seen the next time.
                return Algorithms(table: AlgorithmTable(rows), version: version)
            }
            state.algorithms = algorithms
            return algorithms.table
        }
    }

    func close() async {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                state.withLock {
                    $0.opened = nil
                    $0.isClosed = true
                }
                continuation.resume()
            }
        }
    }

    // MARK: On the queue

    private func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (Database, TableShape) throws -> Answer
    ) async throws(StoreError) -> Answer {
        try await run { state in try self.read(&state, question) }
    }

    /// Does the work on the queue, unless it failed a moment ago.
    private func run<Answer: Sendable>(
        _ work: @escaping @Sendable (inout State) throws -> Answer
    ) async throws(StoreError) -> Answer {
        let result: Result<Answer, StoreError> = await withCheckedContinuation { continuation in
            queue.async { [self] in continuation.resume(returning: state.withLock { attempt(&$0, work) }) }
        }
        return try result.get()
    }

    private func attempt<Answer>(
        _ state: inout State, _ work: (inout State) throws -> Answer
    ) -> Result<Answer, StoreError> {
        if state.isClosed { return .failure(StoreError("the accounts' file '\(path)' was closed")) }
        if let failure = state.failure, now() - failure.at < Self.retryPause { return .failure(failure.error) }
        do {
            let identity = FileIdentity(path: path)
            if identity == nil || state.opened?.identity != identity { state.opened = nil }
            if state.opened == nil {
                state.algorithms = nil
                state.opened = try open()
            }
            let answer = try work(&state)
            state.failure = nil
            return .success(answer)
        } catch {
            // The next one looks again from the start: the table may have been made anew.
            state.opened = nil
            let error = Self.describe(error, path: path)
            state.failure = (error, now())
            return .failure(error)
        }
    }

    private func read<Answer>(
        _ state: inout State, _ question: (Database, TableShape) throws -> Answer
    ) throws -> Answer {
        guard let opened = state.opened else { throw StoreError("the accounts' file '\(path)' was closed") }
        // Each question is one statement, which needs no transaction around it.
        return try opened.queue.unsafeRead { try question($0, opened.shape) }
    }

    private func open() throws -> Opened {
        if let obstacle = FileIdentity.obstacle(path: path) { throw obstacle }
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(Self.busyTimeout)
        configuration.label = "accounts"
        // Taken before: whoever replaces the file meanwhile is noticed at the next question.
        let identity = FileIdentity(path: path)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        let shape = try queue.read { database in
            let shape = try TableShape(database, wanted, path: path)
            _ = try database.makeStatement(sql: shape.accountQuery)
            return shape
        }
        return Opened(queue: queue, identity: identity, shape: shape)
    }

    /// A column's text; numbers too, since SQLite keeps `1234` of a column without a type as one.
    private static func text(_ row: Row, _ index: Int) -> String? {
        switch (row[index] as DatabaseValue).storage {
        case .string(let text): text
        case .int64(let number): String(number)
        case .blob(let bytes): String(validating: bytes, as: UTF8.self)
        case .double, .null: nil
        }
    }

    /// The hashes of a row by their length; what is no hash counts as none, and without any there is no account.
    static func hashes(_ ha1: String?, _ ha1SHA256: String?) -> AccountSecrets? {
        func hash(_ text: String?, _ digits: Int) -> String? {
            guard let text = text?.lowercased(), text.utf8.count == digits else { return nil }
            let isHexadecimal = text.utf8.allSatisfy {
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
            }
            return isHexadecimal ? text : nil
        }
        let secrets = AccountSecrets(md5: hash(ha1, 32), sha256: hash(ha1SHA256, 64) ?? hash(ha1, 64))
        return secrets.md5 == nil && secrets.sha256 == nil ? nil : secrets
    }

    /// SQLite's words in those of an operator.
    static func describe(_ error: any Error, path: String) -> StoreError {
        guard let error = error as? DatabaseError else {
            return error as? StoreError ?? StoreError("'\(path)' can't be read: \(error)")
        }
        if let obstacle = FileIdentity.obstacle(path: path) { return obstacle }
        switch (error.resultCode, error.extendedResultCode) {
        case (.SQLITE_NOTADB, _):
            return StoreError("'\(path)' is not an SQLite database (or an encrypted one)", option: .uri)
        case (.SQLITE_CORRUPT, _):
            return StoreError(
                "'\(path)' is damaged; try: sqlite3 '\(path)' .recover | sqlite3 new.sqlite", option: .uri)
        case (.SQLITE_BUSY, _), (.SQLITE_LOCKED, _):
            return StoreError("'\(path)' has been locked by another process for \(Int(busyTimeout)) s")
        case (_, .SQLITE_READONLY_ROLLBACK), (_, .SQLITE_READONLY_RECOVERY):
            return StoreError(
                "'\(path)' was left in the middle of a change; start the program that writes to it, or run: "
                    + "sqlite3 '\(path)' .tables", option: .uri)
        case (.SQLITE_CANTOPEN, _), (.SQLITE_READONLY, _):
            return StoreError(
                "'\(path)' can't be opened: its folder or the files beside it (-wal, -shm) aren't accessible to the "
                    + "user confd runs as", option: .uri)
        default:
            return StoreError("'\(path)' can't be read: \(error.message ?? "\(error.resultCode)")", option: .uri)
        }
    }
}
