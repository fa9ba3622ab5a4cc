import Testing

@testable import Payloads

@Suite("What SDP says of a file, RFC 5547 section 6")
struct FileSelectorTests {
    private let picture =
        "name:\"My cool picture.jpg\" type:image/jpeg size:32349 "
        + "hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E"
    private let sha1: [UInt8] = [
        0x72, 0x24, 0x5F, 0xE8, 0x65, 0x3D, 0xDA, 0xF3, 0x71, 0x36, 0x2F, 0x86, 0xD4, 0x71, 0x91, 0x3E, 0xE4, 0xA2,
        0xCE, 0x2E,
    ]

    private func parse(_ value: String) -> FileSelector? { FileSelector(parsing: Array(value.utf8)) }

    @Test("RFC 5547 6: the example's selector, read and written octet for octet")
    func example() throws {
        let selector = try #require(parse(picture))
        #expect(selector.name == "My cool picture.jpg")
        #expect(selector.type?.essence == "image/jpeg")
        #expect(selector.size == 32_349)
        #expect(selector.hashes == [FileHash("sha-1", sha1)])
        #expect(selector.value == picture)
    }

    @Test(
        "RFC 5547 6, 8.4, 9: the file attributes of every example come out as they went in",
        arguments: (1...7).map { "sdp/rfc5547-0\($0).sdp" })
    func examples(file: String) throws {
        let medium = try #require(try SessionDescription(parsing: try Corpus.octets(file)).media.first)
        var description = try FileDescription(medium)
        description.written = nil
        let names = ["file-selector", "file-transfer-id", "file-disposition", "file-date", "file-range"]
        let lines = medium.lines.filter { line in names.contains { line.isAttribute($0) } }
        #expect(description.lines.map(\.value) == lines.map(\.value))
        #expect(description.icon == medium.attribute("file-icon").map { String($0.dropFirst(4)) })
    }

    @Test("RFC 5547 6: quotes, percent signs, folders and control characters are percent-encoded, UTF-8 is not")
    func names() throws {
        let selector = FileSelector(name: "a/b\\c \"100%\"\r\n\u{7F}žluťoučký 🐎.txt")
        #expect(selector.value == "name:\"a%2Fb%5Cc %22100%25%22%0D%0A%7Fžluťoučký 🐎.txt\"")
        #expect(parse(selector.value) == selector)
    }

    @Test("RFC 5547 6: parameters of the type are quoted, and re-encoded from those of Content-Type")
    func typeParameters() throws {
        let type = ContentType(
            type: "text", subtype: "plain",
            parameters: [.init(name: "charset", value: "utf-8"), .init(name: "name", value: "a \"b\" 5%.txt")])
        let selector = FileSelector(type: type)
        #expect(selector.value == "type:text/plain;charset=\"utf-8\";name=\"a %22b%22 5%25.txt\"")
        #expect(parse(selector.value) == selector)
        #expect(parse("type:text/plain;charset=utf-8 size:3")?.type?.parameter("charset") == "utf-8")
    }

