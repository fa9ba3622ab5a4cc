import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Testing

@testable import MediaMixer

@Suite("Rooms on several event loops", .serialized)
struct LoopsTests {
    private func address(_ number: Int) -> RoomAddress { RoomAddress(user: "room\(number)", domain: "example.com") }

    private func loop(of room: RoomAddress, _ fixture: MixerFixture) async -> [Int] {
        await fixture.mixer.performOnAll { $0.room(room) == nil ? nil : $0.transport.place.index }.compactMap { $0 }
    }

    @Test("rooms are spread evenly, each with all its members on one loop, and who is in a room hears that room")
    func spreads() async throws {
        let fixture = try await MixerFixture(loops: 3)
        // The fixture's own room is the first of six.
        for number in 1..<6 { await fixture.mixer.open(RoomTerms(RoomConfiguration(address: address(number)))) }
        let rooms = [fixture.room] + (1..<6).map(address)
        var places: [Int] = []
        for room in rooms { places += await loop(of: room, fixture) }
        #expect(places.sorted() == [0, 0, 1, 1, 2, 2])
        var members: [[TestParticipant]] = []
        for (number, room) in rooms.enumerated() {
            var inside: [TestParticipant] = []
            for seat in 0..<4 { inside.append(try await fixture.join("u\(number)x\(seat)", in: room)) }
            members.append(inside)
        }
        for (number, inside) in members.enumerated() {
            for (seat, member) in inside.enumerated() {
                #expect(try member.say("I am \(seat) of room \(number)") == 200)
            }
        }
        for (number, inside) in members.enumerated() {
            for (seat, member) in inside.enumerated() {
                for other in 0..<4 where other != seat {
                    #expect(try member.hears() == "I am \(other) of room \(number)")
                }
                #expect(try member.msrp.nextIfAny(within: 0.01) == nil)
            }
            let place = places[number]
            let found = await fixture.mixer.perform(room: rooms[number]) { mixer in
                mixer.room(rooms[number])?.members.map { $0.connection?.transport.place.index }
            }
            #expect(found == Array(repeating: place, count: 4))
        }
        #expect(Set(members.joined().map(\.member)).count == 24)
        let counters = await fixture.mixer.counters()
        #expect(counters.rooms == 6)
        #expect(counters.members == 24)
        #expect(counters.messagesAccepted == 24)
        #expect(counters.deliveries == 72)
        for (number, room) in rooms.enumerated() {
            #expect(await fixture.mixer.roster(room).map(\.id) == members[number].map(\.member))
        }
        await fixture.mixer.leave(members[5][0].member, reason: .departed)
        #expect(await fixture.mixer.roster(rooms[5]).count == 3)
        #expect(await fixture.mixer.counters().members == 23)
        try await fixture.end()
        #expect(fixture.events.count(where: { $0.hasSuffix("left shutdown") }) == 23)
        for number in 0..<6 {
            let own = fixture.events.filter { $0.hasPrefix("u\(number)x1 ") }
            #expect(own == ["joined", "active", "left shutdown"].map { "u\(number)x1 \($0)" })
        }
    }

    @Test("with TLS, and with members to whom we connect")
    func secureAndActive() async throws {
        let identity = try SelfSignedCertificate.generate(names: ["localhost"])
        let server = try TLSContext.server(identities: [identity])
        let client = try TLSContext.client(identity: identity)
        let fixture = try await MixerFixture(
            loops: 2,
            adjust: {
                $0.serverTLS = server
                $0.clientTLS = client
            })
        for number in 0..<4 {
            let room = address(number)
            let secure = try await fixture.join("s\(number)", in: room, creates: true) { $0.isTLS = true }
            let listener = try StreamListener()
            let reservation = try await fixture.reserve("a\(number)", in: room) {
                $0.role = .weConnect(host: "127.0.0.1", port: Int(listener.port))
            }
            await fixture.mixer.joined(reservation.member)
            let active = RawMSRPClient(
                stream: try listener.accept(), remotePath: reservation.localPath,
                localPath: "msrp://127.0.0.1:9/a\(number);tcp")
            #expect(try active.next().word == "SEND")
            #expect(try secure.say("hello") == 200)
            #expect(try active.nextMessage().cpimText == "hello")
            let place = await loop(of: room, fixture)
            let found = await fixture.mixer.perform(room: room) { mixer in
                mixer.room(room)?.members.map { $0.connection?.transport.place.index }
            }
            #expect(place.count == 1)
            #expect(found == [place[0], place[0]])
        }
        try await fixture.end()
    }

