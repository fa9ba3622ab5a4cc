import MSRP
import NIOCore

/// The SENDs passed on to one side of a session that are not answered yet (RFC 4976 section 6.4.1): what becomes of them
/// decides which REPORTs their sender gets.
///
/// A ring, because answers come in the order of the requests from nearly every peer. Only SENDs whose sender wants to know
/// of failures are in it; silence is a failure unless Failure-Report is `partial` (RFC 4975 section 7.1.1).
struct HopState {
    /// SENDs without an answer; then their sender has to wait.
    static let mostOutstanding = 2048
    /// How long the next hop has, from the last octet (RFC 4976 section 6.4.1).
    static let answerTime = TimeAmount.seconds(30)
    /// A ring of this size is kept when nothing is outstanding.
    private static let keptCapacity = 32

    /// A SEND that failed.
    struct Failure: Equatable {
        let messageID: MessageID
        let range: ByteRange
        let status: Status
    }

    private struct Entry {
        let id: UInt64
        /// `.distantFuture` while its last octet has not been sent.
        var deadline: NIODeadline
        let start: UInt64
        var size: UInt64
        let total: UInt64?
        /// Of Message-IDs the few that are longer than any transaction identifier are kept apart.
        let name: TransactionID?
        let longName: MessageID?
        let isQuiet: Bool
        var isAnswered = false

        func failure(_ status: Status) -> Failure? {
            guard let messageID = longName ?? name.flatMap({ MessageID($0.description) }) else { return nil }
            // Of one that is still being sent nobody knows where it ends.
            let end = deadline == .distantFuture ? nil : start &- 1 &+ size
            let range = ByteRange(start: start, end: end, total: total)
            return Failure(messageID: messageID, range: range, status: status)
        }
    }

    private var entries: [Entry] = []
    private var front = 0
    /// Entries in the ring, those answered out of turn included.
    private(set) var count = 0
    /// Of them, those answered: one without an answer is before them.
    private var answeredCount = 0
    private var tail = ResponseTail()

    /// Whether another SEND that wants answers has to wait.
    var isFull: Bool { count >= Self.mostOutstanding && !(entries[front].isQuiet) }

    // MARK: Sending

    /// A chunk starts. For `Failure-Report: no` don't call.
    mutating func began(
        _ id: UInt64, messageID: UnsafeRawBufferPointer, start: UInt64, total: UInt64?, isQuiet: Bool
    ) {
        if count >= Self.mostOutstanding {
            dropFirst()
            dropAnswered()
        }
        let name = TransactionID(messageID)
        let entry = Entry(
            id: id, deadline: .distantFuture, start: start, size: 0, total: total, name: name,
            longName: name == nil ? MessageID(String(decoding: messageID, as: UTF8.self)) : nil, isQuiet: isQuiet)
        if count == entries.count { grow(filling: entry) }
        entries[(front &+ count) & (entries.count &- 1)] = entry
        count &+= 1
    }

    /// The last octet of the chunk that began last has been sent.
    mutating func ended(_ id: UInt64, size: UInt64, now: NIODeadline, within time: TimeAmount = Self.answerTime) {
        guard count > 0 else { return }
        let last = (front &+ count &- 1) & (entries.count &- 1)
        guard entries[last].id == id else { return }
        entries[last].deadline = now + time
        entries[last].size = size
    }

    // MARK: Answers

    /// The next hop answered.
    /// - Returns: what the sender must be told.
    mutating func answered(_ id: UInt64, _ head: Head, _ status: Status) -> Failure? {
        guard let index = index(of: id) else { return nil }
        let entry = entries[index]
        entries[index].isAnswered = true
        answeredCount &+= 1
        dropAnswered()
        if count > Self.keptCapacity, answeredCount >= count / 2 { closeGaps() }
        if status.isSuccess {
            tail.learn(from: head)
            return nil
        }
        return entry.failure(status)
    }

    /// Takes plain 200s to the oldest SENDs off the front of raw bytes that begin with a message.
    mutating func takeExpectedAnswers(_ buffer: inout ByteBuffer) {
        guard count > 0 else { return }
        let size = buffer.withUnsafeReadableBytes { bytes in
            var offset = 0
            while count > 0, let size = tail.match(entries[front].id, in: bytes, at: offset) {
                dropFirst()
                dropAnswered()
                offset &+= size
            }
            return offset
        }
        if size > 0 { buffer.moveReaderIndex(forwardBy: size) }
    }

    // MARK: Failing

    /// When the oldest is given up.
    var nextDeadline: NIODeadline? { count > 0 ? entries[front].deadline : nil }

    /// Gives up what waited too long (408), except where silence is consent.
    mutating func expire(now: NIODeadline) -> [Failure] {
        var failures: [Failure] = []
        while count > 0, entries[front].deadline <= now {
            if !entries[front].isQuiet, let failure = entries[front].failure(.timeout) { failures.append(failure) }
            dropFirst()
            dropAnswered()
        }
        if count == 0, entries.count > Self.keptCapacity { release() }
        return failures
    }

    /// The next hop is gone: all that is unanswered has failed. Of `partial` ones only what was not sent whole has.
    mutating func abandon() -> [Failure] {
        var failures: [Failure] = []
        for offset in 0..<count {
            let entry = entries[(front &+ offset) & (entries.count &- 1)]
            guard !entry.isAnswered, !entry.isQuiet || entry.deadline == .distantFuture else { continue }
            if let failure = entry.failure(.timeout) { failures.append(failure) }
        }
        release()
        return failures
    }

    // MARK: The ring

    private mutating func release() {
        entries = []
        front = 0
        count = 0
        answeredCount = 0
    }

    private func index(of id: UInt64) -> Int? {
        for offset in 0..<count {
            let index = (front &+ offset) & (entries.count &- 1)
            if entries[index].id == id { return entries[index].isAnswered ? nil : index }
        }
        return nil
    }

    private mutating func dropFirst() {
        if entries[front].isAnswered { answeredCount &-= 1 }
        front = (front &+ 1) & (entries.count &- 1)
        count &-= 1
    }

    private mutating func dropAnswered() {
        while count > 0, entries[front].isAnswered { dropFirst() }
    }

    /// Makes one that is never answered not take the room of all after it.
    private mutating func closeGaps() {
        var kept = 0
        for offset in 0..<count {
            let entry = entries[(front &+ offset) & (entries.count &- 1)]
            guard !entry.isAnswered else { continue }
            entries[(front &+ kept) & (entries.count &- 1)] = entry
            kept &+= 1
        }
        count = kept
        answeredCount = 0
    }

    private mutating func grow(filling entry: Entry) {
        var larger: [Entry] = []
        let capacity = max(8, entries.count * 2)
        larger.reserveCapacity(capacity)
        for offset in 0..<count { larger.append(entries[(front &+ offset) & (entries.count &- 1)]) }
        larger.append(contentsOf: repeatElement(entry, count: capacity - count))
        entries = larger
        front = 0
    }
}
