import Logging
import MediaMixer

/// What changes who is in a room goes through here, so that its subscribers are told.
extension Focus {
    /// Changes the roster; `change` is given the time in seconds since 1970 and answers with the room whose
    /// subscribers are to be told, as the roster's methods do:
    ///
    ///     updateRoster { roster, time in roster.removed(member, reason: reason, by: caller.uri, at: time) }
    func updateRoster(_ change: (inout Roster, Int64) -> RoomAddress?) {
        guard let room = change(&roster, wallClock()) else { return }
        peopleChanged(room)
    }

    /// What the mixer reports. That a session is bound is expected of everybody who joins, so it is told with what
    /// comes next.
    func updateRoster(_ event: MemberEvent) {
        guard let room = roster.apply(event, at: wallClock()) else { return }
        let isUrgent = if case .mediaActive = event { false } else { true }
        peopleChanged(room, isUrgent: isUrgent)
    }
}
