import Logging
import MediaMixer
import Payloads
import SIP

#if canImport(Glibc)
    import Glibc
#endif

/// The rooms' life: how they come to be, change, and end; and what others ask about them.
extension Focus {
    // MARK: Questions

    /// The room there is at an address.
    func room(at address: RoomAddress) -> RoomBook.Room? { rooms[address] }

    /// Judges what somebody wants to do in a room. Refused with 404 when there is no such room.
    func decide(_ caller: Caller, _ act: RoomPolicy.Act, in address: RoomAddress) -> RoomPolicy.Decision {
        guard let room = rooms[address] else { return .refuse(404, "no such room") }
        return decide(caller, act, in: room)
    }

    func decide(_ caller: Caller, _ act: RoomPolicy.Act, in room: RoomBook.Room) -> RoomPolicy.Decision {
        RoomPolicy.decide(
            caller.who(isParticipant: isParticipant(caller.account, in: room.address)), act, in: room.configuration,
            room.condition, mostMembers: configuration.limits.participantsPerRoom, now: wallClock())
    }

    /// Whether somebody was let in (a 200 was sent, whose ACK may still be on its way) and has not left.
    func isParticipant(_ account: String, in address: RoomAddress) -> Bool {
        rooms[address]?.calls[account]?.contains { dialogs[$0]?.machine.isInRoom == true } ?? false
    }

    /// The calls of an account in a room, pending ones included, oldest first.
    func calls(of account: String, in address: RoomAddress) -> [Call] {
        (rooms[address]?.calls[account] ?? []).sorted { $0.id < $1.id }
    }

    /// All participants' calls in a room, pending ones included, oldest first.
    func calls(in address: RoomAddress) -> [Call] {
        (rooms[address]?.calls.values.flatMap { $0 } ?? []).sorted { $0.id < $1.id }
    }

    /// The calls of whom a text means: a URI as others see it, an account, or the Contact of one device.
    /// - Parameter isAnonymousFound: whether the account of somebody who hides it is found too (operators only).
    func calls(named person: String, in address: RoomAddress, isAnonymousFound: Bool = false) -> [Call] {
        let wanted = PersonName(person)
        let calls = calls(in: address)
        let named = calls.filter { call in
            guard let caller = dialogs[call]?.caller else { return false }
            if PersonName(caller.uri) == wanted { return true }
            guard !caller.isAnonymous || isAnonymousFound else { return false }
            return PersonName(caller.account) == wanted || caller.aliases.contains { PersonName($0) == wanted }
        }
        guard named.isEmpty, let uri = SIPURI(person) else { return named }
        return calls.filter { call in
            guard let dialog = dialogs[call], !dialog.caller.isAnonymous else { return false }
            return dialog.device?.isSameDevice(as: uri) == true
        }
    }

    // MARK: Changes

    /// Changes what a room's people made of it: kept where the room is static, told to the mixer and to the roster.
    /// - Returns: false when there is no such room, or it would grow beyond `limits`.
    @discardableResult
    func change(_ address: RoomAddress, by caller: Caller? = nil, _ body: (inout RoomCondition) -> Void) -> Bool {
        guard let room = rooms[address] else { return false }
        var condition = room.condition
        body(&condition)
        guard condition != room.condition else { return true }
        guard condition.isWithin(configuration.limits.entriesPerRoom) else {
            logger.notice("a room's lists are full", metadata: ["room": "\(address)", "limit": "entriesPerRoom"])
            return false
        }
        changed(rooms.change(address) { $0.condition = condition })
        return true
    }

    /// Takes a room's new state to whoever keeps, enforces or shows it.
    func changed(_ room: RoomBook.Room?) {
        guard let room else { return }
        mixer.open(room.terms)
        if let stored = room.stored { keeper?.save(stored) }
        rosterChanged(room.address)
    }

    // MARK: Rooms made on demand

