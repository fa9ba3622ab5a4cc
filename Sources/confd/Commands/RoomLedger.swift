internal import Focus
internal import MediaMixer
internal import Store

#if canImport(Glibc)
    internal import Glibc
#endif

/// Does the work of `confd room` while no server runs: on the database, with the rooms that the configuration file has.
///
/// Each change is one transaction, so of a command that was killed everything is there, or nothing.
struct RoomLedger {
    /// Nil: there is no file yet, so there is nothing in it.
    let database: EmbeddedDatabase?
    /// The rooms of the configuration file, as they are until their people change them.
    let file: [StoredRoom]
    /// Domains that are served, in the form of `RoomResolver.normalized`.
    let domains: Set<String>
    /// `[Conference] factory`: no room has this name.
    var factoryName: String?
    /// Seconds since 1970.
    var now: @Sendable () -> Int64 = { Int64(time(nil)) }

    func answer(_ order: RoomOrder) async throws(RoomFailure) -> RoomAnswer {
        do {
            return try await perform(order)
        } catch let error as RoomCommandError {
            throw RoomFailure(error, order)
        } catch {
            throw RoomFailure("\(error)")
        }
    }

    private func perform(_ order: RoomOrder) async throws -> RoomAnswer {
        // Whoever is shown under such a name is inside, and nobody is.
        if let account = order.namedAccount, Account.isAnonymous(account) { throw RoomCommandError.noSuchParticipant }
        switch order {
        case .list: return RoomAnswer(rooms: try await summaries())
        case .show(let room): return RoomAnswer(details: try await details(room))
        case .add(let configuration, let words): try await add(configuration, words)
        case .set(let room, let change): try await set(room, change)
        case .remove(let room): try await remove(room)
        case .ban(let room, let ban):
            let inFile = file.first { $0.address == room }?.configuration
            let now = now()
            try await change(room) { stored throws(RoomCommandError) in
                let settings = inFile ?? stored.configuration ?? RoomConfiguration(address: room)
                let role = RoomPolicy.role(of: ban.account, in: settings, stored.condition)
                if role == .owner, !Account.isPattern(ban.account) { throw .isOwner }
                stored.condition.endBans(now: now)
                stored.condition.bans.removeAll { $0.account == ban.account }
                stored.condition.bans.append(ban)
            }
        case .unban(let room, let account):
            try await self.change(condition: room) { condition throws(RoomCommandError) in
                let count = condition.bans.count
                condition.bans.removeAll { $0.account == account }
                if condition.bans.count == count { throw .noSuchParticipant }
            }
        case .mute(let room, let account, let isMuted):
            try await self.change(condition: room) { condition in
                if isMuted { condition.muted.insert(account) } else { condition.muted.remove(account) }
            }
        case .lock(let room, let isLocked): try await self.change(condition: room) { $0.isLocked = isLocked }
        case .role(let room, let account, let role): try await self.change(condition: room) { $0.roles[account] = role }
        case .policy(let room, let order): return RoomAnswer(policy: try await policy(of: room, order))
        case .history(let room): try await checkHistory(of: room)
        case .purge(let room, let before):
            try await checkHistory(of: room)
            return RoomAnswer(purged: try await database?.purge(room, before: before, keepingLast: nil) ?? 0)
        case .kick, .close: throw RoomFailure.notRunning
        }
        return RoomAnswer()
    }

    // MARK: Looking

    private func stored() async throws -> [StoredRoom] { try await database?.rooms() ?? [] }

    private func summaries() async throws -> [RoomSummary] {
        let stored = Dictionary(try await stored().map { ($0.address, $0) }) { $1 }
        let addresses = Set(file.map(\.address)).union(stored.keys)
        return addresses.compactMap { address -> RoomSummary? in
            guard let details = details(address, stored[address]) else { return nil }
            return RoomSummary(
                address: address, kind: details.kind, title: details.condition.title ?? details.configuration.title,
                participants: 0, isLocked: details.condition.isLocked)
        }.sorted { ($0.address.domain, $0.address.user) < ($1.address.domain, $1.address.user) }
    }

