import Testing

@testable import Focus
@testable import SIP

@Suite("Trusted peers")
struct AccessPeersTests {
    @Test(
        "a prefix takes in what begins with it",
        arguments: [
            ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.77/24", "192.0.2.1", true), ("192.0.2.128/25", "192.0.2.127", false),
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false), ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false), ("2001:DB8::1", "2001:db8:0:0::1", true),
            ("::/0", "192.0.2.1", false), ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("fe80::/10", "fe80::1%eth0", true),
            ("192.0.2.0/31", "192.0.2.1", true), ("192.0.2.0/31", "192.0.2.2", false),
        ])
    func prefixes(prefix: String, address: String, isInside: Bool) throws {
        let peers = try TrustedPeers([prefix])
        #expect(peers.contains(address: address) == isInside)
    }

    @Test(
        "what is no range of addresses is an error that shows it",
        arguments: [
            "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "/24", "192.0.2", "192.0.2.0/2x", "2001:db8::/129",
            "2001:db8", "192.0.2.0/24/8", "1.2.3.4.5", "::1::", "[::1", "192.0.2.0/0024",
        ])
    func defects(text: String) {
        #expect(throws: AddressPrefix.Defect(text: text)) { try TrustedPeers([text]) }
    }

    @Test("names of certificates are compared without case, and only whole")
    func names() throws {
        let peers = try TrustedPeers(["Proxy.Example.com", "192.0.2.0/24"])
        #expect(peers.contains(names: ["other.example.com", "proxy.EXAMPLE.com"]))
        #expect(!peers.contains(names: ["a.proxy.example.com", "example.com", ""]))
        #expect(!peers.contains(names: []))
        #expect(!TrustedPeers().contains(names: ["proxy.example.com"]))
        #expect(!TrustedPeers().contains(address: "127.0.0.1"))
        #expect(!peers.contains(address: "proxy.example.com"))
    }

    @Test("ranges are shown in their shortest form")
    func description() throws {
        #expect(try AddressPrefix("192.0.2.77/24").description == "192.0.2.0/24")
        #expect(try AddressPrefix("2001:0db8::1").description == "2001:db8::1/128")
    }

    @Test("loopback is known in all its forms")
    func loopback() {
        for text in ["127.0.0.1", "127.255.0.9", "::1", "[::1]", "::ffff:127.0.0.1"] {
            #expect(Address(text)?.isLoopback == true, "\(text)")
        }
        for text in ["128.0.0.1", "::2", "::", "1::1"] { #expect(Address(text)?.isLoopback == false, "\(text)") }
    }
}
