/// What the event package did since the start; for `confd status`, logs and tests.
package struct NotifyCounters: Sendable, Equatable, Codable {
    /// Subscriptions there are now.
    package var subscriptions = 0
    package var subscriptionsMade: UInt64 = 0
    package var subscriptionsRefused: UInt64 = 0
    /// Ended by the notifier, because a NOTIFY was refused or never answered.
    package var subscriptionsFailed: UInt64 = 0
    package var notifies: UInt64 = 0
    /// Documents that were rendered, each for all subscribers of a room.
    package var documents: UInt64 = 0
    /// NOTIFYs that no way to the subscriber could take: a short one was sent instead.
    package var documentsTooLarge: UInt64 = 0
    /// Publications there are now, accepted, and refused.
    package var publications = 0
    package var publicationsAccepted: UInt64 = 0
    package var publicationsRefused: UInt64 = 0

    package init() {}
}
