import MediaMixer
import Testing

@testable import Focus

@Suite("The roster")
struct RosterTests {
    private let room = RoomAddress(user: "lobby", domain: "example.com")

    private func member(
        _ number: UInt64, uri: String = "sip:alice@example.org", nickname: String? = nil, active: Bool = false
    ) -> MemberSnapshot {
        MemberSnapshot(
            id: MemberID(number: number), room: room, uri: uri, displayName: nil, nickname: nickname, isJoined: true,
            isMediaActive: active)
    }

    @Test("a participant arrives, gets media, loses it, and departs")
    func walk() {
        var roster = Roster()
        #expect(roster.apply(.joined(member(1)), at: 10) == room)
        #expect(roster.entries(of: room).map(\.media) == [.awaited])
        #expect(roster.apply(.mediaActive(member(1)), at: 10) == room)
        #expect(roster.apply(.mediaActive(member(1)), at: 10) == nil)
        #expect(roster.apply(.mediaLost(member(1)), at: 10) == room)
        #expect(roster.entries(of: room).map(\.media) == [.lost])
        #expect(roster.apply(.nicknameChanged(member(1, nickname: "Al")), at: 10) == room)
        #expect(roster.entries(of: room).map(\.nickname) == ["Al"])
        #expect(roster.apply(.ended(member(1), .graceExpired), at: 10) == room)
        #expect(roster.entries(of: room).isEmpty)
    }

    @Test("who never joined does not show, and does not depart")
    func pending() {
        var roster = Roster()
        #expect(roster.apply(.mediaActive(member(1)), at: 10) == nil)
        #expect(roster.apply(.left(member(1), .notCompleted), at: 10) == nil)
        #expect(roster.roomCount == 0)
    }

    @Test("two devices of one user are two entries")
    func devices() {
        var roster = Roster()
        _ = roster.apply(.joined(member(1)), at: 10)
        _ = roster.apply(.joined(member(2, active: true)), at: 10)
        #expect(roster.entries(of: room).map(\.media) == [.awaited, .active])
        _ = roster.apply(.left(member(1), .departed), at: 10)
        #expect(roster.entries(of: room).map(\.uri) == ["sip:alice@example.org"])
    }
}
