import Logging
import MediaMixer
import Payloads
import SIP

/// NOTIFYs about rooms (RFC 4575 section 3.6): when they are sent, what is in them, and what their answers mean.
extension Focus {
    // MARK: What others call

    /// The room's configuration or condition changed: title, subject, roles, bans, whether it is locked.
    func rosterChanged(_ room: RoomAddress) {
        judgeAgain(notifying.subscriptions.subscriptions(of: room))
        withDocuments(of: room) { _, people, _, roles in people.updateRoles(roles) }
        peopleChanged(room)
    }

    /// Participants came, left or changed; `updateRoster` calls it.
    ///
    /// - Parameter isUrgent: to be told at once where the pace allows it.
    func peopleChanged(_ room: RoomAddress, isUrgent: Bool = true) {
        guard notifying.subscriptions.hasSubscriptions(room) else { return roster.forgetDeparted(room) }
        notifying.tellings[room]?.invalidate()
        arrangeTelling(room, isUrgent: isUrgent)
    }

    /// The room is gone: its subscriptions end with `noresource` (RFC 4575 section 3.3), its publications are
    /// forgotten, and nobody is in it any more.
    func roomEnded(_ room: RoomAddress) {
        for id in notifying.subscriptions.subscriptions(of: room) { end(id, .noresource) }
        notifying.tellings[room] = nil
        notifying.policies[room] = nil
        notifying.publications.forget(room)
        roster.end(room)
    }

    /// Ends subscriptions of somebody who was removed or banned: `rejected`. To be called before the BYEs.
    ///
    /// - Parameter account: `user@domain`.
    func endSubscriptions(of account: String, in room: RoomAddress) {
        for id in notifying.subscriptions.subscriptions(of: room)
        where notifying.subscriptions[id]?.caller.account == account {
            end(id, .rejected)
        }
    }

    /// The call is over, and nothing can be sent within its dialog any more.
    func dropSubscriptions(within call: Call) {
        for id in notifying.subscriptions.subscriptions(within: .call(call)) { drop(id) }
    }

    package var notifyCounters: NotifyCounters { notifying.counters }

    // MARK: Telling a room's subscribers

    private func arrangeTelling(_ room: RoomAddress, isUrgent: Bool = false) {
        let settings = configuration.notifying
        guard
            let delay = notifying.tellings[room]?.pace.changed(
                isUrgent: isUrgent, now: now(), interval: settings.interval, settling: settings.settling)
        else { return }
        notifying.lastTimer &+= 1
        let timer = notifying.lastTimer
        notifying.tellings[room]?.timer = timer
        signalling.schedule(after: delay) { [weak self] in
            self?.assumeIsolated { $0.tellRoom(room, timer) }
        }
    }

    private func tellRoom(_ room: RoomAddress, _ timer: UInt64) {
        guard notifying.tellings[room]?.timer == timer, self.room(at: room) != nil else { return }
        let now = now()
        notifying.tellings[room]?.pace.told(now: now)
        let subscribers = notifying.subscriptions.subscriptions(of: room)
        judgeAgain(
            subscribers.filter { id in
                guard let subscription = notifying.subscriptions[id] else { return false }
                return subscription.grant == .participation && calls(of: subscription.caller.account, in: room).isEmpty
            })
        let isWholeOnly = configuration.notifying.isFullStateOnly
        let isNew =
            withDocuments(of: room) { telling, people, facts, roles in
                telling.tell(&people, facts, roles, isWholeOnly: isWholeOnly)
            } ?? false
        guard isNew else { return }
        let revision = notifying.revision(of: room)
        for id in subscribers { tell(id) { $0.changed(revision: revision, now: now) } }
        // Who has left was shown as such, and is to be left out.
        if roster.rooms[room]?.hasNews == true { arrangeTelling(room) }
    }

