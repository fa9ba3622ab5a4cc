import Foundation
import Testing

@testable import confd

@Suite("Settings of the relay")
struct RelaySettingsTests {
    private func read(_ text: String, files: Set<String> = [], commandLine: [String] = []) -> (Settings, SettingsSource)
    {
        var source = SettingsSource(isReadable: { files.contains($0) })
        source.add(file: Array(text.utf8), name: "config.ini", folder: "/etc/msrprelay")
        source.add(commandLine: commandLine, folder: "")
        let settings = Settings(&source)
        return (settings, source)
    }

    private func problems(_ text: String, files: Set<String> = []) -> [String] {
        read(text, files: files).1.problems.map(\.description)
    }

    private static var root: URL {
        URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    @Test("every option of msrprelay's file is read without a complaint")
    func predecessor() {
        let (settings, source) = read(
            """
            ; configuration of the relay
            [Relay]
            address = 0.0.0.0
            hostname = relay.example.com
            certificate = tls/relay.crt
            key = /keys/relay.key
            default_domain = Example.com
            allow_other_methods = No
            debug_notls = False
            log_failed_auth = 1
            max_auth_attempts = 5
            auth_challenge_expiration_time = 20
            session_expiration_time_minimum = 30
            session_expiration_time_default = 300
            session_expiration_time_maximum = 1800
            backend = Database
            log_level = DEBUG

            [Database]
            uri = sqlite:///var/lib/opensips.sqlite
            cleartext_passwords = No
            subscriber_table = users
            username_col = name
            domain_col = realm
            password_col = pass
            ha1_col = hash

            [Memory]
            Alice@Example.com = 12 = 34
            """, files: ["/etc/msrprelay/tls/relay.crt", "/keys/relay.key"])
        #expect(source.problems.map(\.description) == [])
        #expect(!settings.runsSIP)
        #expect(
            settings.relay
                == Settings.Relay(
                    host: "0.0.0.0", port: 2855, hostname: "relay.example.com",
                    certificate: "/etc/msrprelay/tls/relay.crt", key: "/keys/relay.key", defaultDomain: "example.com",
                    allowOtherMethods: false, debugNoTLS: false, logFailedAuth: true, maxAuthAttempts: 5,
                    challengeExpiration: .seconds(20), minimumExpires: 30, defaultExpires: 300, maximumExpires: 1800,
                    maximumSessionTime: nil, backend: .database, peers: [], egress: .automatic, window: 256 * 1024,
                    sessionRate: nil,
                    accountRate: nil, logLevel: .debug))
        #expect(
            settings.database
                == Settings.Database(
                    uri: "sqlite:///var/lib/opensips.sqlite", cleartextPasswords: false, subscriberTable: "users",
                    usernameColumn: "name", domainColumn: "realm", passwordColumn: "pass", ha1Column: "hash",
                    ha1SHA256Column: "ha1_sha256", cacheTime: .seconds(5)))
        #expect(settings.memory == [.init(username: "Alice", domain: "example.com", password: "12 = 34")])
    }

    @Test("an empty [Relay] has msrprelay's defaults")
    func defaults() {
        let (settings, source) = read("[Relay]\n")
        #expect(source.problems == [])
        #expect(
            settings.relay
                == Settings.Relay(
                    host: "0.0.0.0", port: 2855, hostname: nil, certificate: nil, key: nil, defaultDomain: nil,
                    allowOtherMethods: true, debugNoTLS: false, logFailedAuth: false, maxAuthAttempts: 3,
                    challengeExpiration: .seconds(15), minimumExpires: 60, defaultExpires: 600, maximumExpires: 3600,
                    maximumSessionTime: nil, backend: .database, peers: [], egress: .automatic, window: 256 * 1024,
                    sessionRate: nil,
                    accountRate: nil, logLevel: nil))
        #expect(settings.database.cleartextPasswords && settings.database.subscriberTable == "subscriber")
    }

    @Test("the sample configurations have no problems", arguments: ["relay-only.ini", "msrprelay-compatible.ini"])
    func samples(_ name: String) throws {
        let file = Self.root.appending(path: "sample-configs/\(name)")
        let (settings, source) = read(try String(contentsOf: file, encoding: .utf8))
        #expect(source.problems.map(\.description) == [])
        #expect(settings.relay != nil && !settings.runsSIP)
    }

    @Test(
        "every option that a sample of the relay leaves out as a comment is known",
        arguments: [
            "relay-only.ini", "msrprelay-compatible.ini",
        ])
    func commented(_ name: String) throws {
        let file = Self.root.appending(path: "sample-configs/\(name)")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            $0.hasPrefix(";") && !$0.hasPrefix("; ") && $0 != ";" ? $0.dropFirst() : $0
        }
        let files: Set = ["relay.crt", "relay.key", "tls/relay.crt", "tls/relay.key"]
        let found = problems(lines.joined(separator: "\n"), files: Set(files.map { "/etc/msrprelay/\($0)" }))
        #expect(found == [])
    }

    @Test(
        "calls are taken unless there is a [Relay] and no [SIP]",
        arguments: [
            ("", true, false), ("[Relay]", false, true), ("[SIP]\n[Relay]", true, true), ("[MSRP]", true, false),
        ])
    func alone(_ text: String, sip: Bool, relay: Bool) {
        let (settings, _) = read(text)
        #expect(settings.runsSIP == sip && (settings.relay != nil) == relay)
    }

    @Test(
        "an address of [MSRP] or [Relay] that isn't given is the other's",
        arguments: [
            ("[SIP]\n[Relay]", "0.0.0.0:2855", "0.0.0.0:2855"),
            ("[SIP]\n[MSRP]\naddress = 127.0.0.1:1\n[Relay]", "127.0.0.1:1", "127.0.0.1:1"),
            ("[SIP]\n[Relay]\naddress = 127.0.0.1:2", "127.0.0.1:2", "127.0.0.1:2"),
            ("[SIP]\n[MSRP]\naddress = 127.0.0.1:1\n[Relay]\naddress = [::1]:2", "127.0.0.1:1", "[::1]:2"),
        ])
    func address(_ text: String, msrp: String, relay: String) {
        let (settings, source) = read(text)
        #expect(source.problems == [])
        #expect("\(HostPort(host: settings.msrp.host, port: settings.msrp.port))" == msrp)
        #expect(settings.relay.map { "\(HostPort(host: $0.host, port: $0.port))" } == relay)
    }

    @Test("a port that [SIP] listens on is told with the section that gave it")
    func collision() {
        #expect(
            problems("[SIP]\nlisten = tcp:0.0.0.0:5060\n[Relay]\naddress = 127.0.0.1:5060\n") == [
                "config.ini:4: [Relay] address: tcp:0.0.0.0:5060 of [SIP] listen has this port already; choose another"
            ])
        #expect(
            problems("[SIP]\nlisten = tcp:0.0.0.0:5060\n[MSRP]\naddress=127.0.0.1:1\n[Relay]\naddress = *:5060\n") == [
                "config.ini:6: [Relay] address: tcp:0.0.0.0:5060 of [SIP] listen has this port already; choose another"
            ])
    }

    @Test("what can't be, or not together, is told")
    func wrong() {
        #expect(
            problems(
                """
                [Relay]
                certificate = x.pem
                hostname = relay.example.com:2855
                max_auth_attempts = 0
                minimum_expires = 2 h
                maximum_expires = 90 ms
                peers = relay.example.org:x
                backend = ldap
                session_rate = 10
                [Memory]
                alice = 1234
                @example.com = 1
                bob@example.com =
                carol@example.com = 1
                Carol@example.com = 1
                carol@EXAMPLE.com = secret
                [Room lobby@example.com]
                """) == [
                    "config.ini:11: [Memory] alice: is not user@domain; write user@domain = password, such as "
                        + "alice@example.com = 1234",
                    "config.ini:12: [Memory] @example.com: is not user@domain; write user@domain = password, such as "
                        + "alice@example.com = 1234",
                    "config.ini:13: [Memory] bob@example.com: needs its password; write user@domain = password, such as "
                        + "alice@example.com = 1234",
                    "config.ini:16: [Memory] carol@EXAMPLE.com: given twice (first in line 14); keep one",
                    "config.ini:3: [Relay] hostname: 'relay.example.com:2855': write the name alone, without ':2855'",
                    "config.ini:2: [Relay] certificate: file 'x.pem' not found (looked for /etc/msrprelay/x.pem)",
                    "config.ini:4: [Relay] max_auth_attempts: 0 is out of bounds: 1 to 1000",
                    "config.ini:6: [Relay] maximum_expires: '90 ms' is out of bounds: 1 s to 2000000 s",
                    "config.ini:8: [Relay] backend: 'ldap' is not one of database, memory",
                    "config.ini:7: [Relay] peers: 'relay.example.org:x': the port must be a number from 0 to 65535",
                    "config.ini:9: [Relay] session_rate: '10' is out of bounds: 1 KiB to 1024 GiB",
                    "config.ini:17: [Room lobby@example.com]: without [SIP] there are no rooms; add a [SIP] section, or leave "
                        + "this one out",
                    "config.ini:2: [Relay] certificate: needs 'key' as well: the PEM file with its private key",
                    "config.ini:5: [Relay] minimum_expires: is more than maximum_expires; make it at most as long",
                ])
    }

    @Test("a default_expires outside its bounds is told")
    func expires() {
        #expect(
            problems("[Relay]\ndefault_expires = 30\n") == [
                "config.ini:2: [Relay] default_expires: is not between minimum_expires (60 s) and maximum_expires (3600 s)"
            ])
    }

    @Test(
        "a database server is told with the two ways on, but only where it would be asked",
        arguments: [
            "mysql://opensips:secret@db/opensips", "postgres://opensips:secret@db/opensips",
        ])
    func databaseServer(_ uri: String) {
        let found = problems("[Relay]\n[Database]\nuri = \(uri)\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.ini:3: [Database] uri: ") == true)
        #expect(found.first?.contains("Two ways on") == true)
        #expect(found.first?.contains("secret") == false)
        #expect(problems("[Relay]\nbackend = memory\n[Database]\nuri = \(uri)\n") == [])
    }

    @Test("accounts and relay options can be given by the command line")
    func commandLine() {
        let (settings, source) = read(
            "[Memory]\na@example.com = 1\n",
            commandLine: ["Relay.backend=memory", "Memory.a@example.com=2", "memory.b.c@example.com=x=y"])
        #expect(source.problems == [])
        #expect(settings.relay?.backend == .memory && !settings.runsSIP)
        #expect(
            settings.memory.map { "\($0.username) \($0.domain) \($0.password)" } == [
                "a example.com 2", "b.c example.com x=y",
            ])
    }

    @Test("further certificates have a section by name")
    func certificates() {
        let text = "[Certificate Chat.example.com]\ncertificate = a.crt\nkey = a.key\n[Certificate b.example.com]\n"
        let (settings, source) = read(text, files: ["/etc/msrprelay/a.crt", "/etc/msrprelay/a.key"])
        #expect(source.problems == [])
        #expect(
            settings.certificates == [
                .init(domain: "chat.example.com", certificate: "/etc/msrprelay/a.crt", key: "/etc/msrprelay/a.key")
            ])
        #expect(
            problems("[Certificate a.example.com]\ncertificate = x\n[Certificate A.example.com]\n") == [
                "config.ini:3: [Certificate A.example.com]: this name has a section already (line 1)",
                "config.ini:2: [Certificate a.example.com] certificate: file 'x' not found (looked for /etc/msrprelay/x)",
                "config.ini:2: [Certificate a.example.com] certificate: needs 'key' as well: the PEM file with its private "
                    + "key",
            ])
    }

    @Test("docs/operators.md names options that exist where it lists what was kept and added")
    func manual() throws {
        let text = try String(contentsOf: Self.root.appending(path: "docs/operators.md"), encoding: .utf8)
        let names = Set(Options.all.flatMap { [$0.key] + $0.aliases })
        var listed = 0
        for title in ["### Options kept", "### Options added"] {
            let begin = try #require(text.range(of: title)).upperBound
            let part = text[begin...].prefix(upTo: text[begin...].range(of: "\n##")?.lowerBound ?? text.endIndex)
            for line in part.split(separator: "\n") where line.hasPrefix("| [") && !line.hasPrefix("| [Memory]") {
                let cell = line.split(separator: "|").dropFirst().first ?? ""
                for word in cell.matches(of: /[a-z][a-z0-9]*(_[a-z0-9]+)+/) {
                    listed += 1
                    #expect(names.contains(String(word.output.0)), "\(word.output.0)")
                }
            }
        }
        #expect(listed > 25)
    }

    @Test("check-config notes what differs from msrprelay")
    func notes() {
        let (settings, source) = read(
            "[Relay]\nbackend = memory\ndebug_notls = Yes\nlog_level = Warning\ndefault_domain = example.com\n"
                + "[Memory]\nalice@example.org = 1\n")
        let notes = ConfigurationNotes(settings, source).lines
        for line in notes { #expect(line.hasPrefix("note: ")) }
        for beginning in [
            "note: no [SIP] section: the relay runs alone",
            "note: config.ini:3: [Relay] debug_notls: ",
            "note: config.ini:4: [Relay] log_level: means 'warning' of confd's levels",
            "note: config.ini:5: [Relay] default_domain: the realm is 'example.com'",
            "note: config.ini:7: [Memory] alice@example.org: not in the realm 'example.com'",
            "note: default: [Relay] maximum_expires: an Expires in AUTH is kept to",
            "note: default: [Relay] egress: automatic: ",
        ] {
            #expect(notes.contains { $0.hasPrefix(beginning) }, "\(beginning)")
        }
        let none = read("[SIP]\n")
        #expect(ConfigurationNotes(none.0, none.1).lines == [])
        let idle = read("[SIP]\n[Memory]\nalice@example.com = 1\n")
        #expect(
            ConfigurationNotes(idle.0, idle.1).lines == [
                "note: [Memory] is not used: nobody is asked for an account of it"
            ])
    }
}
