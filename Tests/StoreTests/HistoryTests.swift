import Foundation
import GRDB
import MediaMixer
import Support
import Testing

@testable import Store

@Suite("What was said, in the embedded database")
struct HistoryTests {
    private static let lobby = RoomAddress(user: "Lobby", domain: "example.com")
    private static let hall = RoomAddress(user: "lobby", domain: "example.com")

    private static func entry(
        _ number: Int64, in room: RoomAddress = lobby, to recipient: String? = nil, octets: Int = 10
    ) -> HistoryEntry {
        HistoryEntry(
            room: room, sequence: number, time: number * 1000, sender: "sip:alice@example.com", senderName: "Älice",
            recipient: recipient, messageID: "id\(number)", contentType: "text/plain",
            cpim: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: octets))
    }

    private func filled(_ numbers: ClosedRange<Int64>) async throws -> (TemporaryFolder, EmbeddedDatabase) {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.append(numbers.map { Self.entry($0) })
        return (folder, database)
    }

    @Test("what is stored is there when the file is opened again, all of it, in order")
    func roundTrip() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        let entries = [
            Self.entry(3), Self.entry(1, to: "sip:bob@example.com"), Self.entry(2, in: Self.hall, octets: 0),
            Self.entry(9, octets: 100_000),
        ]
        try await database.append(entries)
        try await database.append([])
        await database.close()
        let again = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await again.entries(HistoryQuery(room: Self.lobby)) == [entries[1], entries[0], entries[3]])
        #expect(try await again.entries(HistoryQuery(room: Self.hall)) == [entries[2]])
        #expect(try await again.lastSequence(Self.lobby) == 9)
        #expect(try await again.roomsWithHistory() == [Self.lobby, Self.hall])
        let nowhere = RoomAddress(user: "nowhere", domain: "example.com")
        #expect(try await again.entries(HistoryQuery(room: nowhere)) == [])
        #expect(try await again.lastSequence(nowhere) == 0)
        #expect(try await again.purge(nowhere, before: nil, keepingLast: nil) == 0)
    }

    @Test("a number that is there already stays as it is")
    func twice() async throws {
        let (_, database) = try await filled(1...3)
        try await database.append([Self.entry(3, octets: 1), Self.entry(4)])
        #expect(try await database.entries(HistoryQuery(room: Self.lobby)) == (1...4).map { Self.entry($0) })
    }

    @Test("from a time on, the last so many, those that fit, in pages from either end")
    func queries() async throws {
        let (_, database) = try await filled(1...10)
        func numbers(_ change: (inout HistoryQuery) -> Void) async throws -> [Int64] {
            var query = HistoryQuery(room: Self.lobby)
            change(&query)
            return try await database.entries(query).map(\.sequence)
        }
        #expect(try await numbers { $0.since = 8000 } == [8, 9, 10])
        #expect(try await numbers { $0.last = 2 } == [9, 10])
        #expect(try await numbers { $0.last = 0 } == [])
        #expect(try await numbers { $0.last = 99 } == Array(1...10))
        #expect(try await numbers { $0.octets = 39 } == [8, 9, 10])
        #expect(try await numbers { $0.octets = 9 } == [])
        #expect(try await numbers { ($0.last, $0.before) = (2, 8) } == [6, 7])
        #expect(try await numbers { ($0.since, $0.last) = (9000, 5) } == [9, 10])
        #expect(try await numbers { ($0.after, $0.octets) = (3, 25) } == [4, 5])
        #expect(try await numbers { ($0.after, $0.octets) = (3, 5) } == [4])
        #expect(try await numbers { $0.after = 10 } == [])
        #expect(try await database.firstSequence(HistoryQuery(room: Self.lobby, last: 4)) == 7)
        #expect(try await database.firstSequence(HistoryQuery(room: Self.lobby, since: 99_000)) == nil)
    }

    @Test("what is too old, or more than is kept, is removed; numbers are never given twice")
    func purge() async throws {
        let (folder, database) = try await filled(1...10)
        try await database.append([Self.entry(1, in: Self.hall)])
        func numbers() async throws -> [Int64] {
            try await database.entries(HistoryQuery(room: Self.lobby)).map(\.sequence)
        }
        #expect(try await database.purge(Self.lobby, before: 4000, keepingLast: nil) == 3)
        #expect(try await database.purge(Self.lobby, before: nil, keepingLast: 4) == 3)
        #expect(try await numbers() == [7, 8, 9, 10])
        #expect(try await database.purge(Self.lobby, before: nil, keepingLast: 4) == 0)
        #expect(try await database.purge(Self.lobby, before: 8000, keepingLast: 2) == 2)
        #expect(try await numbers() == [9, 10])
        #expect(try await database.purge(Self.lobby, before: nil, keepingLast: 0) == 2)
        #expect(try await database.purge(Self.lobby, before: nil, keepingLast: nil) == 0)
        #expect(try await database.roomsWithHistory() == [Self.hall])
        await database.close()
        let again = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await again.lastSequence(Self.lobby) == 10)
    }

    @Test("a room that is removed is forgotten with what was said there; others are not")
    func removed() async throws {
        let (_, database) = try await filled(1...3)
        try await database.append([Self.entry(1, in: Self.hall)])
        try await database.save(
            StoredRoom(address: Self.lobby, configuration: RoomConfiguration(address: Self.lobby)))
        try await database.remove(Self.lobby)
        #expect(try await database.entries(HistoryQuery(room: Self.lobby)) == [])
        #expect(try await database.lastSequence(Self.lobby) == 0)
        #expect(try await database.queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM history") } == 1)
        #expect(try await database.entries(HistoryQuery(room: Self.hall)).count == 1)
    }

    @Test("questions about a room's last messages and its oldest ones use an index")
    func indexes() async throws {
        let (_, database) = try await filled(1...3)
        for question in [
            "SELECT sequence FROM history WHERE room = 1 AND sequence < 9 AND time >= 0 ORDER BY sequence DESC LIMIT 3",
            "DELETE FROM history WHERE room = 1 AND time < 5",
        ] {
            let plan = try await database.queue.read {
                try Row.fetchAll($0, sql: "EXPLAIN QUERY PLAN \(question)").map { $0["detail"] as String }.joined()
            }
            #expect(plan.contains("USING") && plan.contains("INDEX"), "\(plan)")
            #expect(!plan.contains("TEMP B-TREE"), "\(plan)")
        }
    }
}
