import MediaMixer
import Testing

@testable import Focus
@testable import SIP

@Suite("Contact")
struct ContactTests {
    private let room = RoomAddress(user: "lobby", domain: "example.com")
    private let listeners = [
        Endpoint(transport: .udp, host: "192.0.2.1", port: 5060),
        Endpoint(transport: .tcp, host: "192.0.2.1", port: 5060),
        Endpoint(transport: .tls, host: "192.0.2.1", port: 5061),
    ]

    private func contact(
        _ uri: String = "sip:lobby@example.com", local: Endpoint, advertise: HostAndPort? = nil,
        headers: [String: String] = [:], room: RoomAddress? = RoomAddress(user: "lobby", domain: "example.com")
    ) -> String {
        let resolver = RoomResolver(
            domains: ["example.com", "example.org"],
            aliases: listeners.map(\.host) + ["2001:db8::1", advertise?.host ?? "192.0.2.1"])
        return ContactAddress(advertise: advertise, listeners: listeners, resolver: resolver)
            .value(for: room, request: .invite(uri, headers: headers, local: local))
    }

    @Test("the room's user at the address, port and transport the request arrived on (RFC 3261 section 12.1.1)")
    func arrival() {
        #expect(contact(local: listeners[0]) == "<sip:lobby@192.0.2.1:5060>;isfocus")
        #expect(contact(local: listeners[1]) == "<sip:lobby@192.0.2.1:5060;transport=tcp>;isfocus")
        #expect(contact(local: listeners[2]) == "<sip:lobby@192.0.2.1:5061;transport=tls>;isfocus")
        #expect(
            contact(local: Endpoint(transport: .udp, host: "2001:db8::1", port: 5060))
                == "<sip:lobby@[2001:db8::1]:5060>;isfocus")
    }

    @Test(
        "sips stays sips, by Request-URI, Record-Route or Contact, and leads to the TLS listener (RFC 3261 section 12.1.1)"
    )
    func secure() {
        let expected = "<sips:lobby@192.0.2.1:5061>;isfocus"
        #expect(contact("sips:lobby@example.com", local: listeners[2]) == expected)
        #expect(contact("sips:lobby@example.com", local: listeners[1]) == expected)
        #expect(contact(local: listeners[2], headers: ["Record-Route": "<sips:proxy.example.net;lr>"]) == expected)
        #expect(contact(local: listeners[2], headers: ["Contact": "<sips:alice@client.example.org>"]) == expected)
        #expect(
            contact(
                local: listeners[1],
                headers: ["Record-Route": "<sip:proxy.example.net;lr>", "Contact": "<sips:alice@client.example.org>"])
                == "<sip:lobby@192.0.2.1:5060;transport=tcp>;isfocus")
    }

    @Test("advertise stands in the Contact; its port is that of UDP and TCP")
    func advertised() {
        let name = HostAndPort(host: "chat.example.net")
        #expect(contact(local: listeners[0], advertise: name) == "<sip:lobby@chat.example.net:5060>;isfocus")
        let both = HostAndPort(host: "chat.example.net", port: 6060)
        #expect(
            contact(local: listeners[1], advertise: both) == "<sip:lobby@chat.example.net:6060;transport=tcp>;isfocus")
        #expect(
            contact("sips:lobby@example.com", local: listeners[2], advertise: both)
                == "<sips:lobby@chat.example.net:5061>;isfocus")
    }

    @Test("a room of a second domain is named, so that its Contact reaches it")
    func secondDomain() {
        #expect(
            contact(local: listeners[0], room: RoomAddress(user: "lobby", domain: "example.org"))
                == "<sip:lobby@192.0.2.1:5060;room-domain=example.org>;isfocus")
    }

    @Test(
        "what the Contact says reaches the room it was made for",
        arguments: ["example.com", "example.org", "192.0.2.1"])
    func roundTrip(domain: String) throws {
        let resolver = RoomResolver(domains: ["example.com", "example.org", "192.0.2.1"], aliases: ["192.0.2.1"])
        let address = ContactAddress(advertise: nil, listeners: listeners, resolver: resolver)
        let room = RoomAddress(user: "a b?c", domain: domain)
        let uri = address.uri(for: room, local: listeners[1], isSecure: false)
        #expect(resolver.resolve(try #require(SIPURI(uri.description))) == .room(room))
    }

    @Test("the server's own Contact has no user part")
    func server() {
        #expect(contact(local: listeners[0], room: nil) == "<sip:192.0.2.1:5060>;isfocus")
    }
}

@Suite("Where in-dialog requests go")
struct PeerRouteTests {
    private let source = Endpoint(transport: .udp, host: "203.0.113.5", port: 40_000)

