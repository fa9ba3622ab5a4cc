import Payloads
import Testing

@testable import Focus
@testable import SIP

/// What a REFER asks for, or why it is refused.
@Suite struct ReferRequestTests {
    private static let limits = DialConfiguration.Limits()

    private static func refer(_ referTo: String, headers: [String: String] = [:], body: MessageBody? = nil) -> Request {
        .make(
            "REFER", "sip:3402934234@conf.example.com",
            headers: headers.merging(["Refer-To": referTo]) { $1 }, body: body)
    }

    private static func read(_ request: Request) throws(Rejection) -> ReferRequest {
        try ReferRequest(request, limits: limits)
    }

    private func status(_ request: Request) -> Int? {
        do {
            _ = try Self.read(request)
            return nil
        } catch {
            return error.status
        }
    }

    @Test(
        "what is to be done stands in the Refer-To (RFC 4579 sections 5.5, 5.7, 5.11)",
        arguments: [
            ("<sip:carol@chicago.example.com>", ReferTarget.Method.invite, "sip:carol@chicago.example.com"),
            ("sip:carol@chicago.example.com", .invite, "sip:carol@chicago.example.com"),
            ("\"Carol\" <sip:carol@chicago.example.com;method=INVITE>", .invite, "sip:carol@chicago.example.com"),
            ("<sip:carol@chicago.example.com>;method=INVITE", .invite, "sip:carol@chicago.example.com"),
            ("<sip:carol@chicago.example.com;method=BYE>", .bye, "sip:carol@chicago.example.com"),
            // The parameter outside of the brackets: what sip-session3 and Blink write.
            ("<sip:bob@127.0.0.1>;method=BYE", .bye, "sip:bob@127.0.0.1"),
            ("sip:bob@127.0.0.1;method=BYE", .bye, "sip:bob@127.0.0.1"),
            ("<sip:bob@127.0.0.1;Method=bye>", .bye, "sip:bob@127.0.0.1"),
            ("<sip:bob@127.0.0.1?method=BYE>", .bye, "sip:bob@127.0.0.1"),
            ("<sip:bob@biloxi.example.com;method=REFER>", .refer, "sip:bob@biloxi.example.com"),
            (
                "<sips:bob@b.example;transport=tcp;method=INVITE;maddr=192.0.2.9;lr>", .invite,
                "sips:bob@b.example;transport=tcp"
            ),
        ])
    func deeds(_ referTo: String, _ method: ReferTarget.Method, _ uri: String) throws {
        let refer = try Self.read(Self.refer(referTo))
        #expect(refer.targets.map(\.method) == [method])
        #expect(refer.targets.first?.invitee.uri.description == uri)
        #expect(!refer.isList)
        #expect(refer.wantsReport)
    }

    @Test(
        "a REFER with no, several or unusable Refer-To is refused (RFC 3515 section 2.4.2)",
        arguments: [
            ("", 400), ("<sip:a@h>, <sip:b@h>", 400), ("<sip:a@h", 400), ("@@", 400), ("<tel:+1234>", 416),
            ("<http://www.ietf.org>", 416), ("<mailto:a@h>", 416), ("<sip:a@h;method=SUBSCRIBE>", 403),
            ("<sip:a@h;method=MESSAGE>", 403), ("<sip:a@h?Replaces=nonsense>", 400),
            ("<sip:a@h?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=b%3Bto-tag%3D1%3Bfrom-tag%3D2>", 400),
            ("<sip:a@h;method=REFER?Refer-To=tel:+1>", 400), ("<cid:nobody@h>", 400),
        ])
    func refused(_ referTo: String, _ expected: Int) {
        #expect(status(Self.refer(referTo)) == expected)
    }

    @Test("two header lines are two Refer-To (RFC 3515 section 2.4.2)")
    func twoLines() {
        let text = "Refer-To: <sip:a@h>\r\nr: <sip:b@h>\r\n"
        let request = Request(
            method: "REFER", requestURI: SIPURI(user: "lobby", host: "example.com"),
            headers: HeaderFields(octets: Array(text.utf8)), body: nil, source: Request.client, local: Request.server)
        #expect(status(request) == 400)
    }

    @Test("a REFER to send somebody to the room names where (RFC 4579 section 5.7)")
    func referWithRefer() throws {
        let refer = try Self.read(
            Self.refer("<sip:bob@biloxi.example.com;method=REFER?Refer-To=sip:3402934234%40example.com>"))
        #expect(refer.targets.first?.method == .refer)
        #expect(refer.targets.first?.destination == SIPURI("sip:3402934234@example.com"))
        #expect(refer.targets.first?.invitee.uri.headers == nil)
    }

    @Test("the dialog to be replaced is carried along (RFC 4579 section 5.10)")
    func replaces() throws {
        let refer = try Self.read(
            Self.refer(
                "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE>"))
        #expect(refer.targets.first?.invitee.replaces == "12345@192.168.118.3;to-tag=12345;from-tag=5FFE")
        #expect(refer.targets.first?.invitee.uri.description == "sip:dave@denver.example.org")
    }

    @Test("other header fields of the URI are left out, and none breaks out of its header")
    func otherHeaders() throws {
        let refer = try Self.read(
            Self.refer("<sip:a@h?Subject=x&Body=y&Replaces%0d%0aEvil=1&Route=%3Csip:evil%3E>"))
        #expect(refer.targets.first?.invitee == Invitee(uri: SIPURI(user: "a", host: "h")))
    }

