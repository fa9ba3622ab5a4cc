import Testing

@testable import Focus
@testable import SIP

/// Status lines in NOTIFYs (RFC 3420, RFC 3515 section 2.4.5).
@Suite struct SipfragTests {
    @Test("a body is one status line (RFC 3515 section 2.4.5)")
    func written() {
        let body = Sipfrag.body(.trying)
        #expect(body.contentType == "message/sipfrag;version=2.0")
        #expect(String(decoding: body.content, as: UTF8.self) == "SIP/2.0 100 Trying\r\n")
    }

    @Test("a phrase can't bring a second line along")
    func phrase() {
        let outcome = DialOutcome(486, "Busy\r\nVia: x")
        #expect(String(decoding: Sipfrag.body(outcome).content, as: UTF8.self) == "SIP/2.0 486 BusyVia: x\r\n")
        #expect(DialOutcome(486, String(repeating: "x", count: 1_000)).phrase.utf8.count == Sipfrag.phraseOctets)
        #expect(DialOutcome(486, "").phrase == "Busy Here")
    }

    @Test(
        "a peer's body begins with a status line, whatever follows (RFC 3515 section 2.4.5)",
        arguments: [
            ("SIP/2.0 200 OK", 200), ("SIP/2.0 200 OK\r\nTo: x\r\n", 200), ("SIP/2.0 503", 503),
            ("sip/2.0 100 Trying\n", 100), ("SIP/2.0 99 Low", nil), ("SIP/2.0 700 High", nil),
            ("SIP/2.0 20 OK", nil), ("SIP/2.0 +20 OK", nil), ("HTTP/1.1 200 OK", nil), ("", nil), ("SIP/2.0", nil),
            ("INVITE sip:a@h SIP/2.0", nil),
        ] as [(String, Int?)])
    func read(_ text: String, _ status: Int?) {
        let body = MessageBody(contentType: "message/sipfrag;version=2.0", content: Array(text.utf8))
        #expect(Sipfrag.outcome(of: body)?.status == status)
    }

    @Test("another type says nothing")
    func otherType() {
        #expect(
            Sipfrag.outcome(of: MessageBody(contentType: "text/plain", content: Array("SIP/2.0 200 OK".utf8))) == nil)
        #expect(Sipfrag.outcome(of: nil) == nil)
    }
}
