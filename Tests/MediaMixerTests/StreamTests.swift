import MSRPTransport
import MediaMixer
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("Large messages are passed on while they come in (RFC 7701 section 6.1)", .serialized)
struct StreamTests {
    @Test("RFC 7701 6.1: distribution begins with the CPIM head, before the sender has ended its chunk")
    func beginsEarly() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let body = alice.large(200_000)
        let id = alice.msrp.newID()
        let bytes = alice.msrp.sendBytes(id: id, messageID: "large", body: body)
        // All but the last 1,000 octets; the end-line is not among them.
        try alice.msrp.stream.send(Array(bytes.dropLast(1000)))
        let received = Chunks(bob.msrp)
        let first = try received.next()
        #expect(first["Byte-Range"] == "1-*/200000")
        #expect(first.flag == "+")
        #expect(first["Content-Type"] == "message/cpim")
        #expect(first["To-Path"] == bob.msrp.localPath)
        #expect(first.messageID != "large")
        try alice.msrp.stream.send(Array(bytes.suffix(1000)))
        let whole = try received.ended()
        #expect(whole.body == body)
        #expect(whole.flag == "$")
        #expect(whole.chunks >= 4)
        #expect(try alice.msrp.response(to: id).status == 200)
        #expect(await fixture.mixer.counters().streams == 1)
        try await fixture.end()
    }

    @Test("each chunk is answered when it ends and passed on then; the last is reported on (RFC 4975 section 7.1.3)")
    func chunkByChunk() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(30_000), from: alice)
        let received = Chunks(bob.msrp)
        #expect(try message.send(1000) == 200)
        #expect(try received.next().body?.count == 1000)
        #expect(try message.send(2000) == 200)
        let second = try received.next()
        #expect(second["Byte-Range"] == "1001-*/30000")
        #expect(second.body?.count == 2000)
        #expect(try message.finish(extra: "Success-Report: yes\r\n") == 200)
        #expect(try received.ended().body == message.body)
        // The report was asked for by the last chunk only, while the head that counts is the first one's.
        let reported = LargeMessage(alice.large(30_000), messageID: "reported", from: alice)
        #expect(try reported.send(5000, extra: "Success-Report: yes\r\n") == 200)
        #expect(try reported.finish() == 200)
        let report = try alice.msrp.next()
        #expect(report.word == "REPORT")
        #expect(report.messageID == "reported")
        #expect(report["Byte-Range"] == "1-30000/30000")
        #expect(report["Status"] == "000 200 OK")
        try await fixture.end()
    }

    @Test("a message of unknown size is passed on once it has grown above max_unchunked, and says so: a star")
    func unknownSize() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(40_000), from: alice, total: "*")
        #expect(try message.send(9000) == 200)
        #expect(try bob.msrp.nextIfAny(within: 0.05) == nil)
        #expect(try message.send(9000) == 200)
        let received = Chunks(bob.msrp)
        #expect(try received.next()["Byte-Range"] == "1-*/*")
        #expect(try message.finish() == 200)
        #expect(try received.ended().body == message.body)
        try await fixture.end()
    }

    @Test("RFC 4975 7.3.1: chunks out of order and twice: receivers get each octet once and in order")
    func disorder() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let body = alice.large(60_000)
        for (range, flag) in [
            (20_000..<40_000, "+"), (0..<20_000, "+"), (10_000..<30_000, "+"), (40_000..<60_000, "$"),
        ]
            as [(Range<Int>, Character)]
        {
            let id = alice.msrp.newID()
            try alice.msrp.stream.send(
                alice.msrp.sendBytes(
                    id: id, messageID: "mixed", byteRange: "\(range.lowerBound + 1)-*/60000", body: Array(body[range]),
                    flag: flag))
            #expect(try alice.msrp.response(to: id).status == 200)
        }
        #expect(try Chunks(bob.msrp).ended().body == body)
        try await fixture.end()
    }

    @Test("RFC 7701 6.1: recipients are those of the first chunk: who joins later gets nothing, who leaves is no harm")
    func recipientsAreSettled() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let leaver = try await fixture.join("leaver")
        let message = LargeMessage(alice.large(300_000), from: alice)
        try message.send(100_000)
        let received = Chunks(bob.msrp)
        try received.next()
        let late = try await fixture.join("late")
        try message.send(100_000)
        await fixture.mixer.leave(leaver.member, reason: .departed)
        #expect(try message.finish() == 200)
        #expect(try received.ended().body == message.body)
        #expect(try alice.say("after") == 200)
        #expect(try late.hears() == "after")
        #expect(try bob.hears() == "after")
        try await fixture.end()
    }

    @Test("a recipient that comes back in a new session gets nothing of what had begun before")
    func receiverReconnects() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(300_000), from: alice)
        try message.send(100_000)
        try Chunks(bob.msrp).next()
        bob.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "bob lost" }
        let renewed = try await fixture.mixer.renegotiate(
            bob.member, media: fixture.media("bob") { $0.path = "msrp://127.0.0.1:9/again;tcp" }, newSession: true)
        let again = try RawMSRPClient(remotePath: renewed.localPath, localPath: "msrp://127.0.0.1:9/again;tcp")
        #expect(try again.bind().status == 200)
        #expect(try message.finish() == 200)
        #expect(try alice.say("after") == 200)
        #expect(try again.nextMessage().cpimText == "after")
        try await fixture.end()
    }

    // MARK: Ends

    @Test("the sender's connection breaks: recipients get `#` behind what they have (RFC 4975 section 7.1)")
    func senderDies() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(300_000), from: alice)
        try message.send(100_000)
        let received = Chunks(bob.msrp)
        try received.next()
        alice.msrp.stream.reset()
        let whole = try received.ended()
        #expect(whole.flag == "#")
        #expect(whole.body == Array(message.body.prefix(100_000)))
        #expect(received.last?["Byte-Range"] == "100001-100000/300000")
        #expect(received.last?.body == [])
        #expect(await fixture.mixer.counters().streamsAborted == 1)
        try await fixture.end()
    }

    @Test("the sender leaves: `#`")
    func senderLeaves() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(300_000), from: alice)
        try message.send(100_000)
        await fixture.mixer.leave(alice.member, reason: .departed)
        #expect(try Chunks(bob.msrp).ended().flag == "#")
        try await fixture.end()
    }

    @Test("`#` from the sender is passed on, answered with 200, and another message may follow")
    func senderAborts() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(300_000), from: alice)
        try message.send(50_000)
        #expect(try message.send(70_000, flag: "#") == 200)
        let received = Chunks(bob.msrp)
        let whole = try received.ended()
        #expect(whole.flag == "#")
        #expect(whole.body == Array(message.body.prefix(whole.body.count)))
        let next = LargeMessage(alice.large(50_000), messageID: "next", from: alice)
        #expect(try next.finish() == 200)
        #expect(try received.ended().body == next.body)
        try await fixture.end()
    }

    @Test("RFC 7701 6.1: the chunk reception timer starts again with each chunk; when it ends: `#`, then 413")
    func timer() async throws {
        let fixture = try await MixerFixture.streaming { $0.chunkReceptionTime = .seconds(100) }
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(300_000), from: alice)
        let received = Chunks(bob.msrp)
        for size in [50_000, 100_000] {
            try message.send(50_000)
            while received.messages.values.first?.body.count != size { try received.next() }
            // Bob's answers are there as well, and time may pass.
            #expect(try bob.msrp.bind().status == 200)
            await fixture.tick(after: .seconds(95))
            #expect(await fixture.mixer.counters().streamsAborted == 0)
        }
        await fixture.tick(after: .seconds(300))
        let whole = try received.ended()
        #expect(whole.flag == "#")
        #expect(whole.body.count == 100_000)
        #expect(try message.send(50_000) == 413)
        #expect(try alice.say("still here") == 200)
        #expect(try bob.hears() == "still here")
        try await fixture.end()
    }

    @Test("once its chunk was refused, a message is passed on no further: octets beyond its declared size")
    func beyondTotal() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(60_000), from: alice, total: "50000")
        try message.send(40_000)
        #expect(try message.finish() == 400)
        #expect(try Chunks(bob.msrp).ended().flag == "#")
        try await fixture.end()
    }

    // MARK: Judging

    @Test(
        "RFC 7701 6.3: what is wrong with the head is answered as soon as that is there",
        arguments: [
            ("From: <sip:bob@example.com>\r\nTo: <sip:lobby@example.com>", 403),
            ("From: <sip:alice@example.com>\r\nTo: <sip:nobody@example.com>", 404),
            ("From: <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\nTo: <sip:bob@example.com>", 403),
            ("From: <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\nno header", 400),
        ])
    func refusedByHead(head: String, status: Int) async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let body =
            Array("\(head)\r\n\r\nContent-Type: text/plain\r\n\r\n".utf8) + [UInt8](repeating: 0x78, count: 50_000)
        let id = alice.msrp.newID()
        let bytes = alice.msrp.sendBytes(id: id, messageID: "large", body: body)
        try alice.msrp.stream.send(Array(bytes.dropLast(20_000)))
        // Before the end of the chunk.
        #expect(try alice.msrp.response(to: id).status == status)
        try alice.msrp.stream.send(Array(bytes.suffix(20_000)))
        let rest = alice.msrp.newID()
        try alice.msrp.stream.send(
            alice.msrp.sendBytes(id: rest, messageID: "large", byteRange: "60000-*/70000", body: [0x78]))
        #expect(try alice.msrp.response(to: rest).status == 413)
        #expect(try alice.say("fine") == 200)
        #expect(try bob.hears() == "fine")
        try await fixture.end()
    }

    @Test("a head that comes octet by octet is waited for")
    func slowHead() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(20_000), from: alice)
        let head = alice.cpim("").count
        while message.sent < head - 1 { #expect(try message.send(1) == 200) }
        #expect(try bob.msrp.nextIfAny(within: 0.05) == nil)
        while message.sent < head + 4 { #expect(try message.send(1) == 200) }
        #expect(try message.finish() == 200)
        let whole = try Chunks(bob.msrp).ended()
        #expect(whole.body == message.body)
        #expect(whole.chunks >= 2)
        try await fixture.end()
    }

    @Test("a CPIM head without end is refused with 400 at 16 KiB, and at the message's end")
    func endlessHead() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let body = Array("From: <\(alice.uri)>\r\nSubject: ".utf8) + [UInt8](repeating: 0x78, count: 50_000)
        let message = LargeMessage(body, from: alice)
        #expect(try message.send(16_000) == 200)
        #expect(try message.send(2000) == 400)
        let short = LargeMessage(Array(body.prefix(5000)), messageID: "short", from: alice, total: "50000")
        #expect(try short.finish() == 400)
        try await fixture.end()
    }

    @Test("what was passed on whole in an earlier session is answered and not passed on again (RFC 4975 section 5.4)")
    func repeated() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let received = Chunks(bob.msrp)
        let body = alice.large(50_000)
        #expect(try LargeMessage(body, from: alice).finish() == 200)
        #expect(try received.ended().body == body)
        // This one got half through.
        let half = LargeMessage(body, messageID: "half", from: alice)
        try half.send(20_000)
        alice.msrp.stream.reset()
        #expect(try received.ended().flag == "#")
        try await fixture.until { fixture.events.last == "alice lost" }
        let renewed = try await fixture.mixer.renegotiate(
            alice.member, media: fixture.media("alice") { $0.path = "msrp://127.0.0.1:9/again;tcp" }, newSession: true)
        let client = try RawMSRPClient(remotePath: renewed.localPath, localPath: "msrp://127.0.0.1:9/again;tcp")
        #expect(try client.bind().status == 200)
        for messageID in ["large", "half"] {
            let id = client.newID()
            try client.stream.send(client.sendBytes(id: id, messageID: messageID, body: body))
            #expect(try client.response(to: id).status == 200)
        }
        let whole = try received.ended()
        #expect(whole.body == body)
        #expect(whole.flag == "$")
        #expect(try bob.msrp.nextIfAny(within: 0.05) == nil)
        try await fixture.end()
    }

    @Test("an anonymous sender's From is replaced in what is passed on, and the total fits")
    func anonymous() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice", aliases: ["sip:alice@home.example.com"])
        let bob = try await fixture.join("bob")
        let text = String(repeating: "t", count: 50_000)
        let body = RawMSRPClient.cpim(from: "sip:alice@home.example.com", to: fixture.room.uri, text)
        #expect(try LargeMessage(body, from: alice).finish() == 200)
        let received = Chunks(bob.msrp)
        let first = try received.next()
        #expect(first.cpim("From") == "<sip:alice@example.com>")
        let whole = try received.ended()
        #expect(whole.body.suffix(50_000) == body.suffix(50_000))
        #expect(first["Byte-Range"] == "1-*/\(whole.body.count)")
        try await fixture.end()
    }

    @Test("the text of a participant without CPIM is wrapped as it comes")
    func wrapped() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice") { $0.format = .plainText }
        let bob = try await fixture.join("bob")
        let text = [UInt8](repeating: 0x74, count: 50_000)
        let id = try alice.msrp.post(text, contentType: "text/plain")
        let received = Chunks(bob.msrp)
        let first = try received.next()
        #expect(first.cpim("From") == "<sip:alice@example.com>")
        #expect(first.cpim("To") == "<sip:lobby@example.com>")
        let whole = try received.ended()
        #expect(Array(whole.body.suffix(50_000)) == text)
        #expect(first["Byte-Range"] == "1-*/\(whole.body.count)")
        #expect(try alice.msrp.response(to: id).status == 200)
        try await fixture.end()
    }

    // MARK: Who gets it

    @Test("RFC 7701 6.2: a large private message goes to all sessions of its recipient and to nobody else")
    func privateMessage() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let phone = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        let unable = try await fixture.join("unable") { $0.supportsPrivateMessages = false }
        let message = LargeMessage(alice.large(60_000, to: bob.uri), from: alice)
        try message.send(20_000)
        #expect(try message.finish() == 200)
        for device in [bob, phone] { #expect(try Chunks(device.msrp).ended().body == message.body) }
        #expect(try LargeMessage(alice.large(60_000, to: unable.uri), messageID: "u", from: alice).finish() == 428)
        #expect(try alice.say("public") == 200)
        #expect(try carol.hears() == "public")
        #expect(try unable.hears() == "public")
        try await fixture.end()
    }

    @Test("a recipient with a smaller a=max-size isn't begun; of unknown size, it gets `#` where its size ends")
    func maximumSize() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob") { $0.maximumSize = 40_000 }
        #expect(try LargeMessage(alice.large(60_000), messageID: "known", from: alice).finish() == 200)
        #expect(try alice.say("between") == 200)
        #expect(try bob.hears() == "between")
        let unknown = LargeMessage(alice.large(60_000), messageID: "unknown", from: alice, total: "*")
        for _ in 1...3 { #expect(try unknown.send(20_000) == 200) }
        #expect(try unknown.finish() == 200)
        let whole = try Chunks(bob.msrp).ended()
        #expect(whole.flag == "#")
        #expect(whole.body == Array(unknown.body.prefix(40_000)))
        try await fixture.end()
    }

    @Test("wrapped types and direction hold for large messages, on hold while one is under way: `#`")
    func typesAndDirection() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let pictures = try await fixture.join("pictures") { $0.acceptedWrappedTypes = ["image/*"] }
        let deaf = try await fixture.join("deaf") { $0.direction = .sendOnly }
        let bob = try await fixture.join("bob")
        let message = LargeMessage(alice.large(60_000), from: alice)
        try message.send(30_000)
        let received = Chunks(bob.msrp)
        try received.next()
        await fixture.mixer.setDirection(bob.member, .inactive)
        #expect(try message.finish() == 200)
        #expect(try received.ended().flag == "#")
        #expect(try pictures.msrp.nextIfAny(within: 0.05) == nil)
        #expect(try deaf.msrp.nextIfAny(within: 0.05) == nil)
        try await fixture.end()
    }

    @Test("RFC 4975 10.5: a recipient that answers 413 gets no more of the message, others do")
    func stopSending() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        let message = LargeMessage(alice.large(60_000), from: alice)
        bob.msrp.answersRequests = false
        try message.send(20_000)
        try bob.msrp.respond(to: bob.msrp.nextMessage(), "413 Stop Sending")
        bob.msrp.answersRequests = true
        try await fixture.until { await fixture.mixer.counters().deliveryFailures == 1 }
        #expect(try message.finish() == 200)
        #expect(try Chunks(carol.msrp).ended().body == message.body)
        #expect(try alice.say("after") == 200)
        // What was on its way with the refused piece, and nothing of the rest.
        var late = 0
        while true {
            let next = try bob.msrp.nextMessage()
            if next["Byte-Range"]?.hasSuffix("/60000") != true { break }
            late += next.body?.count ?? 0
        }
        #expect(late < 20_000)
        try await fixture.end()
    }

    // MARK: In one piece

    @Test("no_chunks: clients of these User-Agents, and those without CPIM, get it in one SEND when it is complete")
    func inOneSend() async throws {
        let fixture = try await MixerFixture.streaming { $0.agentsWithoutChunks = ["Blink", "Old Client/1."] }
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob", userAgent: "New Client/1.0")
        let blink = try await fixture.join("blink")
        await fixture.mixer.setUserAgent("Blink Qt 5.0", of: blink.member)
        let plain = try await fixture.join("plain") { $0.format = .plainText }
        let text = String(repeating: "w", count: 100_000)
        let message = LargeMessage(alice.cpim(text), from: alice)
        try message.send(60_000)
        #expect(try Chunks(bob.msrp).next().body?.count ?? 0 > 0)
        #expect(try blink.msrp.nextIfAny(within: 0.05) == nil)
        #expect(try message.finish() == 200)
        let copy = try blink.msrp.nextMessage()
        #expect(copy.body == message.body)
        #expect(copy["Byte-Range"] == "1-*/\(message.body.count)")
        #expect(copy.flag == "$")
        let plainCopy = try plain.msrp.nextMessage()
        #expect(plainCopy.bodyText == "sip:alice@example.com: " + text)
        #expect(plainCopy.flag == "$")
        try await fixture.end()
    }

    @Test(
        "those get nothing of a message that ended with `#`, nor of one beyond the reassembly budget, which is counted")
    func notInOneSend() async throws {
        let fixture = try await MixerFixture.streaming {
            $0.agentsWithoutChunks = ["Blink"]
            $0.reassemblyBudget = 100_000
        }
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let blink = try await fixture.join("blink", userAgent: "Blink Qt 5.0")
        let aborted = LargeMessage(alice.large(90_000), messageID: "aborted", from: alice)
        try aborted.send(60_000)
        #expect(try aborted.send(10_000, flag: "#") == 200)
        let received = Chunks(bob.msrp)
        #expect(try received.ended().flag == "#")
        // The budget is free again.
        let within = LargeMessage(alice.large(90_000), messageID: "within", from: alice)
        #expect(try within.finish() == 200)
        #expect(try blink.msrp.nextMessage().body == within.body)
        #expect(try received.ended().body == within.body)
        let beyond = LargeMessage(alice.large(110_000), messageID: "beyond", from: alice)
        #expect(try beyond.finish() == 200)
        #expect(try received.ended().body == beyond.body)
        #expect(await fixture.mixer.counters().streamsUnassembled == 1)
        #expect(try alice.say("after") == 200)
        #expect(try blink.hears() == "after")
        try await fixture.end()
    }

    // MARK: Beside each other

    @Test("small messages get in between the chunks of a large one")
    func interleaved() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        let message = LargeMessage(alice.large(400_000), from: alice)
        for number in 1...4 {
            #expect(try message.send(90_000) == 200)
            #expect(try carol.say("small \(number)") == 200)
            #expect(try alice.say("own \(number)") == 200)
        }
        #expect(try message.finish() == 200)
        let received = Chunks(bob.msrp)
        var small: [String] = []
        while true {
            let chunk = try received.next()
            if chunk["Byte-Range"]?.hasSuffix("/400000") != true {
                small.append(chunk.cpimText)
            } else if chunk.flag == "$" {
                break
            }
        }
        #expect(small == (1...4).flatMap { ["small \($0)", "own \($0)"] })
        #expect(received.messages.values.contains { $0.body == message.body })
        try await fixture.end()
    }

    @Test("a message that begins later may end earlier; two senders at once reach everybody intact")
    func twoSenders() async throws {
        let fixture = try await MixerFixture.streaming()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        let first = LargeMessage(alice.large(500_000), from: alice)
        let second = LargeMessage(bob.large(300_000), from: bob)
        try first.send(100_000)
        try second.send(100_000)
        try first.send(100_000)
        #expect(try second.finish() == 200)
        #expect(try first.finish() == 200)
        let received = Chunks(carol.msrp)
        #expect(try received.ended().body == second.body)
        #expect(try received.ended().body == first.body)
        #expect(try Chunks(bob.msrp).ended().body == first.body)
        #expect(try Chunks(alice.msrp).ended().body == second.body)
        try await fixture.end()
    }

    @Test("more large messages of one participant at a time than configured get 413; others have their own number")
    func streamsPerMember() async throws {
        let fixture = try await MixerFixture.streaming { $0.streamsPerMember = 2 }
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let messages = (1...3).map { LargeMessage(alice.large(30_000), messageID: "m\($0)", from: alice) }
        #expect(try messages.map { try $0.send(10_000) } == [200, 200, 413])
        #expect(try LargeMessage(bob.large(30_000), from: bob).finish() == 200)
        #expect(try messages[0].finish() == 200)
        let next = LargeMessage(alice.large(30_000), messageID: "m4", from: alice)
        #expect(try next.finish() == 200)
        try await fixture.end()
    }

    @Test("10 MB to three recipients, in order and intact")
    func tenMegabytes() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        var receivers: [TestParticipant] = []
        for user in ["bob", "carol", "dave"] { receivers.append(try await fixture.join(user)) }
        let body = alice.large(10 * 1024 * 1024)
        let jobs = receivers.map { receiver in
            { @Sendable () throws -> (Bool, Int) in
                let whole = try receiver.msrp.nextWhole(within: 60)
                return (whole.body == body, whole.chunks)
            }
        }
        let results = try concurrently(
            jobs + [
                { @Sendable () throws -> (Bool, Int) in
                    let id = try alice.msrp.post(body)
                    return (try alice.msrp.response(to: id, within: 60).status == 200, 160)
                }
            ])
        for (isRight, chunks) in results {
            #expect(isRight)
            #expect(chunks >= 160)
        }
        let counters = await fixture.mixer.counters()
        #expect(counters.queuedBytes == 0)
        #expect(counters.slowMembersRemoved == 0)
        try await fixture.end()
    }

    @Test("the same over TLS, both ways")
    func tls() async throws {
        let server = try TLSContext.server(identities: [SelfSignedCertificate.generate(names: ["127.0.0.1"])])
        let fixture = try await MixerFixture { $0.serverTLS = server }
        func join(_ user: String) async throws -> RawMSRPClient {
            let reservation = try await fixture.reserve(user) {
                $0.path = "msrps://127.0.0.1:9/\(user);tcp"
                $0.isTLS = true
            }
            await fixture.mixer.joined(reservation.member)
            let client = try RawMSRPClient(
                remotePath: reservation.localPath, localPath: "msrps://127.0.0.1:9/\(user);tcp")
            guard try client.bind().status == 200 else { throw SupportError("not bound") }
            return client
        }
        let alice = try await join("alice")
        let bob = try await join("bob")
        let plain = try await fixture.join("plain")
        let text = String(repeating: "0123456789abcdef", count: 200_000)
        let body = RawMSRPClient.cpim(from: "sip:alice@example.com", to: fixture.room.uri, text)
        let results = try concurrently([
            { @Sendable in try bob.nextWhole(within: 60).body == body },
            { @Sendable in try plain.msrp.nextWhole(within: 60).body == body },
            { @Sendable in try alice.response(to: alice.post(body), within: 60).status == 200 },
        ])
        #expect(results == [true, true, true])
        try await fixture.end()
    }

    // MARK: Attacks and slow receivers

    @Test("the sender's second device tells it the outgoing ids: end-lines of them in the body reach nobody as such")
    func twoIdentifiers() async throws {
        let fixture = try await MixerFixture.streaming()
        let mallory = try await fixture.join("mallory")
        let spy = try await fixture.join("mallory")
        let bob = try await fixture.join("bob")
        let message = LargeMessage(mallory.large(30_000), messageID: "known", from: mallory, total: "*")
        try message.send(20_000)
        let seen = Chunks(spy.msrp)
        let id = try seen.next().transactionID
        let forged =
            "\r\n-------\(id)$\r\nMSRP \(id) SEND\r\nTo-Path: \(bob.msrp.localPath)\r\n"
            + "From-Path: \(bob.msrp.remotePath)\r\nMessage-ID: evil\r\nByte-Range: 1-4/4\r\n"
            + "Content-Type: message/cpim\r\n\r\nevil\r\n-------\(id)$\r\n"
        let attack = Array(forged.utf8)
        let chunk = mallory.msrp.newID()
        try mallory.msrp.stream.send(
            mallory.msrp.sendBytes(id: chunk, messageID: "known", byteRange: "20001-*/*", body: attack))
        #expect(try mallory.msrp.response(to: chunk).status == 200)
        let received = Chunks(bob.msrp)
        let whole = try received.ended()
        #expect(whole.body == Array(message.body.prefix(20_000)) + attack)
        #expect(received.messages.count == 1)
        #expect(received.last?.transactionID != id)
        try await fixture.end()
    }

    @Test("a recipient that stands still gets `#` behind what it takes, and holds up neither sender nor others")
    func stalled() async throws {
        let fixture = try await MixerFixture.streaming {
            $0.maximumMessageSize = 2_000_000
            $0.memberQueueBytes = 2_000_000
            // It counts as standing still at once, and is not given up.
            $0.slowMemberPatience = .zero
            $0.slowMemberWait = .seconds(3600)
        } inRoom: {
            $0.congestion = .disconnect(afterSeconds: 3600)
        }
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let stalled = try await fixture.join("stalled")
        let body = alice.large(1_900_000)
        var number = 0
        let received = Chunks(bob.msrp)
        // Far more than the sockets between take.
        while await fixture.mixer.counters().messagesLeftOut == 0, number < 40 {
            number += 1
            let message = LargeMessage(body, messageID: "m\(number)", from: alice)
            #expect(try message.finish() == 200)
            #expect(try received.ended().body == body)
        }
        #expect(number < 40)
        let counters = await fixture.mixer.counters()
        #expect(counters.queuedBytes <= 2_500_000)
        #expect(counters.sendersPaused == 0)
        // Now it goes on: each message that had begun ends, some with `#`.
        let late = Chunks(stalled.msrp)
        #expect(try alice.say("welcome back") == 200)
        while try late.next().cpimText != "welcome back" {}
        let flags = late.messages.values.map(\.flag)
        #expect(flags.contains("#"))
        #expect(!flags.contains("+"))
        for whole in late.messages.values where whole.body.count > 1000 {
            #expect(whole.body == Array(body.prefix(whole.body.count)))
            #expect((whole.flag == "$") == (whole.body.count == body.count))
        }
        try await fixture.end()
    }

    @Test("a recipient that is slow but moves slows the sender, and loses nothing")
    func slowButMoving() async throws {
        let fixture = try await MixerFixture.streaming {
            $0.maximumMessageSize = 4_000_000
            $0.memberQueueBytes = 4_000_000
            // This test reads nothing until the sender waits, and may be held up itself on a busy machine.
            $0.slowMemberPatience = .seconds(60)
            $0.slowMemberWait = .seconds(60)
        } inRoom: {
            $0.congestion = .disconnect(afterSeconds: 3600)
        }
        let alice = try await fixture.join("alice")
        let slow = try await fixture.join("slow")
        let body = alice.large(3_900_000)
        let sending = Task.detached {
            for number in 1...8 {
                let message = LargeMessage(body, messageID: "m\(number)", from: alice)
                try message.post(body.count, flag: "$")
            }
        }
        try await fixture.until { await fixture.mixer.counters().sendersPaused > 0 }
        let received = Chunks(slow.msrp)
        var whole = 0
        while whole < 8 {
            let message = try received.ended()
            // It is told that it is congested as well.
            if message.body.count < 1000 { continue }
            #expect(message.body == body)
            whole += 1
        }
        try await sending.value
        let counters = await fixture.mixer.counters()
        #expect(counters.slowMembersRemoved == 0)
        #expect(counters.streamsAborted == 0)
        try await fixture.end()
    }
}
