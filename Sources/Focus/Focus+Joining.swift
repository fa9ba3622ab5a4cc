import Logging
import MediaMixer
import Payloads
import SIP

/// An INVITE becoming a participant: judged at once, reserved by the mixer, answered, joined at the ACK.
extension Focus {
    func invited(_ call: Call, _ transaction: Transaction, _ request: Request) {
        let rejection: Rejection
        do throws(Rejection) {
            let (room, dialog, join) = try judge(request)
            let answer = AnswerAddress(
                transaction: transaction, contact: contacts.value(for: room, request: request),
                route: PeerRoute.source(of: request), agent: agent(request.local))
            dialogs[call] = dialog
            pendingInvites += 1
            Task.immediate { await self.reserve(join, for: call, answering: answer) }
            return
        } catch {
            rejection = error
        }
        reject(transaction, rejection, metadata: metadata(request))
    }

    /// What the 200 needs of the request when the mixer has answered.
    private struct AnswerAddress: Sendable {
        let transaction: Transaction
        let contact: String
        let route: Endpoint?
        let agent: String
    }

    /// All checks that need no waiting, in the order of RFC 3261 section 8.2.
    private func judge(_ request: Request) throws(Rejection) -> (RoomAddress, ParticipantDialog, JoinRequest) {
        if isShuttingDown { throw .shuttingDown }
        let room: RoomAddress
        switch resolver.resolve(request.requestURI, local: request.local.host) {
        case .room(let address): room = address
        case .server, .notFound: throw .notFound
        case .unsupportedScheme: throw .unsupportedScheme
        }
        // RFC 3261 section 8.1.1.8; without one nothing could be sent within the dialog.
        guard let contact = request.contacts.first, contact.uri.isSIP else { throw .malformed("no usable Contact") }
        let limits = configuration.limits
        if pendingInvites >= limits.pendingInvites { throw .limit("pendingInvites") }
        if dialogs.count >= limits.dialogs { throw .limit("dialogs") }
        if calls.count + pendingInvites >= limits.participants { throw .limit("participants") }
        let serial = anonymousCallers &+ 1
        guard let caller = Identity(of: request, serial: serial, displayNameOctets: limits.displayNameOctets) else {
            throw .malformed("no usable From")
        }
        if caller.isAnonymous { anonymousCallers = serial }
        let account = "\(request.from?.uri.user ?? "")@\(RoomResolver.normalized(request.from?.uri.host ?? ""))"

        var negotiation = MSRPNegotiation(local: configuration.media, originID: .random(in: .min ... .max))
        let body = SessionBody(of: request)
        if let rejection = Rejection(body) { throw rejection }
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
            room: room, roomHosts: [request.requestURI.host, request.to?.uri.host ?? "", request.local.host],
            participant: caller.uri, aliases: caller.aliases, displayName: caller.displayName,
            account: account, isAnonymous: caller.isAnonymous,
            terms: configuration.createsRoomsOnDemand ? RoomTerms(RoomConfiguration(address: room)) : nil,
            media: media, localHost: authority.host, localPort: authority.port, signallingSource: request.source.host)
        let dialog = ParticipantDialog(
            negotiation: negotiation, room: room,
            caller: Caller(
                uri: caller.uri, aliases: caller.aliases, displayName: caller.displayName, account: account,
                isAnonymous: caller.isAnonymous),
            source: request.source, device: contact.uri, joining: .init(), callID: request.callID)
        return (room, dialog, join)
    }

    private func offersTLS(to request: Request) -> Bool {
        guard configuration.media.allowsTLS else { return false }
        return !configuration.media.allowsTCP || configuration.alwaysOffersTLS || request.local.transport == .tls
            || request.requestURI.isSecure
    }

    private func reserve(_ join: JoinRequest, for call: Call, answering answer: AnswerAddress) async {
        do throws(JoinRefusal) {
            reserved(try await mixer.reserve(join), for: call, answering: answer, offering: join.media.path.isEmpty)
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
        _ reservation: Reservation, for call: Call, answering answer: AnswerAddress, offering: Bool
    ) {
        pendingInvites -= 1
        defer { if pendingInvites == 0 { endedEarly.removeAll() } }
        guard var dialog = dialogs[call] else {
            mixer.leave(reservation.member, reason: .notCompleted)
            return
        }
        if let cause = endedEarly.removeValue(forKey: reservation.member) {
            if dialog.machine.refused() == .reject {
                reject(
                    answer.transaction, Rejection(status: 480, why: HangUpReason.value(cause)),
                    metadata: metadata(dialog))
            }
            forget(call)
            return
        }
        guard dialog.machine.reserved(offering: offering) == .accept else {
            mixer.leave(reservation.member, reason: .notCompleted)
            forget(call)
            return
        }
        let description =
            offering
            ? dialog.negotiation.makeOffer(localPath: reservation.localPath)
            : dialog.negotiation.answer(localPath: reservation.localPath)
        dialog.member = reservation.member
        dialog.route = answer.route
        dialogs[call] = dialog
        calls[reservation.member] = call
        if let route = answer.route { signalling.setRoute(call, route) }
        watchForAcknowledgement(call)
        accept(answer.transaction, contact: answer.contact, body: .description(description))
    }

    // MARK: The ACK

    func acknowledged(_ call: Call, _ body: MessageBody?) {
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
        mixer.joined(member)
        logger.info("joined", metadata: metadata(dialog))
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
