import Testing

@testable import SIP

@Suite("Headers of dialogs and events") struct DialogHeaderTests {
    static func request(_ lines: String) throws -> Request {
        Request(
            method: "INVITE", requestURI: try #require(SIPURI("sip:lobby@example.com")),
            headers: HeaderFields(octets: Array(lines.replacing("\n", with: "\r\n").utf8)), body: nil,
            source: Endpoint(transport: .udp, host: "127.0.0.1", port: 5060),
            local: Endpoint(transport: .udp, host: "127.0.0.1", port: 5060))
    }

    static let examples: [(String, DialogHeader)] = [
        // RFC 3891 section 6.1
        (
            "425928@bobster.example.org;to-tag=7743;from-tag=6472",
            .dialog(DialogName(callID: "425928@bobster.example.org", localTag: "7743", remoteTag: "6472"))
        ),
        // RFC 3891 section 6.1
        (
            "98732@sip.example.com\n          ;from-tag=r33th4x0r\n          ;to-tag=ff87ff",
            .dialog(DialogName(callID: "98732@sip.example.com", localTag: "ff87ff", remoteTag: "r33th4x0r"))
        ),
        (
            "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only",
            .dialog(DialogName(callID: "12adf2f34456gs5", localTag: "12345", remoteTag: "54321", isEarlyOnly: true))
        ),
        ("12adf2f34456gs5;to-tag=12345", .malformed),
        ("12adf2f34456gs5;to-tag=;from-tag=1", .malformed),
        (";to-tag=1;from-tag=2", .malformed),
        ("a;to-tag=1;from-tag=2\nReplaces: b;to-tag=1;from-tag=2", .malformed),
        ("a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2", .malformed),
        ("", .malformed),
    ]

    @Test("Replaces names a dialog, once (RFC 3891 sections 3 and 6.1)", arguments: examples)
    func replaces(_ row: (value: String, header: DialogHeader)) throws {
        #expect(try Self.request("Replaces: \(row.value)\n").replaces == row.header)
    }

    @Test("Join and Target-Dialog are read alike (RFC 3911 section 7.1, RFC 4538 section 7)")
    func join() throws {
        let request = try Self.request(
            "Join: 12adf2f34456gs5;to-tag=12345;from-tag=54321\n"
                + "Target-Dialog: fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544\n")
        #expect(request.join.name == DialogName(callID: "12adf2f34456gs5", localTag: "12345", remoteTag: "54321"))
        #expect(
            request.targetDialog.name
                == DialogName(callID: "fa77as7dad8-sd98ajzz@host.example.com", localTag: "6544", remoteTag: "kkaz-"))
        #expect(request.replaces == .absent)
    }

    @Test("Event with its id, in short as well (RFC 6665 section 8.2.1)")
    func event() throws {
        #expect(try Self.request("Event: conference\n").event == EventName("conference"))
        #expect(try Self.request("o: refer;id=93809823\n").event == EventName("refer", id: "93809823"))
        #expect(try Self.request("Event: presence.winfo ; x=y ;id=1\n").event == EventName("presence.winfo", id: "1"))
        #expect(try Self.request("Event:\n").event == nil)
        #expect(try Self.request("Event: two words\n").event == nil)
        #expect(EventName("refer", id: "2").description == "refer;id=2")
    }

    @Test("Subscription-State both ways (RFC 6665 section 8.2.3)")
    func subscriptionState() throws {
        let ended = try Self.request("Subscription-State: Terminated;reason=probation;retry-after=20\n")
        #expect(ended.subscriptionState == SubscriptionState("terminated", reason: "probation", retryAfter: 20))
        #expect(ended.subscriptionState?.isTerminated == true)
        let active = SubscriptionState("active", expires: 3599)
        #expect(active.description == "active;expires=3599")
        #expect(SubscriptionState(parsing: active.description) == active)
        #expect(SubscriptionState(parsing: ";reason=x") == nil)
    }

    @Test("Refer-To: every value counts, readable or not (RFC 3515 section 2.4.1)")
    func referTo() throws {
        #expect(try Self.request("Subject: x\n").referTo.isEmpty)
        let one = try Self.request("Refer-To: <sip:bob@h;method=BYE?Replaces=1>;method=INVITE\n").referTo
        #expect(one.count == 1)
        #expect(one.first??.uri.parameter("method") == "BYE")
        #expect(one.first??.uri.headers == "Replaces=1")
        #expect(one.first??.parameter("method") == "INVITE")
        #expect(try Self.request("r: <sip:a@h>\nRefer-To: <sip:b@h>, \"c, d\" <sip:c@h>\n").referTo.count == 3)
        #expect(try Self.request("Refer-To: nothing\n").referTo == [nil])
        #expect(try Self.request("Refer-To: <cid:list@h>\n").referTo.first??.uri.opaque == "list@h")
    }

    @Test("Refer-Sub, Referred-By, Expires, Retry-After (RFC 4488, RFC 3892, RFC 3261 sections 20.19 and 20.33)")
    func others() throws {
        let request = try Self.request("Refer-Sub: false ;x\nb: \"A\" <sip:a@h>;cid=\"x@y\"\nExpires: 4294967296\n")
        #expect(request.referSub == false)
        #expect(request.referredBy?.uri.user == "a")
        #expect(request.expires == 4_294_967_295)
        #expect(try Self.request("Refer-Sub: TRUE\n").referSub == true)
        #expect(try Self.request("Refer-Sub: maybe\nExpires: -1\n").referSub == nil)
        #expect(try Self.request("Expires: soon\n").expires == nil)
        #expect(try Self.request("Expires: 99999999999999999999999\n").expires == 4_294_967_295)
        let response = Response(
            status: 503, phrase: "",
            headers: HeaderFields(octets: Array("Retry-After: 18 (later);duration=5\r\n".utf8)),
            body: nil, source: nil)
        #expect(response.retryAfter == 18)
    }
}
