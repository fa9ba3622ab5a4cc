import MediaMixer
import SIP
import Testing

@testable import Focus

@Suite("Room URIs")
struct RoomResolverTests {
    private let resolver = RoomResolver(
        domains: ["Example.com", "chat.example.org", "127.0.0.1", "2001:db8::1"], aliases: ["192.0.2.1", "127.0.0.1"])

    private func resolve(_ uri: String) throws -> Resolution { resolver.resolve(try #require(SIPURI(uri))) }

    private func room(_ user: String, _ domain: String) -> Resolution { .room(RoomAddress(user: user, domain: domain)) }

    @Test(
        "the domain ignores case, the user part does not (RFC 3261 section 19.1.4)",
        arguments: [
            ("sip:Lobby@EXAMPLE.com", "Lobby", "example.com"), ("sip:lobby@example.com", "lobby", "example.com"),
            ("sip:lobby@example.com:5070;transport=tcp", "lobby", "example.com"),
            ("sips:lobby@example.com", "lobby", "example.com"), ("SIP:lobby@example.com.", "lobby", "example.com"),
            ("sip:lobby:secret@example.com", "lobby", "example.com"),
            ("sip:lobby@127.0.0.1:5060", "lobby", "127.0.0.1"),
            ("sip:lobby@[2001:DB8:0::1]", "lobby", "2001:db8::1"),
        ])
    func names(uri: String, user: String, domain: String) throws {
        #expect(try resolve(uri) == room(user, domain))
    }

    @Test(
        "an escaped character is the character (RFC 3261 section 19.1.4)",
        arguments: [
            ("sip:%6cobby@example.com", "lobby"), ("sip:caf%C3%A9@example.com", "café"),
            ("sip:a%20b@example.com", "a b"),
        ])
    func escapes(uri: String, user: String) throws {
        #expect(try resolve(uri) == room(user, "example.com"))
    }

    @Test(
        "other schemes: 416 (RFC 3261 section 8.2.2.1)",
        arguments: ["tel:+4912345", "mailto:lobby@example.com", "nobodyKnowsThisScheme:totallyopaquecontent"])
    func schemes(uri: String) throws {
        #expect(try resolve(uri) == .unsupportedScheme)
    }

    @Test(
        "other domains: 404 (RFC 3261 section 8.2.2.1)",
        arguments: ["sip:lobby@example.net", "sip:lobby@127.0.0.2", "sip:example.net"])
    func domains(uri: String) throws {
        #expect(try resolve(uri) == .notFound)
    }

    @Test("a served domain without a user part is the server")
    func server() throws {
        #expect(try resolve("sip:example.com") == .server)
        #expect(try resolve("sip:192.0.2.1:5060") == .server)
    }

    @Test("names that would tear a line apart, or are too long, name no room")
    func impossibleNames() throws {
        #expect(try resolve("sip:a%0d%0ab@example.com") == .notFound)
        #expect(try resolve("sip:\(String(repeating: "a", count: 255))@example.com") != .notFound)
        #expect(try resolve("sip:\(String(repeating: "a", count: 256))@example.com") == .notFound)
    }

    @Test("the address in our Contact reaches the rooms of the first domain, or of the one it names")
    func aliases() throws {
        #expect(try resolve("sip:lobby@192.0.2.1:5060") == room("lobby", "example.com"))
        #expect(try resolve("sip:lobby@192.0.2.1;room-domain=Chat.example.org") == room("lobby", "chat.example.org"))
        #expect(try resolve("sip:lobby@127.0.0.1;room-domain=example.com") == room("lobby", "example.com"))
        #expect(try resolve("sip:lobby@192.0.2.1;room-domain=evil.example") == room("lobby", "example.com"))
        #expect(try resolve("sip:lobby@evil.example;room-domain=example.com") == .notFound)
        let wildcard = try #require(SIPURI("sip:lobby@192.0.2.77:5060"))
        #expect(resolver.resolve(wildcard, local: "192.0.2.77") == room("lobby", "example.com"))
        #expect(resolver.resolve(wildcard, local: "192.0.2.78") == .notFound)
    }
}
