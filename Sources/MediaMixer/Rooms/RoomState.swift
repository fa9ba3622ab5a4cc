import MSRP
import NIOCore

/// Who is in a room, by which names, and under which nickname. A value: the room asks it and does what it says.
struct RoomState: Sendable {
    /// Who somebody is, as far as others may know.
    struct Person: Sendable {
        let uri: String
        /// Other URIs by which it is known; none for who hides its name.
        var aliases: [String] = []
        var displayName: String?
        /// The same for all devices of one user; of those who hide their name, too, since nobody is shown it.
        var account = ""
    }

    private struct Entry {
        let names: [ParticipantURI]
        let user: String
        /// What others must not call themselves: its display name, its user part, its address.
        let claims: [String]
        var nickname: Nickname?
        /// Of `claims`, made when they are first asked for.
        var claimed: [Nickname]?
    }

    /// A nickname whose user has left (RFC 7701 sections 4 and 11).
    private struct Released {
        let nickname: Nickname
        let user: String
        let until: NIODeadline
    }

    /// Nicknames held back for users who have left; with more the oldest one is free.
    static let mostReleased = 1024

    private let quarantine: TimeAmount
    private var entries: [MemberID: Entry] = [:]
    private var named: [ParticipantURI: [MemberID]] = [:]
    private var released: [Released] = []

    init(quarantine: TimeAmount = .zero) { self.quarantine = quarantine }

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    mutating func add(_ member: MemberID, uri: String, replacing replaced: MemberID? = nil) {
        add(member, Person(uri: uri), replacing: replaced)
    }

    /// - Parameter replaced: another session of the same participant, whose nickname it takes over.
    mutating func add(_ member: MemberID, _ person: Person, replacing replaced: MemberID? = nil) {
        let uri = ParticipantURI(person.uri)
        let user = person.account.isEmpty ? person.uri : person.account
        var names = [uri]
        for alias in person.aliases.map({ ParticipantURI($0) }) where !names.contains(alias) { names.append(alias) }
        let address = uri.host.isEmpty ? uri.user : "\(uri.user)@\(uri.host)"
        let former = replaced.flatMap { entries[$0] }
        entries[member] = Entry(
            names: names, user: user, claims: [person.displayName, uri.user, address, person.uri].compactMap { $0 },
            nickname: former?.user == user && former?.names.first == uri ? former?.nickname : nil)
        for name in names { named[name, default: []].append(member) }
    }

    func nickname(of member: MemberID) -> String? { entries[member]?.nickname?.text }

    mutating func remove(_ member: MemberID, now: NIODeadline = .uptimeNanoseconds(0)) {
        guard let entry = entries.removeValue(forKey: member) else { return }
        for name in entry.names {
            named[name]?.removeAll { $0 == member }
            if named[name]?.isEmpty == true { named[name] = nil }
        }
        guard let nickname = entry.nickname, quarantine > .zero else { return }
        forgetReleased(now: now)
        if released.count >= Self.mostReleased { released.removeFirst() }
        released.append(Released(nickname: nickname, user: entry.user, until: now + quarantine))
    }

    /// All sessions of a participant (RFC 7701 section 6.2), but for the sender's own.
    func members(named uri: String, except sender: MemberID) -> [MemberID] {
        named[ParticipantURI(uri)]?.filter { $0 != sender } ?? []
    }

    /// Whether anybody here has this URI.
    func contains(_ uri: String) -> Bool { named[ParticipantURI(uri)] != nil }

    /// Other sessions of the same participant.
    func devices(besides member: MemberID) -> [MemberID] {
        guard let uri = entries[member]?.names.first else { return [] }
        return named[uri]?.filter { $0 != member } ?? []
    }

    // MARK: Nicknames

    enum NicknameOutcome: Equatable {
        case set(String?)
        /// Nothing is different.
        case unchanged
        case refuse(Status)
    }

    /// A NICKNAME request (RFC 7701 section 7.1): free for one user at a time. Its other sessions may ask for the same,
    /// but don't get it by themselves.
    /// - Parameters:
    ///   - requested: nil: malformed.
    ///   - reserved: nobody's.
    mutating func requestNickname(
        _ requested: Nickname?, for member: MemberID, reserved: [Nickname] = [],
        now: NIODeadline = .uptimeNanoseconds(0)
    ) -> NicknameOutcome {
        guard let entry = entries[member] else { return .refuse(.noSuchSession) }
        guard let requested else { return .refuse(.malformedNickname) }
        guard !requested.text.isEmpty else {
            entries[member]?.nickname = nil
            return entry.nickname == nil ? .unchanged : .set(nil)
        }
        forgetReleased(now: now)
        if reserved.contains(where: requested.isLike) || isTaken(requested, by: entry.user) {
            return .refuse(.nicknameUnavailable)
        }
        released.removeAll { $0.user == entry.user && $0.nickname.key == requested.key }
        entries[member]?.nickname = requested
        return entry.nickname?.text == requested.text ? .unchanged : .set(requested.text)
    }

    private mutating func isTaken(_ requested: Nickname, by user: String) -> Bool {
        if released.contains(where: { $0.user != user && requested.isLike($0.nickname) }) { return true }
        for (member, entry) in entries where entry.user != user {
            if let nickname = entry.nickname, requested.isLike(nickname) { return true }
            if entry.claimed == nil { entries[member]?.claimed = entry.claims.compactMap { Nickname(enforcing: $0) } }
            if entries[member]?.claimed?.contains(where: requested.isLike) == true { return true }
        }
        return false
    }

    private mutating func forgetReleased(now: NIODeadline) { released.removeAll { $0.until <= now } }
}
