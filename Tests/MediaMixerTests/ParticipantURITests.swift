import Testing

@testable import MediaMixer

@Suite("Comparing participants' URIs (RFC 3261 section 19.1.4)")
struct ParticipantURITests {
    @Test(
        "these name the same participant",
        arguments: [
            ("sip:alice@example.com", "sip:alice@EXAMPLE.com"),
            ("sip:alice@example.com", "SIP:alice@example.com"),
            ("sip:alice@example.com", "sips:alice@example.com"),
            ("sip:%61lice@example.com", "sip:alice@example.com"),
            ("sip:alice@example.com;transport=tcp", "sip:alice@example.com"),
            ("sip:alice@example.com?subject=x", "sip:alice@example.com"),
            ("sip:alice@[2001:DB8::1]", "sip:alice@[2001:db8::1]"),
            ("sip:alice@example.com;user=phone", "sip:alice@example.com;USER=Phone"),
            ("tel:+1234", "TEL:+1234"),
            ("tel:+1-(2)3.4", "tel:+1234"),
            ("tel:7042;phone-context=Example.com", "tel:7042;phone-context=example.com"),
            ("im:alice@example.com", "sip:alice@example.com"),
            ("pres:alice@EXAMPLE.com", "sips:alice@example.com"),
        ])
    func same(_ pair: (String, String)) {
        #expect(ParticipantURI(pair.0) == ParticipantURI(pair.1))
    }

    @Test(
        "these don't",
        arguments: [
            ("sip:alice@example.com", "sip:Alice@example.com"),
            ("sip:alice@example.com", "sip:alice@example.org"),
            ("sip:alice@example.com", "sip:alice@example.com:5070"),
            ("sip:alice@example.com", "sip:bob@example.com"),
            ("sip:alice@example.com", "sip:example.com"),
            ("sip:alice@example.com", "sip:alice@example.com;user=phone"),
            ("sip:alice@example.com", "tel:alice@example.com"),
            ("sip:alice@[::1]:5060", "sip:alice@[::1]"),
            ("tel:7042;phone-context=example.com", "tel:7042"),
            ("im:alice@example.com", "im:bob@example.com"),
        ])
    func different(_ pair: (String, String)) {
        #expect(ParticipantURI(pair.0) != ParticipantURI(pair.1))
    }

    @Test("anything at all can be compared", arguments: ["", ":", "sip:", "sip:@", "sip:%", "sip:%zz@h", "sip:a@h:]"])
    func nonsense(_ text: String) {
        #expect(ParticipantURI(text) == ParticipantURI(text))
    }
}
