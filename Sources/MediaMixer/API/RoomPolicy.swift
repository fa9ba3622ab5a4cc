/// Decides who may do what in a room: a function of who asks, what for, and the room, without state, clock or I/O.
///
/// Asked by the focus before it grants anything, and by the room before somebody speaks.
package enum RoomPolicy {
    /// Who asks.
    package struct Who: Sendable, Equatable {
        /// `user@domain` of the identity, domain in lower case; also of those who hide it from others.
        package var account: String
        /// Hides the identity from others (Privacy: id).
        package var isAnonymous: Bool
        /// In the room already, with this or another device.
        package var isParticipant: Bool

        package init(account: String, isAnonymous: Bool = false, isParticipant: Bool = false) {
            self.account = account
            self.isAnonymous = isAnonymous
            self.isParticipant = isParticipant
        }
    }

    package enum Act: Sendable, Equatable {
        case join(membersInside: Int, isPlainText: Bool)
        case subscribe
        case speak
        case speakPrivately
        case setNickname
        /// Have others called.
        case invite
        /// `target`: `user@domain`.
        case remove(target: String)
        case mute(target: String)
        case ban(target: String)
        case lock
        /// Change subject, title, free text, keywords.
        case describe
        case setRole(target: String, RoomCondition.Role)
        /// End the room, or empty a static one.
        case close
        /// BYE and CANCEL: told, never refused.
        case leave
    }

    package enum Decision: Sendable, Equatable {
        case allow
        /// `subscribe` only: the room's policy document decides.
        case askDocument
        /// A SIP status and a text for people and the log.
        case refuse(Int, String)
    }

    /// - Parameters:
    ///   - now: seconds since 1970, for bans.
    ///   - mostMembers: the server's limit.
    package static func decide(
        _ who: Who, _ act: Act, in room: RoomConfiguration, _ condition: RoomCondition, mostMembers: Int = .max,
        now: Int64
    ) -> Decision {
        let judge = Judge(who: who, room: room, condition: condition, now: now)
        return switch act {
        case .join(let membersInside, let isPlainText):
            judge.join(membersInside: membersInside, mostMembers: mostMembers, isPlainText: isPlainText)
        case .subscribe: judge.subscribe()
        case .speak: judge.speak()
        case .speakPrivately: judge.speakPrivately()
        case .setNickname: judge.setNickname()
        case .invite: judge.invite()
        case .remove(let target): judge.remove(target)
        case .mute(let target), .ban(let target): judge.restrain(target)
        case .lock: judge.lock()
        case .describe: judge.describe()
        case .setRole(let target, let role): judge.setRole(of: target, to: role)
        case .close: judge.role == .owner ? .allow : .refuse(403, "only an owner ends the room")
        case .leave: .allow
        }
    }

    /// Who may make a room: it has no people yet, so of the groups that name its people nobody is in.
    package static func mayCreate(
        _ who: Who, _ address: RoomAddress, group: RoomConfiguration.Group, listed: [String]
    ) -> Decision {
        let isIn =
            switch group {
            case .everyone: true
            case .domain: Account.domain(of: who.account) == address.domain
            case .listed: listed.contains { Account.matches($0, who.account) }
            case .moderators, .owners, .nobody: false
            }
        return isIn ? .allow : .refuse(403, "may not make a room")
    }

    /// The role that people gave, else the configuration's.
    package static func role(
        of account: String, in room: RoomConfiguration, _ condition: RoomCondition
    ) -> RoomCondition.Role {
        if let role = condition.roles[account] { return role }
        if room.owners.contains(where: { Account.matches($0, account) }) { return .owner }
        if room.moderators.contains(where: { Account.matches($0, account) }) { return .moderator }
        if room.observers.contains(where: { Account.matches($0, account) }) { return .observer }
        return .participant
    }

    /// The ban that keeps an account out at that time; nil: none.
    package static func ban(
        of account: String, in condition: RoomCondition, now: Int64
    ) -> RoomCondition.Ban? {
        condition.bans.first { ban in
            if let until = ban.until, until <= now { return false }
            return Account.matches(ban.account, account)
        }
    }
}

/// Texts that name accounts: `user@domain`, and patterns like `*@domain`.
package enum Account {
    /// Users are compared with case, domains without (RFC 3261 section 19.1.4).
    package static func matches(_ pattern: String, _ account: String) -> Bool {
        if pattern == account { return true }
        guard let at = pattern.lastIndex(of: "@"), let other = account.lastIndex(of: "@") else { return false }
        guard pattern[..<at] == "*" || pattern[..<at] == account[..<other] else { return false }
        return pattern[at...].lowercased() == account[other...].lowercased()
    }

    /// Lower case; empty where there is none.
    package static func domain(of account: String) -> String {
        account.lastIndex(of: "@").map { account[account.index(after: $0)...].lowercased() } ?? ""
    }

    /// The form that is compared and kept: the domain in lower case.
    package static func normalized(_ account: String) -> String {
        guard let at = account.lastIndex(of: "@") else { return account }
        return account[..<at] + account[at...].lowercased()
    }
}

