/// What was agreed with a participant about MSRP: the outcome of the offer/answer exchange.
package struct PeerMedia: Sendable, Equatable {
    /// The peer's a=path: one or more MSRP URIs with a blank between them.
    package var path: String

    /// Who opens the connection.
    package var role: Role

    package var isTLS: Bool

    /// What the participant's bodies are.
    package var format: Format

    /// The peer's accept-wrapped-types; `*` and `text/*` are wildcards. Empty: says nothing, so everything goes.
    package var acceptedWrappedTypes: [String]

    /// The peer's a=max-size in octets.
    package var maximumSize: Int?

    /// Whether the peer sent a=chatroom (RFC 7701 section 8), and what it said there.
    package var isChatRoomAware: Bool
    package var supportsPrivateMessages: Bool
    package var supportsNicknames: Bool

    /// The certificates the peer announced (RFC 8122): one of them must be the one it presents. Empty: no check.
    package var fingerprints: [CertificateFingerprint]

    package var direction: Direction

    package init(
        path: String, role: Role, isTLS: Bool, format: Format, acceptedWrappedTypes: [String] = [],
        maximumSize: Int? = nil, isChatRoomAware: Bool = false, supportsPrivateMessages: Bool = false,
        supportsNicknames: Bool = false, fingerprints: [CertificateFingerprint] = [],
        direction: Direction = .sendReceive
    ) {
        self.path = path
        self.role = role
        self.isTLS = isTLS
        self.format = format
        self.acceptedWrappedTypes = acceptedWrappedTypes
        self.maximumSize = maximumSize
        self.isChatRoomAware = isChatRoomAware
        self.supportsPrivateMessages = supportsPrivateMessages
        self.supportsNicknames = supportsNicknames
        self.fingerprints = fingerprints
        self.direction = direction
    }

    package enum Role: Sendable, Equatable {
        /// The peer connects to our listener.
        case peerConnects
        /// We connect out to this host and port (the path's, or those of the c= and m= lines with CEMA).
        case weConnect(host: String, port: Int)
    }

    package enum Format: Sendable, Equatable {
        case cpim
        case plainText
    }

    /// As seen from the peer: what the peer wants to do (a=sendrecv and so on, RFC 3264 section 5.1).
    package enum Direction: Sendable, Equatable {
        case sendReceive
        case sendOnly
        case receiveOnly
        case inactive

        package var peerReceives: Bool { self == .sendReceive || self == .receiveOnly }
        package var peerSends: Bool { self == .sendReceive || self == .sendOnly }
    }
}

/// A certificate's digest as a=fingerprint has it.
package struct CertificateFingerprint: Sendable, Hashable {
    /// Lower case: `sha-256`, `sha-1`, ...
    package let hash: String
    /// The digest's octets.
    package let digest: [UInt8]

    package init(hash: String, digest: [UInt8]) {
        self.hash = hash.lowercased()
        self.digest = digest
    }
}

extension PeerMedia {
    /// The peer itself is at the other end of the connection: no relay of its own stands between.
    private var isDirect: Bool { !path.contains(" ") }

    /// The certificates of which the connection must show one. Relays don't see the SDP, and present their own
    /// (RFC 6135 section 4.3).
    var expectedFingerprints: [CertificateFingerprint] { isTLS && isDirect ? fingerprints : [] }

    /// For `Destination`: a fingerprint takes the place of name and chain (RFC 4975 section 14.4); without one it is
    /// as the transport is set.
    var verifiesName: Bool? { expectedFingerprints.isEmpty ? nil : false }
}
