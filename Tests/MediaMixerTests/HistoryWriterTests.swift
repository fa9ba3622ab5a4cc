import Logging
import NIOCore
import Support
import Testing

@testable import MediaMixer

@Suite("Writing the history behind")
struct HistoryWriterTests {
    private static let lobby = RoomAddress(user: "lobby", domain: "example.com")
    private static let hall = RoomAddress(user: "hall", domain: "example.com")

    private static let origin = HistoryWriter.Origin(base: 0)
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func writer(
        _ store: MemoryHistory, limits: HistoryWriter.Limits = .init(), delay: Duration = .milliseconds(100)
    ) -> HistoryWriter { HistoryWriter(store: store, delay: delay, limits: limits, logger: Self.silent) }

    private func pending(_ number: Int, in room: RoomAddress = lobby, octets: Int = 10) -> HistoryWriter.Pending {
        .init(
            entry: HistoryEntry(
                room: room, sequence: Int64(number), time: Int64(number), sender: "sip:a@example.com", senderName: "a",
                messageID: "\(number)", contentType: "text/plain", cpim: []),
            cpim: ByteBuffer(repeating: 65, count: octets), origin: Self.origin)
    }

    private func until(_ condition: () -> Bool) async throws {
        let deadline = Deadline.after(seconds: 10)
        while !condition() {
            if deadline.passed { throw SupportError("it did not happen") }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test("what comes together is stored together, in order, octets and all, without being asked")
    func batches() async throws {
        let store = MemoryHistory()
        let writer = writer(store)
        for number in 1...50 { writer.append(pending(number)) }
        // Counted when the store has said so.
        try await until { writer.counters.stored == 50 }
        #expect(store.entries.map(\.sequence) == Array(1...50))
        #expect(store.entries.allSatisfy { $0.cpim == [UInt8](repeating: 65, count: 10) })
        #expect(store.batches.count <= 2)
        #expect(writer.counters.waiting == 0)
        writer.append(pending(51))
        #expect(await writer.flush())
        #expect(store.entries.count == 51)
    }

    @Test("an orderly end loses nothing: flush returns when all is stored")
    func flush() async throws {
        let store = MemoryHistory()
        let writer = writer(store, delay: .seconds(2))
        #expect(await writer.flush())
        for number in 1...2500 { writer.append(pending(number)) }
        await writer.close()
        #expect(store.entries.count == 2500)
    }

    @Test("a batch is bounded in messages and octets")
    func batchBounds() async throws {
        let store = MemoryHistory()
        var limits = HistoryWriter.Limits()
        limits.batchMessages = 4
        limits.batchOctets = 100
        let writer = writer(store, limits: limits)
        for number in 1...8 { writer.append(pending(number)) }
        for number in 9...12 { writer.append(pending(number, octets: 60)) }
        writer.append(pending(13, octets: 500))
        #expect(await writer.flush())
        #expect(store.batches == [4, 4, 1, 1, 1, 1, 1])
    }

    @Test("a disk that can't keep up costs the oldest that wait, counted; nobody waits for it")
    func full() async throws {
        let store = MemoryHistory()
        store.set(isHeld: true)
        var limits = HistoryWriter.Limits()
        limits.messages = 5
        limits.batchMessages = 2
        let writer = writer(store, limits: limits)
        writer.append(pending(1))
        writer.append(pending(2))
        try await until { store.attempts == 1 }
        for number in 3...20 { writer.append(pending(number)) }
        #expect(writer.counters.dropped == 13)
        store.set(isHeld: false)
        #expect(await writer.flush())
        #expect(store.entries.map(\.sequence) == [1, 2, 16, 17, 18, 19, 20])
        #expect(writer.counters.stored == 7)
    }

    @Test("the octets that wait are bounded as well")
    func fullOfOctets() async throws {
        let store = MemoryHistory()
        store.set(fails: true)
        var limits = HistoryWriter.Limits()
        limits.octets = 100
        let writer = writer(store, limits: limits)
        for number in 1...10 { writer.append(pending(number, octets: 30)) }
        try await until { writer.counters.dropped == 7 }
        store.set(fails: false)
        #expect(await writer.flush())
        #expect(store.entries.map(\.sequence) == [8, 9, 10])
    }

    @Test("what could not be stored is tried again, once each, and whoever waits is told that it was not")
    func failure() async throws {
        let store = MemoryHistory()
        store.set(fails: true)
        let writer = writer(store)
        writer.append(pending(1))
        #expect(await writer.flush() == false)
        writer.append(pending(2))
        #expect(await writer.flush() == false)
        store.set(fails: false)
        #expect(await writer.flush())
        #expect(store.entries.map(\.sequence) == [1, 2])
        #expect(writer.counters.failures >= 2)
        #expect(writer.counters.dropped == 0)
    }

    @Test("a room that opens gets what its rule allows, with what was not stored yet; the rest is removed")
    func load() async throws {
        let store = MemoryHistory()
        let writer = writer(store)
        for number in 1...10 { writer.append(pending(number)) }
        let loaded = try await writer.load(
            Self.lobby, HistoryWriter.Origin(), .last(3), time: 10, messages: 100, octets: 1000)
        #expect(loaded.base == 10)
        #expect(loaded.entries.map(\.sequence) == [8, 9, 10])
        #expect(store.entries.count == 3)
        store.set(fails: true)
        writer.append(pending(11))
        await #expect(throws: HistoryUnavailable.self) {
            _ = try await writer.load(
                Self.lobby, HistoryWriter.Origin(), .last(3), time: 10, messages: 100, octets: 1000)
        }
        store.set(fails: false)
        await writer.flush()
    }

    @Test("a room that was made again goes on after its last number, though nothing of it is stored yet")
    func numbers() async throws {
        let store = MemoryHistory()
        store.set(isHeld: true)
        let writer = writer(store)
        for origin in [HistoryWriter.Origin(), HistoryWriter.Origin(), HistoryWriter.Origin()] {
            for number in 1...3 {
                var message = pending(number)
                message.origin = origin
                writer.append(message)
            }
        }
        store.set(isHeld: false)
        await writer.flush()
        #expect(store.entries.map(\.sequence) == Array(1...9))
    }

    @Test("of a room that isn't open nothing is kept longer than 30 days")
    func closedRooms() async throws {
        let store = MemoryHistory()
        let writer = writer(store)
        for room in [Self.lobby, Self.hall] {
            for number in 1...4 { writer.append(pending(number * 86_400_000, in: room)) }
            writer.note(.last(10), of: room)
        }
        writer.closed(Self.hall)
        await writer.flush()
        await writer.sweep(others: { _ in nil }, time: 33 * 86_400_000)
        #expect(store.entries.filter { $0.room == Self.lobby }.count == 4)
        #expect(store.entries.filter { $0.room == Self.hall }.map { $0.time / 86_400_000 } == [3, 4])
    }

    @Test("each room's rule is enforced; rooms nobody knows keep what they have")
    func sweep() async throws {
        let store = MemoryHistory()
        let writer = writer(store)
        let day: Int = 86_400_000
        let (cellar, attic) = (
            RoomAddress(user: "cellar", domain: "example.com"), RoomAddress(user: "attic", domain: "example.com")
        )
        for room in [Self.lobby, Self.hall, cellar, attic] {
            for number in 1...4 { writer.append(pending(number * day, in: room)) }
        }
        await writer.flush()
        writer.note(.days(2), of: Self.lobby)
        writer.note(.none, of: Self.hall)
        await writer.sweep(others: { $0 == cellar ? .last(1) : nil }, time: Int64(4 * day))
        func left(_ room: RoomAddress) -> [Int] {
            store.entries.filter { $0.room == room }.map { Int($0.sequence) / day }
        }
        #expect(left(Self.lobby) == [2, 3, 4])
        #expect(left(Self.hall) == [])
        #expect(left(cellar) == [4])
        #expect(left(attic) == [1, 2, 3, 4])
        #expect(try await writer.purge(attic, before: Int64(3 * day)) == 2)
        #expect(try await writer.purge(attic, before: nil) == 2)
    }
}
