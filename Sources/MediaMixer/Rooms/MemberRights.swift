/// What one participant may do in a room, as the room's policy says.
struct MemberRights: Equatable, Sendable {
    let speaks: Bool
    let speaksPrivately: Bool
    let setsNickname: Bool

    init(_ request: JoinRequest, in room: RoomTerms) {
        let who = RoomPolicy.Who(account: request.account, isAnonymous: request.isAnonymous, isParticipant: true)
        // No ban is asked about, so no clock is needed: who is banned is taken out.
        func allows(_ act: RoomPolicy.Act) -> Bool {
            RoomPolicy.decide(who, act, in: room.configuration, room.condition, now: 0) == .allow
        }
        speaks = allows(.speak)
        speaksPrivately = allows(.speakPrivately)
        setsNickname = allows(.setNickname)
    }
}
