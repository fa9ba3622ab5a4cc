import MSRP
import NIOCore
import Testing

@Suite("Session: what goes out")
struct SessionOutboundTests {
    typealias Fixture = SessionFixture

    private static let paths = "To-Path: \(Fixture.theirs)\r\nFrom-Path: \(Fixture.ours)\r\n"

    @Test("RFC 4975 section 7.1.1: a short message is one SEND with its range")
    func short() throws {
        let fixture = try Fixture()
        let message = try Fixture.message("hi", failure: .yes, success: .yes)
        let output = try fixture.written { try $0.send(message, now: $1, into: &$2) }
        #expect(
            output == "MSRP 00000000000000a0 SEND\r\n\(Self.paths)Message-ID: out\r\nByte-Range: 1-2/2\r\n"
                + "Success-Report: yes\r\nFailure-Report: yes\r\nContent-Type: text/plain\r\n\r\nhi\r\n-------00000000000000a0$\r\n"
        )
        #expect(fixture.deliveries().isEmpty)
        _ = try fixture.receive(Fixture.theirAnswer("200 OK", id: 0xA0))
        #expect(fixture.deliveries() == [Delivery(messageID: message.messageID, outcome: .acknowledged)])
    }

    @Test(
        "RFC 4975 section 7.1.1: above 2048 octets the range ends in a star",
        arguments: [
            (2048, "1-2048/2048"), (2049, "1-*/2049"), (1 << 20, "1-*/1048576"), (0, "1-0/0"),
        ])
    func ranges(size: Int, range: String) throws {
        let fixture = try Fixture()
        let message = try Fixture.message(String(repeating: "x", count: size))
        let output = try fixture.written { try $0.send(message, now: $1, into: &$2) }
        #expect(output.contains("\r\nByte-Range: \(range)\r\n"))
        #expect(output.hasSuffix("\r\n-------00000000000000a0$\r\n"))
        #expect(!fixture.session.hasChunks)
    }

    @Test("RFC 4975 section 7.1: an identifier that ends the body early is passed over")
    func endLineInBody() throws {
        let fixture = try Fixture()
        let message = try Fixture.message("-------00000000000000a0$")
        let output = try fixture.written { try $0.send(message, now: $1, into: &$2) }
        #expect(output.hasPrefix("MSRP 00000000000000a1 SEND\r\n"))
    }

    @Test("RFC 4975 section 5.4: the active side binds with an empty SEND")
    func bind() throws {
        let fixture = try Fixture()
        let output = try fixture.written { _ = try $0.sendEmpty(now: $1, headers: [("Keep-Alive", "yes")], into: &$2) }
        #expect(
            output == "MSRP 00000000000000a1 SEND\r\n\(Self.paths)Message-ID: 00000000000000a0\r\nByte-Range: 1-0/0\r\n"
                + "Keep-Alive: yes\r\n-------00000000000000a1$\r\n")
        _ = try fixture.receive(Fixture.theirAnswer("481 No", id: 0xA1))
        #expect(fixture.deliveries().map(\.outcome) == [.failed(.noSuchSession)])
    }

    @Test("RFC 4975 section 7.1.1: a long message goes out in chunks that others pass, and arrives whole")
    func chunks() throws {
        let fixture = try Fixture(.init(maxUnchunked: 2048))
        let text = String((0..<7000).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
        let message = try Fixture.message(text)
        #expect(try fixture.written { try $0.send(message, now: $1, into: &$2) } == "")
        var output = fixture.written { _ = $0.nextChunk(now: $1, limit: 3000, into: &$2) }
        output += try fixture.written { try $0.send(try Fixture.message("quick", id: "q"), now: $1, into: &$2) }
        while fixture.session.hasChunks {
            output += fixture.written { _ = $0.nextChunk(now: $1, limit: 3000, into: &$2) }
        }
        let heads = try Wire.parts(output).compactMap { if case .head(let head) = $0 { head } else { nil } }
        #expect(heads.map { $0.value("Byte-Range") } == ["1-*/7000", "1-5/5", "3001-*/7000", "6001-7000/7000"])

        var receiver = EndpointSession(
            localPath: try #require(Path(Fixture.theirs)), remotePath: try #require(Path(Fixture.ours)))
        var bodies: [String] = []
        var ignored = ByteBuffer()
        for part in try Wire.parts(output) {
            if case .message(let message, _)? = receiver.receive(part, now: fixture.now, into: &ignored) {
                bodies.append(String(buffer: message.body))
            }
        }
        #expect(bodies == ["quick", text])

        for id: UInt64 in 0xA0...0xA2 { _ = try fixture.receive(Fixture.theirAnswer("200 OK", id: id)) }
        #expect(fixture.deliveries().map(\.messageID.string) == ["q"])
        _ = try fixture.receive(Fixture.theirAnswer("200 OK", id: 0xA3))
        #expect(fixture.deliveries().map(\.messageID.string) == ["out"])
    }

    @Test("messages in chunks take turns")
    func turns() throws {
        let fixture = try Fixture(.init(maxUnchunked: 0))
        for id in ["a", "b"] {
            _ = try fixture.written {
                try $0.send(try Fixture.message(String(repeating: id, count: 4000), id: id), now: $1, into: &$2)
            }
        }
        var output = ""
        while fixture.session.hasChunks { output += fixture.written { _ = $0.nextChunk(now: $1, limit: 0, into: &$2) } }
        let ids = try Wire.parts(output).compactMap {
            if case .head(let head) = $0 { head.messageID?.string } else { nil }
        }
        #expect(ids == ["a", "b", "a", "b"])
    }

    @Test("RFC 4975 section 10.5: after a refusal no further chunk goes out")
    func refusedMidway() throws {
        let fixture = try Fixture(.init(maxUnchunked: 0))
        _ = try fixture.written {
            try $0.send(try Fixture.message(String(repeating: "x", count: 9000)), now: $1, into: &$2)
        }
        _ = fixture.written { _ = $0.nextChunk(now: $1, limit: 2048, into: &$2) }
        _ = try fixture.receive(Fixture.theirAnswer("413 Stop", id: 0xA0))
        #expect(!fixture.session.hasChunks)
        #expect(fixture.deliveries().map(\.outcome) == [.failed(.stopSending)])
    }

    @Test("RFC 4975 section 7.3.2: a failure REPORT counts as the refusal it names")
    func failureReport() throws {
        let fixture = try Fixture(.init(maxUnchunked: 0))
        _ = try fixture.written {
            try $0.send(try Fixture.message(String(repeating: "x", count: 9000)), now: $1, into: &$2)
        }
        _ = fixture.written { _ = $0.nextChunk(now: $1, limit: 2048, into: &$2) }
        _ = try fixture.receive(
            "MSRP r1 REPORT\r\nTo-Path: \(Fixture.ours)\r\nFrom-Path: \(Fixture.theirs)\r\nMessage-ID: out\r\n"
                + "Status: 000 408 Late\r\n-------r1$\r\n")
        #expect(fixture.deliveries().map(\.outcome) == [.timedOut])
        #expect(!fixture.session.hasChunks)
    }

    @Test("RFC 4975 section 7.1: a message given up midway ends with #")
    func aborted() throws {
        let fixture = try Fixture(.init(maxUnchunked: 0))
        let message = try Fixture.message(String(repeating: "x", count: 9000))
        _ = try fixture.written { try $0.send(message, now: $1, into: &$2) }
        _ = fixture.written { _ = $0.nextChunk(now: $1, limit: 2048, into: &$2) }
        let output = fixture.written { $0.abort(message.messageID, into: &$2) }
        #expect(output.contains("\r\nByte-Range: 2049-2048/9000\r\n"))
        #expect(output.hasSuffix("\r\n\r\n\r\n-------00000000000000a1#\r\n"))
        #expect(!fixture.session.hasChunks)
        #expect(fixture.deliveries().isEmpty)
    }

    @Test("RFC 4975 section 7.1.1: silence for 30 seconds is a failure, but for partial and no reports")
    func timeouts() throws {
        let fixture = try Fixture()
        for (id, failure) in [("y", FailureReport.yes), ("d", nil), ("p", .partial), ("n", .no)]
            as [(String, FailureReport?)]
        {
            _ = try fixture.written {
                try $0.send(try Fixture.message("x", id: id, failure: failure), now: $1, into: &$2)
            }
        }
        #expect(fixture.deliveries().map(\.messageID.string) == ["n"])
        #expect(fixture.session.outstanding == 3)
        #expect(fixture.session.nextTimeout == fixture.now + .seconds(30))
        #expect(fixture.expire(after: .seconds(29)).timedOut.isEmpty)
        #expect(fixture.expire(after: .seconds(30)).timedOut == [0xA0, 0xA1])
        #expect(fixture.deliveries().map(\.outcome) == [.timedOut, .timedOut, .acknowledged])
        #expect(fixture.session.outstanding == 0)
    }

    @Test("RFC 4975 section 5.3: a refusal of a partial-report message is still heard")
    func partialRefused() throws {
        let fixture = try Fixture()
        _ = try fixture.written { try $0.send(try Fixture.message("x", failure: .partial), now: $1, into: &$2) }
        _ = try fixture.receive(Fixture.theirAnswer("403 No", id: 0xA0))
        #expect(fixture.deliveries().map(\.outcome) == [.failed(.forbidden)])
    }

    @Test("what is unanswered, queued or too long is bounded")
    func bounds() throws {
        let fixture = try Fixture(.init(maxMessageSize: 10, maxUnchunked: 5, maxQueuedMessages: 1, maxOutstanding: 2))
        var output = ByteBuffer()
        let short = try Fixture.message("x")
        let long = try Fixture.message("123456")
        #expect(throws: EndpointSession.SendRefusal.tooLarge) {
            try fixture.session.send(try Fixture.message("12345678901"), now: fixture.now, into: &output)
        }
        try fixture.session.send(long, now: fixture.now, into: &output)
        #expect(throws: EndpointSession.SendRefusal.queueFull) {
            try fixture.session.send(long, now: fixture.now, into: &output)
        }
        try fixture.session.send(short, now: fixture.now, into: &output)
        #expect(fixture.registerShared(7))
        #expect(!fixture.registerShared(8))
        #expect(throws: EndpointSession.SendRefusal.tooManyOutstanding) {
            try fixture.session.send(short, now: fixture.now, into: &output)
        }
        #expect(!fixture.session.hasChunks)
    }

    @Test("RFC 7701 section 7: a NICKNAME's answer comes up")
    func nickname() throws {
        let fixture = try Fixture()
        let output = try fixture.written {
            _ = try $0.request("NICKNAME", headers: [("Use-Nickname", "\"Al\"")], now: $1, into: &$2)
        }
        #expect(
            output
                == "MSRP 00000000000000a0 NICKNAME\r\n\(Self.paths)Use-Nickname: \"Al\"\r\n-------00000000000000a0$\r\n"
        )
        // The fast path must not swallow it, whatever it looks like.
        _ = try fixture.receive(Fixture.theirAnswer("200 OK", id: 0xFFFF))
        guard case .response(_, .ok)? = try fixture.receive(Fixture.theirAnswer("200 OK", id: 0xA0)).events.first else {
            Issue.record("no answer")
            return
        }
    }
}

