import DigestAuth
import Foundation
import GRDB
import Support
import Testing

@testable import Store

@Suite("A writer that was killed in the middle of a change")
struct KilledWriterTests {
    /// Runs the statements in sqlite3, which is killed before it could end the transaction. With so small a cache what
    /// it changed is in the files already.
    private static func kill(path: String, mode: String, statements: [String]) throws {
        guard let sqlite = Tool.path("sqlite3") else { throw SupportError("sqlite3 is not installed") }
        let folder = try TemporaryFolder()
        let child = try ChildProcess(sqlite, [path], folder: folder.path, name: "sqlite3", hasInput: true)
        let filler = """
            CREATE TABLE filler (text TEXT);
            INSERT INTO filler WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
            SELECT hex(randomblob(200)) FROM n;
            """
        let script =
            ["PRAGMA journal_mode = \(mode);", "PRAGMA cache_size = 1;", "BEGIN IMMEDIATE;"] + statements
            + [filler, ".print changed\n"]
        try child.write(script.joined(separator: "\n"))
        _ = try child.line(startingWith: "changed", within: 20)
        child.signal(SIGKILL)
        #expect(try child.waitForExit(within: 10) == .killed(signal: SIGKILL))
    }

    @Test(
        "the embedded database is as it was before, in both journal modes",
        .enabled(if: Tool.exists("sqlite3"), "sqlite3 is not installed"), arguments: ["wal", "delete"])
    func account(mode: String) async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.add(AccountName.of("alice@example.com"), password: "secret")
        await database.close()
        try Self.kill(
            path: database.path, mode: mode,
            statements: [
                "DELETE FROM subscriber;",
                "INSERT INTO subscriber (username, domain, ha1, ha1_sha256) VALUES ('half', 'example.com', '\(Alice.md5)', '\(Alice.sha256)');",
            ])
        if mode == "delete" {
            #expect(FileManager.default.fileExists(atPath: "\(database.path)-journal"))
        }

        let store = try await AccountDatabase.openEmbedded(stateDirectory: folder.path, logger: .silent)
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.both))
        #expect(await store.lookUp(username: "half", realm: "example.com") == .unknown)
        let again = try await EmbeddedDatabase.open(stateDirectory: folder.path, reader: store)
        try await again.add(AccountName.of("half@example.com"), password: "secret")
        #expect(try await again.accounts().count == 2)
    }

    @Test(
        "a migration that was not finished is made anew",
        .enabled(if: Tool.exists("sqlite3"), "sqlite3 is not installed"), arguments: ["wal", "delete"])
    func migration(mode: String) async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/\(EmbeddedDatabase.fileName)"
        try Self.kill(
            path: path, mode: mode,
            statements: [
                "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);",
                "INSERT INTO grdb_migrations VALUES ('accounts');", "CREATE TABLE subscriber (nonsense TEXT);",
            ])
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.add(AccountName.of("alice@example.com"), password: "secret")
        #expect(try await database.accounts() == [AccountName.of("alice@example.com")])
    }

    @Test(
        "a SIP server's file waits for its writer, which is said, and works on afterwards",
        .enabled(if: Tool.exists("sqlite3"), "sqlite3 is not installed"))
    func foreign() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'example.com', '\(Alice.md5)')")
        let clock = TestClock()
        let store = try await file.open(clock: clock)
        try Self.kill(path: file.path, mode: "delete", statements: ["DELETE FROM subscriber;"])
        guard case .unavailable(let reason) = await store.lookUp(username: "alice", realm: "example.com") else {
            throw SupportError("it was available")
        }
        #expect(reason.hasPrefix("'\(file.path)' was left in the middle of a change"))
        let error = await #expect(throws: StoreError.self) { _ = try await file.open() }
        #expect(error?.option == .uri)

        // The writer comes back.
        _ = try Tool.run("sqlite3", [file.path, "SELECT count(*) FROM subscriber"])
        clock.advance(by: SubscriberFile.retryPause)
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.secrets))
    }
}
