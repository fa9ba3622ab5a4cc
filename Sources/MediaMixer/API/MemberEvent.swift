/// What happens to participants, in the order in which it happens.
package enum MemberEvent: Sendable, Equatable {
    /// The ACK came: in the roster.
    case joined(MemberSnapshot)
    /// Left by its own BYE, or removed; the last event of a member.
    case left(MemberSnapshot, LeaveReason)
    /// The MSRP session is bound: the participant is heard and hears.
    case mediaActive(MemberSnapshot)
    /// The MSRP connection is gone; the grace period runs.
    case mediaLost(MemberSnapshot)
    case nicknameChanged(MemberSnapshot)
    /// The mixer gave the member up and has removed it. The focus sends BYE; `left` is not emitted as well.
    case ended(MemberSnapshot, EndCause)

    package var member: MemberSnapshot {
        switch self {
        case .joined(let member), .left(let member, _), .mediaActive(let member), .mediaLost(let member),
            .nicknameChanged(let member), .ended(let member, _):
            member
        }
    }
}

package enum LeaveReason: Sendable, Equatable {
    /// BYE, or the dialog ended some other way.
    case departed
    /// The join never completed: CANCEL, no ACK.
    case notCompleted
    /// By a moderator or an operator, or by the end of the room.
    case removed
    /// Another dialog of the same participant has taken its place (RFC 3891).
    case replaced
    case shutdown
}

package enum EndCause: Sendable, Equatable {
    /// No new MSRP connection within the grace period.
    case graceExpired
    /// The peer's certificate is not the one in its SDP (RFC 4975 section 14.4).
    case fingerprintMismatch
    /// We were to connect out and could not, or the egress policy forbids it.
    case connectFailed
    /// The peer refused our empty SEND.
    case bindRefused
    /// Nobody connected to the reserved session in time.
    case neverConnected
}

/// A participant as others may know it.
package struct MemberSnapshot: Sendable, Equatable {
    package let id: MemberID
    package let room: RoomAddress
    package let uri: String
    package let displayName: String?
    package let nickname: String?
    package let isJoined: Bool
    package let isMediaActive: Bool

    package init(
        id: MemberID, room: RoomAddress, uri: String, displayName: String?, nickname: String?, isJoined: Bool,
        isMediaActive: Bool
    ) {
        self.id = id
        self.room = room
        self.uri = uri
        self.displayName = displayName
        self.nickname = nickname
        self.isJoined = isJoined
        self.isMediaActive = isMediaActive
    }
}