    /// Gives what documents are made of to `body`; nil when the room has no subscribers.
    @discardableResult
    private func withDocuments<R>(
        of room: RoomAddress, _ body: (inout RoomTelling, inout RoomRoster, RoomFacts, RoomTelling.Roles) -> R
    ) -> R? {
        guard var telling = notifying.tellings.removeValue(forKey: room) else { return nil }
        let rendered = telling.rendered
        let record = self.room(at: room)
        let result = roster.withRoom(room) { people in
            body(&telling, &people, facts(of: room)) { account in
                record.map { RoomPolicy.role(of: account, in: $0.configuration, $0.condition) } ?? .participant
            }
        }
        notifying.counters.documents += telling.rendered - rendered
        notifying.tellings[room] = telling
        return result
    }

    private func facts(of room: RoomAddress) -> RoomFacts {
        var facts = RoomFacts(address: room)
        facts.hostName = configuration.notifying.hostName ?? room.domain
        guard let record = self.room(at: room) else { return facts }
        facts.title = record.title.isEmpty ? nil : record.title
        facts.subject = record.condition.subject
        facts.freeText = record.condition.freeText
        facts.keywords = record.condition.keywords
        facts.maximumUsers = min(
            record.configuration.maximumMembers ?? .max, configuration.limits.participantsPerRoom)
        facts.isLocked = record.condition.isLocked
        facts.files = filesShown(room)
        return facts
    }

    // MARK: One subscription's NOTIFYs

    /// Tells a subscription's machine something, and sends what it answers with.
    func tell(_ id: Subscription.ID, _ event: (inout SubscriptionMachine) -> SubscriptionMachine.Notice?) {
        guard let notice = notifying.subscriptions.tell(id, event) else { return }
        send(notice, of: id)
    }

    func end(_ id: Subscription.ID, _ reason: SubscriptionMachine.Reason) {
        guard let room = notifying.subscriptions[id]?.room else { return }
        let revision = notifying.revision(of: room)
        tell(id) { $0.end(reason, revision: revision) }
    }

    private func send(_ notice: SubscriptionMachine.Notice, of id: Subscription.ID) {
        guard let subscription = notifying.subscriptions[id] else { return }
        notifying.counters.notifies += 1
        let exchange = signalling.send(
            "NOTIFY", within: subscription.dialog, contact: nil,
            headers: [
                HeaderField("Event", subscription.event.description),
                HeaderField("Subscription-State", notice.state.description),
            ],
            body: body(notice, subscription).map {
                MessageBody(contentType: ConferenceInfo.contentType, content: $0)
            })
        notifying.subscriptions.sent(exchange, of: id)
    }

    private func body(_ notice: SubscriptionMachine.Notice, _ subscription: Subscription) -> [UInt8]? {
        let (room, version) = (subscription.room, notice.version)
        switch notice.content {
        case .nothing: return nil
        case .deleted: return RoomTelling.deleted(room, version: version)
        case .neutral: return RoomTelling.neutral(room, version: version)
        case .changes:
            if let changes = notifying.tellings[room]?.changes { return changes }
            fallthrough
        case .whole:
            return withDocuments(of: room) { telling, people, facts, roles in
                telling.wholeDocument(&people, facts, roles)
            }
        case .brief(let isWhole):
            return withDocuments(of: room) { _, people, facts, roles in
                RoomTelling.brief(
                    &people, facts, roles, subscriber: subscription.caller.uri, isWhole: isWhole, version: version)
            }
        }
    }

