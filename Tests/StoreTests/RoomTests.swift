import Foundation
import GRDB
import MediaMixer
import Support
import Testing

@testable import Store

@Suite("Rooms in the embedded database")
struct RoomTests {
    private static let lobby = RoomAddress(user: "Lobby", domain: "example.com")

    private static var full: StoredRoom {
        var room = RoomConfiguration(
            address: lobby, title: "The \"lobby\"\nüber", allowsPlainText: false,
            welcome: .everybody(text: "hello"), maximumMembers: 12)
        room.join = .listed
        room.speak = .moderators
        room.invite = .owners
        room.remove = .nobody
        room.describe = .domain
        room.subscribe = .all
        room.listed = ["alice@example.com", "*@example.org"]
        room.owners = ["o@example.com"]
        room.moderators = ["m@example.com"]
        room.observers = ["r@example.com"]
        room.allowsPrivateMessages = false
        room.allowsNicknames = false
        room.allowsAnonymous = false
        room.dialOut = .invite
        room.dialOutFallback = nil
        room.ends = .ownerLeaves
        var condition = RoomCondition()
        condition.title = "Ours"
        condition.subject = "today"
        condition.freeText = "text"
        condition.keywords = ["a", "b"]
        condition.isLocked = true
        condition.roles = ["bob@example.com": .moderator, "user_name@example.com": .owner]
        condition.bans = [.init(account: "eve@example.com", until: 5, reason: "noise"), .init(account: "*@x.example")]
        condition.muted = ["mute@example.com"]
        return StoredRoom(address: lobby, configuration: room, condition: condition)
    }