    @Test("to the packet's source when the Contact says something else")
    func behindNAT() {
        #expect(
            PeerRoute.source(of: .invite(headers: ["Contact": "<sip:alice@10.0.0.2:5060>"], source: source)) == source)
        #expect(
            PeerRoute.source(of: .invite(headers: ["Contact": "<sip:alice@203.0.113.5:5060>"], source: source))
                == source)
        let tcp = Endpoint(transport: .tcp, host: "203.0.113.5", port: 40_000)
        #expect(
            PeerRoute.source(of: .invite(headers: ["Contact": "<sip:alice@203.0.113.5:40000>"], source: tcp)) == tcp)
    }

    @Test("to the Contact when it is the source, written in any way")
    func direct() {
        #expect(
            PeerRoute.source(of: .invite(headers: ["Contact": "<sip:alice@203.0.113.5:40000>"], source: source)) == nil)
        let plain = Endpoint(transport: .udp, host: "2001:db8::7", port: 5060)
        #expect(PeerRoute.source(of: .invite(headers: ["Contact": "<sip:a@[2001:DB8:0:0::7]>"], source: plain)) == nil)
        let tls = Endpoint(transport: .tls, host: "203.0.113.5", port: 5061)
        #expect(PeerRoute.source(of: .invite(headers: ["Contact": "<sips:a@203.0.113.5>"], source: tls)) == nil)
    }

    @Test("along the route set when there is a proxy (RFC 3261 section 12.2.1.1)")
    func proxied() {
        let request = Request.invite(
            headers: ["Contact": "<sip:alice@10.0.0.2>", "Record-Route": "<sip:proxy.example.net;lr>"], source: source)
        #expect(PeerRoute.source(of: request) == nil)
    }
}

@Suite("The address in a=path")
struct MediaAuthorityTests {
    private func facing(
        _ listeners: [HostAndPort], peer: String = "198.51.100.7", local: String = "192.0.2.1",
        advertise: HostAndPort? = nil
    ) -> String {
        let found = MediaAuthority(advertise: advertise, listeners: listeners).facing(peer, local: local)
        return "\(found.host) \(found.port)"
    }

    @Test("what is advertised, with its port or the listener's")
    func advertised() {
        let listeners = [HostAndPort(host: "0.0.0.0", port: 2855)]
        #expect(facing(listeners, advertise: HostAndPort(host: "chat.example.com")) == "chat.example.com 2855")
        #expect(
            facing(listeners, advertise: HostAndPort(host: "chat.example.com", port: 443)) == "chat.example.com 443")
    }

    @Test("the address the peer reached, on the listener that has it")
    func specific() {
        let listeners = [HostAndPort(host: "127.0.0.1", port: 1), HostAndPort(host: "192.0.2.1", port: 2)]
        #expect(facing(listeners) == "192.0.2.1 2")
    }

    @Test("the address the peer reached where the listener takes all, never the wildcard")
    func wildcard() {
        #expect(facing([HostAndPort(host: "0.0.0.0", port: 2855)]) == "192.0.2.1 2855")
        #expect(facing([HostAndPort(host: "::", port: 2855)], local: "2001:db8::1") == "2001:db8::1 2855")
        #expect(facing([HostAndPort(host: "::", port: 2855)]) == "192.0.2.1 2855")
        #expect(
            facing([HostAndPort(host: "0.0.0.0", port: 2855)], peer: "127.0.0.1", local: "0.0.0.0") == "127.0.0.1 2855")
    }

    @Test("the mixer's own address when SIP was reached on another one")
    func elsewhere() {
        #expect(facing([HostAndPort(host: "192.0.2.9", port: 2855)], local: "10.0.0.1") == "192.0.2.9 2855")
        let both = [HostAndPort(host: "192.0.2.9", port: 1), HostAndPort(host: "2001:db8::9", port: 2)]
        #expect(facing(both, peer: "2001:db8::7", local: "2001:db8::1") == "2001:db8::9 2")
    }

    @Test("the system's choice towards the peer")
    func connected() {
        #expect(MediaAuthority.localAddress(facing: "127.0.0.1") == "127.0.0.1")
        #expect(MediaAuthority.localAddress(facing: "no address") == nil)
    }
}

@Suite("Who a participant is")
struct IdentityTests {
    private func identity(_ from: String) -> Identity? {
        Identity(of: .invite(headers: ["From": from]), serial: 7, displayNameOctets: 8)
    }

    @Test("From without parameters, and the forms a client may use in CPIM")
    func plain() {
        let alice = identity("\"Alice\" <sip:alice@Example.org;transport=tcp>;tag=1")
        #expect(alice?.uri == "sip:alice@example.org")
        #expect(alice?.displayName == "Alice")
        #expect(alice?.aliases == [])
        #expect(identity("<sip:alice@example.org:5062>;tag=1")?.aliases == ["sip:alice@example.org"])
        #expect(identity("<sips:alice@example.org>;tag=1")?.aliases == ["sip:alice@example.org"])
    }

    @Test("anonymous callers are told apart (RFC 3323 section 4.1.1.3)")
    func anonymous() {
        let hidden = identity("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1")
        #expect(hidden?.uri == "sip:anonymous-7@anonymous.invalid")
        #expect(hidden?.aliases == ["sip:anonymous@anonymous.invalid"])
        #expect(hidden?.isAnonymous == true)
    }

    @Test("a display name is cut at whole characters")
    func longName() {
        #expect(identity("\"Müller-Lüdenscheidt\" <sip:m@example.org>;tag=1")?.displayName == "Müller-")
        #expect(identity("\"\" <sip:m@example.org>;tag=1")?.displayName == nil)
    }

    @Test("a From of another scheme is nobody")
    func other() {
        #expect(identity("<tel:+49123>;tag=1") == nil)
    }
}
