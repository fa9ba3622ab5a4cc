import MediaMixer
import NIOCore
import Support
import Testing

@Suite("Private messages (RFC 7701 sections 6.2 and 8)", .serialized)
struct RFC7701PrivateTests {
    @Test("RFC 7701 6.2: to every session of its receiver, unmodified, and to nobody else (the flow of section 9.4)")
    func privately() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let alicesPhone = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let bobsPhone = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        let body =
            "To: <sip:bob@example.com>\r\nFrom: <sip:alice@example.com>\r\nDateTime: 2009-03-02T15:02:31-03:00\r\n"
            + "Content-Type: text/plain\r\n\r\nHello Bob."
        let id = try alice.msrp.post(Array(body.utf8))
        #expect(try alice.msrp.response(to: id).word == "200 OK")
        for receiver in [bob, bobsPhone] {
            let copy = try receiver.msrp.nextMessage()
            #expect(copy.bodyText == body)
            #expect(copy["To-Path"] == receiver.msrp.localPath)
        }
        #expect(try carol.say("all") == 200)
        for other in [alice, alicesPhone, bob, bobsPhone] { try other.hearsNothing(before: "all") }
        #expect(try alice.say("all of you") == 200)
        try carol.hearsNothing(before: "all of you")
        try await fixture.end()
    }

    @Test("RFC 7701 6.2: the receiver may be named by its SIP, SIPS, tel or IM URI, or another by which it is known")
    func names() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.enter("bob") { $0.aliases = ["tel:+12015550123", "sip:robert@example.org"] }
        let names = [
            "sip:bob@example.com", "sips:bob@example.com", "im:bob@example.com", "sip:bob@EXAMPLE.COM;transport=tls",
            "tel:+1-201-555-0123", "sip:robert@example.org",
        ]
        for name in names {
            #expect(try alice.say(name, to: name) == 200)
            #expect(try bob.hears() == name)
        }
        try await fixture.end()
    }

    @Test(
        "RFC 7701 6.2: a receiver that is not in the room, or cannot be resolved, gets 404",
        arguments: [
            "sip:nobody@example.com", "sip:bob@example.org", "tel:+1", "sip:other@conference.example.com", "bob",
            "mailto:bob@example.com",
        ])
    func unknown(uri: String) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let id = try alice.msrp.post(Array(alice.wrapped(to: "<\(uri)>", "psst").utf8))
        #expect(try alice.msrp.response(to: id).word == "404 Not Found")
        #expect(try alice.say("all") == 200)
        try bob.hearsNothing(before: "all")
        try await fixture.end()
    }

    @Test("RFC 7701 6.2: a private message has one To: with more it is refused with 403, and nobody gets it")
    func oneReceiver() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        for second in ["To: <\(carol.uri)>", "To: <\(bob.uri)>", "To: <\(fixture.room.uri)>"] {
            let head = "From: <\(alice.uri)>\r\nTo: <\(bob.uri)>\r\n\(second)\r\n"
            #expect(try alice.send("\(head)\r\nContent-Type: text/plain\r\n\r\nto two") == 403)
        }
        #expect(try alice.say("to all") == 200)
        try bob.hearsNothing(before: "to all")
        try carol.hearsNothing(before: "to all")
        try await fixture.end()
    }

    @Test("RFC 7701 6.2: who has left is unknown")
    func left() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("psst", to: bob.uri) == 200)
        await fixture.mixer.leave(bob.member, reason: .departed)
        #expect(try alice.say("psst", to: bob.uri) == 404)
        try await fixture.end()
    }

    @Test("RFC 7701 6.2: 428 for a receiver without private messages, to whom nothing is forwarded")
    func unsupported() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob") { $0.supportsPrivateMessages = false }
        let texts = try await fixture.join("texts") { $0.format = .plainText }
        let id = try alice.msrp.post(alice.cpim("psst", to: bob.uri))
        #expect(try alice.msrp.response(to: id).word == "428 Private Messages Not Supported")
        #expect(try alice.say("psst", to: texts.uri) == 428)
        // One device of his that can is enough, and the only one that hears.
        let bobsPhone = try await fixture.join("bob")
        #expect(try alice.say("psst", to: bob.uri) == 200)
        #expect(try bobsPhone.hears() == "psst")
        #expect(try alice.say("all") == 200)
        try bob.hearsNothing(before: "all")
        #expect(try texts.msrp.nextMessage().bodyText == "sip:alice@example.com: all")
        try await fixture.end()
    }

    @Test("RFC 7701 8: a later offer may change what an end supports")
    func changed() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("one", to: bob.uri) == 200)
        let without = fixture.media("bob") { $0.supportsPrivateMessages = false }
        _ = try await fixture.mixer.renegotiate(bob.member, media: without, newSession: false)
        #expect(try alice.say("two", to: bob.uri) == 428)
        _ = try await fixture.mixer.renegotiate(bob.member, media: fixture.media("bob"), newSession: false)
        #expect(try alice.say("three", to: bob.uri) == 200)
        #expect(try bob.hears() == "one")
        #expect(try bob.hears() == "three")
        try await fixture.end()
    }

    @Test("RFC 7701 6.2: where the room has none they are refused with 403, and come back when it has them again")
    func policy() async throws {
        let fixture = try await MixerFixture(inRoom: { $0.allowsPrivateMessages = false })
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("psst", to: bob.uri) == 403)
        #expect(try alice.say("all") == 200)
        try bob.hearsNothing(before: "all")
        try await fixture.change(1) { $0.configuration.allowsPrivateMessages = true }
        #expect(try alice.say("psst", to: bob.uri) == 200)
        try bob.hearsNothing(before: "psst")
        try await fixture.end()
    }

    @Test("RFC 7701 6.2: a REPORT on a private message wraps the original From and To in Message/CPIM")
    func report() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let body =
            "From: Alice <\(alice.uri)>\r\nSubject: s\r\nTo: \"Bob B\" <\(bob.uri)>\r\n\r\nContent-Type: text/plain\r\n\r\nhi"
        let id = try alice.msrp.post(Array(body.utf8), extra: "Success-Report: yes\r\n")
        #expect(try alice.msrp.response(to: id).status == 200)
        let report = try alice.msrp.next()
        #expect(
            String(decoding: report.rawHead, as: UTF8.self)
                == "MSRP \(report.transactionID) REPORT\r\nTo-Path: \(alice.msrp.localPath)\r\n"
                + "From-Path: \(alice.msrp.remotePath)\r\nMessage-ID: m\(id)\r\n"
                + "Byte-Range: 1-\(body.utf8.count)/\(body.utf8.count)\r\nStatus: 000 200 OK\r\n"
                + "Content-Type: message/cpim\r\n\r\n")
        #expect(
            report.bodyText
                == "From: Alice <\(alice.uri)>\r\nTo: \"Bob B\" <\(bob.uri)>\r\n\r\nContent-Type: text/plain\r\n\r\n")
        #expect(try bob.msrp.nextMessage().bodyText == body)
        try await fixture.end()
    }

    @Test("RFC 7701 6.2: a participant that writes to itself reaches its other devices")
    func oneself() async throws {
        let fixture = try await MixerFixture()
        let desk = try await fixture.join("alice")
        #expect(try desk.say("a note", to: desk.uri) == 200)
        let phone = try await fixture.join("alice")
        #expect(try desk.say("for the phone", to: desk.uri) == 200)
        try phone.hearsNothing(before: "for the phone")
        try await fixture.end()
    }
}
