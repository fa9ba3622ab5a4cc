import FileSpool
import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

@Suite("Files pushed into a room and pulled from it, RFC 5547")
struct FileTransferTests {
    private let bench = Bench(shelf: FakeShelf([.make()]))
    private let room = Bench.room

    private func warning(_ answer: Answer) -> String { answer.header("Warning") ?? "" }

    // MARK: Push

    @Test("RFC 5547 8.3.1: a push by a participant gets recvonly with its selector and id, octet for octet")
    func push() async throws {
        _ = try await bench.join()
        let (call, asked, answer) = try await bench.file()
        #expect(answer.contact == "<sip:lobby@192.0.2.1:5060>;isfocus")
        let origin = try #require(answer.sdpLine("o=")?.split(separator: " ")[1])
        #expect(
            answer.sdp
                == [
                    "v=0", "o=- \(origin) 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
                    "m=message 2855 TCP/MSRP *", "a=accept-types:*", "a=max-size:104857600",
                    "a=path:msrp://192.0.2.1:2855/f1;tcp", "a=setup:passive", "a=recvonly",
                    "a=file-selector:name:\"a.txt\" type:text/plain size:19 hash:sha-1:\(Offer.sha1)",
                    "a=file-transfer-id:one",
                ].map { "\($0)\r\n" }.joined())
        #expect(asked.room == room && asked.participant == "sip:alice@example.org" && asked.displayName == "Alice")
        guard case .receive(let offer) = asked.work else { throw TestFailure() }
        #expect(offer.name == "a.txt" && offer.type == "text/plain" && offer.size == 19)
        #expect(offer.hashes.map(\.hash) == ["sha-1"] && offer.hashes.first?.digest.prefix(2) == [0x72, 0x24])
        #expect(asked.media.direction == .sendOnly && asked.media.path == "msrp://198.51.100.7:2855/file;tcp")
        await bench.focus.handle(.acknowledged(call, nil))
        #expect(await bench.next() == .startFile(FileTransferID(number: 1)))
    }

    @Test("what was received is announced; its call is the peer's to end, after five seconds ours")
    func received() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        let file = SpooledFile.make("f2")
        await bench.focus.handle(.received(transfer, file))
        #expect(await bench.next() == .announce(file, room))
        await bench.expectQuiet()
        await bench.stack.fireTimer(on: bench.focus, after: .seconds(5))  // of the chat's ACK
        await bench.stack.fireTimer(on: bench.focus, after: .seconds(5))  // of the file's ACK, or the end
        await bench.stack.fireTimer(on: bench.focus, after: .seconds(5))
        #expect(await bench.next() == .endFile(transfer))
        #expect(await bench.next() == .hangUp(call, reason: HangUpReason.fileDone))
        await bench.focus.handle(.ended(call, .hungUp))
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("the sender's BYE right behind its last octet: the file is announced all the same")
    func byeBeforeReceived() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        #expect(await bench.next() == .endFile(transfer))
        await bench.focus.handle(.ended(call, .hungUp))
        await bench.focus.handle(.received(transfer, .make("f2")))
        #expect(await bench.next() == .announce(.make("f2"), room))
        await bench.expectQuiet()
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test(
        "a transfer that fails ends its call, and BYE says why (RFC 3326)",
        arguments: [
            (FileFailure.hashMismatch, "SIP;cause=488;text=\"The file is not the one that was announced\""),
            (.interrupted, "SIP;cause=408;text=\"The file transfer was interrupted\""),
            (.limit, "SIP;cause=413;text=\"There is no room for the file\""),
            (.disk, "SIP;cause=500;text=\"The file could not be kept\""),
        ])
    func failed(failure: FileFailure, reason: String) async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        await bench.focus.handle(.failed(transfer, failure))
        #expect(await bench.next() == .endFile(transfer))
        #expect(await bench.next() == .hangUp(call, reason: reason))
        await bench.expectQuiet()
    }

    @Test("only whole files are taken: another file-range is 488 (RFC 5547 8.3.1)")
    func pushedRange() async throws {
        _ = try await bench.join()
        let refused = try await bench.refusal(of: .file(Offer.file(more: ["a=file-range:5-19"])))
        #expect(refused.status == 488 && warning(refused).contains("whole files"))
        let (_, _, answer) = try await bench.file(.file(Offer.file(more: ["a=file-range:1-19"])))
        #expect(answer.sdpLine("a=file-range") == "a=file-range:1-19")
    }

    @Test("a file above the limit: 413 with a Warning that says the limit")
    func tooLarge() async throws {
        _ = try await bench.join()
        for size in ["104857601", "18446744073709551615"] {
            let refused = try await bench.refusal(of: .file(Offer.file(selector: "name:\"a\" size:\(size)")))
            #expect(refused.status == 413)
            #expect(warning(refused) == "399 192.0.2.1:5060 \"Files of at most 104857600 octets are taken\"")
        }
    }

    @Test(
        "what the spool refuses",
        arguments: [
            (JoinRefusal.fileRefused(.fileTooLarge), 413), (.fileRefused(.roomIsFull), 480),
            (.fileRefused(.noSuchFile), 404), (.tooManyTransfers, 480), (.noSpool, 488), (.malformedPath, 488),
            (.fileRefused(.shuttingDown), 503),
        ])
    func spoolRefuses(refusal: JoinRefusal, status: Int) async throws {
        _ = try await bench.join()
        bench.mixer.refuse(refusal)
        #expect(try await bench.refusal(of: .file()).status == status)
        bench.mixer.refuse(nil)
        #expect(await bench.focus.dialogCount == 1)
        _ = try await bench.file()
    }

    // MARK: Who may

    @Test("strangers get 403, also for a file that isn't there; no such room 404")
    func strangers() async throws {
        let bench = Bench(shelf: FakeShelf([.make()])) { $0.createsRoomsOnDemand = true }
        #expect(try await bench.refusal(of: .file()).status == 404)
        _ = try await bench.join()
        for sdp in [Offer.file(), Offer.file("recvonly"), Offer.file("recvonly", selector: "hash:sha-1:\(Offer.sha1)")]
        {
            let refused = try await bench.refusal(of: .file(sdp, from: "mallory"))
            #expect(refused.status == 403 && warning(refused).contains("only participants"))
        }
        #expect(try await bench.refusal(of: .file(room: "sip:other@example.com")).status == 404)
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("whoever may not speak may not push, and may pull")
    func observers() async throws {
        let bench = Bench(shelf: FakeShelf([.make()])) { $0.adhoc.speak = .owners }
        _ = try await bench.join()
        _ = try await bench.join(.guest("bob"))
        #expect(try await bench.refusal(of: .file(from: "bob")).status == 403)
        let pull = Offer.file("recvonly", selector: SpooledFile.make().selector)
        let (_, asked, _) = try await bench.file(.file(pull, from: "bob"))
        #expect(asked.work == .send(.make(), offset: 0, length: nil))
    }

    @Test("a room that takes no files, and a server without a spool: 488 with a Warning")
    func noFiles() async throws {
        let without = Bench()
        _ = try await without.join()
        #expect(try await without.refusal(of: .file()).status == 488)
        let closed = Bench(shelf: FakeShelf()) { $0.adhoc.files = .none }
        _ = try await closed.join()
        let refused = try await closed.refusal(of: .file())
        #expect(refused.status == 488)
        #expect(warning(refused) == "305 192.0.2.1:5060 \"This room takes no files\"")
    }

    @Test("who hides its name in the room hides it as a file's sender too")
    func anonymousSender() async throws {
        _ = try await bench.join(.invite(headers: ["Privacy": "id"]))
        let (_, asked, _) = try await bench.file()
        #expect(asked.participant.hasSuffix("@anonymous.invalid") && asked.displayName != "Alice")
    }

    @Test("limits: transfersPerAccount and transfers, 480 with Retry-After")
    func limits() async throws {
        let bench = Bench(shelf: FakeShelf()) {
            $0.limits.transfersPerAccount = 2
            $0.limits.transfers = 3
        }
        _ = try await bench.join()
        _ = try await bench.join(.guest("bob"))
        _ = try await bench.file()
        let (second, _, _) = try await bench.file()
        #expect(try await bench.refusal(of: .file()).status == 480)
        _ = try await bench.file(.file(from: "bob"))
        let refused = try await bench.refusal(of: .file(from: "bob"))
        #expect(refused.status == 480 && refused.header("Retry-After") != nil)
        await bench.focus.handle(.bye(second, .make("BYE", "sip:lobby@192.0.2.1")))
        await bench.focus.handle(.ended(second, .hungUp))
        _ = try await bench.file()
    }

    @Test("RFC 5547 5: an offer without a usable selector or direction: 488 with a Warning, 400 for no description")
    func badOffers() async throws {
        _ = try await bench.join()
        for sdp in [
            Offer.file(selector: ""), Offer.file(selector: "size:x"), Offer.file("inactive"), Offer.file("sendrecv"),
            Offer.file(more: ["a=file-range:0-1"]), Offer.file(port: 0),
        ] {
            let refused = try await bench.refusal(of: .file(sdp))
            #expect(refused.status == 488 && !warning(refused).isEmpty, "\(sdp)")
        }
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("RFC 5547 8.7: a chat beside the file: the chat is taken, the file refused with port 0, its id kept")
    func chatFirst() async throws {
        let file = Offer.file().split(separator: "\r\n").drop { !$0.hasPrefix("m=") }.map { "\($0)\r\n" }.joined()
        let (_, _, answer) = try await bench.join(.invite(body: MessageBody(sdp: Offer.plain + file)))
        #expect(answer.sdp.contains("m=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim"))
        #expect(
            answer.sdp.hasSuffix(
                "m=message 0 TCP/MSRP *\r\na=file-selector:name:\"a.txt\" type:text/plain size:19 hash:sha-1:\(Offer.sha1)\r\na=file-transfer-id:one\r\n"
            ))
    }

    // MARK: Pull

    @Test("RFC 5547 8.3.2: a pull by hash is answered sendonly with name, type, size and both hashes")
    func pull() async throws {
        _ = try await bench.join()
        let hash = FileHash("sha-1", SpooledFile.make().sha1).value
        let (_, asked, answer) = try await bench.file(.file(Offer.file("recvonly", selector: "hash:\(hash)")))
        #expect(asked.work == .send(.make(), offset: 0, length: nil))
        #expect(asked.media.format == .plainText && asked.media.direction == .receiveOnly)
        let sha256 = Array(repeating: "07", count: 32).joined(separator: ":")
        #expect(
            answer.sdpLine("a=file-selector")
                == "a=file-selector:name:\"a.txt\" type:text/plain size:19 hash:\(hash) hash:sha-256:\(sha256)")
        #expect(answer.sdpLine("a=sendonly") != nil && answer.sdpLine("a=file-transfer-id") == "a=file-transfer-id:one")
        #expect(answer.sdpLine("a=x-file-offset") == nil)
    }

    @Test("a file-range is answered with the same values; one beyond the file is 488 (RFC 5547 8.3.2)")
    func pulledRange() async throws {
        _ = try await bench.join()
        let selector = SpooledFile.make().selector
        func offer(_ range: String) -> Request {
            .file(Offer.file("recvonly", selector: selector, more: ["a=file-range:\(range)"]))
        }
        let (_, tail, answer) = try await bench.file(offer("11-*"))
        #expect(tail.work == .send(.make(), offset: 10, length: nil))
        #expect(answer.sdpLine("a=file-range") == "a=file-range:11-*")
        #expect(try await bench.file(offer("2-5")).asked.work == .send(.make(), offset: 1, length: 4))
        #expect(try await bench.file(offer("1-19")).asked.work == .send(.make(), offset: 0, length: nil))
        for range in ["20-*", "1-20", "18446744073709551615-*", "5-18446744073709551615"] {
            #expect(try await bench.refusal(of: offer(range)).status == 488, "\(range)")
        }
    }

    @Test("a selector that means nothing here is 404; of several files the newest is sent (RFC 5547 8.3.2)")
    func selecting() async throws {
        let files: [SpooledFile] = [
            .make("old", digest: 1), .make("new", digest: 2), .make("other", name: "b.png", type: "image/png", size: 5),
            .make("away", digest: 9, room: "other@example.com"),
        ]
        let bench = Bench(shelf: FakeShelf(files))
        _ = try await bench.join()
        func found(_ selector: String) async throws -> String {
            let transaction = bench.nextTransaction()
            await bench.focus.handle(
                .invite(Call(id: transaction.id), transaction, .file(Offer.file("recvonly", selector: selector))))
            while true {
                switch await bench.next() {
                case .reserveFile(let request):
                    guard case .send(let file, _, _) = request.work else { throw TestFailure() }
                    _ = try await bench.nextAnswer()
                    return file.id
                case .answer(let answer):
                    #expect(answer.status == 404 && warning(answer).contains("no such file"))
                    return ""
                default: continue
                }
            }
        }
        #expect(try await found("name:\"a.txt\"") == "new")
        #expect(
            try await found("name:\"a.txt\" hash:\(FileHash("sha-1", Array(repeating: 1, count: 20)).value)") == "old")
        #expect(try await found("type:image/png") == "other")
        #expect(try await found("size:5 type:text/plain") == "")
        #expect(try await found("name:\"c.txt\"") == "")
        #expect(try await found("hash:sha-1:\(Offer.sha1)") == "")
        #expect(try await found("hash:\(FileHash("sha-1", Array(repeating: 9, count: 20)).value)") == "")
        #expect(try await found("hash:md5:AA") == "")
        // Clients guess types, and files are renamed: a hash says enough.
        #expect(
            try await found(
                "name:\"x\" type:a/b hash:\(FileHash("sha-256", Array(repeating: 2, count: 32)).value)") == "new")
    }

    @Test("who takes message/cpim only gets the file in it; who takes no such type: 488")
    func formats() async throws {
        _ = try await bench.join()
        let selector = SpooledFile.make().selector
        let (_, asked, answer) = try await bench.file(
            .file(Offer.file("recvonly", selector: selector, accept: "message/cpim")))
        #expect(asked.media.format == .cpim && answer.sdpLine("a=accept-wrapped-types") == "a=accept-wrapped-types:*")
        let refused = try await bench.refusal(of: .file(Offer.file("recvonly", selector: selector, accept: "image/*")))
        #expect(refused.status == 488 && warning(refused).hasPrefix("305 "))
        let small = Offer.file("recvonly", selector: selector, more: ["a=max-size:18"])
        #expect(try await bench.refusal(of: .file(small)).status == 488)
    }

    @Test("a file that was sent: the peer's BYE, after five seconds ours; twice is not announced")
    func sent() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer(
            .file(Offer.file("recvonly", selector: SpooledFile.make().selector)))
        await bench.focus.handle(.sent(transfer))
        await bench.expectQuiet()
        for _ in 0..<3 { await bench.stack.fireTimer(on: bench.focus, after: .seconds(5)) }
        #expect(await bench.next() == .endFile(transfer))
        #expect(await bench.next() == .hangUp(call, reason: HangUpReason.fileDone))
    }

    // MARK: Ends

    @Test("CANCEL while the mixer is asked: what it makes is released, and nothing is answered")
    func cancel() async throws {
        _ = try await bench.join()
        bench.mixer.hold()
        let transaction = bench.nextTransaction()
        let call = Call(id: transaction.id)
        await bench.focus.handle(.invite(call, transaction, .file()))
        guard case .reserveFile = await bench.next() else { throw TestFailure() }
        await bench.focus.handle(.cancelled(call, bench.nextTransaction()))
        await bench.focus.handle(.ended(call, .hungUp))
        bench.mixer.goOn()
        #expect(await bench.next() == .endFile(FileTransferID(number: 1)))
        await bench.expectQuiet()
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("BYE in the middle ends the transfer, once")
    func earlyBye() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        #expect(await bench.next() == .endFile(transfer))
        await bench.focus.handle(.ended(call, .hungUp))
        await bench.focus.handle(.failed(transfer, .interrupted))
        await bench.expectQuiet()
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("without an ACK the transfer is ended, and BYE follows when it may")
    func noAcknowledgement() async throws {
        _ = try await bench.join()
        let (call, _, _) = try await bench.file()
        bench.clock.advance(by: .seconds(5))
        await bench.stack.fireTimer(on: bench.focus, after: .seconds(5))
        #expect(await bench.next() == .endFile(FileTransferID(number: 1)))
        #expect(await bench.next() == .hangUp(call, reason: HangUpReason.noAcknowledgement))
    }

    @Test("a participant that leaves lets its transfers finish; one that is put out does not")
    func leaving() async throws {
        _ = try await bench.join(.guest("carol"))
        let (chat, member, _) = try await bench.join(.guest("bob"))
        let (_, transfer) = try await bench.transfer(.file(from: "bob"))
        await bench.focus.handle(.bye(chat, .make("BYE", "sip:lobby@192.0.2.1")))
        #expect(await bench.next() == .leave(member, .departed))
        await bench.focus.handle(.received(transfer, .make("f2")))
        #expect(await bench.next() == .announce(.make("f2"), room))

        _ = try await bench.join()
        let (call, second) = try await bench.transfer()
        #expect(await bench.focus.removeParticipant("alice@example.org", from: room, reason: "") == 1)
        while true {
            let action = await bench.next()
            if action == .endFile(second) { break }
            if action == .nothing { throw TestFailure() }
        }
        #expect(await bench.next() == .hangUp(call, reason: .removed("")))
    }

    @Test("the room's end takes its transfers and its files with it")
    func roomEnds() async throws {
        let shelf = FakeShelf([.make()])
        let bench = Bench(shelf: shelf)
        let (chat, _, _) = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        await bench.focus.handle(.bye(chat, .make("BYE", "sip:lobby@192.0.2.1")))
        var actions: [Action] = []
        while actions.last != .hangUp(call, reason: .ended("The conference has ended")) {
            actions.append(await bench.next())
            if actions.last == .nothing { throw TestFailure() }
        }
        #expect(actions.contains(.endFile(transfer)))
        while !shelf.removed.contains("lobby@example.com") { await Task.yield() }
        #expect(shelf.files(in: "lobby@example.com").isEmpty)
        // Its last octets were there already: nobody is told, and it doesn't stay.
        await bench.focus.handle(.received(transfer, .make("late")))
        while !shelf.removed.contains("late") { await Task.yield() }
        await bench.expectQuiet()
    }

    @Test("shutdown ends the transfers, and waits for their calls")
    func shutdown() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        let focus = bench.focus
        async let done: Void = focus.shutdown()
        var actions: [Action] = []
        while actions.last != .hangUp(call, reason: HangUpReason.shutdown) {
            actions.append(await bench.next())
            if actions.last == .nothing { throw TestFailure() }
        }
        #expect(actions.contains(.endFile(transfer)))
        await bench.focus.handle(.ended(Call(id: 1), .hungUp))
        await bench.focus.handle(.ended(call, .hungUp))
        await done
        #expect(await bench.focus.dialogCount == 0)
    }

    // MARK: Within the call

    @Test("a refresh changes nothing, hold is passed on, a new path too (RFC 3264 section 8)")
    func reoffers() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        _ = await bench.offer(call, .invite(body: MessageBody(sdp: Offer.file(version: 2))))
        #expect(try await bench.nextAnswer().sdpLine("o=")?.contains(" 1 IN") == true)
        _ = await bench.offer(call, .update(body: MessageBody(sdp: Offer.file("inactive", version: 3))))
        guard case .renegotiateFile(transfer, let held) = await bench.next() else { throw TestFailure() }
        #expect(held.direction == .inactive)
        #expect(try await bench.nextAnswer().sdpLine("a=inactive") != nil)
        let moved = Offer.file(version: 4, path: "msrp://198.51.100.7:2855/moved;tcp")
        _ = await bench.offer(call, .invite(body: MessageBody(sdp: moved)))
        guard case .renegotiateFile(transfer, let media) = await bench.next() else { throw TestFailure() }
        #expect(media.path == "msrp://198.51.100.7:2855/moved;tcp")
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200 && answer.sdpLine("a=path") == "a=path:msrp://192.0.2.1:2855/f1;tcp")
        _ = await bench.offer(call, .update())
        #expect(try await bench.nextAnswer().body == nil)
    }

    @Test("RFC 5547 8.4: port 0 ends the transfer and is answered with port 0; the call ends later")
    func closing() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        _ = await bench.offer(call, .invite(body: MessageBody(sdp: Offer.file(version: 2, port: 0))))
        #expect(await bench.next() == .endFile(transfer))
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200 && answer.sdpLine("m=") == "m=message 0 TCP/MSRP *")
        #expect(answer.sdpLine("a=file-transfer-id") == "a=file-transfer-id:one")
        for _ in 0..<3 { await bench.stack.fireTimer(on: bench.focus, after: .seconds(5)) }
        #expect(await bench.next() == .hangUp(call, reason: HangUpReason.mediaRemoved))
    }

    @Test("RFC 5547 9.2: another file over the same line is another transfer; the end of the first does not end it")
    func secondFile() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer(
            .file(Offer.file("recvonly", selector: SpooledFile.make().selector)))
        await bench.focus.handle(.sent(transfer))
        let offer = Offer.file(selector: "name:\"sunset.jpg\" size:4096", id: "two", version: 2)
        _ = await bench.offer(call, .invite(body: MessageBody(sdp: offer)))
        guard case .reserveFile(let asked) = await bench.next() else { throw TestFailure() }
        guard case .receive(let file) = asked.work else { throw TestFailure() }
        #expect(file.name == "sunset.jpg")
        #expect(await bench.next() == .endFile(transfer))
        let answer = try await bench.nextAnswer()
        #expect(answer.sdpLine("a=file-transfer-id") == "a=file-transfer-id:two")
        #expect(answer.sdpLine("a=path") == "a=path:msrp://192.0.2.1:2855/f2;tcp")
        #expect(await bench.next() == .startFile(FileTransferID(number: 2)))
        for _ in 0..<4 { await bench.stack.fireTimer(on: bench.focus, after: .seconds(5)) }
        await bench.expectQuiet()
        let bad = Offer.file("recvonly", selector: "name:\"none\"", id: "three", version: 3)
        _ = await bench.offer(call, .invite(body: MessageBody(sdp: bad)))
        #expect(try await bench.nextAnswer().status == 404)
        await bench.expectQuiet()
    }

    @Test("a re-INVITE without offer gets our description; an answer that gives the file up ends the call")
    func offerless() async throws {
        _ = try await bench.join()
        let (call, transfer) = try await bench.transfer()
        _ = await bench.offer(call, .invite(body: nil))
        let offer = try await bench.nextAnswer()
        #expect(offer.sdpLine("a=recvonly") != nil && offer.sdpLine("a=file-transfer-id") == "a=file-transfer-id:one")
        await bench.focus.handle(.acknowledged(call, MessageBody(sdp: Offer.file())))
        await bench.expectQuiet()
        _ = await bench.offer(call, .invite(body: nil))
        _ = try await bench.nextAnswer()
        await bench.focus.handle(.acknowledged(call, MessageBody(sdp: Offer.file(port: 0))))
        #expect(await bench.next() == .endFile(transfer))
        #expect(await bench.next() == .hangUp(call, reason: HangUpReason.badAnswer))
    }

    @Test("requests within a file's call: SUBSCRIBE to the room's roster, OPTIONS; others' are refused")
    func subscribing() async throws {
        _ = try await bench.join()
        let (call, _) = try await bench.transfer()
        let subscribe = Request.make(
            "SUBSCRIBE", "sip:lobby@192.0.2.1:5060",
            headers: ["Event": "conference", "Expires": "600", "To": "<sip:lobby@example.com>;tag=x"])
        let transaction = bench.nextTransaction()
        await bench.focus.handle(.inDialogRequest(call, transaction, subscribe))
        #expect(try await bench.nextAnswer().status == 200)
        guard case .sent(let notify) = await bench.next() else { throw TestFailure() }
        #expect(notify.method == "NOTIFY" && notify.dialog == .call(call))
        let info = try ConferenceInfo(parsing: notify.body?.content ?? [])
        #expect(info.users?.list.map(\.entity) == ["sip:alice@example.org"])
        let options = bench.nextTransaction()
        await bench.focus.handle(.inDialogRequest(call, options, .options("sip:lobby@192.0.2.1:5060")))
        #expect(try await bench.nextAnswer().contact?.contains("lobby") == true)
        await bench.focus.handle(.ended(call, .hungUp))
        #expect(await bench.focus.notifyCounters.subscriptionsMade == 1)
    }
}
