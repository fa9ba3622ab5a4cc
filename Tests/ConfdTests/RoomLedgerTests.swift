import Focus
import Foundation
import MediaMixer
import Store
import Support
import Testing

@testable import confd

@Suite("Rooms without a running server")
struct RoomLedgerTests {
    private static let lobby = RoomAddress(user: "lobby", domain: "example.com")
    private static let board = RoomAddress(user: "board", domain: "example.com")

    private let folder: TemporaryFolder
    private let database: EmbeddedDatabase
    private let ledger: RoomLedger

    init() async throws {
        folder = try TemporaryFolder()
        database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        var condition = RoomCondition()
        condition.isLocked = true
        condition.subject = "from the file"
        ledger = RoomLedger(
            database: database,
            file: [
                StoredRoom(
                    address: Self.lobby, configuration: RoomConfiguration(address: Self.lobby, title: "The lobby"),
                    condition: condition)
            ], domains: ["example.com"], factoryName: "conference", now: { 90 })
    }

    private func details(_ room: RoomAddress) async throws -> RoomDetails {
        try #require(try await ledger.answer(.show(room)).details)
    }

    private func addBoard() async throws {
        var configuration = RoomConfiguration(address: Self.board, title: "The board")
        configuration.join = .listed
        var words = RoomChange.Words()
        words.subject = "money"
        _ = try await ledger.answer(.add(configuration, words))
    }

