internal import Focus
internal import MediaMixer

/// What `confd room` is to do: the running server does it, or `RoomLedger` on the database.
enum RoomOrder: Codable, Sendable, Equatable {
    case list
    case show(RoomAddress)
    case add(RoomConfiguration, RoomChange.Words)
    case set(RoomAddress, RoomChange)
    case remove(RoomAddress)
    /// Accounts are `user@domain`.
    case kick(RoomAddress, account: String, reason: String?)
    /// The ban's account may be `*@domain`, too.
    case ban(RoomAddress, RoomCondition.Ban)
    case unban(RoomAddress, account: String)
    case mute(RoomAddress, account: String, isMuted: Bool)
    case lock(RoomAddress, isLocked: Bool)
    /// Nil: the role that the room's configuration gives.
    case role(RoomAddress, account: String, RoomCondition.Role?)
    case close(RoomAddress)
    case policy(RoomAddress, RoomPolicyOrder)
    /// See to it that all that was said is in the database.
    case history(RoomAddress)
    /// Forget what was said before that time (milliseconds since 1970); nil: all.
    case purge(RoomAddress, before: Int64?)

    /// Without a server nobody is in a room, so there is nothing to do.
    var needsServer: Bool {
        switch self {
        case .kick, .close: true
        default: false
        }
    }
}

/// What came of a `RoomOrder`.
struct RoomAnswer: Codable, Sendable, Equatable {
    var rooms: [RoomSummary]?
    var details: RoomDetails?
    /// How many calls were ended.
    var ended: Int?
    /// Of `policy`: the room's document as it is now, empty when there is none.
    var policy: String?
    /// How many messages were removed.
    var purged: Int?
}

/// Why a `RoomOrder` was not done, worded for whoever gave it.
struct RoomFailure: Error, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }

    init(_ error: RoomCommandError, _ order: RoomOrder) {
        let room = order.room.map { "\($0)" } ?? ""
        description =
            switch error {
            case .noSuchRoom: "there is no room \(room); 'confd room list' shows those that are there"
            case .exists: "the room \(room) exists already; 'confd room set \(room)' changes it"
            case .notServed:
                "\(room) can't be a room here: its domain is none that the server serves ([SIP] domains), or its name is "
                    + "none that a room may have"
            case .isFactory:
                "\(room) is the conference factory: a call there makes a new room. Take another name, or change "
                    + "'factory' in [Conference]"
            case .inConfigurationFile:
                "the room \(room) is in the configuration file; change its section [Room \(room)] and reload (SIGHUP)"
            case .noSuchParticipant:
                switch order {
                case .unban(_, let account): "\(account) is not banned from \(room)"
                default: "\(order.account ?? "nobody of that name") is not in \(room)"
                }
            case .isOwner:
                "\(order.account ?? "") is an owner of \(room), whom no ban holds; take the role away first: "
                    + "'confd room role \(room) \(order.account ?? "") participant'"
            case .notKept(let reason): "it can't be kept: \(reason)"
            }
    }
}

extension RoomOrder {
    /// The one whom it is about; may be a pattern.
    var account: String? {
        switch self {
        case .kick(_, let account, _), .unban(_, let account), .mute(_, let account, _), .role(_, let account, _):
            account
        case .ban(_, let ban): ban.account
        default: nil
        }
    }

    /// The one whom it is about from now on.
    var namedAccount: String? { if case .unban = self { nil } else { account } }

    /// The room it is about; nil: all.
    var room: RoomAddress? {
        switch self {
        case .list: nil
        case .add(let configuration, _): configuration.address
        case .show(let room), .set(let room, _), .remove(let room), .kick(let room, _, _), .ban(let room, _),
            .unban(let room, _), .mute(let room, _, _), .lock(let room, _), .role(let room, _, _), .close(let room),
            .policy(let room, _), .history(let room), .purge(let room, _):
            room
        }
    }
}
