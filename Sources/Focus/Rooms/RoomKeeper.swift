import Logging
import MediaMixer
import Synchronization

/// Takes to the store what is to outlive the process, in order, while the SIP thread goes on.
///
/// Of one room at most one state waits: a newer one takes its place, so there is never more to do than there are rooms.
final class RoomKeeper: Sendable {
    private struct Work {
        var isRemoved = false
        var room: StoredRoom?
        /// Outer nil: as it is; inner nil: none.
        var policy: PolicyDocument??
        var waiters: [CheckedContinuation<RoomCommandError?, Never>] = []
    }

    private struct State {
        var order: [RoomAddress] = []
        var work: [RoomAddress: Work] = [:]
        var isRunning = false
        var idle: [CheckedContinuation<Void, Never>] = []
    }

    let store: any RoomStore
    private let logger: Logger
    private let state = Mutex(State())

    init(_ store: any RoomStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func save(_ room: StoredRoom) { add(room.address) { $0.room = room } }

    func setPolicy(_ document: PolicyDocument?, of room: RoomAddress) { add(room) { $0.policy = .some(document) } }

    /// Returns when it is kept.
    func saveAndWait(_ room: StoredRoom) async throws(RoomCommandError) {
        try await wait(room.address) { $0.room = room }
    }

    /// Forgets a room with all that belongs to it; returns when that is done.
    func removeAndWait(_ room: RoomAddress) async throws(RoomCommandError) {
        try await wait(room) {
            $0.isRemoved = true
            $0.room = nil
            $0.policy = nil
        }
    }

    /// Returns when everything asked for so far is done.
    func settle() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.isRunning { state.idle.append(continuation) }
                return !state.isRunning
            }
            if isIdle { continuation.resume() }
        }
    }

    private func wait(_ room: RoomAddress, _ change: (inout Work) -> Void) async throws(RoomCommandError) {
        let failure = await withCheckedContinuation { continuation in
            add(room) {
                change(&$0)
                $0.waiters.append(continuation)
            }
        }
        if let failure { throw failure }
    }

    private func add(_ room: RoomAddress, _ change: (inout Work) -> Void) {
        let starts = state.withLock { state in
            if state.work[room] == nil { state.order.append(room) }
            change(&state.work[room, default: Work()])
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if starts { Task { await run() } }
    }

    private func run() async {
        while let (room, work) = next() {
            var failure: RoomCommandError?
            do {
                if work.isRemoved { try await store.remove(room) }
                if let stored = work.room { try await store.save(stored) }
                if let policy = work.policy { try await store.setPolicy(policy, of: room) }
            } catch {
                failure = .notKept("\(error)")
                logger.error("a room can't be kept", metadata: ["room": "\(room)", "error": "\(error)"])
            }
            for waiter in work.waiters { waiter.resume(returning: failure) }
        }
    }

    private func next() -> (RoomAddress, Work)? {
        let (found, idle) = state.withLock { state -> ((RoomAddress, Work)?, [CheckedContinuation<Void, Never>]) in
            guard !state.order.isEmpty else {
                state.isRunning = false
                defer { state.idle = [] }
                return (nil, state.idle)
            }
            let room = state.order.removeFirst()
            return (state.work.removeValue(forKey: room).map { (room, $0) }, [])
        }
        for continuation in idle { continuation.resume() }
        return found
    }
}
