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
        /// The same session with another direction, max-size, ...; its connection stays, whatever a=setup says now.
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

    /// An exchange that has begun.
    private enum Pending {
        case offer(SessionDescription, LocalDescription.Frame, ChosenMedia)
        case answer(localPath: String, index: Int, isTLS: Bool, cema: Bool)
    }

    package var local: LocalMedia
    /// What the last completed exchange settled.
    package private(set) var media: ChosenMedia?
    /// The path we gave in it.
    package private(set) var localPath: String?

    private var sent: SentDescription
    private var pending: Pending?

    /// - Parameter originID: the session id of our o= line, random; kept to 62 bits (RFC 3264 section 5).
    package init(local: LocalMedia, originID: UInt64) {
        self.local = local
        sent = SentDescription(originID: originID)
    }

    /// Judges an offer; changes nothing but what `answer` needs. An offer of ours that has no answer yet is forgotten:
    /// offers that cross are the caller's to refuse (491, RFC 3261 section 14.2). In a running session the m= line in use comes first,
    /// otherwise the first usable one wins.
    /// - Throws: `Refusal`, with status 400 or 488.
    package mutating func examine(offer: some Collection<UInt8>) throws(Refusal) -> Examination {
        pending = nil
        let description: SessionDescription
        do { description = try SessionDescription(parsing: offer) } catch { throw .malformed(error) }
        let frame = try LocalDescription.Frame(answering: description)
        let chosen = try OfferJudge.first(of: description, established: media) { index throws(Refusal) in
            try OfferJudge.judge(description, index: index, local: local, established: media)
        }
        pending = .offer(description, frame, chosen)
        return Examination(media: chosen, change: change(to: chosen))
    }

    /// The answer to the offer examined last, which is established by it. Without one, what was sent last.
    /// - Parameter localPath: our a=path; nil for the one given before (the session goes on).
    package mutating func answer(localPath: String? = nil) -> [UInt8] {
        guard case .offer(let offer, let frame, let chosen) = pending else { return sent.octets }
        pending = nil
        let path = localPath ?? self.localPath ?? ""
        let address = LocalDescription.connectionURI(of: path, cema: chosen.usesCEMA)
        let isCPIM = chosen.format == .cpim
        let ours = LocalDescription.message(
            .init(
                transport: offer.media[chosen.mediaIndex].transport, path: path, address: address,
                acceptTypes: isCPIM ? ["message/cpim"] : ["text/plain"], wrapsTypes: isCPIM,
                setup: chosen.role == .active ? .active : .passive, hasCEMA: chosen.usesCEMA, isTLS: chosen.isTLS,
                hasChatroom: isCPIM, direction: chosen.direction),
            local: local)
        let lines = offer.media.enumerated().map { index, medium in
            index == chosen.mediaIndex ? ours : LocalDescription.refused(medium)
        }
        media = chosen
        self.localPath = path
        return sent.send(frame: frame, address: address, media: lines)
    }

    /// Forgets an examined or sent offer that came to nothing.
    package mutating func abandon() { pending = nil }

    /// An offer of ours; in a running session its m= lines stay where they are (RFC 3264 section 8).
    /// - Parameters:
    ///   - localPath: our a=path; its scheme says whether TCP/MSRP or TCP/TLS/MSRP is offered.
    ///   - direction: from our point of view.
    ///   - cema: whether to carry a=msrp-cema; nil for what `local` says.
    package mutating func makeOffer(localPath: String, direction: Direction = .sendrecv, cema: Bool? = nil) -> [UInt8] {
        let cema = cema ?? local.offersCEMA
        let address = LocalDescription.connectionURI(of: localPath, cema: cema)
        let isTLS = PathURI(parsing: String(localPath.prefix { $0 != " " }))?.isTLS ?? false
        // A CEMA offerer behind a relay must offer actpass (RFC 6714 section 4.2, 3). Passive is offered only when the
        // user asked for it: what a peer may not do for itself (RFC 6135 section 4.2.2) is what relays are for.
        let setup: Setup = cema && local.usesRelay ? .actpass : local.offeredSetup
        let ours = LocalDescription.message(
            .init(
                transport: isTLS ? "TCP/TLS/MSRP" : "TCP/MSRP", path: localPath, address: address,
                acceptTypes: local.acceptTypes, wrapsTypes: local.acceptTypes.contains("message/cpim"),
                setup: setup, hasCEMA: cema, isTLS: isTLS, hasChatroom: true,
                direction: direction),
            local: local)

        var frame = LocalDescription.Frame(name: local.sessionName)
        var lines = [ours]
        let index = media?.mediaIndex ?? 0
        if media != nil, let before = try? SessionDescription(parsing: sent.octets), index < before.media.count {
            lines = before.media.map(LocalDescription.refused)
            lines[index] = ours
            if let kept = try? LocalDescription.Frame(answering: before) { frame = kept }
        }
        pending = .answer(localPath: localPath, index: index, isTLS: isTLS, cema: cema)
        return sent.send(frame: frame, address: address, media: lines)
    }

    /// Takes the answer to the offer made last.
    /// - Throws: `AnswerError`; the offer is then done with.
    package mutating func acceptAnswer(_ answer: some Collection<UInt8>) throws(AnswerError) -> Examination {
        guard case .answer(let path, let index, let isTLS, let cema) = pending else { throw .noOffer }
        pending = nil
        let description: SessionDescription
        do { description = try SessionDescription(parsing: answer) } catch { throw .malformed(error) }
        let chosen = try AnswerJudge.judge(
            description, index: index, local: local, offeredTLS: isTLS, offeredCEMA: cema)
        let change = localPath == nil || localPath == path ? change(to: chosen) : .newSession
        media = chosen
        localPath = path
        return Examination(media: chosen, change: change)
    }

    /// An a=path URI of ours (RFC 4975 section 6): `msrps://[2001:db8::1]:2855/id;tcp`.
    package static func localPath(host: String, port: UInt16, isTLS: Bool, sessionID: String) -> String {
        let authority = host.utf8.contains(UInt8(ascii: ":")) && !host.hasPrefix("[") ? "[\(host)]" : host
        return "\(isTLS ? "msrps" : "msrp")://\(authority):\(port)/\(sessionID);tcp"
    }

    private func change(to chosen: ChosenMedia) -> Change {
        guard let media else { return .initial }
        guard media.remotePath == chosen.remotePath, media.isTLS == chosen.isTLS else { return .newSession }
        return media == chosen ? .unchanged : .updated
    }
}
