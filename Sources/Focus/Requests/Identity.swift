import SIP

/// Who a participant is, taken from From (RFC 3261 section 20.20).
struct Identity: Equatable, Sendable {
    /// The URI others see and CPIM's From is compared with: scheme, user and host of From, nothing else.
    var uri: String
    /// Other URIs that mean the same participant in CPIM's From.
    var aliases: [String]
    var displayName: String?
    private(set) var isAnonymous = false

    /// Nil when there is no From we can take apart.
    /// - Parameter serial: a number nobody else has, for callers that hide their name: they all have one From URI
    ///   (RFC 3323 section 4.1.1.3) and still are different participants.
    init?(of request: Request, serial: UInt64, displayNameOctets: Int) {
        guard let from = request.from, from.uri.isSIP else { return nil }
        var bare = SIPURI(scheme: from.uri.scheme, user: from.uri.user, host: from.uri.host, port: from.uri.port)
        displayName = from.displayName.flatMap { Self.displayName($0, octets: displayNameOctets) }
        let written = bare.description
        if RoomResolver.normalized(bare.host) == Self.anonymousHost {
            bare.user = "\(bare.user ?? "anonymous")-\(serial)"
            uri = bare.description
            aliases = [written]
            isAnonymous = true
            return
        }
        uri = written
        aliases = []
        if bare.port != nil {
            bare.port = nil
            aliases.append(bare.description)
        }
        if bare.isSecure {
            bare.scheme = "sip"
            aliases.append(bare.description)
        }
    }

    static let anonymousHost = "anonymous.invalid"

    /// Without control characters, and not longer than the limit; nil when nothing is left.
    private static func displayName(_ text: String, octets limit: Int) -> String? {
        var name = String.UnicodeScalarView()
        var octets = 0
        for scalar in text.unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7f {
            octets += UTF8.width(scalar)
            guard octets <= limit else { break }
            name.append(scalar)
        }
        return name.isEmpty ? nil : String(name)
    }
}
