import MediaMixer
import NIOCore
import Support
import Testing

@Suite("Mixing (RFC 7701 section 6)", .serialized)
struct MixingTests {
    @Test("a message goes to every other participant once, and not to its sender")
    func everyOther() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        for number in 1...20 { #expect(try alice.say("message \(number)") == 200) }
        for number in 1...20 {
            #expect(try bob.hears() == "message \(number)")
            #expect(try carol.hears() == "message \(number)")
        }
        #expect(try bob.say("done") == 200)
        #expect(try alice.hears() == "done")
        #expect(try carol.hears() == "done")
        #expect(try bob.msrp.nextIfAny(within: 0.1) == nil)
        #expect(try alice.msrp.nextIfAny(within: 0.1) == nil)
        try await fixture.end()
    }

    @Test("what is said in one go arrives in order, in private and to all, and who comes then gets none of it")
    func oneGo() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        var ids: [String] = []
        for number in 1...200 {
            ids.append(
                number % 10 == 0
                    ? try alice.msrp.post(alice.cpim("private \(number)", to: bob.uri))
                    : try alice.msrp.post(alice.cpim("message \(number)")))
        }
        for id in ids { #expect(try alice.msrp.response(to: id).status == 200) }
        let carol = try await fixture.join("carol")
        for number in 1...200 {
            #expect(try bob.hears() == (number % 10 == 0 ? "private \(number)" : "message \(number)"))
        }
        #expect(try alice.say("done") == 200)
        #expect(try bob.hears() == "done")
        #expect(try carol.hears() == "done")
        try await fixture.end()
    }

