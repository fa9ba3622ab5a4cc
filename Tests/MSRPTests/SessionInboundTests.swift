import MSRP
import NIOCore
import Testing

@Suite("Session: what comes in")
struct SessionInboundTests {
    typealias Fixture = SessionFixture

    @Test(
        "RFC 4975 section 7.3.1: a whole message is handed up and answered",
        arguments: [
            "1-5/5", "1-*/*", "1-*/5", "1-999/1000", nil,
        ])
    func wholeMessage(range: String?) throws {
        let fixture = try Fixture()
        let (bodies, output) = try fixture.take(Fixture.send("hello", range: range))
        #expect(bodies == ["hello"])
        #expect(output == Fixture.answer("200 OK"))
    }

    @Test("RFC 4975 section 7.1: a body without octets is a message, no body is not")
    func emptyBody() throws {
        let fixture = try Fixture()
        #expect(try fixture.take(Fixture.send("")).bodies == [""])
        let (events, output) = try fixture.receive(Fixture.send(nil, range: "1-0/0", fields: "Keep-Alive: yes\r\n"))
        guard case .empty(let head)? = events.first else {
            Issue.record("no bind")
            return
        }
        #expect(head.value("Keep-Alive") == "yes")
        #expect(output == Fixture.answer("200 OK"))
    }

