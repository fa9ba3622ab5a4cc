import MediaMixer
import Testing

@testable import Focus
@testable import SIP

@Suite("What an operator does with rooms", .timeLimit(.minutes(1)))
struct AdministrationTests {
    private let room = Bench.room
    private let other = RoomAddress(user: "tea", domain: "example.com")

    private func hungUp(_ bench: Bench, _ member: MemberID, _ call: Call) async -> String? {
        #expect(await bench.next() == .leave(member, .removed))
        guard case .hangUp(call, let reason) = await bench.next() else { return nil }
        return reason
    }

    // MARK: Static rooms

    @Test("a room that was added is there at once, and is kept before add returns")
    func add() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store) { $0.createsRoomsOnDemand = false }
        #expect(try await bench.refusal(of: .invite("sip:tea@example.com")).status == 404)
        try await bench.focus.addRoom(RoomConfiguration(address: other, title: "Tea"))
        #expect(store.stored(other)?.configuration?.title == "Tea")
        _ = try await bench.join(.invite("sip:tea@example.com"))
        let list = await bench.focus.roomList()
        #expect(
            list == [RoomSummary(address: other, kind: .stored, title: "Tea", participants: 1, isLocked: false)])
    }

    @Test("what can't be added")
    func addRefused() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store) { $0.rooms = [RoomConfiguration(address: Bench.room)] }
        await #expect(throws: RoomCommandError.exists) {
            try await bench.focus.addRoom(RoomConfiguration(address: room))
        }
        let foreign = RoomAddress(user: "tea", domain: "example.net")
        await #expect(throws: RoomCommandError.notServed) {
            try await bench.focus.addRoom(RoomConfiguration(address: foreign))
        }
        let nameless = RoomAddress(user: "", domain: "example.com")
        await #expect(throws: RoomCommandError.notServed) {
            try await bench.focus.addRoom(RoomConfiguration(address: nameless))
        }
        let factory = RoomAddress(user: "conference", domain: "example.com")
        await #expect(throws: RoomCommandError.isFactory) {
            try await bench.focus.addRoom(RoomConfiguration(address: factory))
        }
        store.fail()
        await #expect(throws: RoomCommandError.notKept("Failure()")) {
            try await bench.focus.addRoom(RoomConfiguration(address: other))
        }
        #expect(await bench.focus.roomDetails(other) == nil)
    }

    @Test("of many who add a room at once one does, and of many who remove it one does")
    func atOnce() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store) { $0.limits.rooms = 1 }
        let (focus, room, other) = (bench.focus, room, other)
        store.hold()
        let first = Task { try await focus.addRoom(RoomConfiguration(address: room, title: "first")) }
        while store.calls.isEmpty { await Task.yield() }
        for _ in 1...3 {
            await #expect(throws: RoomCommandError.exists) {
                try await focus.addRoom(RoomConfiguration(address: room, title: "later"))
            }
        }
        // The one that is being added has its place already.
        await #expect(throws: RoomCommandError.notKept("limit rooms")) {
            try await focus.addRoom(RoomConfiguration(address: other))
        }
        store.goOn()
        try await first.value
        #expect(store.calls == ["save lobby"])
        #expect(await focus.roomList().map(\.title) == ["first"])

        store.hold()
        let removal = Task { try await focus.removeRoom(room) }
        while store.calls.count < 2 { await Task.yield() }
        await #expect(throws: RoomCommandError.noSuchRoom) { try await focus.removeRoom(room) }
        let change = Task { try await focus.lock(room, true) }
        while await focus.room(at: room)?.condition.isLocked != true { await Task.yield() }
        store.goOn()
        #expect(try await removal.value == 0)
        try await change.value
        #expect(await focus.roomList().isEmpty)
        #expect(store.stored(room) == nil)
        try await focus.addRoom(RoomConfiguration(address: room))
    }

    @Test("an address that could not be kept is free again")
    func freeAgain() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store)
        store.fail()
        for _ in 1...2 {
            await #expect(throws: RoomCommandError.notKept("Failure()")) {
                try await bench.focus.addRoom(RoomConfiguration(address: other))
            }
        }
    }

    @Test("a room's configuration changes for those inside, too")
    func set() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store)
        try await bench.focus.addRoom(RoomConfiguration(address: room))
        _ = try await bench.join()
        try await bench.focus.setRoom(room) {
            $0.title = "New"
            $0.join = .nobody
        }
        #expect(store.stored(room)?.configuration?.title == "New")
        #expect(bench.mixer.terms(of: room)?.title == "New")
        #expect(try await bench.refusal(of: .invite(from: "bob")).status == 403)
        await #expect(throws: RoomCommandError.noSuchRoom) { try await bench.focus.setRoom(other) { $0.title = "" } }
    }

    @Test("rooms of the configuration file are changed there")
    func file() async throws {
        let bench = Bench(store: MemoryRooms()) { $0.rooms = [RoomConfiguration(address: Bench.room)] }
        await #expect(throws: RoomCommandError.inConfigurationFile) {
            try await bench.focus.setRoom(room) { $0.title = "x" }
        }
        await #expect(throws: RoomCommandError.inConfigurationFile) { try await bench.focus.removeRoom(room) }
    }

    @Test("a room that is removed is gone with everybody in it, and not kept")
    func remove() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store) { $0.createsRoomsOnDemand = false }
        try await bench.focus.addRoom(RoomConfiguration(address: room))
        let (call, member, _) = try await bench.join()
        #expect(try await bench.focus.removeRoom(room) == 1)
        #expect(await hungUp(bench, member, call)?.contains("cause=410") == true)
        #expect(store.stored(room) == nil)
        #expect(bench.mixer.terms(of: room) == nil)
        #expect(try await bench.refusal(of: .invite(from: "bob")).status == 404)
    }

    // MARK: People

    @Test("kick: BYE with a Reason to every device of somebody, who may come back (RFC 3326, RFC 4579 section 5.11)")
    func kick() async throws {
        let bench = Bench()
        let (first, one, _) = try await bench.join(.invite(from: "bob"))
        let (second, two, _) = try await bench.join(.invite(from: "bob"))
        _ = try await bench.join()
        #expect(try await bench.focus.kick("bob@example.org", in: room, reason: "be \"nice\"\r\n") == 2)
        #expect(await hungUp(bench, one, first) == "SIP;cause=403;text=\"be nice\"")
        #expect(await hungUp(bench, two, second) == "SIP;cause=403;text=\"be nice\"")
        #expect(await bench.focus.roomList().map(\.participants) == [1])
        await #expect(throws: RoomCommandError.noSuchParticipant) {
            try await bench.focus.kick("bob@example.org", in: room, reason: nil)
        }
        await #expect(throws: RoomCommandError.noSuchRoom) {
            try await bench.focus.kick("bob@example.org", in: other, reason: nil)
        }
        _ = try await bench.join(.invite(from: "bob"))
    }

    @Test("a ban takes out who is inside and keeps them out until it is lifted")
    func ban() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store) { $0.rooms = [RoomConfiguration(address: Bench.room)] }
        let (call, member, _) = try await bench.join(.invite(from: "bob"))
        _ = try await bench.join(.invite(from: "carol", headers: ["From": "<sip:carol@example.com>;tag=c"]))
        #expect(try await bench.focus.ban(.init(account: "*@EXAMPLE.org", reason: "spam"), in: room) == 1)
        #expect(await hungUp(bench, member, call) == "SIP;cause=403;text=\"spam\"")
        #expect(store.stored(room)?.condition.bans == [.init(account: "*@example.org", reason: "spam")])
        #expect(try await bench.refusal(of: .invite(from: "bob")).status == 403)
        await #expect(throws: RoomCommandError.noSuchParticipant) {
            try await bench.focus.unban("bob@example.org", in: room)
        }
        try await bench.focus.unban("*@example.org", in: room)
        _ = try await bench.join(.invite(from: "bob"))
        #expect(store.stored(room)?.condition.bans == [])
    }

    @Test("owners stay, whatever is banned")
    func banOwner() async throws {
        let bench = Bench()
        _ = try await bench.join()
        #expect(try await bench.focus.ban(.init(account: "*@example.org"), in: room) == 0)
        #expect(await bench.focus.roomList().map(\.participants) == [1])
    }

    @Test("an owner is not banned by name until the role is taken away")
    func banOwnerByName() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store) {
            $0.rooms = [RoomConfiguration(address: Bench.room)]
            $0.rooms[0].owners = ["bob@example.org"]
        }
        let (call, member, _) = try await bench.join(.invite(from: "bob"))
        await #expect(throws: RoomCommandError.isOwner) {
            try await bench.focus.ban(.init(account: "bob@Example.org"), in: room)
        }
        #expect(await bench.focus.roomDetails(room)?.condition.bans == [])
        try await bench.focus.setRole(.participant, of: "bob@example.org", in: room)
        #expect(try await bench.focus.ban(.init(account: "bob@example.org"), in: room) == 1)
        #expect(await hungUp(bench, member, call) != nil)
    }

    @Test("mute, lock, roles and subject are told to the mixer and kept")
    func condition() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store) { $0.rooms = [RoomConfiguration(address: Bench.room)] }
        _ = try await bench.join(.invite(from: "bob"))
        try await bench.focus.mute("bob@Example.org", true, in: room)
        try await bench.focus.lock(room, true)
        try await bench.focus.setRole(.moderator, of: "bob@example.org", in: room)
        try await bench.focus.setSubject("tea", in: room)
        let condition = try #require(bench.mixer.terms(of: room)?.condition)
        #expect(condition.muted == ["bob@example.org"])
        #expect(condition.isLocked && condition.subject == "tea")
        #expect(condition.roles == ["bob@example.org": .moderator])
        #expect(store.stored(room)?.condition == condition)
        #expect(store.stored(room)?.configuration == nil)
        let participant = try #require(await bench.focus.roomDetails(room)?.participants.first)
        #expect(participant.isMuted && participant.role == .moderator)
        #expect(participant.contact == "sip:bob@198.51.100.7:5060")
        try await bench.focus.mute("bob@example.org", false, in: room)
        try await bench.focus.lock(room, false)
        try await bench.focus.setRole(nil, of: "bob@example.org", in: room)
        try await bench.focus.setSubject("", in: room)
        #expect(store.stored(room)?.condition == RoomCondition())
    }

    @Test("the nickname that somebody has in the room is shown (RFC 7701)")
    func nickname() async throws {
        let bench = Bench()
        let (_, id, _) = try await bench.join(.invite(from: "bob"))
        #expect(await bench.focus.roomDetails(room)?.participants.map(\.nickname) == [nil])
        let member = MemberSnapshot(
            id: id, room: room, uri: "sip:bob@example.org", displayName: nil, nickname: "Bobby", isJoined: true,
            isMediaActive: true)
        await bench.focus.handle(.nicknameChanged(member))
        #expect(await bench.focus.roomDetails(room)?.participants.map(\.nickname) == ["Bobby"])
    }

    @Test("limit rooms holds for operators, too")
    func roomLimit() async throws {
        let bench = Bench { $0.limits.rooms = 1 }
        try await bench.focus.addRoom(RoomConfiguration(address: room))
        await #expect(throws: RoomCommandError.notKept("limit rooms")) {
            try await bench.focus.addRoom(RoomConfiguration(address: other))
        }
    }

    @Test("limit entriesPerRoom: a list that people make longer has an end")
    func limits() async throws {
        let bench = Bench { $0.limits.entriesPerRoom = 2 }
        _ = try await bench.join()
        // One that has run out takes no place.
        _ = try await bench.focus.ban(.init(account: "a@example.org", until: 1), in: room)
        #expect(await bench.focus.roomDetails(room)?.condition.bans == [])
        for name in ["b", "c"] { _ = try await bench.focus.ban(.init(account: "\(name)@example.org"), in: room) }
        await #expect(throws: RoomCommandError.notKept("limit entriesPerRoom")) {
            try await bench.focus.ban(.init(account: "d@example.org"), in: room)
        }
        #expect(await bench.focus.roomDetails(room)?.condition.bans.count == 2)
    }

    @Test(
        "close ends a room made on demand, and empties a static one (RFC 4579 section 5.12)", arguments: [true, false])
    func close(isStatic: Bool) async throws {
        let bench = Bench { if isStatic { $0.rooms = [RoomConfiguration(address: Bench.room)] } }
        let (call, member, _) = try await bench.join()
        #expect(try await bench.focus.closeRoom(room) == 1)
        #expect(await hungUp(bench, member, call)?.hasPrefix("SIP;cause=410;") == true)
        #expect(await bench.focus.roomList().map(\.participants) == (isStatic ? [0] : []))
        await #expect(throws: RoomCommandError.noSuchRoom) { try await bench.focus.closeRoom(other) }
    }

    @Test("a hidden participant is shown by the anonymous URI, and found by the account")
    func anonymous() async throws {
        let bench = Bench()
        let request = Request.invite(
            from: "bob", headers: ["From": "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1"])
        let (call, member, _) = try await bench.join(request)
        let participant = try #require(await bench.focus.roomDetails(room)?.participants.first)
        #expect(participant.contact == nil)
        #expect(participant.uri.hasSuffix("@anonymous.invalid"))
        let maker = try #require(await bench.focus.roomDetails(room)?.maker)
        _ = try await bench.join()
        #expect(try await bench.focus.kick(maker, in: room, reason: nil) == 1)
        #expect(await hungUp(bench, member, call) == "SIP;cause=403;text=\"Removed from the conference\"")
    }

    @Test("the anonymous URI that is shown means the account behind it: ban, mute, role")
    func anonymousAccount() async throws {
        let bench = Bench()
        _ = try await bench.join()
        let (call, member, _) = try await bench.join(
            .invite(from: "bob", headers: ["From": "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1"]))
        let shown = try #require(
            await bench.focus.roomDetails(room)?.participants.map(\.uri).first { $0.contains("anonymous") })
        let name = String(shown.dropFirst("sip:".count))
        let account = try #require(await bench.focus.dialogs[call]?.caller.account)
        try await bench.focus.mute(name, true, in: room)
        try await bench.focus.setRole(.moderator, of: name, in: room)
        var condition = try #require(await bench.focus.roomDetails(room)?.condition)
        #expect(condition.muted == [account])
        #expect(condition.roles == [account: .moderator])
        #expect(try await bench.focus.ban(.init(account: name), in: room) == 1)
        #expect(await hungUp(bench, member, call) != nil)
        condition = try #require(await bench.focus.roomDetails(room)?.condition)
        #expect(condition.bans == [.init(account: account)])
        let nobody = "anonymous-99@anonymous.invalid"
        await #expect(throws: RoomCommandError.noSuchParticipant) { try await bench.focus.mute(nobody, true, in: room) }
        await #expect(throws: RoomCommandError.noSuchParticipant) {
            try await bench.focus.setRole(.owner, of: nobody, in: room)
        }
        await #expect(throws: RoomCommandError.noSuchParticipant) {
            try await bench.focus.ban(.init(account: nobody), in: room)
        }
        _ = try await bench.focus.ban(.init(account: "*@anonymous.invalid"), in: room)
    }

    // MARK: Policy documents

    @Test("a policy document that was changed in the store holds at once")
    func policy() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store) { $0.rooms = [RoomConfiguration(address: Bench.room)] }
        #expect(await bench.focus.room(at: room)?.policy == nil)
        let document = PolicyDocument(content: Array("<ruleset/>".utf8), etag: "1")
        try await store.setPolicy(document, of: room)
        await bench.focus.policyChanged(room)
        #expect(await bench.focus.room(at: room)?.policy == document)
    }
}

