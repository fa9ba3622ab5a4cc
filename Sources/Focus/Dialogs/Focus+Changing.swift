import Logging
import MediaMixer
import Payloads
import SIP

/// re-INVITE and UPDATE (RFC 3261 section 14.2, RFC 3311 section 5.2, RFC 3264 section 8). What is refused changes
/// nothing.
extension Focus {
    func offered(_ call: Call, _ transaction: Transaction, _ request: Request, isInvite: Bool) {
        guard let owner = owner(of: .call(call)) else {
            return reject(transaction, .gone, metadata: metadata(request))
        }
        admit(transaction, request, within: owner) { caller in
            self.moved(caller, within: .call(call))
            if self.files[call] != nil { return self.fileReoffered(call, transaction, request, isInvite: isInvite) }
            self.admittedOffer(call, transaction, request, isInvite: isInvite)
        }
    }

    private func admittedOffer(_ call: Call, _ transaction: Transaction, _ request: Request, isInvite: Bool) {
        guard var dialog = dialogs[call] else {
            return reject(transaction, .gone, metadata: metadata(request))
        }
        if request.hasRecipientList {
            return reject(transaction, .noListHere, metadata: metadata(dialog))
        }
        let body = SessionBody(of: request)
        if let rejection = Rejection(body) {
            return reject(transaction, rejection, metadata: metadata(request))
        }
        let contact = contacts.value(for: dialog.room, request: request)
        guard case .description(let offer) = body else {
            return isInvite
                ? sendOffer(call, transaction, request, contact: contact)
                : refresh(call, transaction, request, contact: contact)
        }
        if let rejection = Rejection(dialog.machine.offered()) {
            return reject(transaction, rejection, metadata: metadata(dialog))
        }
        let examination: MSRPNegotiation.Examination
        do {
            examination = try dialog.negotiation.examine(offer: offer)
        } catch {
            dialog.negotiation.abandon()
            _ = dialog.machine.answered()
            dialogs[call] = dialog
            return reject(
                transaction, Rejection(error, agent: agent(request.local)), metadata: metadata(dialog))
        }
        dialogs[call] = dialog
        refreshTarget(call, request)
        // After a loss also a client that keeps its path wants a session that it can connect to.
        let isNewSession = examination.change == .newSession || dialog.hasLostMedia
        guard examination.change != .unchanged || isNewSession, let member = dialog.member else {
            return answer(call, transaction, contact: contact, localPath: nil)
        }
        let agent = agent(request.local)
        let media = PeerMedia(examination.media)
        Task.immediate {
            await change(
                member, to: media, newSession: isNewSession, for: call, answering: transaction, contact: contact,
                agent: agent)
        }
    }

    private func change(
        _ member: MemberID, to media: PeerMedia, newSession: Bool, for call: Call,
        answering transaction: Transaction, contact: String, agent: String
    ) async {
        do throws(JoinRefusal) {
            let reservation = try await mixer.renegotiate(member, media: media, newSession: newSession)
            answer(call, transaction, contact: contact, localPath: reservation.localPath)
        } catch {
            guard var dialog = dialogs[call] else { return }
            dialog.negotiation.abandon()
            let rejection: Rejection = dialog.machine.answered() ? Rejection(error, agent: agent) : .terminated
            dialogs[call] = dialog
            reject(transaction, rejection, metadata: metadata(dialog))
        }
    }

    /// Also when the peer cancelled its re-INVITE meanwhile: the mixer has changed, and the next offer is compared
    /// with that.
    private func answer(_ call: Call, _ transaction: Transaction, contact: String, localPath: String?) {
        guard var dialog = dialogs[call] else { return }
        let isAlive = dialog.machine.answered()
        let description = dialog.negotiation.answer(localPath: localPath)
        dialogs[call] = dialog
        guard isAlive else { return reject(transaction, .terminated, metadata: metadata(dialog)) }
        noteDirection(dialog)
        accept(transaction, contact: contact, body: .description(description))
    }

    /// On hold or back: others see it (RFC 4575 section 5.7.3).
    private func noteDirection(_ dialog: ParticipantDialog) {
        guard let member = dialog.member, let media = dialog.negotiation.media else { return }
        updateRoster { roster, _ in roster.setDirection(PeerMedia(media).direction, of: member) }
    }

    /// A re-INVITE without offer gets our description as it is (RFC 3261 section 14.2).
    private func sendOffer(_ call: Call, _ transaction: Transaction, _ request: Request, contact: String) {
        guard var dialog = dialogs[call] else { return }
        if let rejection = Rejection(dialog.machine.offerRequested()) {
            return reject(transaction, rejection, metadata: metadata(dialog))
        }
        guard let path = dialog.negotiation.localPath else {
            return reject(transaction, .pending, metadata: metadata(dialog))
        }
        let description = dialog.negotiation.makeOffer(localPath: path)
        dialogs[call] = dialog
        refreshTarget(call, request)
        accept(transaction, contact: contact, body: .description(description))
    }

    /// An UPDATE without offer: a session refresh or a new Contact (RFC 4028 section 9, RFC 3311 section 5.2).
    private func refresh(_ call: Call, _ transaction: Transaction, _ request: Request, contact: String) {
        refreshTarget(call, request)
        accept(transaction, contact: contact, body: nil)
    }

    /// A target refresh may come from elsewhere, and with another Contact (RFC 3261 section 12.2.2).
    private func refreshTarget(_ call: Call, _ request: Request) {
        guard !request.contacts.isEmpty else { return }
        let route = PeerRoute.source(of: request)
        guard let dialog = dialogs[call], dialog.route != route else { return }
        dialogs[call]?.route = route
        signalling.setRoute(call, route)
    }
}

extension Request {
    /// Asks for people to be called, or brings a list of them.
    fileprivate var hasRecipientList: Bool {
        if headers.contains("Require", token: "recipient-list-invite") { return true }
        guard let body, body.mediaType != "application/sdp" else { return false }
        guard let type = ContentType(parsing: body.contentType),
            let parts = try? Multipart.leaves(of: body.content, type: type)
        else { return false }
        return parts.contains { $0.contentType?.essence == ResourceList.contentType }
    }
}

extension Rejection {
    /// RFC 5366 section 5: a list belongs into the first INVITE.
    fileprivate static let noListHere = Rejection(
        status: 420, headers: [HeaderField("Unsupported", "recipient-list-invite")], why: "a list in a re-INVITE")

    /// 487: the dialog ended while the request was being worked on (RFC 3261 section 15.1.2).
    static let terminated = Rejection(status: 487, why: "the dialog has ended")

    init?(_ action: InviteMachine.OnOffer) {
        switch action {
        case .examine: return nil
        case .retryLater: self = .retryLater()
        case .pending: self = .pending
        case .gone: self = .gone
        }
    }
}
