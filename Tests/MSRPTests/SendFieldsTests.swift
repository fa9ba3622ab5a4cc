import MSRP
import NIOCore
import Testing

@Suite struct SendFieldsTests {
    let lines = ByteBuffer(
        string: " SEND\r\nTo-Path: msrp://next/x;tcp\r\nFrom-Path: msrp://us/s;tcp msrp://a/b;tcp\r\n")

    func head(_ fields: String, body: String? = nil) throws -> Head {
        var parser = PartParser()
        var bytes = ByteBuffer(
            string: "MSRP abcd SEND\r\n\(fields)\(body.map { "\r\n\($0)\r\n" } ?? "")-------abcd$\r\n")
        guard case .head(let head) = try parser.next(&bytes) else { throw WireError(.notMSRP) }
        return head
    }

    func forwarded(_ fields: String, body: String? = nil, range: ByteRange? = nil) throws -> String {
        let head = try head(fields, body: body)
        var buffer = ByteBuffer()
        Frame.writeForwarded(
            head, try #require(SendFields(head)), id: 0x1234, sendLines: lines, range: range, into: &buffer)
        return String(buffer: buffer)
    }

    let start =
        "MSRP 0000000000001234 SEND\r\nTo-Path: msrp://next/x;tcp\r\nFrom-Path: msrp://us/s;tcp msrp://a/b;tcp\r\n"
    let paths = "To-Path: msrp://us/s;tcp msrp://next/x;tcp\r\nFrom-Path: msrp://a/b;tcp\r\n"

    @Test("RFC 4976 6.4.1: what follows the paths is passed on to the octet")
    func verbatim() throws {
        let rest = "message-id:  m1 \r\nX-A: 1\r\nX-A: 2\r\nByte-Range: 1-*/*\r\nContent-Type: a/b\r\n"
        #expect(try forwarded(paths + rest, body: "x") == start + rest + "\r\n")
        #expect(try forwarded(paths + "Message-ID: m\r\n") == start + "Message-ID: m\r\n")
    }

    @Test("RFC 4975 9: Content-Type comes last, and paths never twice")
    func order() throws {
        #expect(
            try forwarded(
                "Content-Type: a/b\r\nMessage-ID: m\r\nFrom-Path: msrp://a/b;tcp\r\nX: y\r\nTo-Path: msrp://us/s;tcp msrp://n/x;tcp\r\n",
                body: "x")
                == start + "Message-ID: m\r\nX: y\r\nContent-Type: a/b\r\n\r\n")
        #expect(
            try forwarded(paths + "Message-ID: m\r\nTo-Path: msrp://evil/x;tcp\r\n")
                == start + "Message-ID: m\r\n")
    }

    @Test("a chunk that goes on has its own Byte-Range, where the old one stood, or before Content-Type")
    func otherRange() throws {
        let range = ByteRange(start: 11, end: nil, total: 20)
        #expect(
            try forwarded(
                paths + "Message-ID: m\r\nbyte-range: 1-*/20\r\nX: y\r\nContent-Type: a/b\r\n", body: "x", range: range)
                == start + "Message-ID: m\r\nByte-Range: 11-*/20\r\nX: y\r\nContent-Type: a/b\r\n\r\n")
        #expect(
            try forwarded(paths + "Message-ID: m\r\nContent-Type: a/b\r\n", body: "x", range: range)
                == start + "Message-ID: m\r\nByte-Range: 11-*/20\r\nContent-Type: a/b\r\n\r\n")
    }

    @Test("RFC 4975 7.1.1: Failure-Report, Byte-Range and their absence")
    func values() throws {
        func fields(_ lines: String) throws -> SendFields? { SendFields(try head(paths + lines)) }
        #expect(try fields("Message-ID: m\r\n")?.range == .whole)
        #expect(try fields("Message-ID: m\r\n")?.failureReport == .yes)
        #expect(try fields("Message-ID: m\r\nFAILURE-REPORT: Partial\r\n")?.failureReport == .partial)
        #expect(try fields("Message-ID: m\r\nFailure-Report: no\r\nFailure-Report: yes\r\n")?.failureReport == .no)
        #expect(try fields("Message-ID: m\r\nByte-Range: 5-6/7\r\n")?.range == ByteRange(start: 5, end: 6, total: 7))
        #expect(try fields("Message-ID: m\r\nByte-Range: 5\r\n") == nil)
        #expect(try fields("Byte-Range: 1-1/1\r\n") == nil)
        #expect(try fields("Message-ID: a b\r\n") == nil)
        #expect(try fields("Message-ID:\r\n") == nil)
        #expect(try fields("Message-ID: \(String(repeating: "x", count: 257))\r\n") == nil)
    }

    @Test("RFC 4976 6.4.2: other messages move our URI too, with all header fields and the phrase of a response")
    func whole() throws {
        var parser = PartParser()
        var bytes = ByteBuffer(
            string:
                "MSRP abcd 200 Fine by me\r\nTo-Path: msrp://us/s;tcp \t msrp://n/x;tcp msrp://m/y;tcp\r\nFrom-Path: msrp://a/b;tcp\r\nOffset: 7\r\n-------abcd$\r\n"
        )
        guard case .head(let head) = try parser.next(&bytes) else { throw WireError(.notMSRP) }
        var buffer = ByteBuffer()
        Frame.writeForwarded(
            head, try #require(head.pathSplit), id: try #require(TransactionID("orig")), way: ByteBuffer(),
            body: ByteBuffer(),
            .complete, into: &buffer)
        #expect(
            String(buffer: buffer)
                == "MSRP orig 200 Fine by me\r\nTo-Path: msrp://n/x;tcp msrp://m/y;tcp\r\nFrom-Path: msrp://us/s;tcp msrp://a/b;tcp\r\nOffset: 7\r\n-------orig$\r\n"
        )
    }
}
