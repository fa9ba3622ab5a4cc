import NIOCore

/// Watches one participant's queue: whether senders wait for it (a sender is slowed only by receivers that still make
/// progress; nobody waits for one that stands still), and whether it is congested (RFC 7701 section 6.4).
struct SlowReceiver: Sendable {
    enum Verdict: Equatable {
        case keepsUp
        /// Much is queued, but it is taking octets: senders wait for it.
        case slow
        /// Much is queued and nothing moves: nobody waits.
        case stalled
    }

    /// When its queue came over 80 % of its bound, if it has not been down to half of it since.
    private(set) var congestedSince: NIODeadline?
    private var lastWritten: UInt64 = 0
    private var lastProgress: NIODeadline?
    /// Octets that had been written when it was asked last how much it takes.
    private var mark: UInt64 = 0

    var isCongested: Bool { congestedSince != nil }

    /// It has held others up for long enough, however much is queued.
    mutating func becomeCongested(now: NIODeadline) { congestedSince = congestedSince ?? now }

    mutating func restartCongestion(now: NIODeadline) { congestedSince = congestedSince.map { _ in now } }

    /// Whether an eighth of the bound was written since the last such moment, or since much began to wait.
    mutating func tookMuch(bound: Int) -> Bool {
        guard lastWritten &- mark >= UInt64(clamping: bound / 8), lastWritten >= mark else { return false }
        mark = lastWritten
        return true
    }

    /// - Parameters:
    ///   - queued: octets waiting.
    ///   - enqueued: octets ever enqueued.
    ///   - bound: octets that may wait.
    ///   - patience: how long nothing may move before the receiver counts as standing still.
    mutating func observe(
        queued: Int, enqueued: UInt64, bound: Int, patience: TimeAmount = .seconds(1), now: NIODeadline
    ) -> Verdict {
        let written = enqueued &- UInt64(clamping: queued)
        if queued == 0 || lastProgress == nil || written > lastWritten { lastProgress = now }
        lastWritten = written
        guard queued > bound / 2 else {
            mark = written
            congestedSince = nil
            return .keepsUp
        }
        if queued > bound - bound / 5 { becomeCongested(now: now) }
        guard let lastProgress, now - lastProgress < patience else { return .stalled }
        return .slow
    }
}
