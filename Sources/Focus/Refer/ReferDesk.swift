import MediaMixer
import SIP

/// The subscriptions to outcomes of REFERs, by the dialogs they came within, and by the NOTIFYs that are under way.
struct ReferDesk: Sendable {
    /// One subscription; never reused in the life of the process.
    struct Key: Sendable, Hashable {
        let number: UInt64
    }

    struct Report: Sendable {
        let dialog: DialogReference
        /// Who asked, for limits and for requests within the dialog.
        let caller: Caller
        let room: RoomAddress
        /// Of the REFER.
        let sequence: UInt32
        /// The Contact of our requests within the dialog.
        let contact: String
        var machine: ReferMachine
        /// The NOTIFY that has no answer yet.
        fileprivate(set) var exchange: Exchange?
    }

    private var reports: [Key: Report] = [:]
    private var keys: [DialogReference: [Key]] = [:]
    private var exchanges: [Exchange: Key] = [:]
    private var perAccount: [String: Int] = [:]
    /// Dialogs that had a REFER before: later ones need ids (RFC 3515 section 2.4.6).
    private var used: Set<DialogReference> = []
    private var lastKey: UInt64 = 0

    var count: Int { reports.count }
    var allKeys: [Key] { Array(reports.keys) }

    subscript(_ key: Key) -> Report? { reports[key] }

    /// The name of the limit that one more subscription of the account would break.
    func limit(for account: String, _ limits: DialConfiguration.Limits) -> String? {
        if reports.count >= limits.reports { return "reports" }
        return perAccount[account, default: 0] >= limits.reportsPerAccount ? "reportsPerAccount" : nil
    }

    mutating func open(
        in dialog: DialogReference, caller: Caller, room: RoomAddress, sequence: UInt32, contact: String,
        deadline: ContinuousClock.Instant
    ) -> Key {
        lastKey &+= 1
        let key = Key(number: lastKey)
        let isFirst = used.insert(dialog).inserted
        reports[key] = Report(
            dialog: dialog, caller: caller, room: room, sequence: sequence, contact: contact,
            machine: ReferMachine(event: EventName("refer", id: isFirst ? nil : "\(sequence)"), deadline: deadline))
        keys[dialog, default: []].append(key)
        perAccount[caller.account, default: 0] += 1
        return key
    }

    /// The subscription that a SUBSCRIBE within the dialog means: that of the REFER whose CSeq is its id, or without
    /// an id the only one, or the first.
    func find(in dialog: DialogReference, id: String?) -> Key? {
        let keys = keys[dialog] ?? []
        guard let id else { return keys.first }
        return keys.first { reports[$0].map { "\($0.sequence)" == id } ?? false }
    }

    /// Who made a dialog by a REFER that is still being reported about.
    func caller(of dialog: DialogReference) -> Caller? { keys[dialog]?.first.flatMap { reports[$0]?.caller } }

    /// Whether a dialog has subscriptions of this kind.
    func uses(_ dialog: DialogReference) -> Bool { keys[dialog] != nil }

    /// Changes a subscription's state; nil when there is none.
    mutating func change<R>(_ key: Key, _ body: (inout ReferMachine) -> R) -> R? {
        guard var machine = reports[key]?.machine else { return nil }
        let result = body(&machine)
        reports[key]?.machine = machine
        return result
    }

    mutating func sent(_ exchange: Exchange, for key: Key) {
        exchanges[exchange] = key
        reports[key]?.exchange = exchange
    }

    /// Whose NOTIFY it was; forgotten when the answer is final.
    mutating func answered(_ exchange: Exchange, isFinal: Bool) -> Key? {
        isFinal ? exchanges.removeValue(forKey: exchange) : exchanges[exchange]
    }

    /// - Returns: the dialog, when nothing of this kind is left in it.
    mutating func forget(_ key: Key) -> DialogReference? {
        guard let report = reports.removeValue(forKey: key) else { return nil }
        if let exchange = report.exchange { exchanges[exchange] = nil }
        let account = report.caller.account
        perAccount[account, default: 1] -= 1
        if perAccount[account] == 0 { perAccount[account] = nil }
        keys[report.dialog]?.removeAll { $0 == key }
        guard keys[report.dialog]?.isEmpty == true else { return nil }
        keys[report.dialog] = nil
        if case .dialog = report.dialog { used.remove(report.dialog) }
        return report.dialog
    }

    /// A call is over: nobody can be told any more.
    mutating func ended(_ call: Call) {
        for key in keys[.call(call)] ?? [] { _ = forget(key) }
        used.remove(.call(call))
    }
}
