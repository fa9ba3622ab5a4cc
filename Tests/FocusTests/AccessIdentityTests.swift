import Testing

@testable import Focus
@testable import SIP

@Suite("Asserted identities and privacy")
struct AccessIdentityTests {
    private func asserted(_ value: String) -> AssertedIdentity? {
        AssertedIdentity(of: .invite(headers: ["P-Asserted-Identity": value]))
    }

    @Test("the values of RFC 3325 section 9.1's examples are read")
    func examples() {
        // Section 10.1
        let both = asserted(#""Cullen Jennings" <sip:fluffy@cisco.com>, tel:+14085264000"#)
        #expect(both?.uri == "sip:fluffy@cisco.com")
        #expect(both?.telephone == "tel:+14085264000")
        #expect(both?.displayName == "Cullen Jennings")
        #expect(both?.address?.user == "fluffy")
        #expect(asserted("tel:+14085264000")?.uri == "tel:+14085264000")
        #expect(asserted("tel:+14085264000")?.address == nil)
    }

    @Test(
        "the first sip URI and the first tel URI count (RFC 3325 section 9.1)",
        arguments: [
            ("<sip:a@x.org>, <sip:b@x.org>", "sip:a@x.org", nil),
            ("<tel:+1-408-526(4000)>, <sips:a@x.org:5071;transport=tcp>", "sips:a@x.org:5071", "tel:+14085264000"),
            ("<tel:7042;phone-context=Example.com>", "tel:7042;phone-context=example.com", nil),
            ("<tel:+4930;phone-context=example.com;isub=1>", "tel:+4930", nil),
            ("<mailto:a@x.org>, <sip:b@x.org>", "sip:b@x.org", nil),
        ] as [(String, String, String?)])
    func values(value: String, uri: String, telephone: String?) {
        #expect(asserted(value)?.uri == uri)
        #expect(asserted(value)?.telephone == telephone)
    }

    @Test(
        "what names nobody is no identity",
        arguments: [
            "<sip:example.com>", "<sip:anonymous@anonymous.invalid>", "<tel:7042>", "<tel:+>", "<tel:+49x>", "<tel:>",
            "<mailto:a@x.org>", "", "\"", "<sip:a%0d%0a@x.org>", "<tel:7042;phone-context=>x>",
        ])
    func nobody(value: String) {
        #expect(asserted(value) == nil)
    }

    @Test(
        "privacy is asked for by id, user and header (RFC 3323 section 4.2, RFC 3325 section 9.3)",
        arguments: [
            ("id", true), ("user;id", true), ("ID ; critical", true), ("header", true), ("user", true),
            ("session", false), ("critical", false), ("none", false), ("none;id", false), ("", false), ("ident", false),
            ("id,critical", true), ("history", false),
        ])
    func privacy(value: String, isAsked: Bool) {
        #expect(Privacy.isAsked(.invite(headers: ["Privacy": value])) == isAsked)
    }

    @Test("who hides gets a URI of its own; the known names stay for CPIM's From (RFC 7701 section 5.1)")
    func hide() throws {
        let request = Request.invite(headers: ["From": "\"Alice\" <sips:alice@example.org:5071>;tag=1"])
        var identity = try #require(Identity(of: request, serial: 0, displayNameOctets: 80))
        #expect(identity.uri == "sips:alice@example.org:5071")
        identity.hide(serial: 4)
        #expect(identity.isAnonymous)
        #expect(identity.uri == "sip:anonymous-4@anonymous.invalid")
        #expect(identity.displayName == nil)
        #expect(
            identity.aliases == [
                "sips:alice@example.org:5071", "sip:anonymous@anonymous.invalid", "sips:alice@example.org",
                "sip:alice@example.org",
            ])
        identity.hide(serial: 5)
        #expect(identity.uri == "sip:anonymous-4@anonymous.invalid")
    }

    @Test(
        "names that would tear a log line apart are refused",
        arguments: [
            "sip:a%0d%0aX@example.org", "sip:a%1b@example.org", "sip:a%c2%85@example.org",
            "sip:a%e2%80%a8@example.org",
        ])
    func torn(from: String) {
        let request = Request.invite(headers: ["From": "<\(from)>;tag=1"])
        #expect(Identity(of: request, serial: 0, displayNameOctets: 80) == nil)
    }
}