    private func details(_ address: RoomAddress) async throws -> RoomDetails {
        let stored = try await stored().first { $0.address == address }
        guard let details = details(address, stored) else { throw RoomCommandError.noSuchRoom }
        return details
    }

    private func details(_ address: RoomAddress, _ stored: StoredRoom?) -> RoomDetails? {
        let inFile = file.first { $0.address == address }
        guard let configuration = inFile?.configuration ?? stored?.configuration else { return nil }
        var condition = stored?.condition ?? inFile?.condition ?? RoomCondition()
        condition.endBans(now: now())
        return RoomDetails(
            kind: inFile == nil ? .stored : .file, configuration: configuration,
            condition: condition, maker: nil, participants: [])
    }

    // MARK: Changing

    private func add(_ configuration: RoomConfiguration, _ words: RoomChange.Words) async throws {
        let address = configuration.address
        guard domains.contains(address.domain) else { throw RoomCommandError.notServed }
        guard address.user != factoryName else { throw RoomCommandError.isFactory }
        guard !isInFile(address) else { throw RoomCommandError.exists }
        try await update(address) { room throws(RoomCommandError) in
            guard room?.configuration == nil else { throw .exists }
            var made = StoredRoom(address: address, configuration: configuration)
            words.apply(to: &made.condition)
            room = made
        }
    }

    private func set(_ address: RoomAddress, _ change: RoomChange) async throws {
        if isInFile(address), !change.rules.isEmpty { throw RoomCommandError.inConfigurationFile }
        try await self.change(address) { room in
            if var configuration = room.configuration {
                change.rules.apply(to: &configuration)
                room.configuration = configuration
            }
            change.words.apply(to: &room.condition)
        }
    }

    private func remove(_ address: RoomAddress) async throws {
        guard !isInFile(address) else { throw RoomCommandError.inConfigurationFile }
        // Not by `update`, because what can't be read can be removed.
        guard let database, try await database.contains(address) else { throw RoomCommandError.noSuchRoom }
        try await database.remove(address)
    }

    private func change(
        condition address: RoomAddress,
        _ body: @escaping @Sendable (inout RoomCondition) throws(RoomCommandError) -> Void
    ) async throws {
        try await change(address) { room throws(RoomCommandError) in try body(&room.condition) }
    }

    private func change(
        _ address: RoomAddress, _ body: @escaping @Sendable (inout StoredRoom) throws(RoomCommandError) -> Void
    ) async throws {
        // Its configuration isn't stored: it is the file's.
        let inFile = file.first { $0.address == address }.map {
            StoredRoom(address: address, condition: $0.condition)
        }
        try await update(address) { room throws(RoomCommandError) in
            guard inFile != nil || room?.configuration != nil else { throw .noSuchRoom }
            guard var changed = room ?? inFile else { throw .noSuchRoom }
            try body(&changed)
            room = changed
        }
    }

    private func policy(of address: RoomAddress, _ order: RoomPolicyOrder) async throws -> String {
        _ = try await details(address)
        guard let database else { return try order.apply(to: nil).document ?? "" }
        return try await order.perform(on: address, database)
    }

    /// A room that was made by a call may be gone, and what was said there not.
    private func checkHistory(of room: RoomAddress) async throws {
        if try await database?.lastSequence(room) ?? 0 == 0 { _ = try await details(room) }
    }

    private func isInFile(_ address: RoomAddress) -> Bool { file.contains { $0.address == address } }

    /// - Throws: what `change` throws, which then has changed nothing, and StoreError.
    private func update(
        _ address: RoomAddress, _ change: @escaping @Sendable (inout StoredRoom?) throws(RoomCommandError) -> Void
    ) async throws {
        guard let database else { throw RoomCommandError.noSuchRoom }
        let refusal = try await database.update(address) { room -> RoomCommandError? in
            var changed = room
            do throws(RoomCommandError) { try change(&changed) } catch { return error }
            room = changed
            return nil
        }
        if let refusal { throw refusal }
    }
}
