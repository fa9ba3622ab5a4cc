import Logging
package import MediaMixer
import SIP

/// What an operator does with rooms while the server runs (`confd room`). What a method has changed is kept when it
/// returns: a crash a moment later loses nothing.
extension Focus {
    /// All rooms, by their addresses.
    package func roomList() -> [RoomSummary] {
        rooms.all.map { room in
            RoomSummary(
                address: room.address, kind: room.kind, title: room.title, participants: room.callCount,
                isLocked: room.condition.isLocked)
        }.sorted { ($0.address.domain, $0.address.user) < ($1.address.domain, $1.address.user) }
    }

    package func roomDetails(_ address: RoomAddress) -> RoomDetails? {
        guard let room = rooms[address] else { return nil }
        let nicknames = Dictionary(roster.entries(of: address).map { ($0.uri, $0.nickname) }) { $0 ?? $1 }
        let participants = calls(in: address).compactMap { dialogs[$0] }.map { dialog in
            let caller = dialog.caller
            return RoomDetails.Participant(
                uri: caller.uri, displayName: caller.displayName, nickname: nicknames[caller.uri] ?? nil,
                role: room.role(of: caller.account),
                contact: caller.isAnonymous ? nil : dialog.device?.description,
                isMuted: room.condition.muted.contains(caller.account))
        }
        var condition = room.condition
        condition.endBans(now: wallClock())
        return RoomDetails(
            kind: room.kind, configuration: room.configuration, condition: condition, maker: room.maker,
            participants: participants)
    }

    // MARK: Static rooms

    /// Makes a static room.
    /// - Throws: `.exists`, also for a room made on demand that is there; `.notServed`; `.isFactory`; `.notKept`.
    package func addRoom(
        _ configuration: RoomConfiguration, _ condition: RoomCondition = RoomCondition()
    ) async throws(RoomCommandError) {
        let address = configuration.address
        guard resolver.resolve(SIPURI(user: address.user, host: address.domain)) == .room(address) else {
            throw .notServed
        }
        guard address.user != self.configuration.factoryName else { throw .isFactory }
        guard rooms[address] == nil, !rooms.beingAdded.contains(address) else { throw .exists }
        guard rooms.count + rooms.beingAdded.count < self.configuration.limits.rooms else {
            throw .notKept("limit rooms")
        }
        // Taken before anything is waited for: of two commands at once one makes the room.
        rooms.beingAdded.insert(address)
        defer { rooms.beingAdded.remove(address) }
        try await keeper?.saveAndWait(
            StoredRoom(address: address, configuration: configuration, condition: condition))
        // Somebody may have called meanwhile and made it: it is static from now on.
        if rooms[address] != nil {
            changed(
                rooms.change(address) {
                    $0.kind = .stored
                    $0.configuration = configuration
                    $0.condition = condition
                })
        } else {
            mixer.open(rooms.open(configuration, kind: .stored, condition: condition).terms)
        }
        logger.info("room added", metadata: ["room": "\(address)"])
    }

    /// Changes a static room's configuration, and its condition with it; its address stays.
    /// - Throws: `.noSuchRoom`, `.inConfigurationFile`, `.notKept`.
    package func setRoom(
        _ address: RoomAddress, _ change: @Sendable (inout RoomConfiguration) -> Void,
        describing: @Sendable (inout RoomCondition) -> Void = { _ in }
    ) async throws(RoomCommandError) {
        guard let room = rooms[address] else { throw .noSuchRoom }
        guard room.kind != .file else { throw .inConfigurationFile }
        var configuration = room.configuration
        change(&configuration)
        configuration.address = address
        var condition = room.condition
        describing(&condition)
        guard configuration != room.configuration || condition != room.condition else { return }
        changed(
            rooms.change(address) {
                $0.configuration = configuration
                $0.condition = condition
            })
        if configuration.subscribe != room.configuration.subscribe { subscriptionPolicyChanged(address) }
        try await keep(address)
    }

    /// Ends a room and forgets it, with its condition and policy document. Who is in it gets BYE.
    /// - Returns: how many calls were ended.
    /// - Throws: `.noSuchRoom`, `.inConfigurationFile`, `.notKept`.
    package func removeRoom(_ address: RoomAddress) async throws(RoomCommandError) -> Int {
        guard let room = rooms[address] else { throw .noSuchRoom }
        guard room.kind != .file else { throw .inConfigurationFile }
        if room.kind.isStatic {
            guard rooms.beingRemoved.insert(address).inserted else { throw .noSuchRoom }
            defer { rooms.beingRemoved.remove(address) }
            var version: UInt64
            repeat {
                version = rooms.lastVersion
                try await keeper?.removeAndWait(address)
                // What changed it meanwhile had it kept once more.
            } while rooms[address].map { $0.version > version } ?? false
        }
        guard let room = rooms[address] else { return 0 }
        stopDialling(to: address)
        return closeRoom(room, reason: "The conference has been removed", why: "removed by the operator")
    }