@Suite("Rooms that outlive the process", .timeLimit(.minutes(1)))
struct RestoringTests {
    private let lobby = Bench.room
    private let tea = RoomAddress(user: "tea", domain: "example.com")

    private func subject(_ text: String) -> RoomCondition {
        var condition = RoomCondition()
        condition.subject = text
        return condition
    }

    @Test("static rooms, subjects and policies are back; what a crash left of other rooms is gone")
    func restore() async throws {
        let document = PolicyDocument(content: [1], etag: "1")
        let gone = RoomAddress(user: "gone", domain: "example.com")
        let store = MemoryRooms(
            [
                StoredRoom(address: lobby, condition: subject("from people")),
                StoredRoom(
                    address: tea, configuration: RoomConfiguration(address: tea, title: "Tea"),
                    condition: subject("kept")),
                // Its section was removed from the file.
                StoredRoom(address: RoomAddress(user: "old", domain: "example.com"), condition: subject("old")),
            ], policies: [tea: document, gone: document])
        let bench = Bench(store: store) {
            $0.rooms = [RoomConfiguration(address: Bench.room, title: "Lobby")]
            $0.conditions = [Bench.room: subject("from the file")]
        }
        #expect(await bench.focus.roomDetails(lobby)?.condition.subject == "from the file")
        try await bench.focus.restoreRooms()
        #expect(await bench.focus.roomList().map(\.kind) == [.file, .stored])
        #expect(await bench.focus.roomDetails(lobby)?.condition.subject == "from people")
        #expect(bench.mixer.terms(of: tea)?.title == "Tea")
        #expect(bench.mixer.terms(of: tea)?.condition.subject == "kept")
        #expect(await bench.focus.room(at: tea)?.policy == document)
        #expect(store.document(gone) == nil)
    }

