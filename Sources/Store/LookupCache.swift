internal import DigestAuth

/// What look-ups said, for a short while. Names nobody has are kept apart from accounts, so that whoever tries names
/// does not push accounts out. Time is passed in.
struct LookupCache {
    /// Compared by bytes, as the table does: to Swift, texts are equal that look the same.
    struct Key: Hashable {
        var username: String
        var realm: String

        static func == (left: Key, right: Key) -> Bool {
            left.username.utf8.elementsEqual(right.username.utf8) && left.realm.utf8.elementsEqual(right.realm.utf8)
        }

        func hash(into hasher: inout Hasher) {
            for part in [username, realm] {
                var part = part
                part.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
                hasher.combine(UInt8(0xFF))
            }
        }
    }

    private let lifetime: Duration
    private var found: Shelf<AccountSecrets>
    private var unknown: Shelf<Void>

    init(_ limits: AccountDatabase.Cache) {
        lifetime = limits.lifetime
        found = Shelf(capacity: limits.capacity)
        unknown = Shelf(capacity: limits.capacity)
    }

    var count: Int { found.count + unknown.count }

    /// The answer of less than a lifetime ago.
    func answer(_ key: Key, at now: ContinuousClock.Instant) -> AccountLookup? {
        if let secrets = found.value(key, at: now) { return .found(secrets) }
        if unknown.value(key, at: now) != nil { return .unknown }
        return nil
    }

    /// Remembers an answer; that the table could not be asked is no answer.
    mutating func remember(_ answer: AccountLookup, for key: Key, at now: ContinuousClock.Instant) {
        forget(key)
        guard lifetime > .zero else { return }
        switch answer {
        case .found(let secrets): found.put(secrets, key, until: now + lifetime, at: now)
        case .unknown: unknown.put((), key, until: now + lifetime, at: now)
        case .unavailable: break
        }
    }

    mutating func forget(_ key: Key) {
        found.remove(key)
        unknown.remove(key)
    }

    mutating func forgetAll() {
        found.removeAll()
        unknown.removeAll()
    }
}

/// A bounded dictionary whose entries end by time, or when room is needed, the oldest first.
private struct Shelf<Value> {
    private struct Entry {
        var value: Value
        var until: ContinuousClock.Instant
        /// Which of the queue's mentions of the key is the valid one.
        var turn: UInt64
    }

    private let capacity: Int
    private var entries: [LookupCache.Key: Entry] = [:]
    /// In the order of their end, since all live equally long; entries that were replaced or removed are still mentioned.
    private var queue: [(key: LookupCache.Key, turn: UInt64)] = []
    private var head = 0
    private var turns: UInt64 = 0

    init(capacity: Int) { self.capacity = max(0, capacity) }

    var count: Int { entries.count }

    func value(_ key: LookupCache.Key, at now: ContinuousClock.Instant) -> Value? {
        guard let entry = entries[key], now < entry.until else { return nil }
        return entry.value
    }

    mutating func put(
        _ value: Value, _ key: LookupCache.Key, until: ContinuousClock.Instant, at now: ContinuousClock.Instant
    ) {
        guard capacity > 0 else { return }
        entries[key] = nil
        while head < queue.count {
            let oldest = queue[head]
            if let entry = entries[oldest.key], entry.turn == oldest.turn {
                guard entries.count >= capacity || now >= entry.until else { break }
                entries[oldest.key] = nil
            }
            head += 1
        }
        turns &+= 1
        entries[key] = Entry(value: value, until: until, turn: turns)
        queue.append((key, turns))
        compact()
    }

    mutating func remove(_ key: LookupCache.Key) { entries[key] = nil }

    mutating func removeAll() {
        entries = [:]
        queue = []
        head = 0
    }

    /// Keeps the queue no longer than twice what it is about.
    private mutating func compact() {
        guard queue.count > 2 * capacity || head > queue.count / 2 + 16 else { return }
        queue = queue[head...].filter { entries[$0.key]?.turn == $0.turn }
        head = 0
    }
}
