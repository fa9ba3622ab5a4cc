import Logging
import MediaMixer
import SIP

#if canImport(Glibc)
    import Glibc
#endif

/// The rooms' life: how they come to be, change, and end; and what others ask about them.
extension Focus {
    /// The room a request is about, if there is one.
    func room(at address: RoomAddress) -> RoomBook.Room? { rooms[address] }

    /// Judges what somebody wants to do in a room. Refused with 404 when there is no such room.
    func decide(_ caller: Caller, _ act: RoomPolicy.Act, in address: RoomAddress) -> RoomPolicy.Decision {
        guard let room = rooms[address] else { return .refuse(404, "no such room") }
        return RoomPolicy.decide(
            caller.who(isParticipant: isParticipant(caller.account, in: address)), act, in: room.configuration,
            room.condition, mostMembers: configuration.limits.participantsPerRoom, now: wallClock())
    }

    /// Whether somebody is in the room: the ACK came, and no BYE.
    func isParticipant(_ account: String, in address: RoomAddress) -> Bool {
        rooms[address]?.calls[account]?.contains { dialogs[$0]?.machine.isConfirmed == true } ?? false
    }

    /// The calls of an account in a room, pending ones included.
    func calls(of account: String, in address: RoomAddress) -> [Call] {
        (rooms[address]?.calls[account] ?? []).sorted { $0.id < $1.id }
    }

    /// All participants' calls in a room, pending ones included, oldest first.
    func calls(in address: RoomAddress) -> [Call] {
        (rooms[address]?.calls.values.flatMap { $0 } ?? []).sorted { $0.id < $1.id }
    }

    /// Changes what a room's people made of it: kept where the room is static, told to the mixer and to the roster.
    /// - Returns: false when there is no such room.
    @discardableResult
    func change(_ address: RoomAddress, by caller: Caller? = nil, _ body: (inout RoomCondition) -> Void) -> Bool {
        guard rooms.change(address, { body(&$0.condition) }) != nil else { return false }
        rosterChanged(address)
        return true
    }

    /// Takes somebody out of a room: BYE with a Reason, and the MSRP session ends at once.
    /// - Parameters:
    ///   - person: a URI as others see it, or an account (`user@domain`); all of its devices leave.
    ///   - device: only the one with this Contact.
    ///   - booted: shown as removed by others, not as departed.
    /// - Returns: how many calls were ended; 0: no such participant.
    @discardableResult
    func removeParticipant(
        _ person: String, device: SIPURI? = nil, from address: RoomAddress, reason: String, booted: Bool = true
    ) -> Int { 0 }

    /// Ends a room that was made on demand, empties a static one. Everybody gets BYE, subscriptions end.
    /// - Returns: how many calls were ended.
    @discardableResult
    func endRoom(_ address: RoomAddress, reason: String = "the conference has ended") -> Int { 0 }

    /// Seconds since 1970, for bans.
    func wallClock() -> Int64 { Int64(time(nil)) }
}
