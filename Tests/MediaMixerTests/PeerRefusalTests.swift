import MSRP
import Support
import Testing

@testable import MediaMixer

/// What a participant, or a relay before it, says of copies it was sent.
@Suite("Refusals by peers", .timeLimit(.minutes(1)))
struct PeerRefusalTests {
    @Test(
        "a session that is gone at the other end is lost (RFC 4975 sections 10.4, 10.8 and 10.10)",
        arguments: ["408 Timeout", "481 No such session", "506 In use"])
    func gone(status: String) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        bob.msrp.answersRequests = false
        #expect(try alice.say("hello?") == 200)
        try bob.msrp.respond(to: bob.msrp.nextMessage(), status)
        try await fixture.until { fixture.events.last == "bob lost" }
        try await fixture.end()
    }

    @Test("a copy that is refused for what it is leaves the session be (RFC 4975 sections 10.3, 10.5 and 10.6)")
    func refused() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        bob.msrp.answersRequests = false
        for status in ["403 No", "413 Stop", "415 What?"] {
            #expect(try alice.say("hello?") == 200)
            try bob.msrp.respond(to: bob.msrp.nextMessage(), status)
        }
        try await fixture.until { await fixture.mixer.counters().deliveryFailures == 3 }
        #expect(fixture.events.last == "bob active")
        try await fixture.end()
    }

    @Test("a failure REPORT means what the response would, and is not answered (RFC 4975 section 7.3.2)")
    func report() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.say("hello?") == 200)
        let copy = try bob.msrp.nextMessage()
        func report(_ status: String) throws {
            let id = bob.msrp.newID()
            try bob.msrp.stream.send(
                "MSRP \(id) REPORT\r\nTo-Path: \(bob.msrp.remotePath)\r\nFrom-Path: \(bob.msrp.localPath)\r\n"
                    + "Message-ID: \(copy["Message-ID"] ?? "")\r\nByte-Range: 1-5/5\r\nStatus: \(status)\r\n-------\(id)$\r\n"
            )
        }
        try report("001 408 of another namespace")
        try report("000 200 OK")
        try report("000 413 too much")
        try await fixture.until { await fixture.mixer.counters().deliveryFailures == 1 }
        #expect(fixture.events.last == "bob active")
        try report("000 408 the relay gave up")
        try await fixture.until { fixture.events.last == "bob lost" }
        try await fixture.end()
    }

    @Test("a first request that is refused, or the first chunk of a message, binds all the same (RFC 4975 section 5.4)")
    func firstRequest() async throws {
        let fixture = try await MixerFixture()
        let alice = try TestParticipant("alice", try await fixture.reserve("alice"), room: fixture.room)
        await fixture.mixer.joined(alice.member)
        let id = try alice.msrp.post(Array("<p>hi</p>".utf8), contentType: "text/html")
        #expect(try alice.msrp.response(to: id).status == 415)
        #expect(fixture.events == ["alice joined", "alice active"])

        let bob = try TestParticipant("bob", try await fixture.reserve("bob"), room: fixture.room)
        await fixture.mixer.joined(bob.member)
        let chunk = bob.msrp.newID()
        let body = bob.cpim("in two chunks")
        try bob.msrp.stream.send(
            bob.msrp.sendBytes(
                id: chunk, messageID: "two", byteRange: "1-*/\(body.count)", body: Array(body.prefix(50)), flag: "+"))
        #expect(try bob.msrp.response(to: chunk).status == 200)
        #expect(fixture.events.last == "bob active")
        try await fixture.end()
    }
}
