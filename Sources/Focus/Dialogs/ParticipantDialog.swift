import MediaMixer
import Payloads
import SIP

/// What the focus keeps of one participant's dialog: no request, no SDP text.
struct ParticipantDialog: Sendable {
    var machine = InviteMachine()
    var negotiation: MSRPNegotiation
    let room: RoomAddress
    /// Who the participant is, as proven at the INVITE. In-dialog requests from `caller.source` are this caller's.
    var caller: Caller
    /// The participant's Contact: which of its devices this is.
    var device: SIPURI?
    var joining: Joining
    /// Who is called when the participant has joined (RFC 5366).
    var invitees: [Invitee] = []
    /// The dialog whose place this one takes when it has joined (RFC 3891).
    var replaces: Call?
    /// For the log.
    let callID: String
    /// The mixer's name for the participant; nil while there is none, and after it left.
    var member: MemberID?
    /// The MSRP connection was lost and the grace period runs: the next offer makes a new session, whatever it says
    /// (RFC 4975 section 5.4).
    var hasLostMedia = false
    /// Where requests of ours are sent instead of to the Contact.
    var route: Endpoint?

    /// The participant's URI as others see it.
    var participant: String { caller.uri }

    init(
        negotiation: MSRPNegotiation, room: RoomAddress, caller: Caller, device: SIPURI? = nil,
        joining: Joining = Joining(), callID: String
    ) {
        self.negotiation = negotiation
        self.room = room
        self.caller = caller
        self.device = device
        self.joining = joining
        self.callID = callID
    }

    /// As it was made, in another room (a conference factory's).
    init(_ other: ParticipantDialog, in room: RoomAddress, replacing former: Call?) {
        self.init(
            negotiation: other.negotiation, room: room, caller: other.caller, device: other.device,
            joining: other.joining, callID: other.callID)
        invitees = other.invitees
        replaces = former
    }

    /// How and when somebody came in (RFC 4575 sections 5.7.3 and 5.7.4).
    struct Joining: Sendable, Equatable {
        enum Method: Sendable, Equatable {
            case dialledIn
            case dialledOut
        }

        var method = Method.dialledIn
        /// Seconds since 1970: when the ACK came; nil: it didn't yet.
        var since: Int64?
        /// The URI of who had them called.
        var by: String?
    }
}

extension Roster.Arrival {
    /// What the roster shows of a participant's dialog.
    init(_ dialog: ParticipantDialog) {
        let caller = dialog.caller
        self.init(
            uri: caller.uri, account: caller.account, displayName: caller.displayName,
            isAnonymous: caller.isAnonymous, device: dialog.device?.description,
            joining: dialog.joining.method == .dialledOut ? .dialedOut : .dialedIn, referredBy: dialog.joining.by)
    }
}
