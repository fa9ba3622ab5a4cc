/// What the mixer itself asks of a newcomer. Who it is was judged before, by `RoomPolicy`.
struct JoinRules: Sendable {
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
