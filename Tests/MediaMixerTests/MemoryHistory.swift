import MediaMixer
import Support
import Synchronization

/// A history store in memory that can be made to fail or to wait.
final class MemoryHistory: HistoryStore {
    struct State {
        var entries: [HistoryEntry] = []
        var last: [RoomAddress: Int64] = [:]
        var batches: [Int] = []
        var fails = false
        var isHeld = false
        var attempts = 0
    }
    let state = Mutex(State())

    var entries: [HistoryEntry] { state.withLock(\.entries) }
    var batches: [Int] { state.withLock(\.batches) }
    var attempts: Int { state.withLock(\.attempts) }

    func set(fails: Bool) { state.withLock { $0.fails = fails } }
    func set(isHeld: Bool) { state.withLock { $0.isHeld = isHeld } }

    private func begin() async throws {
        state.withLock { $0.attempts += 1 }
        while state.withLock(\.isHeld) { try await Task.sleep(for: .milliseconds(2)) }
        if state.withLock(\.fails) { throw SupportError("the disk is full") }
    }

    func append(_ entries: [HistoryEntry]) async throws {
        try await begin()
        state.withLock { state in
            state.batches.append(entries.count)
            for entry in entries {
                let isThere = state.entries.contains { $0.room == entry.room && $0.sequence == entry.sequence }
                if !isThere { state.entries.append(entry) }
                state.last[entry.room] = max(state.last[entry.room] ?? 0, entry.sequence)
            }
        }
    }

    func lastSequence(_ room: RoomAddress) async throws -> Int64 { state.withLock { $0.last[room] ?? 0 } }

    func entries(_ query: HistoryQuery) async throws -> [HistoryEntry] {
        try await begin()
        return state.withLock { state in
            let all = state.entries.filter {
                $0.room == query.room && $0.time >= query.since ?? .min && $0.sequence < query.before ?? .max
            }
            return Array(all.suffix(query.last ?? .max))
        }
    }

    func purge(_ room: RoomAddress, before: Int64?, keepingLast last: Int?) async throws -> Int {
        state.withLock { state in
            let mine = state.entries.filter { $0.room == room }
            let kept = mine.filter { entry in
                if before == nil, last == nil { return false }
                return entry.time >= before ?? .min
            }.suffix(last ?? .max)
            state.entries = state.entries.filter { $0.room != room } + kept
            return mine.count - kept.count
        }
    }

    func roomsWithHistory() async throws -> [RoomAddress] {
        state.withLock { Array(Set($0.entries.map(\.room))).sorted { $0.user < $1.user } }
    }
}
