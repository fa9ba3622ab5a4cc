import Testing

@testable import confd

@Suite("New settings beside the old")
struct ReloadPlanTests {
    private func load(_ text: String) -> SettingsFile.Loaded {
        var source = SettingsSource(isReadable: { _ in true })
        source.add(file: Array(text.utf8), name: "config.ini", folder: "")
        let settings = Settings(&source)
        return SettingsFile.Loaded(settings: settings, problems: source.problems, path: nil, source: source)
    }

    private func plan(_ old: String, _ new: String) -> ReloadPlan {
        let old = load(old)
        return ReloadPlan(load(new), current: old.settings, inForce: old.source.taken)
    }

    @Test("nothing changes, nothing is said, even where the same is written otherwise")
    func same() {
        let plan = plan("[Relay]\nwindow = 256 KiB\n", "; new\n[relay]\nWINDOW = 262144\n")
        #expect(plan.outcome == ReloadOutcome())
    }

    @Test("options that are read again hold at once")
    func changed() {
        let plan = plan(
            "[Relay]\nbackend = memory\n[Memory]\na@b = 1\n[Log]\nlevel = info\n",
            "[Relay]\nbackend = memory\npeers = c\n[Memory]\na@b = 2\n[Log]\nlevel = debug\n")
        #expect(plan.outcome.changed == ["[Log] level", "[Relay] peers", "[Memory]"])
        #expect(plan.outcome.waiting == [])
        #expect(plan.settings.relay?.peers == [HostPort(host: "c", port: nil)])
        #expect(plan.settings.memory.map(\.password) == ["2"])
    }

    @Test("options of the start keep their values, and are told")
    func waiting() {
        let plan = plan(
            "[SIP]\nack_timeout = 5 s\n[MSRP]\nmax_message_size = 10 MiB\n",
            "[SIP]\nack_timeout = 6 s\n[MSRP]\nmax_message_size = 11 MiB\nmax_connections = 7\n[Conference]\ndemo = Yes\n"
        )
        #expect(plan.outcome.changed == ["[MSRP] max_connections"])
        #expect(plan.outcome.waiting == ["[Conference] demo", "[MSRP] max_message_size", "[SIP] ack_timeout"])
        #expect(plan.settings.sip.ackTimeout == .seconds(5) && !plan.settings.conference.demo)
        #expect(plan.settings.msrp.maxMessageSize == 10 << 20 && plan.settings.msrp.maxConnections == 7)
    }

    @Test("a relay can be added; taking it or SIP away, or adding SIP, waits")
    func parts() {
        #expect(plan("[SIP]\n", "[SIP]\n[Relay]\n").outcome == ReloadOutcome(changed: ["[Relay]"]))
        let removed = plan("[SIP]\n[MSRP]\naddress = [::1]\n[Relay]\n", "[SIP]\n[MSRP]\naddress = [::1]\n")
        #expect(removed.outcome == ReloadOutcome(waiting: ["[Relay] (removed)"]))
        #expect(removed.settings.relay != nil)
        let alone = plan("[Relay]\n", "[SIP]\n[Relay]\n")
        #expect(alone.outcome.waiting == ["[SIP]"])
        #expect(!alone.settings.runsSIP)
    }

    @Test("rooms that come and go are told")
    func rooms() {
        let plan = plan("[Room a@b.c]\n", "[Room a@b.d]\n")
        #expect(plan.outcome.changed == ["[Room a@b.d]", "[Room a@b.c] (removed)"])
    }
}
