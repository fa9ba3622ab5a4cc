import Logging
import MediaMixer
import SIP

/// Calls of ours: dialling out by INVITE or REFER (RFC 4579 sections 5.2 and 5.5 to 5.7, RFC 5366).
extension Focus {
    /// Calls people into a room, within the limits; returns at once. The roster and the log tell what became of it,
    /// and `report` if somebody waits for it.
    ///
    /// Whether `caller` may do so has been judged before. URIs of our own rooms, the caller's own and those of people
    /// who are in the room already are left out.
    /// - Parameters:
    ///   - caller: who asked; nil: an operator.
    ///   - method: nil: as the room's `dialOut` says, with its fallback.
    ///   - referredBy: the Referred-By to carry; nil: the caller's URI.
    func dialOut(
        _ people: [Invitee], to room: RoomAddress, by caller: Caller?, method: RoomConfiguration.DialOut? = nil,
        referredBy: String? = nil, report: DialReport = .none
    ) {}

    /// The room has ended: calls to people who have not answered are given up.
    func stopDialling(to room: RoomAddress) {}

    /// Somebody came into the room by an INVITE of theirs: if a REFER of ours asked them to, it has its outcome.
    func arrived(_ caller: Caller, in room: RoomAddress) {}

    /// A response to an INVITE of ours that makes a call.
    func dialled(_ call: Call, _ response: Response) {}

    /// A call of ours ended before it had a participant; false when it is no such call.
    func dialledInVain(_ call: Call, _ ending: Ending) -> Bool { false }

    /// False when the exchange is no REFER of ours.
    func referAnswered(_ exchange: Exchange, _ response: Response) -> Bool { false }

    /// A NOTIFY of a REFER that we sent outside of calls.
    func notified(_ transaction: Transaction, _ request: Request, of exchange: Exchange) {
        reject(transaction, .gone, metadata: metadata(request), level: .debug)
    }

    /// NOTIFY from those we sent a REFER to.
    func notified(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        reject(transaction, .gone, metadata: metadata(request), level: .debug)
    }
}
