import Testing

@testable import Payloads

@Suite("Answering an offer, RFC 3264 and RFC 4975 section 8")
struct OfferTests {
    @Test("the real client's offer gets the answer it works with, octet for octet")
    func sipSession3() throws {
        var machine = MSRPNegotiation(
            local: LocalMedia(
                maxSize: 10_485_760, chatroom: ChatroomCapabilities(nicknames: true, privateMessages: true)),
            originID: 77)
        let examination = try machine.examine(offer: try Corpus.octets("sdp/sipsession3-chat.sdp"))
        #expect(examination.change == .initial)
        #expect(
            examination.media
                == ChosenMedia(
                    remotePath: "msrp://127.0.0.1:2855/f771c68a3b1c0808a0e2;tcp", isTLS: false, role: .passive,
                    format: .cpim, wrappedTypes: MediaTypeList(["text/*", "image/*", "application/im-iscomposing+xml"]))
        )
        #expect(
            machine.answer(localPath: "msrp://127.0.0.1:2856/ours;tcp")
                == crlf(
                    "v=0", "o=- 77 1 IN IP4 127.0.0.1", "s=sipsimple 5.5.0", "c=IN IP4 127.0.0.1", "t=0 0",
                    "m=message 2856 TCP/MSRP *", "a=accept-types:message/cpim", "a=accept-wrapped-types:*",
                    "a=max-size:10485760", "a=path:msrp://127.0.0.1:2856/ours;tcp", "a=setup:passive",
                    "a=chatroom:nickname private-messages"))
    }

    @Test("TLS: the transport as offered, our fingerprint, and the peer's kept (RFC 4975 section 8.1, RFC 8122)")
    func tls() throws {
        let ours = Fingerprint(hash: .sha256, digest: Array(repeating: 0xAB, count: 32))
        var machine = negotiation(LocalMedia(fingerprints: [ours]))
        let media = try machine.examine(offer: try Corpus.octets("sdp/sipsession3-tls.sdp")).media
        #expect(media.isTLS && media.mediaIndex == 1)
        #expect(media.fingerprints.map(\.hash) == [.sha1])
        let answer = text(machine.answer(localPath: ourTLSPath))
        #expect(answer.contains("m=audio 0 RTP/AVP 9 0 8 101\r\nm=message 2855 TCP/TLS/MSRP *\r\n"))
        #expect(answer.contains("a=path:msrps://198.51.100.1:2855/ours;tcp\r\n"))
        #expect(answer.contains("a=fingerprint:sha-256 AB:AB:"))
    }

    @Test("the transport is answered in the letters it was offered in (RFC 3264 section 6)")
    func transportLetters() throws {
        #expect(try answered(offer(transport: "tcp/msrp")).transport == "tcp/msrp")
    }

    @Test("no fingerprint is written or kept without TLS (RFC 4975 section 14.4)")
    func noFingerprintOverTCP() throws {
        let local = LocalMedia(fingerprints: [Fingerprint(hash: .sha256, digest: Array(repeating: 1, count: 32))])
        let offer = offer(attributes: ["a=fingerprint:garbage"])
        #expect(try examined(offer, local).get().fingerprints.isEmpty)
        #expect(try !answered(offer, local).hasAttribute("fingerprint"))
    }

    @Test("IPv6 stands in brackets in the path and without in c= and o= (RFC 4975 section 6, RFC 8866 section 9)")
    func ipv6() throws {
        let path = MSRPNegotiation.localPath(host: "2001:db8::1", port: 2855, isTLS: false, sessionID: "ours")
        #expect(path == "msrp://[2001:db8::1]:2855/ours;tcp")
        #expect(
            MSRPNegotiation.localPath(host: "[::1]", port: 1, isTLS: true, sessionID: "s") == "msrps://[::1]:1/s;tcp")
        var machine = negotiation()
        _ = try machine.examine(offer: offer())
        let answer = text(machine.answer(localPath: path))
        #expect(answer.contains("o=- 77 1 IN IP6 2001:db8::1\r\n") && answer.contains("c=IN IP6 2001:db8::1\r\n"))
    }

    @Test("a host name in our path is shown in c= too (RFC 4975 section 8.1)")
    func hostName() throws {
        var machine = negotiation()
        _ = try machine.examine(offer: offer())
        let answer = text(machine.answer(localPath: "msrp://chat.example.com:2855/ours;tcp"))
        #expect(answer.contains("c=IN IP4 chat.example.com\r\n"))
    }

    @Test("the first usable m=message line wins, all else is refused with port 0 in its place (RFC 3264 section 6)")
    func severalLines() throws {
        let head = ["v=0", "o=alice 10 20 IN IP4 192.0.2.7", "s=four", "c=IN IP4 192.0.2.7", "t=5 6", "r=7d 1h 0 25h"]
        let media = [
            "m=video 49170/2 RTP/AVP 31 32", "a=rtpmap:31 H261/90000",
            "m=message 0 TCP/MSRP *", "a=path:msrp://192.0.2.7:1/zero;tcp", "a=accept-types:*",
            "m=message 2855 TCP/MSRP *", "a=accept-types:*",
            "m=message 2855 TCP/TLS/MSRP *", "a=path:msrps://192.0.2.7:2855/third;tcp", "a=accept-types:*",
            "m=message 2855 TCP/MSRP *", "a=path:msrp://192.0.2.7:2855/fourth;tcp", "a=accept-types:*",
            "m=application 9 UDP/BFCP *",
        ]
        var machine = negotiation()
        let chosen = try machine.examine(offer: Array((head + media).map { $0 + "\r\n" }.joined().utf8)).media
        #expect(chosen.mediaIndex == 3 && chosen.isTLS && chosen.remotePath == "msrps://192.0.2.7:2855/third;tcp")
        let answer = try SessionDescription(parsing: machine.answer(localPath: ourTLSPath))
        #expect(
            answer.media.map(\.mediaLine.value) == [
                "video 0 RTP/AVP 31 32", "message 0 TCP/MSRP *", "message 0 TCP/MSRP *", "message 2855 TCP/TLS/MSRP *",
                "message 0 TCP/MSRP *", "application 0 UDP/BFCP *",
            ])
        #expect(answer.media.filter { $0.port == 0 }.allSatisfy { $0.lines.isEmpty })
        #expect(answer.first("s") == "four")
    }

    @Test("the t= line equals the offer's, and is 0 0 when there was none (RFC 3264 section 6)")
    func times() throws {
        func times(_ lines: String...) throws -> [String] {
            let body =
                ["v=0", "o=a 1 1 IN IP4 192.0.2.7"] + lines
                + ["m=message 2855 TCP/MSRP *", "a=path:msrp://192.0.2.7:2855/s;tcp", "a=accept-types:*"]
            var machine = negotiation()
            _ = try machine.examine(offer: Array(body.map { $0 + "\n" }.joined().utf8))
            return try SessionDescription(parsing: machine.answer(localPath: ourPath)).lines
                .filter { $0.is("s") || $0.is("t") || $0.is("r") }.map(\.value)
        }
        #expect(
            try times("s=x", "t=2873397496 99999999999999999999999", "r=604800 3600 0") == [
                "x", "2873397496 99999999999999999999999", "604800 3600 0",
            ])
        #expect(try times() == ["-", "0 0"])
        #expect(try times("s=", "t=0 0") == ["-", "0 0"])
        #expect(try times("s=" + String(repeating: "x", count: 257)) == ["-", "0 0"])
        #expect(throws: Refusal.tooManyTimes) {
            var machine = negotiation()
            _ = try machine.examine(offer: offer(session: Array(repeating: "t=0 0", count: 17)))
        }
    }

    @Test(
        "message/cpim or * in the offer: message/cpim alone and any wrapped type (RFC 7701 section 5.2)",
        arguments: ["message/cpim", "text/plain Message/CPIM", "*", "text/plain *", "message/*"])
    func cpim(types: String) throws {
        let media = try examined(offer(types: types), LocalMedia(allowsPlainText: false)).get()
        #expect(media.format == .cpim)
        let line = try answered(offer(types: types))
        #expect(line.attribute("accept-types") == "message/cpim")
        #expect(line.attribute("accept-wrapped-types") == "*")
    }

    @Test("wrapped are the types of both lists; a peer that names none takes any (RFC 4975 section 8.6)")
    func wrappedTypes() throws {
        func wrapped(_ types: String, _ wrapped: String? = nil) throws -> String {
            let attributes = wrapped.map { ["a=accept-wrapped-types:\($0)"] } ?? []
            return try examined(offer(types: types, attributes: attributes)).get().wrappedTypes.text
        }
        #expect(try wrapped("message/cpim text/plain", "text/html text/plain") == "text/plain text/html")
        #expect(try wrapped("message/cpim") == "*")
        #expect(try wrapped("message/cpim text/plain", "*") == "*")
        let many = (0..<500).map { "text/type\($0)" }.joined(separator: " ")
        #expect(try wrapped("message/cpim \(many)").utf8.count <= MediaTerms.typeOctets)
    }

    @Test(
        "without message/cpim, text/plain where the room lets it in (RFC 4975 section 8.6)",
        arguments: ["text/plain", "text/html text/plain;charset=utf-8", "text/*"])
    func plainText(types: String) throws {
        let local = LocalMedia(chatroom: ChatroomCapabilities(nicknames: true, privateMessages: true))
        #expect(try examined(offer(types: types), local).get().format == .plainText)
        let line = try answered(offer(types: types), local)
        #expect(line.attribute("accept-types") == "text/plain")
        #expect(!line.hasAttribute("accept-wrapped-types") && !line.hasAttribute("chatroom"))
        #expect(examined(offer(types: types), LocalMedia(allowsPlainText: false)) == .failure(.noCommonType))
    }

    @Test("an offer that cannot be accepted gets 488 and a Warning (RFC 3261 section 21.4.26)")
    func refusals() {
        #expect(examined(offer(types: "text/html image/png")) == .failure(.noCommonType))
        #expect(examined(offer(types: nil)) == .failure(.noAcceptTypes))
        #expect(examined(offer(types: "")) == .failure(.noAcceptTypes))
        #expect(examined(offer(path: nil)) == .failure(.noPath))
        #expect(examined(offer(path: "")) == .failure(.badPath))
        #expect(examined(offer(path: "msrp://192.0.2.7:2855;tcp")) == .failure(.badPath))
        #expect(examined(offer(path: "msrp://h:1/s;ws")) == .failure(.badPath))
        #expect(
            examined(offer(path: (0..<17).map { "msrp://h:1/s\($0);tcp" }.joined(separator: " "))) == .failure(.badPath)
        )
        #expect(examined(offer(path: "msrp://h:1/\(String(repeating: "s", count: 2_048));tcp")) == .failure(.badPath))
        #expect(examined(offer(port: 0)) == .failure(.disabled))
        #expect(examined(offer(transport: "TCP/WSS/MSRP")) == .failure(.noMSRP))
        #expect(
            examined(offer(transport: "TCP/MSRP"), LocalMedia(allowsTCP: false)) == .failure(.transport(isTLS: false)))
        #expect(
            examined(offer(transport: "TCP/TLS/MSRP"), LocalMedia(allowsTLS: false))
                == .failure(.transport(isTLS: true)))
        for refusal in [Refusal.noMSRP, .disabled, .fileTransfer, .noPath, .badPath, .noAcceptTypes, .noCommonType] {
            #expect(refusal.status == 488)
            #expect(!refusal.text.contains("\"") && !refusal.text.contains("\r"))
        }
        #expect(
            Refusal.noMSRP.warning(agent: "chat.example.com:5060").hasPrefix("304 chat.example.com:5060 \"No m=message")
        )
    }

    @Test("no m=message at all is 488, no session description is 400 (RFC 3261 section 21.4.1)")
    func statuses() {
        let audio = crlf(
            "v=0", "o=a 1 1 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0", "m=audio 4000 RTP/AVP 0")
        #expect(examined(audio) == .failure(.noMSRP))
        #expect(examined(crlf("v=0", "o=a 1 1 IN IP4 192.0.2.7", "s=-", "t=0 0")) == .failure(.noMSRP))
        guard case .failure(let refusal) = examined(Array("hello".utf8)) else {
            Issue.record("taken")
            return
        }
        #expect(refusal.status == 400 && refusal.text == "Malformed session description: line 1 is no line of SDP")
    }

    @Test("the reason told is the m=message line's, not another's (RFC 3261 section 20.43)")
    func reasons() throws {
        let lines = text(offer(types: "text/html")) + "m=audio 4000 RTP/AVP 0\r\nm=message 0 TCP/MSRP *\r\n"
        #expect(examined(Array(lines.utf8)) == .failure(.noCommonType))
    }

    @Test("a file transfer is no chat: 488 alone, port 0 beside one (RFC 5547 section 6)")
    func fileTransfer() throws {
        let file = try Corpus.octets("sdp/sipsession3-file.sdp")
        #expect(examined(file) == .failure(.fileTransfer))
        #expect(examined(try Corpus.octets("sdp/rfc5547-02.sdp")) == .failure(.fileTransfer))
        let both =
            text(file) + "m=message 2855 TCP/MSRP *\r\na=path:msrp://127.0.0.1:2855/chat;tcp\r\na=accept-types:*\r\n"
        #expect(try examined(Array(both.utf8)).get().mediaIndex == 1)
    }

    @Test("the examples of RFC 4975 and RFC 7701 are taken as a room that allows plain text takes them")
    func examples() throws {
        for file in ["sdp/rfc4975-01.sdp", "sdp/rfc4975-04.sdp", "sdp/rfc4975-05.sdp"] {
            #expect(try examined(try Corpus.octets(file)).get().format == .plainText, "\(file)")
        }
        for file in ["sdp/rfc4975-02.sdp", "sdp/rfc4975-03.sdp", "sdp/rfc7701-01.sdp"] {
            #expect(try examined(try Corpus.octets(file)).get().format == .cpim, "\(file)")
        }
        let chatroom = try examined(try Corpus.octets("sdp/rfc7701-01.sdp")).get().chatroom
        #expect(chatroom == ChatroomCapabilities(nicknames: true, privateMessages: true))
    }

    @Test("a=chatroom says what the room does, whatever the offer says (RFC 7701 section 8)")
    func chatroom() throws {
        let nicknames = LocalMedia(chatroom: ChatroomCapabilities(nicknames: true, privateMessages: false))
        #expect(try answered(offer(), nicknames).attribute("chatroom") == "nickname")
        let neither = LocalMedia(chatroom: ChatroomCapabilities(nicknames: false, privateMessages: false))
        #expect(try answered(offer(attributes: ["a=chatroom:nickname"]), neither).attribute("chatroom") == "")
        #expect(try !answered(offer(attributes: ["a=chatroom"]), LocalMedia()).hasAttribute("chatroom"))
        #expect(try examined(offer()).get().chatroom == nil)
        #expect(
            try examined(offer(attributes: ["a=chatroom"])).get().chatroom
                == ChatroomCapabilities(nicknames: false, privateMessages: false))
    }

    @Test(
        "the direction is answered mirrored, sendrecv in silence (RFC 3264 section 6.1)",
        arguments: [
            ("sendonly", Direction.recvonly), ("recvonly", .sendonly), ("inactive", .inactive), ("sendrecv", .sendrecv),
        ])
    func direction(offered: String, ours: Direction) throws {
        let offer = offer(attributes: ["a=\(offered)"])
        #expect(try examined(offer).get().direction == ours)
        let line = try answered(offer)
        #expect(line.hasAttribute(ours.rawValue) == (ours != .sendrecv))
    }

    @Test(
        "of several fingerprints those with the strongest hash hold, and one must be usable (RFC 8122 sections 5, 5.1)")
    func fingerprints() throws {
        let sha1 = "a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"
        let sha256 = "a=fingerprint:sha-256 " + Array(repeating: "0f", count: 32).joined(separator: ":")
        func fingerprints(session: [String] = [], _ attributes: String...) -> Result<[Fingerprint.Hash], Refusal> {
            examined(
                offer(
                    transport: "TCP/TLS/MSRP", path: "msrps://192.0.2.7:2855/s;tcp", session: session,
                    attributes: attributes)
            ).map { $0.fingerprints.map(\.hash) }
        }
        #expect(fingerprints(sha1, sha256, "a=fingerprint:md5 AA:BB") == .success([.sha256]))
        #expect(fingerprints(sha256, sha1, sha256) == .success([.sha256, .sha256]))
        #expect(fingerprints(session: [sha1]) == .success([.sha1]))
        #expect(fingerprints(session: [sha1], sha256) == .success([.sha256]))
        #expect(fingerprints() == .success([]))
        #expect(fingerprints("a=fingerprint:md5 AA:BB") == .failure(.badFingerprint))
        #expect(fingerprints(sha256, "a=fingerprint:sha-1 AA:BB") == .failure(.badFingerprint))
        #expect(
            examined(offer(transport: "TCP/TLS/MSRP", attributes: Array(repeating: sha1, count: 9)))
                == .failure(.badFingerprint))
    }

    @Test("what a peer can make an answer hold is bounded")
    func boundedAnswer() throws {
        let formats = (0..<1_000).map { "f\($0)" }.joined(separator: " ")
        var body = text(offer()) + (0..<31).map { _ in "m=audio 4000 RTP/AVP \(formats)\r\n" }.joined()
        #expect(body.utf8.count > 65_536 && examined(Array(body.utf8)).isFailure(status: 400))
        body = text(offer()) + (0..<11).map { _ in "m=audio 4000 RTP/AVP \(formats)\r\n" }.joined()
        var machine = negotiation()
        _ = try machine.examine(offer: Array(body.utf8))
        #expect(machine.answer(localPath: ourPath).count < 4_096)
    }
}

extension Result where Failure == Refusal {
    func isFailure(status: Int) -> Bool {
        if case .failure(let refusal) = self { return refusal.status == status }
        return false
    }
}
