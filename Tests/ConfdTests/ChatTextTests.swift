import Client
import Foundation
import NIOCore
import SIP
import Testing

@Suite("What a chat shows and takes")
struct ChatTextTests {
    private let me = SIPURI(user: "me", host: "example.com")

    private func message(_ text: String, type: String = "message/cpim") throws -> ChatMessage {
        try #require(ChatMessage(contentType: type, body: ByteBuffer(string: text), me: me))
    }

    @Test("a CPIM message is taken apart (RFC 3862), inner line ends bare or not")
    func cpim() throws {
        let text = try message(
            "From: Alice <sip:alice@example.com>\r\nTo: <sip:room@example.com>\r\n"
                + "DateTime: 2026-11-21T00:18:48.5+00:00\r\n\r\nContent-Type: text/plain; charset=\"utf8\"\n\nhello")
        #expect(text.from == "sip:alice@example.com" && text.displayName == "Alice" && !text.isPrivate)
        #expect(text.dateTime == "2026-11-21T00:18:48.5+00:00" && text.text == "hello" && text.isText)
    }

    @Test("a message to me is private, port and parameters aside")
    func privately() throws {
        let text = try message(
            "From: <sip:alice@example.com>\r\nTo: <sip:me@Example.com:5060;transport=tcp>\r\n\r\n"
                + "Content-Type: text/plain\r\n\r\npsst")
        #expect(text.isPrivate)
        #expect(ChatPrinter(style: .lines).line(for: text, clock: "") == "[sip:alice@example.com privately] psst\n")
    }

    @Test("bare text is split where the room wrote the sender before it")
    func bareText() throws {
        #expect(try message("sip:bob@example.com: hi: there", type: "text/plain").from == "sip:bob@example.com")
        #expect(try message("sip:bob@example.com: hi: there", type: "text/plain").text == "hi: there")
        #expect(try message("so: no sender", type: "text/plain").from == nil)
        #expect(try message("so: no sender", type: "text/plain").text == "so: no sender")
    }

    @Test("what is no message/cpim is skipped")
    func malformed() {
        #expect(ChatMessage(contentType: "message/cpim", body: ByteBuffer(string: "nonsense"), me: me) == nil)
    }

    @Test("typing notices are silent, other content is named")
    func contents() throws {
        let notice = try message(
            "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-Type: application/im-iscomposing+xml\r\n\r\n<x/>")
        #expect(notice.isSilent && !notice.isText)
        let image = try message("From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-Type: image/png\r\n\r\n1234")
        #expect(image.text == "[image/png, 4 B]")
        var kept = image
        kept.attachment = 3
        #expect(ChatPrinter(style: .lines).line(for: kept, clock: "") == "[sip:a@b] [image/png, 4 B; /save 3]\n")
    }

    @Test("RFC 5438: receipts are not shown, whatever namespace their headers are of")
    func receipts() throws {
        let receipt = try message(
            "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: x\r\n\r\n"
                + "Content-Type: message/imdn+xml\r\n\r\n<imdn/>")
        #expect(receipt.isSilent && receipt.roomLine == nil)
        let asked = try message(
            "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
                + "imdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: text/plain\r\n\r\nhi")
        #expect(!asked.isSilent && asked.text == "hi")
    }

