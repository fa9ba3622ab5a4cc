package import Logging
import NIOCore
import Synchronization

/// Writes what rooms keep to the store, in batches, off the event loops; one for the whole process.
///
/// - A message waits a tenth of `delay` for others that come with it, then all of them are stored in one transaction.
///   So long as the disk stores a batch within four tenths, what a crash can lose was said within `delay`.
/// - Nobody waits for the disk. When it can't keep up, or fails, at most `Limits.messages` wait, and the oldest of them are
///   given up: newcomers are told the newest. That is logged once, and counted.
/// - A batch that can't be stored is tried again until it can.
package final class HistoryWriter: Sendable {
    package struct Limits: Sendable {
        /// Messages, and their octets, that wait to be stored.
        package var messages = 20_000
        package var octets = 64 << 20
        /// What goes into one transaction.
        package var batchMessages = 1_000
        package var batchOctets = 4 << 20
        /// The longest pause after a failure.
        package var pause: Duration = .seconds(10)

        package init() {}
    }

    package struct Counters: Sendable, Equatable {
        package var stored: UInt64 = 0
        /// Given up unstored.
        package var dropped: UInt64 = 0
        package var failures: UInt64 = 0
        package var waiting = 0
        /// The longest that a message which is stored had waited, in milliseconds.
        package var longestWait: Int64 = 0

        package init() {}
    }

    /// What a room is told when it opens.
    struct Loaded: Sendable {
        var entries: [HistoryEntry]
        /// What the store's numbers are larger by than the room's.
        var base: Int64
    }

    /// Where the numbers of a room that was opened begin in the store. A room doesn't wait to know that: it counts from 1.
    final class Origin: Sendable {
        private let known: Mutex<Int64?>

        init(base: Int64? = nil) { known = Mutex(base) }

        var base: Int64? { known.withLock { $0 } }

        /// The first one who knows is right: what is stored later is the room's own.
        func settle(_ base: Int64) -> Int64 {
            known.withLock { known in
                let base = known ?? base
                known = base
                return base
            }
        }
    }

    /// A message on its way to the store; its octets are shared with the room until they are written.
    struct Pending: Sendable {
        /// With the room's number, and without octets.
        var entry: HistoryEntry
        var cpim: ByteBuffer
        var origin: Origin
    }

    private struct State {
        var queue = CircularBuffer<Pending>(initialCapacity: 0)
        var octets = 0
        /// Messages that ever came, and those of them that are stored or given up.
        var accepted: UInt64 = 0
        var settled: UInt64 = 0
        /// When the oldest in the queue came.
        var oldest: ContinuousClock.Instant?
        var isRunning = false
        /// Somebody waits: no pause.
        var isHurried: Bool { !waiters.isEmpty }
        var waiters: [(target: UInt64, CheckedContinuation<Bool, Never>)] = []
        var isFailing = false
        var droppedInARow: UInt64 = 0
        var counters = Counters()
        var rules: [RoomAddress: RoomConfiguration.History] = [:]
        var open: Set<RoomAddress> = []
        var sweeper: Task<Void, Never>?
    }

    /// Rooms whose rules are remembered, with those that are closed.
    private static let mostRules = 40_000

    private let store: any HistoryStore
    private let delay: Duration
    private let limits: Limits
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter delay: see `MixerConfiguration.historyDelay`.
    package init(
        store: any HistoryStore, delay: Duration = .milliseconds(100), limits: Limits = Limits(), logger: Logger
    ) {
        self.store = store
        self.delay = delay
        self.limits = limits
        self.logger = logger
    }

    package var counters: Counters {
        state.withLock { state in
            var counters = state.counters
            counters.waiting = Int(clamping: state.accepted - state.settled)
            return counters
        }
    }

    // MARK: Writing

    /// Takes a message; never waits.
    func append(_ pending: Pending) {
        let begins = state.withLock { state in
            state.accepted += 1
            state.octets += pending.cpim.readableBytes
            if state.queue.isEmpty { state.oldest = .now }
            state.queue.append(pending)
            bound(&state)
            if state.isRunning { return false }
            state.isRunning = true
            return true
        }
        if begins { Task { await run() } }
    }

    /// Waits until all that came before is stored.
    /// - Returns: false when the store has refused it; it is tried again.
    @discardableResult
    package func flush() async -> Bool {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.settled >= state.accepted { return true }
                state.waiters.append((state.accepted, continuation))
                return false
            }
            if isDone { continuation.resume(returning: true) }
        }
    }

    /// Ends the sweeping, and stores what waits.
    package func close() async {
        let sweeper = state.withLock { state in
            defer { state.sweeper = nil }
            return state.sweeper
        }
        sweeper?.cancel()
        await flush()
    }

    /// Until nothing is left to write.
    private func run() async {
        var pause = Duration.milliseconds(250)
        while true {
            if state.withLock({ $0.queue.count < limits.batchMessages && !$0.isHurried }) {
                try? await Task.sleep(for: delay / 10)
            }
            let (batch, since) = takeBatch()
            guard !batch.isEmpty else {
                if state.withLock({ state in
                    guard state.queue.isEmpty else { return false }
                    state.isRunning = false
                    state.queue = CircularBuffer(initialCapacity: 0)
                    return true
                }) {
                    return
                }
                continue
            }
            do {
                try await store.append(try await entries(of: batch))
                stored(batch, since: since)
                pause = .milliseconds(250)
            } catch {
                failed(batch, since: since, error)
                await rest(pause)
                pause = min(pause * 2, limits.pause)
            }
        }
    }

    private func entries(of batch: [Pending]) async throws -> [HistoryEntry] {
        var entries: [HistoryEntry] = []
        entries.reserveCapacity(batch.count)
        for pending in batch {
            var entry = pending.entry
            entry.sequence += try await base(of: pending.origin, in: entry.room)
            entry.cpim = Array(pending.cpim.readableBytesView)
            entries.append(entry)
        }
        return entries
    }

    private func base(of origin: Origin, in room: RoomAddress) async throws -> Int64 {
        if let base = origin.base { return base }
        return origin.settle(try await store.lastSequence(room))
    }

    /// One that begins a room's numbers comes first in its batch: then all that was said in the room before is stored.
    private func takeBatch() -> ([Pending], ContinuousClock.Instant?) {
        state.withLock { state in
            var batch: [Pending] = []
            var octets = 0
            while batch.count < limits.batchMessages, let next = state.queue.first,
                batch.isEmpty || octets + next.cpim.readableBytes <= limits.batchOctets && next.origin.base != nil
            {
                octets += next.cpim.readableBytes
                batch.append(state.queue.removeFirst())
            }
            state.octets -= octets
            let since = state.oldest
            // What stays is younger than what goes; by how much is not known, so it counts as old.
            if state.queue.isEmpty { state.oldest = nil }
            return (batch, since)
        }
    }

    private func stored(_ batch: [Pending], since: ContinuousClock.Instant?) {
        let (waiters, hasRecovered, dropped) = state.withLock { state in
            state.counters.stored += UInt64(batch.count)
            state.settled += UInt64(batch.count)
            if let since {
                let waited = (ContinuousClock.now - since) / .milliseconds(1)
                state.counters.longestWait = max(state.counters.longestWait, Int64(waited))
            }
            defer {
                state.isFailing = false
                state.droppedInARow = 0
            }
            return (settledWaiters(&state), state.isFailing, state.droppedInARow)
        }
        if hasRecovered {
            logger.notice("the history is written again", metadata: ["lost": "\(dropped)"])
        } else if dropped > 0 {
            logger.error("the disk can't keep up with the history", metadata: ["lost": "\(dropped)"])
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    private func failed(_ batch: [Pending], since: ContinuousClock.Instant?, _ error: any Error) {
        let (waiters, isFirst) = state.withLock { state in
            state.counters.failures += 1
            for pending in batch.reversed() {
                state.queue.prepend(pending)
                state.octets += pending.cpim.readableBytes
            }
            state.oldest = since
            bound(&state)
            defer {
                state.isFailing = true
                state.waiters = []
            }
            return (state.waiters, !state.isFailing)
        }
        if isFirst {
            logger.error("the history can't be written; it is tried again", metadata: ["error": "\(error)"])
        }
        for (_, waiter) in waiters { waiter.resume(returning: false) }
    }

    /// Gives up the oldest that are too many.
    private func bound(_ state: inout State) {
        while state.queue.count > limits.messages || state.octets > limits.octets, let first = state.queue.popFirst() {
            state.octets -= first.cpim.readableBytes
            state.counters.dropped += 1
            state.droppedInARow += 1
            state.settled += 1
        }
    }

    private func settledWaiters(_ state: inout State) -> [CheckedContinuation<Bool, Never>] {
        let settled = state.settled
        let done = state.waiters.filter { $0.target <= settled }.map(\.1)
        state.waiters.removeAll { $0.target <= settled }
        return done
    }

    /// Somebody who waits ends the pause.
    private func rest(_ pause: Duration) async {
        let end = ContinuousClock.now + pause
        while ContinuousClock.now < end, !state.withLock(\.isHurried) { try? await Task.sleep(for: .milliseconds(50)) }
    }

    // MARK: Reading

    /// What the store has of a room that opens, with what still waits to be stored there, after what its rule no longer
    /// allows is gone.
    func load(
        _ room: RoomAddress, _ origin: Origin, _ rule: RoomConfiguration.History, time: Int64, messages: Int,
        octets: Int
    ) async throws -> Loaded {
        guard await flush() else { throw HistoryUnavailable() }
        let base = try await base(of: origin, in: room)
        try await enforce(rule, in: room, time: time)
        // What the room itself has said since it knows.
        var query = HistoryQuery(room: room, last: messages, octets: octets, before: base + 1)
        switch rule {
        case .none: query.last = 0
        case .last(let most): query.last = min(messages, most)
        case .days: query.since = rule.start(at: time)
        }
        return Loaded(entries: try await store.entries(query), base: base)
    }

    /// What is kept, with what was said just now.
    package func entries(_ query: HistoryQuery) async throws -> [HistoryEntry] {
        await flush()
        return try await store.entries(query)
    }

    /// Forgets what is older than `before` (milliseconds since 1970); nil: all. The room's memory is another matter:
    /// see `MixerHandle.purge`.
    /// - Returns: how many were removed.
    @discardableResult
    package func purge(_ room: RoomAddress, before: Int64?) async throws -> Int {
        await flush()
        return try await store.purge(room, before: before, keepingLast: nil)
    }

    // MARK: Retention

    /// What a room that is open keeps, from now on.
    func note(_ rule: RoomConfiguration.History, of room: RoomAddress) {
        state.withLock { state in
            state.rules[room] = rule
            state.open.insert(room)
        }
    }

    /// The room is closed; what it keeps is there when it is made again.
    func closed(_ room: RoomAddress) {
        state.withLock { state in _ = state.open.remove(room) }
    }

    /// Of a room that isn't open nothing is kept longer, whatever its rule: rooms that are made by a call have names that
    /// may never be called again.
    package static let timeOfClosedRooms: Int64 = 30 * 86_400_000

    /// Enforces each room's rule in the store every hour, until `close`.
    ///
    /// - Parameters:
    ///   - others: the rule for rooms that are not open, and were not since the start; nil: theirs is left as it is.
    ///   - clock: milliseconds since 1970.
    package func startSweeping(
        after pause: Duration = .seconds(60), every interval: Duration = .seconds(3600),
        others: @escaping @Sendable (RoomAddress) async -> RoomConfiguration.History?,
        clock: @escaping @Sendable () -> Int64
    ) {
        let task = Task { [self] in
            try? await Task.sleep(for: pause)
            while !Task.isCancelled {
                await sweep(others: others, time: clock())
                try? await Task.sleep(for: interval)
            }
        }
        state.withLock { $0.sweeper = task }
    }

    /// - Parameter time: milliseconds since 1970.
    package func sweep(
        others: @Sendable (RoomAddress) async -> RoomConfiguration.History?, time: Int64
    ) async {
        do {
            let rooms = try await store.roomsWithHistory()
            // Rooms come and go; of those with nothing in the store little has to be known.
            let present = Set(rooms)
            state.withLock { state in
                guard state.rules.count > Self.mostRules else { return }
                state.rules = state.rules.filter { present.contains($0.key) }
            }
            for room in rooms where !Task.isCancelled {
                let (known, isOpen) = state.withLock { ($0.rules[room], $0.open.contains(room)) }
                let other = known == nil ? await others(room) : nil
                guard let rule = known ?? other else { continue }
                try await enforce(rule, in: room, time: time)
                guard !isOpen else { continue }
                _ = try await store.purge(room, before: time - Self.timeOfClosedRooms, keepingLast: nil)
            }
        } catch {
            logger.error("what is too old can't be removed from the history", metadata: ["error": "\(error)"])
        }
    }

    private func enforce(_ rule: RoomConfiguration.History, in room: RoomAddress, time: Int64) async throws {
        switch rule {
        case .none: _ = try await store.purge(room, before: nil, keepingLast: nil)
        case .last(let most): _ = try await store.purge(room, before: nil, keepingLast: most)
        case .days: _ = try await store.purge(room, before: rule.start(at: time) ?? time, keepingLast: nil)
        }
    }
}

/// The store takes nothing just now, so what it has isn't all.
struct HistoryUnavailable: Error, CustomStringConvertible {
    var description: String { "the history can't be written just now" }
}
