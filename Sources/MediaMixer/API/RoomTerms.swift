/// A room as it is at one moment: what the mixer needs to know of it. Whoever owns the rooms sends these; the mixer
/// decides nothing about them.
package struct RoomTerms: Sendable, Equatable {
    package var configuration: RoomConfiguration
    package var condition: RoomCondition
    /// Grows with every change of any room; of two terms for one room the larger one holds, in whatever order they
    /// arrive.
    package var version: UInt64

    package init(_ configuration: RoomConfiguration, _ condition: RoomCondition = RoomCondition(), version: UInt64 = 0)
    {
        self.configuration = configuration
        self.condition = condition
        self.version = version
    }

    package var address: RoomAddress { configuration.address }

    /// As people see it; may be empty.
    package var title: String { condition.title ?? configuration.title }
}
