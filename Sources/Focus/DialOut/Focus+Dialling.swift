import Logging
import MediaMixer
import Payloads
import SIP

/// Calls of ours: dialling out by INVITE or REFER (RFC 4579 sections 5.2 and 5.5 to 5.7, RFC 5366).
extension Focus {
    /// Calls people into a room, within the limits; returns at once. The roster and the log tell what became of it,
    /// and `report` if somebody waits for it.
    ///
    /// Whether `caller` may do so has been judged before. URIs of our own rooms are left out; of a list also the
    /// caller's own and those of people who are in the room already (RFC 5366 section 5, RFC 5363 section 4).
    /// - Parameters:
    ///   - caller: who asked; nil: an operator.
    ///   - method: nil: as the room's `dialOut` says, with its fallback.
    ///   - isList: they were named together, and may know of each other.
    ///   - referredBy: the Referred-By to carry; nil: the caller's URI.
    func dialOut(
        _ people: [Invitee], to room: RoomAddress, by caller: Caller?, method: RoomConfiguration.DialOut? = nil,
        isList: Bool = true, referredBy: String? = nil, report: DialReport = .none
    ) {
        guard let book = rooms[room], !isShuttingDown else { return reported(report, .unavailable) }
        let known = caller.flatMap { $0.isAnonymous ? nil : "<\($0.uri)>" }
        let history = isList ? InvitationBody.history(of: people) : nil
        for person in people {
            if leadsToUs(person.uri) {
                logger.info("not called: an address of ours", metadata: metadata(person, room))
                reported(report, DialOutcome(403))
                continue
            }
            if isList, person.account == caller?.account || isParticipant(person.account, in: room) { continue }
            do throws(DialOutDesk.Refusal) {
                let id = try dialling.add(
                    person, room: room, caller: caller, referredBy: referredBy ?? known, history: history,
                    report: report, terms: terms(for: person, in: book.configuration, method: method),
                    limits: configuration.dialling.limits, now: now())
                let target = Roster.DialOut(
                    uri: person.identity.description, account: person.account, displayName: person.displayName,
                    isAnonymous: person.isAnonymized, referredBy: caller?.uri)
                updateRoster { roster, time in roster.dialling(id, target, in: room, at: time) }
            } catch {
                let outcome: DialOutcome
                switch error {
                case .underWay:
                    outcome = DialOutcome(491)
                case .limit(let name):
                    outcome = .unavailable
                    dialCounters.refusedByLimit[name, default: 0] &+= 1
                }
                logger.warning("not called: \(error)", metadata: metadata(person, room))
                reported(report, outcome)
            }
        }
        startDialling()
    }

    /// The room has ended: calls to people who have not answered are given up.
    func stopDialling(to room: RoomAddress) {
        startDialling { focus in
            for id in focus.dialling.entries(in: room) { focus.withdraw(id) }
        }
    }

    /// We are going down.
    func stopDialling() {
        startDialling { focus in
            for id in focus.dialling.ids { focus.withdraw(id) }
        }
    }

    /// Somebody came into the room by an INVITE of theirs: if a REFER of ours asked them to, it has its outcome.
    func arrived(_ caller: Caller, in room: RoomAddress) {
        guard let id = dialling.entry(for: caller.account, in: room)?.id else { return }
        perform(dialling.change(id) { $0.machine.arrived() }, id)
    }

    // MARK: Answers

    /// A response to an INVITE of ours that makes a call.
    func dialled(_ call: Call, _ response: Response) {
        guard let id = dialling.entry(of: call)?.id else { return }
        let action = answered(id, response)
        guard case .connect(let outcome) = action else { return perform(action, id) }
        connect(id, call, response, outcome)
    }

    /// A call of ours ended before it had a participant; false when it is no such call.
    func dialledInVain(_ call: Call, _ ending: Ending) -> Bool {
        referring.ended(call)
        let id = dialling.entry(of: call)?.id
        guard dialling.forget(call) else { return false }
        // Without a final response: it could not be sent, or the stack goes down.
        if let id {
            let outcome =
                if case .failed(let status, let phrase) = ending { DialOutcome(status, phrase) } else {
                    DialOutcome.unavailable
                }
            perform(dialling.change(id) { $0.machine.answered(outcome) }, id)
        }
        return true
    }

    /// False when the exchange is no REFER of ours.
    func referAnswered(_ exchange: Exchange, _ response: Response) -> Bool {
        guard let entry = dialling.entry(of: exchange) else { return false }
        // The answer to an attempt before this one says nothing new, be that a REFER or the INVITE in its place.
        guard entry.exchange == exchange, entry.offer == nil else { return true }
        perform(answered(entry.id, response), entry.id)
        return true
    }

    /// What came of a REFER that we sent outside of calls.
    func notified(_ transaction: Transaction, _ request: Request, of exchange: Exchange) {
        guard request.event?.package == "refer" else {
            return reject(transaction, .badEvent, metadata: metadata(request), level: .debug)
        }
        signalling.respond(to: transaction, status: 200, phrase: nil, contact: nil, headers: [], body: nil)
        guard let id = dialling.entry(of: exchange)?.id else { return }
        let outcome = Sipfrag.outcome(of: request.body)
        perform(dialling.change(id) { $0.machine.notified(outcome) }, id)
    }

