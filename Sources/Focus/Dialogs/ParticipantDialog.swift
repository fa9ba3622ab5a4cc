import MediaMixer
import Payloads
import SIP

/// What the focus keeps of one participant's dialog: no request, no SDP text.
struct ParticipantDialog: Sendable {
    var machine = InviteMachine()
    var negotiation: MSRPNegotiation
    let room: RoomAddress
    let participant: String
    /// For the log.
    let callID: String
    /// The mixer's name for the participant; nil while there is none, and after it left.
    var member: MemberID?
    /// The MSRP connection was lost and the grace period runs: the next offer makes a new session, whatever it says
    /// (RFC 4975 section 5.4).
    var hasLostMedia = false
    /// Where requests of ours are sent instead of to the Contact.
    var route: Endpoint?

    init(negotiation: MSRPNegotiation, room: RoomAddress, participant: String, callID: String) {
        self.negotiation = negotiation
        self.room = room
        self.participant = participant
        self.callID = callID
    }
}
