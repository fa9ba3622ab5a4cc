import MediaMixer

/// One call of ours to one person, from the wish to its outcome: by INVITE (RFC 4579 section 5.2), or by a REFER that
/// asks them to call us, with an INVITE where they don't understand that.
///
/// It owns nothing and waits for nothing: it is told what happened and answers with what the focus is to do. After
/// `finish` it says nothing more.
struct DialOut: Sendable, Equatable {
    private enum Step: Sendable, Equatable {
        /// For a place among those under way.
        case waiting
        /// The mixer is making the session that our INVITE offers.
        case preparing
        case inviting
        case referring
        /// Our REFER was taken; they may call any moment.
        case referred
        case over
    }

    /// What may be done for this one.
    struct Terms: Sendable, Equatable {
        var method: RoomConfiguration.DialOut
        /// For clients that don't do REFER.
        var fallback: RoomConfiguration.DialOut?
        /// Who asked wants to know what became of the REFER, not of the call it leads to (RFC 4579 section 5.7).
        var reportsRefer = false
        /// Transports of the media that we can offer, in this order.
        var offersTLS: [Bool]
    }

    enum Action: Sendable, Equatable {
        /// Have the mixer make a session, then send INVITE.
        case prepare(isTLS: Bool)
        case refer
        /// The same request again, with an answer to the challenge.
        case authenticate
        /// The same INVITE again, with nothing but the session description in it.
        case simplify
        case alerting
        /// They took the call: its answer is in the response.
        case connect(DialOutcome)
        /// The REFER was taken; its outcome is awaited for what is left of `referTimeout`.
        case await(DialOutcome)
        case finish(DialOutcome)
        /// CANCEL what is under way, or release what the mixer makes, and be done.
        case giveUp(DialOutcome)
        case ignore
    }

    let terms: Terms
    private var step = Step.waiting
    private var transportsTried = 0
    private var isSimple = false

    init(_ terms: Terms) { self.terms = terms }

    var isOver: Bool { step == .over }
    var isWaiting: Bool { step == .waiting }

    /// There is a place for it.
    mutating func begin() -> Action {
        guard step == .waiting else { return .ignore }
        switch terms.method {
        case .refer:
            step = .referring
            return .refer
        case .invite:
            return prepare()
        }
    }

    /// The session is there. False: nobody waits for it any more.
    mutating func prepared() -> Bool {
        guard step == .preparing else { return false }
        step = .inviting
        return true
    }

    /// The mixer, or the room's policy, says no.
    mutating func refused(_ outcome: DialOutcome) -> Action { step == .over ? .ignore : finish(outcome) }

    /// A response to our INVITE or REFER.
    /// - Parameters:
    ///   - canAuthenticate: for 401 and 407: whether we have an answer to the challenge.
    ///   - canSimplify: whether the INVITE carried more than it had to.
    mutating func answered(
        _ outcome: DialOutcome, canAuthenticate: Bool = false, canSimplify: Bool = false
    ) -> Action {
        switch step {
        case .inviting: inviteAnswered(outcome, canAuthenticate: canAuthenticate, canSimplify: canSimplify)
        case .referring: referAnswered(outcome, canAuthenticate: canAuthenticate)
        case .waiting, .preparing, .referred, .over: .ignore
        }
    }

    /// A NOTIFY about our REFER.
    /// - Parameter outcome: nil: it says nothing that can be understood.
    mutating func notified(_ outcome: DialOutcome?) -> Action {
        guard step == .referring || step == .referred, let outcome, outcome.isFinal else { return .ignore }
        return finish(outcome)
    }

    /// They called us.
    mutating func arrived() -> Action {
        guard step == .referring || step == .referred else { return .ignore }
        return finish(.done)
    }

    /// `answerTimeout` or `referTimeout`. A REFER that has no answer by then is taken for one that was never read.
    mutating func timedOut() -> Action {
        step == .referring ? referAnswered(.timeout, canAuthenticate: false) : giveUp(.timeout)
    }

    /// The room is no more, or we are going down.
    mutating func withdrawn() -> Action { giveUp(.withdrawn) }

    // MARK: Answers

    private mutating func inviteAnswered(
        _ outcome: DialOutcome, canAuthenticate: Bool, canSimplify: Bool
    ) -> Action {
        switch outcome.status {
        case 180, 183: return .alerting
        case ..<200: return .ignore
        case 200..<300:
            step = .over
            return .connect(outcome)
        case 401 where canAuthenticate, 407 where canAuthenticate: return .authenticate
        // A body that it can't read may be the list of the others (RFC 5364 section 7).
        case 415 where canSimplify && !isSimple:
            isSimple = true
            return .simplify
        case 488 where transportsTried < terms.offersTLS.count: return prepare()
        default: return finish(outcome)
        }
    }

    private mutating func referAnswered(_ outcome: DialOutcome, canAuthenticate: Bool) -> Action {
        switch outcome.status {
        case ..<200: return .ignore
        case 200..<300:
            step = .referred
            return .await(outcome)
        case 401 where canAuthenticate, 407 where canAuthenticate: return .authenticate
        // Doesn't know REFER, doesn't want it, or says nothing at all.
        case 405, 501, 603, 408:
            return terms.fallback == .invite ? prepare() : finish(outcome)
        default: return finish(outcome)
        }
    }

    private mutating func prepare() -> Action {
        guard transportsTried < terms.offersTLS.count else { return finish(DialOutcome(488)) }
        defer { transportsTried += 1 }
        step = .preparing
        return .prepare(isTLS: terms.offersTLS[transportsTried])
    }

    private mutating func finish(_ outcome: DialOutcome) -> Action {
        step = .over
        return .finish(outcome)
    }

    private mutating func giveUp(_ outcome: DialOutcome) -> Action {
        guard step != .over else { return .ignore }
        step = .over
        return .giveUp(outcome)
    }
}