    // MARK: People

    /// Takes somebody out of a room, with all devices; they may come back.
    /// - Parameter account: `user@domain`; also finds those who hide it.
    /// - Returns: how many calls were ended.
    /// - Throws: `.noSuchRoom`, `.noSuchParticipant`.
    package func kick(
        _ account: String, in address: RoomAddress, reason: String?
    ) async throws(RoomCommandError) -> Int {
        guard rooms[address] != nil else { throw .noSuchRoom }
        let removed = removeParticipant(account, from: address, reason: reason ?? "")
        if removed == 0 { throw .noSuchParticipant }
        return removed
    }

    /// Keeps somebody (or `*@domain`) out, and takes out who is there.
    /// - Returns: how many calls were ended.
    /// - Throws: `.isOwner` for one of the room's owners, whom no ban holds; a pattern passes over them.
    package func ban(_ ban: RoomCondition.Ban, in address: RoomAddress) async throws(RoomCommandError) -> Int {
        var ban = ban
        ban.account = try account(ban.account, in: address)
        if !Account.isPattern(ban.account), rooms[address]?.role(of: ban.account) == .owner { throw .isOwner }
        let now = wallClock()
        try await change(address) { condition in
            // Those that have run out make room.
            condition.endBans(now: now)
            condition.bans.removeAll { $0.account == ban.account }
            condition.bans.append(ban)
        }
        guard let room = rooms[address] else { return 0 }
        let banned = room.calls.keys.filter { account in
            guard room.role(of: account) < .owner else { return false }
            return RoomPolicy.ban(of: account, in: room.condition, now: wallClock()) != nil
        }
        for account in banned { endSubscriptions(of: account, in: address) }
        let found = banned.flatMap { calls(of: $0, in: address) }
        return found.filter { remove($0, reason: .removed(ban.reason ?? ""), by: nil, booted: true) }.count
    }

    /// - Throws: `.noSuchParticipant` when there is no such ban.
    package func unban(_ account: String, in address: RoomAddress) async throws(RoomCommandError) {
        let account = Account.normalized(account)
        guard let room = rooms[address] else { throw .noSuchRoom }
        guard room.condition.bans.contains(where: { $0.account == account }) else { throw .noSuchParticipant }
        try await change(address) { $0.bans.removeAll { $0.account == account } }
    }

    package func mute(_ account: String, _ isMuted: Bool, in address: RoomAddress) async throws(RoomCommandError) {
        let account = try self.account(account, in: address)
        try await change(address) { condition in
            if isMuted { condition.muted.insert(account) } else { condition.muted.remove(account) }
        }
    }

    package func lock(_ address: RoomAddress, _ isLocked: Bool) async throws(RoomCommandError) {
        try await change(address) { $0.isLocked = isLocked }
    }

    /// - Parameter role: nil: the one that the room's configuration gives.
    package func setRole(
        _ role: RoomCondition.Role?, of account: String, in address: RoomAddress
    ) async throws(RoomCommandError) {
        let account = try self.account(account, in: address)
        try await change(address) { $0.roles[account] = role }
    }

    /// The account that a text means. `room show` names those who hide theirs by the URI that others see, too.
    private func account(_ text: String, in address: RoomAddress) throws(RoomCommandError) -> String {
        let account = Account.normalized(text)
        guard let room = rooms[address] else { throw .noSuchRoom }
        guard Account.isAnonymous(account), room.condition.roles[account] == nil,
            !room.condition.muted.contains(account)
        else { return account }
        let wanted = PersonName(account)
        let inside = calls(in: address).compactMap { dialogs[$0]?.caller }.first { PersonName($0.uri) == wanted }
        guard let inside else { throw .noSuchParticipant }
        return inside.account
    }

    // MARK: The room

    /// Ends a room made on demand; empties a static one, which stays.
    /// - Returns: how many calls were ended.
    package func closeRoom(_ address: RoomAddress) async throws(RoomCommandError) -> Int {
        guard rooms[address] != nil else { throw .noSuchRoom }
        return endRoom(address)
    }

