import NIOCore

/// What a `RoomTail` has to know of a message.
protocol TailMessage {
    /// The transaction id of the SENDs by which it goes out as Message/CPIM.
    var id: UInt64 { get }
    /// The same for text/plain; nil so long as nobody took that.
    var textID: UInt64? { get }
}

/// The end of what was said in a room, in memory: what a newcomer is told, and what somebody who lost its connection has
/// missed. A value; times are passed in.
struct RoomTail<Message: TailMessage> {
    struct Entry {
        /// Grows with each message of the room; below 1 for what was said before the room was opened.
        let sequence: Int64
        /// How many messages for all had been said with this one; tells how many somebody has missed.
        let publicCount: Int64
        /// When the room accepted it.
        let at: NIODeadline
        /// The same as milliseconds since 1970.
        let time: Int64
        /// What it takes in memory.
        let octets: Int
        /// The session that said it; nil: before the room was opened.
        let sender: MemberID?
        /// The two ends of a private message.
        let ends: PrivateEnds?
        /// Whether newcomers are told.
        let isHistory: Bool
        let message: Message
    }

    private var entries = CircularBuffer<Entry>(initialCapacity: 0)
    /// Octets of all entries.
    private(set) var octets = 0
    /// How many of them are history.
    private(set) var historyCount = 0
    /// When the newest of those was accepted that have been let go.
    private(set) var newestGone: NIODeadline?
    /// `publicCount` of the newest message for all that has been let go.
    private(set) var publicGone: Int64 = 0

    var count: Int { entries.count }

    // MARK: Growing and shrinking

    mutating func append(_ entry: Entry, limits: TailLimits) {
        entries.append(entry)
        octets += entry.octets
        if entry.isHistory { historyCount += 1 }
        shrink(to: limits)
    }

    /// What was said before all that is here, as the store has it; what doesn't fit is left out, oldest first.
    mutating func prepend(_ earlier: [Entry], limits: TailLimits) {
        for entry in earlier.reversed() {
            guard entries.count < limits.messages, octets + entry.octets <= limits.octets else { return }
            entries.prepend(entry)
            octets += entry.octets
            if entry.isHistory { historyCount += 1 }
        }
    }

    mutating func shrink(to limits: TailLimits) {
        while entries.count > limits.messages || octets > limits.octets, !entries.isEmpty { letGo() }
    }

    /// Lets go of what nobody can miss any more and no newcomer is told.
    /// - Parameter time: milliseconds since 1970.
    mutating func expire(now: NIODeadline, time: Int64, rule: RoomConfiguration.History, limits: TailLimits) {
        while let first = entries.first, first.at + limits.recoveryTime <= now {
            if first.isHistory {
                if case .last(let most) = rule, historyCount <= most { return }
                if let start = rule.start(at: time), first.time >= start { return }
            }
            letGo()
        }
        // A ring never shrinks by itself, and most rooms are silent most of the time.
        if entries.isEmpty, entries.capacity > 0 { entries = CircularBuffer(initialCapacity: 0) }
    }

    private mutating func letGo() {
        guard let entry = entries.popFirst() else { return }
        octets -= entry.octets
        if entry.isHistory { historyCount -= 1 }
        if entry.sequence > 0 {
            newestGone = max(newestGone ?? entry.at, entry.at)
            publicGone = max(publicGone, entry.publicCount)
        }
    }

    /// An operator's order: what is older is gone at once, for those who have missed it as well.
    /// - Parameter time: milliseconds since 1970; nil: all.
    mutating func purge(before time: Int64?) {
        let kept = entries.filter { entry in time.map { entry.time >= $0 } ?? false }
        entries = CircularBuffer(initialCapacity: kept.count)
        octets = 0
        historyCount = 0
        for entry in kept {
            entries.append(entry)
            octets += entry.octets
            if entry.isHistory { historyCount += 1 }
        }
    }

    // MARK: Looking

    /// The first entry from this number on.
    func first(from sequence: Int64) -> Entry? {
        let offset = offset(from: sequence)
        return offset < entries.count ? self[offset] : nil
    }

    func entry(_ sequence: Int64) -> Entry? { first(from: sequence).flatMap { $0.sequence == sequence ? $0 : nil } }

    /// From this number on, oldest first.
    func entries(from sequence: Int64) -> some Sequence<Entry> { entries.dropFirst(offset(from: sequence)) }

    /// The numbers of what a newcomer is told, oldest first.
    /// - Parameters:
    ///   - time: milliseconds since 1970.
    ///   - before: only messages with smaller numbers.
    func replay(
        _ rule: RoomConfiguration.History, to participant: ParticipantURI, time: Int64, before: Int64
    ) -> [Int64] {
        let first: Int
        switch rule {
        case .none: return []
        case .last(let most):
            var offset = entries.count
            var seen = 0
            while offset > 0, seen < most {
                offset -= 1
                if self[offset].isHistory { seen += 1 }
            }
            first = offset
        case .days:
            let start = rule.start(at: time) ?? time
            first =
                entries.firstIndex { $0.time >= start }.map { entries.distance(from: entries.startIndex, to: $0) }
                ?? entries.count
        }
        return entries.dropFirst(first).prefix { $0.sequence < before }.filter { entry in
            entry.isHistory && entry.ends?.contains(participant) ?? true
        }.map(\.sequence)
    }

    /// Finds the messages behind SENDs of ours.
    /// - Returns: their numbers, oldest first, and the ids that are none of any message here.
    func sequences(ofIDs wanted: [UInt64]) -> (found: [Int64], unknown: Set<UInt64>) {
        var unknown = Set(wanted)
        var found: [Int64] = []
        var offset = entries.count
        while offset > 0, !unknown.isEmpty {
            offset -= 1
            let entry = self[offset]
            let isWanted = unknown.remove(entry.message.id) != nil
            if isWanted || entry.message.textID.flatMap({ unknown.remove($0) }) != nil { found.append(entry.sequence) }
        }
        found.reverse()
        return (found, unknown)
    }

    private subscript(offset: Int) -> Entry { entries[entries.index(entries.startIndex, offsetBy: offset)] }

    /// Binary search: numbers only grow.
    private func offset(from sequence: Int64) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }

}

/// The two ends of a private message. A class: few messages have it, and all entries are smaller for it.
final class PrivateEnds: Sendable {
    let sender: ParticipantURI
    let recipient: ParticipantURI

    init(sender: ParticipantURI, recipient: ParticipantURI) {
        self.sender = sender
        self.recipient = recipient
    }

    func contains(_ participant: ParticipantURI) -> Bool { sender == participant || recipient == participant }
}

struct TailLimits: Equatable {
    var messages: Int
    var octets: Int
    /// How long a message may still be missing to somebody who is in the room.
    var recoveryTime: TimeAmount
}

extension RoomConfiguration.History {
    /// The moment from which on messages are kept; nil: not a matter of time. Milliseconds since 1970.
    func start(at time: Int64) -> Int64? {
        guard case .days(let days) = self else { return nil }
        let (span, overflows) = Int64(days).multipliedReportingOverflow(by: 86_400_000)
        return overflows ? .min : time.subtractingReportingOverflow(span).partialValue
    }
}
