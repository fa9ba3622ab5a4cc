package import Payloads
package import SIP

/// What a chat is started with.
package struct ChatOptions: Sendable {
    package var peer: Peer
    /// Who we are.
    package var identity: SIPURI
    package var nickname: String?
    package var password: String?
    /// The way of the messages through relays of ours; nil: straight to the room.
    package var relay: RelayOptions?
    /// Lets the room connect to us, which takes relays (RFC 6135 section 4.2).
    package var isPassive = false
    /// Offers TCP/TLS/MSRP rather than TCP/MSRP.
    package var usesTLS = false
    /// Offers text/plain alone, as clients that know nothing of chat rooms do.
    package var plainText = false
    /// Says nothing about what happens beside messages.
    package var isQuiet = false
    /// After the input has ended: stay until this many messages of others have come.
    package var exitAfter: Int?
    /// After the input has ended: stay that long, at most when `exitAfter` is given.
    package var wait: Duration?
    /// How long the call may take to be answered.
    package var timeout: Duration = .seconds(32)
    /// Who is to be invited along with the call (RFC 5366).
    package var invitees: ResourceList?
    /// Cuts messages that are longer than this into chunks of this size, octets.
    package var chunkSize: Int?

    package init(peer: Peer, identity: SIPURI) {
        self.peer = peer
        self.identity = identity
    }

    /// The room as messages name it: without port and parameters.
    var room: SIPURI { SIPURI(scheme: peer.uri.scheme, user: peer.uri.user, host: peer.uri.host) }
}

/// How a chat that took place ended.
package enum ChatOutcome: Sendable, Equatable {
    /// All was acknowledged.
    case complete
    /// So many of our messages were refused or stayed unanswered.
    case undelivered(Int)
    /// Fewer messages came than `exitAfter` wanted, within `wait`.
    case incomplete(received: Int)
}
