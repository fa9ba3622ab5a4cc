internal import Focus
internal import MediaMixer
internal import Store

/// Does what `confd room` asks of the running server: the focus's rooms change at once, and what must outlive the process
/// is in the database when the answer is given.
struct ControlSocketRooms: Sendable {
    let focus: Focus
    /// The one that the focus keeps rooms in.
    let database: EmbeddedDatabase
    let mixer: MixerHandle
    let history: HistoryWriter

    func answer(_ order: RoomOrder) async -> ControlMessage.Answer {
        do {
            return ControlMessage.Answer(room: try await perform(order))
        } catch let error as RoomCommandError {
            return ControlMessage.Answer(error: RoomFailure(error, order).description)
        } catch {
            return ControlMessage.Answer(error: "\(error)")
        }
    }

    private func perform(_ order: RoomOrder) async throws -> RoomAnswer {
        switch order {
        case .list: return RoomAnswer(rooms: await focus.roomList())
        case .show(let room): return RoomAnswer(details: try await details(room))
        case .add(let configuration, let words):
            var condition = RoomCondition()
            words.apply(to: &condition)
            try await focus.addRoom(configuration, condition)
        case .set(let room, let change): try await set(room, change)
        case .remove(let room):
            let ended = try await focus.removeRoom(room)
            // What was on its way to the database when that forgot the room.
            _ = try await history.purge(room, before: nil)
            return RoomAnswer(ended: ended)
        case .kick(let room, let account, let reason):
            return RoomAnswer(ended: try await focus.kick(account, in: room, reason: reason))
        case .ban(let room, let ban): return RoomAnswer(ended: try await focus.ban(ban, in: room))
        case .unban(let room, let account): try await focus.unban(account, in: room)
        case .mute(let room, let account, let isMuted): try await focus.mute(account, isMuted, in: room)
        case .lock(let room, let isLocked): try await focus.lock(room, isLocked)
        case .role(let room, let account, let role): try await focus.setRole(role, of: account, in: room)
        case .close(let room): return RoomAnswer(ended: try await focus.closeRoom(room))
        case .policy(let room, let order):
            _ = try await details(room)
            let document = try await order.perform(on: room, database)
            if order != .show { await focus.policyChanged(room) }
            return RoomAnswer(policy: document)
        case .history(let room):
            await history.flush()
            try await checkHistory(of: room)
        case .purge(let room, let before):
            await history.flush()
            try await checkHistory(of: room)
            await mixer.purge(room, before: before)
            return RoomAnswer(purged: try await history.purge(room, before: before))
        }
        return RoomAnswer()
    }

    private func details(_ room: RoomAddress) async throws -> RoomDetails {
        guard let details = await focus.roomDetails(room) else { throw RoomCommandError.noSuchRoom }
        return details
    }

    /// A room that was made by a call may be gone, and what was said there not.
    private func checkHistory(of room: RoomAddress) async throws {
        if try await database.lastSequence(room) == 0 { _ = try await details(room) }
    }

    /// Kept all at once, whatever is changed.
    private func set(_ room: RoomAddress, _ change: RoomChange) async throws {
        if change.rules.isEmpty {
            try await focus.describeRoom(room) { change.words.apply(to: &$0) }
        } else {
            try await focus.setRoom(room) {
                change.rules.apply(to: &$0)
            } describing: {
                change.words.apply(to: &$0)
            }
        }
    }
}
