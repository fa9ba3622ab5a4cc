/// Who may come in. Roles, bans and locks will be asked here.
struct RoomPolicy: Sendable {
    let maximumMembers: Int
    let allowsPlainText: Bool

    init(_ room: RoomConfiguration, limits: MixerConfiguration) {
        maximumMembers = min(room.maximumMembers ?? limits.maximumMembersPerRoom, limits.maximumMembersPerRoom)
        allowsPlainText = room.allowsPlainText
    }

    /// Nil: come in.
    func refusal(of media: PeerMedia, membersInside: Int) -> JoinRefusal? {
        if membersInside >= maximumMembers { return .roomIsFull }
        if media.format == .plainText, !allowsPlainText { return .plainTextNotAllowed }
        return nil
    }
}
