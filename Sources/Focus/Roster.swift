package import MediaMixer

/// Who is in which room, as the mixer's events tell it: pending and joined, with media and without.
///
/// It is the focus's one model of the conference; conference-info documents are made from it later (RFC 4575).
package struct Roster: Sendable {
    package struct Entry: Sendable, Equatable {
        package var uri: String
        package var displayName: String?
        package var nickname: String?
        package var media: Media

        package init(uri: String, displayName: String?, nickname: String?, media: Media) {
            self.uri = uri
            self.displayName = displayName
            self.nickname = nickname
            self.media = media
        }
    }

    package enum Media: Sendable, Equatable {
        /// Joined, and the MSRP session not yet bound.
        case awaited
        case active
        /// The connection is gone, the grace period runs.
        case lost
    }

    package enum Change: Sendable, Equatable {
        case arrived(RoomAddress)
        case changed(RoomAddress)
        case departed(RoomAddress)
    }

    private var rooms: [RoomAddress: [MemberID: Entry]] = [:]

    package init() {}

    package var roomCount: Int { rooms.count }

    /// The participants of a room. One user with two devices is there twice.
    package func entries(of room: RoomAddress) -> [Entry] {
        (rooms[room] ?? [:]).sorted { $0.key.number < $1.key.number }.map(\.value)
    }

    /// Nil when others see no difference.
    package mutating func apply(_ event: MemberEvent) -> Change? {
        let member = event.member
        switch event {
        case .joined:
            let entry = Entry(
                uri: member.uri, displayName: member.displayName, nickname: member.nickname,
                media: member.isMediaActive ? .active : .awaited)
            return rooms[member.room, default: [:]].updateValue(entry, forKey: member.id) == nil
                ? .arrived(member.room) : nil
        case .mediaActive:
            return set(.active, of: member)
        case .mediaLost:
            return set(.lost, of: member)
        case .nicknameChanged:
            guard rooms[member.room]?[member.id] != nil else { return nil }
            rooms[member.room]?[member.id]?.nickname = member.nickname
            return .changed(member.room)
        case .left, .ended:
            guard rooms[member.room]?.removeValue(forKey: member.id) != nil else { return nil }
            if rooms[member.room]?.isEmpty == true { rooms[member.room] = nil }
            return .departed(member.room)
        }
    }

    private mutating func set(_ media: Media, of member: MemberSnapshot) -> Change? {
        guard let entry = rooms[member.room]?[member.id], entry.media != media else { return nil }
        rooms[member.room]?[member.id]?.media = media
        return .changed(member.room)
    }
}
