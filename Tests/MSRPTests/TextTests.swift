import MSRP
import NIOCore
import Testing

@Suite("Text in header fields")
struct TextTests {
    @Test("RFC 4975 section 9: values are UTF-8, and come out as they went in")
    func utf8() throws {
        let name = "Zo\u{EB} \u{5F20}\u{4E09} \u{1F44B}"
        let fixture = try SessionFixture()
        var output = ByteBuffer()
        _ = try fixture.session.request(
            "NICKNAME", headers: [("Use-Nickname", "\"\(name)\"")], now: fixture.now, into: &output)
        let text = String(buffer: output)
        #expect(text.contains("Use-Nickname: \"\(name)\"\r\n"))
        #expect(try Wire.head(text).useNickname == "\"\(name)\"")
        for cut in Wire.cuts(Array(text.utf8)) { #expect(try Wire.parts(cut) == Wire.parts(text)) }
    }

    @Test("RFC 4975 section 9: octets that are no UTF-8 end nothing, and no value of ours ends a line")
    func broken() throws {
        let octets =
            Array(
                "MSRP t1 SEND\r\nTo-Path: \(SessionFixture.ours)\r\nFrom-Path: \(SessionFixture.theirs)\r\nX-Name: "
                    .utf8)
            + [0xC3, 0x28, 0xFF] + Array("\r\n-------t1$\r\n".utf8)
        guard case .head(let head)? = try Wire.parts([octets]).first else { throw Wire.Missing() }
        #expect(head.value("X-Name") == "\u{FFFD}(\u{FFFD}")
        var output = ByteBuffer()
        Frame.writeHeader("X-Name", "a\r\n-------t1$\r\n", into: &output)
        #expect(String(buffer: output) == "X-Name: a  -------t1$  \r\n")
    }

    @Test("RFC 4975 section 10.4: a 408 is a local timeout")
    func timeout() throws {
        let fixture = try SessionFixture()
        _ = try fixture.written { try $0.send(try SessionFixture.message("x"), now: $1, into: &$2) }
        _ = try fixture.receive(SessionFixture.theirAnswer("408 Late", id: 0xA0))
        #expect(fixture.deliveries().map(\.outcome) == [.timedOut])
    }

    @Test(
        "RFC 4975 section 10: every code with its name",
        arguments: [
            (200, "OK"), (400, "Bad Request"), (403, "Forbidden"), (408, "Request Timeout"), (413, "Stop Sending"),
            (415, "Unsupported Media Type"), (423, "Parameter Out Of Bounds"), (481, "No Such Session"),
            (501, "Unknown Method"), (506, "Session Already In Use"), (599, ""),
        ])
    func codes(code: Int, phrase: String) throws {
        #expect(Status(code).phrase.description == phrase)
        let head = try Wire.head("MSRP t1 \(code)\r\nTo-Path: \(SessionFixture.ours)\r\n-------t1$\r\n")
        #expect(head.status == Status(code))
    }
}