    @Test(
        "whoever wants no subscription gets none (RFC 4488 section 4)",
        arguments: [
            (["Refer-Sub": "false"], false), (["Refer-Sub": "FALSE;x=1"], false), (["Refer-Sub": "true"], true),
            (["Require": "norefersub"], false), (["Supported": "norefersub"], true), ([:], true),
        ] as [([String: String], Bool)])
    func reports(_ headers: [String: String], _ wantsReport: Bool) throws {
        #expect(try Self.read(Self.refer("<sip:a@h>", headers: headers)).wantsReport == wantsReport)
    }

    @Test("whatever is left of a Refer-To is judged, at every cut and with every octet changed")
    func mutations() {
        let whole = Array(
            "\"Carol\" <sip:carol@[::1]:5070;method=REFER?Refer-To=sip:a%40h&Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>;x=y"
                .utf8)
        var taken = 0
        for index in whole.indices {
            for octet in [UInt8(ascii: "%"), 0x22, 0x3c, 0x3b, 0x2c, 0xff, 0x20] {
                var changed = whole
                changed[index] = octet
                for text in [Array(whole[..<index]), changed, Array(whole[index...])] {
                    let request = Self.refer(String(decoding: text, as: UTF8.self))
                    if (try? Self.read(request)) != nil { taken += 1 }
                }
            }
        }
        #expect(taken > 0)
    }

    // MARK: Lists

    private static let list = """
        <?xml version="1.0" encoding="UTF-8"?>
        <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"
                xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
          <list>
            <entry uri="sip:bill@example.com?method=BYE" />
            <entry uri="sip:joe@example.org?method=BYE" />
            <entry uri="sip:ted@example.net?method=BYE" />
          </list>
        </resource-lists>
        """

    private static func multiple(_ xml: String, type: String = "application/resource-lists+xml") -> Request {
        refer(
            "<cid:cn35t8jf02@example.com>",
            headers: [
                "Refer-Sub": "false", "Require": "multiple-refer, norefersub", "Content-Type": type,
                "Content-Disposition": "recipient-list", "Content-ID": "<cn35t8jf02@example.com>",
            ], body: MessageBody(contentType: type, content: Array(xml.utf8)))
    }

    @Test("the example of RFC 5368 section 9")
    func exampleList() throws {
        let refer = try Self.read(Self.multiple(Self.list))
        #expect(refer.isList)
        #expect(!refer.wantsReport)
        #expect(refer.targets.map(\.method) == [.bye, .bye, .bye])
        #expect(
            refer.targets.map(\.invitee.uri.description) == [
                "sip:bill@example.com", "sip:joe@example.org", "sip:ted@example.net",
            ])
    }

    @Test("the list may be a part of a multipart body (RFC 5368 section 7)")
    func listInMultipart() throws {
        let body = [
            "--b", "Content-Type: text/plain", "", "hello", "--b", "Content-Type: application/resource-lists+xml",
            "Content-ID: <l@h>", "", Self.list, "--b--", "",
        ].joined(separator: "\r\n")
        let request = Self.refer(
            "<cid:l@h>", body: MessageBody(contentType: "multipart/mixed;boundary=b", content: Array(body.utf8)))
        #expect(try Self.read(request).targets.count == 3)
    }

    @Test("a list without norefersub makes no subscription either (RFC 5368 section 8)")
    func listWithoutSubscription() throws {
        let request = Self.refer(
            "<cid:l@h>", headers: ["Content-ID": "<l@h>"],
            body: MessageBody(contentType: ResourceList.contentType, content: Array(Self.list.utf8)))
        #expect(try !Self.read(request).wantsReport)
    }

    @Test("a list in another format is refused with 415")
    func otherFormat() { #expect(status(Self.multiple(Self.list, type: "text/plain")) == 415) }

    @Test("a list of more than listEntries is refused with 413")
    func longList() {
        let entries = (0...Self.limits.listEntries).map { "<entry uri=\"sip:u\($0)@h\"/>" }.joined()
        let xml =
            "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\(entries)</list></resource-lists>"
        #expect(status(Self.multiple(xml)) == 413)
    }

    /// Names, for the documents are long.
    enum Hostile: String, CaseIterable {
        case entities, externalEntity, longAttribute, deep, cut, empty, zero, other

        var xml: String {
            let namespace = "urn:ietf:params:xml:ns:resource-lists"
            return switch self {
            case .entities:
                "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><resource-lists>&b;</resource-lists>"
            case .externalEntity:
                "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><resource-lists>&e;</resource-lists>"
            case .longAttribute:
                "<resource-lists xmlns=\"\(namespace)\"><list><entry uri=\"sip:"
                    + String(repeating: "a", count: 1_000_000) + "@h\"/></list></resource-lists>"
            case .deep: String(repeating: "<list>", count: 10_000)
            case .cut: "<resource-lists"
            case .empty: ""
            case .zero: "\u{0}"
            case .other: "<other/>"
            }
        }
    }

    @Test("hostile XML is refused with 400", arguments: Hostile.allCases)
    func hostile(_ document: Hostile) { #expect(status(Self.multiple(document.xml)) == 400) }

    @Test("what is no SIP URI is left out of a list, and another method refuses all of it")
    func strangers() throws {
        func xml(_ uris: String...) -> String {
            "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>"
                + uris.map { "<entry uri=\"\($0)\"/>" }.joined() + "</list></resource-lists>"
        }
        let refer = try Self.read(Self.multiple(xml("tel:+1", "sip:a@h")))
        #expect(refer.targets.map(\.invitee.uri.description) == ["sip:a@h"])
        #expect(status(Self.multiple(xml("sip:a@h", "sip:b@h?method=SUBSCRIBE"))) == 403)
    }
}
