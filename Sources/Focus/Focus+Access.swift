import Logging
import SIP

/// Who asks: proven before anything is granted (RFC 3261 section 22).
extension Focus {
    /// Finds out who sent a request, and goes on with it, or answers it (401, 403, 503).
    ///
    /// `proceed` runs before this returns where no account has to be looked up, else later on the same executor; a call
    /// may have ended meanwhile. It runs at most once. ACK, BYE and CANCEL are never brought here.
    /// - Parameter known: whose dialog the request came within. A request from `known.source` is theirs without
    ///   further proof; one from elsewhere is judged as if it had come outside of the dialog, and refused when it is
    ///   somebody else's.
    func admit(
        _ transaction: Transaction, _ request: Request, within known: Caller? = nil,
        _ proceed: @escaping (Caller) -> Void
    ) {
        let source = Self.sourceKey(request)
        if let known, known.source == source { return proceed(known) }
        guard
            let identity = Identity(
                of: request, serial: anonymousCallers &+ 1, displayNameOctets: configuration.limits.displayNameOctets)
        else { return reject(transaction, .malformed("no usable From"), metadata: metadata(request)) }
        if identity.isAnonymous { anonymousCallers &+= 1 }
        let from = request.from?.uri
        proceed(
            Caller(
                uri: identity.uri, aliases: identity.aliases, displayName: identity.displayName,
                account: "\(from?.user ?? "")@\(RoomResolver.normalized(from?.host ?? ""))",
                isAnonymous: identity.isAnonymous, source: source))
    }

    /// What access control did since the start.
    package var accessCounters: AccessCounters { AccessCounters() }

    private static func sourceKey(_ request: Request) -> String { RoomResolver.normalized(request.source.host) }
}
