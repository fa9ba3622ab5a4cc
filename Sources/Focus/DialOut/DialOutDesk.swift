import MediaMixer
import Payloads
import SIP

/// All calls of ours that have no participant yet: who waits, who is being called, and how many that may be.
struct DialOutDesk: Sendable {
    /// Everything about one call of ours.
    struct Entry: Sendable {
        let id: UInt64
        let room: RoomAddress
        let invitee: Invitee
        /// Who asked; nil: an operator.
        let caller: Caller?
        /// The value of Referred-By.
        let referredBy: String?
        /// What the invitee may know of the others: a resource list.
        let history: [UInt8]?
        let report: DialReport
        var machine: DialOut
        var digest = OutboundDigest()

        /// The session that our INVITE offers.
        var member: MemberID?
        var negotiation: MSRPNegotiation?
        var offer: [UInt8]?
        var sendsHistory: Bool
        var call: Call?
        /// Our REFERs: the one that counts is the last.
        fileprivate(set) var exchanges: [Exchange] = []
        var exchange: Exchange? { exchanges.last }
        /// Which timer counts.
        var timer: UInt64 = 0

        var account: String { invitee.account }
        fileprivate var asker: String { caller?.account ?? "" }
    }

    /// Why somebody isn't called.
    enum Refusal: Error, Sendable, Equatable {
        /// They are being called already.
        case underWay
        /// A limit of `DialConfiguration.Limits`, by its name.
        case limit(String)
    }

    private struct Place: Hashable {
        let room: RoomAddress
        let account: String
    }

    private var entries: [UInt64: Entry] = [:]
    private var queue: [UInt64] = []
    private var calls: [Call: UInt64] = [:]
    private var exchanges: [Exchange: UInt64] = [:]
    /// Whom each room calls.
    private var places: [Place: UInt64] = [:]
    private var underWayPerRoom: [RoomAddress: Int] = [:]
    private var underWayPerAccount: [String: Int] = [:]
    private var perAccount: [String: Int] = [:]
    private var addresses = DestinationRate()
    private var hosts = DestinationRate()
    private var lastID: UInt64 = 0
    private(set) var underWay = 0
    /// Places are being filled.
    var isStarting = false

    var count: Int { entries.count }
    var waiting: Int { queue.count }
    var ids: [UInt64] { entries.keys.sorted() }

    subscript(id: UInt64) -> Entry? { entries[id] }

    /// - Returns: the new entry's number.
    mutating func add(
        _ invitee: Invitee, room: RoomAddress, caller: Caller?, referredBy: String?, history: [UInt8]?,
        report: DialReport, terms: DialOut.Terms, limits: DialConfiguration.Limits, now: ContinuousClock.Instant
    ) throws(Refusal) -> UInt64 {
        let asker = caller?.account ?? ""
        let place = Place(room: room, account: invitee.account)
        if places[place] != nil { throw .underWay }
        if queue.count >= limits.waiting { throw .limit("waiting") }
        if caller != nil, perAccount[asker, default: 0] >= limits.waitingPerAccount {
            throw .limit("waitingPerAccount")
        }
        let host = invitee.host
        guard hosts.allows(host, burst: limits.burstPerHost, interval: limits.intervalPerHost, now: now) else {
            throw .limit("burstPerHost")
        }
        guard
            addresses.take(
                invitee.account, burst: limits.burstPerAddress, interval: limits.intervalPerAddress,
                limit: limits.rememberedDestinations, now: now)
        else { throw .limit("burstPerAddress") }
        guard
            hosts.take(
                host, burst: limits.burstPerHost, interval: limits.intervalPerHost,
                limit: limits.rememberedDestinations, now: now)
        else { throw .limit("rememberedDestinations") }

        lastID &+= 1
        entries[lastID] = Entry(
            id: lastID, room: room, invitee: invitee, caller: caller, referredBy: referredBy, history: history,
            report: report, machine: DialOut(terms), sendsHistory: history != nil)
        places[place] = lastID
        perAccount[asker, default: 0] += 1
        queue.append(lastID)
        return lastID
    }

    /// Those for whom there is a place now, in the order in which they came; they are under way from now on.
    mutating func startable(_ limits: DialConfiguration.Limits) -> [UInt64] {
        guard !queue.isEmpty, underWay < limits.underWay else { return [] }
        var started: [UInt64] = []
        var left: [UInt64] = []
        for (index, id) in queue.enumerated() {
            if underWay >= limits.underWay {
                left += queue[index...]
                break
            }
            guard let entry = entries[id] else { continue }
            let isFree =
                underWayPerRoom[entry.room, default: 0] < limits.underWayPerRoom
                && (entry.caller == nil
                    || underWayPerAccount[entry.asker, default: 0] < limits.underWayPerAccount)
            guard isFree else {
                left.append(id)
                continue
            }
            underWay += 1
            underWayPerRoom[entry.room, default: 0] += 1
            underWayPerAccount[entry.asker, default: 0] += 1
            started.append(id)
        }
        queue = left
        return started
    }

    /// Changes an entry's state; nil when there is none.
    mutating func change<R>(_ id: UInt64, _ body: (inout Entry) -> R) -> R? {
        guard var entry = entries.removeValue(forKey: id) else { return nil }
        let result = body(&entry)
        entries[id] = entry
        return result
    }

    @discardableResult
    mutating func remove(_ id: UInt64) -> Entry? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        places[Place(room: entry.room, account: entry.account)] = nil
        for exchange in entry.exchanges { exchanges[exchange] = nil }
        Self.release(&perAccount, entry.asker)
        if let index = queue.firstIndex(of: id) {
            queue.remove(at: index)
        } else {
            underWay -= 1
            Self.release(&underWayPerRoom, entry.room)
            Self.release(&underWayPerAccount, entry.asker)
        }
        return entry
    }

    private static func release<Key: Hashable>(_ counts: inout [Key: Int], _ key: Key) {
        counts[key, default: 1] -= 1
        if counts[key] == 0 { counts[key] = nil }
    }

    // MARK: Finding

    mutating func sent(_ call: Call, for id: UInt64) {
        calls[call] = id
        _ = change(id) { $0.call = call }
    }

    mutating func sent(_ exchange: Exchange, for id: UInt64) {
        exchanges[exchange] = id
        _ = change(id) { $0.exchanges.append(exchange) }
    }

    /// Whose INVITE that is the newest of.
    func entry(of call: Call) -> Entry? { calls[call].flatMap { entries[$0] }.flatMap { $0.call == call ? $0 : nil } }

    /// Whose REFER it was, the newest or one before.
    func entry(of exchange: Exchange) -> Entry? { exchanges[exchange].flatMap { entries[$0] } }

    /// Whom a room is calling.
    func entry(for account: String, in room: RoomAddress) -> Entry? {
        places[Place(room: room, account: account)].flatMap { entries[$0] }
    }

    func entries(in room: RoomAddress) -> [UInt64] {
        entries.values.filter { $0.room == room }.map(\.id).sorted()
    }

    /// The call is a participant's now, or is over. False: it was no call of ours.
    mutating func forget(_ call: Call) -> Bool { calls.removeValue(forKey: call) != nil }
}
