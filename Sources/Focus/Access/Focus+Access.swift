import DigestAuth
import Logging
package import SIP

/// Who asks: proven before anything is granted (RFC 3261 section 22).
extension Focus {
    /// What access control did since the start.
    package var accessCounters: AccessCounters { access.counters }

    // MARK: Too much

    /// Answers a request with 503 when its source has sent too many, or there are too many at all. Asked first of
    /// every request that wants an answer; ACK, BYE and CANCEL never come here.
    func turnsAway(_ transaction: Transaction, _ request: Request, isNew: Bool) -> Bool {
        let time = access.time(now())
        if access.gauge.requestCame(at: time) { watchLag() }
        switch access.judgeAmount(request, isNew: isNew, at: time) {
        case nil: return false
        case .throttled(let seconds):
            if access.complains(at: time) {
                logger.warning(
                    "too many requests from one address",
                    metadata: ["source": "\(request.source)", "method": "\(request.method)"])
            }
            reject(transaction, .tooMany(after: seconds), metadata: metadata(request), level: .debug)
        case .overloaded:
            if access.complains(at: time) { logger.warning("overloaded: new requests are refused") }
            reject(transaction, .overloaded, metadata: metadata(request), level: .debug)
        }
        return true
    }

    /// The same question before the request is even read: a flood costs us little then.
    package nonisolated func secondsToWait(_ source: Endpoint) -> Int? {
        assumeIsolated { focus in
            let time = focus.access.time(focus.now())
            guard let seconds = focus.access.wait(source, at: time) else { return nil }
            if focus.access.complains(at: time) {
                focus.logger.warning("too many requests from one address", metadata: ["source": "\(source.host)"])
            }
            return seconds
        }
    }

    private func watchLag() {
        signalling.schedule(after: .nanoseconds(Int64(LagGauge.interval))) { [weak self] in
            self?.assumeIsolated { focus in
                if focus.access.gauge.timerFired(at: focus.access.time(focus.now())) { focus.watchLag() }
            }
        }
    }

    // MARK: Who it is

    /// Finds out who sent a request, and goes on with it, or answers it (400, 401, 403, 503).
    ///
    /// `proceed` runs before this returns where no account has to be looked up, else later on the same executor; a call
    /// may have ended meanwhile. It runs at most once. ACK, BYE and CANCEL are never brought here: they cannot be sent
    /// again with credentials (RFC 3261 section 22.1).
    /// - Parameter known: whose dialog the request came within (`owner(of:)`). A request from `known.source` is theirs
    ///   without further proof; one from elsewhere, be it another port of the same address, is judged as if it had come outside of the dialog, and refused when
    ///   it is somebody else's.
    func admit(
        _ transaction: Transaction, _ request: Request, within known: Caller? = nil,
        _ proceed: @escaping (Caller) -> Void
    ) {
        if let known, known.isAt(request.source), !speaksForOthers(request) { return proceed(known) }
        let visit = { step in
            AccessDesk.Visit(
                transaction: transaction, request: request, known: known, proceed: proceed, step: step)
        }
        switch access.doorkeeper.receive(request, within: known, rules: accessRules) {
        case .decided(let decision):
            settle(decision, visit(.algorithms(realm: "", isStale: false)))
        case .lookUp(let claim, let account):
            if let seconds = access.failureWait(request, at: access.time(now())) {
                // Others may share the address: this doesn't say that their password is wrong.
                access.counters.throttled &+= 1
                return reject(transaction, .tooMany(after: seconds), metadata: metadata(request), level: .debug)
            }
            let visit = visit(.account(claim, account))
            if let found = access.configuration.accounts.known(username: claim.username, realm: claim.realm) {
                resume(visit, .account(found))
            } else {
                lookUp(visit) { .account(await $0.lookUp(username: claim.username, realm: claim.realm)) }
            }
        }
    }