    @Test("a member that changes its session comes back to its loop")
    func renegotiation() async throws {
        let fixture = try await MixerFixture(loops: 4)
        for number in 0..<4 {
            let room = address(number)
            let other = try await fixture.join("o\(number)", in: room, creates: true)
            let member = try await fixture.join("m\(number)", in: room)
            let media = fixture.media("m\(number)") { $0.path = "msrp://127.0.0.1:9/again\(number);tcp" }
            let reservation = try await fixture.mixer.renegotiate(member.member, media: media, newSession: true)
            #expect(reservation.member == member.member)
            let again = try RawMSRPClient(
                remotePath: reservation.localPath, localPath: "msrp://127.0.0.1:9/again\(number);tcp")
            #expect(try again.bind().status == 200)
            #expect(try other.say("welcome back") == 200)
            #expect(try again.nextMessage().cpimText == "welcome back")
        }
        try await fixture.end()
    }

    @Test("the most rooms and the most members are those of all loops together")
    func limits() async throws {
        var configuration = MixerConfiguration()
        configuration.maximumRooms = 4
        configuration.maximumMembers = 5
        let fixture = try await MixerFixture(configuration: configuration, loops: 2)
        for number in 1..<4 { _ = try await fixture.reserve("u\(number)", in: address(number), creates: true) }
        await #expect(throws: JoinRefusal.tooManyRooms) {
            _ = try await fixture.reserve("u9", in: address(9), creates: true)
        }
        await fixture.mixer.open(RoomTerms(RoomConfiguration(address: address(9))))
        #expect(await fixture.mixer.counters().rooms == 4)
        let last = try await fixture.reserve("u4")
        _ = try await fixture.reserve("u5")
        await #expect(throws: JoinRefusal.tooManyMembers) { _ = try await fixture.reserve("u6", in: address(1)) }
        await fixture.mixer.leave(last.member, reason: .notCompleted)
        _ = try await fixture.reserve("u6", in: address(1))
        await fixture.mixer.close(address(3), version: 0)
        #expect(await fixture.mixer.counters().rooms == 3)
        _ = try await fixture.reserve("u7", in: address(9), creates: true)
        try await fixture.end()
    }

    @Test("a room that opens, closes and is joined by many at a time is never on two loops")
    func races() async throws {
        let fixture = try await MixerFixture(loops: 4)
        let mixer = fixture.mixer
        let room = address(1)
        for round in 0..<10 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    let version = UInt64(round * 100 + number)
                    group.addTask {
                        switch number % 3 {
                        case 0: await mixer.open(RoomTerms(RoomConfiguration(address: room), version: version))
                        case 1: await mixer.close(room, version: version)
                        default:
                            let reservation = try? await fixture.reserve("u\(number)", in: room, creates: true)
                            if let reservation { await mixer.joined(reservation.member) }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let found = await loop(of: room, fixture)
            #expect(found.count <= 1)
            let inside = await mixer.performOnAll { $0.room(room)?.members.count ?? 0 }.reduce(0, +)
            #expect(await mixer.counters().members == inside)
            await mixer.close(room, version: .max)
            #expect(await mixer.counters().members == 0)
            #expect(await mixer.counters().rooms == 1)
        }
        try await fixture.end()
    }
}

@Suite("Where rooms are placed")
struct RoomPlacesTests {
    private func room(_ number: Int) -> RoomAddress { RoomAddress(user: "r\(number)", domain: "example.com") }

    @Test("on the loop with the fewest members, and of those the one with the fewest rooms")
    func placing() {
        let places = RoomPlaces(loops: 3)
        let empty = (0..<6).map { places.begin(room($0)) { _ in 0 } }
        #expect(empty == [0, 1, 2, 0, 1, 2])
        #expect(places.begin(room(6)) { [5, 3, 9][$0] } == 1)
        #expect(places.begin(room(7)) { [5, 5, 9][$0] } == 0)
    }

    @Test("a room stays where it is while it is open or somebody asks for it, and is placed anew after that")
    func staying() {
        let places = RoomPlaces(loops: 2)
        #expect(places.begin(room(1)) { [0, 1][$0] } == 0)
        #expect(places.begin(room(1)) { [1, 0][$0] } == 0)
        places.end(room(1), isOpen: false)
        #expect(places.begin(room(1)) { [1, 0][$0] } == 0)
        places.end(room(1), isOpen: true)
        places.end(room(1), isOpen: true)
        #expect(places.begin(room(1)) { [1, 0][$0] } == 0)
        places.end(room(1), isOpen: false)
        #expect(places.begin(room(1)) { [1, 0][$0] } == 1)
    }
}