    @Test("what was said before has its date on a terminal, and says so in JSON; lines are as ever")
    func replayed() throws {
        var text = try message(
            "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nDateTime: 2026-11-20T10:00:00Z\r\n\r\n"
                + "Content-Type: text/plain\r\n\r\none\ntwo")
        #expect(text.seconds == 1_795_168_800)
        text.isReplayed = true
        #expect(
            ChatPrinter(style: .lines).line(for: text, clock: "") == "[sip:a@b] one\n\ttwo\n")
        #expect(ChatPrinter(style: .json).line(for: text, clock: "").contains("\"replayed\": true"))
        #expect(
            ChatPrinter(style: .terminal).line(for: text, clock: "2026-11-20 11:00:00")
                == "2026-11-20 11:00:00 a: one\n                    two\n")
    }

    @Test("the room's own lines are known by their headers (RFC 3862 section 3.4), whatever the namespace is called")
    func roomLines() throws {
        func line(_ headers: String) throws -> RoomLine? {
            try message(
                "From: <sip:r@h>\r\nTo: <sip:r@h>\r\n\(headers)\r\nContent-Type: text/plain\r\n\r\nalice joined"
            ).roomLine
        }
        #expect(try line("NS: confd <urn:x-confd:room>\r\nconfd.Event: joined\r\n")?.event == .joined)
        #expect(try line("NS: r <urn:x-confd:room>\r\nr.Event: left\r\n")?.event == .left)
        let unknown = try #require(try line("NS: confd <urn:x-confd:room>\r\nconfd.Event: danced\r\n"))
        #expect(unknown.event == nil)
        #expect(try line("NS: confd <urn:example:other>\r\nconfd.Event: joined\r\n") == nil)
        #expect(try line("confd.Event: joined\r\n") == nil)
        #expect(try line("") == nil)
        let file = try #require(
            try line(
                "NS: confd <urn:x-confd:room>\r\nconfd.Event: file\r\nconfd.File: name=\"a \\\"b\\\"; c\\\\d.txt\"; "
                    + "type=text/plain; size=6; sha-1=\(Self.sha1); sender=<sip:al@h;user=phone>\r\n"))
        #expect(file.event == .file)
        #expect(file.file?.name == "a \"b\"; c\\d.txt" && file.file?.sender == "sip:al@h;user=phone")
    }

    static let sha1 = Array(repeating: "AB", count: 20).joined(separator: ":")

    @Test("no message can steer the terminal or feign another's line")
    func controls() throws {
        let text = try message(
            "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-Type: text/plain\r\n\r\none\u{1B}[2J\r\n[sip:x@y] two\u{9B}\n"
        )
        #expect(ChatPrinter(style: .lines).line(for: text, clock: "") == "[sip:a@b] one[2J\n\t[sip:x@y] two\n")
        #expect(
            ChatPrinter(style: .terminal).line(for: text, clock: "12:00:00")
                == "12:00:00 a: one[2J\n         [sip:x@y] two\n")
    }

    @Test("JSON is one line that a parser takes, whatever the text")
    func json() throws {
        let text = try message(
            "From: \"Q \\\" \\\\\" <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-Type: text/plain\r\n\r\n\"a\"\t\\\n\u{2028}ü"
        )
        let line = ChatPrinter(style: .json).line(for: text, clock: "")
        #expect(line.hasSuffix("\n") && line.dropLast().allSatisfy { !$0.isNewline })
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        #expect(object?["text"] as? String == "\"a\"\t\\\n\u{2028}ü")
        #expect(object?["from"] as? String == "sip:a@b")
        #expect(object?["private"] as? Bool == false)
    }

    @Test(
        "lines that start with / are commands",
        arguments: [
            ("hello", ChatInput.say("hello")), ("", .nothing), ("\r", .nothing), ("hello\r", .say("hello")),
            ("/nick  Bob B ", .nick("Bob B")), ("/nick", .nick("")), ("/who", .who), ("/quit", .quit), ("/q", .quit),
            ("/help", .help), ("//path", .say("/path")), ("/msg bob hi  there", .privately(to: "bob", "hi  there")),
            ("/subject  a  b ", .subject("a  b")), ("/subject", .subject("")),
            ("/invite sip:bob@h", .invite("sip:bob@h")),
            ("/kick bob", .kick("bob")), ("/kick", .wrong("write /kick WHO, such as /kick sip:bob@example.com")),
            ("/invite a b", .wrong("write /invite WHO, such as /invite sip:bob@example.com")),
            ("/msg bob", .wrong("write /msg WHO text, such as /msg sip:bob@example.com hello")),
            ("/msg \"Bob B\"  hi", .privately(to: "Bob B", "hi")), ("/kick \"Bob B\"", .kick("Bob B")),
            ("/send  a b.txt ", .send("a b.txt")), ("/send 'a b'", .send("a b")),
            ("/send", .wrong("write /send FILE, such as /send ~/report.pdf")), ("/files", .files),
            ("/get 12", .get(12, path: nil)), ("/get 1 my file", .get(1, path: "my file")),
            ("/get one", .wrong("write /get N [PATH], such as /get 1")),
            ("/get 0", .wrong("write /get N [PATH], such as /get 1")),
            ("/save 3 \"x y\"", .save(3, path: "x y")), ("/image p.png", .image("p.png")), ("/cancel", .cancel),
            ("/x", .wrong("there is no /x; /help lists what there is, // says a text that starts with /")),
        ])
    func commands(line: String, input: ChatInput) {
        #expect(ChatInput(line) == input)
    }

    @Test("/help lists every command once")
    func help() {
        let lines = ChatInput.helpText.split(separator: "\n")
        let names = lines.map { $0.prefix { $0 != " " } }
        #expect(Set(names).count == names.count)
        for name in [
            "/msg", "/send", "/files", "/get", "/save", "/image", "/cancel", "/nick", "/who", "/quit", "//text",
        ] {
            #expect(names.contains(Substring(name)))
        }
        for name in names where name != "//text" {
            let input = ChatInput(String(name))
            if case .wrong(let text) = input { #expect(text.hasPrefix("write \(name)")) }
        }
    }

    @Test("lines are read one by one; the last needs no line end")
    func lines() async throws {
        let pipe = Pipe()
        let long = String(repeating: "x", count: 50_000)
        try pipe.fileHandleForWriting.write(contentsOf: Data("one\n\n\(long)\nlast".utf8))
        try pipe.fileHandleForWriting.close()
        let reader = LineReader(descriptor: pipe.fileHandleForReading.fileDescriptor)
        #expect(await reader.next() == "one")
        #expect(await reader.next() == "")
        #expect(await reader.next() == long)
        #expect(await reader.next() == "last")
        #expect(await reader.next() == nil)
        #expect(await reader.next() == nil)
    }
}
