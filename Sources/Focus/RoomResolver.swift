package import MediaMixer
package import SIP

/// What a Request-URI means here (RFC 3261 section 8.2.2.1).
package enum Resolution: Equatable, Sendable {
    case room(RoomAddress)
    /// A served domain without a user part: the server itself.
    case server
    /// 416
    case unsupportedScheme
    /// 404: another domain, or a user part that names no room.
    case notFound
}

/// Tells which room a URI names.
///
/// Each served domain has rooms of its own. The addresses we listen on stand in our Contacts, so they reach the rooms
/// too: those of the first domain, or of the one that the Contact's `room-domain` parameter names.
package struct RoomResolver: Sendable {
    /// Longest user part taken for a room's name, in octets.
    package static let longestRoomName = 255

    /// The URI parameter of our own Contacts that says which domain a room belongs to, where the host doesn't.
    static let domainParameter = "room-domain"

    private let domains: [String]
    private let served: Set<String>
    private let aliases: Set<String>

    /// - Parameters:
    ///   - domains: names and addresses whose rooms are served, the main one first.
    ///   - aliases: hosts that stand in our Contacts beside them (listeners, `advertise`).
    package init(domains: [String], aliases: [String]) {
        self.domains = domains.map(Self.normalized)
        served = Set(self.domains)
        self.aliases = Set(aliases.map(Self.normalized)).subtracting(served)
    }

    /// - Parameter local: the address the request arrived at, which is ours whatever the listener's wildcard says.
    package func resolve(_ uri: SIPURI, local: String? = nil) -> Resolution {
        guard uri.isSIP else { return .unsupportedScheme }
        guard let domain = domain(of: uri, local: local) else { return .notFound }
        guard let user = uri.user else { return .server }
        guard !user.isEmpty, user.utf8.count <= Self.longestRoomName,
            user.unicodeScalars.allSatisfy({ !$0.properties.generalCategory.isControl })
        else { return .notFound }
        return .room(RoomAddress(user: user, domain: domain))
    }

    /// Whether a URI with this host and nothing else that says so reaches the room.
    func reaches(_ room: RoomAddress, host: String) -> Bool {
        domain(of: SIPURI(user: room.user, host: host), local: host) == room.domain
    }

    private func domain(of uri: SIPURI, local: String?) -> String? {
        let host = Self.normalized(uri.host)
        guard served.contains(host) || aliases.contains(host) || local.map(Self.normalized) == host else { return nil }
        if let named = uri.parameter(Self.domainParameter).map(Self.normalized), served.contains(named) { return named }
        return served.contains(host) ? host : domains.first
    }

    /// See `RoomAddress.normalized(host:)`.
    package static func normalized(_ host: String) -> String { RoomAddress.normalized(host: host) }
}

extension Unicode.GeneralCategory {
    /// Characters that would tear a log line or a header apart.
    fileprivate var isControl: Bool {
        switch self {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
        default: false
        }
    }
}
