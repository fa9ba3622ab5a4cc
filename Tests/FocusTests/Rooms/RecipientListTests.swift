import MediaMixer
import Testing

@testable import Focus
@testable import SIP

/// INVITEs with a list of people (RFC 5366).
@Suite("Joining with a resource list", .timeLimit(.minutes(1)))
struct RecipientListTests {
    /// As in RFC 5366 section 7: an offer and a list in one body.
    private func body(
        _ entries: [String] = ["sip:bill@example.org", "sip:randy@example.net"], list: String? = nil,
        offer: String? = Offer.plain, disposition: String = "recipient-list"
    ) -> MessageBody {
        let xml =
            list
                ?? """
                <?xml version="1.0" encoding="UTF-8"?>
                <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">
                  <list>
                \(entries.map { "    <entry uri=\"\($0)\" />" }.joined(separator: "\n"))
                  </list>
                </resource-lists>
                """
        let session = offer.map { "--boundary1\r\nContent-Type: application/sdp\r\n\r\n\($0)\r\n" } ?? ""
        let text =
            session
            + "--boundary1\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: \(disposition)\r\n"
            + "\r\n\(xml)\r\n--boundary1--\r\n"
        return MessageBody(contentType: "multipart/mixed;boundary=\"boundary1\"", content: Array(text.utf8))
    }

    private let require = ["Require": "recipient-list-invite"]

    @Test("after the ACK the focus sends REFERs to those listed (RFC 5366 section 5, RFC 4579 section 5.6)")
    func refer() async throws {
        let bench = Bench()
        let (call, member, answer) = try await bench.invite(.invite(headers: require, body: body()))
        #expect(answer.sdpLine("a=path") != nil)
        await bench.expectQuiet()
        await bench.focus.handle(.acknowledged(call, nil))
        #expect(await bench.next() == .joined(member))
        var targets: Set<String> = []
        for _ in 0..<2 {
            guard case .sent(let sent) = await bench.next() else { throw TestFailure() }
            #expect(sent.method == "REFER")
            #expect(sent.header("Refer-To")?.contains("sip:lobby@") == true)
            targets.insert(sent.target?.description ?? "")
        }
        #expect(targets == ["sip:bill@example.org", "sip:randy@example.net"])
        await bench.expectQuiet()
    }

    @Test("who doesn't get in calls nobody")
    func unacknowledged() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.invite(.invite(headers: require, body: body()))
        await bench.focus.handle(.ended(call, .unacknowledged))
        #expect(await bench.next() == .leave(member, .notCompleted))
        await bench.expectQuiet()
    }

    @Test("who may not invite may not bring a list: 403, and the room is not made for it")
    func forbidden() async throws {
        let bench = Bench { $0.rooms = [RoomConfiguration(address: Bench.room)] }
        try await bench.focus.lock(Bench.room, false)
        try await bench.focus.setRole(.observer, of: "alice@example.org", in: Bench.room)
        #expect(try await bench.refusal(of: .invite(headers: require, body: body())).status == 403)
        _ = try await bench.join()
    }

    @Test("a list without an offer gets our offer (RFC 5366 section 5)")
    func offerless() async throws {
        let bench = Bench()
        let (_, _, answer) = try await bench.invite(.invite(headers: require, body: body(offer: nil)))
        #expect(answer.sdpLine("a=setup") == "a=setup:actpass")
    }

    @Test(
        "hostile or broken lists: 400",
        arguments: [
            "<!DOCTYPE x [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;&a;&a;\">]><resource-lists>&c;</resource-lists>",
            "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><resource-lists>&a;</resource-lists>",
            "<resource-lists><list>", "not xml", "",
        ])
    func broken(xml: String) async throws {
        let bench = Bench()
        #expect(try await bench.refusal(of: .invite(headers: require, body: body(list: xml))).status == 400)
        #expect(await bench.focus.roomList().isEmpty)
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test("a list in a re-INVITE: 420 with Unsupported, and the session goes on (RFC 5366 section 5)")
    func again() async throws {
        let bench = Bench()
        let (call, _, _) = try await bench.join()
        for request in [
            Request.invite(headers: require, body: body()), .invite(body: body()), .invite(headers: require),
        ] {
            _ = await bench.offer(call, request)
            let answer = try await bench.nextAnswer()
            #expect(answer.status == 420)
            #expect(answer.header("Unsupported") == "recipient-list-invite")
        }
        _ = await bench.offer(call, .invite())
        #expect(try await bench.nextAnswer().status == 200)
    }
}
