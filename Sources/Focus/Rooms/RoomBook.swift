import MediaMixer
import SIP

/// The rooms there are: what each one is by its configuration, what its people made of it, and whose calls are in it.
///
/// The focus's one owner of that; the mixer gets copies of what it enforces.
struct RoomBook: Sendable {
    struct Room: Sendable {
        let address: RoomAddress
        var kind: RoomKind
        var configuration: RoomConfiguration
        var condition: RoomCondition
        /// What `confd room` made of a room that is in the configuration file too: it holds again without the file.
        var storedConfiguration: RoomConfiguration?
        /// Who may see the roster (RFC 5025); nil: there is no such document.
        var policy: PolicyDocument?
        /// The account that made a room on demand.
        let maker: String?
        /// Grows with every change of any room: the mixer takes no terms that are older than those it has.
        fileprivate(set) var version: UInt64
        /// Calls of participants, from the INVITE on, by account (`user@domain`).
        fileprivate(set) var calls: [String: Set<Call>] = [:]
        /// Of all of them.
        fileprivate(set) var callCount = 0
        /// Somebody's ACK has come since the room was made.
        var wasJoined = false
        /// Which vacancy this is, if nobody is there: one that ends before its grace time does is another one later.
        fileprivate(set) var vacancy: UInt64?

        /// As people see it.
        var title: String { condition.title ?? configuration.title }
        var terms: RoomTerms { RoomTerms(configuration, condition, version: version) }
        /// What outlives the process; nil for rooms made on demand.
        var stored: StoredRoom? {
            guard kind.isStatic else { return nil }
            return StoredRoom(
                address: address, configuration: kind == .stored ? configuration : storedConfiguration,
                condition: condition)
        }

        func role(of account: String) -> RoomCondition.Role {
            RoomPolicy.role(of: account, in: configuration, condition)
        }
    }

    private var rooms: [RoomAddress: Room] = [:]
    /// Whatever is made or changed from now on has a larger one.
    private(set) var lastVersion: UInt64 = 0
    /// Addresses of rooms that the store is being given, so that nobody adds one twice meanwhile.
    var beingAdded: Set<RoomAddress> = []
    /// Addresses of rooms that the store is forgetting.
    var beingRemoved: Set<RoomAddress> = []

    /// The rooms of the configuration file, before anybody has changed them.
    init(_ configuration: FocusConfiguration) {
        for room in configuration.rooms {
            open(room, kind: .file, condition: configuration.conditions[room.address] ?? RoomCondition())
        }
    }

    var count: Int { rooms.count }
    var all: some Collection<Room> { rooms.values }

    subscript(_ address: RoomAddress) -> Room? { rooms[address] }

    /// Makes a room, or gives one that is there another kind, configuration and condition.
    @discardableResult
    mutating func open(
        _ configuration: RoomConfiguration, kind: RoomKind, condition: RoomCondition = RoomCondition(),
        policy: PolicyDocument? = nil, maker: String? = nil
    ) -> Room {
        let address = configuration.address
        lastVersion &+= 1
        var room =
            rooms[address]
            ?? Room(
                address: address, kind: kind, configuration: configuration, condition: condition, maker: maker,
                version: lastVersion)
        room.kind = kind
        room.configuration = configuration
        room.condition = condition
        room.policy = policy
        room.version = lastVersion
        rooms[address] = room
        return room
    }

    /// Changes a room; nil when there is none.
    @discardableResult
    mutating func change(_ address: RoomAddress, _ body: (inout Room) -> Void) -> Room? {
        guard var room = rooms[address] else { return nil }
        body(&room)
        lastVersion &+= 1
        room.version = lastVersion
        rooms[address] = room
        return room
    }

    @discardableResult
    mutating func close(_ address: RoomAddress) -> Room? { rooms.removeValue(forKey: address) }

    // MARK: Who is there

    mutating func enter(_ call: Call, account: String, room address: RoomAddress) {
        guard rooms[address]?.calls[account, default: []].insert(call).inserted == true else { return }
        rooms[address]?.callCount += 1
        rooms[address]?.vacancy = nil
    }

    /// False when the call was not in the room.
    mutating func leave(_ call: Call, account: String, room address: RoomAddress) -> Bool {
        guard rooms[address]?.calls[account]?.remove(call) != nil else { return false }
        if rooms[address]?.calls[account]?.isEmpty == true { rooms[address]?.calls[account] = nil }
        rooms[address]?.callCount -= 1
        if rooms[address]?.callCount == 0 {
            lastVersion &+= 1
            rooms[address]?.vacancy = lastVersion
        }
        return true
    }

    mutating func noteJoined(_ address: RoomAddress) { rooms[address]?.wasJoined = true }
}

/// Where a room comes from, which says how it ends.
package enum RoomKind: String, Sendable, Codable, CaseIterable {
    /// A `[Room]` section of the configuration file.
    case file
    /// `confd room add`.
    case stored
    /// The first INVITE to its address.
    case adhoc
    /// An INVITE to the conference factory (RFC 4579 section 5.4).
    case factory

    /// Outlives its participants and the process.
    package var isStatic: Bool { self == .file || self == .stored }
}
