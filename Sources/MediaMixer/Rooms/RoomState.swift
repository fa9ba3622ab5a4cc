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

    mutating func add(_ member: MemberID, uri: String) {
        entries[member] = Entry(uri: ParticipantURI(uri), nickname: nil)
    }

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

/// A nickname as it is shown, and the key that tells whether two are the same (RFC 7700 section 2.3: without case,
/// with blanks at the ends gone and those within made one).
struct Nickname: Equatable, Sendable {
    /// Octets (RFC 7701 section 7.1).
    static let longest = 1023

    let text: String

    init(text: String) { self.text = text }

    /// The value of Use-Nickname, quoted or not; nil when malformed. Empty removes the nickname (section 7.3).
    init?(header value: String) {
        var text = value
        if text.utf8.first == UInt8(ascii: "\"") {
            guard text.utf8.count >= 2, text.utf8.last == UInt8(ascii: "\"") else { return nil }
            var plain = ""
            var isEscaped = false
            for scalar in text.unicodeScalars.dropFirst().dropLast() {
                if !isEscaped, scalar == "\\" {
                    isEscaped = true
                    continue
                }
                if !isEscaped, scalar == "\"" { return nil }
                isEscaped = false
                plain.unicodeScalars.append(scalar)
            }
            if isEscaped { return nil }
            text = plain
        }
        guard text.utf8.count <= Self.longest,
            !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0 == "\u{7F}" })
        else { return nil }
        self.text = text.split(separator: " ").joined(separator: " ")
    }

    var key: String { text.lowercased() }
}
