import Testing

@testable import Payloads

@Suite("Content types, RFC 2045 section 5.1")
struct ContentTypeTests {
    @Test(
        "type and subtype lower-cased, parameters with and without quotes",
        arguments: [
            ("text/plain", "text/plain", nil), ("Text/PLAIN;Charset=UTF-8", "text/plain", "UTF-8"),
            (" text/plain ; charset = \"ut\\\"f;8\" ; x", "text/plain", "ut\"f;8"), ("a/b;;charset=1;", "a/b", "1"),
            ("text/plain; charset=\"open", "text/plain", "open"), ("text/plain;charset=", "text/plain", ""),
        ] as [(String, String, String?)])
    func parsing(value: String, essence: String, charset: String?) throws {
        let type = try #require(ContentType(parsing: value))
        #expect(type.essence == essence && type.parameter("charset") == charset)
        #expect(ContentType(parsing: type.value) == type)
    }

    @Test(
        "what has no type and subtype is none",
        arguments: ["", "text", "text/", "/plain", "te xt/plain", "a/b/c", ";", "a/\u{0}"])
    func garbage(value: String) {
        #expect(ContentType(parsing: value) == nil)
    }

    @Test("a header cannot make a thousand parameters")
    func bounded() {
        let type = ContentType(parsing: "a/b" + String(repeating: ";x=y", count: 100_000))
        #expect(type?.parameters.count == ContentType.parameterLimit)
    }
}

@Suite("Multipart bodies, RFC 2046 section 5.1")
struct MultipartTests {
    private let mixed =
        "preamble\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b  \r\n"
        + "content-type: application/resource-lists+xml;\r\n charset=utf-8\r\nContent-Disposition: recipient-list\r\n\r\n<x/>"
        + "\r\n--b\r\n\r\nplain\r\n--b--\r\nepilogue\r\n--b\r\n"

    private func split(_ body: String, _ boundary: String = "b", _ limits: MultipartLimits = MultipartLimits())
        throws(MultipartError) -> [Multipart.Part]
    { try Multipart(parsing: Array(body.utf8)[...], boundary: boundary, limits: limits).parts }

    @Test("parts in order, the line end before a delimiter not part of them (RFC 2046 section 5.1.1)")
    func parts() throws {
        let parts = try split(mixed)
        #expect(parts.map { text($0.body) } == ["v=0\r\n", "<x/>", "plain"])
        #expect(parts[0].contentType?.essence == "application/sdp")
        #expect(parts[1].field("Content-Type") == "application/resource-lists+xml; charset=utf-8")
        #expect(parts[1].field("CONTENT-disposition") == "recipient-list")
        #expect(parts[2].fields.isEmpty && parts[2].contentType?.essence == "text/plain")
        let bare = try split(mixed.replacing("\r\n", with: "\n"))
        #expect(bare.map { text($0.body) } == ["v=0\n", "<x/>", "plain"])
    }

    @Test("a longer boundary is another one, and a delimiter stands at a line's start")
    func lookAlikes() throws {
        #expect(try split("--b\r\n\r\n--bc\r\nx--b\r\n--b-\r\n--b--").map { text($0.body) } == ["--bc\r\nx--b\r\n--b-"])
        #expect(try split("--b\r\n--b--").map { text($0.body) } == [""])
        #expect(try split("--b\r\nA: b\r\n--b--").map(\.fields) == [[MIMEField(name: "A", value: "b")]])
    }

    @Test("what does not end, or has no boundary, is refused by name")
    func refusals() {
        #expect(throws: MultipartError.unterminated) { try split("") }
        #expect(throws: MultipartError.unterminated) { try split("--b--") }
        #expect(throws: MultipartError.unterminated) { try split("--b\r\n\r\nx\r\n") }
        #expect(throws: MultipartError.malformedPart) { try split("--b\r\nno field\r\n\r\n--b--") }
        #expect(throws: MultipartError.malformedPart) {
            try split("--b\r\nA: \(String(repeating: "x", count: 9_000))\r\n\r\n--b--")
        }
        for boundary in ["", "a ", String(repeating: "x", count: 71), "a\r\nb", "<"] {
            #expect(throws: MultipartError.noBoundary) { try split(mixed, boundary) }
        }
    }

    @Test("parts are bounded in number, depth and in all")
    func limits() throws {
        #expect(throws: MultipartError.tooManyParts) {
            try split(String(repeating: "--b\r\n\r\n", count: 100) + "--b--")
        }
        func nested(_ depth: Int) -> String {
            depth == 0
                ? "\r\nleaf"
                : "Content-Type: multipart/mixed;boundary=\(depth)\r\n\r\n--\(depth)\r\n\(nested(depth - 1))\r\n--\(depth)--"
        }
        func leaves(_ depth: Int) throws(MultipartError) -> [Multipart.Part] {
            try Multipart.leaves(
                of: Array("--b\r\n\(nested(depth))\r\n--b--".utf8),
                type: ContentType(
                    type: "multipart", subtype: "mixed", parameters: [.init(name: "boundary", value: "b")]))
        }
        #expect(try leaves(3).map { text($0.body) } == ["leaf"])
        #expect(throws: MultipartError.tooDeep) { try leaves(4) }
        // Each level within its limit, all together beyond it.
        let inner = String(repeating: "--i\r\n\r\nx\r\n", count: 9) + "--i--"
        let outer =
            String(repeating: "--b\r\nContent-Type: multipart/mixed;boundary=i\r\n\r\n\(inner)\r\n", count: 9) + "--b--"
        #expect(throws: MultipartError.tooManyParts) {
            try Multipart.leaves(
                of: Array(outer.utf8),
                type: ContentType(parsing: "multipart/mixed;boundary=b") ?? ContentType(type: "", subtype: ""))
        }
    }

    @Test("a body that is no multipart is its own leaf; a multipart without boundary is none")
    func leaves() throws {
        let body = Array("v=0".utf8)
        let leaves = try Multipart.leaves(of: body, type: ContentType(type: "application", subtype: "sdp"))
        #expect(
            leaves.count == 1 && leaves[0].body.elementsEqual(body)
                && leaves[0].contentType?.essence == "application/sdp")
        #expect(throws: MultipartError.noBoundary) {
            try Multipart.leaves(of: body, type: ContentType(type: "multipart", subtype: "mixed"))
        }
    }

    @Test("changed and cut bodies never do harm")
    func garbage() {
        var random = SplitMix64(state: 2046)
        let seed = Array(mixed.utf8)
        for end in seed.indices { _ = try? Multipart(parsing: seed[..<end], boundary: "b") }
        for _ in 0..<5_000 { _ = try? Multipart(parsing: mutated(seed, &random)[...], boundary: "b") }
    }
}
