import MSRP
import NIOCore
import Testing

@Suite("Part parser")
struct ParserTests {
    private static let start = """
        MSRP d93kswow SEND
        To-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp
        From-Path: msrp://alice.example.com:7777/iau39soe2843z;tcp
        Message-ID: 12339sdqwer
        Byte-Range: 1-*/*
        Content-Type: text/plain


        """.crlf

    private func body(of text: String, outgoing: TransactionID? = nil) throws -> [Part] {
        let bytes = Array((Self.start + text).utf8)
        let whole = try Wire.parts([bytes], outgoing: outgoing)
        for cut in Wire.cuts(bytes) { #expect(try Wire.parts(cut, outgoing: outgoing) == whole) }
        #expect(try Wire.parts(bytes.map { [$0] }, outgoing: outgoing) == whole)
        return Array(whole.dropFirst())
    }

    @Test("RFC 4975 section 9: a body without octets, with and without its own CRLF")
    func emptyBody() throws {
        #expect(try body(of: "\r\n-------d93kswow$\r\n") == [.end(.complete)])
        #expect(try body(of: "-------d93kswow$\r\n") == [.end(.complete)])
    }

    @Test(
        "RFC 4975 section 7.1: what only looks like an end-line is body",
        arguments: [
            "-------d93kswow", "-------d93kswow$x", "-------d93kswow!\r\n", "--------d93kswow$\r\n",
            "------d93kswow$\r\n", "-------D93kswow$\r\n", "-------d93kswow$\n", "-------d93kswow$\r\r\n",
            "x-------d93kswow$\r\n", "-------d93ksw$\r\n", "\n-------d93kswow$\r\n", "-------------------",
            "-------d93kswow$-------d93kswow+", "-------\r\n-------", "\r\n\r\n", "\r", "\r\n-", "-",
            "\0\0\r\n-------\0",
        ])
    func lookAlike(text: String) throws {
        // Behind a blank in the body, so that no look-alike stands at a line's start unless it says so itself.
        for prefix in ["abc", "abc\r\n"] where !(prefix == "abc\r\n" && text.hasPrefix("-------d93kswow$\r\n")) {
            let parts = try body(of: prefix + text + "\r\n-------d93kswow+\r\n")
            #expect(parts.count == 2)
            #expect(parts.first?.bodyText == prefix + text)
            #expect(parts.last == .end(.more))
        }
    }

    @Test(
        "RFC 4975 section 7.1: the three continuation flags",
        arguments: [
            ("$", Continuation.complete), ("+", .more), ("#", .aborted),
        ])
    func flags(text: String, flag: Continuation) throws {
        #expect(try body(of: "abc\r\n-------d93kswow\(text)\r\n").last == .end(flag))
    }

    @Test("the end-line of the outgoing id is told before its octets come as body")
    func outgoingEndLine() throws {
        let outgoing = TransactionID(0x0123_4567_89ab_cdef)
        for lead in ["", "abc", "abc\r\n", "---", "\r\n"] {
            let parts = try body(
                of: lead + "-------0123456789abcdef$\r\nMSRP evil SEND\r\n-------d93kswow$\r\n", outgoing: outgoing)
            let told = parts.firstIndex(of: .outgoingEndLine)
            #expect(told == (lead.isEmpty ? 0 : 1))
            #expect(parts.compactMap(\.bodyText).joined() == lead + "-------0123456789abcdef$\r\nMSRP evil SEND")
            if let told { #expect(parts[told + 1].bodyText?.hasPrefix("-------0123456789abcdef") == true) }
            #expect(parts.last == .end(.complete))
        }
    }

    @Test("the outgoing end-line is told each time it stands in the body")
    func outgoingTwice() throws {
        let line = "-------0123456789abcdef"
        let parts = try body(
            of: "a\(line)$\r\n\(line)+\r\n\r\n-------d93kswow$\r\n", outgoing: TransactionID(0x0123_4567_89ab_cdef))
        #expect(parts.filter { $0 == .outgoingEndLine }.count == 2)
        #expect(parts.compactMap(\.bodyText).joined() == "a\(line)$\r\n\(line)+\r\n")
    }

    @Test("a body is passed on as it comes, but for what may start an end-line")
    func cutThrough() throws {
        var parser = PartParser()
        var buffer = ByteBuffer(string: Self.start + "one\r\n------")
        _ = try parser.next(&buffer)
        #expect(try parser.next(&buffer)?.bodyText == "one")
        #expect(try parser.next(&buffer) == nil)
        #expect(String(buffer: buffer) == "\r\n------")
        buffer.writeString("x")
        #expect(try parser.next(&buffer)?.bodyText == "\r\n------x")
        #expect(buffer.readableBytes == 0)
    }

    @Test("RFC 4975 section 7.1: no extra CRLF before the end-line of a request without body")
    func noBody() throws {
        let text = "MSRP a1 SEND\r\nTo-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:2/y;tcp\r\n-------a1$\r\n"
        let parts = try Wire.parts(text)
        #expect(parts.count == 2)
        #expect(try Wire.head(text).hasBody == false)
        for cut in Wire.cuts(Array(text.utf8)) { #expect(try Wire.parts(cut) == parts) }
    }

    @Test("header names are case-insensitive, blanks around values do not count, unknown ones are kept in order")
    func headers() throws {
        let head = try Wire.head(
            "MSRP a1 SEND\r\nTO-PATH:msrp://a:1/x;tcp\r\nfrom-path: \t msrp://b:2/y;tcp  \r\nX-One: 1:2\r\n"
                + "byte-range: 1-2/2\r\nX-Two:\r\nX-Name: J\u{F6}rg \u{1F600}\r\n-------a1$\r\n")
        #expect(head.defect == nil)
        #expect(head.toPath?.first.host == "a")
        #expect(head.fromPath?.description == "msrp://b:2/y;tcp")
        #expect(head.byteRange == ByteRange(start: 1, end: 2, total: 2))
        #expect(
            head.fields.map { head.name(of: $0) } == ["TO-PATH", "from-path", "X-One", "byte-range", "X-Two", "X-Name"])
        #expect(head.value("x-one") == "1:2")
        #expect(head.value("x-two") == "")
        #expect(head.value(named: "X-NAME") == "J\u{F6}rg \u{1F600}")
        #expect(head.has("Content-Type") == false)
    }

    @Test("RFC 4975 section 7.1.1: absent report fields mean failure yes and success no")
    func reportDefaults() throws {
        func head(_ fields: String) throws -> Head { try Wire.head("MSRP a1 SEND\r\n\(fields)-------a1$\r\n") }
        #expect(try head("").failureReport == .yes)
        #expect(try head("").successReport == .no)
        #expect(try head("Failure-Report: no\r\nSuccess-Report: YES\r\n").failureReport == .no)
        #expect(try head("Failure-Report: Partial\r\nSuccess-Report: YES\r\n").failureReport == .partial)
        #expect(try head("Success-Report: YES\r\n").successReport == .yes)
    }

    @Test(
        "a defect in a head that can be framed reaches that request only",
        arguments: [
            ("MSRP a1 send\r\n-------a1$\r\n", HeadDefect.startLine),
            ("MSRP a1 SEND now\r\n-------a1$\r\n", .startLine),
            ("MSRP a1 \r\n-------a1$\r\n", .startLine),
            ("MSRP a1 2000\r\nA: b\r\n-------a1$\r\n", .startLine),
            ("MSRP a1 SEND\r\nno colon\r\n-------a1$\r\n", .headerLine),
            ("MSRP a1 SEND\r\n: no name\r\n-------a1$\r\n", .headerLine),
            ("MSRP a1 SEND\r\nA B: c\r\n-------a1$\r\n", .headerLine),
            ("MSRP a1 SEND\r\n-------a2$\r\n-------a1$\r\n", .headerLine),
            ("MSRP a1 SEND\r\nA: b\r\n c\r\n-------a1$\r\n", .foldedLine),
            ("MSRP a1 SEND\r\nA: b\0c\r\n-------a1$\r\n", .controlCharacter),
            ("MSRP a1 SEND\r\nA: b\nc: d\r\n-------a1$\r\n", .controlCharacter),
            ("MSRP a1 SEND\r\nA: b\rc\r\n-------a1$\r\n", .controlCharacter),
        ])
    func defects(text: String, defect: HeadDefect) throws {
        let ok = "MSRP b2 REPORT\r\nA: b\r\n-------b2$\r\n"
        let parts = try Wire.parts(text + ok)
        #expect(parts.count == 4)
        guard case .head(let head)? = parts.first, case .head(let next) = parts[2] else {
            Issue.record("no heads")
            return
        }
        #expect(head.defect == defect)
        #expect(next.method == .report)
        for cut in Wire.cuts(Array((text + ok).utf8)) { #expect(try Wire.parts(cut) == parts) }
    }

    @Test("transaction identifiers of 1 to 64 characters are taken")
    func transactionIDs() throws {
        for id in ["a", String(repeating: "x", count: 64), "a.b-c+d%e=f", "-------", "$#+"] {
            let parts = try Wire.parts("MSRP \(id) SEND\r\nA: b\r\n\r\n-------\(id)x\r\n-------\(id)$\r\n")
            #expect(parts.count == 3)
            #expect(try Wire.head("MSRP \(id) 200\r\n-------\(id)$\r\n").transactionID.description == id)
        }
        #expect(throws: WireError(.badTransactionID)) {
            try Wire.parts("MSRP \(String(repeating: "x", count: 65)) SEND\r\n")
        }
        #expect(throws: WireError(.badTransactionID)) { try Wire.parts("MSRP  SEND\r\n") }
        #expect(throws: WireError(.badTransactionID)) { try Wire.parts("MSRP a\0b SEND\r\n") }
    }

    @Test(
        "bytes that cannot be framed end the connection, wherever they are cut",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", WireError(.notMSRP)), ("M\0", WireError(.notMSRP)),
            ("\r\rMSRP", WireError(.notMSRP)),
            ("MSRP", nil), ("MSRP a1", nil), ("\r\n\r\n", nil), ("\r", nil), ("MSRPX a1 SEND\r\n", WireError(.notMSRP)),
            ("MSRP a1\r\n", WireError(.badTransactionID)),
            ("MSRP a1 " + String(repeating: "A", count: 80) + "\r\n", .init(.startLineTooLong)),
            ("MSRP a1 SEND\r\nA: " + String(repeating: "a", count: 200) + "\r\n", .init(.headTooLong)),
            ("MSRP a1 SEND\r\n" + String(repeating: "A: b\r\n", count: 6), .init(.tooManyHeaders)),
            (String(repeating: "\0", count: 100), .init(.notMSRP)),
            ("MSRP " + String(repeating: "\0", count: 100), .init(.startLineTooLong)),
        ] as [(String, WireError?)])
    func unframeable(text: String, error: WireError?) {
        let limits = WireLimits(headBytes: 150, headers: 5, startLineBytes: 60)
        func result(_ pieces: [[UInt8]]) -> WireError? {
            do throws(WireError) {
                _ = try Wire.parts(pieces, limits: limits)
                return nil
            } catch { return error }
        }
        let bytes = Array(text.utf8)
        #expect(result([bytes]) == error)
        for cut in Wire.cuts(bytes) { #expect(result(cut) == error) }
        #expect(result(bytes.map { [$0] }) == error)
        if let error { #expect(error.reach == .connection) }
    }

    @Test("limits are exact, wherever the head is cut")
    func exactLimits() throws {
        let text = "MSRP a1 SEND\r\nA: b\r\n-------a1$\r\n"
        let bytes = Array(text.utf8)
        for cut in Wire.cuts(bytes) {
            #expect(
                try Wire.parts(cut, limits: .init(headBytes: bytes.count, headers: 1, startLineBytes: 12)).count == 2)
            #expect(throws: WireError(.headTooLong)) {
                try Wire.parts(cut, limits: .init(headBytes: bytes.count - 1, headers: 1, startLineBytes: 12))
            }
            #expect(throws: WireError(.startLineTooLong)) {
                try Wire.parts(cut, limits: .init(headBytes: bytes.count, headers: 1, startLineBytes: 11))
            }
        }
    }

