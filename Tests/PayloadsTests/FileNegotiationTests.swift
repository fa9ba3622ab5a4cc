import Testing

@testable import Payloads

@Suite("Offers and answers for files, RFC 5547 section 8")
struct FileNegotiationTests {
    private let hash = "72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E"

    private func machine(_ local: LocalMedia = LocalMedia()) -> FileNegotiation {
        FileNegotiation(local: local, originID: 77)
    }

    /// An offer of one file.
    private func file(
        _ direction: String = "sendonly", selector: String? = "name:\"a.txt\" size:5", id: String? = "one",
        path: String = "msrp://192.0.2.7:2855/peer;tcp", port: Int = 2855, types: String = "*", more: [String] = []
    ) -> [UInt8] {
        offer(
            port: port, path: path, types: types,
            attributes: ["a=\(direction)"] + (selector.map { ["a=file-selector:\($0)"] } ?? [])
                + (id.map { ["a=file-transfer-id:\($0)"] } ?? []) + more)
    }

    private func refusal(_ offer: [UInt8]) -> Refusal? {
        var machine = machine()
        do {
            _ = try machine.examine(offer: offer)
            return nil
        } catch { return error }
    }

    @Test("RFC 5547 8.3.1: the real client's push gets recvonly, its selector and its id, octet for octet")
    func blinkPush() throws {
        let offer = try Corpus.octets("sdp/sipsession3-file.sdp")
        #expect(FileNegotiation.isMeant(by: offer))
        var machine = machine(LocalMedia(maxSize: 104_857_600))
        let found = try machine.examine(offer: offer)
        #expect(found.change == .initial && found.isPush && found.media.direction == .recvonly)
        #expect(found.file.selector.name == "hello.txt" && found.file.selector.size == 19 && found.file.knowsOffset)
        #expect(
            text(machine.answer(localPath: "msrp://127.0.0.1:2856/ours;tcp"))
                == text(
                    crlf(
                        "v=0", "o=- 77 1 IN IP4 127.0.0.1", "s=sipsimple 5.5.0", "c=IN IP4 127.0.0.1", "t=0 0",
                        "m=message 2856 TCP/MSRP *", "a=accept-types:*", "a=max-size:104857600",
                        "a=path:msrp://127.0.0.1:2856/ours;tcp", "a=setup:passive", "a=recvonly",
                        "a=file-selector:name:\"hello.txt\" type:text/plain size:19 hash:sha-1:21:6A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C",
                        "a=file-transfer-id:5f1c8a7e-63cb-4d0a-8a4e-0d1a0d6e63a1", "a=x-file-offset")))
    }

    @Test("RFC 5547 9.1: the RFC's push is answered as in its example, without icon, disposition and date")
    func examplePush() throws {
        var machine = machine()
        let found = try machine.examine(offer: try Corpus.octets("sdp/rfc5547-02.sdp"))
        #expect(found.file.icon == "id2@alicepc.example.com" && found.file.disposition == "render")
        let answer = try SessionDescription(
            parsing: machine.answer(localPath: "msrp://bobpc.example.com:8888/9di4ea;tcp"))
        let example = try SessionDescription(parsing: try Corpus.octets("sdp/rfc5547-03.sdp"))
        let ours = Set(answer.media[0].lines.map(\.value))
        // Beside these there is only a=setup.
        #expect(ours.subtracting(example.media[0].lines.map(\.value)) == ["setup:passive"])
        #expect(Set(example.media[0].lines.map(\.value)).isSubset(of: ours))
        #expect(answer.media[0].mediaLine == example.media[0].mediaLine)
    }

    @Test("RFC 5547 8.3.2: a pull is answered sendonly, with what the file is, SHA-1 first")
    func pull() throws {
        var machine = machine()
        let found = try machine.examine(offer: try Corpus.octets("sdp/rfc5547-04.sdp"))
        #expect(!found.isPush && found.media.direction == .sendonly && found.media.format == .cpim)
        let digest = try #require(found.file.selector.digest("sha-1"))
        let selector = FileSelector(
            name: "My cool picture.jpg", type: ContentType(type: "image", subtype: "jpeg"), size: 4_092,
            hashes: [FileHash("sha-1", digest), FileHash("sha-256", Array(repeating: 1, count: 32))])
        let answer = try SessionDescription(parsing: machine.answer(localPath: ourPath, selector: selector))
        let line = answer.media[0]
        #expect(
            line.attribute("file-selector")
                == "name:\"My cool picture.jpg\" type:image/jpeg size:4092 hash:sha-1:\(hash) hash:sha-256:"
                + Array(repeating: "01", count: 32).joined(separator: ":"))
        #expect(line.attribute("file-transfer-id") == "aCQYuBRVoUPGVsFZkCK98vzcX2FXDIk2")
        #expect(line.hasAttribute("sendonly") && line.attribute("accept-types") == "message/cpim")
        #expect(line.attribute("accept-wrapped-types") == "*" && !line.hasAttribute("x-file-offset"))
    }

    @Test("RFC 5547 8.3: a file-range that is taken is answered with the same values")
    func range() throws {
        var machine = machine()
        let found = try machine.examine(offer: file("recvonly", more: ["a=file-range:1001-*"]))
        #expect(found.file.range == FileRange(start: 1_001, stop: nil))
        let answer = try SessionDescription(parsing: machine.answer(localPath: ourPath))
        #expect(answer.media[0].attribute("file-range") == "1001-*")
    }

    @Test("RFC 4975 8.6: a file goes as it is to who takes its type, else in message/cpim, else not")
    func formats() throws {
        func format(_ types: String, wrapped: String? = nil, of type: String = "image/png") throws -> ChosenMedia
            .Format?
        {
            var machine = machine()
            let more = wrapped.map { ["a=accept-wrapped-types:\($0)"] } ?? []
            return try machine.examine(offer: file("recvonly", types: types, more: more)).format(for: type)
        }
        #expect(try format("*") == .plainText)
        #expect(try format("message/cpim image/*") == .plainText)
        #expect(try format("message/cpim") == .cpim)
        #expect(try format("message/cpim", wrapped: "image/png text/plain") == .cpim)
        #expect(try format("message/cpim", wrapped: "text/plain") == nil)
        #expect(try format("text/plain") == nil)
    }

    @Test("RFC 5547 5, 8: no selector, no direction, and what cannot be read: 488")
    func refusals() throws {
        #expect(refusal(file(selector: nil)) == .noFileSelector)
        #expect(refusal(file(selector: "")) == .noFileSelector)
        #expect(refusal(try Corpus.octets("sdp/rfc5547-08.sdp"))?.status == 488)
        #expect(refusal(file(selector: "size:x")) == .badFileSelector)
        #expect(refusal(file(selector: "hash:sha-1:AA")) == .badFileSelector)
        #expect(refusal(file(id: String(repeating: "x", count: 257))) == .badTransferID)
        #expect(refusal(file(id: "")) == .badTransferID)
        #expect(refusal(file(more: ["a=file-range:0-5"])) == .badFileRange)
        #expect(refusal(file("sendrecv")) == .noFileDirection)
        #expect(refusal(file("inactive")) == .noFileDirection)
        #expect(refusal(offer()) == .noFileSelector)
        #expect(refusal(file(port: 0)) == .disabled)
        #expect(refusal(file(id: nil)) == nil)
        for refusal in [Refusal.noFileSelector, .badFileSelector, .badTransferID, .badFileRange, .noFileDirection] {
            #expect(refusal.status == 488 && !refusal.text.contains("\""))
        }
    }

    @Test("RFC 5547 8.7: an offer is meant for a file only where no chat stands beside it")
    func meaning() throws {
        #expect(!FileNegotiation.isMeant(by: offer()))
        #expect(FileNegotiation.isMeant(by: file()))
        #expect(FileNegotiation.isMeant(by: offer(attributes: ["a=file-transfer-id:x"])))
        #expect(!FileNegotiation.isMeant(by: Array("a=file-selector:size:1".utf8)))
        let chat = "m=message 2855 TCP/MSRP *\r\na=path:msrp://192.0.2.7:2855/chat;tcp\r\na=accept-types:*\r\n"
        #expect(!FileNegotiation.isMeant(by: file() + Array(chat.utf8)))
        let refused = chat.replacing("m=message 2855", with: "m=message 0")
        #expect(FileNegotiation.isMeant(by: file() + Array(refused.utf8)))
        #expect(!FileNegotiation.isMeant(by: file(port: 0)))
    }

    @Test("RFC 5547 8.3: what is not taken keeps its selector and id at port 0; of several files the first is taken")
    func severalFiles() throws {
        let second =
            "m=message 2855 TCP/MSRP *\r\na=sendonly\r\na=path:msrp://192.0.2.7:2855/b;tcp\r\na=accept-types:*\r\n"
            + "a=file-selector:name:\"b\" size:7\r\na=file-transfer-id:two\r\na=file-icon:cid:x@y\r\n"
        var machine = machine()
        #expect(try machine.examine(offer: file() + Array(second.utf8)).media.mediaIndex == 0)
        let answer = try SessionDescription(parsing: machine.answer(localPath: ourPath))
        #expect(answer.media.map(\.port) == [2855, 0])
        #expect(answer.media[1].lines.map(\.value) == ["file-selector:name:\"b\" size:7", "file-transfer-id:two"])
        var chat = negotiation()
        let both = second + "m=message 2855 TCP/MSRP *\r\na=path:msrp://192.0.2.7:2855/chat;tcp\r\na=accept-types:*\r\n"
        let head = "v=0\r\no=alice 10 20 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
        #expect(try chat.examine(offer: Array((head + both).utf8)).media.mediaIndex == 1)
        let chatAnswer = try SessionDescription(parsing: chat.answer(localPath: ourPath))
        #expect(chatAnswer.media[0].attribute("file-transfer-id") == "two" && chatAnswer.media[0].port == 0)
    }

    @Test("RFC 5547 8.1, figure 3: what a second offer means")
    func secondOffers() throws {
        func change(_ second: [UInt8], first: [UInt8]? = nil) throws -> FileNegotiation.Change {
            var machine = machine()
            _ = try machine.examine(offer: first ?? file())
            _ = machine.answer(localPath: ourPath)
            return try machine.examine(offer: second).change
        }
        #expect(try change(file()) == .unchanged)
        #expect(try change(file("inactive")) == .updated)
        #expect(try change(file(path: "msrp://192.0.2.7:2855/new;tcp")) == .newSession)
        #expect(try change(file(selector: "name:\"a.txt\" size:5 hash:md5:AA")) == .unchanged)
        #expect(try change(file(id: "two")) == .newTransfer)
        #expect(try change(file(selector: "name:\"b.txt\" size:9", id: "two")) == .newTransfer)
        #expect(try change(file("recvonly", id: "two")) == .newTransfer)
        #expect(try change(file(selector: "name:\"b.txt\" size:9")) == .closed)
        #expect(try change(file("recvonly")) == .closed)
        #expect(try change(file(port: 0)) == .closed)
        #expect(throws: Refusal.noFileDirection) { try change(file("inactive", id: "two")) }
        #expect(try change(file(selector: "size:6", id: nil), first: file(selector: "size:5", id: nil)) == .newTransfer)
        #expect(try change(file(id: nil), first: file(id: nil)) == .unchanged)
    }

    @Test("a refresh is answered with the same octets, hold with inactive (RFC 3264 section 8)")
    func refresh() throws {
        var machine = machine()
        _ = try machine.examine(offer: file("recvonly"))
        let selector = FileSelector(name: "a.txt", size: 5, hashes: [FileHash("md5", [1])])
        let first = machine.answer(localPath: ourPath, selector: selector)
        #expect(try machine.examine(offer: file("recvonly")).change == .unchanged)
        #expect(machine.answer() == first)
        #expect(try machine.examine(offer: file("inactive")).change == .updated)
        let held = try SessionDescription(parsing: machine.answer())
        #expect(held.media[0].hasAttribute("inactive") && held.origin?.version == "2")
        #expect(held.media[0].attribute("file-selector") == selector.value)
        #expect(try machine.examine(offer: file("sendrecv")).media.direction == .sendonly)
    }

    @Test("RFC 5547 8.4, 8.6: port 0 closes the transfer and is mirrored, and the line may be used for another one")
    func closing() throws {
        var machine = machine()
        _ = try machine.examine(offer: file())
        _ = machine.answer(localPath: ourPath)
        #expect(try machine.examine(offer: file(port: 0)).change == .closed)
        let closed = try SessionDescription(parsing: machine.close())
        #expect(closed.media.map(\.port) == [0] && machine.media == nil)
        #expect(closed.media[0].attribute("file-transfer-id") == "one")
        #expect(closed.media[0].attribute("file-selector") == "name:\"a.txt\" size:5")
        // The same id means the transfer that is over (section 8.3.2).
        #expect(try machine.examine(offer: file()).change == .closed)
        let next = try machine.examine(offer: file("recvonly", selector: "size:9", id: "two"))
        #expect(next.change == .newTransfer && !next.isPush)
        #expect(try SessionDescription(parsing: machine.answer(localPath: ourPath)).media[0].port == 2855)
        #expect(try machine.examine(offer: file()).change == .closed)
    }

    @Test("one session does not remember ids without end")
    func manyTransfers() throws {
        var machine = machine()
        for number in 0..<FileNegotiation.transferIDs {
            _ = try machine.examine(offer: file(id: "id\(number)"))
            _ = machine.answer(localPath: ourPath)
        }
        #expect(throws: Refusal.tooManyTransfers) { try machine.examine(offer: file(id: "onemore")) }
    }

    @Test("RFC 5547 8.2: our own offers, to give and to ask, and their answers")
    func offering() throws {
        var giver = machine(), taker = machine()
        let described = FileDescription(
            selector: FileSelector(name: "a \"b\".txt", type: ContentType(type: "text", subtype: "plain"), size: 5),
            transferID: "id1", disposition: "attachment")
        let offer = giver.makeOffer(localPath: ourPath, file: described)
        #expect(
            text(offer)
                == text(
                    crlf(
                        "v=0", "o=- 77 1 IN IP4 198.51.100.1", "s=-", "c=IN IP4 198.51.100.1", "t=0 0",
                        "m=message 2855 TCP/MSRP *", "a=accept-types:*", "a=path:\(ourPath)", "a=setup:actpass",
                        "a=sendonly", "a=file-selector:name:\"a %22b%22.txt\" type:text/plain size:5",
                        "a=file-transfer-id:id1", "a=file-disposition:attachment")))
        let found = try taker.examine(offer: offer)
        #expect(found.isPush && found.file.selector == described.selector)
        let taken = try giver.acceptAnswer(taker.answer(localPath: "msrp://192.0.2.7:1/taker;tcp"))
        #expect(taken.media.remotePath == "msrp://192.0.2.7:1/taker;tcp" && taken.change == .initial && !taken.isPush)
        #expect(taken.media.direction == .sendonly || taken.media.direction == .recvonly)

        var asker = machine(), owner = machine()
        let wanted = FileDescription(selector: FileSelector(hashes: [FileHash("md5", [1, 2])]), transferID: "id2")
        let asked = try owner.examine(offer: asker.makeOffer(localPath: ourPath, file: wanted, asks: true))
        #expect(!asked.isPush && asked.file.selector == wanted.selector)
        let answer = owner.answer(localPath: ourPath, selector: FileSelector(name: "x", size: 3))
        #expect(try asker.acceptAnswer(answer).file.selector == FileSelector(name: "x", size: 3))
        let refused = text(answer).replacing("m=message 2855", with: "m=message 0")
        _ = asker.makeOffer(localPath: ourPath)
        #expect(throws: AnswerError.rejected) { try asker.acceptAnswer(Array(refused.utf8)) }
    }

    @Test("offers changed at random never trap, and what is accepted is answered with as many lines")
    func mutations() throws {
        var random = SplitMix64(state: 99)
        let seeds = [try Corpus.octets("sdp/sipsession3-file.sdp"), try Corpus.octets("sdp/rfc5547-06.sdp")]
        for round in 0..<4_000 {
            let octets = mutated(seeds[round % 2], &random)
            var machine = machine()
            guard (try? machine.examine(offer: octets)) != nil else { continue }
            let answer = try SessionDescription(parsing: machine.answer(localPath: ourPath))
            #expect(try SessionDescription(parsing: octets).media.count == answer.media.count)
            _ = try? machine.examine(offer: mutated(octets, &random))
            _ = machine.close()
        }
    }
}
