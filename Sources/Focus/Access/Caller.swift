import MediaMixer

/// Who sends a request, proven as far as the configuration asks for it.
struct Caller: Sendable, Equatable {
    enum Proof: Sendable, Equatable {
        /// Nobody was asked to prove anything (`[SIP] auth = none`).
        case believed
        /// By digest.
        case digest
        /// A trusted peer vouches (address, certificate).
        case trustedPeer
    }

    /// The URI others see and CPIM's From is compared with; an anonymous one under Privacy: id.
    var uri: String
    /// Other URIs that mean the same participant in CPIM's From.
    var aliases: [String] = []
    var displayName: String?
    /// `user@domain` of the real identity, domain in lower case: what policy compares. Never shown when anonymous.
    /// Of those whose identity nobody knows it is the anonymous one, so that no two of them have the same.
    var account: String
    var isAnonymous = false
    var proof = Proof.believed
    /// Where the request came from, transport and port included, since others may share the address: requests within
    /// the dialog that come from there need no proof again. Nil: nobody's, so that each is asked again.
    var source: String?

    func who(isParticipant: Bool) -> RoomPolicy.Who {
        RoomPolicy.Who(account: account, isAnonymous: isAnonymous, isParticipant: isParticipant)
    }
}
