import Testing

@testable import Payloads

@Suite("Message/CPIM, RFC 3862")
struct CPIMTests {
    private let blink = Array(
        ("From: alice <sip:alice@127.0.0.1>\r\nTo: <sip:room2@127.0.0.1>\r\n"
            + "DateTime: 2026-11-21T00:18:48.569999+00:00\r\n\r\n"
            + "MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf8\"\n\nhello from alice").utf8)

    private func parse(_ text: String, isWhole: Bool = true) throws(CPIMError) -> CPIMMessage {
        try CPIMMessage(parsing: Array(text.utf8), isWhole: isWhole)
    }

    @Test("the real client's message: bare LF in the inner headers, unquoted name, quoted charset")
    func sipSession3() throws {
        let message = try CPIMMessage(parsing: blink)
        #expect(message.from == CPIMAddress(displayName: "alice", uri: "sip:alice@127.0.0.1"))
        #expect(message.to == [CPIMAddress(uri: "sip:room2@127.0.0.1")])
        #expect(message.dateTime == "2026-11-21T00:18:48.569999+00:00")
        #expect(message.contentType?.essence == "text/plain")
        #expect(message.contentType?.parameter("charset") == "utf8")
        #expect(text(blink[message.contentOffset...]).hasPrefix("MIME-Version"))
        #expect(text(blink[message.bodyOffset...]) == "hello from alice")
        #expect(message.head.elementsEqual(blink[..<message.bodyOffset]))
    }

    @Test(
        "the RFC's example: subject with a language, namespaces, Require (RFC 3862 section 5.1)",
        arguments: ["cpim-rfc/rfc3862-01.cpim", "cpim-rfc/rfc3862-02.cpim"])
    func example(file: String) throws {
        let octets = try Corpus.octets(file)
        let message = try CPIMMessage(parsing: octets)
        #expect(message.from == CPIMAddress(displayName: "MR SANDERS", uri: "im:piglet@100akerwood.com"))
        #expect(message.to.count == 1 && message.to[0].uri.hasSuffix("@100akerwood.com"))
        #expect(message.subject == "the weather will be fine today")
        let subjects = message.headers.filter { $0.core == .subject }.map { text(message.head[$0.value]) }
        #expect(subjects.last == "beau temps prevu pour aujourd'hui")
        #expect(message.require == ["MyFeatures.VitalMessageOption"])
        #expect(message.value("MyFeatures.WackyMessageOption") == "Use-silly-font")
        #expect(message.contentType == ContentType(parsing: "text/xml;charset=utf-8"))
        #expect(text(octets[message.bodyOffset...]).hasPrefix("<body>"))
        #expect(message.headers().elementsEqual(octets[..<message.contentOffset]))
    }