    @Test("a store that can't be read stops the start")
    func failure() async throws {
        let store = MemoryRooms()
        store.fail()
        let bench = Bench(store: store)
        await #expect(throws: MemoryRooms.Failure.self) { try await bench.focus.restoreRooms() }
    }

    @Test("a room that confd room made and the file has too is the file's, and the other one's again without it")
    func both() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store)
        try await bench.focus.addRoom(RoomConfiguration(address: tea, title: "Mine"))
        var configuration = await bench.focus.configuration
        configuration.rooms = [RoomConfiguration(address: tea, title: "The file's")]
        await bench.focus.configure(configuration)
        #expect(await bench.focus.roomList().map(\.title) == ["The file's"])
        try await bench.focus.lock(tea, true)
        #expect(store.stored(tea)?.configuration?.title == "Mine")
        configuration.rooms = []
        await bench.focus.configure(configuration)
        #expect(await bench.focus.roomList().map(\.title) == ["Mine"])
        #expect(await bench.focus.roomList().map(\.kind) == [.stored])
        #expect(await bench.focus.roomList().map(\.isLocked) == [true])
    }

    @Test("a configuration that was read again brings rooms, changes them, and takes them away")
    func reload() async throws {
        let store = MemoryRooms([StoredRoom(address: tea, condition: subject("kept"))])
        let bench = Bench(store: store) { $0.rooms = [RoomConfiguration(address: Bench.room, title: "Lobby")] }
        let (call, member, _) = try await bench.join()
        var configuration = await bench.focus.configuration
        configuration.rooms = [RoomConfiguration(address: lobby, title: "Hall"), RoomConfiguration(address: tea)]
        await bench.focus.configure(configuration)
        #expect(await bench.focus.roomList().map(\.title) == ["Hall", ""])
        #expect(bench.mixer.terms(of: lobby)?.title == "Hall")
        #expect(await bench.focus.roomDetails(tea)?.condition.subject == "kept")
        configuration.rooms = []
        await bench.focus.configure(configuration)
        // Somebody is in the lobby: it stays until they have left.
        #expect(await bench.focus.roomList().map(\.address) == [lobby])
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        #expect(await bench.next() == .leave(member, .departed))
        #expect(await bench.focus.roomList().isEmpty)
    }
}

