import Logging
import MediaMixer
import Payloads
import SIP

/// An INVITE becoming a participant: judged, reserved by the mixer, answered, joined at the ACK.
extension Focus {
    /// Throttled, addressed, admitted, read, allowed, done: in this order, so that a stranger learns nothing.
    func invited(_ call: Call, _ transaction: Transaction, _ request: Request) {
        do throws(Rejection) {
            if isShuttingDown { throw .shuttingDown }
            let address = try roomAddress(request)
            // RFC 3261 section 8.1.1.8; without one nothing could be sent within the dialog.
            guard request.contacts.first?.uri.isSIP == true else { throw .malformed("no usable Contact") }
            admitting.insert(call)
            admit(transaction, request) { caller in
                // The peer may have given up while its account was looked up.
                guard self.admitting.remove(call) != nil else { return }
                self.admitted(call, transaction, request, caller, to: address)
            }
        } catch {
            reject(transaction, error, metadata: metadata(request))
        }
    }

    /// What a Request-URI that is to be a room's names (RFC 3261 section 8.2.2.1).
    func roomAddress(_ request: Request) throws(Rejection) -> RoomAddress {
        switch resolver.resolve(request.requestURI, local: request.local.host) {
        case .room(let address): return address
        case .server, .notFound: throw .notFound
        case .unsupportedScheme: throw .unsupportedScheme
        }
    }

    private func admitted(
        _ call: Call, _ transaction: Transaction, _ request: Request, _ caller: Caller, to address: RoomAddress
    ) {
        if isFileOffer(request) {
            return fileInvited(call, transaction, request, caller, to: address)
        }
        do throws(Rejection) {
            try checkLimits()
            var (dialog, join) = try judge(request, caller, to: address)
            let former = try formerCall(request, caller, in: address)
            let room = try enter(call, &dialog, &join, replacing: former, agent: agent(request.local))
            let answer = AnswerAddress(
                transaction: transaction, contact: contacts.value(for: room, request: request),
                route: PeerRoute.source(of: request), agent: agent(request.local))
            dialogs[call] = dialog
            pendingInvites += 1
            Task.immediate { await self.reserve(join, for: call, answering: answer) }
        } catch {
            reject(transaction, error, metadata: metadata(request, by: caller))
        }
    }

    /// What the 200 needs of the request when the mixer has answered.
    private struct AnswerAddress: Sendable {
        let transaction: Transaction
        let contact: String
        let route: Endpoint?
        let agent: String
    }

    private func checkLimits() throws(Rejection) {
        if isShuttingDown { throw .shuttingDown }
        let limits = configuration.limits
        if pendingInvites >= limits.pendingInvites { throw .limit("pendingInvites") }
        if dialogCount >= limits.dialogs { throw .limit("dialogs") }
        if calls.count + pendingInvites >= limits.participants { throw .limit("participants") }
    }

    /// What the body says: the media, and who is to be called (RFC 5366).
    private func judge(
        _ request: Request, _ caller: Caller, to address: RoomAddress
    ) throws(Rejection) -> (ParticipantDialog, JoinRequest) {
        var negotiation = MSRPNegotiation(local: localMedia(in: address), originID: .random(in: .min ... .max))
        let body = SessionBody(of: request)
        if let rejection = Rejection(body) { throw rejection }
        let list = try InviteeList.inInvite(request, limits: configuration.dialling.limits)
        let media: PeerMedia
        if case .description(let offer) = body {
            do {
                media = PeerMedia(try negotiation.examine(offer: offer).media)
            } catch {
                throw Rejection(error, agent: agent(request.local))
            }
        } else {
            media = .offered(isTLS: offersTLS(to: request))
        }
        let authority = mediaAuthority.facing(request.source.host, local: request.local.host)
        let join = JoinRequest(
            room: address, roomHosts: [request.requestURI.host, request.to?.uri.host ?? "", request.local.host],
            participant: caller.uri, aliases: caller.aliases, displayName: caller.displayName,
            account: caller.account, isAnonymous: caller.isAnonymous, media: media, localHost: authority.host,
            localPort: authority.port, signallingSource: request.source.host, userAgent: request.userAgent)
        var dialog = ParticipantDialog(
            negotiation: negotiation, room: address, caller: caller, device: request.contacts.first?.uri,
            callID: request.callID)
        dialog.invitees = list?.people ?? []
        return (dialog, join)
    }

