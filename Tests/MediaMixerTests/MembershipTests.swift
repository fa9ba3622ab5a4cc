import MSRPTransport
import MediaMixer
import NIOCore
import Support
import Testing

@Suite("Coming, going and being lost", .serialized)
struct MembershipTests {
    @Test("pending until the ACK, active from the bind, gone with the BYE")
    func lifeCycle() async throws {
        let fixture = try await MixerFixture()
        let reservation = try await fixture.reserve("alice")
        #expect(await fixture.mixer.roster(fixture.room) == [])
        await fixture.mixer.joined(reservation.member)
        #expect(await fixture.mixer.roster(fixture.room).map(\.isMediaActive) == [false])
        let alice = try TestParticipant("alice", reservation, room: fixture.room)
        try alice.msrp.bind()
        #expect(await fixture.mixer.roster(fixture.room).map(\.isMediaActive) == [true])
        await fixture.mixer.leave(reservation.member, reason: .departed)
        #expect(try alice.msrp.stream.closes(within: 5))
        #expect(fixture.events == ["alice joined", "alice active", "alice left departed"])
        #expect(await fixture.mixer.roster(fixture.room) == [])
        try await fixture.end()
    }

    @Test("a bind before the ACK is media once the member has joined")
    func bindBeforeAcknowledgement() async throws {
        let fixture = try await MixerFixture()
        let reservation = try await fixture.reserve("alice")
        let alice = try TestParticipant("alice", reservation, room: fixture.room)
        #expect(try alice.msrp.bind().status == 200)
        #expect(fixture.events == [])
        await fixture.mixer.joined(reservation.member)
        #expect(fixture.events == ["alice joined", "alice active"])
        try await fixture.end()
    }

