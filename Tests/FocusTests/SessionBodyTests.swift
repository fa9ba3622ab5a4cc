import SIP
import Testing

@testable import Focus

@Suite("Bodies of requests")
struct SessionBodyTests {
    private let sdp = Array("v=0\r\n".utf8)

    private func multipart(_ subtype: String, _ parts: [(type: String, disposition: String?, body: String)])
        -> MessageBody
    {
        var text = ""
        for part in parts {
            text += "--edge\r\nContent-Type: \(part.type)\r\n"
            if let disposition = part.disposition { text += "Content-Disposition: \(disposition)\r\n" }
            text += "\r\n\(part.body)\r\n"
        }
        return MessageBody(
            contentType: "multipart/\(subtype);boundary=\"edge\"", content: Array((text + "--edge--\r\n").utf8))
    }

    @Test("SDP is the offer, no body asks for ours (RFC 3261 section 13.2.1)")
    func plain() {
        #expect(
            SessionBody(MessageBody(contentType: "Application/SDP; charset=utf-8", content: sdp)) == .description(sdp))
        #expect(SessionBody(nil) == .none)
        #expect(SessionBody(MessageBody(contentType: "application/sdp", content: [])) == .none)
    }

    @Test("an unknown type is unsupported unless it is optional (RFC 3261 section 8.2.3)")
    func unknown() {
        let body = MessageBody(contentType: "application/isup", content: [1])
        #expect(SessionBody(body) == .unsupported)
        #expect(SessionBody(body, disposition: "signal") == .unsupported)
        #expect(SessionBody(body, disposition: "signal;handling=required") == .unsupported)
        #expect(SessionBody(body, disposition: "signal; handling=optional") == .none)
        #expect(SessionBody(body, disposition: "signal;HANDLING=\"Optional\"") == .none)
    }

    @Test("a description that is not the session's is not the offer (RFC 3261 section 20.11)")
    func otherDisposition() {
        let body = MessageBody(contentType: "application/sdp", content: sdp)
        #expect(SessionBody(body, disposition: "session") == .description(sdp))
        #expect(SessionBody(body, disposition: "session;handling=optional") == .description(sdp))
        #expect(SessionBody(body, disposition: "early-session") == .unsupported)
        #expect(SessionBody(body, disposition: "early-session;handling=optional") == .none)
    }

    @Test("an encoded body is refused (RFC 3261 sections 8.2.3 and 20.12)")
    func encoded() {
        let body = MessageBody(contentType: "application/sdp", content: sdp)
        #expect(SessionBody(body, encoding: "gzip") == .encoded)
        #expect(SessionBody(body, encoding: "identity") == .description(sdp))
    }

    @Test("multipart/mixed: the description among other parts (RFC 5621 section 3.1)")
    func mixed() {
        #expect(
            SessionBody(multipart("mixed", [("application/sdp", nil, "v=0\r\n")])) == .description(sdp))
        #expect(
            SessionBody(
                multipart(
                    "mixed",
                    [("application/isup", "signal;handling=optional", "x"), ("application/sdp", "session", "v=0\r\n")]))
                == .description(sdp))
        #expect(
            SessionBody(multipart("mixed", [("application/sdp", nil, "v=0\r\n"), ("application/isup", nil, "x")]))
                == .unsupported)
        #expect(
            SessionBody(multipart("mixed", [("application/isup", "signal;handling=optional", "x")])) == .none)
    }

    @Test("multipart/alternative: the last part that is understood (RFC 5621 section 3.2)")
    func alternative() {
        #expect(
            SessionBody(
                multipart("alternative", [("application/sdp", nil, "v=0\r\n"), ("application/sdpng+xml", nil, "<x/>")]))
                == .description(sdp))
        #expect(SessionBody(multipart("alternative", [("text/html", nil, "x")])) == .unsupported)
    }

    @Test("a multipart without a boundary, or cut short, is malformed (RFC 2046 section 5.1.1)")
    func malformed() {
        #expect(SessionBody(MessageBody(contentType: "multipart/mixed", content: sdp)) == .malformed)
        #expect(SessionBody(MessageBody(contentType: "multipart/mixed;boundary=x", content: sdp)) == .malformed)
        #expect(SessionBody(MessageBody(contentType: "rubbish", content: sdp)) == .malformed)
    }

    @Test("multiparts in multiparts end somewhere")
    func nested() {
        var body = multipart("mixed", [("application/sdp", nil, "v=0\r\n")])
        #expect(SessionBody(body) == .description(sdp))
        for _ in 0..<8 {
            body = multipart("mixed", [(body.contentType, nil, String(decoding: body.content, as: UTF8.self))])
        }
        #expect(SessionBody(body) != .description(sdp))
    }
}
