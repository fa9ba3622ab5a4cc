/// What an offer and its answer settled for one MSRP session. A participant keeps one, so it holds no more than the
/// session needs: three short strings and the fingerprints.
package struct ChosenMedia: Sendable, Hashable {
    /// Who opens the connection (RFC 6135). The active side sends the first, empty SEND.
    package enum Role: Sendable, Hashable {
        /// We connect.
        case active
        /// The peer connects to us.
        case passive
    }

    /// What the messages on this session are.
    package enum Format: Sendable, Hashable {
        case cpim
        case plainText
    }

    /// Where an active end connects to.
    package struct Target: Sendable, Hashable {
        /// A name or an address literal, IPv6 without brackets.
        package var host: String
        package var port: UInt16

        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }
    }

    /// The peer's a=path as it goes into To-Path: URIs separated by one space, the adjacent hop first.
    package var remotePath: String
    package var isTLS: Bool
    package var role: Role
    /// Set when we are active: the first URI of the path, or the c= and m= lines under CEMA (RFC 6714 section 4).
    package var target: Target?
    /// Whether a=msrp-cema stands in the answer.
    package var usesCEMA: Bool
    package var format: Format
    /// What may be sent inside message/cpim: the peer's accept-types and accept-wrapped-types together
    /// (RFC 4975 section 8.6); a peer that names nothing beside message/cpim takes anything.
    package var wrappedTypes: MediaTypeList
    /// The largest message the peer wishes, in octets; a hint (RFC 4975 section 8.6).
    package var maxSize: UInt64?
    /// Nil: the peer knows nothing of chat rooms (RFC 7701 section 8).
    package var chatroom: ChatroomCapabilities?
    /// The certificates the peer may present under TLS, any of them, by the strongest hash it used (RFC 8122
    /// section 5.1); empty when it named none.
    package var fingerprints: [Fingerprint]
    /// Who sends, as seen from us: `.sendonly` means that we send and the peer does not.
    package var direction: Direction
    /// Which m= line it is, from 0.
    package var mediaIndex: Int

    package init(
        remotePath: String, isTLS: Bool, role: Role, target: Target? = nil, usesCEMA: Bool = false,
        format: Format = .cpim, wrappedTypes: MediaTypeList = MediaTypeList(["*"]), maxSize: UInt64? = nil,
        chatroom: ChatroomCapabilities? = nil, fingerprints: [Fingerprint] = [], direction: Direction = .sendrecv,
        mediaIndex: Int = 0
    ) {
        self.remotePath = remotePath
        self.isTLS = isTLS
        self.role = role
        self.target = target
        self.usesCEMA = usesCEMA
        self.format = format
        self.wrappedTypes = wrappedTypes
        self.maxSize = maxSize
        self.chatroom = chatroom
        self.fingerprints = fingerprints
        self.direction = direction
        self.mediaIndex = mediaIndex
    }

    /// The URIs of the path, the adjacent hop first.
    package var remoteURIs: [String] { ASCII.words(remotePath.utf8) }
}