    @Test("messages wait for the bind, the last of them; of the others the newcomer is told how many they were")
    func messagesBeforeBind() async throws {
        var configuration = MixerConfiguration()
        configuration.messagesBeforeBind = 3
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let reservation = try await fixture.reserve("bob")
        await fixture.mixer.joined(reservation.member)
        for number in 1...5 { #expect(try alice.say("message \(number)") == 200) }
        let bob = try TestParticipant("bob", reservation, room: fixture.room)
        try bob.msrp.bind()
        for number in 3...5 { #expect(try bob.hears() == "message \(number)") }
        #expect(try bob.hears() == "2 messages were lost while you were away.")
        #expect(try alice.say("message 6") == 200)
        #expect(try bob.hears() == "message 6")
        #expect(await fixture.mixer.counters().messagesDropped == 2)
        try await fixture.end()
    }

    @Test("nothing is sent to a client before its bind is answered")
    func answerFirst() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let reservation = try await fixture.reserve("bob")
        await fixture.mixer.joined(reservation.member)
        #expect(try alice.say("waiting") == 200)
        let bob = try TestParticipant("bob", reservation, room: fixture.room)
        let id = bob.msrp.newID()
        try bob.msrp.stream.send(bob.msrp.sendBytes(id: id, body: nil))
        var bytes: [UInt8] = []
        let deadline = Deadline.after(seconds: 5)
        while !String(decoding: bytes, as: UTF8.self).contains("waiting"),
            let more = try bob.msrp.stream.receiveIfAny(deadline), !more.isEmpty
        {
            bytes += more
        }
        #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("MSRP \(id) 200 OK\r\n"))
        try await fixture.end()
    }

    @Test("after a loss the member stays for the grace period; the old session-id is unknown (RFC 4975 section 5.4)")
    func grace() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        alice.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "alice lost" }
        #expect(await fixture.mixer.roster(fixture.room).map(\.isMediaActive) == [false])
        let again = try RawMSRPClient(remotePath: alice.msrp.remotePath, localPath: alice.msrp.localPath)
        #expect(try again.bind().status == 481)
        await fixture.tick(after: .seconds(9))
        #expect(await fixture.mixer.roster(fixture.room).count == 1)
        await fixture.tick(after: .seconds(11))
        #expect(fixture.events.last == "alice ended graceExpired")
        #expect(await fixture.mixer.roster(fixture.room) == [])
        try await fixture.end()
    }

    @Test("a new path within the grace period brings the media back, with what was said meanwhile")
    func renegotiated() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        alice.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "alice lost" }
        #expect(try bob.say("are you there?") == 200)
        let renewed = try await fixture.mixer.renegotiate(
            alice.member, media: fixture.media("alice2"), newSession: true)
        #expect(renewed.localPath != alice.msrp.remotePath)
        let back = try TestParticipant("alice", renewed, room: fixture.room)
        #expect(try back.msrp.bind().status == 200)
        #expect(try back.hears() == "are you there?")
        await fixture.tick(after: .seconds(20))
        #expect(fixture.events.last == "alice active")
        try await fixture.end()
    }

    @Test("a new path while the old connection lives: the old session-id is unknown, its connection closed")
    func renegotiatedWhileActive() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let renewed = try await fixture.mixer.renegotiate(
            alice.member, media: fixture.media("alice2"), newSession: true)
        #expect(try alice.msrp.stream.closes(within: 5))
        let old = try RawMSRPClient(remotePath: alice.msrp.remotePath, localPath: alice.msrp.localPath)
        #expect(try old.bind().status == 481)
        let back = try TestParticipant("alice", renewed, room: fixture.room)
        #expect(try back.msrp.bind().status == 200)
        #expect(fixture.events == ["alice joined", "alice active", "alice lost", "alice active"])
        try await fixture.end()
    }

    @Test("with reconnect_same_session the old path is taken again")
    func sameSession() async throws {
        var configuration = MixerConfiguration()
        configuration.reconnectsSameSession = true
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        alice.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "alice lost" }
        let again = try RawMSRPClient(remotePath: alice.msrp.remotePath, localPath: alice.msrp.localPath)
        #expect(try again.bind().status == 200)
        #expect(fixture.events.last == "alice active")
        try await fixture.end()
    }

    @Test("a second connection for a bound session gets 506")
    func secondConnection() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let thief = try RawMSRPClient(remotePath: alice.msrp.remotePath, localPath: alice.msrp.localPath)
        #expect(try thief.bind().status == 506)
        #expect(try alice.msrp.bind().status == 200)
        try await fixture.end()
    }

    @Test("a bound connection that names a session nobody knows gets 481")
    func unknownSession() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let id = alice.msrp.newID()
        try alice.msrp.stream.send(
            "MSRP \(id) SEND\r\nTo-Path: \(alice.msrp.remotePath.dropLast(6))00;tcp\r\n"
                + "From-Path: \(alice.msrp.localPath)\r\nMessage-ID: x\r\nByte-Range: 1-0/0\r\n-------\(id)$\r\n")
        #expect(try alice.msrp.response(to: id).status == 481)
        try await fixture.end()
    }

    @Test("30 seconds without an answer are a lost connection (RFC 4975 section 7.1.1)")
    func transactionTimeout() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        bob.msrp.answersRequests = false
        #expect(try alice.say("hello?") == 200)
        #expect(try bob.hears() == "hello?")
        await fixture.tick(after: .seconds(29))
        #expect(fixture.events.last == "bob active")
        await fixture.tick(after: .seconds(31))
        try await fixture.until { fixture.events.last == "bob lost" }
        #expect(await fixture.mixer.counters().transactionTimeouts == 1)
        try await fixture.end()
    }

    @Test("nobody connects to a reserved session: the member is given up")
    func neverConnected() async throws {
        let fixture = try await MixerFixture()
        let reservation = try await fixture.reserve("alice")
        await fixture.mixer.joined(reservation.member)
        await fixture.tick(after: .seconds(61))
        #expect(fixture.events == ["alice joined", "alice ended neverConnected"])
        try await fixture.end()
    }

    @Test("a room is there from its opening to its closing, whoever is in it")
    func rooms() async throws {
        let fixture = try await MixerFixture()
        let adHoc = RoomAddress(user: "adhoc", domain: "example.com")
        await #expect(throws: JoinRefusal.noSuchRoom) { try await fixture.reserve("alice", in: adHoc) }
        let alice = try await fixture.join("alice", in: adHoc, creates: true)
        await fixture.mixer.leave(alice.member, reason: .departed)
        #expect(await fixture.mixer.terms(of: adHoc) != nil)
        let bob = try await fixture.reserve("bob", in: adHoc)
        await fixture.mixer.joined(bob.member)
        await fixture.mixer.close(adHoc, version: 0)
        #expect(await fixture.mixer.terms(of: adHoc) == nil)
        #expect(fixture.events.last == "bob left removed")
        await #expect(throws: JoinRefusal.noSuchRoom) { try await fixture.reserve("alice", in: adHoc) }
        try await fixture.end()
    }

    @Test("a room and the mixer take as many members as they are allowed to")
    func limits() async throws {
        var configuration = MixerConfiguration()
        configuration.maximumMembersPerRoom = 1
        configuration.maximumMembers = 2
        configuration.maximumRooms = 2
        let fixture = try await MixerFixture(configuration: configuration)
        let other = RoomAddress(user: "other", domain: "example.com")
        _ = try await fixture.reserve("alice")
        await #expect(throws: JoinRefusal.roomIsFull) { try await fixture.reserve("bob") }
        _ = try await fixture.reserve("bob", in: other, creates: true)
        await #expect(throws: JoinRefusal.tooManyMembers) { try await fixture.reserve("carol") }
        #expect(await fixture.mixer.counters().joinsRefused == 2)
        try await fixture.end()
    }

    @Test("a path that is none is refused, and leaves no room behind")
    func malformedPath() async throws {
        let fixture = try await MixerFixture()
        let other = RoomAddress(user: "other", domain: "example.com")
        await #expect(throws: JoinRefusal.malformedPath) {
            try await fixture.reserve("alice", in: other, creates: true) { $0.path = "http://x" }
        }
        #expect(await fixture.mixer.terms(of: other) == nil)
        try await fixture.end()
    }

    @Test("the active side connects after the ACK, binds, and sends nothing before the answer")
    func weConnect() async throws {
        let fixture = try await MixerFixture()
        let listener = try StreamListener()
        let alice = try await fixture.join("alice")
        let path = "msrp://127.0.0.1:\(listener.port)/bob;tcp"
        let reservation = try await fixture.reserve("bob") {
            $0.path = path
            $0.role = .weConnect(host: "127.0.0.1", port: Int(listener.port))
        }
        await fixture.mixer.joined(reservation.member)
        let bob = RawMSRPClient(
            stream: try listener.accept(), remotePath: reservation.localPath, localPath: path)
        bob.answersRequests = false
        let bind = try bob.next()
        #expect(bind.word == "SEND")
        #expect(bind.body == nil)
        #expect(bind["To-Path"] == path)
        #expect(bind["From-Path"] == reservation.localPath)
        #expect(try alice.say("wait for it") == 200)
        #expect(try bob.nextIfAny(within: 0.1) == nil)
        try bob.respond(to: bind)
        #expect(try bob.nextMessage().cpimText == "wait for it")
        #expect(fixture.events.suffix(2) == ["bob joined", "bob active"])
        try await fixture.end()
    }

    @Test("the active side that cannot connect, or is refused, gives the member up")
    func cannotConnect() async throws {
        let fixture = try await MixerFixture()
        let port = try StreamListener().port
        let reservation = try await fixture.reserve("bob") { $0.role = .weConnect(host: "127.0.0.1", port: Int(port)) }
        await fixture.mixer.joined(reservation.member)
        try await fixture.until { fixture.events.last == "bob ended connectFailed" }
        let listener = try StreamListener()
        let second = try await fixture.reserve("carol") {
            $0.role = .weConnect(host: "127.0.0.1", port: Int(listener.port))
        }
        await fixture.mixer.joined(second.member)
        let carol = RawMSRPClient(
            stream: try listener.accept(), remotePath: second.localPath, localPath: "msrp://127.0.0.1:9/carol;tcp")
        carol.answersRequests = false
        try carol.respond(to: carol.next(), "481 No Such Session")
        try await fixture.until { fixture.events.last == "carol ended bindRefused" }
        try await fixture.end()
    }

    @Test("leaving in the middle of a message of one's own leaves no trace")
    func vanishedInAChunk() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let bytes = alice.msrp.sendBytes(id: alice.msrp.newID(), body: alice.cpim("never finished"))
        try alice.msrp.stream.send(Array(bytes.dropLast(20)))
        alice.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "alice lost" }
        #expect(try bob.say("still here") == 200)
        #expect(try bob.msrp.nextIfAny(within: 0.1) == nil)
        try await fixture.end()
    }
}
