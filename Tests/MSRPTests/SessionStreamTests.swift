import MSRP
import NIOCore
import Testing

@Suite("Session: large messages come up as they arrive (RFC 7701 section 6.1)")
struct SessionStreamTests {
    typealias Fixture = SessionFixture

    private static func configuration(
        above: Int = 10, size: Int = 100, held: Int? = nil, streams: Int = 2
    ) -> EndpointSession.Configuration {
        .init(
            maxMessageSize: size, maxReassemblyBytes: held, reassemblyTimeout: .seconds(20), streamAbove: above,
            maxStreams: streams, chunkReceptionTime: .seconds(540))
    }

    /// What comes up, in words; a message or stream that ended is answered with 200 and reported on.
    private func words(_ fixture: Fixture, _ text: String) throws -> (words: [String], output: String) {
        var output = ByteBuffer()
        var words: [String] = []
        for part in try Wire.parts(text) {
            switch fixture.session.receive(part, now: fixture.now, into: &output) {
            case .streamBegan(let stream, let octets):
                let total = stream.total.map { "\($0)" } ?? "*"
                words.append("\(stream.messageID) began /\(total) \(stream.contentType): \(String(buffer: octets))")
            case .streamOctets(let id, let octets): words.append("\(id): \(String(buffer: octets))")
            case .streamChunkEnded(let id): words.append("\(id) +")
            case .streamEnded(let id, .complete(let pending)):
                fixture.session.respond(pending, .ok, into: &output)
                words.append("\(id) complete")
            case .streamEnded(let id, .aborted): words.append("\(id) aborted")
            case .streamEnded(let id, .refused(let status)): words.append("\(id) refused \(status.code)")
            case .message(let message, let pending):
                fixture.session.respond(pending, .ok, into: &output)
                words.append("\(message.messageID) whole: \(String(buffer: message.body))")
            case .refused(_, let status): words.append("refused \(status.code)")
            case .aborted(let id): words.append("\(id) given up")
            case .empty, .request, .report, .response, nil: break
            }
        }
        return (words, String(buffer: output))
    }

    @Test("a message whose total is above the threshold comes up with its first octets, before its end")
    func declared() throws {
        let fixture = try Fixture(Self.configuration())
        let text = Fixture.send("hello world, hello", range: "1-*/18")
        let early = try words(fixture, text.replacing(", hello\r\n-------t1$\r\n", with: ""))
        #expect(early.words == ["m1 began /18 text/plain: hello world"])
        #expect(early.output == "")
        let other = try Fixture(Self.configuration())
        let (all, output) = try words(other, text)
        #expect(all == ["m1 began /18 text/plain: hello world, hello", "m1 complete"])
        #expect(output == Fixture.answer("200 OK"))
    }

    @Test("a message up to the threshold comes up whole")
    func small() throws {
        let fixture = try Fixture(Self.configuration())
        #expect(try words(fixture, Fixture.send("0123456789", range: "1-*/10")).words == ["m1 whole: 0123456789"])
    }

    @Test("a message of unknown size comes up once it has grown above the threshold")
    func grown() throws {
        let fixture = try Fixture(Self.configuration())
        let (first, output) = try words(fixture, Fixture.send("012345", range: "1-*/*", flag: "+"))
        #expect(first == [])
        #expect(output == Fixture.answer("200 OK"))
        let next = try words(fixture, Fixture.send("6789AB", id: "t2", range: "7-*/*", flag: "+"))
        #expect(next.words == ["m1 began /* text/plain: 0123456789AB", "m1 +"])
        #expect(next.output == Fixture.answer("200 OK", id: "t2"))
        #expect(fixture.session.heldBytes == 0)
        let last = try words(fixture, Fixture.send("CD", id: "t3", range: "13-*/*"))
        #expect(last.words == ["m1: CD", "m1 complete"])
        #expect(last.output == Fixture.answer("200 OK", id: "t3"))
        #expect(fixture.session.streams == 0)
    }

