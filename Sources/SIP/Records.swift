/// What the stack knows of a call.
final class CallRecord {
    enum Phase: Equatable {
        /// A peer's INVITE that has no final response yet.
        case incoming
        /// A 2xx has been sent, its ACK has not come.
        case accepted
        /// An INVITE of ours that has no final response yet.
        case calling
        /// A 2xx has come, we have not sent the ACK.
        case answered
        case established
        /// BYE or CANCEL is on its way, or a final response other than 2xx.
        case ending
    }

    /// A refresh of the session that the stack itself does (RFC 4028 section 7.4).
    enum Refresh: Equatable { case none, update, invite }

    let call: Call
    let pointer: OpaquePointer
    /// Ours, as requests of ours within the call show it; nil: the listener's address.
    var contact: String?
    var phase: Phase
    var ending: Ending?
    /// Requests of the peer within this call that wait for our answer.
    var transactions: [UInt64] = []
    /// A BYE that waits for the ACK (RFC 3261 section 15).
    var postponedBye: [HeaderField]?
    /// Whether the peer's Allow lists UPDATE; an answer 405 or 501 to one takes it back.
    var allowsUpdate = false
    /// The session timer, and the one that an answer on its way will start.
    var sessionTimer: SessionTimer?
    var sessionDeadline: SIPTimer?
    var refresh = Refresh.none
    /// Our last SDP, which a refresh by INVITE repeats unchanged.
    var localDescription: MessageBody?

    init(call: Call, pointer: OpaquePointer, phase: Phase) {
        self.call = call
        self.pointer = pointer
        self.phase = phase
    }

    func learn(from headers: HeaderFields) {
        guard headers.contains("Allow") else { return }
        allowsUpdate = headers.contains("Allow", token: "UPDATE")
    }
}

/// A request of a peer that waits for our answer.
struct TransactionRecord {
    enum Kind: Equatable { case invite, reinvite, update, other(method: String) }

    let pointer: OpaquePointer
    let kind: Kind
    let call: Call?
    /// Of a dialog without call; 0: it came within none.
    var dialog: UInt64 = 0
    /// What a 2xx says about session timers.
    var sessionTimer: (timer: SessionTimer, headers: [HeaderField])?
}

/// A request of ours outside of calls.
struct ExchangeRecord {
    /// Someone waits for the final response; otherwise it goes to the handler.
    let continuation: CheckedContinuation<Response, Never>?

    func finish(_ response: Response) { continuation?.resume(returning: response) }
}

/// A dialog that no INVITE made.
struct DialogRecord {
    enum Origin {
        /// A SUBSCRIBE or REFER of the peer.
        case accepted(contact: String)
        /// A REFER of ours.
        case sent(Exchange)

        var contact: String? { if case .accepted(let contact) = self { contact } else { nil } }
    }

    let pointer: OpaquePointer
    let origin: Origin
}

/// REFERs of ours whose NOTIFYs may still come, the oldest first.
struct Referrals {
    /// How long NOTIFYs are waited for: as long as an invited person may let it ring.
    static let life = Duration.seconds(300)

    private(set) var dialogs: [Exchange: UInt64] = [:]
    private var order: [Exchange] = []

    /// - Returns: the dialog that has to go for it.
    mutating func add(_ exchange: Exchange, _ dialog: UInt64, limit: Int) -> UInt64? {
        dialogs[exchange] = dialog
        order.append(exchange)
        if order.count > 2 * limit + 16 { order.removeAll { dialogs[$0] == nil } }
        guard dialogs.count > limit else { return nil }
        while !order.isEmpty {
            if let oldest = dialogs.removeValue(forKey: order.removeFirst()) { return oldest }
        }
        return nil
    }

    mutating func remove(_ exchange: Exchange) -> UInt64? { dialogs.removeValue(forKey: exchange) }
}

/// The Call-ID, From tag and CSeq of a request that was challenged.
struct RequestIdentity {
    let callID: String
    let fromTag: String
    let sequence: UInt32
}

/// Requests that were challenged, for their successors.
struct Challenges<Key: Hashable> {
    typealias Identity = RequestIdentity

    /// Challenges of which nobody makes use are forgotten beyond this number.
    private let limit = 256

    private var identities: [Key: Identity] = [:]
    private var order: [Key] = []

    mutating func note(_ key: Key, _ response: Response) {
        guard let tag = response.from?.tag, !response.callID.isEmpty else { return }
        let sequence = UInt32(response.headers["CSeq"]?.prefix(while: { $0 != " " }) ?? "") ?? 1
        if identities.updateValue(.init(callID: response.callID, fromTag: tag, sequence: sequence), forKey: key) == nil
        {
            order.append(key)
        }
        if order.count > limit { identities[order.removeFirst()] = nil }
    }

    func identity(of key: Key) -> Identity? { identities[key] }
}
