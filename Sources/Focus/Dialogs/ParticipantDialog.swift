import MediaMixer
import Payloads
import SIP

/// What the focus keeps of one participant's dialog: no request, no SDP text.
struct ParticipantDialog: Sendable {
    var machine = InviteMachine()
    var negotiation: MSRPNegotiation
    let room: RoomAddress
    /// Who the participant is, as proven at the INVITE. In-dialog requests that come from `source` are this caller's.
    let caller: Caller
    /// Where the INVITE came from, or our own went to.
    var source: Endpoint
    /// The participant's Contact: which of its devices this is.
    var device: SIPURI?
    var joining: Joining
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
        negotiation: MSRPNegotiation, room: RoomAddress, caller: Caller, source: Endpoint, device: SIPURI? = nil,
        joining: Joining, callID: String
    ) {
        self.negotiation = negotiation
        self.room = room
        self.caller = caller
        self.source = source
        self.device = device
        self.joining = joining
        self.callID = callID
    }

    /// How and when somebody came in (RFC 4575 sections 5.7.3 and 5.7.4).
    struct Joining: Sendable, Equatable {
        enum Method: Sendable, Equatable {
            case dialledIn
            case dialledOut
            case focusOwner
        }

        var method = Method.dialledIn
        /// Seconds since 1970: when the ACK came; nil: it didn't yet.
        var since: Int64?
        /// The URI of who had them called.
        var by: String?
    }
}
