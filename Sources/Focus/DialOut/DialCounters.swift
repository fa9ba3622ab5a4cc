/// What the focus did at others' word since it started; for `confd status` and tests.
package struct DialCounters: Sendable, Equatable, Codable {
    /// REFERs that were obeyed, and that were refused.
    package var refersAccepted: UInt64 = 0
    package var refersRefused: UInt64 = 0
    /// Subscriptions to the outcome of a REFER that are there now.
    package var reports = 0

    /// Calls of ours that are under way, and that wait for that.
    package var underWay = 0
    package var waiting = 0
    package var started: UInt64 = 0
    package var succeeded: UInt64 = 0
    package var failed: UInt64 = 0
    /// By `DialConfiguration.Limits`' names.
    package var refusedByLimit: [String: UInt64] = [:]

    package init() {}
}
