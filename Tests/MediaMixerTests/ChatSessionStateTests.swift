import MSRP
import NIOCore
import Testing

@testable import MediaMixer

@Suite("What a participant may say (RFC 7701 section 6)")
struct ChatSessionStateTests {
    private let room = RoomAddress(user: "lobby", domain: "example.com")

    private func state(_ format: PeerMedia.Format = .cpim, name: String? = nil) -> ChatSessionState {
        ChatSessionState(
            room: room, uri: "sip:alice@example.com", aliases: ["sip:anonymous-7@anonymous.invalid"], displayName: name,
            format: format)
    }

    private func judge(_ text: String, by state: ChatSessionState? = nil) -> ChatSessionState.Verdict {
        var state = state ?? self.state()
        return state.judge(
            body: ByteBuffer(string: text), contentType: "message/cpim", dateTime: "2026-11-21T00:00:00.000Z")
    }

    private func cpim(
        from: String = "alice <sip:alice@example.com>", to: String = "<sip:lobby@example.com>",
        content: String = "Content-Type: text/plain\r\n\r\nhello"
    ) -> String {
        "From: \(from)\r\nTo: \(to)\r\nDateTime: 2026-11-21T00:18:48Z\r\n\r\n\(content)"
    }

    @Test("a message to the room goes to everybody, octet for octet (section 6.1)")
    func regular() throws {
        let text = cpim()
        guard case .deliver(let envelope, let audience) = judge(text) else {
            Issue.record("not delivered")
            return
        }
        #expect(audience == .room)
        #expect(String(buffer: envelope.cpim) == text)
        #expect(envelope.contentType == "text/plain")
        #expect(envelope.plainText.map { String(buffer: $0) } == "sip:alice@example.com: hello")
    }

    @Test("bare LF in the inner head, as real clients send it, is understood")
    func bareLineFeed() {
        let text = cpim(content: "MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf8\"\n\nhello")
        guard case .deliver(let envelope, .room) = judge(text) else {
            Issue.record("not delivered")
            return
        }
        #expect(envelope.plainText.map { String(buffer: $0) } == "sip:alice@example.com: hello")
    }

    @Test(
        "a From that is not the participant's is refused with 403 (section 6.3)",
        arguments: [
            "<sip:bob@example.com>", "<sip:Alice@example.com>", "<sip:alice@example.org>", "alice@example.com:x",
        ])
    func forged(_ from: String) {
        #expect(judge(cpim(from: from)) == .refuse(.forbidden))
    }

    @Test(
        "equal URIs and announced aliases are the participant's own",
        arguments: [
            "sip:alice@example.com", "\"Alice\" <sip:alice@EXAMPLE.com>", "<sips:%61lice@example.com>",
            "<sip:anonymous-7@anonymous.invalid>",
        ])
    func ownFrom(_ from: String) {
        guard case .deliver(_, .room) = judge(cpim(from: from)) else {
            Issue.record("not delivered")
            return
        }
    }

