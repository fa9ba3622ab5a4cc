import Logging
import MediaMixer
import Payloads
import SIP

/// SUBSCRIBE to a room's roster (RFC 4575 section 3, RFC 6665 section 4.2), within a call or in a dialog of its own.
extension Focus {
    /// - Parameter dialog: what it came within; nil: it asks for a dialog of its own.
    func subscribed(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        if request.event?.package == "refer" { return reportSubscribed(transaction, request, within: dialog) }
        do throws(Rejection) {
            let (room, known) = try place(of: request, within: dialog)
            admit(transaction, request, within: known) { caller in
                if known != nil { self.moved(caller, within: dialog) }
                self.subscribed(transaction, request, within: dialog, room: room, by: caller)
            }
        } catch {
            refuseSubscription(transaction, error, request)
        }
    }

    /// The room that is asked about, and whose dialog it is.
    private func place(
        of request: Request, within dialog: DialogReference?
    ) throws(Rejection) -> (RoomAddress, Caller?) {
        if isShuttingDown { throw .shuttingDown }
        switch dialog {
        case .call(let call):
            // One that transfers a file subscribes there as well.
            guard let room = dialogs[call]?.room ?? files[call]?.room else { throw .gone }
            return (room, owner(of: .call(call)))
        case .dialog:
            if let id = dialog.flatMap({ notifying.subscriptions.subscriptions(within: $0).first }),
                let subscription = notifying.subscriptions[id]
            {
                return (subscription.room, subscription.caller)
            }
            // A REFER may have made the dialog.
            guard let caller = dialog.flatMap({ referring.caller(of: $0) }) else { throw .gone }
            return (try room(named: request), caller)
        case nil:
            if request.to?.tag != nil { throw .gone }
            return (try room(named: request), nil)
        }
    }

    /// The room that the Request-URI names, whether or not it exists.
    func room(named request: Request) throws(Rejection) -> RoomAddress {
        switch resolver.resolve(request.requestURI, local: request.local.host) {
        case .room(let room): return room
        case .server, .notFound: throw .notFound
        case .unsupportedScheme: throw .unsupportedScheme
        }
    }

    private func subscribed(
        _ transaction: Transaction, _ request: Request, within dialog: DialogReference?, room: RoomAddress,
        by caller: Caller
    ) {
        do throws(Rejection) {
            if isShuttingDown { throw .shuttingDown }
            let wish = try SubscribeRequest(request, configuration.notifying)
            if let dialog {
                // Who asks may have had to be looked up.
                if case .call = dialog, owner(of: dialog) == nil { throw .gone }
                if let id = notifying.subscriptions.subscription(wish.event, within: dialog) {
                    return try refresh(id, wish, transaction, request)
                }
            } else if request.contacts.first?.uri.isSIP != true {
                throw .malformed("no usable Contact")
            }
            guard self.room(at: room) != nil else { throw .notFound }
            if let limit = notifying.subscriptions.limit(
                room: room, dialog: dialog, source: Self.source(request, caller), configuration.notifying)
            {
                throw .limit(limit)
            }
            switch judge(caller, in: room) {
            case .refuse(let rejection): throw rejection
            case .grant(let view, let grant):
                subscribe(caller, to: room, wish, view, grant, transaction, request, within: dialog)
            }
        } catch {
            refuseSubscription(transaction, error, request)
        }
    }

    private func subscribe(
        _ caller: Caller, to room: RoomAddress, _ wish: SubscribeRequest, _ view: SubscriptionMachine.View,
        _ grant: Subscription.Grant, _ transaction: Transaction, _ request: Request, within dialog: DialogReference?
    ) {
        let contact = contacts.value(for: room, request: request)
        let expires = HeaderField("Expires", "\(wish.expiry)")
        let place: DialogReference
        if let dialog {
            signalling.respond(
                to: transaction, status: 200, phrase: nil, contact: contact, headers: [expires], body: nil)
            place = dialog
        } else {
            guard let own = signalling.accept(transaction, status: 200, contact: contact, headers: [expires]) else {
                return
            }
            if let route = PeerRoute.source(of: request) { signalling.setRoute(own, route) }
            place = .dialog(own)
        }
        let now = now()
        if notifying.tellings[room] == nil { notifying.tellings[room] = RoomTelling() }
        let id = notifying.subscriptions.add(
            room: room, dialog: place, event: wish.event, caller: caller, grant: grant,
            source: Self.source(request, caller),
            machine: SubscriptionMachine(
                view: view, deadline: now + .seconds(wish.expiry),
                isWholeOnly: configuration.notifying.isFullStateOnly))
        notifying.counters.subscriptionsMade += 1
        tellMixerWhoSubscribes(caller.account, in: room)
        logger.debug(
            "subscribed",
            metadata: ["room": "\(room)", "subscriber": "\(caller.uri)", "expires": "\(wish.expiry)"])
        confirm(id, wish, now)
    }

    /// The room's own lines may be left out for who sees the roster (`RoomConfiguration.systemLines`).
    func tellMixerWhoSubscribes(_ account: String, in room: RoomAddress) {
        let isSubscribed = notifying.subscriptions.isSubscribed(account, to: room)
        for call in calls(of: account, in: room) {
            if let member = dialogs[call]?.member { mixer.setSubscribed(member, isSubscribed) }
        }
    }

