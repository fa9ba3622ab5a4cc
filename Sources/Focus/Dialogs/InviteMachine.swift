/// The state of one participant's INVITE dialog, from the INVITE to its end (RFC 3261 sections 13 to 15, RFC 3311).
///
/// It owns nothing and waits for nothing: it is told what happened and answers with what the focus is to do. Three
/// things run beside one another and meet here: the mixer making or changing a session (asked, then `reserved` or
/// `refused`), the peer (who may cancel or hang up at any time), and the clock (the ACK that doesn't come).
struct InviteMachine: Equatable, Sendable {
    private enum State: Equatable, Sendable {
        /// The INVITE is being looked at; the mixer may be making the session.
        case negotiating
        /// The peer gave up while the mixer was making the session, which has to be undone when it is there.
        case abandoned
        /// Our 200 is sent and its ACK is awaited.
        case pending(offered: Bool)
        /// The ACK came: the participant is in the room.
        case confirmed
        /// The participant is out of the room; BYE is sent, or will be when RFC 3261 section 15 allows it.
        case leaving
        case terminated
    }

    /// An offer/answer exchange within the established dialog (RFC 3264 section 8).
    private enum Exchange: Equatable, Sendable {
        case none
        /// The peer's offer is being looked at and not yet answered.
        case answering
        /// Our offer went out in the 200 of a re-INVITE without one.
        case offered
    }

    private var state = State.negotiating
    private var exchange = Exchange.none

    init() {}

    /// The INVITE has no answer yet, and its caller waits for it.
    var isBeingMade: Bool { state == .negotiating }
    var isConfirmed: Bool { state == .confirmed }
    /// Whether the mixer has, or will have, a member for this dialog that nobody has taken out yet.
    var isInRoom: Bool { isConfirmed || isPending }
    private var isPending: Bool { if case .pending = state { true } else { false } }

    // MARK: The first INVITE

    enum OnReserved: Equatable {
        /// Send the 200 and watch for its ACK.
        case accept
        /// Nobody waits for the session any more.
        case release
    }

    /// The mixer has made the session.
    /// - Parameter offering: whether the 200 carries our offer (the INVITE had none).
    mutating func reserved(offering: Bool) -> OnReserved {
        guard state == .negotiating else {
            state = .terminated
            return .release
        }
        state = .pending(offered: offering)
        return .accept
    }

    enum OnRefused: Equatable {
        case reject
        case forget
    }

    /// The mixer refused.
    mutating func refused() -> OnRefused {
        defer { state = .terminated }
        return state == .negotiating ? .reject : .forget
    }

    enum OnAcknowledged: Equatable {
        /// The participant is in the room now.
        case join
        /// The ACK should carry the answer to our offer; the participant joins when it is good.
        case joinWithAnswer
        /// The answer to the offer of a 200 to a re-INVITE.
        case takeAnswer
        case ignore
    }

    /// An ACK of a 2xx of ours.
    mutating func acknowledged() -> OnAcknowledged {
        switch state {
        case .pending(let offered):
            state = .confirmed
            return offered ? .joinWithAnswer : .join
        case .confirmed where exchange == .offered:
            exchange = .none
            return .takeAnswer
        case .negotiating, .abandoned, .confirmed, .leaving, .terminated:
            return .ignore
        }
    }

    enum OnDeadline: Equatable {
        /// Out of the room with the participant; BYE follows as soon as it may.
        case leaveAndHangUp
        case ignore
    }

    /// The ACK did not come within `acknowledgementTimeout`.
    mutating func acknowledgementTimedOut() -> OnDeadline {
        guard isPending else { return .ignore }
        state = .leaving
        return .leaveAndHangUp
    }

    // MARK: The end

    enum OnPeerGone: Equatable {
        /// The participant was in the room.
        case leave
        /// The mixer is asked already; what it makes will be released.
        case releaseLater
        case ignore
    }

    /// A CANCEL. After our 200 it changes nothing (RFC 3261 section 9.2), and that of a re-INVITE leaves the session be.
    mutating func cancelled() -> OnPeerGone {
        guard state == .negotiating else { return .ignore }
        return peerGone()
    }

    /// BYE, or the stack's word that the dialog is over.
    mutating func peerGone() -> OnPeerGone {
        switch state {
        case .negotiating:
            state = .abandoned
            return .releaseLater
        case .abandoned:
            return .releaseLater
        case .pending, .confirmed:
            state = .terminated
            return .leave
        case .leaving:
            state = .terminated
            return .ignore
        case .terminated:
            return .ignore
        }
    }

    enum OnHangUp: Equatable {
        case hangUp
        /// The INVITE has no answer yet: refuse it, and release what the mixer makes.
        case rejectAndReleaseLater
        case ignore
    }

    /// The focus wants the dialog to end: the media ended, a bad answer, shutdown.
    mutating func hangUp() -> OnHangUp {
        switch state {
        case .negotiating:
            state = .abandoned
            return .rejectAndReleaseLater
        case .pending, .confirmed:
            state = .leaving
            return .hangUp
        case .abandoned, .leaving, .terminated:
            return .ignore
        }
    }

    // MARK: re-INVITE and UPDATE

    enum OnOffer: Equatable {
        case examine
        /// 500 with Retry-After: an earlier request of the peer is being worked on (RFC 3261 section 14.2, RFC 3311
        /// section 5.2).
        case retryLater
        /// 491: our own offer has no answer yet.
        case pending
        /// 481: the dialog is over.
        case gone
    }

    /// A re-INVITE or UPDATE that carries an offer.
    mutating func offered() -> OnOffer {
        switch state {
        case .negotiating: return .retryLater
        case .abandoned, .leaving, .terminated: return .gone
        case .pending(offered: true): return .pending
        case .pending(offered: false), .confirmed: break
        }
        switch exchange {
        case .none:
            exchange = .answering
            return .examine
        case .answering: return .retryLater
        case .offered: return .pending
        }
    }

    /// A re-INVITE without an offer: ours goes into the 200, and the answer comes in the ACK.
    mutating func offerRequested() -> OnOffer {
        // The ACK that is still to come could be taken for the one with the answer.
        if isPending { return .pending }
        let answer = offered()
        if answer == .examine { exchange = .offered }
        return answer
    }

    /// The answer to the peer's offer, or its refusal, is decided. False when the dialog ended meanwhile.
    mutating func answered() -> Bool {
        if exchange == .answering { exchange = .none }
        return isInRoom
    }
}
