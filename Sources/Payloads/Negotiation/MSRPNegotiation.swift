/// The offer/answer machine of one dialog with one MSRP session (RFC 3264, RFC 4975 section 8).
///
/// An offer is handled in two steps, because the session-id exists only after the offer was found good:
///
///     let examination = try negotiation.examine(offer: body)     // Refusal: 400 or 488 with a Warning
///     ... reserve a session for examination.media ...
///     let body = negotiation.answer(localPath: path)
///
/// and an offer of ours (INVITE without one, or dial-out) by `makeOffer` and `acceptAnswer`. A refused or abandoned
/// exchange leaves what was established before untouched (RFC 3261 section 14.1).
package struct MSRPNegotiation: Sendable {
    /// What an offer means for the session that exists.
    package enum Change: Sendable, Hashable {
        /// There was none.
        case initial
        /// The same in every respect, as a session refresh is.
        case unchanged
        /// The same session with another direction, max-size, ...
        case updated
        /// Another path or transport: a new session replaces the old one (RFC 4975 section 5.4).
        case newSession
    }

    package struct Examination: Sendable, Hashable {
        package var media: ChosenMedia
        package var change: Change

        package init(media: ChosenMedia, change: Change) {
            self.media = media
            self.change = change
        }
    }

    package var local: LocalMedia
    /// What the last completed exchange settled.
    package private(set) var media: ChosenMedia?
    /// The path we gave in it.
    package private(set) var localPath: String?

    /// - Parameter originID: the session id of our o= line, random; kept to 62 bits (RFC 3264 section 5).
    package init(local: LocalMedia, originID: UInt64) {
        self.local = local
    }

    /// Judges an offer; changes nothing but what `answer` needs.
    /// - Throws: `Refusal`, with status 400 or 488.
    package mutating func examine(offer: some Collection<UInt8>) throws(Refusal) -> Examination {
        throw Refusal(status: 488, warningCode: 399, text: "not yet")
    }

    /// The answer to the offer examined last, which is established by it.
    /// - Parameter localPath: our a=path; nil for the one given before (the session goes on).
    package mutating func answer(localPath: String? = nil) -> [UInt8] { [] }

    /// Forgets an examined or sent offer that came to nothing.
    package mutating func abandon() {}

    /// An offer of ours; in a running session its m= lines stay where they are (RFC 3264 section 8).
    /// - Parameters:
    ///   - localPath: our a=path; its scheme says whether TCP/MSRP or TCP/TLS/MSRP is offered.
    ///   - direction: from our point of view.
    ///   - cema: whether to carry a=msrp-cema; nil for what `local` says.
    package mutating func makeOffer(localPath: String, direction: Direction = .sendrecv, cema: Bool? = nil) -> [UInt8] {
        []
    }

    /// Takes the answer to the offer made last.
    /// - Throws: `AnswerError`.
    package mutating func acceptAnswer(_ answer: some Collection<UInt8>) throws(AnswerError) -> Examination {
        throw AnswerError.noOffer
    }

    /// An a=path URI of ours (RFC 4975 section 6): `msrps://[2001:db8::1]:2855/id;tcp`.
    package static func localPath(host: String, port: UInt16, isTLS: Bool, sessionID: String) -> String {
        let authority = host.utf8.contains(UInt8(ascii: ":")) && !host.hasPrefix("[") ? "[\(host)]" : host
        return "\(isTLS ? "msrps" : "msrp")://\(authority):\(port)/\(sessionID);tcp"
    }
}
