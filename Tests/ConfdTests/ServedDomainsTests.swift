import Testing

@testable import confd

@Suite("Served domains")
struct ServedDomainsTests {
    private func domains(_ text: String) -> ServedDomains {
        var source = SettingsSource(isReadable: { _ in true })
        source.add(file: Array(text.utf8), name: "x", folder: "")
        return ServedDomains(Settings(&source), host: ["host.example.com", "localhost", "127.0.0.1", "192.0.2.1"])
    }

    @Test("without [SIP] domains every name and address of the host is served, what callers see first")
    func standard() {
        #expect(domains("").all == ["127.0.0.1", "host.example.com", "localhost", "192.0.2.1"])
        #expect(
            domains("[SIP]\nlisten = udp:0.0.0.0\nadvertise = Chat.example.com").all
                == ["chat.example.com", "host.example.com", "localhost", "127.0.0.1", "192.0.2.1"])
    }

    @Test("[SIP] domains says all that is served; a generated certificate has the host's names too")
    func configured() {
        let served = domains("[SIP]\ndomains = example.com, Example.org")
        #expect(served.all == ["example.com", "example.org"])
        #expect(
            served.certificateNames
                == ["example.com", "example.org", "127.0.0.1", "host.example.com", "localhost", "192.0.2.1"])
    }
}