    /// The dialog that a Replaces names, or nothing (RFC 3891 section 3). A Join names one whose conference the caller
    /// wants to be in, which is this room already (RFC 3911 section 4).
    /// - Throws: 400 for what is malformed, 481 for no such dialog, 403 for another user's, 486 for an early-only one.
    private func formerCall(
        _ request: Request, _ caller: Caller, in address: RoomAddress
    ) throws(Rejection) -> Call? {
        let name: DialogName
        let replaces: Bool
        switch (request.replaces, request.join) {
        case (.absent, .absent): return nil
        case (.dialog(let found), .absent): (name, replaces) = (found, true)
        case (.absent, .dialog(let found)): (name, replaces) = (found, false)
        default: throw .malformed("unusable Replaces or Join")
        }
        guard let call = signalling.find(name), let dialog = dialogs[call], dialog.room == address,
            dialog.machine.isConfirmed
        else { throw .gone }
        guard dialog.caller.account == caller.account else {
            throw Rejection(status: 403, why: "the dialog is another user's")
        }
        guard replaces else { return nil }
        if name.isEarlyOnly { throw Rejection(status: 486, why: "the dialog is no early one") }
        return call
    }

    /// The room's word, and its part in the reservation. From now on the call is in the room's book.
    private func enter(
        _ call: Call, _ dialog: inout ParticipantDialog, _ join: inout JoinRequest, replacing former: Call?,
        agent: String
    ) throws(Rejection) -> RoomAddress {
        let caller = dialog.caller
        let isFactory = dialog.room.user == configuration.factoryName && rooms[dialog.room] == nil
        let existing = isFactory ? nil : rooms[dialog.room]
        let room = try roomToEnter(dialog.room, isFactory: isFactory, for: caller)
        do throws(Rejection) {
            let isPlainText = join.media.format == .plainText
            let others = room.callCount - (former == nil ? 0 : 1)
            try check(
                decide(caller, .join(membersInside: others, isPlainText: isPlainText), in: room), agent: agent)
            if !dialog.invitees.isEmpty {
                let who = caller.who(isParticipant: true)
                try check(
                    RoomPolicy.decide(who, .invite, in: room.configuration, room.condition, now: wallClock()),
                    agent: agent)
            }
        } catch {
            if existing == nil { closeRoom(room, reason: "", why: "its maker may not join") }
            throw error
        }
        rooms.enter(call, account: caller.account, room: room.address)
        if isFactory { join.calledName = dialog.room.user }
        dialog = ParticipantDialog(dialog, in: room.address, replacing: former)
        join.room = room.address
        join.terms = room.terms
        join.replaced = former.flatMap { dialogs[$0]?.member }
        return room.address
    }

    private func check(_ decision: RoomPolicy.Decision, agent: String) throws(Rejection) {
        guard case .refuse(let status, let why) = decision else { return }
        switch status {
        case 486: throw Rejection(.roomIsFull, agent: agent)
        case 488: throw Rejection(.plainTextNotAllowed, agent: agent)
        default: throw .policy(status, why, agent: agent)
        }
    }

    /// What we say about MSRP in a room, or in one that is to be made (RFC 7701 section 8).
    func localMedia(in address: RoomAddress) -> LocalMedia {
        let room = rooms[address]?.configuration ?? configuration.adhoc
        var media = configuration.media
        if let most = room.maximumMessageSize { media.maxSize = min(media.maxSize ?? .max, UInt64(clamping: most)) }
        if !room.allowsNicknames { media.chatroom?.nicknames = false }
        if !room.allowsPrivateMessages { media.chatroom?.privateMessages = false }
        return media
    }

    private func offersTLS(to request: Request) -> Bool {
        guard configuration.media.allowsTLS else { return false }
        return !configuration.media.allowsTCP || configuration.alwaysOffersTLS || request.local.transport == .tls
            || request.requestURI.isSecure
    }

    private func reserve(_ join: JoinRequest, for call: Call, answering answer: AnswerAddress) async {
        do throws(JoinRefusal) {
            reserved(try await mixer.reserve(join), join, for: call, answering: answer)
        } catch {
            pendingInvites -= 1
            guard var dialog = dialogs[call] else { return }
            if dialog.machine.refused() == .reject {
                reject(answer.transaction, Rejection(error, agent: answer.agent), metadata: metadata(dialog))
            }
            forget(call)
        }
    }

    private func reserved(
        _ reservation: Reservation, _ join: JoinRequest, for call: Call, answering answer: AnswerAddress
    ) {
        pendingInvites -= 1
        defer { if pendingInvites == 0 { endedEarly.removeAll() } }
        guard var dialog = dialogs[call] else { return release(reservation, of: join.room) }
        if let cause = endedEarly.removeValue(forKey: reservation.member) {
            if dialog.machine.refused() == .reject {
                reject(
                    answer.transaction, Rejection(status: 480, why: HangUpReason.value(cause)),
                    metadata: metadata(dialog))
            }
            forget(call)
            return
        }
        let isOffering = join.media.path.isEmpty
        guard dialog.machine.reserved(offering: isOffering) == .accept else {
            release(reservation, of: join.room)
            forget(call)
            return
        }
        let description =
            isOffering
            ? dialog.negotiation.makeOffer(localPath: reservation.localPath)
            : dialog.negotiation.answer(localPath: reservation.localPath)
        dialog.member = reservation.member
        dialog.route = answer.route
        dialogs[call] = dialog
        calls[reservation.member] = call
        if notifying.subscriptions.isSubscribed(dialog.caller.account, to: dialog.room) {
            mixer.setSubscribed(reservation.member, true)
        }
        updateRoster { roster, time in
            roster.expect(reservation.member, in: dialog.room, Roster.Arrival(dialog), at: time)
            return nil
        }
        // Nobody is told, but who asks now sees it.
        notifying.tellings[dialog.room]?.invalidate()
        if let route = answer.route { signalling.setRoute(call, route) }
        watchForAcknowledgement(call)
        accept(answer.transaction, contact: answer.contact, body: .description(description))
    }

