internal import MediaMixer

/// What `confd room` is to do, for the running server or for the database.
enum RoomOrder: Codable, Sendable, Equatable {
    case list
    case show(RoomAddress)
}

/// What came of a `RoomOrder`.
struct RoomAnswer: Codable, Sendable, Equatable {
}