    /// False when the exchange is no NOTIFY of a roster.
    func notifyAnswered(_ exchange: Exchange, _ response: Response) -> Bool {
        guard let id = notifying.subscriptions.answered(exchange, isFinal: !response.isProvisional),
            let subscription = notifying.subscriptions[id]
        else { return false }
        let (revision, now) = (notifying.revision(of: subscription.room), now())
        let outcome = notifying.subscriptions.tell(id) {
            $0.answered(
                status: response.status, isLocal: response.isLocal, retryAfter: response.retryAfter,
                revision: revision, now: now)
        }
        switch outcome ?? SubscriptionMachine.OnAnswer.none {
        case .none: break
        case .notify(let notice):
            if case .brief = notice.content { notifyTooLarge(subscription) }
            send(notice, of: id)
        case .retry(let seconds): arrangeRetry(id, after: seconds)
        case .over: drop(id)
        case .failed(let status):
            notifying.counters.subscriptionsFailed += 1
            logger.info("subscriber gone", metadata: metadata(subscription).with("status", "\(status)"))
            drop(id)
        }
        return true
    }

    private func notifyTooLarge(_ subscription: Subscription) {
        notifying.counters.documentsTooLarge += 1
        logger.warning(
            "the roster is too large for UDP and the subscriber takes no TCP: it is sent the number of users only",
            metadata: metadata(subscription))
    }

    private func arrangeRetry(_ id: Subscription.ID, after seconds: Int) {
        signalling.schedule(after: .seconds(seconds)) { [weak self] in
            self?.assumeIsolated { focus in
                guard let room = focus.notifying.subscriptions[id]?.room else { return }
                let (revision, now) = (focus.notifying.revision(of: room), focus.now())
                focus.tell(id) { $0.resumed(revision: revision, now: now) }
            }
        }
    }

    private func metadata(_ subscription: Subscription) -> Logger.Metadata {
        ["room": "\(subscription.room)", "subscriber": "\(subscription.caller.uri)"]
    }

    // MARK: Ends

    /// Forgets a subscription, and the dialog that was made for it.
    private func drop(_ id: Subscription.ID) {
        guard let (subscription, isLastOfDialog) = notifying.subscriptions.remove(id) else { return }
        tellMixerWhoSubscribes(subscription.caller.account, in: subscription.room)
        if isLastOfDialog, case .dialog(let dialog) = subscription.dialog { closeIfUnused(dialog) }
        if !notifying.subscriptions.hasSubscriptions(subscription.room) {
            notifying.tellings[subscription.room] = nil
            roster.forgetTold(subscription.room)
        }
        if notifying.subscriptions.isEmpty { finishSubscriptions() }
    }

    func arrangeSweep(at deadline: ContinuousClock.Instant) {
        guard let delay = notifying.arrangeSweep(at: deadline, now: now()) else { return }
        signalling.schedule(after: delay) { [weak self] in
            self?.assumeIsolated { $0.sweep() }
        }
    }

    /// Ends subscriptions and publications whose time is over.
    private func sweep() {
        let now = now()
        if notifying.sweep.map({ $0 <= now }) ?? false { notifying.sweep = nil }
        let (due, next) = notifying.subscriptions.expired(now: now)
        for id in due { end(id, .timeout) }
        let (publications, nextPublication) = notifying.publications.expired(now: now)
        for (room, publication) in publications { publicationExpired(publication, in: room) }
        for deadline in [next, nextPublication] { if let deadline { arrangeSweep(at: deadline) } }
    }

    /// The clean stop: NOTIFY `terminated;reason=deactivated` to every subscriber, and returns when they are answered
    /// or `shutdownTimeout` has passed. To be called before the BYEs, and before the stack goes.
    package func shutdownSubscriptions() async {
        isShuttingDown = true
        for id in notifying.subscriptions.all { end(id, .deactivated) }
        guard !notifying.subscriptions.isEmpty, notifying.shutdownWaiter == nil else { return }
        signalling.schedule(after: configuration.notifying.shutdownTimeout) { [weak self] in
            self?.assumeIsolated { $0.finishSubscriptions() }
        }
        await withCheckedContinuation { notifying.shutdownWaiter = $0 }
    }

    private func finishSubscriptions() {
        notifying.shutdownWaiter?.resume()
        notifying.shutdownWaiter = nil
    }
}
