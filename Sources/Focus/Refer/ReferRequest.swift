import MediaMixer
import SIP

/// What a REFER asks of the focus: its Refer-To taken apart (RFC 3515 section 2.4.1, RFC 4579 sections 5.5 to 5.12).
struct ReferRequest: Sendable, Equatable {
    enum Deed: Sendable, Equatable {
        /// Have them called (INVITE, or as the room's `dial_out` says).
        case invite([Invitee])
        /// Send them a REFER to the room (RFC 4579 section 5.7).
        case refer([Invitee])
        /// Remove them (RFC 4579 section 5.11).
        case remove([Invitee])
        /// End the room, or empty a static one: BYE to the room's own URI.
        case close
    }

    var deed: Deed
    /// Whether the referrer hears the outcome by NOTIFY; false for `Refer-Sub: false` and lists (RFC 4488, RFC 5368).
    var wantsReport: Bool
    /// A Referred-By to be passed on, proven to be the referrer's.
    var referredBy: String?
}