    @Test("RFC 4975 section 7.2: Failure-Report no is never answered, partial only when refused")
    func failureReport() throws {
        let fixture = try Fixture()
        #expect(try fixture.take(Fixture.send("a", fields: "Failure-Report: no\r\n")).output == "")
        #expect(try fixture.take(Fixture.send("a", fields: "Failure-Report: partial\r\n")).output == "")
        #expect(
            try fixture.take(Fixture.send("a", fields: "Failure-Report: yes\r\n")).output == Fixture.answer("200 OK"))
        let wrong = "msrp://mixer.example.com:2855/other;tcp"
        #expect(try fixture.receive(Fixture.send("a", fields: "Failure-Report: no\r\n", to: wrong)).output == "")
        #expect(
            try fixture.receive(Fixture.send("a", fields: "Failure-Report: partial\r\n", to: wrong)).output
                == Fixture.answer("481 No Such Session"))
    }

    @Test("RFC 4975 section 7.1.3: Success-Report yes gets a REPORT on the whole message, along the full path")
    func successReport() throws {
        let fixture = try Fixture()
        let from = "msrp://relay.example.com:1/r;tcp \(Fixture.theirs)"
        let (_, output) = try fixture.take(Fixture.send("hello", fields: "Success-Report: yes\r\n", from: from))
        #expect(
            output == Fixture.answer("200 OK", to: "msrp://relay.example.com:1/r;tcp")
                + """
                MSRP 00000000000000a0 REPORT
                To-Path: \(from)
                From-Path: \(Fixture.ours)
                Message-ID: m1
                Byte-Range: 1-5/5
                Status: 000 200 OK
                -------00000000000000a0$

                """.crlf)
    }

    @Test(
        "RFC 4975 section 7.1.4: a failure report obeys Failure-Report",
        arguments: [
            ("", true), ("Failure-Report: yes\r\n", true), ("Failure-Report: partial\r\n", true),
            ("Failure-Report: no\r\n", false),
        ])
    func failureReports(fields: String, due: Bool) throws {
        let fixture = try Fixture()
        let events = try fixture.receive(Fixture.send("hello", fields: fields)).events
        guard case .message(let message, _)? = events.first else {
            Issue.record("no message")
            return
        }
        let output = fixture.written { $0.report(on: message, .forbidden, into: &$2) }
        #expect(output.contains("Status: 000 403 Forbidden\r\n") == due)
        #expect(output.contains("Byte-Range: 1-5/5\r\n") == due)
    }

    @Test(
        "RFC 4975 section 7.3: requests for another session, or a longer path, get 481",
        arguments: [
            "msrp://mixer.example.com:2855/OURS;tcp", "msrp://mixer.example.com:2855;tcp",
            "\(SessionFixture.ours) msrp://x:1/y;tcp",
        ])
    func otherSession(to: String) throws {
        let fixture = try Fixture()
        let (events, output) = try fixture.receive(Fixture.send("a", to: to))
        #expect(output == Fixture.answer("481 No Such Session"))
        guard case .refused(_, .noSuchSession)? = events.first else {
            Issue.record("not refused")
            return
        }
    }

    @Test("a path rewritten on the way is known by its session-id")
    func rewrittenPath() throws {
        let fixture = try Fixture()
        #expect(try fixture.take(Fixture.send("a", to: "msrps://198.51.100.7:9/nat/ours;tcp")).bodies == ["a"])
    }

    @Test(
        "RFC 4975 section 10.2: what cannot be understood gets 400",
        arguments: [
            SessionFixture.send("a", messageID: nil), SessionFixture.send(nil, messageID: nil),
            SessionFixture.send("a", range: "0-1/1"), SessionFixture.send("a", range: "1-2/99999999999999999999"),
            SessionFixture.send("a", fields: "no colon\r\n"), SessionFixture.send("a", fields: " folded\r\n"),
            SessionFixture.send("a", type: nil), SessionFixture.send("a", to: "nonsense"),
            SessionFixture.send("a", from: "nonsense"), SessionFixture.send("a", messageID: "m 1"),
        ])
    func badRequests(text: String) throws {
        let fixture = try Fixture()
        let (events, output) = try fixture.receive(text + Fixture.send("next", id: "t2", messageID: "m2"))
        #expect(events.count == 2)
        guard case .refused(_, .badRequest)? = events.first, case .message? = events.last else {
            Issue.record("not refused")
            return
        }
        #expect(output == Fixture.answer("400 Bad Request"))
    }

    @Test("an empty SEND that has a blank line all the same is still empty")
    func blankLine() throws {
        let fixture = try Fixture()
        let text = Fixture.send(nil, range: "1-0/0").replacing("-------t1", with: "\r\n-------t1")
        guard case .empty? = try fixture.receive(text).events.first else {
            Issue.record("not empty")
            return
        }
    }

    @Test("RFC 4975 section 7.3.1: unsupported media types get 415")
    func mediaTypes() throws {
        let fixture = try Fixture(.init(acceptTypes: AcceptTypes(["message/cpim"])))
        #expect(try fixture.receive(Fixture.send("a")).output == Fixture.answer("415 Unsupported Media Type"))
        #expect(try fixture.take(Fixture.send("a", messageID: "m2", type: "message/CPIM; x=y")).bodies == ["a"])
    }

    @Test("RFC 4975 section 10.9: methods nobody knows get 501, those asked for come up")
    func methods() throws {
        let fixture = try Fixture()
        func request(_ method: String) -> String {
            "MSRP t1 \(method)\r\nTo-Path: \(Fixture.ours)\r\nFrom-Path: msrp://r:1/x;tcp \(Fixture.theirs)\r\n"
                + "Use-Nickname: \"Al\"\r\n-------t1$\r\n"
        }
        // Answers to other methods than SEND go back along the full path (RFC 4975 section 7.2).
        let back = "msrp://r:1/x;tcp \(Fixture.theirs)"
        for method in ["AUTH", "NONSENSE", "FILE_OFFSET"] {
            #expect(try fixture.receive(request(method)).output == Fixture.answer("501 Unknown Method", to: back))
        }
        let (events, output) = try fixture.receive(request("NICKNAME"))
        guard case .request(let head, let body, let pending)? = events.first else {
            Issue.record("no request")
            return
        }
        #expect(output == "")
        #expect(head.useNickname == "\"Al\"")
        #expect(body.readableBytes == 0)
        let answer = fixture.written { session, _, output in
            session.respond(pending, .nicknameUnavailable, headers: [("X-Why", "taken\r\nEvil: 1")], into: &output)
        }
        #expect(
            answer
                == "MSRP t1 425 Nickname Reserved Or Already In Use\r\nTo-Path: \(back)\r\nFrom-Path: \(Fixture.ours)\r\n"
                + "X-Why: taken  Evil: 1\r\n-------t1$\r\n")
    }

    @Test("RFC 4975 section 7.1: the body of a request that is no SEND is bounded")
    func requestBody() throws {
        let fixture = try Fixture()
        let text = Fixture.send(String(repeating: "x", count: 10_241)).replacing(" SEND", with: " NICKNAME")
        #expect(try fixture.receive(text).output == Fixture.answer("413 Stop Sending"))
    }

    @Test("RFC 4975 section 7.1.2: a REPORT comes up and is never answered")
    func reports() throws {
        let fixture = try Fixture()
        func report(_ fields: String, to: String = Fixture.ours) -> String {
            "MSRP t1 REPORT\r\nTo-Path: \(to)\r\nFrom-Path: \(Fixture.theirs)\r\n\(fields)-------t1$\r\n"
        }
        let (events, output) = try fixture.receive(
            report("Message-ID: m9\r\nByte-Range: 1-5/5\r\nStatus: 000 413 Stop it\r\n"))
        guard case .report(let value)? = events.first else {
            Issue.record("no report")
            return
        }
        #expect(
            value
                == Report(
                    messageID: try #require(MessageID("m9")), namespace: 0, status: .stopSending,
                    byteRange: ByteRange(start: 1, end: 5, total: 5)))
        #expect(output == "")
        for text in [
            report(""), report("Message-ID: m9\r\n"), report("Message-ID: m9\r\nStatus: 000\r\n"),
            report("Message-ID: m9\r\nStatus: 0000 200\r\n"), report("folded\r\n"),
            report("Message-ID: m9\r\nStatus: 000 200\r\n", to: "msrp://a:1/no;tcp"),
        ] {
            let (events, output) = try fixture.receive(text)
            #expect(events.isEmpty && output == "")
        }
    }
}