    @Test("RFC 5547 6: any number of hashes, known functions with their own length only")
    func hashes() throws {
        let sha256 = Array(repeating: UInt8(0xAB), count: 32)
        let both = FileSelector(hashes: [FileHash("sha-1", sha1), FileHash("sha-256", sha256)])
        #expect(parse(both.value) == both)
        #expect(both.value.hasSuffix("hash:sha-256:" + Array(repeating: "AB", count: 32).joined(separator: ":")))
        #expect(parse("hash:md5:AA:BB")?.hashes == [FileHash("md5", [0xAA, 0xBB])])
        #expect(parse(both.value.lowercased()) == both)
        #expect(
            parse("hash:sha1:" + Array(repeating: "0f", count: 20).joined(separator: ":"))?.digest("sha-1")?.count == 20
        )
        for wrong in [
            "hash:sha-1:AA", "hash:sha-1:", "hash:sha-1", "hash:", "hash:sha-1:AAA", "hash:md5:A:", "hash::AA",
        ] {
            #expect(parse(wrong) == nil, "\(wrong)")
        }
        let many = (0..<100).map { _ in "hash:md5:AA" }.joined(separator: " ")
        #expect(parse(many)?.hashes.count == 8)
    }

    @Test("what real senders write is taken: unencoded percent signs, no quotes, any order, unknown selectors")
    func liberal() {
        #expect(parse("name:\"100%.txt\" size:5")?.name == "100%.txt")
        #expect(parse("name:\"100%zz%4\"")?.name == "100%zz%4")
        #expect(parse("  size:5   NAME:plain.txt  ")?.name == "plain.txt")
        #expect(parse("size:5 mood:good type:text/plain x")?.type?.essence == "text/plain")
        #expect(parse("name:\"open end size:5")?.name == "open end size:5")
        #expect(parse("name:\"a\" name:\"b\"")?.name == "a")
        #expect(parse("")?.isEmpty == true && parse("name:\"\"")?.isEmpty == true)
    }

    @Test("RFC 5547 5: hostile selectors are refused, and what is kept is bounded")
    func hostile() {
        #expect(parse("size:") == nil && parse("size:-1") == nil && parse("size:1e9") == nil)
        #expect(parse("size:99999999999999999999999") == nil)
        #expect(parse("name:\"" + String(repeating: "a", count: 5_000) + "\"") == nil)
        #expect(parse("name:\"..%2F..%2Fetc%2Fpasswd%00\"")?.name == "../../etc/passwd\0")
        #expect(FileSelector(parsing: [UInt8](repeating: 0xFF, count: 100))?.isEmpty == true)
        #expect(
            FileSelector(parsing: Array("name:\"".utf8) + [0xFF, 0xFE] + Array("\"".utf8))?.name == "\u{FFFD}\u{FFFD}")
    }

    @Test("octets changed at random never trap, and what is read is written the same for good")
    func mutations() throws {
        var random = SplitMix64(state: 5547)
        for _ in 0..<20_000 {
            guard let selector = FileSelector(parsing: mutated(Array(picture.utf8), &random)) else { continue }
            let again = try #require(parse(selector.value))
            #expect(again == selector)
        }
    }

    @Test(
        "RFC 5547 5: two selectors mean one file where nothing that both say differs",
        arguments: [
            ("size:1", "size:1", true), ("size:1", "size:2", false), ("name:\"a\"", "size:2", true),
            ("hash:md5:AA", "hash:md5:AB", false), ("hash:md5:AA", "hash:md4:AB", true),
            ("type:text/plain", "type:TEXT/plain;charset=\"x\"", true), ("name:\"a\"", "name:\"A\"", false),
        ])
    func agreement(left: String, right: String, agrees: Bool) throws {
        #expect(try #require(parse(left)).agrees(with: try #require(parse(right))) == agrees)
    }

    @Test("RFC 5547 6: file-range counts from 1, both ends inclusive, `*` to the end")
    func ranges() {
        #expect(FileRange(parsing: "1-32349")?.value == "1-32349")
        #expect(FileRange(parsing: "1001-*") == FileRange(start: 1_001, stop: nil))
        #expect(FileRange(parsing: "7-7")?.stop == 7)
        for wrong in ["0-5", "5-4", "*-5", "-5", "5-", "5", "", "1-2-3", "1--2", "99999999999999999999-*", "1-0x5"] {
            #expect(FileRange(parsing: wrong) == nil, "\(wrong)")
        }
        #expect(FileRange(start: 1, stop: nil)?.isWhole(of: nil) == true)
        #expect(FileRange(start: 1, stop: 9)?.isWhole(of: 9) == true)
        #expect(FileRange(start: 1, stop: 8)?.isWhole(of: 9) == false)
        #expect(FileRange(start: 2, stop: nil)?.isWhole(of: nil) == false)
    }

    @Test("RFC 5547 6: file-date has each kind once, as RFC 5322 dates with a numeric zone")
    func dates() {
        let text =
            "creation:\"Mon, 15 May 2006 15:01:31 +0300\" modification:\"Mon, 15 May 2006 16:04:53 +0300\" "
            + "read:\"Tue, 16 May 2006 09:12:27 -0930\""
        let date = FileDate(parsing: text)
        #expect(date.value == text)
        #expect(date.creation == MailDate(seconds: 1_147_694_491, zone: 180))
        #expect(FileDate(parsing: "read:\"15 May 2006 12:01 GMT\"").read?.value == "Mon, 15 May 2006 12:01:00 +0000")
        #expect(FileDate(parsing: "read:\"Thu, 1 Jan 1970 00:00:00 +0000\"").read?.seconds == 0)
        #expect(MailDate(seconds: -1).value == "Wed, 31 Dec 1969 23:59:59 +0000")
        #expect(FileDate(parsing: "read:\"Mon, 30 Feb 2006 15:01:31 +0300\" read:\"x\" creation:\"").isEmpty)
        for wrong in [
            "", "Mon, 15 May 2006 15:01:31", "15 May 06 15:01:31 +0000", "15 May 2006 25:01:31 +0000",
            "15 May 2006 15:01:31 +2500", "15 Mai 2006 15:01:31 +0000", "99999999999999999999 May 2006 15:01:31 +0000",
        ] { #expect(MailDate(parsing: wrong) == nil, "\(wrong)") }
        #expect(MailDate(seconds: .max, zone: .max - 1).value.contains("9999"))
        #expect(MailDate(seconds: .min, zone: -1_439).value.contains("0001"))
    }
}
