import Logging
package import MediaMixer
import SIP

/// What an operator does with rooms while the server runs (`confd room`). What a method has changed is kept when it
/// returns: a crash a moment later loses nothing.
extension Focus {
    /// All rooms, by their addresses.
    package func roomList() -> [RoomSummary] { [] }

    package func roomDetails(_ room: RoomAddress) -> RoomDetails? { nil }

    /// Makes a static room.
    /// - Throws: `.exists`, also for a room made on demand that is there; `.notServed`; `.notKept`.
    package func addRoom(_ configuration: RoomConfiguration) async throws(RoomCommandError) {}

    /// Changes a static room's configuration; its address stays.
    /// - Throws: `.noSuchRoom`, `.inConfigurationFile`, `.notKept`.
    package func setRoom(
        _ room: RoomAddress, _ change: @Sendable (inout RoomConfiguration) -> Void
    ) async throws(RoomCommandError) {}

    /// Ends a room and forgets it, with its condition and policy document. Who is in it gets BYE.
    /// - Returns: how many calls were ended.
    /// - Throws: `.noSuchRoom`, `.inConfigurationFile`, `.notKept`.
    package func removeRoom(_ room: RoomAddress) async throws(RoomCommandError) -> Int { 0 }

    /// Takes somebody out of a room, with all devices; they may come back.
    /// - Parameter account: `user@domain`; also finds those who hide it.
    /// - Returns: how many calls were ended.
    /// - Throws: `.noSuchRoom`, `.noSuchParticipant`.
    package func kick(_ account: String, in room: RoomAddress, reason: String?) async throws(RoomCommandError) -> Int {
        0
    }

    /// Keeps somebody (or `*@domain`) out, and takes out who is there.
    /// - Returns: how many calls were ended.
    package func ban(_ ban: RoomCondition.Ban, in room: RoomAddress) async throws(RoomCommandError) -> Int { 0 }

    /// - Throws: `.noSuchParticipant` when there is no such ban.
    package func unban(_ account: String, in room: RoomAddress) async throws(RoomCommandError) {}

    package func mute(_ account: String, _ isMuted: Bool, in room: RoomAddress) async throws(RoomCommandError) {}

    package func lock(_ room: RoomAddress, _ isLocked: Bool) async throws(RoomCommandError) {}

    /// - Parameter role: nil: the one that the room's configuration gives.
    package func setRole(
        _ role: RoomCondition.Role?, of account: String, in room: RoomAddress
    ) async throws(RoomCommandError) {}

    /// Ends a room made on demand; empties a static one, which stays.
    /// - Returns: how many calls were ended.
    package func closeRoom(_ room: RoomAddress) async throws(RoomCommandError) -> Int { 0 }

    /// - Parameter subject: nil or empty: none.
    package func setSubject(_ subject: String?, in room: RoomAddress) async throws(RoomCommandError) {}

    /// The room's policy document in the store is another one: subscriptions are judged again.
    package func policyChanged(_ room: RoomAddress) async {}
}

/// A line of `confd room list`.
package struct RoomSummary: Sendable, Equatable, Codable {
    package var address: RoomAddress
    package var kind: RoomKind
    package var title: String
    /// Calls: a participant with two devices counts twice.
    package var participants: Int
    package var isLocked: Bool

    package init(address: RoomAddress, kind: RoomKind, title: String, participants: Int, isLocked: Bool) {
        self.address = address
        self.kind = kind
        self.title = title
        self.participants = participants
        self.isLocked = isLocked
    }
}

/// What `confd room show` tells.
package struct RoomDetails: Sendable, Equatable, Codable {
    package struct Participant: Sendable, Equatable, Codable {
        /// As others see it: an anonymous one under Privacy: id.
        package var uri: String
        package var displayName: String?
        package var role: RoomCondition.Role
        /// Of its device, as its INVITE said; nil for an anonymous one.
        package var contact: String?
        package var isMuted: Bool

        package init(
            uri: String, displayName: String?, role: RoomCondition.Role, contact: String?, isMuted: Bool
        ) {
            self.uri = uri
            self.displayName = displayName
            self.role = role
            self.contact = contact
            self.isMuted = isMuted
        }
    }

    package var kind: RoomKind
    package var configuration: RoomConfiguration
    package var condition: RoomCondition
    /// The account that made a room on demand.
    package var maker: String?
    package var participants: [Participant]

    package init(
        kind: RoomKind, configuration: RoomConfiguration, condition: RoomCondition, maker: String?,
        participants: [Participant]
    ) {
        self.kind = kind
        self.configuration = configuration
        self.condition = condition
        self.maker = maker
        self.participants = participants
    }
}

/// Why an operator's command changed nothing.
package enum RoomCommandError: Error, Sendable, Equatable, Codable {
    case noSuchRoom
    case exists
    /// Its domain is none of ours, or its name is none that a room may have.
    case notServed
    /// The room is in the configuration file, which would bring the old state back.
    case inConfigurationFile
    case noSuchParticipant
    /// The store refused; the text is for people.
    case notKept(String)
}
