package import MediaMixer

/// Rooms: what `confd room` made, and what people changed in static rooms.
extension EmbeddedDatabase: RoomStore {
    package func rooms() async throws(StoreError) -> [StoredRoom] { [] }

    package func save(_ room: StoredRoom) async throws(StoreError) {}

    package func remove(_ room: RoomAddress) async throws(StoreError) {}

    package func policy(of room: RoomAddress) async throws(StoreError) -> PolicyDocument? { nil }

    package func setPolicy(_ document: PolicyDocument?, of room: RoomAddress) async throws(StoreError) {}

    package func removeLeftovers(keeping rooms: Set<RoomAddress>) async throws(StoreError) {}
}
