import FileSpool
import Logging
package import MediaMixer
import Payloads
import SIP

/// Files pushed into a room and pulled from it (RFC 5547), each by a call of its own.
extension Focus {
    /// Whether an INVITE is for a file.
    func isFileOffer(_ request: Request) -> Bool {
        guard case .description(let offer) = SessionBody(of: request) else { return false }
        return FileNegotiation.isMeant(by: offer)
    }

    func fileInvited(
        _ call: Call, _ transaction: Transaction, _ request: Request, _ caller: Caller, to address: RoomAddress
    ) {
        do throws(Rejection) {
            if isShuttingDown { throw .shuttingDown }
            guard case .description(let offer) = SessionBody(of: request) else { throw .malformed("no description") }
            var negotiation = FileNegotiation(local: fileMedia(), originID: .random(in: .min ... .max))
            let agent = agent(request.local)
            try checkFiles(in: address, caller, agent: agent)
            let limits = configuration.limits
            if files.pending >= limits.pendingInvites { throw .limit("pendingInvites") }
            if dialogCount >= limits.dialogs { throw .limit("dialogs") }
            if files.count >= limits.transfers { throw .limit("transfers") }
            if files.calls(of: caller.account, in: address).count >= limits.transfersPerAccount {
                throw .limit("transfersPerAccount")
            }
            let examination: FileNegotiation.Examination
            do { examination = try negotiation.examine(offer: offer) } catch { throw Rejection(error, agent: agent) }
            let wish = try wish(examination, of: caller, in: address, request)
            let answer = FileAnswer(
                transaction: transaction, contact: contacts.value(for: address, request: request),
                route: PeerRoute.source(of: request), agent: agent)
            files[call] = FileDialog(negotiation: negotiation, room: address, caller: caller, callID: request.callID)
            files.asked()
            Task.immediate { await self.reserveFile(wish, for: call, answering: answer) }
        } catch {
            reject(transaction, error, metadata: metadata(request, by: caller))
        }
    }

    /// What the 200 needs of the request when the mixer has answered.
    private struct FileAnswer: Sendable {
        let transaction: Transaction
        let contact: String
        let route: Endpoint?
        let agent: String
    }

    /// What we say of MSRP where a file comes.
    func fileMedia() -> LocalMedia {
        var media = configuration.media
        media.chatroom = nil
        media.maxSize = shelf.map { UInt64(clamping: $0.limits.fileSize) }
        return media
    }

    // MARK: Who may

    /// Only who is in the room learns what files it has, and only there.
    private func checkFiles(in address: RoomAddress, _ caller: Caller, agent: String) throws(Rejection) {
        guard let room = rooms[address] else { throw .notFound }
        guard isParticipant(caller.account, in: address) else {
            throw .policy(403, "only participants of the room push and pull its files", agent: agent)
        }
        guard shelf != nil, room.configuration.files != .none else { throw .noFiles(agent: agent) }
    }

    /// How others in the room know who sends the request: by the dialog of the same account there.
    private func known(_ caller: Caller, in address: RoomAddress) -> (uri: String, displayName: String?) {
        let inside = calls(of: caller.account, in: address).compactMap { dialogs[$0] }.filter(\.machine.isInRoom)
            .map(\.caller)
        // Who hides in the room is not shown by a call that forgets to.
        let same = inside.first { $0.isAnonymous == caller.isAnonymous } ?? inside.first ?? caller
        let nickname = roster.entries(of: address).first { $0.uri == same.uri }?.nickname
        return (same.uri, nickname ?? same.displayName)
    }

    /// What an offer that starts a transfer asks for, judged.
    private func wish(
        _ examination: FileNegotiation.Examination, of caller: Caller, in address: RoomAddress, _ request: Request
    ) throws(Rejection) -> FileWish {
        guard let shelf else { throw .noFiles(agent: agent(request.local)) }
        let agent = agent(request.local)
        var media = PeerMedia(examination.media)
        let work: FileRequest.Work
        var selector: FileSelector?
        if examination.isPush {
            if case .refuse(let status, let why) = decide(caller, .speak, in: address) {
                throw .policy(status, why, agent: agent)
            }
            work = .receive(try pushed(examination.file, shelf.limits, agent: agent))
        } else {
            let found = try pulled(examination, shelf.files(in: address.description), &media, agent: agent)
            work = found.work
            selector = found.selector
        }
        let who = known(caller, in: address)
        let authority = mediaAuthority.facing(request.source.host, local: request.local.host)
        let file = FileRequest(
            room: address, work: work, participant: who.uri, displayName: who.displayName, media: media,
            localHost: authority.host, localPort: authority.port, signallingSource: request.source.host)
        return FileWish(request: file, selector: selector)
    }

