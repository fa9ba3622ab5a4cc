import DigestAuth
import Foundation
import GRDB
import Support
import Testing

@testable import Store

@Suite("A file that can't be used")
struct UnusableFileTests {
    private func error(_ file: ForeignFile, _ table: SubscriberTable = SubscriberTable()) async throws -> StoreError {
        do {
            _ = try await file.open(table)
        } catch let error as StoreError {
            return error
        }
        throw SupportError("it was opened")
    }

    @Test("at the start: what is wrong, and with which option")
    func start() async throws {
        let folder = try TemporaryFolder()
        let absent = try await #require(throws: StoreError.self) {
            _ = try await AccountDatabase.open(path: "\(folder.path)/none.sqlite", logger: .silent)
        }
        #expect(absent.option == .uri)
        #expect(absent.description.hasPrefix("there is no file '\(folder.path)/none.sqlite'"))
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/none.sqlite"))

        let isFolder = try await #require(throws: StoreError.self) {
            _ = try await AccountDatabase.open(path: folder.path, logger: .silent)
        }
        #expect(isFolder.description == "'\(folder.path)' is not a file")

        let text = try folder.write(String(repeating: "not a database\n", count: 100), to: "text")
        let other = try await #require(throws: StoreError.self) {
            _ = try await AccountDatabase.open(path: text, logger: .silent)
        }
        #expect(other.description == "'\(text)' is not an SQLite database (or an encrypted one)")
        #expect(other.option == .uri)
    }

    @Test("a table or column that isn't there: those that are")
    func names() async throws {
        let empty = try await error(try ForeignFile("PRAGMA user_version = 1"))
        #expect(empty.option == .subscriberTable)
        #expect(empty.description.hasSuffix("it has no tables at all"))

        let file = try ForeignFile("CREATE TABLE users (username, domain, password)")
        let table = try await error(file)
        #expect(table.description == "there is no table 'subscriber' in '\(file.path)'; its tables are users")
        var names = SubscriberTable()
        names.table = "users"
        let column = try await error(file, names)
        #expect(column.option == .ha1Column)
        #expect(
            column.description
                == "the table 'users' in '\(file.path)' has no column 'ha1'; its columns are username, domain, password"
        )
        names.domain = "realm"
        #expect(try await error(file, names).option == .domainColumn)
        names.username = "user"
        #expect(try await error(file, names).option == .usernameColumn)
        names = SubscriberTable()
        names.table = "users"
        names.password = "pw"
        names.hasClearTextPasswords = true
        #expect(try await error(file, names).option == .passwordColumn)
    }

    @Test("no permission: whose file it is", .enabled(if: geteuid() != 0, "root may read everything"))
    func permission() async throws {
        let file = try ForeignFile(ForeignFile.schema)
        chmod(file.path, 0)
        let error = try await error(file)
        #expect(error.option == .uri)
        #expect(error.description.contains("with mode 0"))
    }

    @Test("while it is away look-ups are unavailable, and the log says so once a minute; a new one is taken")
    func replaced() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'example.com', '\(Alice.md5)')")
        let (clock, book) = (TestClock(), LogBook())
        var cache = AccountDatabase.Cache()
        cache.lifetime = .zero
        let store = try await file.open(SubscriberTable(), cache, logger: book.logger, clock: clock)
        func look() async -> AccountLookup {
            clock.advance(by: SubscriberFile.retryPause)
            return await store.lookUp(username: "alice", realm: "example.com")
        }
        #expect(await look() == .found(Alice.secrets))

        try FileManager.default.moveItem(atPath: file.path, toPath: "\(file.path).away")
        for _ in 0..<50 {
            guard case .unavailable(let reason) = await look() else { throw SupportError("it was available") }
            #expect(reason.hasPrefix("there is no file"))
        }
        #expect(await store.algorithms(realm: "example.com") == [.md5])
        #expect(book.all.count == 1)
        clock.advance(by: .seconds(60))
        _ = await look()
        #expect(book.all.count == 2)

        let next = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'example.com', '\(Alice.sha256)')")
        try FileManager.default.moveItem(atPath: next.path, toPath: file.path)
        #expect(await look() == .found(AccountSecrets(md5: nil, sha256: Alice.sha256)))
        // One that takes the place of an open one.
        _ = rename("\(file.path).away", file.path)
        #expect(await look() == .found(Alice.secrets))
        // One without the table.
        try file.execute("DROP TABLE subscriber")
        guard case .unavailable = await look() else { throw SupportError("it was available") }
        try file.execute(ForeignFile.schema)
        #expect(await look() == .unknown)
        #expect(book.all.count == 2)
        #expect(book.all.allSatisfy { $0.hasPrefix("error: accounts can't be looked up") })
    }

    @Test("after a failure the disk is left alone for a moment")
    func pause() async throws {
        let file = try ForeignFile(ForeignFile.schema)
        let clock = TestClock()
        let store = try await file.open(clock: clock)
        try FileManager.default.moveItem(atPath: file.path, toPath: "\(file.path).away")
        guard case .unavailable = await store.lookUp(username: "a", realm: "b") else { throw SupportError("open") }
        try FileManager.default.moveItem(atPath: "\(file.path).away", toPath: file.path)
        guard case .unavailable = await store.lookUp(username: "a", realm: "b") else { throw SupportError("open") }
        clock.advance(by: SubscriberFile.retryPause)
        #expect(await store.lookUp(username: "a", realm: "b") == .unknown)
    }

    @Test("another process may write meanwhile, in both journal modes", arguments: ["delete", "wal"])
    func writer(mode: String) async throws {
        let file = try ForeignFile("PRAGMA journal_mode = \(mode)", ForeignFile.schema)
        var cache = AccountDatabase.Cache()
        cache.lifetime = .zero
        let store = try await file.open(SubscriberTable(), cache)
        let writer = try DatabaseQueue(path: file.path)
        for number in 0..<50 {
            try await writer.write { database in
                try database.execute(
                    sql: "INSERT INTO subscriber (username, domain, ha1) VALUES (?, 'example.com', ?)",
                    arguments: ["user\(number)", Alice.md5])
            }
            #expect(await store.lookUp(username: "user\(number)", realm: "example.com") == .found(Alice.secrets))
        }
    }

    @Test("a lock that another process keeps makes look-ups unavailable, and only until it is gone")
    func locked() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'example.com', '\(Alice.md5)')")
        let clock = TestClock()
        let store = try await file.open(clock: clock)
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let writer = try DatabaseQueue(path: file.path, configuration: configuration)
        try await writer.writeWithoutTransaction { try $0.execute(sql: "BEGIN EXCLUSIVE") }
        guard case .unavailable(let reason) = await store.lookUp(username: "alice", realm: "example.com") else {
            throw SupportError("it was available")
        }
        #expect(reason == "'\(file.path)' has been locked by another process for 2 s")
        try await writer.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        clock.advance(by: SubscriberFile.retryPause)
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.secrets))
    }

    @Test("a file that is only read is not changed")
    func untouched() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'example.com', '\(Alice.md5)')")
        let before = try Data(contentsOf: URL(fileURLWithPath: file.path))
        let store = try await file.open()
        _ = await store.lookUp(username: "alice", realm: "example.com")
        _ = await store.algorithms(realm: "example.com")
        await store.close()
        #expect(try Data(contentsOf: URL(fileURLWithPath: file.path)) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: file.folder.path) == ["sip.sqlite"])
        guard case .unavailable = await store.lookUp(username: "alice", realm: "example.com") else {
            throw SupportError("it was not closed")
        }
    }
}