    @Test("what is saved is there when the file is opened again, all of it")
    func roundTrip() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await database.rooms().isEmpty)
        try await database.save(Self.full)
        let plain = StoredRoom(
            address: RoomAddress(user: "a b%", domain: "::1"),
            configuration: RoomConfiguration(
                address: RoomAddress(user: "a b%", domain: "::1"), welcome: .clientsUnawareOfChatRooms(text: "hi")))
        try await database.save(plain)
        await database.close()
        let again = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await again.rooms() == [plain, Self.full])
    }

    @Test(
        "a welcome of each kind comes back",
        arguments: [
            RoomConfiguration.Welcome.nobody, .clientsUnawareOfChatRooms(text: nil),
            .clientsUnawareOfChatRooms(text: "x"), .everybody(text: ""),
        ])
    func welcome(_ welcome: RoomConfiguration.Welcome) throws {
        let room = RoomConfiguration(address: Self.lobby, welcome: welcome)
        #expect(try RoomRecord(json: RoomRecord(room).json()).configuration(of: Self.lobby) == room)
    }

    @Test("saving replaces; a room of the configuration file has a condition only, also one that is as new")
    func replacing() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.save(Self.full)
        var room = Self.full
        room.configuration?.title = "other"
        room.condition = RoomCondition()
        try await database.save(room)
        #expect(try await database.rooms() == [room])

        // The file's configuration comes first, and does not take away the stored one.
        room.configuration = nil
        room.condition.subject = "s"
        try await database.save(room)
        #expect(try await database.rooms().map(\.configuration?.title) == ["other"])
        #expect(try await database.rooms().map(\.condition.subject) == ["s"])

        try await database.remove(Self.lobby)
        #expect(try await database.rooms().isEmpty)
        try await database.save(room)
        #expect(try await database.rooms() == [room])
        room.condition = RoomCondition()
        try await database.save(room)
        #expect(try await database.rooms() == [room])
    }

    @Test("names of rooms differ by case, domains don't")
    func names() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        for user in ["lobby", "Lobby", "LOBBY"] {
            let address = RoomAddress(user: user, domain: "Example.COM")
            try await database.save(StoredRoom(address: address, configuration: RoomConfiguration(address: address)))
        }
        #expect(try await database.rooms().map(\.address.user) == ["LOBBY", "Lobby", "lobby"])
        try await database.remove(RoomAddress(user: "Lobby", domain: "EXAMPLE.com"))
        #expect(try await database.rooms().map(\.address.description) == ["LOBBY@example.com", "lobby@example.com"])
    }

    @Test("changes of several writers at a time all count")
    func together() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.save(Self.full)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<10 {
                group.addTask {
                    let own = try await EmbeddedDatabase.open(stateDirectory: folder.path)
                    try await own.update(Self.lobby) { room in
                        room?.condition.bans.append(.init(account: "user\(number)@example.com"))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await database.rooms().first?.condition.bans.count == 12)
    }

    @Test("a change that throws changes nothing; one that leaves nothing forgets the room and its policy")
    func updating() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        let existed = try await database.update(Self.lobby) { room in
            defer { room = Self.full }
            return room != nil
        }
        #expect(existed == false)
        await #expect(throws: StoreError("no")) {
            try await database.update(Self.lobby) { room in
                room = nil
                throw StoreError("no")
            }
        }
        #expect(try await database.rooms() == [Self.full])
        try await database.setPolicy(PolicyDocument(content: [1], etag: "e"), of: Self.lobby)
        try await database.update(Self.lobby) { $0 = nil }
        #expect(try await database.rooms().isEmpty)
        #expect(try await database.policy(of: Self.lobby) == nil)
    }

    @Test("what an older version wrote takes the defaults; what is not understood is said, not skipped")
    func lenient() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.queue.write {
            try $0.execute(
                sql: """
                    INSERT INTO room (username, domain, configuration) VALUES ('Lobby', 'example.com', '{"title":"x"}');
                    INSERT INTO room_condition (username, domain, condition) VALUES ('Lobby', 'example.com', '{}')
                    """)
        }
        let room = RoomConfiguration(address: Self.lobby, title: "x")
        #expect(try await database.rooms() == [StoredRoom(address: Self.lobby, configuration: room)])
        try await database.queue.write {
            try $0.execute(sql: "UPDATE room SET configuration = '{\"join\":\"martians\"}'")
        }
        let error = await #expect(throws: StoreError.self) { _ = try await database.rooms() }
        #expect(error?.description.contains("Lobby@example.com") == true)
        #expect(error?.description.contains("'join'") == true)
        try await database.remove(Self.lobby)
        #expect(try await database.rooms().isEmpty)
    }

    @Test("a policy document is kept by OpenSIPS' columns and leaves with its room")
    func policies() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await database.policy(of: Self.lobby) == nil)
        let first = PolicyDocument(content: Array("<ruleset/>".utf8), etag: "1")
        try await database.setPolicy(first, of: Self.lobby)
        #expect(try await database.policy(of: Self.lobby) == first)
        let second = PolicyDocument(content: [0, 255], etag: "2")
        try await database.setPolicy(second, of: Self.lobby)
        #expect(try await database.policy(of: Self.lobby) == second)
        let row = try await database.queue.read {
            try Row.fetchAll(
                $0, sql: "SELECT username, domain, doc_type, source, port, etag, doc_uri, id > 0 FROM xcap"
            ).map { $0.databaseValues.map(\.description) }
        }
        #expect(
            row == [
                [
                    "\"Lobby\"", "\"example.com\"", "2", "0", "0", "\"2\"",
                    "\"pres-rules/users/sip:Lobby@example.com/index\"", "1",
                ]
            ])
        let large = PolicyDocument(
            content: [UInt8](repeating: 32, count: EmbeddedDatabase.largestPolicy + 1), etag: "3")
        await #expect(throws: StoreError.self) { try await database.setPolicy(large, of: Self.lobby) }
        try await database.remove(Self.lobby)
        #expect(try await database.policy(of: Self.lobby) == nil)
        try await database.setPolicy(first, of: Self.lobby)
        try await database.setPolicy(nil, of: Self.lobby)
        #expect(try await database.policy(of: Self.lobby) == nil)
    }

    @Test("documents of rooms that died with a process are removed, and no others")
    func leftovers() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.save(Self.full)
        let document = PolicyDocument(content: [1], etag: "e")
        let fromFile = RoomAddress(user: "file", domain: "example.com")
        let adhoc = RoomAddress(user: "adhoc", domain: "example.com")
        for room in [Self.lobby, fromFile, adhoc] { try await database.setPolicy(document, of: room) }
        try await database.queue.write {
            try $0.execute(
                sql: """
                    INSERT INTO xcap (username, domain, doc, doc_type, etag, doc_uri)
                    VALUES ('alice', 'example.com', x'00', 2, 'e', 'pres-rules/users/alice@example.com/index'),
                    ('adhoc', 'example.com', x'00', 4, 'e', 'resource-lists/users/sip:adhoc@example.com/index')
                    """)
        }
        try await database.removeLeftovers(keeping: [fromFile])
        #expect(try await database.policy(of: Self.lobby) == document)
        #expect(try await database.policy(of: fromFile) == document)
        #expect(try await database.policy(of: adhoc) == nil)
        #expect(try await database.queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM xcap") } == 4)
    }
}