    @Test("a copy has the paths of its receiver, no report header fields, and the body octet for octet")
    func exactCopy() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let body = alice.cpim("héllo \r\n-------tricky$\r\n")
        let id = try alice.msrp.post(body, extra: "Success-Report: yes\r\nFailure-Report: yes\r\nX-Extra: 1\r\n")
        #expect(try alice.msrp.response(to: id).status == 200)
        let copy = try bob.msrp.nextMessage()
        #expect(copy.body == body)
        #expect(copy.fields.map(\.name) == ["To-Path", "From-Path", "Message-ID", "Byte-Range", "Content-Type"])
        #expect(copy["To-Path"] == bob.msrp.localPath)
        #expect(copy["From-Path"] == bob.msrp.remotePath)
        #expect(copy["Byte-Range"] == "1-\(body.count)/\(body.count)")
        #expect(copy["Content-Type"] == "message/cpim")
        #expect(copy.transactionID.count == 16)
        #expect(copy.flag == "$")
        try await fixture.end()
    }

    @Test("Success-Report yes is answered with a REPORT once the room has the message (RFC 4975 section 7.1.3)")
    func successReport() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let id = try alice.msrp.post(alice.cpim("hello"), extra: "Success-Report: yes\r\n")
        #expect(try alice.msrp.response(to: id).status == 200)
        let report = try alice.msrp.next()
        #expect(report.word == "REPORT")
        #expect(report.messageID == "m\(id)")
        #expect(report["Status"] == "000 200 OK")
        try await fixture.end()
    }

    @Test("Failure-Report no gets no response (RFC 4975 section 7.2)")
    func noResponse() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        try alice.msrp.post(alice.cpim("quiet"), extra: "Failure-Report: no\r\n")
        #expect(try bob.hears() == "quiet")
        #expect(try alice.say("loud") == 200)
        try await fixture.end()
    }

    @Test("a forged From is refused with 403 and goes to nobody (section 6.3)")
    func forged() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let forged = RawMSRPClient.cpim(from: bob.uri, to: fixture.room.uri, "I am Bob")
        #expect(try alice.msrp.response(to: alice.msrp.post(forged)).status == 403)
        #expect(try alice.say("I am Alice") == 200)
        #expect(try bob.hears() == "I am Alice")
        try await fixture.end()
    }

    @Test("what is not CPIM is refused with 415 (section 6.3)")
    func notCPIM() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let id = try alice.msrp.post(Array("hello".utf8), contentType: "text/plain")
        #expect(try alice.msrp.response(to: id).status == 415)
        try await fixture.end()
    }

    @Test("?OTR gets 200 and goes to nobody")
    func offTheRecord() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("?OTRv3?\nAlice wants to talk in private") == 200)
        #expect(try alice.say("hello") == 200)
        #expect(try bob.hears() == "hello")
        try await fixture.end()
    }

    @Test("another device of the sender gets its messages (section 6.1)")
    func otherDevice() async throws {
        let fixture = try await MixerFixture()
        let desk = try await fixture.join("alice")
        let phone = try await fixture.join("alice")
        #expect(try desk.say("from the desk") == 200)
        #expect(try phone.hears() == "from the desk")
        try await fixture.end()
    }

    @Test("a private message goes to the sessions of its receiver alone (section 6.2)")
    func privateMessage() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let bobsPhone = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        #expect(try alice.say("for Bob", to: bob.uri) == 200)
        #expect(try alice.say("for all") == 200)
        #expect(try bob.hears() == "for Bob")
        #expect(try bobsPhone.hears() == "for Bob")
        #expect(try carol.hears() == "for all")
        try await fixture.end()
    }

    @Test("404 for a private message to nobody, 428 for one who doesn't take them (section 6.2)")
    func privateRefused() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        _ = try await fixture.join("bob") { $0.supportsPrivateMessages = false }
        #expect(try alice.say("psst", to: "sip:nobody@example.com") == 404)
        #expect(try alice.say("psst", to: "sip:bob@example.com") == 428)
        try await fixture.end()
    }

    @Test("text participants hear `sender: text`, and what they say is wrapped")
    func plainText() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob") { $0.format = .plainText }
        #expect(try alice.say("hello") == 200)
        let heard = try bob.msrp.nextMessage()
        #expect(heard.bodyText == "sip:alice@example.com: hello")
        #expect(heard["Content-Type"] == "text/plain")
        let id = try bob.msrp.post(Array("hi there".utf8), contentType: "text/plain")
        #expect(try bob.msrp.response(to: id).status == 200)
        let wrapped = try alice.msrp.nextMessage()
        #expect(wrapped.cpim("From") == "<sip:bob@example.com>")
        #expect(wrapped.cpim("To") == "<sip:lobby@example.com>")
        #expect(wrapped.cpimText == "hi there")
        try await fixture.end()
    }

    @Test("wrapped content that a participant doesn't accept is not sent to it (section 6.1)")
    func wrappedTypes() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob") { $0.acceptedWrappedTypes = ["image/*"] }
        #expect(try alice.say("text") == 200)
        let picture =
            "From: <\(alice.uri)>\r\nTo: <\(fixture.room.uri)>\r\n\r\nContent-Type: image/png\r\n\r\nPNG"
        #expect(try alice.msrp.response(to: alice.msrp.post(Array(picture.utf8))).status == 200)
        #expect(try bob.msrp.nextMessage().cpimText == "PNG")
        try await fixture.end()
    }

    @Test("who is on hold gets nothing (RFC 3264 section 8.4)")
    func hold() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        await fixture.mixer.setDirection(bob.member, .inactive)
        #expect(try alice.say("unheard") == 200)
        await fixture.mixer.setDirection(bob.member, .sendReceive)
        #expect(try alice.say("heard") == 200)
        #expect(try bob.hears() == "heard")
        try await fixture.end()
    }

    @Test("a message in several chunks, in any order, is passed on whole (RFC 4975 section 7.3.1)")
    func chunks() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let body = alice.cpim(String(repeating: "0123456789", count: 500))
        let half = body.count / 2
        let id = alice.msrp.newID()
        try alice.msrp.stream.send(
            alice.msrp.sendBytes(
                id: id, messageID: "whole", byteRange: "\(half + 1)-\(body.count)/\(body.count)",
                body: Array(body[half...])))
        #expect(try alice.msrp.response(to: id).status == 200)
        let second = alice.msrp.newID()
        try alice.msrp.stream.send(
            alice.msrp.sendBytes(
                id: second, messageID: "whole", byteRange: "1-\(half)/\(body.count)", body: Array(body[..<half]),
                flag: "+"))
        #expect(try alice.msrp.response(to: second).status == 200)
        let copy = try bob.msrp.nextMessage()
        #expect(copy.body == body)
        #expect(copy["Byte-Range"] == "1-*/\(body.count)")
        try await fixture.end()
    }

    @Test("up to max_unchunked a message is one SEND, above it chunks between which others get through")
    func largeMessages() async throws {
        var configuration = MixerConfiguration()
        configuration.maximumUnchunkedSize = 200_000
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let whole = alice.cpim(String(repeating: "w", count: 150_000))
        let id = try alice.msrp.post(whole)
        #expect(try bob.msrp.nextWhole().chunks == 1)
        #expect(try alice.msrp.response(to: id).status == 200)
        let large = alice.cpim(String(repeating: "l", count: 3_000_000))
        try alice.msrp.post(large)
        let (body, chunks) = try bob.msrp.nextWhole()
        #expect(body == large)
        #expect(chunks > 1)
        try await fixture.end()
    }

    @Test("a message above max_message_size is refused with 413")
    func tooLarge() async throws {
        var configuration = MixerConfiguration()
        configuration.maximumMessageSize = 1000
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        #expect(try alice.say(String(repeating: "x", count: 1000)) == 413)
        #expect(try alice.say("short") == 200)
        try await fixture.end()
    }

    @Test("beyond the budget for all reassembly a message is refused with 413")
    func reassemblyBudget() async throws {
        var configuration = MixerConfiguration()
        configuration.reassemblyBudget = 3000
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let part = [UInt8](repeating: 0x78, count: 2000)
        func chunk(_ participant: TestParticipant, _ messageID: String) throws -> Int {
            let id = participant.msrp.newID()
            try participant.msrp.stream.send(
                participant.msrp.sendBytes(
                    id: id, messageID: messageID, byteRange: "1-2000/4000", body: part, flag: "+"))
            return try participant.msrp.response(to: id).status
        }
        #expect(try chunk(alice, "a") == 200)
        #expect(try chunk(bob, "b") == 413)
        let abort = alice.msrp.newID()
        try alice.msrp.stream.send(
            alice.msrp.sendBytes(id: abort, messageID: "a", byteRange: "2001-2000/4000", body: [], flag: "#"))
        #expect(try alice.msrp.response(to: abort).status == 200)
        #expect(try chunk(bob, "c") == 200)
        try await fixture.end()
    }

    @Test("NICKNAME: 200, 425 when taken, 424 when malformed; the others are told (section 7.1)")
    func nickname() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        func nickname(_ participant: TestParticipant, _ value: String) throws -> Int {
            let id = participant.msrp.newID()
            try participant.msrp.stream.send(
                "MSRP \(id) NICKNAME\r\nTo-Path: \(participant.msrp.remotePath)\r\n"
                    + "From-Path: \(participant.msrp.localPath)\r\nUse-Nickname: \(value)\r\n-------\(id)$\r\n")
            return try participant.msrp.response(to: id).status
        }
        #expect(try nickname(alice, "\"Wonder\"") == 200)
        #expect(try nickname(bob, "wonder") == 425)
        #expect(try nickname(bob, "\"") == 424)
        #expect(try nickname(bob, "Builder") == 200)
        #expect(await fixture.mixer.roster(fixture.room).map(\.nickname) == ["Wonder", "Builder"])
        #expect(fixture.events.suffix(2) == ["alice is Wonder", "bob is Builder"])
        try await fixture.end()
    }

    @Test("welcome text for a client that doesn't know chat rooms, after its bind was answered (section 11)")
    func welcome() async throws {
        let fixture = try await MixerFixture(welcome: .clientsUnawareOfChatRooms(text: nil))
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob") { $0.isChatRoomAware = false }
        let text = try bob.hears()
        #expect(text.contains("chat room The lobby"))
        #expect(text.contains("sip:alice@example.com"))
        #expect(try bob.say("thanks") == 200)
        #expect(try alice.hears() == "thanks")
        try await fixture.end()
    }
}
