import Foundation
import Testing

@testable import confd

@Suite("Settings")
struct SettingsTests {
    private func load(
        _ text: String, environment: [String: String] = [:], commandLine: [String] = [], files: Set<String> = []
    ) -> (Settings, [String]) {
        var source = SettingsSource(isReadable: { files.contains($0) })
        source.add(file: Array(text.utf8), name: "config.ini", folder: "/etc/confd")
        source.add(environment: environment, folder: "")
        source.add(commandLine: commandLine, folder: "")
        let settings = Settings(&source)
        return (settings, source.problems.map(\.description))
    }

    @Test("the issue's example is read")
    func example() {
        let (settings, problems) = load(
            """
            [SIP]
            listen = udp:127.0.0.1:5060, TCP:[::1]:0, tls:127.0.0.1
            advertise = chat.example.com
            domains = Example.com, 127.0.0.1, [::1]
            certificate = chat.crt
            key = /keys/chat.key
            [msrp]
            Address = 127.0.0.1
            advertise = chat.example.com:2856
            max_message_size = 20 MiB
            max_queue_size = 1 gib
            egress = same-source
            [Conference]
            adhoc_rooms = 0
            state_directory = state
            [Room Lobby@example.com]
            title = The lobby
            [Log]
            level = debug
            """, files: ["/etc/confd/chat.crt", "/keys/chat.key"])
        #expect(problems == [])
        #expect(settings.sip.listen.map(\.description) == ["udp:127.0.0.1:5060", "tcp:[::1]:0", "tls:127.0.0.1:5061"])
        #expect(settings.sip.advertise == HostPort(host: "chat.example.com", port: nil))
        #expect(settings.sip.domains == ["example.com", "127.0.0.1", "::1"])
        #expect(settings.sip.certificate == "/etc/confd/chat.crt" && settings.sip.key == "/keys/chat.key")
        #expect(settings.msrp.host == "127.0.0.1" && settings.msrp.port == 2855)
        #expect(settings.msrp.maxMessageSize == 20 * 1024 * 1024 && settings.msrp.maxQueueSize == 1 << 30)
        #expect(settings.msrp.egress == .sameSource)
        #expect(!settings.conference.adhocRooms && settings.conference.stateDirectory == "/etc/confd/state")
        #expect(settings.rooms.map(\.user) == ["Lobby"] && settings.rooms.map(\.domain) == ["example.com"])
        #expect(settings.rooms.first?.title == "The lobby" && settings.rooms.first?.maximumParticipants == 1000)
        #expect(settings.log.level == .debug)
    }

