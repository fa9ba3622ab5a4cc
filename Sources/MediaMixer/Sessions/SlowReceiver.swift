import NIOCore

/// Watches one participant's queue: whether it holds senders up, and when it is given up (design: a sender is slowed
/// only by receivers that still make progress; nobody waits for one that stands still).
struct SlowReceiver: Sendable {
    enum Verdict: Equatable {
        case keepsUp
        /// Much is queued, but it is taking octets: senders wait for it.
        case slow
        /// Much is queued and nothing moves: nobody waits.
        case stalled
        case giveUp
    }

    private var overSince: NIODeadline?
    private var lastWritten: UInt64 = 0
    private var lastProgress: NIODeadline?

    /// - Parameters:
    ///   - queued: octets waiting.
    ///   - enqueued: octets ever enqueued.
    ///   - bound: octets that may wait.
    ///   - wait: how long they may be more.
    ///   - patience: how long nothing may move before the receiver counts as standing still.
    mutating func observe(
        queued: Int, enqueued: UInt64, bound: Int, wait: TimeAmount, patience: TimeAmount = .seconds(1),
        now: NIODeadline
    ) -> Verdict {
        let written = enqueued &- UInt64(clamping: queued)
        if queued == 0 || lastProgress == nil || written > lastWritten { lastProgress = now }
        lastWritten = written
        guard queued > bound / 2 else {
            overSince = nil
            return .keepsUp
        }
        if queued > bound {
            let since = overSince ?? now
            overSince = since
            if now - since >= wait { return .giveUp }
        } else {
            overSince = nil
        }
        guard let lastProgress, now - lastProgress < patience else { return .stalled }
        return .slow
    }
}
