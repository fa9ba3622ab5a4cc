/// The subscriptions to outcomes of REFERs, by the dialogs they came within.
struct ReferDesk: Sendable {
    /// One subscription; never reused in the life of the process.
    struct Key: Sendable, Hashable {
        let number: UInt64
    }
}