    /// Finds the room somebody wants to enter, or makes it.
    /// - Parameters:
    ///   - isFactory: a room of its own, under an address nobody has.
    /// - Throws: 404, 403, 480.
    func roomToEnter(
        _ address: RoomAddress, isFactory: Bool, for caller: Caller
    ) throws(Rejection) -> RoomBook.Room {
        if !isFactory, let room = rooms[address] { return room }
        guard isFactory || configuration.createsRoomsOnDemand else { throw .notFound }
        if case .refuse(let status, let why) = RoomPolicy.mayCreate(
            caller.who(isParticipant: false), address, group: configuration.mayCreate, listed: configuration.creators)
        {
            throw Rejection(status: status, why: why)
        }
        if rooms.count >= configuration.limits.rooms { throw .limit("rooms") }
        var pattern = configuration.adhoc
        pattern.address = isFactory ? freshAddress(in: address.domain) : address
        if isFactory { pattern.ends = configuration.factoryEnds }
        if !pattern.owners.contains(caller.account) { pattern.owners.append(caller.account) }
        let policy = PolicyDocument(content: PresenceRules.allowAll.xml(), etag: Self.etag())
        let room = rooms.open(pattern, kind: isFactory ? .factory : .adhoc, policy: policy, maker: caller.account)
        keeper?.setPolicy(policy, of: room.address)
        logger.info("made a room", metadata: ["room": "\(room.address)", "by": "\(caller.uri)"])
        return room
    }

    /// 64 random bits: who doesn't know the address doesn't find the room.
    private func freshAddress(in domain: String) -> RoomAddress {
        while true {
            let number = UInt64.random(in: .min ... .max)
            let digits = String(number, radix: 36)
            let address = RoomAddress(user: "\(configuration.factoryName ?? "room")-\(digits)", domain: domain)
            if rooms[address] == nil { return address }
        }
    }

    static func etag() -> String { String(UInt64.random(in: .min ... .max), radix: 36) }

    // MARK: Leaving

    /// A call is no longer in its room; told any number of times.
    func vacate(_ call: Call, _ dialog: ParticipantDialog) {
        let address = dialog.room
        let account = dialog.caller.account
        guard rooms.leave(call, account: account, room: address), let room = rooms[address], !isShuttingDown else {
            return
        }
        // Told to the policy, which has no objection: who leaves has left.
        let role = room.role(of: account)
        logger.debug("leaves", metadata: metadata(dialog).with("role", role.rawValue))
        guard !room.kind.isStatic else { return }
        if let vacancy = room.vacancy {
            guard room.wasJoined, configuration.adhocGrace > .zero else { return endRoom(address, why: "empty") }
            signalling.schedule(after: configuration.adhocGrace) { [weak self] in
                self?.assumeIsolated { focus in
                    guard focus.rooms[address]?.vacancy == vacancy else { return }
                    focus.endRoom(address, why: "empty")
                }
            }
        } else if room.configuration.ends == .ownerLeaves, role == .owner,
            !room.calls.keys.contains(where: { room.role(of: $0) == .owner })
        {
            endRoom(address, why: "its owner left")
        }
    }

    /// Takes somebody out of a room: BYE with a Reason, and the MSRP session ends at once.
    /// - Parameters:
    ///   - person: a URI as others see it, or an account (`user@domain`): all of its devices leave. Or one device's
    ///     Contact.
    ///   - device: only the one with this Contact.
    ///   - caller: who did it; nil: the operator, who finds people also by accounts that they hide.
    ///   - booted: shown as removed by others, not as departed.
    /// - Returns: how many calls were ended; 0: no such participant.
    @discardableResult
    func removeParticipant(
        _ person: String, device: SIPURI? = nil, from address: RoomAddress, by caller: Caller? = nil, reason: String,
        booted: Bool = true
    ) -> Int {
        var found = calls(named: person, in: address, isAnonymousFound: caller == nil)
        if let device { found = found.filter { dialogs[$0]?.device?.isSameDevice(as: device) == true } }
        let removed = found.filter { remove($0, reason: .removed(reason), by: caller, booted: booted) }
        return removed.count
    }

    /// - Returns: false when the call was on its way out already.
    @discardableResult
    func remove(_ call: Call, reason: String, by caller: Caller?, booted: Bool) -> Bool {
        guard let dialog = dialogs[call], dialog.machine.isInRoom || dialog.machine.isBeingMade else { return false }
        if booted, let member = dialog.member {
            updateRoster { $0.removed(member, reason: reason, by: caller?.uri, at: $1) }
        }
        // Before the BYE, for one may be within the call.
        let account = dialog.caller.account
        if booted, calls(of: account, in: dialog.room) == [call] { endSubscriptions(of: account, in: dialog.room) }
        hangUp(call, reason: reason, leaving: .removed)
        // Who left by itself may finish what it began; who was put out may not.
        if booted, !isParticipant(account, in: dialog.room) {
            endTransfers(of: account, in: dialog.room, reason: reason)
        }
        return true
    }

