import Testing

@testable import Payloads

@Suite("Session descriptions, RFC 8866")
struct SessionDescriptionTests {
    @Test("every description of the corpus prints as it was read (RFC 8866 section 5)")
    func lossless() throws {
        let files = try Corpus.files(in: "sdp", ending: "sdp")
        #expect(files.count >= 20)
        for file in files where !file.contains("latin1") {
            let octets = try Corpus.octets(file)
            let ended = octets.last == 10 ? octets : octets + [13, 10]
            #expect(try SessionDescription(parsing: octets).serialized() == ended, "\(file)")
        }
    }

    @Test(
        "what is no session description is refused by name (RFC 8866 section 5)",
        arguments: [
            ("empty", SDPError.unsupportedVersion), ("nul", .malformedLine(3)), ("lone-cr", .malformedLine(3)),
            ("version-1", .unsupportedVersion), ("no-origin", .malformedOrigin),
            ("port-65536", .malformedMedia(line: 5)), ("port-huge", .malformedMedia(line: 5)),
            ("port-negative", .malformedMedia(line: 5)), ("media-short", .malformedMedia(line: 5)),
            ("binary", .malformedLine(1)), ("sip", .malformedLine(1)), ("space-before-equals", .malformedLine(1)),
            ("line-after-blank", .malformedLine(4)), ("time", .malformedTime(line: 4)),
            ("connection", .malformedConnection(line: 4)), ("origin-text", .malformedOrigin),
        ])
    func garbage(name: String, expected: SDPError) throws {
        let octets = try Corpus.octets("sdp/hostile/\(name).sdp")
        #expect(throws: expected) { try SessionDescription(parsing: octets) }
    }

    @Test("LF, other character sets, unknown letters and empty lines at the end are taken (RFC 8866 section 5, 6.10)")
    func liberal() throws {
        let description = try SessionDescription(parsing: try Corpus.octets("sdp/latin1.sdp"))
        #expect(description.lines.map { String(UnicodeScalar($0.type)) } == ["v", "o", "s", "X", "t", "a"])
        #expect(description.lines[2].octets == [0x63, 0x61, 0x66, 0xE9])
        let printed = description.serialized()
        #expect(try SessionDescription(parsing: printed) == description)
        #expect(printed.filter { $0 == 10 }.count == printed.filter { $0 == 13 }.count)
    }

