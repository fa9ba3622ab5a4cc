import MediaMixer
import Synchronization

/// A store in memory that notes what it is told, and fails when it is asked to.
final class MemoryRooms: RoomStore {
    struct Failure: Error {}

    private struct State {
        var rooms: [RoomAddress: StoredRoom] = [:]
        var policies: [RoomAddress: PolicyDocument] = [:]
        var isFailing = false
        var calls: [String] = []
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    init(_ rooms: [StoredRoom] = [], policies: [RoomAddress: PolicyDocument] = [:]) {
        state.withLock { state in
            for room in rooms { state.rooms[room.address] = room }
            state.policies = policies
        }
    }

    var calls: [String] { state.withLock { $0.calls } }
    func fail() { state.withLock { $0.isFailing = true } }
    func stored(_ room: RoomAddress) -> StoredRoom? { state.withLock { $0.rooms[room] } }
    func document(_ room: RoomAddress) -> PolicyDocument? { state.withLock { $0.policies[room] } }

    /// From now on writing takes until `goOn`.
    func hold() { state.withLock { $0.isHeld = true } }

    func goOn() {
        let waiting = state.withLock { state in
            state.isHeld = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func write(_ call: String, _ body: (inout State) -> Void) async throws {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                state.calls.append(call)
                if state.isHeld { state.waiting.append(continuation) }
                return state.isHeld
            }
            if !isHeld { continuation.resume() }
        }
        try state.withLock { state in
            if state.isFailing { throw Failure() }
            body(&state)
        }
    }

    func rooms() async throws -> [StoredRoom] {
        try state.withLock { state in
            if state.isFailing { throw Failure() }
            return state.rooms.values.sorted { $0.address.user < $1.address.user }
        }
    }

    func save(_ room: StoredRoom) async throws {
        try await write("save \(room.address.user)") { $0.rooms[room.address] = room }
    }

    func remove(_ room: RoomAddress) async throws {
        try await write("remove \(room.user)") {
            $0.rooms[room] = nil
            $0.policies[room] = nil
        }
    }

    func policy(of room: RoomAddress) async throws -> PolicyDocument? { document(room) }

    func setPolicy(_ document: PolicyDocument?, of room: RoomAddress) async throws {
        try await write("policy \(room.user)\(document == nil ? " none" : "")") { $0.policies[room] = document }
    }

    func removeLeftovers(keeping rooms: Set<RoomAddress>) async throws {
        try await write("leftovers") { $0.policies = $0.policies.filter { rooms.contains($0.key) } }
    }
}
