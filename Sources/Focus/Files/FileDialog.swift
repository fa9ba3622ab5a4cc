import FileSpool
import MediaMixer
import Payloads
import SIP

/// A call for a file (RFC 5547): it belongs to a room, but is nobody's part in it.
struct FileDialog: Sendable {
    var machine = InviteMachine()
    var negotiation: FileNegotiation
    let room: RoomAddress
    /// Who the peer is, as proven at the INVITE.
    var caller: Caller
    /// For the log.
    let callID: String
    /// The mixer's name for the transfer; nil while there is none, and when it was ended.
    var transfer: FileTransferID?
    /// Where requests of ours are sent instead of to the Contact.
    var route: Endpoint?
    /// Nothing is left to be transferred.
    var isDone = false
    /// A call of ours that pushes a file on.
    var isPushedOn = false
    /// Tells what there was from what there is now: the end of one transfer must not end the next.
    var transferNumber = 0

    init(negotiation: FileNegotiation, room: RoomAddress, caller: Caller, callID: String) {
        self.negotiation = negotiation
        self.room = room
        self.caller = caller
        self.callID = callID
    }
}

/// The calls for files, and what waits to be pushed on.
struct FileBook: Sendable {
    private var dialogs: [Call: FileDialog] = [:]
    private var calls: [FileTransferID: Call] = [:]
    private var perRoom: [RoomAddress: Set<Call>] = [:]
    /// INVITEs and offers that the mixer is asked about.
    private(set) var pending = 0
    /// Transfers that ended before their reservation was heard of.
    private var endedEarly: [FileTransferID: FileFailure] = [:]
    /// As rosters have them.
    var shown: [RoomAddress: [ConferenceInfo.File]] = [:]
    var pushing = FilePushDesk()

    var count: Int { dialogs.count }
    /// Calls of ours that push a file on and were taken.
    var pushedOn: Int { dialogs.values.count(where: \.isPushedOn) }
    var all: [Call] { dialogs.keys.sorted { $0.id < $1.id } }

    subscript(call: Call) -> FileDialog? {
        get { dialogs[call] }
        set {
            let before = dialogs[call]
            if let transfer = before?.transfer, transfer != newValue?.transfer { calls[transfer] = nil }
            if let transfer = newValue?.transfer { calls[transfer] = call }
            if let room = newValue?.room {
                if before == nil { perRoom[room, default: []].insert(call) }
            } else if let room = before?.room {
                perRoom[room]?.remove(call)
                if perRoom[room]?.isEmpty == true { perRoom[room] = nil }
            }
            dialogs[call] = newValue
        }
    }

    func call(of transfer: FileTransferID) -> Call? { calls[transfer] }

    /// Oldest first.
    func calls(in room: RoomAddress) -> [Call] { (perRoom[room] ?? []).sorted { $0.id < $1.id } }

    func calls(of account: String, in room: RoomAddress) -> [Call] {
        calls(in: room).filter { dialogs[$0]?.caller.account == account }
    }

    mutating func asked() { pending += 1 }

    /// The mixer has answered.
    /// - Returns: how the transfer has ended already.
    mutating func heard(of transfer: FileTransferID?) -> FileFailure? {
        pending -= 1
        let failure = transfer.flatMap { endedEarly.removeValue(forKey: $0) }
        if pending == 0 { endedEarly.removeAll() }
        return failure
    }

    /// Of a transfer that nothing is known of yet.
    mutating func ended(_ transfer: FileTransferID, _ failure: FileFailure) {
        if pending > 0 { endedEarly[transfer] = failure }
    }
}