    /// Whose dialog it is; nil: nobody's that we know of.
    func owner(of dialog: DialogReference) -> Caller? {
        if case .call(let call) = dialog { return dialogs[call]?.caller ?? files[call]?.caller }
        return referring.caller(of: dialog)
            ?? notifying.subscriptions.subscriptions(within: dialog).first.flatMap {
                notifying.subscriptions[$0]?.caller
            }
    }

    /// A request within a call that was proven from elsewhere: from there more may come.
    func moved(_ caller: Caller, within dialog: DialogReference?) {
        guard case .call(let call)? = dialog else { return }
        dialogs[call]?.caller.source = caller.source
        files[call]?.caller.source = caller.source
    }

    /// Whether a trusted peer says who a request is from: many people's requests come from its address, also those of
    /// people who learnt the tags of somebody else's dialog.
    private func speaksForOthers(_ request: Request) -> Bool {
        guard request.headers.contains("P-Asserted-Identity") else { return false }
        let trusted = access.configuration.trusted
        return trusted.contains(address: request.source.host) || trusted.contains(names: request.peerNames)
    }

    private var accessRules: Doorkeeper.Rules {
        Doorkeeper.Rules(
            mode: access.configuration.mode, trusted: access.configuration.trusted, resolver: resolver,
            displayNameOctets: configuration.limits.displayNameOctets,
            mostAliases: access.configuration.limits.aliases)
    }

    private func settle(_ decision: Doorkeeper.Decision, _ visit: AccessDesk.Visit) {
        switch decision {
        case .admit(let caller):
            access.counters.admitted &+= 1
            if caller.proof == .trustedPeer { access.counters.trusted &+= 1 }
            visit.proceed(caller)
        case .challenge(let realm, let isStale, let defect):
            if let defect { note(defect, of: visit) }
            challenge(visit, realm: realm, isStale: isStale)
        case .refuse(let status, let defect):
            note(defect, of: visit)
            access.counters.refused &+= 1
            reject(
                visit.transaction, Rejection(status: status, why: defect.rawValue), metadata: metadata(visit.request))
        }
    }

    private func note(_ defect: Doorkeeper.Defect, of visit: AccessDesk.Visit) {
        let request = visit.request
        let tried: Doorkeeper.Account? =
            switch visit.step {
            case .account(_, let account), .aliases(let account): account
            case .algorithms: nil
            }
        if defect.isFailure { access.countFailure(request, at: access.time(now())) }
        // One line for each try at a password, with the address, so that others can act on it.
        var metadata = metadata(request).with("why", defect.rawValue)
        if let tried { metadata["account"] = "\(tried.description.prefix(Self.mostLogged))" }
        logger.log(level: defect.isFailure ? .info : .debug, "not who it says", metadata: metadata)
    }

    /// Characters of a name that somebody made up.
    private static let mostLogged = 128

    /// For the log: who was refused, unless they hide it.
    func metadata(_ request: Request, by caller: Caller) -> Logger.Metadata {
        let metadata = metadata(request)
        guard !caller.isAnonymous else { return metadata }
        return metadata.with("participant", caller.uri).with("account", caller.account)
    }

    // MARK: Challenges

    private func challenge(_ visit: AccessDesk.Visit, realm: String, isStale: Bool) {
        let known = access.configuration.accounts.knownAlgorithms(realm: realm).map(OfferedAlgorithms.order)
        if let algorithms = known ?? access.offered.known(realm, at: access.time(now())) {
            return challenge(visit, realm: realm, isStale: isStale, algorithms)
        }
        var visit = visit
        visit.step = .algorithms(realm: realm, isStale: isStale)
        lookUp(visit) { .algorithms(await $0.algorithms(realm: realm)) }
    }

