import MediaMixer
import Payloads

/// The documents about one room, for as long as it has subscribers: what was told, and when.
///
/// A revision is one turn of telling, and the number of its documents (RFC 4575 section 5.2): each is rendered once,
/// whoever gets it.
struct RoomTelling {
    var pace = NotifyPace()
    /// Tells the timer that runs from those that ran before.
    var timer: UInt64 = 0
    private(set) var revision: UInt32 = 1
    /// Documents that were rendered.
    private(set) var rendered: UInt64 = 0
    /// What the last revision changed.
    private(set) var changes: [UInt8]?
    private var whole: [UInt8]?
    /// As told last; nil: nothing was.
    private var description: [UInt8]?
    private var state: [UInt8]?
    private var host: [UInt8]?
    /// The elements that say what the room is.
    private var words: (facts: RoomFacts, description: [UInt8], host: [UInt8])?

    typealias Roles = (String) -> RoomCondition.Role

    /// Something is to be told that the whole document must have too.
    mutating func invalidate() { whole = nil }

    /// The room as it is, for new subscribers and for those who missed something.
    ///
    /// It may hold what the next revision tells once more; that does no harm.
    mutating func wholeDocument(_ roster: inout RoomRoster, _ facts: RoomFacts, _ roles: Roles) -> [UInt8] {
        if let whole { return whole }
        if description == nil { note(roster, facts) }
        let users = roster.fragments(of: roster.order, role: roles) { $0.element(role: $1) }
        let words = words(facts)
        let document = ConferenceInfo.document(
            entity: facts.address.uri, state: .full, version: revision, description: words.description,
            hostInfo: words.host, conferenceState: facts.conferenceState(users: roster.usersInside),
            users: users)
        rendered &+= 1
        whole = document
        return document
    }

    /// Begins a new revision of what has changed. False when nothing has. Roles that have changed are in
    /// `RoomRoster.updateRoles`.
    ///
    /// - Parameter isWholeOnly: nobody gets `changes`.
    mutating func tell(
        _ roster: inout RoomRoster, _ facts: RoomFacts, _ roles: Roles, isWholeOnly: Bool
    ) -> Bool {
        let (lastDescription, lastState, lastHost) = (description, state, host)
        note(roster, facts)
        let isOther = (description != lastDescription, state != lastState, host != lastHost)
        guard roster.hasNews || isOther.0 || isOther.1 || isOther.2 else { return false }
        revision &+= 1
        whole = nil
        if isWholeOnly {
            changes = nil
            // Now, while those are in it who have left.
            _ = wholeDocument(&roster, facts, roles)
        } else {
            let changed = roster.fragments(of: roster.changedInOrder, role: roles) { $0.element(role: $1) }
            let users = changed + roster.removed.sorted().map(RosterUser.deleted)
            changes = ConferenceInfo.document(
                entity: facts.address.uri, state: .partial, version: revision,
                description: isOther.0 ? description ?? [] : [], hostInfo: isOther.2 ? host ?? [] : [],
                conferenceState: isOther.1 ? state ?? [] : [], usersState: .partial,
                users: users.isEmpty ? nil : users)
            rendered &+= 1
        }
        roster.told()
        return true
    }

    private mutating func note(_ roster: RoomRoster, _ facts: RoomFacts) {
        let words = words(facts)
        description = words.description
        host = words.host
        state = facts.conferenceState(users: roster.usersInside)
    }

    /// Rendered once, for they seldom change.
    private mutating func words(_ facts: RoomFacts) -> (description: [UInt8], host: [UInt8]) {
        if let words, words.facts == facts { return (words.description, words.host) }
        let (description, host) = (facts.description, facts.hostInfo)
        words = (facts, description, host)
        return (description, host)
    }

    /// A room of which nothing is told (RFC 5025 section 3.2.1, polite-block).
    static func neutral(_ room: RoomAddress, version: UInt32) -> [UInt8] {
        ConferenceInfo.document(
            entity: room.uri, state: .full, version: version,
            conferenceState: ConferenceInfo.ConferenceState(userCount: 0, isActive: false).xml(), users: [])
    }

    /// How many are there, and of the users only the subscriber: what a datagram takes of a large room. The list of
    /// users says that it is not all of it; the document itself is a full one where a full one was due, because a
    /// subscriber without one would ask again and again.
    static func brief(
        _ roster: inout RoomRoster, _ facts: RoomFacts, _ roles: Roles, subscriber: String, isWhole: Bool,
        version: UInt32
    ) -> [UInt8] {
        let users = roster.fragments(of: [subscriber], role: roles) { $0.element(role: $1) }
        return ConferenceInfo.document(
            entity: facts.address.uri, state: isWhole ? .full : .partial, version: version,
            description: isWhole ? facts.briefDescription : [],
            conferenceState: facts.conferenceState(users: roster.usersInside), usersState: .partial, users: users)
    }

    /// The conference has ceased to exist (RFC 4575 section 4.6).
    static func deleted(_ room: RoomAddress, version: UInt32) -> [UInt8] {
        ConferenceInfo.document(entity: room.uri, state: .deleted, version: version)
    }
}