    /// A NOTIFY that nothing of ours asked for.
    func notified(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        reject(transaction, .gone, metadata: metadata(request), level: .debug)
    }

    /// What the focus did at others' word.
    package var dialStatus: DialCounters {
        var counters = dialCounters
        counters.reports = referring.count
        counters.underWay = dialling.underWay
        counters.waiting = dialling.waiting
        return counters
    }

    private func answered(_ id: UInt64, _ response: Response) -> DialOut.Action? {
        let isChallenge = response.status == 401 || response.status == 407
        let target = dialling[id]?.invitee.uri
        let credentials = target.map(provesItself) == true ? configuration.dialling.credentials : nil
        return dialling.change(id) { entry in
            entry.machine.answered(
                DialOutcome(response),
                canAuthenticate: isChallenge && credentials != nil && entry.digest.learn(response),
                canSimplify: entry.sendsHistory)
        }
    }

    /// Whether who challenges us may have our password's digest: the proxy that it is for, or without one the servers
    /// of our own domains. People are called at others' word, and any of them could be after it.
    private func provesItself(to target: SIPURI) -> Bool {
        configuration.dialling.proxy != nil || resolver.servedDomain(target.host, local: nil) != nil
    }

    // MARK: Doing

    /// Calls those for whom there is a place after `first`. What ends meanwhile makes places for others, who are called
    /// here too, not from where it ends: neither before those that `first` gives up, nor one within the other.
    private func startDialling(_ first: (isolated Focus) -> Void = { _ in }) {
        guard !dialling.isStarting else { return first(self) }
        dialling.isStarting = true
        defer { dialling.isStarting = false }
        first(self)
        while case let ids = dialling.startable(configuration.dialling.limits), !ids.isEmpty {
            for id in ids {
                dialCounters.started &+= 1
                perform(dialling.change(id) { $0.machine.begin() }, id)
            }
        }
    }

    func perform(_ action: DialOut.Action?, _ id: UInt64) {
        switch action {
        case .prepare(let isTLS): prepare(id, isTLS: isTLS)
        case .refer:
            sendRefer(id)
            // For the answer to it and for what comes of it: clients that are silent are no slower than others.
            startTimer(id, after: configuration.dialling.referTimeout)
        case .authenticate:
            guard let entry = dialling[id] else { return }
            if entry.offer == nil { sendRefer(id) } else { sendInvite(id, retrying: entry.call) }
        case .simplify:
            _ = dialling.change(id) { $0.sendsHistory = false }
            sendInvite(id)
        case .alerting: updateRoster { roster, _ in roster.alerting(id) }
        case .await(let outcome):
            guard let entry = dialling[id] else { return }
            if entry.machine.terms.reportsRefer { reported(entry.report, outcome) }
        case .finish(let outcome): finish(id, outcome)
        case .giveUp(let outcome):
            if let entry = dialling[id], entry.offer != nil, let call = entry.call { signalling.cancel(call) }
            finish(id, outcome)
        case .connect, .ignore, nil: break
        }
    }

    func withdraw(_ id: UInt64) { perform(dialling.change(id) { $0.machine.withdrawn() }, id) }

    private func finish(_ id: UInt64, _ outcome: DialOutcome) {
        guard let entry = dialling.remove(id) else { return }
        if let member = entry.member { mixer.leave(member, reason: .notCompleted) }
        if outcome.isSuccess { dialCounters.succeeded &+= 1 } else { dialCounters.failed &+= 1 }
        logger.info(
            outcome.isSuccess ? "called" : "called in vain",
            metadata: metadata(entry.invitee, entry.room).with("outcome", "\(outcome.status) \(outcome.phrase)"))
        let end: Roster.DialOutEnd =
            outcome.isSuccess
            ? .joined
            : outcome == .withdrawn ? .withdrawn : .failed(status: outcome.status, phrase: outcome.phrase)
        updateRoster { roster, time in roster.dialOutEnded(id, end, at: time) }
        reported(entry.report, outcome)
        startDialling()
    }

    func startTimer(_ id: UInt64, after delay: Duration) {
        guard
            let timer = dialling.change(
                id,
                {
                    $0.timer &+= 1
                    return $0.timer
                })
        else { return }
        signalling.schedule(after: delay) { [weak self] in
            self?.assumeIsolated { $0.dialTimedOut(id, timer) }
        }
    }

    private func dialTimedOut(_ id: UInt64, _ timer: UInt64) {
        guard dialling[id]?.timer == timer else { return }
        perform(dialling.change(id) { $0.machine.timedOut() }, id)
    }

    func metadata(_ invitee: Invitee, _ room: RoomAddress) -> Logger.Metadata {
        ["room": "\(room)", "invitee": "\(invitee.isAnonymized ? "anonymous" : invitee.account)"]
    }
}

extension Rejection {
    /// RFC 6665 section 7.2.2
    static let badEvent = Rejection(status: 489, why: "no subscription of ours to such events")
}