    @Test("RFC 4975 section 7.3.1: chunks out of order and overlapping come up in order, each octet once")
    func disorder() throws {
        let fixture = try Fixture(Self.configuration())
        func chunk(_ body: String, _ range: String, _ flag: String = "+") throws -> [String] {
            let (words, output) = try words(fixture, Fixture.send(body, range: range, flag: flag))
            #expect(output == Fixture.answer("200 OK"))
            return words
        }
        #expect(try chunk("klmno", "11-*/20") == [])
        #expect(try chunk("pqrst", "16-*/20", "$") == [])
        #expect(fixture.session.heldBytes == 10)
        #expect(try chunk("abcde", "1-*/20") == ["m1 began /20 text/plain: abcde", "m1 +"])
        // Octets that were handed up stay as they were, whatever comes in their place.
        #expect(try chunk("XXXfgh", "3-*/20") == ["m1: fgh", "m1 +"])
        #expect(try chunk("XXXXXXijK", "3-*/20") == ["m1: ijKlmnopqrst", "m1 complete"])
        #expect(fixture.session.heldBytes == 0)
    }

    @Test("what is missing holds up what is behind it, and comes up with it in one go")
    func gap() throws {
        let fixture = try Fixture(Self.configuration())
        #expect(
            try words(fixture, Fixture.send("abc", range: "1-*/12", flag: "+")).words
                == ["m1 began /12 text/plain: abc", "m1 +"])
        #expect(try words(fixture, Fixture.send("ghi", range: "7-*/12", flag: "+")).words == ["m1 +"])
        #expect(try words(fixture, Fixture.send("jkl", range: "10-*/12")).words == ["m1 +"])
        #expect(fixture.session.heldBytes == 6)
        #expect(
            try words(fixture, Fixture.send("abcdefg", range: "1-*/12", flag: "+")).words
                == ["m1: defghijkl", "m1 complete"])
        #expect(fixture.session.heldBytes == 0)
    }

    @Test("what waits behind a gap is bounded, and the stream ends there with 413")
    func heldIsBounded() throws {
        let fixture = try Fixture(Self.configuration(held: 8))
        _ = try words(fixture, Fixture.send("abc", range: "1-*/50", flag: "+"))
        let (words, output) = try words(fixture, Fixture.send("0123456789", id: "t2", range: "20-*/50", flag: "+"))
        #expect(words == ["m1 refused 413"])
        #expect(output == Fixture.answer("413 Stop Sending", id: "t2"))
        #expect(fixture.session.heldBytes == 0)
        #expect(fixture.session.streams == 0)
    }

    @Test("other messages come between the chunks, and streams beside each other")
    func interleaved() throws {
        let fixture = try Fixture(Self.configuration())
        let text =
            Fixture.send("aaaaaa", id: "t1", messageID: "A", range: "1-*/12", flag: "+")
            + Fixture.send("small", id: "t2", messageID: "S", range: "1-5/5")
            + Fixture.send("bbbbbb", id: "t3", messageID: "B", range: "1-*/12", flag: "+")
            + Fixture.send("AAAAAA", id: "t4", messageID: "A", range: "7-*/12")
            + Fixture.send("BBBBBB", id: "t5", messageID: "B", range: "7-*/12")
        let (words, output) = try words(fixture, text)
        #expect(
            words == [
                "A began /12 text/plain: aaaaaa", "A +", "S whole: small", "B began /12 text/plain: bbbbbb", "B +",
                "A: AAAAAA", "A complete", "B: BBBBBB", "B complete",
            ])
        #expect(output == (1...5).map { Fixture.answer("200 OK", id: "t\($0)") }.joined())
    }

    @Test("more streams at a time than configured get 413; when one has ended another may begin")
    func tooMany() throws {
        let fixture = try Fixture(Self.configuration(streams: 1))
        _ = try words(fixture, Fixture.send("aaaaaa", messageID: "A", range: "1-*/12", flag: "+"))
        let (refused, output) = try words(fixture, Fixture.send("bbbbbb", messageID: "B", range: "1-*/12", flag: "+"))
        #expect(refused == ["refused 413"])
        #expect(output == Fixture.answer("413 Stop Sending"))
        #expect(
            try words(fixture, Fixture.send("0123456789X", messageID: "C", range: "1-*/*", flag: "+")).words
                == ["refused 413"])
        #expect(try words(fixture, Fixture.send("AAAAAA", messageID: "A", range: "7-*/12")).words.last == "A complete")
        #expect(
            try words(fixture, Fixture.send("dddddd", messageID: "D", range: "1-*/12", flag: "+")).words.first
                == "D began /12 text/plain: dddddd")
    }

    @Test("above the largest message size a stream gets 413, declared or not")
    func tooLarge() throws {
        let fixture = try Fixture(Self.configuration(size: 20))
        #expect(try words(fixture, Fixture.send("abc", range: "1-*/21", flag: "+")).words == ["refused 413"])
        _ = try words(fixture, Fixture.send("0123456789abcdef", messageID: "m2", range: "1-*/*", flag: "+"))
        let (ended, output) = try words(fixture, Fixture.send("12345", messageID: "m2", range: "17-*/*", flag: "+"))
        #expect(ended == ["m2 refused 413"])
        #expect(output == Fixture.answer("413 Stop Sending"))
    }

    @Test("octets beyond the declared size are refused with 400")
    func beyondTotal() throws {
        let fixture = try Fixture(Self.configuration())
        _ = try words(fixture, Fixture.send("0123456", range: "1-*/12", flag: "+"))
        let (ended, output) = try words(fixture, Fixture.send("789abc", range: "8-*/12", flag: "$"))
        #expect(ended == ["m1 refused 400"])
        #expect(output == Fixture.answer("400 Bad Request"))
    }

    @Test("RFC 4975 section 7.1: `$` before the declared size ends the message there")
    func shorter() throws {
        let fixture = try Fixture(Self.configuration(size: 10_000))
        #expect(
            try words(fixture, Fixture.send("short", range: "1-*/5000")).words
                == ["m1 began /5000 text/plain: short", "m1 complete"])
    }

    @Test("RFC 4975 section 7.1: `#` ends it, in a chunk with octets or without, and is answered 200")
    func aborted() throws {
        for end in [
            Fixture.send("xyz", id: "t2", range: "7-*/12", flag: "#"),
            Fixture.send("", id: "t2", range: "7-6/12", flag: "#"),
            Fixture.send(nil, id: "t2", range: "7-6/12", flag: "#"),
            Fixture.send(nil, id: "t2", range: nil, flag: "#"),
        ] {
            let fixture = try Fixture(Self.configuration())
            _ = try words(fixture, Fixture.send("abcdef", range: "1-*/12", flag: "+"))
            let (ended, output) = try words(fixture, end)
            #expect(ended.last == "m1 aborted")
            #expect(output == Fixture.answer("200 OK", id: "t2"))
            #expect(fixture.session.streams == 0)
        }
    }

    @Test("the owner refuses: the chunk under way gets its status at once, later ones 413")
    func refusedByOwner() throws {
        let fixture = try Fixture(Self.configuration())
        var output = ByteBuffer()
        let parts = try Wire.parts(Fixture.send("abcdef", range: "1-*/12", flag: "+"))
        for part in parts {
            if case .streamBegan(let stream, _)? = fixture.session.receive(part, now: fixture.now, into: &output) {
                fixture.session.refuseStream(stream.messageID, .forbidden, into: &output)
                #expect(String(buffer: output) == Fixture.answer("403 Forbidden"))
            }
        }
        #expect(String(buffer: output) == Fixture.answer("403 Forbidden"))
        let later = try words(fixture, Fixture.send("ghi", id: "t2", range: "7-*/12", flag: "+"))
        #expect(later.words == ["refused 413"])
        #expect(later.output == Fixture.answer("413 Stop Sending", id: "t2"))
    }

    @Test("between two chunks a refusal writes nothing; the next chunk gets 413")
    func refusedBetween() throws {
        let fixture = try Fixture(Self.configuration())
        _ = try words(fixture, Fixture.send("abcdef", range: "1-*/12", flag: "+"))
        let id = try #require(MessageID("m1"))
        #expect(fixture.written { session, _, output in session.refuseStream(id, .forbidden, into: &output) } == "")
        #expect(
            try words(fixture, Fixture.send("ghi", range: "7-*/12", flag: "+")).output
                == Fixture.answer("413 Stop Sending"))
    }

    @Test("RFC 7701 section 6.1: the chunk reception timer starts again with each chunk; afterwards 413")
    func timer() throws {
        let fixture = try Fixture(Self.configuration())
        _ = try words(fixture, Fixture.send("abc", range: "1-*/12", flag: "+"))
        fixture.now = fixture.now + .seconds(539)
        #expect(fixture.expireStreams() == [])
        // The timer of messages that are put together is another one.
        #expect(fixture.expire().abandoned == [])
        _ = try words(fixture, Fixture.send("def", range: "4-*/12", flag: "+"))
        fixture.now = fixture.now + .seconds(540)
        #expect(fixture.expireStreams() == [])
        fixture.now = fixture.now + .seconds(1)
        #expect(fixture.expireStreams() == ["m1"])
        #expect(
            try words(fixture, Fixture.send("ghi", range: "7-*/12", flag: "+")).output
                == Fixture.answer("413 Stop Sending"))
    }

    @Test("chunks of a large message whose beginning is missing wait as long as those of any other")
    func timerWithoutBeginning() throws {
        let fixture = try Fixture(Self.configuration())
        _ = try words(fixture, Fixture.send("def", range: "4-*/12", flag: "+"))
        fixture.now = fixture.now + .seconds(21)
        #expect(fixture.expireStreams() == [])
        #expect(fixture.expire().abandoned.map(\.string) == ["m1"])
        #expect(fixture.session.heldBytes == 0)
        #expect(fixture.session.streams == 0)
    }

    @Test("a success report names all octets of the stream (RFC 4975 section 7.1.3)")
    func report() throws {
        let fixture = try Fixture(Self.configuration())
        var stream: EndpointSession.IncomingStream?
        var output = ByteBuffer()
        for part in try Wire.parts(Fixture.send("hello world!", range: "1-*/12", fields: "Success-Report: yes\r\n")) {
            if case .streamBegan(let began, _)? = fixture.session.receive(part, now: fixture.now, into: &output) {
                stream = began
            }
        }
        let began = try #require(stream)
        let report = fixture.written { session, _, output in
            session.report(on: began, size: 12, .ok, into: &output)
        }
        #expect(report.contains("Byte-Range: 1-12/12\r\nStatus: 000 200 OK\r\n"))
    }

    @Test("the head of a shared chunk, and the chunk that gives a message up, to the octet")
    func frames() throws {
        let id = try #require(MessageID("out"))
        var chunk = ByteBuffer()
        Frame.beginSharedChunk(
            messageID: id, start: 65, end: nil, total: 200, contentType: "message/cpim", into: &chunk)
        chunk.writeString("octets")
        Frame.writeBodyEnd(id: 0xA0, .more, into: &chunk)
        #expect(
            String(buffer: chunk)
                == "Message-ID: out\r\nByte-Range: 65-*/200\r\nContent-Type: message/cpim\r\n\r\noctets\r\n"
                + "-------00000000000000a0+\r\n")
        let abort = Frame.sharedAbort(id: 0xA1, messageID: id, octets: 70, total: nil, contentType: "message/cpim")
        #expect(
            String(buffer: abort)
                == "Message-ID: out\r\nByte-Range: 71-70/*\r\nContent-Type: message/cpim\r\n\r\n\r\n"
                + "-------00000000000000a1#\r\n")
    }
}