    private func pushed(
        _ file: FileDescription, _ limits: SpoolLimits, agent: String
    ) throws(Rejection) -> FileOffer {
        // RFC 5547 section 8.3.1: a range that is not taken.
        guard file.range?.isWhole(of: file.selector.size) ?? true else {
            throw .file(488, "Only whole files are taken: no a=file-range", agent: agent)
        }
        guard let offer = FileOffer(file.selector), (offer.size ?? 0) <= limits.fileSize else {
            throw .fileTooLarge(limits.fileSize, agent: agent)
        }
        return offer
    }

    private func pulled(
        _ examination: FileNegotiation.Examination, _ present: [SpooledFile], _ media: inout PeerMedia, agent: String
    ) throws(Rejection) -> (work: FileRequest.Work, selector: FileSelector) {
        guard let file = examination.file.selector.choose(among: present) else { throw .noSuchFile(agent: agent) }
        let type = file.type.flatMap { ContentType(parsing: $0) }?.essence ?? "application/octet-stream"
        guard let format = examination.format(for: type) else {
            throw .file(488, warning: 305, "The file is \(type), which a=accept-types doesn't have", agent: agent)
        }
        media.format = format == .cpim ? .cpim : .plainText
        var offset = 0
        var length: Int?
        if let range = examination.file.range, !range.isWhole(of: UInt64(clamping: file.size)) {
            let last = range.stop ?? UInt64(clamping: file.size)
            guard range.start <= last, last <= UInt64(clamping: file.size) else {
                throw .file(488, "The a=file-range goes beyond the file", agent: agent)
            }
            offset = Int(clamping: range.start - 1)
            if range.stop != nil { length = Int(clamping: last - range.start + 1) }
        }
        // RFC 5547 section 8.7: senders must not exceed it.
        if let most = examination.media.maxSize, UInt64(clamping: length ?? file.size - offset) > most {
            throw .file(488, "The file is larger than a=max-size", agent: agent)
        }
        return (.send(file, offset: offset, length: length), FileSelector(file))
    }

    // MARK: The first INVITE

    private func reserveFile(_ wish: FileWish, for call: Call, answering answer: FileAnswer) async {
        do throws(JoinRefusal) {
            fileReserved(try await mixer.reserveFile(wish.request), wish, for: call, answering: answer)
        } catch {
            _ = files.heard(of: nil)
            guard var dialog = files[call] else { return }
            if dialog.machine.refused() == .reject {
                reject(answer.transaction, Rejection(error, agent: answer.agent), metadata: metadata(dialog))
            }
            forgetFile(call)
        }
    }

    private func fileReserved(
        _ reservation: FileReservation, _ wish: FileWish, for call: Call, answering answer: FileAnswer
    ) {
        let failure = files.heard(of: reservation.transfer)
        guard var dialog = files[call] else { return mixer.endFile(reservation.transfer) }
        // The participant may have been removed meanwhile.
        guard failure == nil, isParticipant(dialog.caller.account, in: dialog.room) else {
            mixer.endFile(reservation.transfer)
            if dialog.machine.refused() == .reject {
                let why = failure.map { HangUpReason.value($0) } ?? "left the room"
                reject(answer.transaction, Rejection(status: 480, why: why), metadata: metadata(dialog))
            }
            return forgetFile(call)
        }
        guard dialog.machine.reserved(offering: false) == .accept else {
            mixer.endFile(reservation.transfer)
            return forgetFile(call)
        }
        let description = dialog.negotiation.answer(localPath: reservation.localPath, selector: wish.selector)
        dialog.transfer = reservation.transfer
        dialog.route = answer.route
        files[call] = dialog
        if let route = answer.route { signalling.setRoute(call, route) }
        watchForAcknowledgement(call)
        logger.info("file transfer", metadata: metadata(dialog, wish))
        accept(answer.transaction, contact: answer.contact, body: .description(description))
    }

    func fileAcknowledged(_ call: Call, _ body: MessageBody?) {
        guard var dialog = files[call] else { return }
        let action = dialog.machine.acknowledged()
        files[call] = dialog
        switch action {
        case .join: startFile(call)
        case .joinWithAnswer: takeFileAnswer(body, call, isFirst: true)
        case .takeAnswer: takeFileAnswer(body, call, isFirst: false)
        case .ignore: break
        }
    }