@Suite("Keeping rooms", .timeLimit(.minutes(1)))
struct RoomKeeperTests {
    private let room = Bench.room

    private func stored(_ subject: String) -> StoredRoom {
        var condition = RoomCondition()
        condition.subject = subject
        return StoredRoom(address: room, condition: condition)
    }

    @Test("of one room's states only the newest waits, so a slow store holds up nothing")
    func newest() async throws {
        let store = MemoryRooms()
        let keeper = RoomKeeper(store, logger: Bench.quiet)
        store.hold()
        for number in 1...100 { keeper.save(stored("\(number)")) }
        keeper.setPolicy(PolicyDocument(content: [], etag: "a"), of: room)
        keeper.setPolicy(nil, of: room)
        store.goOn()
        try await keeper.saveAndWait(stored("last"))
        #expect(store.calls.count <= 5, "\(store.calls)")
        #expect(store.stored(room)?.condition.subject == "last")
        #expect(store.document(room) == nil)
    }

    @Test("a failure is told to who waits for it, and the next order is tried")
    func failure() async throws {
        let store = MemoryRooms()
        let keeper = RoomKeeper(store, logger: Bench.quiet)
        store.fail()
        await #expect(throws: RoomCommandError.notKept("Failure()")) { try await keeper.saveAndWait(stored("x")) }
        await #expect(throws: RoomCommandError.notKept("Failure()")) { try await keeper.removeAndWait(room) }
        await keeper.settle()
        #expect(store.calls == ["save lobby", "remove lobby"])
    }
}