    @Test("rooms of the file and of the database are listed together, by domain and name")
    func list() async throws {
        try await addBoard()
        let rooms = try await ledger.answer(.list).rooms
        #expect(
            rooms == [
                RoomSummary(address: Self.board, kind: .stored, title: "The board", participants: 0, isLocked: false),
                RoomSummary(address: Self.lobby, kind: .file, title: "The lobby", participants: 0, isLocked: true),
            ])
    }

    @Test("a room is made, changed, removed")
    func life() async throws {
        try await addBoard()
        #expect(try await details(Self.board).condition.subject == "money")
        var change = RoomChange()
        change.rules.speak = .moderators
        change.rules.maximumMembers = 0
        change.rules.dialOutFallback = DialOutFallback.none
        change.words.title = "The great board"
        change.words.keywords = ["gold"]
        _ = try await ledger.answer(.set(Self.board, change))
        let room = try await details(Self.board)
        #expect(room.configuration.speak == .moderators)
        #expect(room.configuration.join == .listed)
        #expect(room.configuration.maximumMembers == nil)
        #expect(room.configuration.dialOutFallback == nil)
        #expect(room.condition.title == "The great board")
        #expect(room.condition.subject == "money")
        #expect(room.condition.keywords == ["gold"])
        change = RoomChange()
        change.words.title = ""
        change.words.subject = ""
        _ = try await ledger.answer(.set(Self.board, change))
        #expect(try await details(Self.board).condition.title == nil)
        #expect(try await details(Self.board).condition.subject == nil)

        _ = try await ledger.answer(.policy(Self.board, .rule(handling: "allow", [.everyone])))
        _ = try await ledger.answer(.remove(Self.board))
        #expect(try await database.rooms().isEmpty)
        #expect(try await database.policy(of: Self.board) == nil)
    }

    @Test("what people change in a room of the file starts from the file and is kept; its rules are the file's")
    func fileRoom() async throws {
        _ = try await ledger.answer(.mute(Self.lobby, account: "m@example.com", isMuted: true))
        var condition = try await details(Self.lobby).condition
        #expect(condition.isLocked)
        #expect(condition.subject == "from the file")
        #expect(condition.muted == ["m@example.com"])
        _ = try await ledger.answer(.lock(Self.lobby, isLocked: false))
        _ = try await ledger.answer(.mute(Self.lobby, account: "m@example.com", isMuted: false))
        condition = try await details(Self.lobby).condition
        #expect(!condition.isLocked)
        #expect(condition.muted.isEmpty)
        var change = RoomChange()
        change.words.subject = ""
        _ = try await ledger.answer(.set(Self.lobby, change))
        #expect(try await details(Self.lobby).condition == RoomCondition())
        change.rules.join = .nobody
        let order = RoomOrder.set(Self.lobby, change)
        await #expect(throws: RoomFailure(.inConfigurationFile, order)) { try await ledger.answer(order) }
        await #expect(throws: RoomFailure(.inConfigurationFile, .remove(Self.lobby))) {
            try await ledger.answer(.remove(Self.lobby))
        }
    }

    @Test("bans, roles and locks are kept; the later ban of one replaces the earlier")
    func people() async throws {
        try await addBoard()
        let ban = RoomCondition.Ban(account: "eve@example.com", until: 99, reason: "noise")
        _ = try await ledger.answer(.ban(Self.board, RoomCondition.Ban(account: "eve@example.com")))
        _ = try await ledger.answer(.ban(Self.board, ban))
        _ = try await ledger.answer(.ban(Self.board, RoomCondition.Ban(account: "*@spam.example")))
        #expect(
            try await details(Self.board).condition.bans == [ban, RoomCondition.Ban(account: "*@spam.example")])
        var later = ledger
        later.now = { 99 }
        #expect(
            try await later.answer(.show(Self.board)).details?.condition.bans
                == [RoomCondition.Ban(account: "*@spam.example")])
        _ = try await ledger.answer(.unban(Self.board, account: "eve@example.com"))
        let again = RoomOrder.unban(Self.board, account: "eve@example.com")
        await #expect(throws: RoomFailure("eve@example.com is not banned from board@example.com")) {
            try await ledger.answer(again)
        }
        _ = try await ledger.answer(.role(Self.board, account: "bob@example.com", .moderator))
        #expect(try await details(Self.board).condition.roles == ["bob@example.com": .moderator])
        _ = try await ledger.answer(.role(Self.board, account: "bob@example.com", nil))
        #expect(try await details(Self.board).condition.roles.isEmpty)
    }

    @Test("without a server nobody is inside under an anonymous name")
    func anonymous() async throws {
        let name = "anonymous-1@anonymous.invalid"
        for order in [
            RoomOrder.ban(Self.lobby, .init(account: name)), .mute(Self.lobby, account: name, isMuted: true),
            .role(Self.lobby, account: name, .owner),
        ] {
            await #expect(throws: RoomFailure("\(name) is not in lobby@example.com")) { try await ledger.answer(order) }
        }
        _ = try await ledger.answer(.ban(Self.lobby, .init(account: "*@anonymous.invalid")))
    }

    @Test("an owner is not banned by name until the role is taken away")
    func banOwner() async throws {
        try await addBoard()
        _ = try await ledger.answer(.role(Self.board, account: "o@example.com", .owner))
        let ban = RoomOrder.ban(Self.board, .init(account: "o@example.com"))
        let error = await #expect(throws: RoomFailure.self) { try await ledger.answer(ban) }
        #expect(error?.description.hasSuffix("'confd room role board@example.com o@example.com participant'") == true)
        #expect(try await details(Self.board).condition.bans.isEmpty)
        _ = try await ledger.answer(.ban(Self.board, .init(account: "*@example.com")))
        _ = try await ledger.answer(.role(Self.board, account: "o@example.com", .participant))
        _ = try await ledger.answer(ban)
        #expect(try await details(Self.board).condition.bans.count == 2)
    }

    @Test("what can't be done is told apart")
    func refusals() async throws {
        let nowhere = RoomAddress(user: "nowhere", domain: "example.com")
        var change = RoomChange()
        change.words.subject = "x"
        for order in [
            RoomOrder.show(nowhere), .set(nowhere, change), .remove(nowhere), .lock(nowhere, isLocked: true),
            .policy(nowhere, .show), .policy(nowhere, .rule(handling: "allow", [.everyone])),
        ] {
            await #expect(throws: RoomFailure(.noSuchRoom, order)) { try await ledger.answer(order) }
        }
        #expect(try await database.rooms().isEmpty)
        let elsewhere = RoomOrder.add(
            RoomConfiguration(address: RoomAddress(user: "a", domain: "elsewhere.example")), RoomChange.Words())
        await #expect(throws: RoomFailure(.notServed, elsewhere)) { try await ledger.answer(elsewhere) }
        let factory = RoomOrder.add(
            RoomConfiguration(address: RoomAddress(user: "conference", domain: "example.com")), RoomChange.Words())
        let error = await #expect(throws: RoomFailure(.isFactory, factory)) { try await ledger.answer(factory) }
        #expect(error?.description.hasSuffix("change 'factory' in [Conference]") == true)
        let inFile = RoomOrder.add(RoomConfiguration(address: Self.lobby), RoomChange.Words())
        await #expect(throws: RoomFailure(.exists, inFile)) { try await ledger.answer(inFile) }
        try await addBoard()
        let twice = RoomOrder.add(RoomConfiguration(address: Self.board), RoomChange.Words())
        await #expect(throws: RoomFailure(.exists, twice)) { try await ledger.answer(twice) }
        for order in [RoomOrder.kick(Self.board, account: "a@example.com", reason: nil), .close(Self.board)] {
            await #expect(throws: RoomFailure.notRunning) { try await ledger.answer(order) }
        }
    }

    @Test("a room that can't be read is named, and can be removed")
    func unreadable() async throws {
        try await addBoard()
        let changed = try Tool.run(
            "sqlite3", [database.path, "UPDATE room SET configuration = '{\"join\":\"martians\"}'"])
        try #require(changed.exit == .exited(0))
        let error = await #expect(throws: RoomFailure.self) { try await ledger.answer(.list) }
        #expect(error?.description.contains("'confd room remove board@example.com'") == true)
        _ = try await ledger.answer(.remove(Self.board))
        #expect(try await ledger.answer(.list).rooms?.count == 1)
    }

    @Test("without a database there is what the file has")
    func noDatabase() async throws {
        let ledger = RoomLedger(database: nil, file: self.ledger.file, domains: ["example.com"])
        #expect(try await ledger.answer(.list).rooms?.count == 1)
        #expect(try await ledger.answer(.show(Self.lobby)).details?.kind == .file)
        #expect(try await ledger.answer(.policy(Self.lobby, .show)).policy == "")
    }

    @Test("orders and answers come through the control socket's JSON as they are")
    func coding() throws {
        var change = RoomChange()
        change.rules.welcome = .everybody(text: "hi\n")
        change.rules.dialOutFallback = .invite
        let orders: [RoomOrder] = [
            .list, .show(Self.board), .add(RoomConfiguration(address: Self.board), change.words),
            .set(Self.board, change), .remove(Self.board), .kick(Self.board, account: "a@b", reason: nil),
            .ban(Self.board, .init(account: "a@b", until: 5, reason: "r")), .unban(Self.board, account: "a@b"),
            .mute(Self.board, account: "a@b", isMuted: true), .lock(Self.board, isLocked: false),
            .role(Self.board, account: "a@b", .owner), .role(Self.board, account: "a@b", nil), .close(Self.board),
            .policy(Self.board, .rule(handling: "allow", [.everyone, .domain("x"), .account("a@b")])),
            .policy(Self.board, .replace(Data([0, 255]))), .policy(Self.board, .reset),
        ]
        for order in orders {
            let line = try ControlMessage.Request.room(order).line()
            #expect(line.firstIndex(of: 0x0A) == line.count - 1)
            #expect(try JSONDecoder().decode(ControlMessage.Request.self, from: Data(line)).room == order)
        }
        // The largest document fits.
        let largest = RoomOrder.policy(
            Self.board, .replace(Data(repeating: 255, count: EmbeddedDatabase.largestPolicy)))
        #expect(try ControlMessage.Request.room(largest).line().count < ControlMessage.longestRequest)
    }
}
