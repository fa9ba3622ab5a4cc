import Foundation
import MSRPTransport
import MediaMixer
import Testing

@testable import confd

@Suite("Settings of rooms and of who gets in")
struct AccessSettingsTests {
    private func load(_ text: String) -> (Settings, [String]) {
        var source = SettingsSource(isReadable: { _ in false })
        source.add(file: Array(text.utf8), name: "config.ini", folder: "/etc/confd")
        let settings = Settings(&source)
        return (settings, source.problems.map(\.description))
    }

    private func notes(_ text: String) -> [String] {
        var source = SettingsSource(isReadable: { _ in false })
        source.add(file: Array(text.utf8), name: "config.ini", folder: "/etc/confd")
        let settings = Settings(&source)
        return ConfigurationNotes(settings, source).lines
    }

    @Test(
        "without [SIP] auth callers are asked who they are unless every SIP listener is on loopback",
        arguments: [
            ("[SIP]", AuthChoice.none),
            ("[SIP]\nlisten = udp:127.0.0.2:5060, tcp:[::1]:5060, tls:localhost:5061", .none),
            ("[SIP]\nlisten = udp:127.0.0.1:5060, tcp:0.0.0.0:5060", .required),
            ("[SIP]\nlisten = udp:192.0.2.1:5060", .required),
            ("[SIP]\nlisten = udp:127.example.com:5060", .required),
            ("[SIP]\nlisten = udp:0.0.0.0:5060\nauth = None", .none),
            ("[SIP]\nauth = trusted-only", .trustedOnly),
        ])
    func standard(_ text: String, auth: AuthChoice) {
        let (settings, problems) = load(text)
        #expect(problems == [] && settings.sip.auth == auth)
    }

    @Test("auth = none on other addresses is noted, and confd connects only to where calls come from")
    func believed() throws {
        let text = "[SIP]\nlisten = udp:0.0.0.0:5060\nauth = none"
        #expect(notes(text).contains { $0.hasPrefix("note: config.ini:3: [SIP] auth: none: everybody") })
        #expect(load(text).0.egress == .sameSource)
        #expect(load("[SIP]\nlisten = udp:0.0.0.0:5060\nauth = required").0.egress == nil)
        #expect(load("[SIP]\nauth = none").0.egress == nil)
    }

    @Test("trusted peers are addresses and prefixes")
    func trusted() {
        let (settings, problems) = load("[SIP]\ntrusted = 192.0.2.10, 10.0.0.0/8, 2001:db8::/48, [::1]")
        #expect(problems == [])
        #expect(settings.sip.trusted == ["192.0.2.10/32", "10.0.0.0/8", "2001:db8::/48", "::1/128"])
    }

    @Test(
        "what is no address, no prefix, no person and no SIP address is told with what would be right",
        arguments: [
            ("[SIP]\ntrusted = example.com", "config.ini:2: [SIP] trusted: 'example.com' is no address"),
            ("[SIP]\ntrusted = 10.0.0.0/33", "config.ini:2: [SIP] trusted: '10.0.0.0/33' is no address"),
            ("[SIP]\nauth = maybe", "config.ini:2: [SIP] auth: 'maybe' is not one of required, trusted-only, none"),
            (
                "[SIP]\nlisten = tls-trusted:127.0.0.1:5062",
                "config.ini:2: [SIP] listen: a tls-trusted listener lets nobody in without trusted_names"
            ),
            ("[Conference]\nowners = alice", "config.ini:2: [Conference] owners: 'alice' is not user@domain"),
            ("[Conference]\nfactory = a@b", "config.ini:2: [Conference] factory: 'a@b' is not the user part"),
            (
                "[Conference]\njoin = all",
                "config.ini:2: [Conference] join: 'all' is not one of everyone, domain, listed"
            ),
            (
                "[Outbound]\nproxy = proxy.example.com",
                "config.ini:2: [Outbound] proxy: 'proxy.example.com' is not a SIP"
            ),
            ("[Outbound]\npassword = x", "config.ini:2: [Outbound] password: needs 'user' as well"),
        ])
    func unusable(_ text: String, problem: String) {
        let problems = load(text).1
        #expect(problems.count == 1 && problems.first?.hasPrefix(problem) == true, "\(problems)")
    }

    @Test("a room has the rules of [Conference] where its own section says nothing")
    func rules() {
        let (settings, problems) = load(
            """
            [SIP]
            domains = example.com
            [Conference]
            join = domain
            remove = owners
            private_messages = No
            dial_out_fallback = none
            owners = sip:Root@Example.com
            [Room a@example.com]
            join = listed
            listed = alice@example.com, *@Example.org
            private_messages = Yes
            subject = Today
            locked = Yes
            [Room b@example.com]
            """)
        #expect(problems == [] && settings.rooms.count == 2)
        let rooms = settings.rooms.map { $0.configuration(settings) }
        #expect(rooms.map(\.join) == [.listed, .domain])
        #expect(rooms.map(\.remove) == [.owners, .owners])
        #expect(rooms.map(\.allowsPrivateMessages) == [true, false])
        #expect(rooms.map(\.dialOutFallback) == [nil, nil])
        #expect(rooms.map(\.owners) == [["Root@example.com"], ["Root@example.com"]])
        #expect(rooms[0].listed == ["alice@example.com", "*@example.org"])
        #expect(settings.rooms.map(\.condition.subject) == ["Today", nil])
        #expect(settings.rooms.map(\.condition.isLocked) == [true, false])
    }

    @Test(
        "callers have the relay's accounts, else those of [Memory], else those of the database",
        arguments: [
            ("[SIP]\nauth = required", RelayBackend?.some(.database)),
            ("[SIP]\nauth = required\n[Memory]\na@example.com = x", .memory),
            ("[SIP]\nauth = required\n[Relay]\nbackend = database\n[Memory]\na@example.com = x", .database),
            ("[SIP]\nauth = none", nil),
            ("[SIP]\nauth = trusted-only", nil),
        ])
    func accounts(_ text: String, backend: RelayBackend?) {
        #expect(load(text).0.accountsBackend == backend)
    }

    @Test("the sample configurations have no problems", arguments: ["demo.ini", "public.ini", "behind-proxy.ini"])
    func samples(_ name: String) throws {
        let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "sample-configs/\(name)"), encoding: .utf8)
        #expect(load(text).1 == [])
    }

    @Test("of [SIP] what is the focus's is taken at a reload, the rest waits")
    func reload() throws {
        func loaded(_ text: String) -> SettingsFile.Loaded {
            var source = SettingsSource(isReadable: { _ in false })
            source.add(file: Array(text.utf8), name: "config.ini", folder: "/etc/confd")
            let settings = Settings(&source)
            return SettingsFile.Loaded(
                settings: settings, problems: source.problems, path: "config.ini", source: source)
        }
        let before = loaded("[SIP]\nauth = none\nack_timeout = 5 s\n[Conference]\nnotify_interval = 5 s")
        let after = loaded(
            "[SIP]\nauth = required\nack_timeout = 6 s\n[Conference]\nnotify_interval = 1 s\nmax_rooms = 3")
        let plan = ReloadPlan(after, current: before.settings, inForce: before.source.taken)
        #expect(plan.outcome.changed == ["[Conference] notify_interval", "[SIP] auth"])
        #expect(plan.outcome.waiting == ["[Conference] max_rooms", "[SIP] ack_timeout"])
        #expect(plan.settings.sip.auth == .required && plan.settings.sip.ackTimeout == .seconds(5))
        #expect(plan.settings.conference.notifyInterval == .seconds(1) && plan.settings.conference.maxRooms == 10_000)
    }
}
