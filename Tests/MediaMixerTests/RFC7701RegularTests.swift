import MediaMixer
import NIOCore
import Support
import Testing

@Suite("Regular messages (RFC 7701 sections 6.1 and 6.3)", .serialized)
struct RFC7701RegularTests {
    @Test("RFC 7701 6.1: a message to the room is copied to everybody but its sender (the flow of section 9.3)")
    func copies() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let charlie = try await fixture.join("charlie")
        let body =
            "To: <\(fixture.room.uri);transport=tcp>\r\nFrom: <sip:alice@example.com>\r\n"
            + "DateTime: 2009-03-02T15:02:31-03:00\r\nContent-Type: text/plain\r\n\r\nHello guys, how are you today?"
        let id = alice.msrp.newID()
        try alice.msrp.stream.send(
            "MSRP \(id) SEND\r\nTo-Path: \(alice.msrp.remotePath)\r\nFrom-Path: \(alice.msrp.localPath)\r\n"
                + "Message-ID: 99s9s2\r\nByte-Range: 1-*/*\r\nContent-Type: message/cpim\r\n\r\n\(body)\r\n-------\(id)$\r\n"
        )
        #expect(try alice.msrp.response(to: id).word == "200 OK")
        for receiver in [bob, charlie] {
            let copy = try receiver.msrp.nextMessage()
            #expect(copy.bodyText == body)
            let head =
                "MSRP \(copy.transactionID) SEND\r\nTo-Path: \(receiver.msrp.localPath)\r\n"
                + "From-Path: \(receiver.msrp.remotePath)\r\nMessage-ID: \(copy.messageID)\r\n"
                + "Byte-Range: 1-\(body.utf8.count)/\(body.utf8.count)\r\nContent-Type: message/cpim\r\n\r\n"
            #expect(String(decoding: copy.rawHead, as: UTF8.self) == head)
            #expect(copy.messageID != "99s9s2")
        }
        #expect(try bob.say("fine") == 200)
        #expect(try alice.hears() == "fine")
        try await fixture.end()
    }

    @Test("RFC 7701 6.1: From may be any URI by which the user is known: SIP, tel, IM, an alias")
    func identifiers() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.enter("alice") {
            $0.aliases = ["tel:+12015550123", "sip:alice.kay@example.com"]
        }
        let bob = try await fixture.join("bob")
        let known = [
            "sip:alice@example.com", "sips:alice@example.com", "tel:+1-201-555-0123", "im:alice@example.com",
            "sip:alice.kay@example.com", "sip:%61lice@EXAMPLE.com;transport=tcp",
        ]
        for uri in known {
            let body = alice.wrapped(from: "Alice <\(uri)>", "as \(uri)")
            #expect(try alice.send(body) == 200)
            #expect(try bob.msrp.nextMessage().bodyText == body)
        }
        try await fixture.end()
    }

    @Test(
        "RFC 7701 6.3: a From that does not belong to the sender, or to nobody, is refused with 403 and goes nowhere",
        arguments: [
            "<sip:bob@example.com>", "<sip:nobody@example.com>", "<tel:+1>", "<sip:lobby@example.com>", "alice",
            "<sip:alice@example.com>\r\nFrom: <sip:alice@example.com>", "<sip:alice@example.com> <sip:bob@example.com>",
        ])
    func forged(from: String) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.send(alice.wrapped(from: from, "forged")) == 403)
        #expect(try alice.send(alice.wrapped(from: from, to: "<sip:bob@example.com>", "forged")) == 403)
        #expect(try alice.say("mine") == 200)
        try bob.hearsNothing(before: "mine")
        try await fixture.end()
    }

    @Test(
        "RFC 7701 6.1: several To header fields, or none, are refused with 403",
        arguments: [
            "To: <sip:lobby@example.com>\r\nTo: <sip:bob@example.com>\r\n",
            "To: <sip:lobby@example.com>\r\nTo: <sip:lobby@example.com>\r\n",
            "To: <sip:bob@example.com>\r\nTo: <sip:carol@example.com>\r\n",
            "To: <sip:lobby@example.com>\r\nTo: nonsense\r\n", "",
        ])
    func severalReceivers(to: String) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.send("From: <\(alice.uri)>\r\n\(to)\r\nContent-Type: text/plain\r\n\r\nhello") == 403)
        #expect(try alice.say("one To") == 200)
        try bob.hearsNothing(before: "one To")
        try await fixture.end()
    }

    @Test("RFC 7701 6.1: the content is not modified, whatever its charset, header fields and line ends")
    func unmodified() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let head = "From: Al <\(alice.uri)>\r\nTo: <\(fixture.room.uri)>\r\n"
        let bodies: [[UInt8]] = [
            Array("\(head)\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n".utf8) + [0xE9, 0xE8, 0xFF],
            Array("\(head)\nContent-type:text/plain;charset=UTF-16\n\n".utf8) + [0xFF, 0xFE, 0x00, 0xD8, 0x0A, 0x00],
            Array(
                "\(head.replacing("\r\n", with: "\n"))\nMIME-Version: 1.0\nContent-Type: text/html\n\n<b>\r\n\n\r</b>"
                    .utf8),
            Array(
                "\(head)Subject:;lang=fr Objet\r\ncc: <sip:bob@example.com>\r\nDateTime: yesterday\r\n\r\n\r\nno type"
                    .utf8),
            Array("\(head)\r\nContent-Type: application/octet-stream\r\nContent-ID: <1@x>\r\n\r\n".utf8) + (0...255),
            Array("\(head)\r\nContent-Type: text/plain\r\n\r\n-------x$\r\nMSRP x SEND\r\n\r\n".utf8),
        ]
        for body in bodies {
            #expect(try alice.send(body) == 200)
            #expect(try bob.msrp.nextMessage().body == body)
        }
        try await fixture.end()
    }

    @Test("RFC 5438, RFC 3862 4.6: disposition requests, Subject and headers of any namespace go through untouched")
    func headers() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let headers =
            "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 34jk324j\r\nDateTime: 2006-04-04T12:16:49-05:00\r\n"
            + "imdn.Disposition-Notification: positive-delivery, negative-delivery\r\n"
            + "NS: MyFeatures <mid:MessageFeatures@id.foo.com>\r\nMyFeatures.VitalMessageOption: Confirmation-requested\r\n"
            + "Subject: the weather\r\nSubject:;lang=fr beau temps\r\nRequire: MyFeatures.VitalMessageOption\r\n"
        let body = alice.wrapped(headers: headers, "fine")
        #expect(try alice.send(body) == 200)
        #expect(try bob.msrp.nextMessage().bodyText == body)
        // The receipt is for Alice alone.
        let receipt = bob.wrapped(
            to: "<\(alice.uri)>", headers: "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: d834jied93rf\r\n",
            type: "message/imdn+xml\r\nContent-Disposition: notification", "<imdn/>")
        #expect(try bob.send(receipt) == 200)
        #expect(try alice.msrp.nextMessage().bodyText == receipt)
        try await fixture.end()
    }

    @Test("RFC 8591 9.1: signed and encrypted content is content like any other")
    func secured() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob") { $0.acceptedWrappedTypes = ["application/pkcs7-mime"] }
        let body = alice.wrapped(
            type: "application/pkcs7-mime; smime-type=auth-enveloped-data; name=\"smime.p7m\"", "0\u{1}")
        #expect(try alice.send(body) == 200)
        #expect(try bob.msrp.nextMessage().bodyText == body)
        try await fixture.end()
    }

    @Test("RFC 7701 6.1: wrapped content goes only to who accepts it, by type or pattern; its sender is not told")
    func acceptedTypes() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let texts = try await fixture.join("texts") { $0.acceptedWrappedTypes = ["text/*"] }
        let plain = try await fixture.join("plain") { $0.acceptedWrappedTypes = ["text/plain"] }
        let images = try await fixture.join("images") { $0.acceptedWrappedTypes = ["image/*", "Text/HTML"] }
        let any = try await fixture.join("any") { $0.acceptedWrappedTypes = ["text/plain", "*"] }
        let silent = try await fixture.join("silent") { $0.acceptedWrappedTypes = [] }
        let types = ["text/plain;charset=utf-8", "TEXT/html", "image/png", "application/pdf", "text/x-dvi"]
        for type in types { #expect(try alice.send(alice.wrapped(type: type, type)) == 200) }
        let heard: [(TestParticipant, [Int])] = [
            (texts, [0, 1, 4]), (plain, [0]), (images, [1, 2]), (any, [0, 1, 2, 3, 4]), (silent, [0, 1, 2, 3, 4]),
        ]
        for (receiver, wanted) in heard {
            for index in wanted { #expect(try receiver.hears() == types[index]) }
        }
        #expect(try any.send(any.wrapped(type: "text/plain", "end")) == 200)
        for receiver in [texts, plain, silent] { try receiver.hearsNothing(before: "end") }
        #expect(try images.msrp.nextIfAny(within: 0.05) == nil)
        try await fixture.end()
    }

    @Test("RFC 7701 6.1: every session of a participant gets a copy, the sender's other ones too")
    func simultaneous() async throws {
        let fixture = try await MixerFixture()
        let desk = try await fixture.join("alice")
        let phone = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let bobsPhone = try await fixture.join("bob")
        #expect(try desk.say("to all") == 200)
        for receiver in [phone, bob, bobsPhone] { #expect(try receiver.hears() == "to all") }
        #expect(try phone.say("back") == 200)
        for receiver in [desk, bob, bobsPhone] { try receiver.hearsNothing(before: "back") }
        try await fixture.end()
    }

    @Test("RFC 7701 6.1: who wants to be anonymous is known by the anonymous URI alone, and answered there")
    func anonymous() async throws {
        let fixture = try await MixerFixture()
        let hidden = try await fixture.enter("alice") {
            $0.participant = "sip:anonymous-7@anonymous.invalid"
            $0.aliases = ["sip:alice@example.com", "sip:anonymous@anonymous.invalid", "tel:+12015550123"]
            $0.isAnonymous = true
        }
        let bob = try await fixture.join("bob")
        let headers = "NS: x <urn:x>\r\nx.Kept: Yes\r\nSubject: s\r\n"
        let shown = "From: <sip:anonymous-7@anonymous.invalid>\r\n"
        for from in ["Alice <sip:alice@example.com>", "<sip:anonymous@anonymous.invalid>", "<tel:+12015550123>"] {
            let body = hidden.wrapped(from: from, headers: headers, "who am I?")
            #expect(try hidden.send(body) == 200)
            #expect(try bob.msrp.nextMessage().bodyText == body.replacing("From: \(from)\r\n", with: shown))
        }
        #expect(try bob.say("you", to: "sip:anonymous-7@anonymous.invalid") == 200)
        #expect(try hidden.hears() == "you")
        // Not by the names it hides, nor by one that all who hide have.
        for uri in ["sip:alice@example.com", "tel:+12015550123", "sip:anonymous@anonymous.invalid"] {
            #expect(try bob.say("psst", to: uri) == 404)
        }
        try await fixture.end()
    }

    @Test(
        "RFC 7701 6.3: without a Message/CPIM wrapper 415", arguments: ["text/plain", "text/html", "multipart/mixed"])
    func notWrapped(type: String) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let id = try alice.msrp.post(Array("hello".utf8), contentType: type)
        #expect(try alice.msrp.response(to: id).word == "415 Unsupported Media Type")
        #expect(try alice.say("wrapped") == 200)
        try await fixture.end()
    }

    @Test("RFC 7701 6.3: reports and responses are those of RFC 4975 section 7, with the switch as the endpoint")
    func reports() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let body = alice.cpim("hello")
        let id = try alice.msrp.post(body, extra: "Success-Report: yes\r\nFailure-Report: partial\r\n")
        let report = try alice.msrp.next()
        #expect(
            String(decoding: report.rawHead, as: UTF8.self)
                == "MSRP \(report.transactionID) REPORT\r\nTo-Path: \(alice.msrp.localPath)\r\n"
                + "From-Path: \(alice.msrp.remotePath)\r\nMessage-ID: m\(id)\r\n"
                + "Byte-Range: 1-\(body.count)/\(body.count)\r\nStatus: 000 200 OK\r\n")
        #expect(report.body == nil)
        #expect(try bob.hears() == "hello")
        // With partial no 200; a refusal is answered all the same, with no it isn't.
        #expect(
            try alice.send(alice.wrapped(from: "<sip:bob@example.com>", "x"), extra: "Failure-Report: partial\r\n")
                == 403)
        let quiet = try alice.msrp.post(
            Array(alice.wrapped(from: "<sip:bob@example.com>", "x").utf8), extra: "Failure-Report: no\r\n")
        let none = try alice.msrp.post(alice.cpim("unreported"))
        #expect(try alice.msrp.response(to: none).status == 200)
        #expect(throws: SupportError.self) { try alice.msrp.response(to: quiet, within: 0.05) }
        #expect(throws: SupportError.self) { try alice.msrp.response(to: id, within: 0.05) }
        #expect(try alice.msrp.nextIfAny(within: 0.05) == nil)
        try await fixture.end()
    }

    @Test("RFC 7701 6.3: what receivers say of their copies is counted, and not forwarded to the sender")
    func receiversReports() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        bob.msrp.answersRequests = false
        #expect(try alice.say("hello", extra: "Success-Report: yes\r\n") == 200)
        #expect(try alice.msrp.next()["Status"] == "000 200 OK")
        let copy = try bob.msrp.nextMessage()
        #expect(copy["Success-Report"] == nil)
        #expect(copy["Failure-Report"] == nil)
        try bob.msrp.respond(to: copy, "413 Stop Sending")
        let id = bob.msrp.newID()
        try bob.msrp.stream.send(
            "MSRP \(id) REPORT\r\nTo-Path: \(bob.msrp.remotePath)\r\nFrom-Path: \(bob.msrp.localPath)\r\n"
                + "Message-ID: \(copy.messageID)\r\nByte-Range: 1-5/5\r\nStatus: 000 415 No\r\n-------\(id)$\r\n")
        try await fixture.until { await fixture.mixer.counters().deliveryFailures == 2 }
        #expect(try carol.hears() == "hello")
        #expect(try carol.say("anything?") == 200)
        try alice.hearsNothing(before: "anything?")
        #expect(try alice.msrp.nextIfAny(within: 0.05) == nil)
        try await fixture.end()
    }

    @Test("a message above the room's own limit is refused with 413, also when the limit changes")
    func roomLimit() async throws {
        let fixture = try await MixerFixture(inRoom: { $0.maximumMessageSize = 1000 })
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let large = String(repeating: "x", count: 1000)
        #expect(try alice.say(large) == 413)
        try await fixture.change(1) { $0.configuration.maximumMessageSize = nil }
        #expect(try alice.say(large) == 200)
        #expect(try bob.hears() == large)
        try await fixture.change(2) { $0.configuration.maximumMessageSize = 500 }
        #expect(try alice.say(large) == 413)
        #expect(try alice.say("short") == 200)
        try bob.hearsNothing(before: "short")
        try await fixture.end()
    }

    @Test("RFC 3994: typing notices go to all or to one, and wait for nobody")
    func typing() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol") { $0.acceptedWrappedTypes = ["text/plain"] }
        let late = try await fixture.reserve("late")
        await fixture.mixer.joined(late.member)
        let type = "application/im-iscomposing+xml"
        let body = alice.wrapped(type: type, "<isComposing/>")
        #expect(try alice.send(body) == 200)
        #expect(try bob.msrp.nextMessage().bodyText == body)
        #expect(try alice.send(alice.wrapped(to: "<\(bob.uri)>", type: type, "<private/>")) == 200)
        #expect(try bob.hears() == "<private/>")
        #expect(try alice.say("done") == 200)
        try carol.hearsNothing(before: "done")
        let newcomer = try TestParticipant("late", late, room: fixture.room)
        #expect(try newcomer.msrp.bind().status == 200)
        try newcomer.hearsNothing(before: "done")
        try await fixture.end()
    }

    @Test("?OTR to the room gets 200 and goes to nobody; to one participant it is that one's")
    func offTheRecord() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        #expect(try alice.say("?OTRv3?\nAlice wants to talk") == 200)
        #expect(try alice.say("?OTRv3?", to: bob.uri) == 200)
        #expect(try alice.say("hello") == 200)
        #expect(try bob.hears() == "?OTRv3?")
        try carol.hearsNothing(before: "hello")
        try await fixture.end()
    }

    @Test("RFC 7701 11: a client that doesn't know chat rooms is told it is in one, by the room, and who is there")
    func welcome() async throws {
        let fixture = try await MixerFixture(welcome: .clientsUnawareOfChatRooms(text: nil))
        let alice = try await fixture.enter("alice") { $0.displayName = "Alice Kay" }
        #expect(try alice.nickname("\"Wonder\"").status == 200)
        _ = try await fixture.enter("dave") { $0.displayName = "Dave" }
        let bob = try await fixture.enter("bob", media: { $0.isChatRoomAware = false })
        let text = try bob.msrp.nextMessage()
        #expect(text.cpim("From") == "The lobby <sip:lobby@example.com>")
        #expect(text.cpim("To") == "<sip:lobby@example.com>")
        #expect(text.cpim("confd.Event") == "welcome")
        #expect(
            text.cpimText
                == "This is the chat room The lobby: all its participants see what you write. Here are: Wonder, Dave.")
        // The others are not told.
        #expect(try bob.say("hello") == 200)
        try alice.hearsNothing(before: "hello")
        try await fixture.end()
    }

    @Test("RFC 7701 6: who cannot do CPIM gets `nickname: text`, and what the room says as it is")
    func plainText() async throws {
        let fixture = try await MixerFixture(welcome: .everybody(text: "Welcome."))
        let alice = try await fixture.enter("alice") { $0.displayName = "Alice Kay" }
        #expect(try alice.hears() == "Welcome.")
        let bob = try await fixture.join("bob") { $0.format = .plainText }
        #expect(try bob.msrp.nextMessage().bodyText == "Welcome.")
        #expect(try alice.say("one") == 200)
        #expect(try bob.msrp.nextMessage().bodyText == "Alice Kay: one")
        #expect(try alice.nickname("Wonder").status == 200)
        #expect(try alice.say("two") == 200)
        #expect(try bob.msrp.nextMessage().bodyText == "Wonder: two")
        #expect(try alice.nickname("").status == 200)
        #expect(try alice.say("three") == 200)
        #expect(try bob.msrp.nextMessage().bodyText == "Alice Kay: three")
        try await fixture.end()
    }
}
