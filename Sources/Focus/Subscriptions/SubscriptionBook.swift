import MediaMixer
import SIP

/// A subscription and what its NOTIFYs need.
struct Subscription: Sendable {
    typealias ID = UInt64

    let id: ID
    let room: RoomAddress
    let dialog: DialogReference
    /// With the id by which the subscriber tells its subscriptions of one dialog apart.
    let event: EventName
    let caller: Caller
    var grant: Grant
    /// The address the SUBSCRIBE came from, for the limit.
    let source: String
    var machine: SubscriptionMachine
    /// The NOTIFY that was sent last.
    var exchange: Exchange?

    /// Why it was granted.
    enum Grant: Sendable, Equatable {
        /// The subscriber is in the room: judged again when it leaves.
        case participation
        case policy
    }
}

/// All subscriptions, found by room, dialog, and the NOTIFY that is on its way; with their bounds.
struct SubscriptionBook {
    private var subscriptions: [Subscription.ID: Subscription] = [:]
    private var byRoom: [RoomAddress: Set<Subscription.ID>] = [:]
    private var byDialog: [DialogReference: [Subscription.ID]] = [:]
    private var byExchange: [Exchange: Subscription.ID] = [:]
    private var bySource: [String: Int] = [:]
    private var byPerson: [Person: Int] = [:]
    private var lastID: Subscription.ID = 0

    /// Somebody in a room, with all devices.
    private struct Person: Hashable {
        let room: RoomAddress
        let account: String
    }

    var count: Int { subscriptions.count }
    var isEmpty: Bool { subscriptions.isEmpty }
    var all: [Subscription.ID] { subscriptions.keys.sorted() }

    subscript(_ id: Subscription.ID) -> Subscription? { subscriptions[id] }

    /// In the order in which they were made.
    func subscriptions(of room: RoomAddress) -> [Subscription.ID] { (byRoom[room] ?? []).sorted() }
    func hasSubscriptions(_ room: RoomAddress) -> Bool { byRoom[room] != nil }

    /// Whether an account has a subscription to a room's roster.
    func isSubscribed(_ account: String, to room: RoomAddress) -> Bool {
        byPerson[Person(room: room, account: account)] != nil
    }

    func subscriptions(within dialog: DialogReference) -> [Subscription.ID] { byDialog[dialog] ?? [] }

    /// The subscription a SUBSCRIBE within a dialog refreshes: that with the same event and id (RFC 6665
    /// section 4.4.1).
    func subscription(_ event: EventName, within dialog: DialogReference) -> Subscription.ID? {
        byDialog[dialog]?.first { subscriptions[$0]?.event == event && subscriptions[$0]?.machine.isOver == false }
    }

    /// The name of the limit that one more would break.
    func limit(
        room: RoomAddress, dialog: DialogReference?, source: String, _ limits: NotifyConfiguration
    ) -> String? {
        if count >= limits.maximumSubscriptions { return "maximumSubscriptions" }
        if byRoom[room]?.count ?? 0 >= limits.maximumPerRoom { return "maximumPerRoom" }
        if bySource[source] ?? 0 >= limits.maximumPerSource { return "maximumPerSource" }
        if let dialog, byDialog[dialog]?.count ?? 0 >= limits.maximumPerDialog { return "maximumPerDialog" }
        return nil
    }

    mutating func add(
        room: RoomAddress, dialog: DialogReference, event: EventName, caller: Caller, grant: Subscription.Grant,
        source: String, machine: SubscriptionMachine
    ) -> Subscription.ID {
        lastID &+= 1
        subscriptions[lastID] = Subscription(
            id: lastID, room: room, dialog: dialog, event: event, caller: caller, grant: grant, source: source,
            machine: machine)
        byRoom[room, default: []].insert(lastID)
        byDialog[dialog, default: []].append(lastID)
        bySource[source, default: 0] += 1
        byPerson[Person(room: room, account: caller.account), default: 0] += 1
        return lastID
    }

    /// Tells the subscription's machine something; nil when there is no such subscription.
    mutating func tell<R>(_ id: Subscription.ID, _ body: (inout SubscriptionMachine) -> R?) -> R? {
        guard var machine = subscriptions[id]?.machine else { return nil }
        let result = body(&machine)
        subscriptions[id]?.machine = machine
        return result
    }

    mutating func setGrant(_ id: Subscription.ID, _ grant: Subscription.Grant) { subscriptions[id]?.grant = grant }

    // MARK: NOTIFYs on their way

    /// Only the answer to the last NOTIFY of a subscription counts.
    mutating func sent(_ exchange: Exchange, of id: Subscription.ID) {
        if let earlier = subscriptions[id]?.exchange { byExchange[earlier] = nil }
        subscriptions[id]?.exchange = exchange
        byExchange[exchange] = id
    }

    /// Whose NOTIFY was answered. Provisional answers leave it where it is.
    mutating func answered(_ exchange: Exchange, isFinal: Bool) -> Subscription.ID? {
        isFinal ? byExchange.removeValue(forKey: exchange) : byExchange[exchange]
    }

    // MARK: Ends

    /// - Returns: the subscription, and whether it was the last of its dialog.
    mutating func remove(_ id: Subscription.ID) -> (Subscription, isLastOfDialog: Bool)? {
        guard let subscription = subscriptions.removeValue(forKey: id) else { return nil }
        if let exchange = subscription.exchange { byExchange[exchange] = nil }
        byRoom[subscription.room]?.remove(id)
        if byRoom[subscription.room]?.isEmpty == true { byRoom[subscription.room] = nil }
        byDialog[subscription.dialog]?.removeAll { $0 == id }
        let isLast = byDialog[subscription.dialog]?.isEmpty ?? true
        if isLast { byDialog[subscription.dialog] = nil }
        let person = Person(room: subscription.room, account: subscription.caller.account)
        byPerson[person, default: 0] -= 1
        if byPerson[person] == 0 { byPerson[person] = nil }
        bySource[subscription.source, default: 0] -= 1
        if bySource[subscription.source] == 0 { bySource[subscription.source] = nil }
        return (subscription, isLast)
    }

    /// Those whose time is over, and when the next one's is.
    func expired(
        now: ContinuousClock.Instant
    ) -> (due: [Subscription.ID], next: ContinuousClock.Instant?) {
        var due: [Subscription.ID] = []
        var next: ContinuousClock.Instant?
        for (id, subscription) in subscriptions where !subscription.machine.isOver {
            let deadline = subscription.machine.deadline
            if deadline <= now {
                due.append(id)
            } else if next.map({ deadline < $0 }) ?? true {
                next = deadline
            }
        }
        return (due.sorted(), next)
    }
}