    private func startFile(_ call: Call) {
        guard let dialog = files[call], let transfer = dialog.transfer else { return }
        mixer.startFile(transfer)
    }

    private func takeFileAnswer(_ body: MessageBody?, _ call: Call, isFirst: Bool) {
        guard var dialog = files[call], let transfer = dialog.transfer else { return }
        let examination: FileNegotiation.Examination
        do {
            guard case .description(let answer) = SessionBody(body) else { throw AnswerError.noOffer }
            examination = try dialog.negotiation.acceptAnswer(answer)
        } catch {
            logger.info("unusable answer", metadata: metadata(dialog).with("why", "\(error)"))
            files[call]?.negotiation.abandon()
            if isFirst || error as? AnswerError == .rejected { hangUpFile(call, reason: HangUpReason.badAnswer) }
            return
        }
        files[call] = dialog
        guard isFirst || examination.change != .unchanged, !dialog.isDone else { return }
        var media = PeerMedia(examination.media)
        if isFirst {
            let type = (dialog.negotiation.file ?? examination.file).selector.type?.essence ?? Self.unknownType
            guard let format = examination.format(for: type) else {
                return hangUpFile(call, reason: HangUpReason.badAnswer)
            }
            media.format = format == .cpim ? .cpim : .plainText
        }
        Task.immediate { [media] in
            do throws(JoinRefusal) {
                try await mixer.renegotiateFile(transfer, media: media)
                if isFirst { startFile(call) }
            } catch {
                hangUpFile(call, reason: HangUpReason.badAnswer)
            }
        }
    }

    private static let unknownType = "application/octet-stream"

    // MARK: re-INVITE and UPDATE

    func fileReoffered(_ call: Call, _ transaction: Transaction, _ request: Request, isInvite: Bool) {
        let body = SessionBody(of: request)
        if let rejection = Rejection(body) { return reject(transaction, rejection, metadata: metadata(request)) }
        refreshFileTarget(call, request)
        guard var dialog = files[call] else { return reject(transaction, .gone, metadata: metadata(request)) }
        let contact = contacts.value(for: dialog.room, request: request)
        guard case .description(let offer) = body else {
            return isInvite
                ? sendFileOffer(call, transaction, contact: contact)
                : accept(transaction, contact: contact, body: nil)
        }
        if let rejection = Rejection(dialog.machine.offered()) {
            return reject(transaction, rejection, metadata: metadata(dialog))
        }
        let agent = agent(request.local)
        var wish: FileWish?
        let examination: FileNegotiation.Examination
        do {
            examination = try dialog.negotiation.examine(offer: offer)
            // RFC 5547 section 8.6: another file over the same line is judged as the first was.
            if examination.change == .newTransfer {
                try checkFiles(in: dialog.room, dialog.caller, agent: agent)
                wish = try self.wish(examination, of: dialog.caller, in: dialog.room, request)
            }
        } catch {
            dialog.negotiation.abandon()
            _ = dialog.machine.answered()
            files[call] = dialog
            let rejection = error as? Rejection ?? (error as? Refusal).map { Rejection($0, agent: agent) }
            return reject(transaction, rejection ?? .malformed("\(error)"), metadata: metadata(dialog))
        }
        files[call] = dialog
        let answer = FileAnswer(transaction: transaction, contact: contact, route: nil, agent: agent)
        switch examination.change {
        case .initial, .newTransfer:
            guard let wish else { return reject(transaction, .gone, metadata: metadata(dialog)) }
            files.asked()
            Task.immediate { await self.changeFile(wish, for: call, answering: answer) }
        case .closed: closeFile(call, answer)
        case .updated, .newSession:
            guard let transfer = dialog.transfer, !dialog.isDone else { fallthrough }
            let media = PeerMedia(examination.media)
            Task.immediate { await self.move(transfer, to: media, call, answer) }
        case .unchanged: answerFile(call, answer, localPath: nil, selector: nil)
        }
    }

    /// As with other calls (RFC 3261 section 12.2.2).
    private func refreshFileTarget(_ call: Call, _ request: Request) {
        let route = PeerRoute.source(of: request)
        guard !request.contacts.isEmpty, let dialog = files[call], dialog.route != route else { return }
        files[call]?.route = route
        signalling.setRoute(call, route)
    }

