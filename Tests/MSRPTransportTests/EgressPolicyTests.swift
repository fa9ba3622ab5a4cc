import MSRPTransport
import NIOCore
import Testing

@Suite("Where peers may make us connect to (RFC 4975 section 14.5)")
struct EgressPolicyTests {
    private let listener = try? SocketAddress(ipAddress: "192.0.2.1", port: 2855)

    private func refusal(
        _ policy: EgressPolicy, _ address: String, port: Int = 2855, source: String? = nil, listeners: [String] = []
    ) throws -> EgressRefusal? {
        policy.refusal(
            of: try SocketAddress(ipAddress: address, port: port), signallingSource: source.flatMap { IPAddress($0) },
            listeners: try listeners.map { try SocketAddress(ipAddress: $0, port: 2855) })
    }

    @Test(
        "public refuses every special-purpose address",
        arguments: [
            "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1",
            "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1",
            "255.255.255.255", "192.0.2.7", "198.18.0.1", "198.51.100.1", "203.0.113.5", "192.0.0.8",
            "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fdff::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1",
            "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "::7f00:1", "2001::1",
        ])
    func publicRefuses(_ address: String) throws {
        #expect(try refusal(.public, address) == .notPublic)
    }

    @Test(
        "public allows what anybody can reach",
        arguments: [
            "8.8.8.8", "100.63.0.1", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "2a00:1450::1",
            "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
        ])
    func publicAllows(_ address: String) throws {
        #expect(try refusal(.public, address) == nil)
    }

    @Test("same-source allows the address the signalling came from, in any notation, and no other")
    func sameSource() throws {
        #expect(try refusal(.sameSource, "10.0.0.5", source: "10.0.0.5") == nil)
        #expect(try refusal(.sameSource, "::ffff:10.0.0.5", source: "10.0.0.5") == nil)
        #expect(try refusal(.sameSource, "10.0.0.6", source: "10.0.0.5") == .notTheSource)
        #expect(try refusal(.sameSource, "10.0.0.6") == .notTheSource)
    }

    @Test("no policy allows one of our own listeners, the loopback ways to a wildcard included")
    func ownListeners() throws {
        #expect(try refusal(.any, "192.0.2.1", listeners: ["192.0.2.1"]) == .ownListener)
        #expect(try refusal(.any, "192.0.2.1", port: 2856, listeners: ["192.0.2.1"]) == nil)
        #expect(try refusal(.any, "127.0.0.1", listeners: ["0.0.0.0"]) == .ownListener)
        #expect(try refusal(.any, "::1", listeners: ["::"]) == .ownListener)
        #expect(try refusal(.sameSource, "10.0.0.5", source: "10.0.0.5", listeners: ["10.0.0.5"]) == .ownListener)
    }

    @Test("any still refuses what is nobody's address")
    func anyRefusesTheImpossible() throws {
        #expect(try refusal(.any, "0.0.0.0") == .notPublic)
        #expect(try refusal(.any, "224.0.0.1") == .notPublic)
        #expect(try refusal(.any, "10.0.0.1") == nil)
    }

    @Test("the default is any where a listener is private or loopback, else public")
    func standard() throws {
        func standard(_ addresses: String...) throws -> EgressPolicy {
            .standard(listeners: try addresses.map { try SocketAddress(ipAddress: $0, port: 1) })
        }
        #expect(try standard("127.0.0.1") == .any)
        #expect(try standard("8.8.8.8", "10.0.0.1") == .any)
        #expect(try standard("8.8.8.8") == .public)
        #expect(try standard("0.0.0.0") == .public)
        #expect(try standard() == .public)
    }
}
