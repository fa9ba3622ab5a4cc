import SIP
import Testing

@testable import Focus

@Suite("What a SUBSCRIBE asks for")
struct SubscribeRequestTests {
    private func read(_ headers: [String: String], body: MessageBody? = nil) throws(Rejection) -> SubscribeRequest {
        let all = ["Event": "conference"].merging(headers) { $1 }
        return try SubscribeRequest(
            .make("SUBSCRIBE", "sip:lobby@example.com", headers: all, body: body), NotifyConfiguration())
    }

    private func refusal(_ headers: [String: String], body: MessageBody? = nil) -> (status: Int, headers: [HeaderField])
    {
        do throws(Rejection) {
            _ = try read(headers, body: body)
            return (0, [])
        } catch {
            return (error.status, error.headers)
        }
    }

    @Test("RFC 4575 3.3: an hour where nothing else is said")
    func expiry() throws {
        #expect(try read([:]).expiry == 3600)
        #expect(try read(["Expires": "600"]).expiry == 600)
        #expect(try read(["Expires": "0"]).expiry == 0)
        #expect(try read(["Expires": "4294967295"]).expiry == 86_400)
        #expect(refusal(["Expires": "soon"]).status == 400)
    }

    @Test("RFC 6665 4.2.1.1: too short is 423 with Min-Expires")
    func tooBrief() {
        let refusal = refusal(["Expires": "1"])
        #expect(refusal.status == 423)
        #expect(refusal.headers == [HeaderField("Min-Expires", "10")])
    }

    @Test("RFC 6665 4.2.1.1: other packages, and none, are 489", arguments: ["presence", "conference.winfo", ""])
    func badEvent(event: String) {
        let refusal = refusal(["Event": event])
        #expect(refusal.status == 489)
        #expect(refusal.headers.map(\.name) == ["Allow-Events"])
    }

    @Test("RFC 6665 8.2.1: the id belongs to the event")
    func id() throws {
        #expect(try read(["Event": "conference;id=7"]).event == EventName("conference", id: "7"))
    }

    @Test(
        "RFC 4575 3.4: the one format must be acceptable",
        arguments: [
            "application/conference-info+xml", "application/sdp, application/conference-info+xml;q=0.5",
            "Application/Conference-Info+XML", "*/*", "application/*", "text/plain,*/*;q=0.1",
        ])
    func accepted(accept: String) throws {
        _ = try read(["Accept": accept])
    }

    @Test(
        "RFC 4575 3.4: else 406",
        arguments: ["application/pidf+xml", "text/*", "application/conference-info+xml;q=0", "conference-info"])
    func notAcceptable(accept: String) {
        #expect(refusal(["Accept": accept]).status == 406)
    }

    @Test("RFC 3261 8.2.2.3: what it must do and doesn't know")
    func required() {
        let refusal = refusal(["Require": "eventlist, timer"])
        #expect(refusal.status == 420)
        #expect(refusal.headers == [HeaderField("Unsupported", "eventlist")])
    }

    @Test("RFC 4575 3.2: no filters are defined")
    func body() throws {
        let filter = MessageBody(contentType: "application/simple-filter+xml", content: Array("<x/>".utf8))
        #expect(refusal([:], body: filter).status == 415)
        _ = try read(["Content-Disposition": "render; handling=optional"], body: filter)
    }
}
