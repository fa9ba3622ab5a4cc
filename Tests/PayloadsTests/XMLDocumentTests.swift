import Foundation
import Testing

@testable import Payloads

@Suite("XML documents of peers")
struct XMLDocumentTests {
    private func error(_ document: String, limits: XMLLimits = XMLLimits()) -> XMLError? {
        do {
            _ = try XMLDocument(parsing: Array(document.utf8), limits: limits)
            return nil
        } catch { return error }
    }

    @Test("elements, attributes and characters, with their namespaces")
    func reading() throws {
        let root = try XMLDocument(
            parsing: Array(
                """
                <?xml version="1.0" encoding="UTF-8"?><!-- <not a="tag' -->
                <a xmlns="urn:one" xmlns:t="urn:two" x="1 &lt; 2" t:x='&#x263A;>'> before
                <t:b>&amp;<![CDATA[<raw> & ]]>&#65;</t:b><?some instruction ?>after<c xmlns=""/></a>
                """.utf8)
        ).root
        #expect(root.is("a", in: "urn:one") && root.trimmedText == "before\nafter")
        #expect(root.attribute("x") == "1 < 2" && root.attribute("x", in: "urn:two") == "☺>")
        #expect(root.children.map(\.name) == ["b", "c"] && root.children.map(\.namespace) == ["urn:two", ""])
        #expect(root.children.first?.text == "&<raw> & A")
        #expect(root.child("b") == nil, "a child of another namespace is another child")
    }

    @Test(
        "a document type declaration is refused before anything in it is read (billion laughs, external entities)",
        arguments: [
            "<!DOCTYPE a><a/>",
            #"<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>"#,
            #"<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"#,
            #"<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>"#,
            #"<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p"> %p;]><a/>"#,
            #"<!DOCTYPE a [<!ATTLIST a b CDATA "default">]><a/>"#,
        ])
    func documentType(document: String) {
        #expect(error(document) == .documentType)
    }

    @Test(
        "what is not well-formed is an error",
        arguments: [
            "", " ", "<", "<a", "<a>", "</a>", "<a></b>", "<a/><b/>", "text", "<a>&undeclared;</a>", "<a b=c/>",
            "<a b='1' b='2'/>", "<x:a/>", "<a x:b='1'/>", "<a>\u{1}</a>", "<a>&#1;</a>", "<a><!-- -- --></a>",
            "<a><!--",
            "<a><![CDATA[</a>", "<a><?p</a>", "<a>&#xFFFF;</a>", "<a b='<'/>", "<a>]]></a>",
            "<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>", "<a>\u{0}</a>",
        ])
    func malformed(document: String) {
        guard case .malformed? = error(document) else {
            Issue.record("\(document): \(String(describing: error(document)))")
            return
        }
    }

    @Test("octets that are no UTF-8 are an error, whatever the document says it is")
    func encoding() {
        for head in ["", "<?xml version='1.0' encoding='ISO-8859-1'?>"] {
            #expect(throws: XMLError.self) {
                try XMLDocument(parsing: Array(head.utf8) + Array("<a>".utf8) + [0xE9] + Array("</a>".utf8))
            }
        }
        #expect(throws: XMLError.self) {
            try XMLDocument(parsing: [0xFF, 0xFE] + "<a/>".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
        }
    }

    @Test("limits hold at their edge and not before it")
    func limits() {
        let nested = { (depth: Int) in
            String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        }
        #expect(error(nested(32)) == nil && error(nested(33)) == .tooDeep)

        let wide = { (count: Int) in "<a>" + String(repeating: "<b/>", count: count - 1) + "</a>" }
        #expect(error(wide(10_000)) == nil && error(wide(10_001)) == .tooManyElements)

        let attributes = { (count: Int) in "<a \((0..<count).map { "a\($0)='='" }.joined(separator: " "))/>" }
        #expect(error(attributes(32)) == nil && error(attributes(33)) == .attributes)

        let long = { (count: Int) in "<a b='\(String(repeating: "x", count: count))'/>" }
        #expect(error(long(4096)) == nil && error(long(4097)) == .attributes)

        let large = { (count: Int) in "<a>\(String(repeating: "x", count: count - 7))</a>" }
        #expect(error(large(262_144)) == nil && error(large(262_145)) == .tooLong)
    }

    @Test("an attribute of a megabyte is refused, with any limit on octets")
    func hugeAttribute() {
        let document = "<a b='\(String(repeating: "x", count: 1 << 20))'/>"
        #expect(error(document) == .tooLong)
        #expect(error(document, limits: XMLLimits(octets: 1 << 24)) == .attributes)
    }

    @Test("what would make the parser compare everything with everything is refused first")
    func quadratic() {
        let clock = ContinuousClock()
        let time = clock.measure {
            #expect(error("<a \((0..<20_000).map { "a\($0)=''" }.joined(separator: " "))/>") == .attributes)
            #expect(error("<a \((0..<8_000).map { "xmlns:a\($0)='u:\($0)'" }.joined(separator: " "))/>") == .attributes)
            #expect(error(String(repeating: "<a>", count: 80_000)) == .tooDeep)
        }
        #expect(time < .seconds(5))
    }

    @Test("damaged documents are read or refused, and nothing else happens")
    func damaged() throws {
        var random = SplitMix64(state: 4826)
        let files = try Corpus.files(in: "xml-rfc", ending: "xml").map { try Corpus.octets($0) }
        for _ in 0..<300 {
            for file in files {
                let octets = mutated(file, &random)
                _ = try? XMLDocument(parsing: octets)
                _ = try? ConferenceInfo(parsing: octets).xml()
                _ = try? ResourceList(parsing: octets).flattened(maximum: 100)
                _ = try? PresenceRules(parsing: octets).decide(identity: "sip:alice@example.com", now: 0)
            }
        }
    }
}