/// One question about one person, with what all answers need found out once.
private struct Judge {
    let who: RoomPolicy.Who
    let room: RoomConfiguration
    let condition: RoomCondition
    let now: Int64
    let role: RoomCondition.Role

    init(who: RoomPolicy.Who, room: RoomConfiguration, condition: RoomCondition, now: Int64) {
        self.who = who
        self.room = room
        self.condition = condition
        self.now = now
        role = RoomPolicy.role(of: who.account, in: room, condition)
    }

    // MARK: Coming in and looking in

    func join(membersInside: Int, mostMembers: Int, isPlainText: Bool) -> RoomPolicy.Decision {
        if let refusal = banned { return refusal }
        if who.isAnonymous, !room.allowsAnonymous { return .refuse(403, "the room wants to know who comes in") }
        // Another device of somebody inside is nobody new.
        if condition.isLocked, role < .moderator, !who.isParticipant { return .refuse(403, "the room is locked") }
        guard isIn(room.join) else { return .refuse(403, "may not join") }
        if isPlainText, !room.allowsPlainText { return .refuse(488, "the room wants message/cpim") }
        if membersInside >= min(room.maximumMembers ?? mostMembers, mostMembers) {
            return .refuse(486, "the room is full")
        }
        return .allow
    }

    func subscribe() -> RoomPolicy.Decision {
        if who.isParticipant { return .allow }
        if let refusal = banned { return refusal }
        if role >= .moderator { return .allow }
        return switch room.subscribe {
        case .participants: .refuse(403, "only participants see who is there")
        case .policy: .askDocument
        case .all: .allow
        }
    }

    /// Owners can't be banned: nobody could let them in again.
    private var banned: RoomPolicy.Decision? {
        guard role < .owner, let ban = RoomPolicy.ban(of: who.account, in: condition, now: now) else { return nil }
        return .refuse(403, ban.reason.map { "banned: \($0)" } ?? "banned")
    }

    // MARK: Saying something

    func speak() -> RoomPolicy.Decision {
        guard who.isParticipant else { return .refuse(403, "not in the room") }
        if condition.muted.contains(who.account) { return .refuse(403, "muted") }
        if role == .observer { return .refuse(403, "observers read only") }
        return isIn(room.speak) ? .allow : .refuse(403, "may not speak")
    }

    func speakPrivately() -> RoomPolicy.Decision {
        guard room.allowsPrivateMessages else { return .refuse(403, "the room has no private messages") }
        return speak()
    }

    func setNickname() -> RoomPolicy.Decision {
        guard who.isParticipant else { return .refuse(403, "not in the room") }
        return room.allowsNicknames ? .allow : .refuse(403, "the room has no nicknames")
    }

    /// All participants read it, so it takes what speaking takes.
    func describe() -> RoomPolicy.Decision {
        if role >= .moderator { return .allow }
        let speaking = speak()
        guard speaking == .allow else { return speaking }
        return isIn(room.describe) ? .allow : .refuse(403, "may not change the subject")
    }

    // MARK: Doing something to others

    func invite() -> RoomPolicy.Decision {
        if role >= .moderator { return isIn(room.invite) ? .allow : .refuse(403, "may not invite") }
        guard who.isParticipant else { return .refuse(403, "not in the room") }
        if role == .observer { return .refuse(403, "observers read only") }
        if condition.isLocked { return .refuse(403, "the room is locked") }
        return isIn(room.invite) ? .allow : .refuse(403, "may not invite")
    }

    /// Oneself, always: that is leaving.
    func remove(_ target: String) -> RoomPolicy.Decision {
        if who.isParticipant, target == who.account { return .allow }
        return restrain(target)
    }

    func restrain(_ target: String) -> RoomPolicy.Decision {
        let allowed = lock()
        guard allowed == .allow else { return allowed }
        return RoomPolicy.role(of: target, in: room, condition) <= role
            ? .allow : .refuse(403, "has a higher role")
    }

    func lock() -> RoomPolicy.Decision {
        guard who.isParticipant || role >= .moderator else { return .refuse(403, "not in the room") }
        guard role > .observer else { return .refuse(403, "observers read only") }
        return isIn(room.remove) ? .allow : .refuse(403, "only for \(room.remove)")
    }

    func setRole(of target: String, to role: RoomCondition.Role) -> RoomPolicy.Decision {
        guard self.role >= .moderator else { return .refuse(403, "only for moderators") }
        let present = RoomPolicy.role(of: target, in: room, condition)
        if self.role < .owner, role == .owner || present == .owner { return .refuse(403, "only for owners") }
        return .allow
    }

    // MARK: Groups

    private func isIn(_ group: RoomConfiguration.Group) -> Bool {
        if role == .owner { return true }
        return switch group {
        case .everyone: true
        case .domain: role == .moderator || Account.domain(of: who.account) == room.address.domain
        case .listed: role == .moderator || room.listed.contains { Account.matches($0, who.account) }
        case .moderators: role == .moderator
        case .owners, .nobody: false
        }
    }
}
