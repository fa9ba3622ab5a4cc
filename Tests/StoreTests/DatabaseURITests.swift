import DigestAuth
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
        let commands = text.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("sqlite3 ") }
        #expect(commands.count == 2)
        let folder = try TemporaryFolder()
        // What the first step would have written: a tab or comma, quotes and a backslash in passwords.
        if kind == "mysql" {
            _ = try folder.write("alice\texample.com\t\"a,\\b\t\n", to: "subscriber.tsv")
        } else {
            _ = try folder.write("alice,example.com,\"\"\"a,\\b\",\n", to: "subscriber.csv")
        }
        let script = "cd '\(folder.path)' && " + commands.joined(separator: " && ")
        let result = try Tool.run("sh", ["-c", script])
        #expect(result.exit == .exited(0))
        var table = SubscriberTable()
        table.hasClearTextPasswords = true
        let store = try await AccountDatabase.open(path: "\(folder.path)/accounts.new", table: table, logger: .silent)
        #expect(
            await store.lookUp(username: "alice", realm: "example.com")
                == .found(.init(username: "alice", realm: "example.com", password: "\"a,\\b")))
    }
}