    /// Gives back a session that nobody waits for any more.
    func release(_ reservation: Reservation, of room: RoomAddress) {
        mixer.leave(reservation.member, reason: .notCompleted)
        // The room may have ended before the mixer was asked, which then opened it once more.
        if rooms[room] == nil { mixer.close(room, version: rooms.lastVersion) }
    }

    // MARK: The ACK

    func acknowledged(_ call: Call, _ body: MessageBody?) {
        if files[call] != nil { return fileAcknowledged(call, body) }
        guard var dialog = dialogs[call] else { return }
        let action = dialog.machine.acknowledged()
        dialogs[call] = dialog
        switch action {
        case .join: join(call)
        case .joinWithAnswer: takeAnswer(body, call) { focus in focus.join(call) }
        case .takeAnswer: takeAnswer(body, call) { _ in }
        case .ignore: break
        }
    }

    private func join(_ call: Call) {
        guard let dialog = dialogs[call], let member = dialog.member, dialog.machine.isConfirmed else { return }
        dialogs[call]?.joining.since = wallClock()
        dialogs[call]?.invitees = []
        rooms.noteJoined(dialog.room)
        mixer.joined(member)
        logger.info("joined", metadata: metadata(dialog))
        if let former = dialog.replaces { takePlace(of: former, member) }
        updateRoster { roster, time in roster.entered(member, at: time) }
        arrived(dialog.caller, in: dialog.room)
        if !dialog.invitees.isEmpty { dialOut(dialog.invitees, to: dialog.room, by: dialog.caller) }
    }

    /// Others see neither a leaving nor a coming (RFC 3891 section 3; RFC 4579 section 5.9).
    private func takePlace(of former: Call, _ member: MemberID) {
        guard let old = dialogs[former]?.member else { return }
        updateRoster { roster, _ in roster.replace(old, by: member) }
        hangUp(former, reason: HangUpReason.replaced, leaving: .replaced)
    }

    /// The answer to our offer. In a new dialog a bad one ends it, later the session goes on as it was, unless the
    /// peer has given the media up.
    private func takeAnswer(
        _ body: MessageBody?, _ call: Call, then: @escaping @Sendable (isolated Focus) -> Void
    ) {
        guard var dialog = dialogs[call], let member = dialog.member else { return }
        let isFirst = dialog.negotiation.media == nil
        guard case .description(let answer) = SessionBody(body) else {
            logger.info("no answer in the ACK", metadata: metadata(dialog))
            if isFirst {
                hangUp(call, reason: HangUpReason.noAnswer, leaving: .notCompleted)
            } else {
                dialogs[call]?.negotiation.abandon()
            }
            return
        }
        let examination: MSRPNegotiation.Examination
        do {
            examination = try dialog.negotiation.acceptAnswer(answer)
        } catch {
            logger.info("unusable answer in the ACK", metadata: metadata(dialog).with("why", "\(error)"))
            dialogs[call]?.negotiation.abandon()
            if isFirst {
                hangUp(call, reason: HangUpReason.badAnswer, leaving: .notCompleted)
            } else if error == .rejected {
                hangUp(call, reason: HangUpReason.mediaRemoved, leaving: .departed)
            }
            return
        }
        dialogs[call] = dialog
        if examination.change == .unchanged { return then(self) }
        Task.immediate {
            do throws(JoinRefusal) {
                // The offer named our path already, so the session stays ours whatever the peer's path is.
                _ = try await mixer.renegotiate(member, media: PeerMedia(examination.media), newSession: false)
                then(self)
            } catch {
                hangUp(call, reason: HangUpReason.badAnswer, leaving: .notCompleted)
            }
        }
    }
}

extension MessageBody {
    /// An SDP body of ours.
    static func description(_ octets: [UInt8]) -> MessageBody {
        MessageBody(contentType: "application/sdp", content: octets)
    }
}

extension Logger.Metadata {
    func with(_ key: String, _ value: String) -> Logger.Metadata { merging([key: "\(value)"]) { $1 } }
}

extension Rejection: Error {}
