package import FileSpool

/// What the focus asks for when an INVITE was found acceptable.
package struct JoinRequest: Sendable {
    package var room: RoomAddress

    /// Hosts beside the room's domain by which the participant may name it in CPIM To, for a room is reached by its
    /// Contact's address too: those of its Request-URI and To and of our Contact. IPv6 without brackets.
    package var roomHosts: [String]

    /// The name by which the participant called the room where that is another one: a conference factory's. It may
    /// stand in CPIM To as well.
    package var calledName: String?

    /// The participant's proven URI; what CPIM From is compared with, and the name in copies for plain text clients.
    package var participant: String

    /// Other URIs the participant may use in CPIM From (an anonymous one, a tel URI, P-Asserted-Identity).
    package var aliases: [String]

    package var displayName: String?

    /// `user@domain`: whom the room's rules and condition mean.
    package var account: String

    /// Hides its name from others.
    package var isAnonymous: Bool

    /// The room as it is to be when this has come in; one that isn't there is opened with it. Nil: it must be there.
    package var terms: RoomTerms?

    /// A session of the same participant whose place this one takes: others see no change.
    package var replaced: MemberID?

    package var media: PeerMedia

    /// The client's User-Agent.
    package var userAgent: String?

    /// What our a=path says: host and port a peer can reach. The port 0 means "the first listener's".
    package var localHost: String
    package var localPort: Int

    /// The IP address the signalling came from, for the egress policy `same-source`.
    package var signallingSource: String?

    package init(
        room: RoomAddress, roomHosts: [String] = [], calledName: String? = nil, participant: String,
        aliases: [String] = [],
        displayName: String? = nil, account: String = "", isAnonymous: Bool = false, terms: RoomTerms? = nil,
        replaced: MemberID? = nil, media: PeerMedia, localHost: String, localPort: Int, signallingSource: String? = nil,
        userAgent: String? = nil
    ) {
        self.userAgent = userAgent
        self.room = room
        self.calledName = calledName
        self.roomHosts = roomHosts.map { $0.lowercased() }.filter { $0 != room.domain }
        self.participant = participant
        self.aliases = aliases
        self.displayName = displayName
        self.account = account
        self.isAnonymous = isAnonymous
        self.terms = terms
        self.replaced = replaced
        self.media = media
        self.localHost = localHost
        self.localPort = localPort
        self.signallingSource = signallingSource
    }
}

/// Why a join or renegotiation was not granted. Nothing of it remains.
package enum JoinRefusal: Error, Equatable, Sendable {
    case noSuchRoom
    /// `Limits.rooms`
    case tooManyRooms
    /// `RoomConfiguration.maximumMembers` or `Limits.membersPerRoom`
    case roomIsFull
    /// `Limits.members`
    case tooManyMembers
    /// The peer's a=path is no MSRP path.
    case malformedPath
    case plainTextNotAllowed
    /// The member has left meanwhile.
    case noSuchMember
    /// The transfer has ended meanwhile.
    case noSuchTransfer
    /// `MixerConfiguration.files`: in all, in the room, or of the participant.
    case tooManyTransfers
    /// There is no spool.
    case noSpool
    /// The spool does not take the file, or has it no more.
    case fileRefused(SpoolRefusal)
    case shuttingDown
}

/// A participant of one dialog; never reused in a process.
package struct MemberID: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt64

    package init(number: UInt64) { self.number = number }

    package var description: String { "m\(number)" }
}

/// The session that was made for a join: it exists, and the peer may connect to it, from now on.
package struct Reservation: Sendable, Equatable {
    package let member: MemberID
    /// Our a=path value.
    package let localPath: String

    package init(member: MemberID, localPath: String) {
        self.member = member
        self.localPath = localPath
    }
}
