import MSRP
import NIOCore
import Testing

/// Every message printed in the RFCs. The Byte-Ranges printed there often do not fit the bodies; folded lines and
/// missing blank lines are artefacts of the printed page, and are what a server must survive.
struct CorpusCase: Sendable, CustomTestStringConvertible {
    let name: String
    let kind: String
    let defect: HeadDefect?
    /// Octets of body; nil for none.
    let body: Int?
    let flag: Continuation
    /// Whether the printed Byte-Range agrees with the body; nil where one is missing.
    let rangeFits: Bool?
    let messageID: String?

    init(
        _ name: String, _ kind: String, defect: HeadDefect?, body: Int?, _ flag: String, rangeFits: Bool?,
        messageID: String?
    ) {
        self.name = name
        self.kind = kind
        self.defect = defect
        self.body = body
        self.flag = flag == "+" ? .more : .complete
        self.rangeFits = rangeFits
        self.messageID = messageID
    }

    var testDescription: String { name }

    static let all: [CorpusCase] = [
        .init("rfc4975-01-SEND", "SEND", defect: nil, body: 23, "$", rangeFits: false, messageID: "87652491"),
        .init("rfc4975-02-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4975-03-SEND", "SEND", defect: nil, body: 4, "+", rangeFits: true, messageID: "4564dpWd"),
        .init("rfc4975-04-SEND", "SEND", defect: nil, body: 4, "$", rangeFits: true, messageID: "4564dpWd"),
        .init("rfc4975-05-SEND", "SEND", defect: nil, body: 14, "$", rangeFits: false, messageID: "12339sdqwer"),
        .init("rfc4975-06-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4975-07-SEND", "SEND", defect: nil, body: 20, "$", rangeFits: false, messageID: "456s9wlk3"),
        .init("rfc4975-08-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4975-09-SEND", "SEND", defect: .headerLine, body: nil, "$", rangeFits: nil, messageID: "456so39s"),
        .init("rfc4975-10-SEND", "SEND", defect: nil, body: 137, "+", rangeFits: true, messageID: "12339sdqwer"),
        .init("rfc4975-11-SEND", "SEND", defect: nil, body: 10, "$", rangeFits: false, messageID: "12339sdqwer"),
        .init("rfc4975-12-SEND", "SEND", defect: nil, body: 37, "$", rangeFits: false, messageID: "12339sdqwer"),
        .init("rfc4975-13-SEND", "SEND", defect: .headerLine, body: nil, "$", rangeFits: nil, messageID: "12339sdqwer"),
        .init("rfc4975-14-REPORT", "REPORT", defect: nil, body: nil, "$", rangeFits: nil, messageID: "12339sdqwer"),
        .init("rfc4976-01-SEND", "SEND", defect: .foldedLine, body: 39, "$", rangeFits: true, messageID: "87652"),
        .init("rfc4976-02-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: "87652"),
        .init("rfc4976-03-SEND", "SEND", defect: .foldedLine, body: 39, "$", rangeFits: true, messageID: "87652"),
        .init("rfc4976-04-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: "87652"),
        .init("rfc4976-05-SEND", "SEND", defect: .foldedLine, body: 39, "$", rangeFits: true, messageID: "87652"),
        .init("rfc4976-06-REPORT", "REPORT", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: "87652"),
        .init("rfc4976-07-REPORT", "REPORT", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: "87652"),
        .init("rfc4976-08-REPORT", "REPORT", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: "87652"),
        .init("rfc4976-09-AUTH", "AUTH", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-10-401", "401", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-11-AUTH", "AUTH", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-12-200", "200", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-13-AUTH", "AUTH", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-14-AUTH", "AUTH", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-15-401", "401", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-16-401", "401", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-17-AUTH", "AUTH", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-18-AUTH", "AUTH", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-19-200", "200", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc4976-20-200", "200", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc5547-01-SEND", "SEND", defect: nil, body: 338, "+", rangeFits: false, messageID: "12339sdqwer"),
        .init("rfc5547-02-SEND", "SEND", defect: nil, body: 45, "$", rangeFits: false, messageID: "12339sdqwer"),
        .init("rfc5547-03-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc5547-04-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc5547-05-SEND", "SEND", defect: nil, body: 437, "$", rangeFits: false, messageID: "12339sdqwer"),
        .init("rfc5547-06-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc5547-07-SEND", "SEND", defect: nil, body: 308, "+", rangeFits: false, messageID: "13449sdqwer"),
        .init("rfc5547-08-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7701-01-NICKNAME", "NICKNAME", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7701-02-425", "425", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7701-03-NICKNAME", "NICKNAME", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7701-04-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7701-05-SEND", "SEND", defect: nil, body: 187, "$", rangeFits: true, messageID: "99s9s2"),
        .init("rfc7701-06-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: "99s9s2"),
        .init("rfc7701-07-SEND", "SEND", defect: nil, body: 187, "$", rangeFits: true, messageID: "304sse2"),
        .init("rfc7701-08-SEND", "SEND", defect: nil, body: 133, "$", rangeFits: true, messageID: "okj3kw"),
        .init("rfc7701-09-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: "okj3kw"),
        .init("rfc7701-10-SEND", "SEND", defect: nil, body: 141, "$", rangeFits: true, messageID: "d9fghe982"),
        .init("rfc7701-11-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: "d9fghe982"),
        .init("rfc7701-12-SEND", "SEND", defect: nil, body: 56, "$", rangeFits: false, messageID: "aft4to"),
        .init("rfc7701-13-SEND", "SEND", defect: nil, body: 74, "$", rangeFits: false, messageID: "aft4to"),
        .init("rfc7977-01-AUTH", "AUTH", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-02-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-03-AUTH", "AUTH", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-04-401", "401", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-05-AUTH", "AUTH", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-06-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-07-SEND", "SEND", defect: .foldedLine, body: 39, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-08-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-09-SEND", "SEND", defect: .foldedLine, body: 39, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-10-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-11-SEND", "SEND", defect: .foldedLine, body: 20, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-12-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-13-SEND", "SEND", defect: .foldedLine, body: 20, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-14-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-15-SEND", "SEND", defect: .foldedLine, body: 31, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-16-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-17-SEND", "SEND", defect: .foldedLine, body: 31, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-18-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-19-SEND", "SEND", defect: .foldedLine, body: 46, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-20-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-21-SEND", "SEND", defect: .foldedLine, body: 46, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-22-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc7977-23-SEND", "SEND", defect: .foldedLine, body: 46, "$", rangeFits: true, messageID: "87652"),
        .init("rfc7977-24-200", "200", defect: nil, body: nil, "$", rangeFits: nil, messageID: nil),
        .init("rfc8591-01-SEND", "SEND", defect: .foldedLine, body: nil, "+", rangeFits: nil, messageID: "12339sdqwer"),
        .init("rfc8591-02-SEND", "SEND", defect: .foldedLine, body: nil, "$", rangeFits: nil, messageID: "12339sdqwer"),
    ]
}

@Suite("Messages printed in RFC 4975, 4976, 5547, 7701, 7977 and 8591")
struct CorpusTests {
    @Test("has the parts that the page shows", arguments: CorpusCase.all)
    func parts(expected: CorpusCase) throws {
        let bytes = try Wire.file(expected.name)
        let parts = try Wire.parts([bytes])
        guard case .head(let head)? = parts.first else {
            Issue.record("no head")
            return
        }
        #expect(head.methodName == expected.kind)
        #expect(head.defect == expected.defect)
        #expect(head.messageID?.string == expected.messageID)
        #expect(head.hasBody == (expected.body != nil))
        #expect(parts.last == .end(expected.flag))
        if let size = expected.body, size > 0 {
            #expect(parts.count == 3)
            #expect(parts[1].bodyText?.utf8.count == size)
        } else {
            #expect(parts.count == 2)
        }
        if let fits = expected.rangeFits, let size = expected.body, let range = head.byteRange {
            let last = range.start - 1 + UInt64(size)
            let known = range.end ?? (expected.flag == .complete ? range.total : nil) ?? last
            #expect((known == last) == fits)
        }
    }

    @Test("the table names every file")
    func complete() throws {
        #expect(try Wire.allFiles().count == CorpusCase.all.count)
    }

    @Test("gives the same parts wherever it is cut", arguments: CorpusCase.all)
    func cut(expected: CorpusCase) throws {
        let bytes = try Wire.file(expected.name)
        let whole = try Wire.parts([bytes])
        for cut in Wire.cuts(bytes) { #expect(try Wire.parts(cut) == whole) }
        #expect(try Wire.parts(bytes.map { [$0] }) == whole)
    }

    @Test("all messages on one connection come out in order")
    func stream() throws {
        let files = try Wire.allFiles()
        let separate = try files.flatMap { bytes throws(WireError) in try Wire.parts([bytes]) }
        let stream = Array(files.joined())
        #expect(try Wire.parts([stream]) == separate)
        for size in [7, 64, 1000] {
            let pieces = stride(from: 0, to: stream.count, by: size).map {
                Array(stream[$0..<min($0 + size, stream.count)])
            }
            #expect(try Wire.parts(pieces) == separate)
        }
    }

    @Test("a session of RFC 4975 section 11.1 takes the message whole though its Byte-Range is printed too long")
    func printedRange() throws {
        var session = EndpointSession(
            localPath: try #require(Path("msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp")),
            remotePath: try #require(Path("msrp://atlanta.example.com:7654/jshA7weztas;tcp")))
        var output = ByteBuffer()
        var text: String?
        for part in try Wire.parts([try Wire.file("rfc4975-01-SEND")]) {
            if case .message(let message, let pending)? = session.receive(
                part, now: .uptimeNanoseconds(0), into: &output)
            {
                text = String(buffer: message.body)
                session.respond(pending, .ok, into: &output)
            }
        }
        #expect(text == "Hey Bob, are you there?")
        #expect(output == ByteBuffer(bytes: try Wire.file("rfc4975-02-200")))
    }
}
