import MSRP

/// Who is in a room and under which nickname. A value: the room asks it and does what it says.
struct RoomState: Sendable {
    private struct Entry {
        let uri: ParticipantURI
        var nickname: String?
    }

    private var entries: [MemberID: Entry] = [:]

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    /// - Parameter replaced: another session of the same participant, whose nickname it takes over.
    mutating func add(_ member: MemberID, uri: String, replacing replaced: MemberID? = nil) {
        let uri = ParticipantURI(uri)
        let former = replaced.flatMap { entries[$0] }
        entries[member] = Entry(uri: uri, nickname: former?.uri == uri ? former?.nickname : nil)
    }

    func nickname(of member: MemberID) -> String? { entries[member]?.nickname }

    mutating func remove(_ member: MemberID) {
        entries[member] = nil
    }

    /// All sessions of a participant (RFC 7701 section 6.2), but for the sender's own.
    func members(named uri: String, except sender: MemberID) -> [MemberID] {
        let wanted = ParticipantURI(uri)
        return entries.filter { $0.key != sender && $0.value.uri == wanted }.map(\.key)
    }

    /// Whether anybody here has this URI.
    func contains(_ uri: String) -> Bool {
        let wanted = ParticipantURI(uri)
        return entries.values.contains { $0.uri == wanted }
    }

    enum NicknameOutcome: Equatable {
        case set(String?)
        /// Nothing is different.
        case unchanged
        case refuse(Status)
    }

    /// A NICKNAME request (RFC 7701 section 7.1): free for one URI at a time, over all its sessions.
    mutating func requestNickname(_ requested: Nickname?, for member: MemberID) -> NicknameOutcome {
        guard let entry = entries[member] else { return .refuse(.noSuchSession) }
        guard let requested else { return .refuse(.malformedNickname) }
        guard !requested.text.isEmpty else {
            entries[member]?.nickname = nil
            return entry.nickname == nil ? .unchanged : .set(nil)
        }
        let key = requested.key
        let isTaken = entries.contains { other, value in
            other != member && value.uri != entry.uri && value.nickname.map { Nickname(text: $0).key == key } == true
        }
        if isTaken { return .refuse(.nicknameUnavailable) }
        entries[member]?.nickname = requested.text
        return entry.nickname == requested.text ? .unchanged : .set(requested.text)
    }
}