    @Test("a description is bounded in octets, lines and m= lines")
    func limits() {
        let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"
        func parse(_ tail: String) throws(SDPError) -> SessionDescription {
            try SessionDescription(parsing: Array((head + tail).utf8))
        }
        #expect(throws: SDPError.tooLong) { try parse("i=" + String(repeating: "x", count: 1_000_000)) }
        #expect(throws: SDPError.tooManyLines) { try parse(String(repeating: "a=x\r\n", count: 2_001)) }
        #expect(throws: SDPError.tooManyLines) { try parse(String(repeating: "\n", count: 60_000)) }
        #expect(throws: SDPError.tooManyMedia) { try parse(String(repeating: "m=audio 1 RTP/AVP 0\r\n", count: 33)) }
        #expect(throws: SDPError.malformedMedia(line: 4)) {
            try parse("m=audio 1 \(String(repeating: "x", count: 65)) 0\r\n")
        }
    }

    @Test("media-level lines hold before session-level ones (RFC 8866 section 5.7, RFC 4145 section 4)")
    func levels() throws {
        let description = try SessionDescription(
            parsing: offer(
                session: ["a=inactive", "a=setup:passive"],
                attributes: ["c=IN IP6 2001:db8::1/127", "a=sendonly", "a=setup:actpass"]))
        let medium = description.media[0]
        #expect(description.connection(of: medium) == ConnectionAddress(addressType: "IP6", address: "2001:db8::1"))
        #expect(description.direction(of: medium) == .sendonly)
        #expect(description.setup(of: medium) == .actpass)
        let plain = try SessionDescription(parsing: offer(session: ["a=inactive", "a=setup:passive"]))
        #expect(plain.direction(of: plain.media[0]) == .inactive)
        #expect(plain.setup(of: plain.media[0]) == .passive)
    }

    @Test("a changed m= line is printed anew, an unchanged one as it came")
    func mediaLine() throws {
        var description = try SessionDescription(
            parsing: crlf("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "m=video  49170/2 RTP/AVP 31  32"))
        #expect(text(description.serialized()).hasSuffix("m=video  49170/2 RTP/AVP 31  32\r\n"))
        description.media[0].port = 0
        #expect(text(description.serialized()).hasSuffix("m=video 0/2 RTP/AVP 31 32\r\n"))
    }

    @Test("a description cut at any octet parses or throws, and what parses is stable")
    func cuts() throws {
        for file in try Corpus.files(in: "sdp", ending: "sdp") {
            let octets = try Corpus.octets(file)
            for end in octets.indices { try checkStable(Array(octets[..<end])) }
        }
    }

    @Test("changed octets never do harm, and what parses is stable and bounded in its answer")
    func garbageRobustness() throws {
        var random = SplitMix64(state: 8866)
        let corpus = try Corpus.files(in: "sdp", ending: "sdp").map { try Corpus.octets($0) }
        for _ in 0..<4_000 {
            let octets = mutated(corpus.randomElement(using: &random) ?? [], &random)
            try checkStable(octets)
            var machine = negotiation()
            guard (try? machine.examine(offer: octets)) != nil else { continue }
            let answer = machine.answer(localPath: ourPath)
            #expect(answer.count < 16_384)
            #expect(try SessionDescription(parsing: answer).serialized() == answer)
        }
    }

    private func checkStable(_ octets: [UInt8]) throws {
        guard let description = try? SessionDescription(parsing: octets) else { return }
        let printed = description.serialized()
        let again = try SessionDescription(parsing: printed)
        #expect(again == description)
        #expect(again.serialized() == printed)
    }
}

@Suite("Attributes of an m=message line")
struct MSRPAttributesTests {
    @Test("an entry with parameters matches the one without, type/* matches its subtypes (RFC 4975 section 8.6)")
    func mediaTypes() {
        let list = MediaTypeList(parsing: "Message/CPIM  text/plain;charset=utf-8 image/*")
        #expect(list.text == "message/cpim text/plain image/*")
        #expect(list.allows("message/CPIM") && list.allows("text/plain") && list.allows("image/png"))
        #expect(!list.allows("text/html") && !list.allows("imagex/png") && !list.allows("image") && !list.allows(""))
        #expect(MediaTypeList(parsing: "text/plain *").allows("video/mp4"))
        #expect(MediaTypeList(parsing: "text/plain *").allowsAnything)
        #expect(!MediaTypeList(parsing: "").allows("text/plain"))
        #expect(list.allows(ContentType(type: "Image", subtype: "GIF")))
    }

    @Test("both nickname and nicknames are read, nickname is written (RFC 7701 section 8)")
    func chatroom() {
        #expect(
            ChatroomCapabilities(parsing: "nickname private-messages")
                == ChatroomCapabilities(nicknames: true, privateMessages: true))
        #expect(
            ChatroomCapabilities(parsing: "nicknames x.y")
                == ChatroomCapabilities(nicknames: true, privateMessages: false))
        #expect(
            ChatroomCapabilities(nicknames: true, privateMessages: true).line.value
                == "chatroom:nickname private-messages")
        #expect(ChatroomCapabilities(nicknames: false, privateMessages: false).line.value == "chatroom")
    }

    @Test("fingerprints are read in either case and written in upper case (RFC 8122 section 5)")
    func fingerprint() throws {
        let value = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"
        guard case .fingerprint(let fingerprint) = Fingerprint.parse(value.uppercased()) else {
            Issue.record("not read")
            return
        }
        #expect(fingerprint.hash == .sha1 && fingerprint.digest.first == 0x4A && fingerprint.value == value)
        #expect(Fingerprint.parse(value.lowercased()) == .fingerprint(fingerprint))
        #expect(Fingerprint.parse("md5 4A:AD") == .unusable)
        for bad in [
            "", "sha-1", "sha-1 4A", "sha-256 \(value.dropFirst(6))", "sha-1 4A:A", "sha-1 4AAD", "sha-1 4G:AD",
        ] {
            #expect(Fingerprint.parse(bad) == .malformed, "\(bad)")
        }
    }

    @Test("max-size beyond 64 bits is no limit, and no number is none (RFC 4975 section 8.6)")
    func maxSize() throws {
        func maxSize(_ value: String) throws -> UInt64? {
            try SessionDescription(parsing: offer(attributes: ["a=max-size:\(value)"])).media[0].maxSize
        }
        #expect(try maxSize("10485760") == 10_485_760)
        #expect(try maxSize("18446744073709551616") == .max)
        #expect(try maxSize("-1") == nil)
        #expect(try maxSize("") == nil)
    }

    @Test("MSRP URIs give host, port and session-id, and nothing that could end a To-Path (RFC 4975 section 6)")
    func pathURI() throws {
        let uri = try #require(PathURI(parsing: "MSRPS://alice@[2001:DB8::1]:7654/a/b=+;TCP;x=y"))
        #expect(uri.isTLS && uri.host == "2001:DB8::1" && uri.port == 7654 && uri.sessionID == "a/b=+")
        #expect(PathURI(parsing: "msrp://h.example;tcp")?.port == 2855)
        #expect(PathURI(parsing: "msrp://h.example;tcp")?.sessionID == nil)
        #expect(PathURI(parsing: "msrp://h:1/;tcp")?.sessionID == nil)
        for bad in [
            "", "msrp:", "msrp://", "msrp://;tcp", "msrp://h:0/s;tcp", "msrp://h:65536/s;tcp", "msrp://h:x/s;tcp",
            "msrp://h:/s;tcp", "msrp://h/s", "msrp://h/s;udp", "msrp://h/s;", "sip:h;tcp", "msrp://[::1/s;tcp",
            "msrp://[h]:1/s;tcp", "msrp://h:1/a b;tcp", "msrp://h:1/a\"b;tcp", "msrp://h:1/<;tcp",
            "msrp://h\u{e9}:1/s;tcp",
            "msrp://h:1/s\r\n;tcp", "msrp://[::1]x:1/s;tcp",
        ] { #expect(PathURI(parsing: bad) == nil, "\(bad)") }
    }

    @Test("two spellings of an address are one address (RFC 6714 section 4.4, RFC 5952)")
    func addresses() {
        #expect(HostAddress("2001:DB8:0:0::1") == HostAddress("[2001:db8::0:1]"))
        #expect(HostAddress("::ffff:192.0.2.1") == HostAddress("::FFFF:C000:201"))
        #expect(HostAddress("::").isUnspecified && HostAddress("0.0.0.0").isUnspecified)
        #expect(HostAddress("1::") != HostAddress("::1"))
        #expect(HostAddress("Chat.Example.com.") == .name("chat.example.com"))
        for name in [
            "1.2.3", "1.2.3.256", "1:2:3:4:5:6:7", "1::2::3", ":1", "1:", ":::", "12345::", "1:2:3:4:5:6:7:8:9", ":",
        ] {
            guard case .name = HostAddress(name) else {
                Issue.record("\(name) was taken for an address")
                continue
            }
        }
    }
}