    @Test("several To, several cc (RFC 3862 section 4.2, 4.3)")
    func receivers() throws {
        let message = try parse(
            "From: <sip:a@h>\r\nTo: <sip:b@h>\r\nTo: \"C, D\" <sip:c@h;transport=tcp>\r\ncc: <tel:+1-2>\r\n"
                + "cc: nobody\r\n\r\nContent-Type: text/plain\r\n\r\n")
        #expect(
            message.to == [CPIMAddress(uri: "sip:b@h"), CPIMAddress(displayName: "C, D", uri: "sip:c@h;transport=tcp")])
        #expect(message.cc == [CPIMAddress(uri: "tel:+1-2")])
        #expect(message.bodyOffset == message.head.count)
    }

    @Test("header names match in their letters only (RFC 3862 section 2.2)")
    func names() throws {
        #expect(throws: CPIMError.noSender) { try parse("from: <sip:a@h>\r\n\r\n") }
        #expect(try parse("From: <sip:a@h>\r\nto: <sip:b@h>\r\n\r\n").to.isEmpty)
    }

    @Test(
        "a sender is one URI in one From; whoever could be taken for a second one is refused (RFC 3862 section 4.1)",
        arguments: [
            "To: <sip:b@h>\r\n\r\n", "From: alice\r\n\r\n", "From: <>\r\n\r\n", "From: <sip:a@h\r\n\r\n",
            "From: \r\n\r\n",
            "From: <sip:a@h> <sip:v@h>\r\n\r\n", "From: \"x <sip:v@h>\r\n\r\n", "From: a <sip:a@h>;x\r\n\r\n",
            "From: <sip:a@h>\r\nFrom: <sip:v@h>\r\n\r\n", "From: <sip:a h>\r\n\r\n", "From: <sip:a@h>x\r\n\r\n",
            "From: <sip:a@h>\r\nNS: x <urn:ietf:params:cpim-headers:>\r\nx.From: <sip:v@h>\r\n\r\n",
            "From: <sip:a@h>\r\nNS: <http://example.com/>\r\nFrom: <sip:v@h>\r\n\r\n",
            "NS: <http://example.com/>\r\nFrom: <sip:v@h>\r\n\r\n", "From: \"a\" sip:v@h\r\n\r\n",
        ])
    func senders(message: String) {
        #expect(throws: CPIMError.noSender) { try parse(message) }
    }

    @Test(
        "names may be bare, quoted, escaped or missing, and so may brackets",
        arguments: [
            ("<sip:a@h>", nil, "sip:a@h"), ("Winnie the Pooh <im:pooh@h>", "Winnie the Pooh", "im:pooh@h"),
            ("\"A \\\"B\\\" <c>\" <sip:a@h>", "A \"B\" <c>", "sip:a@h"), ("sip:a@h", nil, "sip:a@h"),
            ("  J\u{f6}rg\\u00e9  <sip:j@h>  ", "J\u{f6}rg\u{e9}", "sip:j@h"), ("\"\"<sip:a@h>", nil, "sip:a@h"),
        ] as [(String, String?, String)])
    func addresses(value: String, name: String?, uri: String) {
        #expect(CPIMAddress(parsing: Array(value.utf8)[...]) == CPIMAddress(displayName: name, uri: uri))
    }

    @Test("a To without a URI is counted, and leads to nobody")
    func badReceiver() throws {
        let message = try parse("From: <sip:a@h>\r\nTo: room\r\n\r\n")
        #expect(message.receivers == 1)
        #expect(message.to.isEmpty)
    }

    @Test("a prefix declared for the core namespace means the core header (RFC 3862 section 3.4)")
    func namespaces() throws {
        let message = try parse(
            "NS: c <urn:ietf:params:cpim-headers:>\r\nNS: imdn <urn:ietf:params:imdn>\r\nc.From: <sip:a@h>\r\n"
                + "imdn.Message-ID: 34jk324j\r\nimdn.To: x\r\nc.Subject: S\r\n\r\n")
        #expect(message.from.uri == "sip:a@h" && message.subject == "S" && message.to.isEmpty)
        #expect(message.value("imdn.Message-ID") == "34jk324j")
        #expect(message.value("imdn.Nothing") == nil)
    }

    @Test(
        "control characters, nameless lines and folded ones are refused (RFC 3862 section 2.2)",
        arguments: [
            "From: <sip:a@h>\rTo: <sip:v@h>\r\n\r\n", "From: <sip:a@h>\u{0}\r\n\r\n", ": x\r\n\r\n", "From\r\n\r\n",
            "From: <sip:a@h>\r\n folded\r\n\r\n", "Fr om: <sip:a@h>\r\n\r\n", "From: <sip:a@h>\u{7F}\r\n\r\n",
        ])
    func malformed(message: String) {
        #expect(throws: CPIMError.malformedHeader) { try parse(message) }
    }

    @Test("the head is bounded in octets and headers")
    func limits() {
        let long = "From: <sip:a@h>\r\nSubject: " + String(repeating: "x", count: 1_000_000)
        #expect(throws: CPIMError.tooLong) { try parse(long) }
        #expect(throws: CPIMError.tooLong) { try parse(long, isWhole: false) }
        #expect(throws: CPIMError.tooManyHeaders) { try parse(String(repeating: "A: b\n", count: 129)) }
        #expect(throws: CPIMError.unterminated) { try parse("From: <sip:a@h>\r\n") }
        #expect(throws: CPIMError.unterminated) { try parse("") }
    }

    @Test(
        "content without MIME headers, or with endless ones, begins right after the message headers (RFC 3862 section 2.4)"
    )
    func noContentHeaders() throws {
        for body in [
            "hello", "hello\r\nworld\r\n\r\n", "", "A: " + String(repeating: "x", count: 20_000),
            "Content-Type: text/plain\n",
        ] {
            let message = try parse("From: <sip:a@h>\r\n\r\n" + body)
            #expect(message.bodyOffset == message.contentOffset && message.contentType == nil)
        }
        let bare = try parse("From: <sip:a@h>\r\n\r\n\r\nhello")
        #expect(bare.bodyOffset == bare.contentOffset + 2 && bare.contentType == nil)
    }

    @Test("a Content-Type may be folded, and the first one counts (RFC 2045 section 5.1)")
    func foldedContentType() throws {
        let message = try parse(
            "From: <sip:a@h>\r\n\r\nX-A: b\r\n c\r\ncontent-TYPE: text/html;\r\n charset=utf-8\r\nContent-Type: image/png\r\n\r\nx"
        )
        #expect(message.contentType == ContentType(parsing: "text/html;charset=utf-8"))
    }

    @Test("cut at any octet the head is incomplete until it is there, and then always the same")
    func cuts() throws {
        for octets in [blink, try Corpus.octets("cpim-rfc/rfc3862-01.cpim")] {
            let whole = try CPIMMessage(parsing: octets)
            for end in octets.indices {
                let part = Array(octets[..<end])
                if end < whole.bodyOffset {
                    #expect(throws: CPIMError.incomplete) { try CPIMMessage(parsing: part, isWhole: false) }
                } else {
                    #expect(try CPIMMessage(parsing: part, isWhole: false) == whole)
                }
                _ = try? CPIMMessage(parsing: part)
            }
        }
    }

    @Test("changed octets never do harm, and headers print as they were read")
    func garbage() throws {
        var random = SplitMix64(state: 3862)
        let seeds = [blink, try Corpus.octets("cpim-rfc/rfc3862-02.cpim")]
        for _ in 0..<10_000 {
            let octets = mutated(seeds.randomElement(using: &random) ?? [], &random)
            guard let message = try? CPIMMessage(parsing: octets) else { continue }
            #expect(message.headers().elementsEqual(octets[..<message.contentOffset]))
            #expect(message.head.elementsEqual(octets[..<message.bodyOffset]))
            _ = (message.cc, message.require, message.subject, message.dateTime)
        }
    }

    @Test("replacing and adding headers leaves the others octet for octet, in their order (RFC 3862 section 2.2)")
    func rewriting() throws {
        let source =
            "X.Y:;a=\"b c\"   odd \\u0041\nTo: <sip:one@h>\r\nFrom: Old <sip:old@h>\nSubject: kept\r\nTo: <sip:two@h>\r\n\n"
        let message = try parse(source + "Content-Type: text/plain\r\n\r\nhello")
        let head = message.headers(
            replacing: [
                .from: [CPIMAddress(displayName: "New", uri: "sip:new@h").value], .to: ["<sip:room@h>"],
                .cc: ["<sip:c@h>"],
            ],
            adding: [("imdn.Message-ID", "1\r\nFrom: <sip:v@h>")])
        #expect(
            text(head) == "X.Y:;a=\"b c\"   odd \\u0041\nTo: <sip:room@h>\r\nFrom: New <sip:new@h>\r\nSubject: kept\r\n"
                + "cc: <sip:c@h>\r\nimdn.Message-ID: 1\\r\\nFrom: <sip:v@h>\r\n\n")
        let removed = message.headers(replacing: [.to: [], .subject: []])
        #expect(text(removed) == "X.Y:;a=\"b c\"   odd \\u0041\nFrom: Old <sip:old@h>\n\n")
        #expect(message.headers() == Array(source.utf8))
    }

    @Test("what text/plain participants send is wrapped (RFC 7701 section 5.2)")
    func wrapper() throws {
        let head = CPIMWrapper.head(
            from: CPIMAddress(displayName: "Alice \"A\"", uri: "sip:alice@example.com"),
            to: [CPIMAddress(uri: "sip:lobby@example.com")],
            dateTime: InternetDateTime.format(seconds: 1_795_220_328, milliseconds: 569),
            contentType: "text/plain; charset=utf-8")
        #expect(
            text(head) == "From: \"Alice \\\"A\\\"\" <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\n"
                + "DateTime: 2026-11-21T00:18:48.569Z\r\n\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")
        let message = try CPIMMessage(parsing: head + Array("hi".utf8))
        #expect(message.bodyOffset == head.count && message.from.displayName == "Alice \"A\"")
    }

    @Test("any name survives the way out and back in, and none ends a line (RFC 3862 section 2.3)")
    func addressRoundTrip() throws {
        var random = SplitMix64(state: 23)
        let alphabet = Array("ab \\\"'<>;:,\u{0}\u{8}\t\r\n\u{7F}\u{e9}\u{1F600}{}").map(String.init)
        for _ in 0..<3_000 {
            let name = (0..<Int.random(in: 1...9, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? ""
            }.joined()
            let address = CPIMAddress(displayName: name, uri: "sip:a@h")
            #expect(!address.value.utf8.contains { $0 < 0x20 || $0 == 0x7F })
            #expect(CPIMAddress(parsing: Array(address.value.utf8)[...]) == address, "\(name.debugDescription)")
        }
        #expect(CPIMAddress(uri: "sip:a b>@h\r\n").value == "<sip:a%20b%3E@h%0D%0A>")
    }

    @Test(
        "escapes are read as the RFC says, unknown and cut ones too (RFC 3862 section 2.3.1)",
        arguments: [
            ("a\\\\b", "a\\b"), ("\\\"\\'", "\"'"), ("\\b\\t\\n\\r", "\u{8}\t\n\r"), ("\\u0041\\u00e9", "A\u{e9}"),
            ("\\uD83D\\uDE00", "\u{1F600}"), ("\\uD83Dx", "\u{FFFD}x"), ("\\uDE00\\uD83D", "\u{FFFD}\u{FFFD}"),
            ("\\x\\u12", "xu12"), ("\\", ""), ("a\\", "a"), ("\\u00zz", "u00zz"), ("", ""),
        ])
    func escapes(escaped: String, expected: String) {
        #expect(CPIMEscape.unescaped(Array(escaped.utf8)[...]) == expected)
    }

    @Test("only what must be is escaped (RFC 3862 section 2.3.1)")
    func escaping() {
        #expect(
            CPIMEscape.escaped("a\\b\u{8}\t\n\r\u{1}\u{7F}\"'\u{e9}") == "a\\\\b\\b\\t\\n\\r\\u0001\\u007f\"'\u{e9}")
        #expect(CPIMEscape.escaped("\"", quoted: true) == "\\\"")
    }
}

@Suite("Timestamps, RFC 3339")
struct InternetDateTimeTests {
    @Test(
        "seconds since 1970 as UTC (RFC 3339 section 5.6)",
        arguments: [
            (Int64(0), "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"), (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"), (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (.max, "9999-12-31T23:59:59.000Z"), (.min, "0000-01-01T00:00:00.000Z"),
        ])
    func format(seconds: Int64, expected: String) {
        #expect(InternetDateTime.format(seconds: seconds) == expected)
    }

    @Test("milliseconds are three digits")
    func milliseconds() {
        #expect(InternetDateTime.format(seconds: 0, milliseconds: 7) == "1970-01-01T00:00:00.007Z")
        #expect(InternetDateTime.format(seconds: 0, milliseconds: -5) == "1970-01-01T00:00:00.000Z")
        #expect(InternetDateTime.format(seconds: 0, milliseconds: 5_000) == "1970-01-01T00:00:00.999Z")
    }
}