    /// Seconds since 1970, for bans and the roster.
    func wallClock() -> Int64 { Int64(time(nil)) }

    // MARK: The end

    /// Ends a room that was made on demand, empties a static one. Everybody gets BYE, subscriptions end.
    /// - Returns: how many calls were ended.
    @discardableResult
    func endRoom(_ address: RoomAddress, reason: String = "The conference has ended", by caller: Caller? = nil) -> Int {
        guard let room = rooms[address] else { return 0 }
        stopDialling(to: address)
        guard !room.kind.isStatic else {
            logger.info("emptying a room", metadata: ["room": "\(address)", "by": "\(caller?.uri ?? "operator")"])
            return calls(in: address).filter { remove($0, reason: .ended(reason), by: caller, booted: true) }.count
        }
        return closeRoom(room, reason: reason, why: caller.map { "by \($0.uri)" } ?? "by the operator")
    }

    private func endRoom(_ address: RoomAddress, why: String) {
        guard let room = rooms[address] else { return }
        stopDialling(to: address)
        closeRoom(room, reason: "The conference has ended", why: why)
    }

    /// The room is gone when this returns, whatever its kind.
    @discardableResult
    func closeRoom(_ room: RoomBook.Room, reason: String, why: String) -> Int {
        let address = room.address
        let calls = calls(in: address)
        // First, so that nobody's leaving ends it once more.
        rooms.close(address)
        roomEnded(address)
        removeFiles(of: address, reason: .ended(reason))
        for call in calls { hangUp(call, reason: .ended(reason), leaving: .removed) }
        mixer.close(address, version: room.version)
        if !room.kind.isStatic { keeper?.setPolicy(nil, of: address) }
        logger.info("room ended", metadata: ["room": "\(address)", "why": "\(why)"])
        return calls.count
    }
}

extension String {
    /// Reason values (RFC 3326) with a text that people wrote.
    static func removed(_ text: String) -> String { reason(403, text.isEmpty ? "Removed from the conference" : text) }
    static func ended(_ text: String) -> String { reason(410, text) }

    private static func reason(_ cause: Int, _ text: String) -> String {
        // What would end the quoted string or the line is left out.
        let safe = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f && $0 != "\"" && $0 != "\\" }
        return "SIP;cause=\(cause);text=\"\(String(String.UnicodeScalarView(safe)).prefix(200))\""
    }
}

extension RoomCondition {
    /// Whether none of the lists that people can make longer is longer than that.
    func isWithin(_ most: Int) -> Bool {
        bans.count <= most && roles.count <= most && muted.count <= most && keywords.count <= most
    }
}

extension SIPURI {
    /// The same user at the same place, whatever parameters say (the way there, GRUUs aside).
    func isSameDevice(as other: SIPURI) -> Bool {
        isSIP && other.isSIP && user == other.user && (port ?? 5060) == (other.port ?? 5060)
            && parameter("gr") == other.parameter("gr")
            && RoomResolver.normalized(host) == RoomResolver.normalized(other.host)
    }
}

/// Whom a URI or an account means: `user@domain`, or what follows the scheme of other URIs.
struct PersonName: Hashable, Sendable {
    private let name: String

    init(_ text: String) {
        if let uri = SIPURI(text), !uri.scheme.isEmpty, text.contains(":") {
            if let opaque = uri.opaque {
                name = "\(uri.scheme):\(opaque.prefix { $0 != ";" }.lowercased())"
            } else {
                name = "\(uri.user ?? "")@\(RoomResolver.normalized(uri.host))"
            }
        } else {
            let at = text.lastIndex(of: "@") ?? text.startIndex
            name =
                at == text.startIndex
                ? text : "\(text[..<at])@\(RoomResolver.normalized(String(text[at...].dropFirst())))"
        }
    }

    init(_ uri: SIPURI) { self.init(uri.description) }
}
