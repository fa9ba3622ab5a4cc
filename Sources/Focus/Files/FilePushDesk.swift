import FileSpool
import MediaMixer
import Payloads
import SIP

/// Calls of ours that offer a file to somebody in the room, and those that wait for a place.
struct FilePushDesk: Sendable {
    struct Push: Sendable {
        let id: UInt64
        let file: SpooledFile
        let room: RoomAddress
        /// The dialog of the participant that gets it.
        let participant: Call
        let caller: Caller
        /// Its Contact.
        let device: SIPURI
        /// Where its requests come from, if that is elsewhere.
        let route: Endpoint?
        let isTLS: Bool

        var transfer: FileTransferID?
        var negotiation: FileNegotiation?
        var call: Call?
    }

    private var queue: [Push] = []
    private var underWay: [UInt64: Push] = [:]
    private var calls: [Call: UInt64] = [:]
    private var transfers: [FileTransferID: UInt64] = [:]
    private var lastID: UInt64 = 0
    /// Dialogs of clients that don't do files, or don't want any.
    private var unwilling: Set<Call> = []

    var count: Int { underWay.count }
    var waiting: Int { queue.count }

    subscript(id: UInt64) -> Push? { underWay[id] }

    mutating func nextID() -> UInt64 {
        lastID &+= 1
        return lastID
    }

    /// False when there are too many already.
    mutating func add(_ push: Push, limit: Int) -> Bool {
        guard queue.count < limit else { return false }
        queue.append(push)
        return true
    }

    /// Those for whom there is a place now; they are under way from now on.
    mutating func startable(_ limit: Int) -> [Push] {
        let started = Array(queue.prefix(max(0, limit - underWay.count)))
        queue.removeFirst(started.count)
        for push in started { underWay[push.id] = push }
        return started
    }

    /// False when it was given up meanwhile.
    mutating func prepared(_ id: UInt64, _ transfer: FileTransferID, _ negotiation: FileNegotiation) -> Bool {
        guard underWay[id] != nil else { return false }
        underWay[id]?.transfer = transfer
        underWay[id]?.negotiation = negotiation
        transfers[transfer] = id
        return true
    }

    mutating func sent(_ call: Call, for id: UInt64) {
        underWay[id]?.call = call
        calls[call] = id
    }

    func push(of call: Call) -> Push? { calls[call].flatMap { underWay[$0] } }
    func push(of transfer: FileTransferID) -> Push? { transfers[transfer].flatMap { underWay[$0] } }

    @discardableResult
    mutating func remove(_ id: UInt64) -> Push? {
        guard let push = underWay.removeValue(forKey: id) else { return nil }
        if let call = push.call { calls[call] = nil }
        if let transfer = push.transfer { transfers[transfer] = nil }
        return push
    }

    /// Forgets what waits for the room, or all; answers with what is under way.
    mutating func withdraw(_ room: RoomAddress?) -> [Push] {
        queue.removeAll { room == nil || $0.room == room }
        return underWay.values.filter { room == nil || $0.room == room }.sorted { $0.id < $1.id }
    }

    func isUnwilling(_ participant: Call) -> Bool { unwilling.contains(participant) }
    mutating func refused(_ participant: Call) { unwilling.insert(participant) }

    /// The participant's dialog is over.
    mutating func forget(_ participant: Call) { unwilling.remove(participant) }
}
