/// The offer/answer machine of a dialog for files: one m= line, and one transfer at a time over it (RFC 5547 section 8).
///
/// It goes as `MSRPNegotiation` does, which see:
///
///     let examination = try negotiation.examine(offer: body)
///     ... find the file, reserve a session ...
///     let body = negotiation.answer(localPath: path, selector: file)
package struct FileNegotiation: Sendable {
    /// file-transfer-ids of a session that are remembered; a further transfer needs another dialog.
    static let transferIDs = 32

    /// What an offer means for the transfer that there is (RFC 5547 section 8.1, figure 3).
    package enum Change: Sendable, Hashable {
        /// There was none before.
        case initial
        /// The same in every respect, as a session refresh is.
        case unchanged
        /// The same transfer and session with another direction (hold).
        case updated
        /// The same transfer over another path of the peer's.
        case newSession
        /// Another transfer, in place of the one before.
        case newTransfer
        /// There is to be none: port 0, or an offer that contradicts the one before. `close` answers it.
        case closed
    }

    package struct Examination: Sendable, Hashable {
        package var media: ChosenMedia
        package var file: FileDescription
        package var change: Change
        /// Whether the peer sends the file.
        package var isPush: Bool
        /// What the peer takes as it is.
        package var bareTypes: MediaTypeList

        /// How a file of that type is sent to the peer; nil: it takes no such file.
        package func format(for type: String) -> ChosenMedia.Format? {
            if bareTypes.allows(type) { return .plainText }
            return bareTypes.allows("message/cpim") && media.wrappedTypes.allows(type) ? .cpim : nil
        }
    }

    private enum Pending {
        case offer(SessionDescription, LocalDescription.Frame, Examination?)
        case answer(localPath: String, index: Int, isTLS: Bool, cema: Bool, FileDescription, isPush: Bool)
    }

    package var local: LocalMedia
    /// What the last completed exchange settled; nil: no transfer.
    package private(set) var media: ChosenMedia?
    /// The path we gave in it.
    package private(set) var localPath: String?
    /// The file as the peer describes it, or as we did in an offer.
    package private(set) var file: FileDescription?
    /// Whether the peer is the sender.
    package private(set) var isPush = false
    /// What we wrote of the file.
    private var written: FileDescription?
    private var usedIDs: [String] = []
    private var sent: SentDescription
    private var pending: Pending?

    /// - Parameter originID: as `MSRPNegotiation` has it.
    package init(local: LocalMedia, originID: UInt64) {
        self.local = local
        sent = SentDescription(originID: originID)
    }

    /// Whether an offer wants a file transfer and nothing else that we do: a chat beside it comes first. False for what
    /// is no session description.
    package static func isMeant(by offer: some Collection<UInt8>) -> Bool {
        // Nearly every offer is a chat's: looked at closely only when it may be another's.
        let octets = Array(offer)
        guard octets.firstRange(of: "a=file-".utf8) != nil else { return false }
        guard let description = try? SessionDescription(parsing: octets) else { return false }
        let lines = description.media.filter { $0.isMSRP && $0.port != 0 }
        return !lines.isEmpty && lines.allSatisfy(\.isFileTransfer)
    }

    // MARK: Answering

    /// Judges an offer; changes nothing but what `answer` and `close` need.
    /// - Throws: `Refusal`, with status 400 or 488.
    package mutating func examine(offer: some Collection<UInt8>) throws(Refusal) -> Examination {
        pending = nil
        let description: SessionDescription
        do { description = try SessionDescription(parsing: offer) } catch { throw .malformed(error) }
        let frame = try LocalDescription.Frame(answering: description)
        do throws(Refusal) {
            let found = try OfferJudge.first(of: description, established: media) { index throws(Refusal) in
                try judge(description, index)
            }
            pending = .offer(description, frame, found.change == .closed ? nil : found)
            return found
        } catch {
            // Perhaps the line in use was given up, and no other took its place.
            guard let media, let file, media.mediaIndex < description.media.count,
                description.media[media.mediaIndex].port == 0
            else { throw error }
            pending = .offer(description, frame, nil)
            return Examination(
                media: media, file: file, change: .closed, isPush: isPush, bareTypes: MediaTypeList(["*"]))
        }
    }

    private func judge(_ description: SessionDescription, _ index: Int) throws(Refusal) -> Examination {
        let medium = description.media[index]
        var chosen = try OfferJudge.judge(description, index: index, local: local, established: media, purpose: .file)
        let offered = try FileDescription(medium)
        let change = try change(to: offered, chosen)
        if change == .initial || change == .newTransfer {
            guard chosen.direction == .recvonly || chosen.direction == .sendonly else { throw .noFileDirection }
        } else if chosen.direction == .sendrecv {
            chosen.direction = isPush ? .recvonly : .sendonly
        }
        let bare = medium.acceptTypes.map { MediaTerms.kept($0.entries) } ?? MediaTypeList(["*"])
        return Examination(
            media: chosen, file: offered, change: change,
            isPush: change == .initial || change == .newTransfer ? chosen.direction == .recvonly : isPush,
            bareTypes: bare)
    }

    private func change(to offered: FileDescription, _ chosen: ChosenMedia) throws(Refusal) -> Change {
        guard let file else { return .initial }
        let isSameID =
            offered.transferID == nil
            ? offered.selector.agrees(with: file.selector) : offered.transferID == file.transferID
        guard isSameID else {
            // Of one that is over, and that does not come again (RFC 5547 section 8.3.2).
            if let id = offered.transferID, usedIDs.contains(id) { return .closed }
            guard usedIDs.count < Self.transferIDs else { throw .tooManyTransfers }
            return .newTransfer
        }
        guard let media, offered.selector.agrees(with: file.selector) else { return .closed }
        guard
            chosen.direction == .sendrecv || chosen.direction == .inactive || (chosen.direction == .recvonly) == isPush
        else { return .closed }
        guard media.remotePath == chosen.remotePath, media.isTLS == chosen.isTLS else { return .newSession }
        return media == chosen ? .unchanged : .updated
    }

    /// The answer to the offer examined last, which is established by it. Without one, what was sent last.
    /// - Parameters:
    ///   - localPath: our a=path; nil for the one given before.
    ///   - selector: the file that we send; nil, of a file that we get, for what the peer said (RFC 5547 section 8.3.1).
    package mutating func answer(localPath: String? = nil, selector: FileSelector? = nil) -> [UInt8] {
        guard case .offer(let offer, let frame, let examination?) = pending else { return sent.octets }
        pending = nil
        let chosen = examination.media
        let path = localPath ?? self.localPath ?? ""
        let address = LocalDescription.connectionURI(of: path, cema: chosen.usesCEMA)
        var ours = FileDescription(
            selector: selector ?? examination.file.selector, transferID: examination.file.transferID,
            range: examination.file.range, knowsOffset: examination.isPush && examination.file.knowsOffset)
        if selector == nil {
            let isNew = examination.change == .initial || examination.change == .newTransfer
            if examination.isPush || isNew {
                ours.written = examination.file.written
            } else if let written {
                (ours.selector, ours.written) = (written.selector, written.written)
            }
        }
        // A peer that takes a file in message/cpim only sends it like that as well.
        let isWrapped = chosen.format == .cpim
        let line = LocalDescription.message(
            .init(
                transport: offer.media[chosen.mediaIndex].transport, path: path, address: address,
                acceptTypes: isWrapped ? ["message/cpim"] : ["*"], wrapsTypes: isWrapped,
                setup: chosen.role == .active ? .active : .passive, hasCEMA: chosen.usesCEMA, isTLS: chosen.isTLS,
                hasChatroom: false, direction: chosen.direction, file: ours),
            local: local)
        let lines = offer.media.enumerated().map { index, medium in
            index == chosen.mediaIndex ? line : LocalDescription.refused(medium)
        }
        establish(chosen, examination.file, isPush: examination.isPush, path, written: ours)
        return sent.send(frame: frame, address: address, media: lines)
    }

    /// The answer that leaves no transfer: every line with port 0, which file it was said once more (RFC 5547 section 8.3).
    package mutating func close() -> [UInt8] {
        guard case .offer(let offer, let frame, _) = pending else { return sent.octets }
        pending = nil
        let address = localPath.flatMap { LocalDescription.connectionURI(of: $0, cema: false) }
        media = nil
        return sent.send(frame: frame, address: address, media: offer.media.map(LocalDescription.refused))
    }

    /// Forgets an examined or sent offer that came to nothing.
    package mutating func abandon() { pending = nil }

    private mutating func establish(
        _ chosen: ChosenMedia, _ file: FileDescription, isPush: Bool, _ path: String, written: FileDescription
    ) {
        media = chosen
        localPath = path
        self.file = file
        self.isPush = isPush
        self.written = written
        if let id = file.transferID, !usedIDs.contains(id), usedIDs.count < Self.transferIDs { usedIDs.append(id) }
    }

    // MARK: Offering

    /// An offer of ours for a file that we send or ask for (RFC 5547 sections 8.2.1 and 8.2.2), or once more for the
    /// transfer that there is.
    /// - Parameters:
    ///   - localPath: our a=path; its scheme says whether TCP/MSRP or TCP/TLS/MSRP is offered.
    ///   - file: nil: what we wrote before; an empty description when there was nothing.
    ///   - asks: whether the peer is to send the file.
    package mutating func makeOffer(localPath: String, file: FileDescription? = nil, asks: Bool = false) -> [UInt8] {
        let address = LocalDescription.connectionURI(of: localPath, cema: local.offersCEMA)
        let isTLS = PathURI(parsing: String(localPath.prefix { $0 != " " }))?.isTLS ?? false
        let described = file ?? written ?? FileDescription(selector: FileSelector())
        let isPush = file == nil ? self.isPush : asks
        let isWrapped = media?.format == .cpim
        let ours = LocalDescription.message(
            .init(
                transport: isTLS ? "TCP/TLS/MSRP" : "TCP/MSRP", path: localPath, address: address,
                acceptTypes: isWrapped ? ["message/cpim"] : ["*"], wrapsTypes: isWrapped, setup: local.offeredSetup,
                hasCEMA: local.offersCEMA, isTLS: isTLS, hasChatroom: false,
                direction: isPush ? .recvonly : .sendonly, file: described),
            local: local)
        var frame = LocalDescription.Frame(name: local.sessionName)
        var lines = [ours]
        let index = media?.mediaIndex ?? 0
        if media != nil, let before = try? SessionDescription(parsing: sent.octets), index < before.media.count {
            lines = before.media.map(LocalDescription.refused)
            lines[index] = ours
            if let kept = try? LocalDescription.Frame(answering: before) { frame = kept }
        }
        pending = .answer(
            localPath: localPath, index: index, isTLS: isTLS, cema: local.offersCEMA, described, isPush: isPush)
        return sent.send(frame: frame, address: address, media: lines)
    }

    /// Takes the answer to the offer made last. Its file attributes may be missing; of a file that we asked for they say
    /// what it is (RFC 5547 section 8.3.2).
    /// - Throws: `AnswerError`; the offer is then done with.
    package mutating func acceptAnswer(_ answer: some Collection<UInt8>) throws(AnswerError) -> Examination {
        guard case .answer(let path, let index, let isTLS, let cema, let described, let isPush) = pending else {
            throw .noOffer
        }
        pending = nil
        let description: SessionDescription
        do { description = try SessionDescription(parsing: answer) } catch { throw .malformed(error) }
        let chosen = try AnswerJudge.judge(
            description, index: index, local: local, offeredTLS: isTLS, offeredCEMA: cema, purpose: .file)
        let medium = description.media[index]
        let change: Change =
            if let media {
                media == chosen ? .unchanged : media.remotePath == chosen.remotePath ? .updated : .newSession
            } else {
                .initial
            }
        establish(chosen, media == nil ? described : file ?? described, isPush: isPush, path, written: described)
        return Examination(
            media: chosen, file: (try? FileDescription(medium)) ?? described, change: change, isPush: isPush,
            bareTypes: medium.acceptTypes.map { MediaTerms.kept($0.entries) } ?? MediaTypeList(["*"]))
    }
}