    /// - Parameter subject: nil or empty: none.
    package func setSubject(_ subject: String?, in address: RoomAddress) async throws(RoomCommandError) {
        try await change(address) { $0.subject = subject?.isEmpty == true ? nil : subject }
    }

    /// Changes what a room says of itself: title, subject, text, keywords.
    package func describeRoom(
        _ address: RoomAddress, _ body: @Sendable (inout RoomCondition) -> Void
    ) async throws(RoomCommandError) {
        try await change(address, body)
    }

    /// The room's policy document in the store is another one: subscriptions are judged again.
    package func policyChanged(_ address: RoomAddress) async {
        guard rooms[address] != nil, let store = keeper?.store else { return }
        do {
            let policy = try await store.policy(of: address)
            guard rooms.change(address, { $0.policy = policy }) != nil else { return }
            subscriptionPolicyChanged(address)
        } catch {
            logger.error("a policy document can't be read", metadata: ["room": "\(address)", "error": "\(error)"])
        }
    }

    // MARK: Keeping

    private func change(
        _ address: RoomAddress, _ body: (inout RoomCondition) -> Void
    ) async throws(RoomCommandError) {
        guard rooms[address] != nil else { throw .noSuchRoom }
        guard change(address, by: nil, body) else { throw .notKept("limit entriesPerRoom") }
        try await keep(address)
    }

    /// Returns when the room is kept as it is now, if it is one to be kept.
    private func keep(_ address: RoomAddress) async throws(RoomCommandError) {
        guard let stored = rooms[address]?.stored else { return }
        try await keeper?.saveAndWait(stored)
    }
}

extension RoomCondition {
    /// Forgets the bans that have run out.
    /// - Parameter now: in seconds since 1970.
    package mutating func endBans(now: Int64) { bans.removeAll { ($0.until ?? .max) <= now } }
}

extension Account {
    /// Whether it means everybody of a domain.
    package static func isPattern(_ account: String) -> Bool { account.hasPrefix("*@") }

    /// Whether it is a name that says nothing (RFC 3323 section 4.1.1.3), and not a pattern for all of them.
    package static func isAnonymous(_ account: String) -> Bool {
        domain(of: account) == Identity.anonymousHost && !isPattern(account)
    }
}

/// A line of `confd room list`.
package struct RoomSummary: Sendable, Equatable, Codable {
    package var address: RoomAddress
    package var kind: RoomKind
    package var title: String
    /// Calls: a participant with two devices counts twice.
    package var participants: Int
    package var isLocked: Bool

    package init(address: RoomAddress, kind: RoomKind, title: String, participants: Int, isLocked: Bool) {
        self.address = address
        self.kind = kind
        self.title = title
        self.participants = participants
        self.isLocked = isLocked
    }
}

/// What `confd room show` tells.
package struct RoomDetails: Sendable, Equatable, Codable {
    package struct Participant: Sendable, Equatable, Codable {
        /// As others see it: an anonymous one under Privacy: id.
        package var uri: String
        package var displayName: String?
        /// Chosen in the room (RFC 7701).
        package var nickname: String?
        package var role: RoomCondition.Role
        /// Of its device, as its INVITE said; nil for an anonymous one.
        package var contact: String?
        package var isMuted: Bool

        package init(
            uri: String, displayName: String?, nickname: String? = nil, role: RoomCondition.Role, contact: String?,
            isMuted: Bool
        ) {
            self.uri = uri
            self.displayName = displayName
            self.nickname = nickname
            self.role = role
            self.contact = contact
            self.isMuted = isMuted
        }
    }

    package var kind: RoomKind
    package var configuration: RoomConfiguration
    package var condition: RoomCondition
    /// The account that made a room on demand.
    package var maker: String?
    package var participants: [Participant]

    package init(
        kind: RoomKind, configuration: RoomConfiguration, condition: RoomCondition, maker: String?,
        participants: [Participant]
    ) {
        self.kind = kind
        self.configuration = configuration
        self.condition = condition
        self.maker = maker
        self.participants = participants
    }
}

/// Why an operator's command changed nothing.
package enum RoomCommandError: Error, Sendable, Equatable, Codable {
    case noSuchRoom
    case exists
    /// Its domain is none of ours, or its name is none that a room may have.
    case notServed
    /// Who calls that address gets a room of their own.
    case isFactory
    /// The room is in the configuration file, which would bring the old state back.
    case inConfigurationFile
    case noSuchParticipant
    /// An owner can't be banned.
    case isOwner
    /// The store refused; the text is for people.
    case notKept(String)
}
