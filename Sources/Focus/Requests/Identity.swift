import SIP

/// Who a participant is, taken from From (RFC 3261 section 20.20).
struct Identity: Equatable, Sendable {
    /// The URI others see and CPIM's From is compared with: scheme, user and host of From, nothing else.
    private(set) var uri: String
    /// Other URIs that mean the same participant in CPIM's From.
    private(set) var aliases: [String]
    private(set) var displayName: String?
    private(set) var isAnonymous = false

    static let anonymousHost = "anonymous.invalid"
    /// Octets of a user part.
    static let longestUser = 255

    /// Nil when there is no From we can take apart.
    /// - Parameter serial: a number nobody else has, for callers that hide their name: they all have one From URI
    ///   (RFC 3323 section 4.1.1.3) and still are different participants.
    init?(of request: Request, serial: UInt64, displayNameOctets: Int) {
        guard let from = request.from, from.uri.isSIP, from.uri.hasPlainUser else { return nil }
        var bare = SIPURI(scheme: from.uri.scheme, user: from.uri.user, host: from.uri.host, port: from.uri.port)
        displayName = from.displayName.flatMap { Self.plain($0, octets: displayNameOctets) }
        let written = bare.description
        if bare.isAnonymous {
            bare.user = "\(bare.user ?? "anonymous")-\(serial)"
            uri = bare.description
            aliases = [written]
            isAnonymous = true
            return
        }
        uri = written
        aliases = []
        addAliases(of: bare)
    }

    /// Of what a trusted peer asserts.
    init(_ asserted: AssertedIdentity, displayNameOctets: Int) {
        uri = asserted.uri
        aliases = asserted.telephone.map { [$0] } ?? []
        displayName = asserted.displayName.flatMap { Self.plain($0, octets: displayNameOctets) }
        if let address = asserted.address { addAliases(of: address) }
    }

    /// Another URI by which the participant may call itself.
    mutating func add(alias: String) {
        if alias != uri, !aliases.contains(alias) { aliases.append(alias) }
    }

    /// What others see of somebody who hides. The names from before stay aliases: the client cannot know its anonymous
    /// URI, and nobody is shown an alias.
    mutating func hide(serial: UInt64) {
        guard !isAnonymous else { return }
        let known = uri
        uri = "sip:anonymous-\(serial)@\(Self.anonymousHost)"
        displayName = nil
        isAnonymous = true
        aliases.insert(contentsOf: [known, "sip:anonymous@\(Self.anonymousHost)"], at: 0)
    }

    private mutating func addAliases(of address: SIPURI) {
        var address = address
        if address.port != nil {
            address.port = nil
            add(alias: address.description)
        }
        if address.isSecure {
            address.scheme = "sip"
            add(alias: address.description)
        }
    }

    /// Without control characters, and not longer than the limit; nil when nothing is left.
    private static func plain(_ text: String, octets limit: Int) -> String? {
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
