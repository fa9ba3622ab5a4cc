/// What the focus has and did, at one moment: for `confd status`. The names are those of its JSON.
package struct FocusStatus: Sendable, Equatable, Codable {
    /// Calls that are being set up, running, and being ended.
    package var calls: Int
    /// Who was let in, and who was not.
    package var access: AccessCounters
    /// Subscriptions to rosters, and publications.
    package var subscriptions: NotifyCounters
    /// REFERs, and calls of ours.
    package var dialOut: DialCounters

    package init(
        calls: Int, access: AccessCounters = .init(), subscriptions: NotifyCounters = .init(),
        dialOut: DialCounters = .init()
    ) {
        self.calls = calls
        self.access = access
        self.subscriptions = subscriptions
        self.dialOut = dialOut
    }
}

extension Focus {
    package var status: FocusStatus {
        FocusStatus(
            calls: callCount, access: accessCounters, subscriptions: notifyCounters, dialOut: dialStatus)
    }
}
