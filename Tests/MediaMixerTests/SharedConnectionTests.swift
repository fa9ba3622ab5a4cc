import MSRPTransport
import MediaMixer
import NIOCore
import Support
import Testing

@Suite("One client's sessions of two rooms on one TCP connection (RFC 4975 section 5.4)", .serialized)
struct SharedConnectionTests {
    private static let kitchen = RoomAddress(user: "kitchen", domain: "example.com")

    /// Alice in the lobby and in the kitchen over one connection.
    private struct Alice {
        let lobby: RawMSRPClient
        let kitchen: RawMSRPClient
        let members: [MemberID]

        init(_ fixture: MixerFixture) async throws {
            let inLobby = try await fixture.reserve("alice") { $0.path = "msrp://127.0.0.1:9/lobby;tcp" }
            let inKitchen = try await fixture.reserve("alice", in: SharedConnectionTests.kitchen, creates: true) {
                $0.path = "msrp://127.0.0.1:9/kitchen;tcp"
            }
            members = [inLobby.member, inKitchen.member]
            for member in members { await fixture.mixer.joined(member) }
            lobby = try RawMSRPClient(remotePath: inLobby.localPath, localPath: "msrp://127.0.0.1:9/lobby;tcp")
            kitchen = RawMSRPClient(
                stream: lobby.stream, remotePath: inKitchen.localPath, localPath: "msrp://127.0.0.1:9/kitchen;tcp")
            #expect(try lobby.bind().status == 200)
            #expect(try kitchen.bind().status == 200)
        }

        static func text(_ text: String, to room: RoomAddress) -> [UInt8] {
            RawMSRPClient.cpim(from: "sip:alice@example.com", to: room.uri, text)
        }
    }

    @Test("messages go to the room whose session they name, and come from each room under its own path")
    func twoRooms() async throws {
        let fixture = try await MixerFixture()
        let alice = try await Alice(fixture)
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol", in: Self.kitchen)
        #expect(await fixture.transport.counters().connections == 3)
        let connections = await fixture.transport.counters().connectionsAccepted
        #expect(connections == 3)

        let id = try alice.lobby.post(Alice.text("hello, lobby", to: fixture.room))
        #expect(try alice.lobby.response(to: id).status == 200)
        let other = try alice.kitchen.post(Alice.text("hello, kitchen", to: Self.kitchen))
        #expect(try alice.kitchen.response(to: other).status == 200)
        #expect(try bob.hears() == "hello, lobby")
        #expect(try carol.hears() == "hello, kitchen")

        alice.lobby.answersRequests = false
        for round in 0..<20 {
            #expect(try bob.say("lobby \(round)") == 200)
            #expect(try carol.say("kitchen \(round)") == 200)
            for (text, path) in [("lobby \(round)", alice.lobby), ("kitchen \(round)", alice.kitchen)] {
                let message = try alice.lobby.nextMessage()
                #expect(message.cpimText == text)
                #expect(message["From-Path"] == path.remotePath)
                #expect(message["To-Path"] == path.localPath)
                try path.respond(to: message)
            }
        }
        #expect(try alice.lobby.bind().status == 200)
        // All answers found their session: nobody is missed after 30 seconds.
        await fixture.tick(after: .seconds(31))
        #expect(!fixture.events.contains("alice lost"))
        try await fixture.end()
    }

    @Test("both rooms are told when the connection ends")
    func lost() async throws {
        let fixture = try await MixerFixture()
        let alice = try await Alice(fixture)
        alice.lobby.stream.reset()
        try await fixture.until { fixture.events.filter { $0 == "alice lost" }.count == 2 }
        #expect(await fixture.mixer.roster(fixture.room).map(\.isMediaActive) == [false])
        #expect(await fixture.mixer.roster(Self.kitchen).map(\.isMediaActive) == [false])
        try await fixture.end()
    }

    @Test("who leaves one room stays in the other, and the connection ends with the last", arguments: [0, 1])
    func leavesOne(_ leaving: Int) async throws {
        let fixture = try await MixerFixture()
        let alice = try await Alice(fixture)
        await fixture.mixer.leave(alice.members[leaving], reason: .departed)
        let (staying, left) = leaving == 0 ? (alice.kitchen, alice.lobby) : (alice.lobby, alice.kitchen)
        let room = leaving == 0 ? Self.kitchen : fixture.room
        let id = try staying.post(Alice.text("still here", to: room))
        #expect(try staying.response(to: id).status == 200)
        let late = try left.post(Alice.text("too late", to: room))
        #expect(try left.response(to: late).status == 481)
        await fixture.mixer.leave(alice.members[1 - leaving], reason: .departed)
        #expect(try alice.lobby.stream.closes(within: 5))
        #expect(!fixture.events.contains("alice lost"))
        try await fixture.end()
    }

    @Test("a session's id is still good for one connection at a time")
    func inUse() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let thief = RawMSRPClient(
            stream: bob.msrp.stream, remotePath: alice.msrp.remotePath, localPath: alice.msrp.localPath)
        #expect(try thief.bind().status == 506)
        #expect(try bob.say("I'm still here") == 200)
        #expect(try alice.hears() == "I'm still here")
        try await fixture.end()
    }
}
