import MSRP
import NIOCore

/// The messages that a participant's session brought and the room passed on, by the hashes of their Message-IDs, to know
/// them again after a loss: a client whose 200 was lost with the connection sends them once more in its new session
/// (RFC 4975 section 5.4).
///
/// Empty until the first message, and no larger than what was said within the time it counts.
struct AcceptedMessages {
    struct Mark: Equatable {
        /// Of the participant and the Message-ID; seeded for the process, so nobody can make two that are equal.
        let hash: Int
        let at: NIODeadline
    }

    /// What is remembered of anybody, however many others there are.
    static let fewest = 16

    /// A ring once it is full.
    private var marks: [Mark] = []
    private var oldest = 0

    var count: Int { marks.count }

    /// - Parameter participant: the `hashValue` of its ParticipantURI.
    static func hash(_ participant: Int, _ id: MessageID) -> Int {
        var hasher = Hasher()
        hasher.combine(participant)
        hasher.combine(id)
        return hasher.finalize()
    }

    /// - Parameters:
    ///   - most: how many are remembered.
    ///   - time: how long.
    mutating func accept(_ hash: Int, now: NIODeadline, most: Int, time: TimeAmount) {
        let mark = Mark(hash: hash, at: now)
        if marks.count >= Self.fewest, marks.count >= most || marks[oldest].at + time <= now {
            marks[oldest] = mark
            oldest = (oldest + 1) % marks.count
            return
        }
        if oldest > 0 {
            marks = Array(marks[oldest...] + marks[..<oldest])
            oldest = 0
        }
        marks.append(mark)
    }

    /// The session has ended: what it brought goes to `EarlierMessages`. Within one session a repeated id is the sender's
    /// affair.
    mutating func takeAll() -> [Mark] {
        defer {
            marks = []
            oldest = 0
        }
        return Array(marks[oldest...] + marks[..<oldest])
    }
}

/// What sessions that have ended brought to a room. One table for all participants: their URIs are in the hashes, so
/// it doesn't matter which device, or whether by a new INVITE, somebody comes back.
struct EarlierMessages {
    private var until: [Int: NIODeadline] = [:]
    private var order = CircularBuffer<Int>(initialCapacity: 0)

    var count: Int { order.count }

    /// - Parameter most: how many are remembered in all; the oldest are forgotten first.
    mutating func add(_ marks: [AcceptedMessages.Mark], now: NIODeadline, most: Int, time: TimeAmount) {
        for mark in marks where mark.at + time > now {
            if until.updateValue(mark.at + time, forKey: mark.hash) == nil { order.append(mark.hash) }
            if order.count > most { dropFirst() }
        }
    }

    func contains(_ hash: Int, now: NIODeadline) -> Bool { until[hash].map { $0 > now } ?? false }

    /// Forgets what has become too old.
    mutating func expire(now: NIODeadline) {
        while let first = order.first, until[first].map({ $0 <= now }) ?? true { dropFirst() }
        if order.isEmpty, order.capacity > 0 { self = EarlierMessages() }
    }

    private mutating func dropFirst() {
        guard let first = order.popFirst() else { return }
        until[first] = nil
    }
}

extension Member {
    /// Whether an earlier session of this participant brought this message already. It is answered with 200 then and
    /// not passed on.
    func isRepeated(_ id: MessageID) -> Bool {
        guard room.earlierMessages.count > 0 else { return false }
        return room.earlierMessages.contains(AcceptedMessages.hash(participantHash, id), now: mixer.now)
    }

    /// A message of this participant was passed on, whole.
    func remember(_ id: MessageID) {
        let before = acceptedMessages.count
        let configuration = mixer.configuration
        acceptedMessages.accept(
            AcceptedMessages.hash(participantHash, id), now: mixer.now,
            most: mixer.rememberedMessages < configuration.rememberedMessagesInAll
                ? configuration.rememberedMessages : AcceptedMessages.fewest,
            time: configuration.repeatTime)
        mixer.rememberedMessages += acceptedMessages.count - before
    }

    /// The session is over: what it brought counts as a repeat from now on.
    func endRememberedSession() {
        guard acceptedMessages.count > 0 else { return }
        mixer.rememberedMessages -= acceptedMessages.count
        room.earlierMessages.add(
            acceptedMessages.takeAll(), now: mixer.now, most: mixer.configuration.earlierMessages,
            time: mixer.configuration.repeatTime)
    }
}
