import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("confd account alias")
    struct AccountCommandAliasTests {
        @Test("an alias is added, listed, removed; what can't be done is said, with exit status 1")
        func life() throws {
            let folder = try TemporaryFolder()
            let file = try folder.write(
                "[SIP]\nauth = required\n[Conference]\nstate_directory = \(folder.path)/state\n", to: "confd.ini")
            func account(_ arguments: String..., input: String? = nil) throws -> Tool.Result {
                try Tool.run(
                    ConfdProcess.executable, ["account"] + arguments + ["--config-file", file], input: input)
            }
            #expect(try account("alias", "list").output == "")
            #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/state"))
            for name in ["alice@example.com", "bob@example.com"] {
                #expect(try account("add", name, input: "secret\n").exit == .exited(0))
            }
            let added = try account("alias", "add", "alice@example.com", "Sales@Shop.example")
            #expect(added.exit == .exited(0), "\(added.errors)")
            #expect(try account("alias", "add", "bob@example.com", "Sales@shop.example").exit == .exited(0))
            #expect(
                try account("alias", "list").output == """
                    account            alias
                    alice@example.com  Sales@shop.example
                    bob@example.com    Sales@shop.example

                    """)
            #expect(
                try account("alias", "list", "bob@example.com", "--json").output == """
                    [{"account": "bob@example.com", "alias": "Sales@shop.example"}]

                    """)
            let cases: [(arguments: [String], says: String)] = [
                (["add", "alice@example.com", "bob@example.com"], "an account of its own"),
                (["add", "alice@example.com", "Sales@shop.example"], "already"),
                (["add", "nobody@example.com", "x@example.com"], "there is no account nobody@example.com"),
                (["add", "alice@example.com", "x"], "write user@domain"),
                (["remove", "alice@example.com", "x@example.com"], "has no alias"),
                (["list", "nobody@example.com"], "there is no account nobody@example.com"),
            ]
            for (arguments, text) in cases {
                let result = try Tool.run(
                    ConfdProcess.executable, ["account", "alias"] + arguments + ["--config-file", file])
                #expect(result.exit == .exited(1))
                #expect(result.output == "")
                #expect(result.errors.contains(text), "\(result.errors)")
            }
            #expect(try account("alias", "remove", "alice@example.com", "sales@shop.example").exit == .exited(1))
            #expect(try account("alias", "remove", "alice@example.com", "Sales@shop.example").exit == .exited(0))
            #expect(try account("remove", "bob@example.com").exit == .exited(0))
            #expect(try account("alias", "list").output == "")
        }

        @Test("while the server runs, a caller may be whom an alias of the account says, and nobody else")
        func calling() throws {
            let confd = try ConfdProcess([
                "SIP": ["auth": "required"], "Database": ["cache_time": "0 s"],
                "Room lobby@example.com": ["title": "The lobby"],
            ])
            #expect(try confd.run("account", "add", "alice@example.com", input: "secret\n").exit == .exited(0))
            func call(as user: String) throws -> Int {
                let sip = try RawSIPClient(.udp, to: confd, user: user, domain: "example.com")
                sip.credentials = SIPCredentials(username: "alice", password: "secret")
                let call = try sip.invite("sip:lobby@example.com", offer: Offer().text)
                if call.status == 200 {
                    try call.ack()
                    try call.bye()
                }
                return call.status
            }
            #expect(try call(as: "alice") == 200)
            #expect(try call(as: "sales") == 403)
            let added = try confd.run("account", "alias", "add", "alice@example.com", "sales@example.com")
            #expect(added.exit == .exited(0), "\(added.errors)")
            #expect(try call(as: "sales") == 200)
            #expect(try call(as: "boss") == 403)
            let removed = try confd.run("account", "alias", "remove", "alice@example.com", "sales@example.com")
            #expect(removed.exit == .exited(0), "\(removed.errors)")
            #expect(try call(as: "sales") == 403)
        }
    }
}