    /// One header field for each algorithm, the strongest first (RFC 8760 section 2.3).
    private func challenge(
        _ visit: AccessDesk.Visit, realm: String, isStale: Bool, _ algorithms: [DigestAlgorithm]
    ) {
        access.counters.challenged &+= 1
        if isStale { access.counters.stale &+= 1 }
        let nonce = access.doorkeeper.issueNonce(at: access.time(now()))
        let headers = algorithms.map { algorithm in
            HeaderField(
                "WWW-Authenticate",
                DigestOffer(
                    realm: realm, nonce: nonce, opaque: access.opaque, algorithm: algorithm, isStale: isStale
                ).headerValue)
        }
        reject(
            visit.transaction, Rejection(status: 401, headers: headers, why: "not proven yet"),
            metadata: metadata(visit.request), level: .debug)
    }

    // MARK: Looking up

    private func lookUp(
        _ visit: AccessDesk.Visit, _ ask: @escaping @Sendable (any AccountStore) async -> AccessDesk.Answer
    ) {
        guard let (number, needsTimer) = access.add(visit, at: access.time(now())) else {
            access.counters.overloaded &+= 1
            return reject(visit.transaction, .overloaded, metadata: metadata(visit.request), level: .debug)
        }
        if needsTimer { watchVisits(after: access.configuration.limits.patience) }
        let accounts = access.configuration.accounts
        Task.immediate {
            let answer = await ask(accounts)
            if let visit = access.remove(number) { resume(visit, answer) }
        }
    }

    private func resume(_ visit: AccessDesk.Visit, _ answer: AccessDesk.Answer) {
        let request = visit.request
        let time = access.time(now())
        switch (visit.step, answer) {
        case (.account(let claim, let account), .account(let found)):
            let secrets: AccountSecrets?
            switch found {
            case .found(let known): secrets = known
            case .unknown: secrets = nil
            case .unavailable(let reason): return unavailable(visit, reason)
            }
            let judgement = access.doorkeeper.judge(
                request, claim, account, secrets, within: visit.known, rules: accessRules, at: time)
            switch judgement {
            case .decided(let decision): settle(decision, visit)
            case .askAliases(let account):
                var visit = visit
                visit.step = .aliases(account)
                lookUp(visit) { .aliases(await $0.aliases(username: account.user, realm: account.domain)) }
            }
        case (.aliases(let account), .aliases(let aliases)):
            settle(
                access.doorkeeper.identify(request, account, aliases: aliases, rules: accessRules), visit)
        case (.algorithms(let realm, let isStale), .algorithms(let stored)):
            let algorithms = access.offered.learn(stored, realm: realm, at: time)
            challenge(visit, realm: realm, isStale: isStale, algorithms)
        default:
            unavailable(visit, "the store answered something else")
        }
    }

    private func unavailable(_ visit: AccessDesk.Visit, _ reason: String) {
        access.counters.overloaded &+= 1
        // The store logs it as an error, once a minute; this is of each request.
        reject(
            visit.transaction, .overloaded, metadata: metadata(visit.request).with("reason", reason), level: .debug)
    }

    private func watchVisits(after delay: Duration) {
        signalling.schedule(after: delay) { [weak self] in
            self?.assumeIsolated { focus in
                let time = focus.access.time(focus.now())
                let (due, next) = focus.access.expire(at: time)
                for visit in due { focus.unavailable(visit, "the accounts took too long") }
                if let next {
                    focus.watchVisits(after: .nanoseconds(Int64(clamping: next > time ? next - time : 1)))
                }
            }
        }
    }
}

extension Rejection {
    /// 503 to a source that asks for too much (RFC 3261 section 21.5.4).
    fileprivate static func tooMany(after seconds: Int) -> Rejection {
        Rejection(status: 503, headers: [HeaderField("Retry-After", "\(seconds)")], why: "too many requests")
    }

    /// 503 to whoever it may be; they come back at different times.
    fileprivate static var overloaded: Rejection {
        Rejection(status: 503, headers: [HeaderField("Retry-After", "\(Int.random(in: 5...20))")], why: "overloaded")
    }
}
