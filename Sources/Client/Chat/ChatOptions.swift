package import Payloads
package import SIP

/// What a chat is started with.
package struct ChatOptions: Sendable {
    package var peer: Peer
    /// Who we are.
    package var identity: SIPURI
    package var nickname: String?
    package var password: String?
    /// The account's name where it is not the identity's user part.
    package var username: String?
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
    /// Tells the others that the user is typing, and tells him that they are (RFC 3994); takes a terminal.
    package var showsTyping = false
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

/// What a chat is shown on, and what it is told by.
package struct ChatConsole: Sendable {
    /// What is going on at this moment, for a terminal's last line; elsewhere it may be left out.
    package enum Status: Equatable, Sendable {
        /// Nil: nobody types.
        case typing(String?)
        /// A transfer has begun, with so many octets that were there already.
        case began(name: String, total: UInt64?, start: UInt64)
        case progress(UInt64)
        case ended
    }

    /// The input; nil is its end.
    package var nextLine: @Sendable () async -> String?
    /// Takes messages, with their line ends.
    package var output: @Sendable (String) -> Void
    /// Takes what happens beside them, without.
    package var notice: @Sendable (String) -> Void
    package var status: @Sendable (Status) -> Void
    /// The time of day for people, and the moment as RFC 3339 has it.
    package var clock: @Sendable () -> (display: String, dateTime: String)
    /// A moment, in seconds since 1970, for people.
    package var moment: @Sendable (Int64) -> String

    package init(
        nextLine: @escaping @Sendable () async -> String?, output: @escaping @Sendable (String) -> Void,
        notice: @escaping @Sendable (String) -> Void, status: @escaping @Sendable (Status) -> Void,
        clock: @escaping @Sendable () -> (display: String, dateTime: String),
        moment: @escaping @Sendable (Int64) -> String
    ) {
        self.nextLine = nextLine
        self.output = output
        self.notice = notice
        self.status = status
        self.clock = clock
        self.moment = moment
    }
}

/// How a chat that took place ended.
package enum ChatOutcome: Sendable, Equatable {
    /// All was acknowledged.
    case complete
    /// So many of our messages were refused or stayed unanswered.
    case undelivered(Int)
    /// So many files were not sent or not got; all messages were acknowledged.
    case untransferred(Int)
    /// Fewer messages came than `exitAfter` wanted, within `wait`.
    case incomplete(received: Int)
}
