import Payloads
import Testing

@testable import Focus
@testable import SIP

/// Lists of people in INVITEs, and what each of them may know of the others.
@Suite struct InviteeListTests {
    private static let limits = DialConfiguration.Limits()

    /// The list of RFC 5366 figure 3.
    private static let list = """
        <?xml version="1.0" encoding="UTF-8"?>
        <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"
                  xmlns:cp="urn:ietf:params:xml:ns:copycontrol">
          <list>
            <entry uri="sip:bill@example.com" cp:copyControl="to" />
            <entry uri="sip:randy@example.net" cp:copyControl="to"
                                               cp:anonymize="true"/>
            <entry uri="sip:eddy@example.com" cp:copyControl="to"
                                              cp:anonymize="true"/>
            <entry uri="sip:joe@example.org" cp:copyControl="cc" />
            <entry uri="sip:carol@example.net" cp:copyControl="cc"
                                               cp:anonymize="true"/>
            <entry uri="sip:ted@example.net" cp:copyControl="bcc" />
            <entry uri="sip:andy@example.com" cp:copyControl="bcc" />
          </list>
        </resource-lists>
        """

    private static func invite(
        _ xml: String, type: String = "application/resource-lists+xml", disposition: String = "recipient-list"
    ) -> Request {
        let body = [
            "--boundary1", "Content-Type: application/sdp", "", Offer.plain, "--boundary1", "Content-Type: \(type)",
            "Content-Disposition: \(disposition)", "", xml, "--boundary1--", "",
        ].joined(separator: "\r\n")
        return .invite(
            headers: ["Require": "recipient-list-invite"],
            body: MessageBody(contentType: "multipart/mixed;boundary=\"boundary1\"", content: Array(body.utf8)))
    }

    private func status(_ request: Request) -> Int? {
        do {
            _ = try InviteeList.inInvite(request, limits: Self.limits)
            return nil
        } catch {
            return error.status
        }
    }

    @Test("the example of RFC 5366 section 6")
    func example() throws {
        let people = try #require(try InviteeList.inInvite(Self.invite(Self.list), limits: Self.limits)).people
        #expect(
            people.map(\.uri.description) == [
                "sip:bill@example.com", "sip:randy@example.net", "sip:eddy@example.com", "sip:joe@example.org",
                "sip:carol@example.net", "sip:ted@example.net", "sip:andy@example.com",
            ])
        #expect(people.map(\.copy) == [.to, .to, .to, .cc, .cc, .bcc, .bcc])
        #expect(people.map(\.isAnonymized) == [false, true, true, false, true, false, false])
    }

    @Test("an INVITE without list has none")
    func none() throws {
        #expect(try InviteeList.inInvite(.invite(), limits: Self.limits) == nil)
        #expect(try InviteeList.inInvite(.invite(body: nil), limits: Self.limits) == nil)
        #expect(
            try InviteeList.inInvite(
                Self.invite(Self.list, disposition: "recipient-list-history; handling=optional"), limits: Self.limits)
                == nil)
    }

    @Test("a recipient list in another format is refused with 415 (RFC 5366 section 4)")
    func otherFormat() { #expect(status(Self.invite(Self.list, type: "application/xml")) == 415) }

    @Test("a broken list is refused with 400, too long a one with 413")
    func broken() {
        #expect(status(Self.invite("<resource-lists>")) == 400)
        #expect(status(Self.invite("<!DOCTYPE a><a/>")) == 400)
        let entries = (0...Self.limits.listEntries).map { "<entry uri=\"sip:u\($0)@h\"/>" }.joined()
        #expect(
            status(
                Self.invite(
                    "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\(entries)</list></resource-lists>"
                )) == 413)
    }

    @Test("a duplicate is called once, with the highest copy control (RFC 5364 section 4)")
    func duplicates() throws {
        let xml = """
            <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"
                xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>
            <entry uri="sip:a@h" cp:copyControl="bcc"/><entry uri="sip:a@H" cp:copyControl="to"/>
            </list></resource-lists>
            """
        let people = try #require(try InviteeList.inInvite(Self.invite(xml), limits: Self.limits)).people
        #expect(people.map(\.copy) == [.to])
    }

    @Test("an entry that asks for something else than an invitation is left out")
    func otherMethods() throws {
        let xml = """
            <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>
            <entry uri="sip:a@h?method=BYE"/><entry uri="tel:+1"/><entry uri="sip:b@h;method=INVITE"/>
            </list></resource-lists>
            """
        let people = try #require(try InviteeList.inInvite(Self.invite(xml), limits: Self.limits)).people
        #expect(people.map(\.uri.description) == ["sip:b@h"])
    }

    @Test("the invited learn of each other what RFC 5366 figure 4 shows, and nothing of bcc (RFC 5364 section 4)")
    func history() throws {
        let people = try #require(try InviteeList.inInvite(Self.invite(Self.list), limits: Self.limits)).people
        let history = try #require(InvitationBody.history(of: people))
        let text = String(decoding: history, as: UTF8.self)
        for hidden in ["randy", "eddy", "carol", "ted", "andy", "bcc"] { #expect(!text.contains(hidden)) }
        guard case .entry(let bill)? = try ResourceList(parsing: history).lists.first?.items.first else {
            Issue.record("no entry")
            return
        }
        #expect(bill.uri == "sip:bill@example.com")
        #expect(text.contains("sip:joe@example.org"))
        #expect(text.contains("count=\"2\""))
        #expect(InvitationBody.history(of: [Invitee(uri: SIPURI(user: "a", host: "h"))]) == nil)
    }

    @Test("an INVITE with the list of the others has it as an optional part (RFC 5366 section 5)")
    func body() throws {
        let body = InvitationBody.make(
            description: Array("v=0\r\n".utf8), history: Array("<x/>".utf8), boundary: "b")
        #expect(body.contentType == "multipart/mixed;boundary=\"b\"")
        #expect(
            String(decoding: body.content, as: UTF8.self)
                == "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\n"
                + "Content-Type: application/resource-lists+xml\r\n"
                + "Content-Disposition: recipient-list-history; handling=optional\r\n\r\n<x/>\r\n--b--\r\n")
        #expect(SessionBody(body) == .description(Array("v=0\r\n".utf8)))
        // What refreshes of the session repeat.
        #expect(body.sessionDescription == MessageBody(sdp: "v=0\r\n"))
        let plain = InvitationBody.make(description: Array("v=0\r\n".utf8), history: nil, boundary: "b")
        #expect(plain.mediaType == "application/sdp")
        #expect(plain.sessionDescription == plain)
        #expect(MessageBody(contentType: "text/plain", content: []).sessionDescription == nil)
    }
}
