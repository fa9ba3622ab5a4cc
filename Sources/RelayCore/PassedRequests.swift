import MSRP
import NIOCore

/// The requests other than SEND and REPORT that were passed on to one side and are not answered yet: their responses go
/// back under the identifiers they came with.
struct PassedRequests {
    /// More at a time are refused (413).
    static let most = 64
    static let answerTime = TimeAmount.seconds(30)

    struct Entry {
        let id: UInt64
        /// What answers to its sender carry.
        let head: Head
        let deadline: NIODeadline
        /// An AUTH that carried an Authorization (RFC 4976 section 6.3).
        let hasCredentials: Bool
    }

    private var entries: [Entry] = []

    var count: Int { entries.count }
    var isFull: Bool { entries.count >= Self.most }

    mutating func append(_ id: UInt64, _ head: Head, now: NIODeadline, within time: TimeAmount = Self.answerTime) {
        entries.append(
            Entry(
                id: id, head: head, deadline: now + time,
                hasCredentials: head.method == .auth && head.has("Authorization")))
    }

    mutating func take(_ id: UInt64) -> Entry? {
        guard let index = entries.firstIndex(where: { $0.id == id }) else { return nil }
        let entry = entries.remove(at: index)
        if entries.isEmpty { entries = [] }
        return entry
    }

    /// Those that waited too long, oldest first.
    mutating func expire(now: NIODeadline) -> [Entry] {
        guard let first = entries.first, first.deadline <= now else { return [] }
        let expired = Array(entries.prefix { $0.deadline <= now })
        entries.removeFirst(expired.count)
        return expired
    }

    mutating func abandon() -> [Entry] {
        defer { entries = [] }
        return entries
    }
}