@Suite("Session: messages in chunks")
struct SessionChunkTests {
    typealias Fixture = SessionFixture

    /// RFC 4975 section 5.1, figure 3.
    @Test("RFC 4975 section 5.1: chunks are put together, each with its own answer")
    func twoChunks() throws {
        let fixture = try Fixture()
        let first = Fixture.send("abcd", range: "1-*/8", flag: "+")
        let second = Fixture.send("EFGH", id: "t2", range: "5-8/8")
        #expect(try fixture.take(first).output == Fixture.answer("200 OK"))
        let (bodies, output) = try fixture.take(second)
        #expect(bodies == ["abcdEFGH"])
        #expect(output == Fixture.answer("200 OK", id: "t2"))
    }

    @Test("RFC 4975 section 7.3.1: chunks may come in any order, and the one with $ tells the size")
    func anyOrder() throws {
        let chunks = [("ab", "1-*/*", "+"), ("cd", "3-*/*", "+"), ("efg", "5-*/*", "$")]
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let fixture = try Fixture()
            var bodies: [String] = []
            for index in order {
                #expect(bodies.isEmpty)
                let (body, range, flag) = chunks[index]
                let (taken, output) = try fixture.take(Fixture.send(body, range: range, flag: flag))
                #expect(output == Fixture.answer("200 OK"))
                bodies += taken
            }
            #expect(bodies == ["abcdefg"], "\(order)")
        }
    }

    @Test("RFC 4975 section 7.3.1: where chunks overlap the last one wins")
    func overlap() throws {
        let fixture = try Fixture()
        _ = try fixture.take(Fixture.send("abcdef", flag: "+"))
        _ = try fixture.take(Fixture.send("XY", range: "3-*/*", flag: "+"))
        _ = try fixture.take(Fixture.send("ijkl", range: "9-*/*", flag: "+"))
        #expect(try fixture.take(Fixture.send("FGHIJ", range: "6-*/*", flag: "+")).bodies == [])
        #expect(try fixture.take(Fixture.send("M", range: "13-*/*")).bodies == ["abXYeFGHIJklM"])
    }

    @Test("RFC 4975 section 7.3.1: a chunk's length is that of its body, not of its Byte-Range")
    func lyingRange() throws {
        let fixture = try Fixture()
        _ = try fixture.take(Fixture.send("abc", range: "1-100/200", flag: "+"))
        #expect(try fixture.take(Fixture.send("def", range: "4-6/6")).bodies == ["abcdef"])
    }

    @Test("RFC 4975 section 7.1: an aborted message is forgotten")
    func aborted() throws {
        let fixture = try Fixture()
        _ = try fixture.take(Fixture.send("abc", flag: "+"))
        let (events, output) = try fixture.receive(Fixture.send("de", range: "4-*/*", flag: "#"))
        guard case .aborted(let id)? = events.first else {
            Issue.record("not aborted")
            return
        }
        #expect(id.string == "m1")
        #expect(output == Fixture.answer("200 OK"))
        #expect(try fixture.take(Fixture.send("f", range: "6-*/*")).bodies == [])
    }

    @Test("RFC 4975 section 5.1: messages may be interleaved")
    func interleaved() throws {
        let fixture = try Fixture()
        _ = try fixture.take(Fixture.send("ab", messageID: "a", flag: "+"))
        _ = try fixture.take(Fixture.send("12", messageID: "b", flag: "+"))
        #expect(try fixture.take(Fixture.send("short", messageID: "c")).bodies == ["short"])
        #expect(try fixture.take(Fixture.send("34", messageID: "b", range: "3-*/*")).bodies == ["1234"])
        #expect(try fixture.take(Fixture.send("cd", messageID: "a", range: "3-*/*")).bodies == ["abcd"])
    }

    @Test(
        "RFC 4975 section 10.5: a message that is too long gets 413 at once, and so do its further chunks",
        arguments: [
            ("a", "1-*/11"), ("a", "12-*/*"), ("aaaaaaaaaaa", "1-*/*"), ("aa", "10-*/*"),
            ("a", "18446744073709551615-*/*"),
            ("a", "1-18446744073709551615/18446744073709551615"),
        ])
    func tooLong(body: String, range: String) throws {
        let fixture = try Fixture(.init(maxMessageSize: 10))
        let head = Fixture.send(body, range: range, flag: "+")
        #expect(try fixture.take(head + Fixture.send("ok", id: "t2", messageID: "m2")).bodies == ["ok"])
        let (events, output) = try fixture.receive(Fixture.send("b", id: "t3", range: "2-*/*"))
        #expect(events.count == 1)
        #expect(output == Fixture.answer("413 Stop Sending", id: "t3"))
    }

    @Test("the 413 is written in the middle of the chunk that grows too long")
    func tooLongAtOnce() throws {
        let fixture = try Fixture(.init(maxMessageSize: 10))
        var output = ByteBuffer()
        for part in try Wire.parts(Fixture.send("aaaaaaaaaaa")).dropLast() {
            _ = fixture.session.receive(part, now: fixture.now, into: &output)
        }
        #expect(String(buffer: output) == Fixture.answer("413 Stop Sending"))
    }

    @Test("messages in reassembly, their octets and their gaps are bounded")
    func bounds() throws {
        let fixture = try Fixture(
            .init(maxMessageSize: 100, maxMessagesInReassembly: 2, maxReassemblyBytes: 12, maxGapsInMessage: 3))
        _ = try fixture.take(Fixture.send("a", messageID: "1", flag: "+"))
        _ = try fixture.take(Fixture.send("a", messageID: "2", flag: "+"))
        #expect(try fixture.receive(Fixture.send("a", messageID: "3")).output == Fixture.answer("413 Stop Sending"))
        #expect(
            try fixture.receive(Fixture.send("0123456789ab", messageID: "1", range: "2-*/*", flag: "+")).output
                == Fixture.answer("413 Stop Sending"))
        for start in [3, 5, 7] {
            #expect(
                try fixture.take(Fixture.send("x", messageID: "2", range: "\(start)-*/*", flag: "+")).output
                    == Fixture.answer("200 OK"))
        }
        #expect(
            try fixture.receive(Fixture.send("x", messageID: "2", range: "9-*/*", flag: "+")).output
                == Fixture.answer("413 Stop Sending"))
        #expect(try fixture.take(Fixture.send("0123456789ab", messageID: "4")).bodies == ["0123456789ab"])
    }

    @Test("a message whose chunks stop coming is dropped after a while")
    func stale() throws {
        let fixture = try Fixture(.init(reassemblyTimeout: .seconds(60)))
        _ = try fixture.take(Fixture.send("a", flag: "+"))
        fixture.now = fixture.now + .seconds(60)
        #expect(fixture.expire().abandoned.isEmpty)
        fixture.now = fixture.now + .seconds(1)
        #expect(fixture.expire().abandoned.map(\.string) == ["m1"])
        #expect(try fixture.take(Fixture.send("b", range: "2-*/*")).bodies == [])
    }

    @Test("a last chunk without octets or blank line still ends its message")
    func emptyLastChunk() throws {
        let fixture = try Fixture()
        _ = try fixture.take(Fixture.send("abc", range: "1-*/3", flag: "+"))
        #expect(try fixture.take(Fixture.send(nil, id: "t2", range: "4-3/3")).bodies == ["abc"])
    }

    @Test("what a session takes and answers does not depend on where the bytes were cut")
    func cuts() throws {
        let wrong = "msrp://mixer.example.com:2855/other;tcp"
        let stream = Array(
            [
                Fixture.send(nil, range: "1-0/0"), Fixture.send("ab", id: "t2", range: "1-*/4", flag: "+"),
                Fixture.send("-------t3", id: "t3", messageID: "m2", fields: "Success-Report: yes\r\n"),
                Fixture.send("x", id: "t4", to: wrong), Fixture.send("cd", id: "t5", range: "3-*/4"),
                Fixture.send("gone", id: "t6", flag: "#"),
            ].joined().utf8)
        func run(_ pieces: [[UInt8]]) throws -> (bodies: [String], output: String) {
            let fixture = try Fixture()
            var parser = PartParser()
            var buffer = ByteBuffer()
            var output = ByteBuffer()
            var bodies: [String] = []
            for piece in pieces {
                buffer.writeBytes(piece)
                while let part = try parser.next(&buffer) {
                    let event = fixture.session.receive(part, now: fixture.now, into: &output)
                    guard case .message(let message, let pending)? = event else { continue }
                    bodies.append(String(buffer: message.body))
                    fixture.session.respond(pending, .ok, into: &output)
                    fixture.session.report(on: message, .ok, into: &output)
                }
            }
            return (bodies, String(buffer: output))
        }
        let whole = try run([stream])
        #expect(whole.bodies == ["-------t3", "abcd"])
        for cut in Wire.cuts(stream) { #expect(try run(cut) == whole) }
        #expect(try run(stream.map { [$0] }) == whole)
    }
}