@Suite("Session: answers to shared messages")
struct SharedMessageTests {
    typealias Fixture = SessionFixture

    @Test("one tail serves all receivers, and each copy is a SEND without report fields")
    func frames() throws {
        let fixture = try Fixture()
        let tail = Frame.sharedTail(
            id: 0xBEEF, messageID: MessageID(1), contentType: "message/cpim", body: ByteBuffer(string: "body"))
        var output = ByteBuffer()
        Frame.writeSharedHead(id: 0xBEEF, sendLines: fixture.session.sendLines, into: &output)
        output.writeImmutableBuffer(tail)
        #expect(
            String(buffer: output)
                == """
                MSRP 000000000000beef SEND
                To-Path: \(Fixture.theirs)
                From-Path: \(Fixture.ours)
                Message-ID: 0000000000000001
                Byte-Range: 1-4/4
                Content-Type: message/cpim

                body
                -------000000000000beef$

                """.crlf)
    }

    @Test("the first 200 is parsed, the next ones are taken from the raw bytes")
    func fastPath() throws {
        let fixture = try Fixture()
        for id: UInt64 in 1...4 { #expect(fixture.registerShared(id)) }
        let answers = (1...4).map { Fixture.theirAnswer("200 OK", id: $0) }
        #expect(fixture.consume(answers.joined().utf8).taken == 0)
        _ = try fixture.receive(answers[0])
        #expect(fixture.consume((answers[1...].joined() + "MSRP").utf8) == (3, 4))
        #expect(fixture.session.outstanding == 0)
    }

    @Test("the fast path takes only what is there whole and exactly as learnt")
    func fastPathCuts() throws {
        let template = try Fixture()
        for id: UInt64 in 1...3 { _ = template.registerShared(id) }
        _ = try template.receive(Fixture.theirAnswer("200 OK", id: 1))
        let second = Array(Fixture.theirAnswer("200 OK", id: 2).utf8)
        let session = template.session
        for size in 0..<second.count {
            template.session = session
            #expect(template.consume(second[..<size]) == (0, size))
            // One octet of it changed.
            var bytes = second
            bytes[size] ^= 1
            #expect(template.consume(bytes) == (0, bytes.count))
        }
        // Out of turn: the slow path's work.
        let third = Fixture.theirAnswer("200 OK", id: 3)
        #expect(template.consume(third.utf8).taken == 0)
        _ = try template.receive(third)
        #expect(template.consume(second) == (1, 0))
        #expect(template.session.outstanding == 0)
    }

    @Test("answers in any order empty the ring, unknown and repeated ones are ignored")
    func anyOrder() throws {
        let fixture = try Fixture()
        var waiting: [UInt64] = []
        var random = SystemRandomNumberGenerator()
        var next: UInt64 = 1
        for _ in 0..<500 {
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                #expect(fixture.registerShared(next))
                waiting.append(next)
                next += 1
            }
            for _ in 0..<Int.random(in: 0...4, using: &random) where !waiting.isEmpty {
                let id = waiting.remove(at: Int.random(in: waiting.indices, using: &random))
                _ = try fixture.receive(Fixture.theirAnswer("200 OK", id: id))
                _ = try fixture.receive(Fixture.theirAnswer("200 OK", id: id))
            }
        }
        #expect(fixture.expire(after: .seconds(30)).timedOut == waiting)
        #expect(fixture.session.outstanding == 0)
    }

    @Test("a refusal of a shared message comes up")
    func refused() throws {
        let fixture = try Fixture()
        _ = fixture.registerShared(1)
        guard case .response(_, .stopSending)? = try fixture.receive(Fixture.theirAnswer("413 No", id: 1)).events.first
        else {
            Issue.record("no event")
            return
        }
    }

    @Test("RFC 4975 section 5.4: a request for nobody's session is refused with its paths turned round")
    func refusals() throws {
        var output = ByteBuffer()
        let head = try Wire.head(Fixture.send("x"))
        #expect(Frame.writeRefusal(of: head, status: .sessionInUse, into: &output))
        #expect(String(buffer: output) == Fixture.answer("506 Session Already In Use"))
        for text in [
            Fixture.send("x", fields: "Failure-Report: no\r\n"), Fixture.theirAnswer("200 OK", id: 1),
            Fixture.send("x", from: "nonsense"), Fixture.send(nil).replacing(" SEND", with: " REPORT"),
        ] {
            output.clear()
            #expect(!Frame.writeRefusal(of: try Wire.head(text), status: .noSuchSession, into: &output))
            #expect(output.readableBytes == 0)
        }
    }
}
