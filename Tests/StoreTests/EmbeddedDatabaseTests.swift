import DigestAuth
import Foundation
import GRDB
import MediaMixer
import Support
import Testing

@testable import Store

@Suite("The embedded database")
struct EmbeddedDatabaseTests {
    private static let alice = AccountName.of("alice@example.com")

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }

    @Test("an account is added, listed, changed, removed; the reader sees each at once")
    func life() async throws {
        let folder = try TemporaryFolder()
        let store = try await AccountDatabase.openEmbedded(stateDirectory: folder.path, logger: .silent)
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path, reader: store)
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .unknown)
        try await database.add(Self.alice, password: "secret")
        #expect(store.known(username: "alice", realm: "example.com") == nil)
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.both))
        #expect(await store.algorithms(realm: "example.com") == [.sha256, .md5])

        try await database.setPassword(Self.alice, password: "other")
        let other = AccountSecrets(username: "alice", realm: "example.com", password: "other")
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(other))
        try await database.add(AccountName.of("Alice@a.example"), password: "x")
        #expect(try await database.accounts().map(\.description) == ["Alice@a.example", "alice@example.com"])

        try await database.remove(Self.alice)
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .unknown)
        #expect(try await database.contains(Self.alice) == false)
    }

    @Test("what can't be done is said, and changes nothing")
    func refusals() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.add(Self.alice, password: "secret")
        let twice = await #expect(throws: StoreError.self) { try await database.add(Self.alice, password: "x") }
        #expect(twice?.description.contains("confd account passwd alice@example.com") == true)
        let bob = AccountName.of("bob@example.com")
        let nobody = await #expect(throws: StoreError.self) { try await database.setPassword(bob, password: "x") }
        #expect(nobody?.description.contains("confd account add bob@example.com") == true)
        await #expect(throws: StoreError("there is no account bob@example.com")) { try await database.remove(bob) }
        let store = try await AccountDatabase.openEmbedded(stateDirectory: folder.path, logger: .silent)
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.both))
    }

    @Test("no password is in any of its files, and only the owner may read them")
    func secrecy() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.add(Self.alice, password: "a very secret password")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(Set(names) == ["confd.sqlite", "confd.sqlite-wal", "confd.sqlite-shm"])
        for name in names {
            #expect(try mode("\(folder.path)/\(name)") == 0o600)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/\(name)"))
            #expect(bytes.range(of: Data("very secret".utf8)) == nil)
        }
        await database.close()
        chmod(database.path, 0o644)
        _ = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try mode(database.path) == 0o600)
    }

    @Test("a file of any earlier version is brought up to date, its accounts kept", arguments: Versions.all)
    func migration(version: Versions) async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/\(EmbeddedDatabase.fileName)"
        do {
            let queue = try DatabaseQueue(path: path)
            if let identifier = version.identifier {
                try Migrations.migrator.migrate(queue, upTo: identifier)
                try await queue.write { database in
                    try database.execute(
                        sql: "INSERT INTO subscriber (username, domain, ha1, ha1_sha256) VALUES (?, ?, ?, ?)",
                        arguments: ["alice", "example.com", Alice.md5, Alice.sha256])
                }
            }
            try queue.close()
        }
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await database.accounts() == (version.identifier == nil ? [] : [Self.alice]))
        let store = try await AccountDatabase.openEmbedded(stateDirectory: folder.path, logger: .silent)
        #expect(
            await store.lookUp(username: "alice", realm: "example.com")
                == (version.identifier == nil ? .unknown : .found(Alice.both)))
    }

    @Test("the file of version 0.1.0, statement by statement as it was written, takes rooms, policies and aliases")
    func previousVersion() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/\(EmbeddedDatabase.fileName)"
        do {
            let queue = try DatabaseQueue(path: path)
            try await queue.write { database in
                try database.execute(
                    sql: """
                        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
                        INSERT INTO grdb_migrations VALUES ('accounts');
                        CREATE TABLE subscriber (
                            id INTEGER PRIMARY KEY,
                            username TEXT NOT NULL,
                            domain TEXT NOT NULL COLLATE NOCASE,
                            ha1 TEXT NOT NULL CHECK (length(ha1) = 32),
                            ha1_sha256 TEXT NOT NULL CHECK (length(ha1_sha256) = 64),
                            UNIQUE (username, domain)
                        ) STRICT;
                        INSERT INTO subscriber VALUES (1, 'alice', 'example.com', '\(Alice.md5)', '\(Alice.sha256)')
                        """)
            }
            try queue.close()
        }
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await database.accounts() == [Self.alice])
        let room = RoomAddress(user: "lobby", domain: "example.com")
        let stored = StoredRoom(address: room, configuration: RoomConfiguration(address: room, title: "x"))
        try await database.save(stored)
        try await database.setPolicy(PolicyDocument(content: [1], etag: "e"), of: room)
        try await database.addAlias(AccountName.of("sales@example.com"), of: Self.alice)
        await database.close()
        let again = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await again.rooms() == [stored])
        #expect(try await again.policy(of: room)?.etag == "e")
        #expect(try await again.aliases().count == 1)
    }

    /// Nothing, and after each migration.
    struct Versions: Sendable, CustomStringConvertible {
        var identifier: String?
        var description: String { identifier ?? "empty" }

        static var all: [Versions] {
            [Versions()] + Migrations.migrator.migrations.map { Versions(identifier: $0) }
        }
    }

    @Test("a file of a newer version is left alone")
    func newer() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        await database.close()
        try await DatabaseQueue(path: database.path).write {
            try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('from the future')")
        }
        let error = await #expect(throws: StoreError.self) {
            _ = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        }
        #expect(error?.description.contains("newer confd") == true)
    }

    @Test("several that make the file at one moment get one file with one schema")
    func together() async throws {
        let folder = try TemporaryFolder()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
                    try await database.add(AccountName.of("user\(number)@example.com"), password: "x")
                }
            }
            try await group.waitForAll()
        }
        #expect(try await EmbeddedDatabase.open(stateDirectory: folder.path).accounts().count == 8)
    }

    @Test("a folder that can't be written is named")
    func noFolder() async throws {
        let error = await #expect(throws: StoreError.self) {
            _ = try await EmbeddedDatabase.open(stateDirectory: "/nonexistent/folder")
        }
        #expect(error?.description.contains("/nonexistent/folder/confd.sqlite") == true)
    }
}

extension AccountName {
    static func of(_ text: String) -> AccountName {
        do { return try AccountName(text) } catch { preconditionFailure("\(error)") }
    }
}
