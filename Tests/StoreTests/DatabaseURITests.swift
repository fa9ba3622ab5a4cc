import DigestAuth
import Foundation
import Support
import Testing

@testable import Store

@Suite("The database's URI")
struct DatabaseURITests {
    @Test(
        "sqlite:///path is an absolute path",
        arguments: [
            ("sqlite:///var/lib/a.sqlite", "/var/lib/a.sqlite"), ("sqlite:/var/lib/a.sqlite", "/var/lib/a.sqlite"),
            ("sqlite:////var/lib/a.sqlite", "/var/lib/a.sqlite"), ("SQLite:///a", "/a"),
            ("sqlite://localhost/a", "/a"), ("sqlite:///with%20blank%3F.db", "/with blank?.db"),
            ("sqlite:///a.db?debug=1&cache=None", "/a.db"), ("sqlite:///a@b:c.db", "/a@b:c.db"),
        ])
    func sqlite(text: String, path: String) throws {
        #expect(try DatabaseURI(text) == .sqlite(path: path))
    }

    @Test(
        "what can't be read is answered with what would be right",
        arguments: [
            "", "accounts.sqlite", "/var/lib/accounts.sqlite", "sqlite:accounts.sqlite", "sqlite://accounts.sqlite",
            "sqlite:///", "sqlite:///folder/", "sqlite:/:memory:", "sqlite:///a%", "sqlite:///a%00b", "oracle://a/b",
        ])
    func misspelt(text: String) throws {
        let error = #expect(throws: StoreError.self) { try DatabaseURI(text) }
        #expect(error?.option == .uri)
        #expect(error?.description.contains("write sqlite:///") == true)
    }

    @Test(
        "servers that can't be asked yet: the text has both ways on, and no password",
        arguments: [
            "mysql://opensips:hunter2@db.example.com/opensips",
            "mysql+pymysql://opensips:hunter2@db.example.com:3307/x",
            "postgres://kamailio:hunter2@db.example.com/kamailio",
            "postgresql://kamailio:hunter2@db.example.com:5433/x",
            "mysql://a:hunter2@b@db.example.com/x",
        ])
    func servers(uri: String) throws {
        let text = try #require(throws: StoreError.self) { try DatabaseURI(uri) }.description
        #expect(!text.contains("hunter2"))
        for part in ["-h db.example.com", "sqlite3 accounts.new", "uri = sqlite:///", "[Memory]", "confd account add"] {
            #expect(text.contains(part))
        }
    }

    @Test("what stands in a URI does nothing in the shell it is shown for")
    func shell() throws {
        let uri = "mysql://u$(x):p@host;reboot/db'; rm -rf /"
        let text = try #require(throws: StoreError.self) { try DatabaseURI(uri) }.description
        #expect(text.contains("-h 'host;reboot'"))
        #expect(text.contains("-u 'u$(x)'"))
        #expect(text.contains("'db'\\''; rm -rf /'"))
    }

    @Test("the steps shown for MySQL and PostgreSQL give a file that can be used", arguments: ["mysql", "postgres"])
    func steps(kind: String) async throws {
        guard Tool.exists("sqlite3") else { return print("skipped: sqlite3 is not installed") }
        let text = try #require(throws: StoreError.self) { try DatabaseURI("\(kind)://u@h/d") }.description
        let steps = text.split(separator: "\n").filter { $0.hasPrefix(String(repeating: " ", count: 7)) }
        #expect(steps.count == 6)
        let folder = try TemporaryFolder()
        // What the servers' clients write: quotes, a comma and a backslash in the password.
        let row = kind == "mysql" ? "alice\texample.com\t\"a,\\b\t" : "alice,example.com,\"\"\"a,\\b\","
        // A copy made by another process: a file that this one has had open for writing may be busy still, in a child that
        // some other test starts at this moment.
        let draft = try folder.write("#!/bin/sh\ncat <<'END'\n\(row)\nEND\n", to: "draft")
        let program = "\(folder.path)/\(kind == "mysql" ? "mysql" : "psql")"
        #expect(try Tool.run("install", ["-m", "700", draft, program]).exit == .exited(0))
        #expect(unlink(draft) == 0)
        let script = (["set -e", "PATH=\(folder.path):$PATH"] + steps.map(String.init)).joined(separator: "\n")
        let result = try Tool.run(
            "sh", ["-c", script.replacingOccurrences(of: "/var/lib/confd", with: folder.path)])
        #expect(result.exit == .exited(0), "\(result.errors)")
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder.path)).count == 2)
        var table = SubscriberTable()
        table.hasClearTextPasswords = true
        let store = try await AccountDatabase.open(
            path: "\(folder.path)/accounts.sqlite", table: table, logger: .silent)
        #expect(
            await store.lookUp(username: "alice", realm: "example.com")
                == .found(.init(username: "alice", realm: "example.com", password: "\"a,\\b")))
    }
}
