import Payloads
import SIP

/// Who is in the room, as the server's notifications tell it (RFC 4575), and what has changed for somebody who watches.
package struct ChatRoster: Sendable {
    package struct Person: Equatable, Sendable {
        package var uri: String
        package var displayName: String?
        package var nickname: String?
        /// Such as `moderator`; `participant` goes without saying.
        package var roles: [String] = []
        package var presence: Presence

        /// The name to call somebody by; never one that could steer a terminal.
        package var name: String {
            let user = SIPURI(uri)?.user
            return (nickname ?? displayName ?? user ?? uri).withoutControls(keepingLines: false)
        }
    }

    package enum Presence: Equatable, Sendable {
        case here
        case onHold
        /// Hears, and is not heard.
        case muted
        /// Asked to come: called, ringing, or about to join.
        case expected(String)
        /// Not here any more, or never was.
        case gone(Departure)

        var isHere: Bool {
            switch self {
            case .here, .onHold, .muted: true
            case .expected, .gone: false
            }
        }
    }

    package enum Departure: String, Sendable {
        case departed, booted, failed, busy
    }

    package enum Change: Equatable, Sendable {
        case arrived(Person)
        case left(Person, Departure)
        case expected(Person)
        case notReached(Person, Departure)
        case renamed(Person, from: String)
        case subject(String)
        case title(String)
    }

    /// Who somebody means by a name.
    package enum Match: Equatable, Sendable {
        case none
        case one(Person)
        case several([Person])
    }

    package enum Outcome: Equatable, Sendable {
        case first
        case changed([Change])
        /// Ask for the whole again.
        case incomplete
        case ended
        /// Not newer, or nothing that can be read.
        case ignored
    }

    /// As many people as a room can have; the octets are bounded by the stack.
    private static let limits = XMLLimits(octets: 4 << 20, elements: 200_000)

    private var tracker = ConferenceTracker()
    package private(set) var people: [Person] = []
    package private(set) var subject: String?
    package private(set) var title: String?
    /// What can be had from the room, as far as the server tells it here.
    package private(set) var files: [RoomFile] = []

    package init() {}

    /// Nil before the first whole document.
    package var isKnown: Bool { tracker.info != nil }

    /// Who is in the room, in the server's order.
    package var present: [Person] { people.filter(\.presence.isHere) }

    package mutating func receive(_ document: [UInt8]) -> Outcome {
        guard let document = try? ConferenceInfo(parsing: document, limits: Self.limits) else { return .ignored }
        let isFirst = !isKnown
        switch tracker.receive(document) {
        case .ignored: return .ignored
        case .needsFullState: return .incomplete
        case .ended: return .ended
        case .updated: break
        }
        guard let info = tracker.info else { return .ignored }
        let before = self
        people = (info.users?.list ?? []).map { Person($0) }
        subject = info.description?.subject.flatMap { $0.isEmpty ? nil : $0.withoutControls(keepingLines: false) }
        title = info.description?.displayText.flatMap { $0.isEmpty ? nil : $0.withoutControls(keepingLines: false) }
        files = (info.description?.files ?? []).prefix(RoomFiles.maximum).compactMap(RoomFile.init)
        return isFirst ? .first : .changed(changes(since: before))
    }

    /// Somebody by nickname, display name, address or its user part, as it is written or else whatever its letters' case is.
    package func find(_ who: String) -> Match {
        let candidates = people.filter(\.presence.isListed)
        for isExact in [true, false] {
            let found = candidates.filter { $0.isCalled(who, isExact: isExact) }
            if let first = found.first { return found.count == 1 ? .one(first) : .several(found) }
        }
        return .none
    }

    /// Who has this address; port and parameters aside.
    package func person(at uri: String) -> Person? {
        if let exact = people.first(where: { $0.uri == uri }) { return exact }
        guard let uri = SIPURI(uri) else { return nil }
        return people.first { SIPURI($0.uri).map { uri.isSamePerson(as: $0) } ?? false }
    }

    private func changes(since before: ChatRoster) -> [Change] {
        var changes: [Change] = []
        let known = Dictionary(before.people.map { ($0.uri, $0) }) { first, _ in first }
        for person in people {
            let old = known[person.uri]
            let wasHere = old?.presence.isHere ?? false
            switch person.presence {
            case .here, .onHold, .muted:
                if !wasHere { changes.append(.arrived(person)) }
                if let old, wasHere, old.name != person.name { changes.append(.renamed(person, from: old.name)) }
            case .expected:
                guard old?.presence != person.presence else { break }
                if wasHere { changes.append(.left(person, .departed)) }
                changes.append(.expected(person))
            case .gone(let departure):
                if wasHere {
                    changes.append(.left(person, departure))
                } else if case .expected? = old?.presence, departure == .failed || departure == .busy {
                    changes.append(.notReached(person, departure))
                }
            }
        }
        let now = Set(people.map(\.uri))
        for person in before.people where person.presence.isHere && !now.contains(person.uri) {
            changes.append(.left(person, .departed))
        }
        if title != before.title { changes.append(.title(title ?? "")) }
        if subject != before.subject { changes.append(.subject(subject ?? "")) }
        return changes
    }
}

extension ChatRoster.Person {
    fileprivate func isCalled(_ who: String, isExact: Bool) -> Bool {
        if let address = SIPURI(who), SIPURI(uri).map({ address.isSamePerson(as: $0) }) ?? (uri == who) { return true }
        let names = [nickname, displayName, SIPURI(uri)?.user, uri.drop { $0 != ":" }.dropFirst().description, uri]
        return names.contains { name in
            guard let name else { return false }
            return isExact ? name == who : name.lowercased() == who.lowercased()
        }
    }

    init(_ user: ConferenceInfo.User) {
        uri = user.entity.withoutControls(keepingLines: false)
        displayName = user.displayText.flatMap { $0.isEmpty ? nil : $0 }
        nickname = user.nickname.flatMap { $0.isEmpty ? nil : $0 }
        roles = user.roles.filter { $0 != "participant" }.map { $0.withoutControls(keepingLines: false) }
        // The device that takes part the most says what its user does.
        presence =
            user.endpoints.map { ChatRoster.Presence($0) }.max { $0.rank < $1.rank }
            ?? (user.endpoints.isEmpty ? .here : .gone(.departed))
    }
}

extension ChatRoster.Presence {
    fileprivate init(_ endpoint: ConferenceInfo.Endpoint) {
        switch endpoint.status {
        case .connected, nil: self = .here
        case .onHold: self = .onHold
        case .mutedViaFocus: self = .muted
        case .pending, .dialingOut, .dialingIn, .alerting:
            self = .expected(endpoint.status?.rawValue ?? "")
        case .disconnecting, .disconnected:
            self = .gone(endpoint.disconnectionMethod.flatMap { .init(rawValue: $0.rawValue) } ?? .departed)
        }
    }

    fileprivate var rank: Int {
        switch self {
        case .here: 4
        case .muted: 3
        case .onHold: 2
        case .expected: 1
        case .gone: 0
        }
    }
}