    @Test("two To headers are refused with 403 (section 6.1)")
    func twoTo() {
        #expect(
            judge(cpim(to: "<sip:lobby@example.com>\r\nTo: <sip:bob@example.com>")) == .refuse(.forbidden))
    }

    @Test(
        "the room is named by its own address and by those it is reached at (RFC 4579 section 5.2)",
        arguments: [
            ("example.com", "<sip:lobby@192.0.2.1:5060;transport=tcp>"), ("example.com", "<sip:lobby@[2001:DB8::1]>"),
            ("::1", "<sip:lobby@[::1]>"),
        ])
    func roomHosts(domain: String, to: String) {
        let state = ChatSessionState(
            room: RoomAddress(user: "lobby", domain: domain), roomHosts: ["192.0.2.1", "2001:db8::1"],
            uri: "sip:alice@example.com", aliases: [], displayName: nil, format: .cpim)
        guard case .deliver(_, .room) = judge(cpim(to: to), by: state) else {
            Issue.record("not delivered")
            return
        }
    }

    @Test("a room that a conference factory made is named by the factory's name too (RFC 4579 section 5.4)")
    func calledName() {
        let state = ChatSessionState(
            room: RoomAddress(user: "conference-1", domain: "example.com"), calledName: "conference",
            uri: "sip:alice@example.com", aliases: [], displayName: nil, format: .cpim)
        for to in ["<sip:conference@example.com>", "<sip:conference-1@example.com>"] {
            guard case .deliver(_, .room) = judge(cpim(to: to), by: state) else {
                Issue.record("not delivered")
                return
            }
        }
    }

    @Test("another To is a private message (section 6.2)")
    func privateMessage() {
        guard case .deliver(_, let audience) = judge(cpim(to: "<sip:bob@example.com>")) else {
            Issue.record("not delivered")
            return
        }
        #expect(audience == .participant("sip:bob@example.com"))
    }

    @Test("what is no CPIM is refused with 400", arguments: ["", "hello", "no header\r\n\r\nx"])
    func malformed(_ text: String) {
        #expect(judge(text) == .refuse(.badRequest))
    }

    @Test(
        "no From, two of them, or one without a URI is nobody's: 403 (section 6.1)",
        arguments: [
            "To: <sip:lobby@example.com>\r\n\r\nx", "From: alice\r\nTo: <sip:lobby@example.com>\r\n\r\nx",
            "From: <sip:alice@example.com>\r\nFrom: <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\n\r\nx",
        ])
    func noSender(_ text: String) {
        #expect(judge(text) == .refuse(.forbidden))
    }

    @Test("no To is refused with 403 like several, one that can't be resolved with 404 (sections 6.1 and 6.2)")
    func receivers() {
        #expect(judge("From: <sip:alice@example.com>\r\n\r\nx") == .refuse(.forbidden))
        #expect(judge(cpim(to: "lobby")) == .refuse(.notFound))
        #expect(judge(cpim(to: "lobby\r\nTo: <sip:bob@example.com>")) == .refuse(.forbidden))
    }

    @Test("the head alone is enough to judge by, and too little of it is not judged (section 6.1)")
    func heads() {
        let text = cpim()
        for length in 0...text.utf8.count {
            var state = state()
            let verdict = state.judge(
                head: ByteBuffer(bytes: text.utf8.prefix(length)), isWhole: false, contentType: "message/cpim",
                dateTime: "")
            if length < text.utf8.count - 1 {
                #expect(verdict == .incomplete)
            } else {
                #expect(
                    verdict
                        == .open(
                            ChatSessionState.Opening(
                                audience: .room, contentType: "text/plain", contentStart: text.utf8.count - 5,
                                senderName: "sip:alice@example.com")))
            }
        }
    }

    @Test("who hides its name: the head is replaced, what comes after goes on as it came (RFC 7701 section 6.1)")
    func hiddenHead() throws {
        var state = ChatSessionState(
            room: room, uri: "sip:anonymous-7@anonymous.invalid", aliases: ["sip:alice@example.com"],
            displayName: nil, isAnonymous: true, format: .cpim)
        let text = cpim(content: "Content-Type: text/plain\r\n\r\nhell")
        let verdict = state.judge(
            head: ByteBuffer(string: text), isWhole: false, contentType: "message/cpim", dateTime: "")
        guard case .open(let opening) = verdict else {
            Issue.record("not opened")
            return
        }
        let passedOn =
            String(buffer: opening.head) + String(decoding: text.utf8.dropFirst(opening.replaced), as: UTF8.self)
        #expect(
            passedOn == text.replacing("alice <sip:alice@example.com>", with: "<sip:anonymous-7@anonymous.invalid>"))
        #expect(String(decoding: passedOn.utf8.dropFirst(opening.contentStart), as: UTF8.self) == "hell")
    }

    @Test("encryption queries to the room are dropped, those to one partner reach it")
    func offTheRecord() {
        let query = cpim(content: "Content-Type: text/plain\n\n?OTRv3?\nsomething")
        #expect(judge(query) == .drop)
        guard case .deliver(_, .participant) = judge(query.replacing("lobby", with: "bob")) else {
            Issue.record("not delivered")
            return
        }
        var text = state(.plainText)
        #expect(text.judge(body: ByteBuffer(string: "?OTR"), contentType: "text/plain", dateTime: "") == .drop)
    }

    @Test("bare text is wrapped for those who take CPIM")
    func wrapped() {
        var state = state(.plainText, name: "Alice")
        let verdict = state.judge(
            body: ByteBuffer(string: "hello"), contentType: "text/plain; charset=utf-8",
            dateTime: "2026-11-21T00:00:00.000Z")
        guard case .deliver(let envelope, .room) = verdict else {
            Issue.record("not delivered")
            return
        }
        #expect(
            String(buffer: envelope.cpim)
                == "From: Alice <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\n"
                + "DateTime: 2026-11-21T00:00:00.000Z\r\n\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello")
        #expect(envelope.plainText.map { String(buffer: $0) } == "Alice: hello")
    }

    @Test("content that is no text has no form for participants with text only")
    func notText() {
        guard case .deliver(let envelope, _) = judge(cpim(content: "Content-Type: image/png\r\n\r\n\u{1}\u{2}")) else {
            Issue.record("not delivered")
            return
        }
        #expect(envelope.contentType == "image/png")
        #expect(envelope.plainText == nil)
    }

    @Test("accept-wrapped-types and its wildcards (RFC 4975 section 8.6)")
    func acceptedTypes() {
        #expect(AcceptedTypes([]).accepts("image/png"))
        #expect(AcceptedTypes(["*"]).accepts("image/png"))
        let some = AcceptedTypes(["text/*", "Image/PNG"])
        #expect(some.accepts("text/html"))
        #expect(some.accepts("image/png"))
        #expect(!some.accepts("image/gif"))
        #expect(!some.accepts("textual/x"))
    }
}