    /// Another transfer takes the place of the one before, which ends when there is something to replace it.
    private func changeFile(_ wish: FileWish, for call: Call, answering answer: FileAnswer) async {
        do throws(JoinRefusal) {
            let reservation = try await mixer.reserveFile(wish.request)
            let failure = files.heard(of: reservation.transfer)
            guard let dialog = files[call], dialog.machine.isInRoom, failure == nil,
                isParticipant(dialog.caller.account, in: dialog.room)
            else {
                mixer.endFile(reservation.transfer)
                return fileRefused(.terminated, call, answer)
            }
            endTransfer(call)
            files[call]?.transfer = reservation.transfer
            files[call]?.isDone = false
            files[call]?.transferNumber += 1
            logger.info("file transfer", metadata: metadata(dialog, wish))
            answerFile(call, answer, localPath: reservation.localPath, selector: wish.selector)
            startFile(call)
        } catch {
            _ = files.heard(of: nil)
            fileRefused(Rejection(error, agent: answer.agent), call, answer)
        }
    }

    private func move(_ transfer: FileTransferID, to media: PeerMedia, _ call: Call, _ answer: FileAnswer) async {
        do throws(JoinRefusal) {
            try await mixer.renegotiateFile(transfer, media: media)
            answerFile(call, answer, localPath: nil, selector: nil)
        } catch {
            fileRefused(Rejection(error, agent: answer.agent), call, answer)
        }
    }

    private func fileRefused(_ rejection: Rejection, _ call: Call, _ answer: FileAnswer) {
        guard var dialog = files[call] else { return }
        dialog.negotiation.abandon()
        let isAlive = dialog.machine.answered()
        files[call] = dialog
        reject(answer.transaction, isAlive ? rejection : .terminated, metadata: metadata(dialog))
    }

    private func answerFile(_ call: Call, _ answer: FileAnswer, localPath: String?, selector: FileSelector?) {
        guard var dialog = files[call] else { return }
        let isAlive = dialog.machine.answered()
        let description = dialog.negotiation.answer(localPath: localPath, selector: selector)
        files[call] = dialog
        guard isAlive else { return reject(answer.transaction, .terminated, metadata: metadata(dialog)) }
        accept(answer.transaction, contact: answer.contact, body: .description(description))
    }

    /// The peer gave the file up, or contradicts itself: the call stays without media, for a while (RFC 5547 section 8.4).
    private func closeFile(_ call: Call, _ answer: FileAnswer) {
        endTransfer(call)
        guard var dialog = files[call] else { return }
        _ = dialog.machine.answered()
        let description = dialog.negotiation.close()
        dialog.isDone = true
        dialog.transferNumber += 1
        files[call] = dialog
        logger.info("file transfer closed", metadata: metadata(dialog))
        accept(answer.transaction, contact: answer.contact, body: .description(description))
        hangUpLater(call, reason: HangUpReason.mediaRemoved)
    }

    /// A re-INVITE without offer gets our description as it is (RFC 3261 section 14.2).
    private func sendFileOffer(_ call: Call, _ transaction: Transaction, contact: String) {
        guard var dialog = files[call] else { return }
        if let rejection = Rejection(dialog.machine.offerRequested()) {
            return reject(transaction, rejection, metadata: metadata(dialog))
        }
        guard dialog.negotiation.media != nil, let path = dialog.negotiation.localPath else {
            return reject(transaction, .pending, metadata: metadata(dialog))
        }
        let description = dialog.negotiation.makeOffer(localPath: path)
        files[call] = dialog
        accept(transaction, contact: contact, body: .description(description))
    }

    // MARK: The log

    func metadata(_ dialog: FileDialog) -> Logger.Metadata {
        ["room": "\(dialog.room)", "participant": "\(dialog.caller.uri)", "call-id": "\(dialog.callID)"]
    }

    private func metadata(_ dialog: FileDialog, _ wish: FileWish) -> Logger.Metadata {
        var metadata = metadata(dialog)
        switch wish.request.work {
        case .receive(let offer):
            metadata["file"] = "\(offer.name.prefix(128))"
            metadata["size"] = "\(offer.size.map(String.init) ?? "not said")"
            metadata["how"] = "push"
        case .send(let file, let offset, _):
            metadata["file"] = "\(file.name)"
            metadata["size"] = "\(file.size)"
            metadata["how"] = "pull"
            if offset > 0 { metadata["offset"] = "\(offset)" }
        }
        return metadata
    }
}
