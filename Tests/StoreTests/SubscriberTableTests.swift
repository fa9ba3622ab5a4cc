import DigestAuth
import Foundation
import GRDB
import Support
import Testing

@testable import Store

@Suite("A subscriber table")
struct SubscriberTableTests {
    @Test("the hash is read in any case; names compare exactly, domains do not")
    func look() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'Example.com', '\(Alice.md5.uppercased())')"
        )
        let store = try await file.open()
        #expect(await store.lookUp(username: "alice", realm: "example.COM") == .found(Alice.secrets))
        for name in ["Alice", "alice ", "alic", "", "alice\0", "alice\0x", "a%", "alice' OR '1'='1"] {
            #expect(await store.lookUp(username: name, realm: "example.com") == .unknown)
        }
        #expect(await store.lookUp(username: "alice", realm: "example.org") == .unknown)
        #expect(await store.lookUp(username: "alice", realm: "") == .unknown)
    }

    @Test("a table that compares names without case gives nobody another's account")
    func collation() async throws {
        let file = try ForeignFile(
            """
            CREATE TABLE subscriber (username TEXT COLLATE NOCASE, domain TEXT COLLATE NOCASE, ha1 TEXT,
            UNIQUE (username, domain))
            """, "INSERT INTO subscriber VALUES ('alice', 'example.com', '\(Alice.md5)')")
        let store = try await file.open()
        #expect(await store.lookUp(username: "alice", realm: "EXAMPLE.com") == .found(Alice.secrets))
        #expect(await store.lookUp(username: "ALICE", realm: "example.com") == .unknown)
    }

    @Test("names of digits are the same only when all digits are, whatever type the column has")
    func numbers() async throws {
        for type in ["INTEGER", "TEXT", "NUMERIC"] {
            let file = try ForeignFile(
                "CREATE TABLE subscriber (username \(type), domain TEXT, ha1 TEXT)",
                "INSERT INTO subscriber VALUES ('1000', 'example.com', '\(Alice.md5)')")
            let store = try await file.open()
            #expect(await store.lookUp(username: "1000", realm: "example.com") == .found(Alice.secrets))
            for name in ["01000", "1000.0", "1e3", "+1000"] {
                #expect(await store.lookUp(username: name, realm: "example.com") == .unknown)
            }
        }
    }

    @Test("clear text gives both hashes, with the realm as it was asked for")
    func clearText() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, password, ha1) VALUES ('alice', 'example.com', 'secret', 'x')",
            "INSERT INTO subscriber (username, domain, password) VALUES ('empty', 'example.com', '')",
            "INSERT INTO subscriber (username, domain, password) VALUES ('null', 'example.com', NULL)")
        var table = SubscriberTable()
        table.hasClearTextPasswords = true
        let store = try await file.open(table, clock: TestClock())
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.both))
        #expect(
            await store.lookUp(username: "alice", realm: "EXAMPLE.com")
                == .found(AccountSecrets(username: "alice", realm: "EXAMPLE.com", password: "secret")))
        #expect(store.known(username: "alice", realm: "example.com") == .found(Alice.both))
        for name in ["empty", "null"] {
            #expect(await store.lookUp(username: name, realm: "example.com") == .unknown)
        }
        #expect(await store.algorithms(realm: "example.com") == [.sha256, .md5])
    }

    @Test("a user name that brings its domain is that account's, by clear text or a hash made for it (ha1b)")
    func withDomain() async throws {
        let hash = DigestAlgorithm.md5.hash("alice@example.com:example.com:secret")
        let file = try ForeignFile(
            "CREATE TABLE subscriber (username TEXT, domain TEXT, password TEXT, ha1 TEXT, ha1b TEXT)",
            "INSERT INTO subscriber VALUES ('alice', 'example.com', 'secret', '\(Alice.md5)', '\(hash)')",
            "INSERT INTO subscriber VALUES ('bob', 'example.com', 'secret', '\(Alice.md5)', NULL)")
        let store = try await file.open()
        #expect(
            await store.lookUp(username: "alice@Example.com", realm: "example.com")
                == .found(AccountSecrets(md5: hash, sha256: nil)))
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.secrets))
        for name in ["alice@example.org", "bob@example.com", "alice@", "@example.com"] {
            #expect(await store.lookUp(username: name, realm: "example.com") == .unknown)
        }
        var table = SubscriberTable()
        table.hasClearTextPasswords = true
        #expect(
            await (try file.open(table)).lookUp(username: "bob@example.com", realm: "example.com")
                == .found(AccountSecrets(username: "bob@example.com", realm: "example.com", password: "secret")))
    }

    @Test("a password of digits in a column without a type is what was written")
    func passwordOfDigits() async throws {
        let file = try ForeignFile(
            "CREATE TABLE subscriber (username, domain, password)",
            "INSERT INTO subscriber VALUES ('alice', 'example.com', 1234)")
        var table = SubscriberTable()
        table.hasClearTextPasswords = true
        let store = try await file.open(table)
        #expect(
            await store.lookUp(username: "alice", realm: "example.com")
                == .found(AccountSecrets(username: "alice", realm: "example.com", password: "1234")))
    }

    @Test("64 digits in the hash column are a SHA-256 hash (RFC 7616 section 3.4.2); what is no hash is no account")
    func lengths() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'example.com', '\(Alice.sha256)')",
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('short', 'example.com', 'abc')",
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('odd', 'example.com', '\(String(repeating: "g", count: 32))')",
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('null', 'example.com', NULL)")
        let store = try await file.open()
        #expect(
            await store.lookUp(username: "alice", realm: "example.com")
                == .found(AccountSecrets(md5: nil, sha256: Alice.sha256)))
        for name in ["short", "odd", "null"] {
            #expect(await store.lookUp(username: name, realm: "example.com") == .unknown)
        }
    }

    @Test("SHA-256 is offered where every account of the realm has its hash (RFC 8760 section 2.4)")
    func algorithms() async throws {
        let file = try ForeignFile(
            "CREATE TABLE subscriber (username TEXT, domain TEXT, ha1 TEXT, ha1_sha256 TEXT)",
            "INSERT INTO subscriber VALUES ('alice', 'all.example', '\(Alice.md5)', '\(Alice.sha256)')",
            "INSERT INTO subscriber VALUES ('bob', 'ALL.example', '\(Alice.md5)', '\(Alice.sha256)')",
            "INSERT INTO subscriber VALUES ('alice', 'null.example', '\(Alice.md5)', '\(Alice.sha256)')",
            "INSERT INTO subscriber VALUES ('bob', 'null.example', '\(Alice.md5)', NULL)",
            "INSERT INTO subscriber VALUES ('alice', 'empty.example', '\(Alice.md5)', '')",
            "INSERT INTO subscriber VALUES ('alice', 'only.example', '\(Alice.sha256)', NULL)")
        let store = try await file.open()
        #expect(await store.algorithms(realm: "all.example") == [.sha256, .md5])
        #expect(await store.algorithms(realm: "All.Example") == [.sha256, .md5])
        #expect(await store.algorithms(realm: "null.example") == [.md5])
        #expect(await store.algorithms(realm: "empty.example") == [.md5])
        #expect(await store.algorithms(realm: "only.example") == [.sha256, .md5])
        #expect(await store.algorithms(realm: "nobody.example") == [.md5])
        #expect(await store.lookUp(username: "alice", realm: "all.example") == .found(Alice.both))
        #expect(await store.lookUp(username: "bob", realm: "null.example") == .found(Alice.secrets))
    }

    @Test("a table without that column is good for MD5 alone")
    func withoutColumn() async throws {
        let file = try ForeignFile(ForeignFile.schema)
        #expect(await (try file.open()).algorithms(realm: "example.com") == [.md5])
    }

    @Test("the offer follows what another process writes, when its time is over")
    func algorithmsFollow() async throws {
        let file = try ForeignFile(
            "CREATE TABLE subscriber (username TEXT, domain TEXT, ha1 TEXT, ha1_sha256 TEXT)",
            "INSERT INTO subscriber VALUES ('alice', 'example.com', '\(Alice.md5)', '\(Alice.sha256)')")
        let clock = TestClock()
        let store = try await file.open(clock: clock)
        #expect(store.knownAlgorithms(realm: "example.com") == nil)
        #expect(await store.algorithms(realm: "example.com") == [.sha256, .md5])
        #expect(store.knownAlgorithms(realm: "example.com") == [.sha256, .md5])
        try file.execute("INSERT INTO subscriber VALUES ('bob', 'example.com', '\(Alice.md5)', NULL)")
        #expect(await store.algorithms(realm: "example.com") == [.sha256, .md5])
        clock.advance(by: .seconds(6))
        #expect(store.knownAlgorithms(realm: "example.com") == nil)
        #expect(await store.algorithms(realm: "example.com") == [.md5])
        try file.execute("UPDATE subscriber SET ha1_sha256 = '\(Alice.sha256)'")
        store.forget()
        #expect(await store.algorithms(realm: "example.com") == [.sha256, .md5])
    }

    @Test("the offer is that of the file that is in the place now")
    func algorithmsOfReplacement() async throws {
        let schema = "CREATE TABLE subscriber (username TEXT, domain TEXT, ha1 TEXT, ha1_sha256 TEXT)"
        let file = try ForeignFile(
            schema, "INSERT INTO subscriber VALUES ('alice', 'example.com', '\(Alice.md5)', '\(Alice.sha256)')")
        let next = try ForeignFile(
            schema, "INSERT INTO subscriber VALUES ('alice', 'example.com', '\(Alice.md5)', NULL)")
        var cache = AccountDatabase.Cache()
        cache.lifetime = .zero
        let store = try await file.open(SubscriberTable(), cache)
        #expect(await store.algorithms(realm: "example.com") == [.sha256, .md5])
        #expect(rename(next.path, file.path) == 0)
        #expect(await store.algorithms(realm: "example.com") == [.md5])
    }

    @Test("many who ask at a time, of many realms, are all answered")
    func crowd() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'example.com', '\(Alice.md5)')")
        let store = try await file.open()
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<500 {
                group.addTask { await store.algorithms(realm: "realm\(number).example") == [.md5] }
                group.addTask { await store.lookUp(username: "user\(number)", realm: "example.com") == .unknown }
                group.addTask {
                    await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.secrets)
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }

    @Test("table and columns may have any name, and a name is never SQL")
    func oddNames() async throws {
        let file = try ForeignFile(
            "CREATE TABLE \"my \"\"users\"\"; --\" (\"user name\" TEXT, \"select\" TEXT, \"ha1'); DROP TABLE x; --\" TEXT)",
            "INSERT INTO \"my \"\"users\"\"; --\" VALUES ('alice', 'example.com', '\(Alice.md5)')")
        var table = SubscriberTable()
        table.table = "MY \"users\"; --"
        table.username = "user name"
        table.domain = "SELECT"
        table.ha1 = "ha1'); DROP TABLE x; --"
        let store = try await file.open(table)
        #expect(await store.lookUp(username: "alice", realm: "example.com") == .found(Alice.secrets))

        for hostile in ["1", "username\" OR 1=1 --", "ha1'", "*", "rowid", "\"\"", ""] {
            var other = table
            other.ha1 = hostile
            let error = await #expect(throws: StoreError.self) { _ = try await file.open(other) }
            #expect(error?.option == .ha1Column)
            #expect(error?.description.contains("user name") == true)
            other = table
            other.table = hostile
            await #expect(throws: StoreError.self) { _ = try await file.open(other) }
        }
    }

    @Test("a view will do")
    func view() async throws {
        let file = try ForeignFile(
            "CREATE TABLE people (who TEXT, secret TEXT)", "INSERT INTO people VALUES ('alice', '\(Alice.md5)')",
            "CREATE VIEW subscriber AS SELECT who AS username, 'example.com' AS domain, secret AS ha1 FROM people")
        #expect(
            await (try file.open()).lookUp(username: "alice", realm: "example.com") == .found(Alice.secrets))
    }

    @Test("an account is found by the table's index")
    func index() throws {
        let file = try ForeignFile(ForeignFile.schema)
        let plan = try DatabaseQueue(path: file.path).read { database in
            let shape = try TableShape(database, SubscriberTable(), path: file.path)
            return try Row.fetchAll(
                database, sql: "EXPLAIN QUERY PLAN \(shape.accountQuery)",
                arguments: ["username": "alice", "domain": "example.com"]
            ).map { row -> String in row["detail"] }
        }
        #expect(plan.first?.hasPrefix("SEARCH subscriber USING INDEX") == true, "\(plan)")
    }
}