    @Test("every problem is told with file, line, section, key and what would be right")
    func problems() {
        let (_, problems) = load(
            """
            [SIP]
            certificate = x.pem
            lisen = udp:127.0.0.1:5060
            listen = upd:127.0.0.1:5060
            ack_timeout = soon
            ack_timeout = 5 s
            [MSRP]
            max_message_size = 10 MB 3
            address = ::1
            level = info
            [Conferense]
            [Certificate]
            [Room lobby]
            [Room a@b]
            tittle = x
            plain_text = maybe
            [Log]
            level = warn
            nonsense_beyond_recognition = 1
            oops
            """)
        #expect(
            problems == [
                "config.ini:20: [Log]: 'oops' is neither '[section]' nor 'key = value'",
                "config.ini:3: [SIP] lisen: unknown option; did you mean 'listen'?",
                "config.ini:6: [SIP] ack_timeout: given twice (first in line 5); keep one",
                "config.ini:10: [MSRP] level: unknown option; 'level' belongs in [Log]",
                "config.ini:11: [Conferense]: unknown section; did you mean [Conference]?",
                "config.ini:12: [Certificate]: a further certificate needs the name it is for; write [Certificate name], "
                    + "such as [Certificate chat.example.com]",
                "config.ini:13: [Room lobby]: a room needs its address; write [Room user@domain], such as "
                    + "[Room lobby@example.com]",
                "config.ini:15: [Room a@b] tittle: unknown option; did you mean 'title'?",
                "config.ini:19: [Log] nonsense_beyond_recognition: unknown option; known are level, sip_level, target",
                "config.ini:4: [SIP] listen: 'upd' is not a transport (udp, tcp, tls, tls-trusted); write transport:address:port, "
                    + "such as udp:127.0.0.1:5060 or tls:[::1]:5061",
                "config.ini:2: [SIP] certificate: file 'x.pem' not found (looked for /etc/confd/x.pem)",
                "config.ini:9: [MSRP] address: '::1': write an IPv6 address in brackets, such as [::1]:5060",
                "config.ini:8: [MSRP] max_message_size: '10 MB 3' is not a size; write bytes, or a number with KiB, "
                    + "MiB or GiB: '10 MiB'",
                "config.ini:16: [Room a@b] plain_text: 'maybe' is neither Yes nor No",
                "config.ini:18: [Log] level: 'warn' is not one of trace, debug, info, notice, warning, error, "
                    + "critical; did you mean 'warning'?",
                "config.ini:2: [SIP] certificate: needs 'key' as well: the PEM file with its private key",
            ])
    }

    @Test("the command line wins over the environment, the environment over the file")
    func precedence() {
        let file = "[SIP]\nlisten = udp:127.0.0.1:1\nack_timeout = 6 s\nmax_dialogs = 7\n"
        let environment = [
            "CONFD_SIP_LISTEN": "udp:127.0.0.1:2", "CONFD_SIP_ACK_TIMEOUT": "7", "CONFD_BINARY": "/x", "PATH": "/bin",
        ]
        let (settings, problems) = load(
            file, environment: environment,
            commandLine: ["sip.LISTEN=udp:127.0.0.1:3", "Room a.b@example.com.title=A room"])
        #expect(problems == [])
        #expect(settings.sip.listen.map(\.port) == [3])
        #expect(settings.sip.ackTimeout == .seconds(7))
        #expect(settings.sip.maxDialogs == 7)
        #expect(settings.rooms.map(\.user) == ["a.b"] && settings.rooms.first?.title == "A room")
    }

    @Test("a wrong variable or word of the command line is told as such")
    func wrongOverrides() {
        let (_, problems) = load(
            "", environment: ["CONFD_SIP_LISEN": "x", "CONFD_LOG_LEVEL": "loud"],
            commandLine: ["listen=1", "SIP.key=no"])
        #expect(
            problems == [
                "environment CONFD_SIP_LISEN: [SIP] lisen: unknown option; did you mean 'listen'?",
                "command line: 'listen=1' is not Section.key=value, such as SIP.listen=udp:[::1]:0",
                "command line: [SIP] key: file 'no' not found",
                "environment CONFD_LOG_LEVEL: [Log] level: 'loud' is not one of trace, debug, info, notice, warning, "
                    + "error, critical",
                "command line: [SIP] key: needs 'certificate' as well: the PEM file of the certificate",
            ])
    }

    @Test("options that don't fit together are told")
    func together() {
        let (_, problems) = load(
            """
            [SIP]
            domains = example.com
            advertise = 0.0.0.0
            min_se = 1 h
            [MSRP]
            max_queue_size = 1 MiB
            [Room a@example.org]
            """)
        #expect(
            problems == [
                "config.ini:6: [MSRP] max_queue_size: 1 MiB is less than max_message_size (10 MiB); make it at least as "
                    + "large",
                "config.ini:4: [SIP] min_se: is more than session_expires; make it at most as long",
                "config.ini:3: [SIP] advertise: nobody can call 0.0.0.0; write a name or an address",
                "config.ini:7: [Room a@example.org]: the domain 'example.org' is not served; add it to [SIP] domains "
                    + "(example.com)",
            ])
    }

    @Test("listeners that can't both be opened are told")
    func listeners() {
        let (_, problems) = load(
            "[SIP]\nlisten = udp:0.0.0.0:5060, udp:127.0.0.1:5060, tcp:127.0.0.1:5060, tls:127.0.0.1:5060, "
                + "udp:[::1]:5060, tcp:127.0.0.1:2855")
        #expect(
            problems == [
                "config.ini:2: [SIP] listen: udp:127.0.0.1:5060 and udp:0.0.0.0:5060 are the same port; leave one of "
                    + "them",
                "config.ini:2: [SIP] listen: tls:127.0.0.1:5060 and tcp:127.0.0.1:5060 are the same port; leave one of "
                    + "them",
                "default: [MSRP] address: tcp:127.0.0.1:2855 of [SIP] listen has this port already; choose another",
            ])
    }

    @Test("an empty value is the default")
    func emptyValue() {
        let (settings, problems) = load("[SIP]\nlisten =\nadvertise = ; nothing\n")
        #expect(problems == [])
        #expect(settings.sip.listen == Options.SIP.listen.defaultValue && settings.sip.advertise == nil)
    }

    @Test("a default, where it can be written, reads as the value that holds without the option")
    func defaults() throws {
        var source = SettingsSource(isReadable: { _ in true })
        let lines = Options.sections.map { section in
            "[\(section.name)]\n"
                + Options.all.filter { $0.section == section.name && $0.hasWritableDefault }
                .map { "\($0.key) = \($0.defaultText)\n" }.joined()
        }
        source.add(file: Array(lines.filter { !$0.hasPrefix("[Room") }.joined().utf8), name: "x", folder: "")
        let written = Settings(&source)
        var nothing = SettingsSource(isReadable: { _ in true })
        // A relay is there when its section is, and its address is that of [MSRP] when that is given.
        nothing.add(
            file: Array("[SIP]\n[MSRP]\naddress = 127.0.0.1:2855\n[Relay]\n".utf8), name: "x", folder: "")
        #expect(source.problems == [])
        #expect(written == Settings(&nothing))
    }

    @Test("every example in the table is a value that can be read")
    func examples() throws {
        let context = ValueContext(folder: "/", isReadable: { _ in true })
        for option in Options.all {
            #expect(option.hasWritableDefault || option.example != nil, "\(option.key)")
            #expect(!option.documentation.isEmpty, "\(option.key)")
            #expect(throws: Never.self) { try option.check(option.example ?? option.defaultText, context) }
        }
    }

    @Test("config.ini.sample is what the table of options writes, and has no problems")
    func sample() throws {
        let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "sample-configs/config.ini.sample")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text == SampleConfiguration.text, "write it anew: confd check-config --sample > \(file.path)")
        #expect(load(text).1 == [])
        let demo = try String(contentsOf: root.appending(path: "sample-configs/demo.ini"), encoding: .utf8)
        #expect(load(demo).1 == [])
    }

    @Test("every option has a section in the sample, and names are unique")
    func table() {
        let names = Options.all.map { "\($0.section).\($0.key)" }
        #expect(Set(names).count == names.count)
        #expect(
            Set(Options.all.map(\.section)).union([Options.memory])
                == Set(Options.sections.map { String($0.name.prefix { $0 != " " }) }))
    }
}
