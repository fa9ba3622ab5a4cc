import Logging
import MediaMixer

/// Rooms that outlive the process, and the configuration file's.
extension Focus {
    /// Opens what the store has; rooms made on demand that a crash left there are forgotten.
    /// - Throws: the store's error.
    func restoreRooms() async throws {
        guard let store = keeper?.store else { return }
        for stored in try await store.rooms() { restore(stored) }
        try await store.removeLeftovers(keeping: Set(rooms.all.map(\.address)))
        for room in rooms.all {
            let policy = try await store.policy(of: room.address)
            rooms.change(room.address) { $0.policy = policy }
        }
        if rooms.count > 0 { logger.info("rooms are open", metadata: ["rooms": "\(rooms.count)"]) }
    }

    /// The configuration file's word about what a room is comes before the store's, the store's about its condition
    /// before the file's.
    private func restore(_ stored: StoredRoom) {
        if rooms[stored.address] != nil {
            let room = rooms.change(stored.address) {
                $0.condition = stored.condition
                $0.storedConfiguration = stored.configuration
            }
            if let room { mixer.open(room.terms) }
        } else if let configuration = stored.configuration, configuration.address == stored.address {
            mixer.open(rooms.open(configuration, kind: .stored, condition: stored.condition).terms)
        }
    }

    /// The configuration file was read again.
    func takeRooms() async {
        let named = Dictionary(configuration.rooms.map { ($0.address, $0) }) { first, _ in first }
        var stored: [RoomAddress: StoredRoom] = [:]
        let isChanged =
            named.keys.contains { rooms[$0]?.kind != .file }
            || rooms.all.contains { $0.kind == .file && named[$0.address] == nil }
        if isChanged, let store = keeper?.store {
            do {
                for room in try await store.rooms() { stored[room.address] = room }
            } catch {
                logger.error("what was kept of rooms can't be read", metadata: ["error": "\(error)"])
            }
        }
        for room in rooms.all where room.kind == .file && named[room.address] == nil {
            dismiss(room, stored[room.address])
        }
        for (address, wanted) in named {
            if let room = rooms[address] {
                guard room.kind != .file || room.configuration != wanted else { continue }
                changed(
                    rooms.change(address) {
                        if $0.kind == .stored { $0.storedConfiguration = $0.configuration }
                        $0.configuration = wanted
                        $0.kind = .file
                        if let kept = stored[address]?.condition { $0.condition = kept }
                    })
            } else {
                let condition = stored[address]?.condition ?? configuration.conditions[address] ?? RoomCondition()
                mixer.open(rooms.open(wanted, kind: .file, condition: condition).terms)
                rooms.change(address) { $0.storedConfiguration = stored[address]?.configuration }
                await policyChanged(address)
            }
        }
    }

    /// A room that the file no longer names: the store's again, or gone when its last participant has left.
    private func dismiss(_ room: RoomBook.Room, _ stored: StoredRoom?) {
        if let configuration = stored?.configuration ?? room.storedConfiguration {
            changed(
                rooms.change(room.address) {
                    $0.kind = .stored
                    $0.configuration = configuration
                })
        } else if room.callCount > 0 {
            rooms.change(room.address) { $0.kind = .adhoc }
        } else {
            closeRoom(room, reason: "", why: "no longer in the configuration")
        }
    }
}
