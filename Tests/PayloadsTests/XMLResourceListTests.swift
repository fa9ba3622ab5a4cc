import Testing

@testable import Payloads

@Suite("Resource lists, RFC 4826, 5364, 5366")
struct XMLResourceListTests {
    private typealias Recipient = ResourceList.Recipient

    private func list(_ content: String) throws -> ResourceList {
        try ResourceList(
            parsing: Array(
                """
                <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:copycontrol">
                \(content)</resource-lists>
                """.utf8))
    }

    @Test("the flat list of RFC 5366 section 4 is read")
    func example5366() throws {
        let flat = try ResourceList(parsing: Corpus.octets("xml-rfc/rfc5366-resource-lists-01.xml")).flattened(
            maximum: 3)
        #expect(
            flat.recipients == [
                Recipient(uri: "sip:bill@example.com", copy: .to), Recipient(uri: "sip:joe@example.org", copy: .cc),
                Recipient(uri: "sip:ted@example.net", copy: .bcc),
            ])
        #expect(flat.duplicates == 0 && flat.unresolved.isEmpty)
    }

    @Test(
        "the history of RFC 5364 section 6's list is RFC 5364 section 6's",
        arguments: ["rfc5364-resource-lists-0", "rfc5366-resource-lists-0"])
    func history(name: String) throws {
        let (given, expected) = name.contains("5364") ? ("1", "2") : ("2", "3")
        let recipients = try ResourceList(parsing: Corpus.octets("xml-rfc/\(name)\(given).xml")).flattened(maximum: 10)
            .recipients
        #expect(recipients.count == 7)
        let history = try #require(ResourceList.history(of: recipients))
        #expect(try history == ResourceList(parsing: Corpus.octets("xml-rfc/\(name)\(expected).xml")))
        #expect(try ResourceList(parsing: history.xml()) == history)
        let written = text(history.xml())
        #expect(!written.contains("ted") && !written.contains("andy") && !written.contains("eddy"))
        #expect(written.contains(#"uri="sip:anonymous@anonymous.invalid" cp:copyControl="cc" cp:count="1"/>"#))
    }

    @Test("a list of nobody but bcc has no history (RFC 5364 section 4)")
    func hiddenHistory() {
        #expect(
            ResourceList.history(of: [Recipient(uri: "sip:a@b"), Recipient(uri: "sip:c@d", isAnonymized: true)]) == nil)
        #expect(ResourceList.history(of: []) == nil)
    }

    @Test("lists within lists, names and references are read (RFC 4826 section 3.1)")
    func example4826() throws {
        let read = try ResourceList(parsing: Corpus.octets("xml-rfc/rfc4826-resource-lists-01.xml"))
        #expect(read.lists.map(\.name) == ["friends"] && read.lists.first?.items.count == 3)
        let flat = try read.flattened(maximum: 10)
        #expect(
            flat.recipients.map(\.uri) == ["sip:bill@example.com", "sip:joe@example.com", "sip:nancy@example.com"])
        #expect(flat.recipients.map(\.displayName) == ["Bill Doe", "Joe Smith", "Nancy Gross"])
        #expect(flat.recipients.allSatisfy { $0.copy == .bcc }, "no copyControl is bcc (RFC 5364 section 4)")
        #expect(flat.unresolved.count == 2)
    }

    @Test("URIs that say BYE stay as they are (RFC 5368 section 4)")
    func example5368() throws {
        let flat = try ResourceList(parsing: Corpus.octets("xml-rfc/rfc5368-resource-lists-02.xml")).flattened(
            maximum: 3)
        #expect(flat.recipients.map(\.uri).first == "sip:bill@example.com?method=BYE")
    }

    @Test("of the same recipient twice one stays, with the highest copy control (RFC 5364 section 4)")
    func duplicates() throws {
        let flat = try list(
            """
            <list><entry uri="sip:bill@example.com"/><entry uri=" sip:Bill@example.com " cp:copyControl="to"/>
            <list><entry uri="sip:bill@EXAMPLE.com;transport=tcp" cp:copyControl="cc"/>
            <entry uri="SIP:%62ill@example.com" cp:anonymize="true"/></list></list>
            <list><entry uri="sip:bill@example.com:5060"/></list>
            """
        ).flattened(maximum: 3)
        #expect(
            flat.recipients == [
                Recipient(uri: "sip:bill@example.com", copy: .cc, isAnonymized: true),
                Recipient(uri: "sip:Bill@example.com", copy: .to), Recipient(uri: "sip:bill@example.com:5060"),
            ])
        #expect(flat.duplicates == 2)
    }

    @Test("a recipient more than the limit is an error, a duplicate is none")
    func maximum() throws {
        let entries = (0..<5).map { "<entry uri='sip:u\($0)@h'/>" }.joined()
        let list = try list("<list>\(entries)\(entries)</list>")
        #expect(try list.flattened(maximum: 5).recipients.count == 5)
        #expect(throws: XMLError.tooManyEntries) { try list.flattened(maximum: 4) }
    }

    @Test("references by cid lead to other parts, once each, and not round and round (RFC 2392)")
    func references() throws {
        let one = try list(
            """
            <list><entry uri="sip:a@h" cp:copyControl="to"/><entry-ref ref="CID:two%40h" cp:copyControl="cc"/>
            <external anchor="cid:two@h"/><external anchor="http://h/x"/><external/><entry-ref ref="cid:none"/></list>
            """)
        let two = """
            <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:copycontrol">
            <list cp:anonymize="true"><entry uri="sip:b@h"/><entry uri="sip:c@h" cp:copyControl="to" cp:anonymize="false"/>
            <external anchor="cid:two@h"/></list></resource-lists>
            """
        var asked: [String] = []
        let flat = try one.flattened(maximum: 10) { id in
            asked.append(id)
            return id == "two@h" ? Array(two.utf8) : nil
        }
        #expect(
            flat.recipients == [
                Recipient(uri: "sip:a@h", copy: .to), Recipient(uri: "sip:b@h", copy: .cc, isAnonymized: true),
                Recipient(uri: "sip:c@h", copy: .to),
            ])
        #expect(flat.unresolved == ["http://h/x", "cid:none"] && asked == ["two@h", "none"])
    }

    @Test("a chain of references ends")
    func referenceChain() throws {
        let flat = try list("<list><external anchor='cid:1'/></list>").flattened(maximum: 10) { id in
            let next = (Int(id) ?? 0) + 1
            return ResourceList(lists: [
                .init(items: [.entry(.init(uri: "sip:\(id)@h")), .reference(.init(uri: "cid:\(next)"))])
            ]).xml()
        }
        #expect(flat.recipients.count == ResourceList.referenceDepth && flat.unresolved == ["cid:5"])
    }

    @Test("a part that is no resource list is an error")
    func wrongPart() throws {
        let list = try list("<list><external anchor='cid:1'/></list>")
        #expect(throws: XMLError.documentType) { try list.flattened(maximum: 1) { _ in Array("<!DOCTYPE x>".utf8) } }
    }

    @Test(
        "what is no resource list, or has values that are none, is refused",
        arguments: [
            ("<list><entry/></list>", "entry without uri"), ("<list><entry uri=' '/></list>", "entry without uri"),
            ("<list><entry-ref/></list>", "entry-ref without ref"),
            ("<list><entry uri='a' cp:copyControl='TO'/></list>", "copyControl"),
            ("<list><entry uri='a' cp:anonymize='yes'/></list>", "anonymize"),
            ("<list><entry uri='a' cp:count='-1'/></list>", "count"),
        ])
    func unexpected(content: String, part: String) {
        #expect(throws: XMLError.unexpected(part)) { try list(content) }
    }

    @Test("another document is refused")
    func wrongRoot() {
        #expect(throws: XMLError.unexpected("list")) {
            try ResourceList(parsing: Array("<list xmlns='urn:ietf:params:xml:ns:resource-lists'/>".utf8))
        }
        #expect(throws: XMLError.unexpected("resource-lists")) {
            try ResourceList(parsing: Array("<resource-lists/>".utf8))
        }
    }

    @Test("an empty list has no recipients")
    func empty() throws {
        #expect(try list("").flattened(maximum: 0).recipients.isEmpty)
        #expect(try list("<list/>").flattened(maximum: 0).recipients.isEmpty)
    }

    @Test("what is written is valid by the schema and read again as it was", .enabled(if: Schema.canCheck))
    func writing() throws {
        let list = ResourceList(lists: [
            .init(
                name: "a\"b", displayName: "Friends & others",
                items: [
                    .entry(.init(uri: "sip:a@[::1]:5060", displayName: "A <a>", copy: .to, isAnonymized: true)),
                    .list(.init(items: [.entry(.init(uri: "tel:+1", copy: .cc, count: 3))])),
                    .reference(.init(uri: "cid:x@y", copy: .cc, isAnonymized: false)), .reference(.init(uri: "cid:z")),
                ])
        ])
        #expect(try Schema.resourceLists.complaints(about: [list.xml(), ResourceList([]).xml()]) == "")
        var read = list
        read.lists[0].items[3] = .reference(.init(uri: "cid:z"))
        #expect(try ResourceList(parsing: list.xml()) == read)
    }
}

@Suite("Comparing URIs, RFC 3261 section 19.1.4")
struct XMLComparableURITests {
    @Test(
        "the equivalent URIs of RFC 3261 section 19.1.4",
        arguments: [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x"
            ),
            ("tel:+1-201-555-0123", "TEL:+12015550123"),
        ])
    func equivalent(left: String, right: String) {
        #expect(ComparableURI(left).matches(ComparableURI(right)) && ComparableURI(right).matches(ComparableURI(left)))
    }

    @Test(
        "the URIs of RFC 3261 section 19.1.4 that are not",
        arguments: [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"), ("sip:bob@h", "sips:bob@h"),
            ("sip:bob@h", "sip:bob@h;method=BYE"), ("sip:bob@h;user=phone", "sip:bob@h"), ("sip:a%40b@h", "sip:a@b@h"),
            ("sip:a%3Ab@h", "sip:a:b@h"), ("mailto:a@b", "mailto:A@b"), ("bob", "sip:bob"),
        ])
    func different(left: String, right: String) {
        #expect(
            !ComparableURI(left).matches(ComparableURI(right)) && !ComparableURI(right).matches(ComparableURI(left)))
    }
}
