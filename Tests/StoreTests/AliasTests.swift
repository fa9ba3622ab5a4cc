import DigestAuth
import Foundation
import GRDB
import Support
import Testing

@testable import Store

@Suite("Aliases of accounts")
struct AliasTests {
    private static let alice = AccountName.of("alice@example.com")
    private static let bob = AccountName.of("bob@example.com")
    private static let sales = AccountName.of("Sales@shop.example")

    @Test("an alias is added, listed, read by who lets callers in, removed")
    func life() async throws {
        let folder = try TemporaryFolder()
        let store = try await AccountDatabase.openEmbedded(stateDirectory: folder.path, logger: .silent)
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path, reader: store)
        for account in [Self.alice, Self.bob] { try await database.add(account, password: "x") }
        #expect(await store.aliases(username: "alice", realm: "example.com") == [])
        try await database.addAlias(Self.sales, of: Self.alice)
        try await database.addAlias(Self.sales, of: Self.bob)
        try await database.addAlias(AccountName.of("+4930123456@example.com"), of: Self.alice)
        #expect(
            await store.aliases(username: "alice", realm: "EXAMPLE.com")
                == ["+4930123456@example.com", "Sales@shop.example"])
        for name in ["Alice", "alice\0", "", "%"] {
            #expect(await store.aliases(username: name, realm: "example.com") == [])
        }
        #expect(
            try await database.aliases(of: Self.alice).map(\.alias.description) == [
                "+4930123456@example.com", "Sales@shop.example",
            ])
        #expect(
            try await database.aliases().map { "\($0.account) \($0.alias)" } == [
                "alice@example.com +4930123456@example.com", "alice@example.com Sales@shop.example",
                "bob@example.com Sales@shop.example",
            ])
        try await database.removeAlias(Self.sales, of: Self.alice)
        #expect(await store.aliases(username: "alice", realm: "example.com") == ["+4930123456@example.com"])
        #expect(await store.aliases(username: "bob", realm: "example.com") == ["Sales@shop.example"])
    }

    @Test("an alias goes with its account")
    func removal() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.add(Self.alice, password: "x")
        try await database.addAlias(Self.sales, of: Self.alice)
        try await database.remove(Self.alice)
        try await database.add(Self.alice, password: "y")
        #expect(try await database.aliases().isEmpty)
    }

    @Test("what can't be an alias is said, and changes nothing")
    func refusals() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.add(Self.alice, password: "x")
        try await database.add(Self.bob, password: "x")
        let cases: [(alias: AccountName, account: AccountName, says: String)] = [
            (Self.sales, AccountName.of("nobody@example.com"), "there is no account nobody@example.com"),
            (Self.bob, Self.alice, "bob@example.com is an account of its own"),
            (Self.alice, Self.alice, "own name"),
        ]
        for (alias, account, text) in cases {
            let error = await #expect(throws: StoreError.self) { try await database.addAlias(alias, of: account) }
            #expect(error?.description.contains(text) == true)
        }
        try await database.addAlias(Self.sales, of: Self.alice)
        await #expect(throws: StoreError.self) { try await database.addAlias(Self.sales, of: Self.alice) }
        await #expect(throws: StoreError.self) { try await database.removeAlias(Self.sales, of: Self.bob) }
        #expect(try await database.aliases().count == 1)
    }

    @Test("an account has at most as many aliases as are read")
    func bound() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.add(Self.alice, password: "x")
        for number in 0..<AccountDatabase.mostAliases {
            try await database.addAlias(AccountName.of("a\(number)@example.com"), of: Self.alice)
        }
        await #expect(throws: StoreError.self) { try await database.addAlias(Self.sales, of: Self.alice) }
    }

    @Test("the table dbaliases of a SIP server is read, too; without one there are none")
    func foreign() async throws {
        let plain = try ForeignFile(ForeignFile.schema)
        #expect(try await plain.open().aliases(username: "alice", realm: "example.com") == [])
        let file = try ForeignFile(
            ForeignFile.schema,
            """
            CREATE TABLE dbaliases (id INTEGER PRIMARY KEY, alias_username VARCHAR(64), alias_domain VARCHAR(64),
            username VARCHAR(64), domain VARCHAR(64))
            """, "INSERT INTO dbaliases VALUES (1, 'Sales', 'Shop.example', 'alice', 'Example.com')",
            "INSERT INTO dbaliases VALUES (2, NULL, 'shop.example', 'alice', 'example.com')")
        let store = try await file.open()
        #expect(await store.aliases(username: "alice", realm: "example.com") == ["Sales@shop.example"])
        #expect(await store.aliases(username: "bob", realm: "example.com") == [])
        let other = try ForeignFile(ForeignFile.schema, "CREATE TABLE dbaliases (username TEXT)")
        #expect(try await other.open().aliases(username: "alice", realm: "example.com") == [])
    }
}
