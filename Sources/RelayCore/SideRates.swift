import NIOCore

/// The rates that hold for one direction of a session: its own and its account's.
final class SideRates {
    private var own: Throttle?
    private let account: SharedThrottle?

    init?(session: Int?, account: SharedThrottle?, now: NIODeadline) {
        guard session != nil || account != nil else { return nil }
        own = session.map { Throttle(rate: $0, now: now) }
        self.account = account
    }

    /// - Returns: whether reading may go on.
    func take(_ count: Int, now: NIODeadline) -> Bool {
        let mayOwn = own?.take(count, now: now) ?? true
        let mayAccount = account?.throttle.take(count, now: now) ?? true
        return mayOwn && mayAccount
    }

    func isOpen(now: NIODeadline) -> Bool {
        (own?.isOpen(now: now) ?? true) && (account?.throttle.isOpen(now: now) ?? true)
    }
}

/// One direction of all sessions of an account.
final class SharedThrottle {
    var throttle: Throttle

    init(rate: Int, now: NIODeadline) { throttle = Throttle(rate: rate, now: now) }
}

@available(*, unavailable)
extension SideRates: Sendable {}
@available(*, unavailable)
extension SharedThrottle: Sendable {}
