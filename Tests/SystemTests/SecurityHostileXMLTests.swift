import Support
import Testing

/// XML that attacks its reader.
struct HostileXML: Sendable, CustomStringConvertible {
    let description: String
    let text: String

    /// `wrap` puts an entity reference or text where the reader would look.
    private static func list(_ head: String, _ uri: String, attributes: String = "") -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>\(head)
        <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"\(attributes)>
        <list><entry uri="\(uri)"/></list></resource-lists>
        """
    }

    private static var laughs: String {
        var head = "<!DOCTYPE lolz [<!ENTITY lol0 \"lol\">"
        for level in 1...9 {
            head += "<!ENTITY lol\(level) \"\(String(repeating: "&lol\(level - 1);", count: 10))\">"
        }
        return head + "]>"
    }

    /// `target` is what none of them may cause to be called.
    static func lists(_ target: String) -> [HostileXML] {
        [
            .init(description: "billion laughs", text: list(laughs, "\(target);x=&lol9;")),
            .init(
                description: "an external entity",
                text: list("<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", "\(target);x=&x;")),
            .init(
                description: "an external entity over the network",
                text: list("<!DOCTYPE r [<!ENTITY x SYSTEM \"http://127.0.0.1:9/x\">]>", "\(target);x=&x;")),
            .init(
                description: "a parameter entity",
                text: list("<!DOCTYPE r [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]>", target)),
            .init(description: "an external DTD", text: list("<!DOCTYPE r SYSTEM \"file:///etc/passwd\">", target)),
            .init(description: "an inner DTD", text: list("<!DOCTYPE r [<!ELEMENT r ANY>]>", target)),
            .init(
                description: "nesting without end",
                text: "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\">"
                    + String(repeating: "<list>", count: 2000) + "<entry uri=\"\(target)\"/>"
                    + String(repeating: "</list>", count: 2000) + "</resource-lists>"),
            .init(
                description: "a long attribute",
                text: list("", "\(target);x=\(String(repeating: "x", count: 50_000))")),
            .init(
                description: "thousands of attributes",
                text: list("", target, attributes: (0..<4000).map { " a\($0)=\"\"" }.joined())),
            .init(
                description: "thousands of elements",
                text: "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>"
                    + String(repeating: "<x/>", count: 14_000) + "<entry uri=\"\(target)\"/></list></resource-lists>"),
            .init(description: "no end", text: String(list("", target).dropLast(12))),
            .init(description: "two roots", text: list("", target) + "<x/>"),
            .init(description: "another root", text: "<nothing><entry uri=\"\(target)\"/></nothing>"),
            .init(description: "an unbound prefix", text: list("", target).replacing("<entry", with: "<p:entry")),
            .init(description: "a NUL", text: list("", target + "\u{0}")),
            .init(description: "nothing", text: ""),
        ]
    }
}

extension String {
    fileprivate func replacing(_ part: String, with other: String) -> String {
        split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
    }
}

extension SystemTests {
    @Suite("Security: hostile XML")
    struct SecurityHostileXMLTests {
        private static let count = HostileXML.lists("").count
        private let room = "sip:xml@127.0.0.1"

        @Test("in a list of an INVITE: 400, and nobody is called", arguments: 0..<count)
        func inInvite(_ index: Int) throws {
            let confd = try ConfdProcess(Workflow.options)
            let bystander = try Bystander()
            let hostile = HostileXML.lists(bystander.uri())[index]
            let witness = try Participant("witness", in: room, of: confd)
            // Such bodies are too large for datagrams.
            let alice = try RawSIPClient(.tcp, to: confd, user: "alice")
            var body = MultipartBody()
            body.parts = [
                ("Content-Type: application/sdp\r\n", Offer().text),
                (
                    "Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n",
                    hostile.text
                ),
            ]
            let call = try alice.invite(
                room, offer: body.text, extra: "Require: recipient-list-invite\r\n", type: body.type)
            #expect((400..<500).contains(call.status), "\(hostile): \(call.response.startLine)")
            #expect([400, 413].contains(call.status), "\(hostile): \(call.response.startLine)")
            #expect(try bystander.hears(within: 0.3) == nil, "\(hostile)")
            #expect(try witness.say("still here") == 200)
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("in a REFER's list: 400, and nobody is called", arguments: 0..<count)
        func inRefer(_ index: Int) throws {
            let confd = try ConfdProcess(Workflow.options)
            let bystander = try Bystander()
            let hostile = HostileXML.lists(bystander.uri())[index]
            let alice = try Participant("alice", in: room, of: confd, over: .tcp)
            let referral = try RawReferral(
                alice.sip, room: room, referTo: "<cid:l@example.com>",
                extra: "Refer-Sub: false\r\nRequire: multiple-refer, norefersub\r\n"
                    + "Content-Disposition: recipient-list\r\nContent-ID: <l@example.com>\r\n", body: hostile.text)
            #expect([400, 413].contains(referral.status), "\(hostile): \(referral.response.startLine)")
            #expect(try bystander.hears(within: 0.3) == nil, "\(hostile)")
            #expect(try alice.say("still here") == 200)
        }

        @Test("in a PUBLISH: 400, and memory and time stay small")
        func inPublish() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd, over: .tcp)
            let sees = try alice.watch()
            let before = try confd.residentKiB()
            let processor = try confd.process.processorSeconds()
            for round in 0..<5 {
                for hostile in HostileXML.lists("sip:x@127.0.0.1") {
                    let text = hostile.text.replacing("resource-lists", with: "conference-info")
                    let response = try alice.sip.ask("PUBLISH", room, extra: PublishTests.fields, body: text)
                    #expect(
                        [400, 403, 413].contains(response.status), "\(hostile), round \(round): \(response.startLine)")
                }
            }
            #expect(try confd.residentKiB() - before < 32 * 1024)
            #expect(try confd.process.processorSeconds() - processor < 10)
            #expect(try sees.notificationIfAny(within: 0.3)?.roster?.description?.value("subject") == nil)
            #expect(try alice.say("still here") == 200)
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("what people call themselves cannot break the roster's XML")
        func namesInRoster() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let names = [
                "</display-text></user><user entity='sip:ghost@x'>", "]]>", "<![CDATA[", "&lol9;", "&#0;", "--><!--",
                "\u{202E}evil\u{FFFE}", "a\tb", "\u{FFFF}", String(repeating: "<", count: 200),
            ]
            for (index, name) in names.enumerated() {
                let guest = try Participant("guest\(index)", in: room, of: confd) { $1.displayName = name }
                // Each document that this brings is shown to xmllint.
                try sees.until(present: "alice", "guest\(index)")
                #expect(sees.view.users.keys.allSatisfy { !$0.contains("ghost") })
                try guest.leave()
                try sees.until(present: "alice")
            }
        }
    }
}
