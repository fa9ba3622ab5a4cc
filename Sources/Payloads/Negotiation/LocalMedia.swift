/// What this side brings to an offer or an answer, apart from the session's own path.
package struct LocalMedia: Sendable, Hashable {
    /// The largest message we take, in octets: a=max-size.
    package var maxSize: UInt64?
    /// What the room really allows: a=chatroom. Nil writes none (a client that is no chat room user, a file session).
    package var chatroom: ChatroomCapabilities?
    /// Whether a peer without message/cpim may talk text/plain.
    package var allowsPlainText: Bool
    /// What our offers put into a=accept-types. A focus offers message/cpim alone (RFC 7701 section 5.2).
    package var acceptTypes: [String]
    /// What goes into a=accept-wrapped-types beside message/cpim.
    package var acceptWrappedTypes: [String]
    /// The certificate's fingerprints, written for TCP/TLS/MSRP only.
    package var fingerprints: [Fingerprint]
    package var allowsTCP: Bool
    package var allowsTLS: Bool
    /// What our offers say: actpass from whoever can be reached, active from a client behind NAT (RFC 6135 section 4.2.2).
    /// The port shown is the path's in any case: port 9 is only advised, and a peer without COMEDIA needs the real one.
    package var offeredSetup: Setup
    /// Whether our path leads through MSRP relays (RFC 6714 section 4 treats such ends apart).
    package var usesRelay: Bool
    /// Whether our offers carry a=msrp-cema (RFC 6714 section 4.2).
    package var offersCEMA: Bool
    /// The session name of our offers; answers repeat the offer's.
    package var sessionName: String

    package init(
        maxSize: UInt64? = nil, chatroom: ChatroomCapabilities? = nil, allowsPlainText: Bool = true,
        acceptTypes: [String] = ["message/cpim"], acceptWrappedTypes: [String] = ["*"],
        fingerprints: [Fingerprint] = [], allowsTCP: Bool = true, allowsTLS: Bool = true,
        offeredSetup: Setup = .actpass, usesRelay: Bool = false, offersCEMA: Bool = false, sessionName: String = "-"
    ) {
        self.maxSize = maxSize
        self.chatroom = chatroom
        self.allowsPlainText = allowsPlainText
        self.acceptTypes = acceptTypes
        self.acceptWrappedTypes = acceptWrappedTypes
        self.fingerprints = fingerprints
        self.allowsTCP = allowsTCP
        self.allowsTLS = allowsTLS
        self.offeredSetup = offeredSetup
        self.usesRelay = usesRelay
        self.offersCEMA = offersCEMA
        self.sessionName = sessionName
    }
}