@Suite("Values of XML's types")
struct XMLTextTests {
    @Test(
        "any string is written so that it can be read again; what XML has no place for becomes U+FFFD",
        arguments: [
            ("plain", "plain"), ("a<b>&\"c'", "a<b>&\"c'"), ("\u{0}\u{1B}[31m\u{8}", "\u{FFFD}\u{FFFD}[31m\u{FFFD}"),
            ("tab\tline\nreturn\r.", "tab\tline\nreturn\r."), ("\u{FFFE}\u{FFFF}\u{FFFD}", "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ("]]>", "]]>"), ("😀é\u{7F}\u{85}\u{2028}", "😀é\u{7F}\u{85}\u{2028}"),
            ("\u{E3BE}\u{FB3E}", "\u{E3BE}\u{FB3E}"),
        ])
    func escaping(value: String, read: String) throws {
        var writer = XMLWriter()
        writer.start("a", ["b": value])
        writer.text(value)
        writer.end("a")
        let element = try XMLDocument(parsing: writer.octets).root
        #expect(Array(element.text.utf8) == Array(read.utf8))
        #expect(element.attribute("b") == read)
    }

    @Test(
        "URIs are written as anyURI has them, and SIP's brackets come back",
        arguments: [
            ("sip:alice@example.com;transport=tcp", "sip:alice@example.com;transport=tcp"),
            ("sip:room@[2001:db8::1]:5060;lr", "sip:room@%5B2001:db8::1%5D:5060;lr"), ("sip:[::1]", "sip:%5B::1%5D"),
            ("http://[::1]:80/a#b", "http://[::1]:80/a#b"), ("tel:+1-201-555-0123", "tel:+1-201-555-0123"),
            ("sip:a%20b@h", "sip:a%20b@h"),
        ])
    func uri(value: String, written: String) {
        #expect(XMLText.uri(value) == written)
        #expect(XMLText.literal(written) == value)
    }

    @Test("a URI of any octets is a valid anyURI", .enabled(if: Schema.canCheck))
    func anyURI() throws {
        var random = SplitMix64(state: 3986)
        var uris = [
            "", ":", "//", "sip:", "sip:%", "sip:%zz", "sip://h:port", "sip://[", "http://a b/", "a:b:c", "1:2",
            "sip:a#b#c",
            "#", "sip:é@h", "sip:\u{0}", "sip:a\"<>\\^`{|}b", "sip:///x", "%5B", "sip:a@%5b::1]", "http://[::1", "?",
            "[]:",
        ]
        let pieces = ["sip:", "//", ":", "[", "]", "@", "%", "#", "/", "a", "5", " ", "é", "?", ";", "%4"]
        for _ in 0..<2_000 {
            uris.append(
                (0..<Int.random(in: 1...8, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
                    .joined())
        }
        let info = ConferenceInfo(entity: "sip:r@h", version: 1, users: .init(uris.map { .init(entity: $0) }))
        #expect(try Schema.conferenceInfo.complaints(about: [info.xml()]) == "")
    }

    @Test(
        "moments with their zone are seconds since 1970",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2005-03-04T20:00:00Z", 1_109_966_400),
            ("2003-08-15T10:20:00.000-05:00", 1_060_960_800), ("2003-12-24T17:00:00+01:00", 1_072_281_600),
            ("2024-02-29t23:59:59z", 1_709_251_199), ("1969-12-31T23:59:59Z", -1),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799), ("2005-03-04T20:00:00", nil), ("2005-02-29T00:00:00Z", nil),
            ("2005-13-01T00:00:00Z", nil), ("2005-00-01T00:00:00Z", nil), ("2005-01-00T00:00:00Z", nil),
            ("2005-01-01T24:00:00Z", nil), ("2005-01-01T00:00:60Z", nil), ("2005-01-01T00:00:00.Z", nil),
            ("2005-01-01T00:00:00+15:00", nil), ("2005-01-01T00:00:00Zx", nil), ("+200-01-01T00:00:00Z", nil),
            ("", nil),
            ("now", nil),
        ] as [(String, Int64?)])
    func moments(text: String, seconds: Int64?) {
        #expect(InternetDateTime.seconds(text) == seconds)
        if let seconds { #expect(InternetDateTime.seconds(InternetDateTime.format(seconds: seconds)) == seconds) }
    }
}
