import NIOCore

/// The requests a session waits for answers to, oldest first: a ring, because answers come in the order of the
/// requests from nearly every peer.
struct OutstandingRequests: Sendable {
    /// What an answer is about.
    enum Subject: Sendable, Hashable {
        /// A SEND that the owner wrote itself.
        case shared
        /// A request whose answer the owner wants to see.
        case request
        /// A chunk of the outgoing message with this number.
        case message(UInt32)
    }

    struct Entry: Sendable {
        let id: UInt64
        let deadline: NIODeadline
        let subject: Subject
        /// `Failure-Report: partial`: silence is consent.
        let quiet: Bool
        /// Answered out of turn; removed when it comes to the front.
        fileprivate(set) var answered = false

        init(id: UInt64, deadline: NIODeadline, subject: Subject, quiet: Bool = false) {
            self.id = id
            self.deadline = deadline
            self.subject = subject
            self.quiet = quiet
        }
    }

    /// Empty until the first request, for a session may idle for hours; then a power of two.
    private var entries: [Entry] = []
    private var head = 0
    /// Entries in the ring, those answered out of turn included.
    private(set) var count = 0

    /// Those without an answer, oldest first.
    var unanswered: some Sequence<Entry> {
        (0..<count).lazy.map { entries[(head &+ $0) & (entries.count &- 1)] }.filter { !$0.answered }
    }

    var first: Entry? { count > 0 ? entries[head] : nil }

    mutating func append(_ entry: Entry) {
        if count == entries.count { grow(filling: entry) }
        entries[(head &+ count) & (entries.count &- 1)] = entry
        count &+= 1
    }

    /// The same for many SENDs that the owner wrote itself.
    mutating func appendShared(_ ids: [UInt64], deadline: NIODeadline) {
        guard let first = ids.first else { return }
        while entries.count - count < ids.count {
            grow(filling: Entry(id: first, deadline: deadline, subject: .shared))
        }
        let mask = entries.count &- 1
        var index = head &+ count
        entries.withUnsafeMutableBufferPointer { entries in
            for id in ids {
                entries[index & mask] = Entry(id: id, deadline: deadline, subject: .shared)
                index &+= 1
            }
        }
        count &+= ids.count
    }

    /// Takes the oldest entry, which is unanswered.
    @discardableResult
    mutating func popFirst() -> Entry? {
        guard count > 0 else { return nil }
        let entry = entries[head]
        dropFirst()
        dropAnswered()
        return entry
    }

    /// Takes the entry of an id, wherever it is; nil when nobody waits for it.
    mutating func answer(_ id: UInt64) -> Entry? {
        guard count > 0 else { return nil }
        if entries[head].id == id { return popFirst() }
        for offset in 1..<max(1, count) {
            let index = (head &+ offset) & (entries.count &- 1)
            if entries[index].id == id, !entries[index].answered {
                entries[index].answered = true
                return entries[index]
            }
        }
        return nil
    }

    private mutating func dropFirst() {
        head = (head &+ 1) & (entries.count &- 1)
        count &-= 1
    }

    private mutating func dropAnswered() {
        while count > 0, entries[head].answered { dropFirst() }
    }

    private mutating func grow(filling entry: Entry) {
        var larger: [Entry] = []
        let capacity = max(8, entries.count * 2)
        larger.reserveCapacity(capacity)
        for offset in 0..<count { larger.append(entries[(head &+ offset) & (entries.count &- 1)]) }
        larger.append(contentsOf: repeatElement(entry, count: capacity - count))
        entries = larger
        head = 0
    }
}
