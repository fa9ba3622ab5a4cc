/// Decides who may do what in a room: a function of who asks, what for, and the room, without state, clock or I/O.
///
/// Asked by the focus before it grants anything, and by the room before somebody speaks.
package enum RoomPolicy {
    /// Who asks.
    package struct Who: Sendable, Equatable {
        /// `user@domain` of the identity, domain in lower case; also of those who hide it from others.
        package var account: String
        /// Hides the identity from others (Privacy: id).
        package var isAnonymous: Bool
        /// In the room already, with this or another device.
        package var isParticipant: Bool

        package init(account: String, isAnonymous: Bool = false, isParticipant: Bool = false) {
            self.account = account
            self.isAnonymous = isAnonymous
            self.isParticipant = isParticipant
        }
    }

    package enum Act: Sendable, Equatable {
        case join(membersInside: Int, isPlainText: Bool)
        case subscribe
        case speak
        case speakPrivately
        case setNickname
        /// Have others called.
        case invite
        /// `target`: `user@domain`.
        case remove(target: String)
        case mute(target: String)
        case ban(target: String)
        case lock
        /// Change subject, title, free text, keywords.
        case describe
        case setRole(target: String, RoomCondition.Role)
        /// End the room, or empty a static one.
        case close
        /// BYE and CANCEL: told, never refused.
        case leave
    }

    package enum Decision: Sendable, Equatable {
        case allow
        /// `subscribe` only: the room's policy document decides.
        case askDocument
        /// A SIP status and a text for people and the log.
        case refuse(Int, String)
    }

    /// - Parameters:
    ///   - now: seconds since 1970, for bans.
    ///   - mostMembers: the server's limit.
    package static func decide(
        _ who: Who, _ act: Act, in room: RoomConfiguration, _ condition: RoomCondition, mostMembers: Int = .max,
        now: Int64
    ) -> Decision {
        .allow  // to be written
    }

    package static func role(
        of account: String, in room: RoomConfiguration, _ condition: RoomCondition
    ) -> RoomCondition.Role {
        condition.roles[account] ?? .participant
    }
}