    /// A SUBSCRIBE for a subscription that is there: another time from now on, or its end.
    private func refresh(
        _ id: Subscription.ID, _ wish: SubscribeRequest, _ transaction: Transaction, _ request: Request
    ) throws(Rejection) {
        guard let subscription = notifying.subscriptions[id] else { throw .gone }
        // Only as long as the subscriber may (RFC 6665 section 4.2.1.4).
        if wish.expiry > 0 {
            judgeAgain([id])
            guard notifying.subscriptions[id]?.machine.isOver == false else {
                throw Rejection(status: 403, why: "may not subscribe any more")
            }
        }
        let contact = contacts.value(for: subscription.room, request: request)
        signalling.respond(
            to: transaction, status: 200, phrase: nil, contact: contact,
            headers: [HeaderField("Expires", "\(wish.expiry)")], body: nil)
        if case .dialog(let dialog) = subscription.dialog, !request.contacts.isEmpty {
            signalling.setRoute(dialog, PeerRoute.source(of: request))
        }
        confirm(id, wish, now())
    }

    /// The NOTIFY that follows every 200 (RFC 6665 section 4.2.1.2).
    private func confirm(_ id: Subscription.ID, _ wish: SubscribeRequest, _ now: ContinuousClock.Instant) {
        guard let room = notifying.subscriptions[id]?.room else { return }
        let deadline = now + .seconds(wish.expiry)
        let revision = notifying.revision(of: room)
        tell(id) { $0.subscribed(until: deadline, revision: revision, now: now) }
        if wish.expiry > 0 { arrangeSweep(at: deadline) }
    }

    private func refuseSubscription(_ transaction: Transaction, _ rejection: Rejection, _ request: Request) {
        notifying.counters.subscriptionsRefused += 1
        reject(transaction, rejection, metadata: metadata(request), level: .debug)
    }

    /// Whose subscriptions are counted together: all of an address, but a trusted peer brings those of many people.
    private static func source(_ request: Request, _ caller: Caller) -> String {
        caller.proof == .trustedPeer ? caller.account : RoomResolver.normalized(request.source.host)
    }

    // MARK: Who may

    enum Verdict {
        case grant(SubscriptionMachine.View, Subscription.Grant)
        case refuse(Rejection)
    }

    /// Judges a subscriber: those in the room always may; of others the room says whether nobody, everybody, or its
    /// policy document decides (RFC 5025).
    func judge(_ caller: Caller, in address: RoomAddress) -> Verdict {
        guard let room = room(at: address) else { return .refuse(.notFound) }
        // Also whose ACK is still on its way: clients subscribe as soon as they have the 200.
        let isInside = !calls(of: caller.account, in: address).isEmpty
        let decision = RoomPolicy.decide(
            caller.who(isParticipant: isInside), .subscribe, in: room.configuration, room.condition,
            mostMembers: configuration.limits.participantsPerRoom, now: wallClock())
        switch decision {
        case .allow: return .grant(.everything, isInside ? .participation : .policy)
        case .refuse(let status, let why): return .refuse(Rejection(status: status, why: why))
        case .askDocument: break
        }
        switch policy(of: room).decide(identity: caller.isAnonymous ? nil : caller.account, now: wallClock()) {
        case .allow: return .grant(.everything, .policy)
        case .politeBlock: return .grant(.neutral, .policy)
        case .confirm: return .grant(.undecided, .policy)
        case .block: return .refuse(Rejection(status: 403, why: "the room's policy blocks this subscriber"))
        }
    }

    /// Without a document, or with one that can't be read, nobody is allowed.
    private func policy(of room: RoomBook.Room) -> PresenceRules {
        guard let document = room.policy else { return PresenceRules(rules: []) }
        if let known = notifying.policies[room.address], known.etag == document.etag { return known.rules }
        var rules = PresenceRules(rules: [])
        do {
            rules = try PresenceRules(parsing: document.content)
        } catch {
            logger.error("unusable policy document", metadata: ["room": "\(room.address)", "error": "\(error)"])
        }
        notifying.policies[room.address] = (document.etag, rules)
        return rules
    }

    /// The room's policy document, or who may subscribe, is another: subscriptions are judged again (RFC 5025
    /// section 3.2.1).
    func subscriptionPolicyChanged(_ room: RoomAddress) {
        notifying.policies[room] = nil
        judgeAgain(notifying.subscriptions.subscriptions(of: room))
    }

    /// What was granted may not be any more, and the other way round.
    func judgeAgain(_ subscriptions: [Subscription.ID]) {
        for id in subscriptions {
            guard let subscription = notifying.subscriptions[id], !subscription.machine.isOver else { continue }
            switch judge(subscription.caller, in: subscription.room) {
            case .refuse: end(id, .rejected)
            case .grant(let view, let grant):
                notifying.subscriptions.setGrant(id, grant)
                let (revision, now) = (notifying.revision(of: subscription.room), now())
                tell(id) { $0.decided(view, revision: revision, now: now) }
            }
        }
    }
}
