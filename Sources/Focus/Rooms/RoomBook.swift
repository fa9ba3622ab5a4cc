package import MediaMixer
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
        /// The account that made a room on demand.
        let maker: String?
        /// Which one this is of all states of all rooms: the mixer takes none that is older than what it has.
        fileprivate(set) var version: UInt64
        /// Calls of participants, from the INVITE on, by account (`user@domain`).
        fileprivate(set) var calls: [String: Set<Call>] = [:]
        /// Of all of them.
        fileprivate(set) var callCount = 0
        /// Nobody is there, and a room made on demand ends when the grace time does that began with this version.
        var emptySince: UInt64?

        /// As people see it.
        var title: String { condition.title ?? configuration.title }
    }

    private var rooms: [RoomAddress: Room] = [:]
    private var lastVersion: UInt64 = 0

    var count: Int { rooms.count }
    var addresses: [RoomAddress] { Array(rooms.keys) }
    var all: some Collection<Room> { rooms.values }

    subscript(_ address: RoomAddress) -> Room? { rooms[address] }

    /// Makes a room, or gives one that is there another kind, configuration and condition.
    @discardableResult
    mutating func open(
        _ configuration: RoomConfiguration, kind: RoomKind, condition: RoomCondition = RoomCondition(),
        maker: String? = nil
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
        rooms[address]?.emptySince = nil
    }

    /// True when this was the last call in the room.
    mutating func leave(_ call: Call, account: String, room address: RoomAddress) -> Bool {
        guard rooms[address]?.calls[account]?.remove(call) != nil else { return false }
        if rooms[address]?.calls[account]?.isEmpty == true { rooms[address]?.calls[account] = nil }
        rooms[address]?.callCount -= 1
        return rooms[address]?.callCount == 0
    }
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
