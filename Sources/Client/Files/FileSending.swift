import MSRP
import NIOCore

/// One file as its sender sees it: which stretches are under way, which were taken, and which arrived. A pure machine.
struct FileSending: Sendable {
    /// A stretch of the file, octets counted from 0.
    struct Chunk: Equatable, Sendable {
        var start: UInt64
        var size: Int
        var isLast: Bool
    }

    enum Outcome: Equatable, Sendable {
        case going
        /// The receiver confirmed all of it.
        case arrived
        case failed(Status)
        /// The next hop, or at the end the receiver, said nothing for `patience`.
        case silent
        /// The next hop has all of it, but the receiver has not confirmed it.
        case unconfirmed
    }

    /// Octets in a chunk, unless the user wants less for a relay that takes only small ones.
    static let usualChunk = 64 << 10
    /// Chunks without their 200.
    static let window = 16
    /// RFC 4975 section 7.1.1.
    static let patience: TimeAmount = .seconds(30)
    /// Of stretches that were reported out of order, no more are remembered.
    private static let mostStretches = 1024

    let size: UInt64
    let chunkSize: Int
    /// Where it starts: what the receiver had already.
    let offset: UInt64
    private(set) var sent: UInt64
    private(set) var hasSentLast = false
    private(set) var outcome = Outcome.going
    private var unanswered: [UInt64: Chunk] = [:]
    /// Octets from the start that the receiver confirmed without a gap.
    private(set) var confirmed: UInt64
    private var stretches: [(start: UInt64, end: UInt64)] = []
    private var lastNews: NIODeadline

    init(size: UInt64, offset: UInt64, chunkSize: Int = usualChunk, now: NIODeadline) {
        self.chunkSize = chunkSize
        self.size = size
        self.offset = min(offset, size)
        sent = self.offset
        confirmed = self.offset
        lastNews = now
    }

    /// Octets that are known to have come to the receiver, or, as long as it says nothing, to the next hop.
    var progress: UInt64 {
        if confirmed > offset { return confirmed }
        return unanswered.values.map(\.start).min() ?? sent
    }

    /// The next chunk, when one may be sent.
    var planned: Chunk? {
        guard outcome == .going, !hasSentLast, unanswered.count < Self.window else { return nil }
        let size = Int(min(UInt64(chunkSize), self.size - sent))
        return Chunk(start: sent, size: size, isLast: sent + UInt64(size) == self.size)
    }

    /// The planned chunk goes out under this id.
    mutating func next(id: UInt64, now: NIODeadline) -> Chunk? {
        guard let chunk = planned else { return nil }
        if unanswered.isEmpty { lastNews = now }
        unanswered[id] = chunk
        sent += UInt64(chunk.size)
        hasSentLast = chunk.isLast
        return chunk
    }

    /// A response, to a chunk or to anything else.
    mutating func answered(_ id: UInt64, _ status: Status, now: NIODeadline) {
        guard unanswered.removeValue(forKey: id) != nil else { return }
        lastNews = now
        if !status.isSuccess, outcome == .going { outcome = .failed(status) }
    }

    /// A REPORT; without a range it speaks of the whole message.
    mutating func reported(_ status: Status, _ range: ByteRange?, now: NIODeadline) {
        guard outcome == .going else { return }
        guard status.isSuccess else {
            outcome = .failed(status)
            return
        }
        lastNews = now
        let start = (range?.start ?? 1) - 1
        let end = min(range?.end ?? range?.total ?? size, sent)
        if start <= confirmed {
            confirmed = max(confirmed, end)
        } else if start < end, stretches.count < Self.mostStretches {
            stretches.append((start, end))
        }
        while let index = stretches.firstIndex(where: { $0.start <= confirmed }) {
            confirmed = max(confirmed, stretches.remove(at: index).end)
        }
        if hasSentLast, confirmed == size { outcome = .arrived }
    }

    /// - Parameters:
    ///   - hasQueue: octets of ours still wait for the connection, so nothing can be overdue.
    ///   - isDirect: the next hop is the receiver itself, whose 200s say enough.
    mutating func ticked(now: NIODeadline, hasQueue: Bool, isDirect: Bool) {
        guard outcome == .going else { return }
        if hasQueue, !unanswered.isEmpty { lastNews = now }
        guard now - lastNews >= Self.patience else { return }
        if !unanswered.isEmpty {
            outcome = .silent
        } else if hasSentLast {
            outcome = isDirect ? .arrived : .unconfirmed
        }
    }
}
