import Payloads
import SIP

/// The people that an INVITE with a resource list asks for (RFC 5366), or a REFER with one (RFC 5368).
struct InviteeList: Sendable, Equatable {
    /// Each once, in the list's order, with bcc entries.
    var people: [Invitee]

    /// Reads the list of an INVITE: the part with `Content-Disposition: recipient-list`, or nil when it has none.
    ///
    /// Says nothing about `Require: recipient-list-invite`; a re-INVITE with a list is the caller's to refuse (420).
    /// - Throws: 400 for a malformed body or hostile XML, 413 for a list beyond the limits, 415 for another format.
    static func inInvite(_ request: Request, limits: DialConfiguration.Limits) throws(Rejection) -> InviteeList? {
        nil
    }
}