    @Test("ten megabytes of body without a line end go through at once; of head they do not")
    func longLines() throws {
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 10 << 20)
        let hyphens = [UInt8](repeating: UInt8(ascii: "-"), count: 1 << 20)
        let parts = try Wire.parts([Array(Self.start.utf8), body, hyphens, Array("\r\n-------d93kswow$\r\n".utf8)])
        guard case .body(let received) = parts[1] else {
            Issue.record("no body")
            return
        }
        #expect(received.readableBytes == body.count + hyphens.count)
        #expect(throws: WireError(.headTooLong)) { try Wire.parts([Array("MSRP a1 SEND\r\nA: ".utf8), body]) }
    }

    @Test("RFC 4975 section 7.3.1: a number that does not fit is an error, not a trap")
    func byteRanges() {
        #expect(ByteRange("1-*/*") == .whole)
        #expect(ByteRange("1-0/0") == .nothing)
        #expect(ByteRange("5-8/8") == ByteRange(start: 5, end: 8, total: 8))
        #expect(ByteRange("1-18446744073709551615/*")?.end == .max)
        for text in [
            "", "-", "/", "1-2", "0-1/1", "1-2/", "-2/3", "*-2/3", "1-2/3/4", "a-b/c", "1 - 2/3", "-1-2/3",
            "1-2/18446744073709551616",
            "99999999999999999999999-1/1",
        ] { #expect(ByteRange(text) == nil, "\(text)") }
    }

    @Test("CRLFs between messages are skipped, and the parser knows when it is between messages")
    func betweenMessages() throws {
        var parser = PartParser()
        var buffer = ByteBuffer(string: "\r\n\r\nMSRP a1 SEND\r\n-------a1$\r\n\r\nMSR")
        #expect(parser.isAtMessageStart)
        _ = try parser.next(&buffer)
        #expect(!parser.isAtMessageStart)
        #expect(try parser.next(&buffer) == .end(.complete))
        #expect(parser.isAtMessageStart)
        #expect(try parser.next(&buffer) == nil)
        #expect(!parser.isAtMessageStart)
        #expect(String(buffer: buffer) == "MSR")
    }
}
