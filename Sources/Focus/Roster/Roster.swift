package import MediaMixer

/// Who is in which room, is coming, is being called, and has just left: the focus's one model of the conference
/// (RFC 4575).
///
/// What changes it answers with the room whose subscribers are to be told; nil where others see no difference. Times
/// are in seconds since 1970. Who has left stays until one document has told it (`RoomRoster.told`).
package struct Roster: Sendable {
    private(set) var rooms: [RoomAddress: RoomRoster] = [:]
    private var whereabouts: [EndpointKey: Whereabouts] = [:]

    private struct Whereabouts {
        let room: RoomAddress
        let user: String
    }

    package init() {}

    /// Rooms with somebody in it, or somebody coming.
    package var roomCount: Int { rooms.values.count { !$0.users.isEmpty } }

    /// The participants of a room. One user with two devices is there twice.
    package func entries(of room: RoomAddress) -> [Entry] {
        (rooms[room]?.inOrder ?? []).flatMap { user in
            user.endpoints.filter(\.hasJoined).map {
                Entry(uri: user.uri, displayName: user.displayName, nickname: user.nickname, media: $0.media)
            }
        }
    }

    /// Whether the account is in the room with some device, or about to be.
    package func isParticipant(_ account: String, in room: RoomAddress) -> Bool {
        rooms[room]?.users.values.contains { $0.account == account && $0.isExpectedOrInside } ?? false
    }

    // MARK: Participants

    /// An INVITE was accepted and its ACK is awaited: pending. It is shown, but is no reason to tell everybody.
    package mutating func expect(_ member: MemberID, in room: RoomAddress, _ arrival: Arrival, at time: Int64) {
        let key = EndpointKey.member(member)
        guard whereabouts[key] == nil else { return }
        let endpoint = RosterEndpoint(
            key: key, entity: entity(for: arrival, key, in: room), status: .pending, joining: arrival.joining,
            referredBy: arrival.referredBy, referred: arrival.referredBy == nil ? nil : time)
        rooms[room, default: RoomRoster()].add(endpoint, to: arrival, isNews: false)
        whereabouts[key] = Whereabouts(room: room, user: arrival.uri)
    }

    /// The ACK came: connected. The mixer says the same later, and its session's state.
    package mutating func entered(_ member: MemberID, at time: Int64) -> RoomAddress? {
        change(.member(member)) { _, endpoint in
            guard !endpoint.hasJoined else { return false }
            endpoint.status = endpoint.direction == .inactive ? .onHold : .connected
            endpoint.joined = time
            return true
        }
    }

    /// The dialog is over. The mixer says the same later.
    package mutating func left(_ member: MemberID, _ reason: LeaveReason, at time: Int64) -> RoomAddress? {
        let key = EndpointKey.member(member)
        switch reason {
        case .notCompleted, .replaced: return drop(key)
        case .removed: return depart(key, Departure(method: .booted, time: time))
        case .departed, .shutdown: return depart(key, Departure(method: .departed, time: time))
        }
    }

    /// What the mixer reports.
    package mutating func apply(_ event: MemberEvent, at time: Int64) -> RoomAddress? {
        let member = event.member
        let key = EndpointKey.member(member.id)
        switch event {
        case .joined:
            return joined(member, at: time)
        case .mediaActive:
            return set(.active, of: key)
        case .mediaLost:
            return set(.lost, of: key)
        case .nicknameChanged:
            return change(key) { user, _ in
                guard user.nickname != member.nickname else { return false }
                user.nickname = member.nickname
                return true
            }
        case .left(_, let reason):
            return left(member.id, reason, at: time)
        case .ended(_, let cause):
            return depart(key, Departure(method: .departed, reason: HangUpReason.value(cause), time: time))
        }
    }

    /// A re-INVITE or UPDATE changed what the participant's stream does. Who neither hears nor is heard, or stopped
    /// hearing, is on hold (RFC 4575 section 5.7.3).
    package mutating func setDirection(_ direction: PeerMedia.Direction, of member: MemberID) -> RoomAddress? {
        change(.member(member)) { _, endpoint in
            guard endpoint.direction != direction else { return false }
            endpoint.direction = direction
            if endpoint.hasJoined { endpoint.status = direction.peerReceives ? .connected : .onHold }
            return true
        }
    }

    /// Somebody is put out of the room: shown as booted. To be called before the mixer and the dialog are told.
    ///
    /// - Parameters:
    ///   - reason: in the form of RFC 3326.
    ///   - by: the URI of who did it; nil: the operator.
    package mutating func removed(
        _ member: MemberID, reason: String?, by: String?, at time: Int64
    ) -> RoomAddress? {
        depart(.member(member), Departure(method: .booted, reason: reason, by: by, time: time))
    }

    /// A new dialog takes the place of an old one (Replaces, RFC 3891): others see another endpoint and nobody coming
    /// or leaving. To be called after `expect` for the new one, and before the mixer and the old dialog are told.
    package mutating func replace(_ old: MemberID, by new: MemberID) -> RoomAddress? {
        guard let place = whereabouts[.member(old)],
            let before = rooms[place.room]?.endpoint(.member(old), of: place.user)
        else { return nil }
        let room = change(.member(new)) { _, endpoint in
            guard !endpoint.hasJoined else { return false }
            endpoint.status = before.hasJoined ? .connected : .pending
            endpoint.joined = before.joined
            return true
        }
        return drop(.member(old)) ?? room
    }

    // MARK: Calls of ours

    /// Somebody is called, or was sent a REFER: dialing-out.
    package mutating func dialling(
        _ id: UInt64, _ target: DialOut, in room: RoomAddress, at time: Int64
    ) -> RoomAddress? {
        let key = EndpointKey.dialOut(id)
        guard whereabouts[key] == nil else { return nil }
        let uri = target.isAnonymous ? "sip:anonymous-call-\(id)@anonymous.invalid" : target.uri
        let identity = Arrival(
            uri: uri, account: target.account, displayName: target.isAnonymous ? nil : target.displayName,
            isAnonymous: target.isAnonymous, device: uri, joining: .dialedOut)
        let endpoint = RosterEndpoint(
            key: key, entity: entity(for: identity, key, in: room), status: .dialingOut, joining: .dialedOut,
            referredBy: target.referredBy, referred: target.referredBy == nil ? nil : time)
        rooms[room, default: RoomRoster()].add(endpoint, to: identity, isNews: true)
        whereabouts[key] = Whereabouts(room: room, user: uri)
        return room
    }

    /// It rings there.
    package mutating func alerting(_ id: UInt64) -> RoomAddress? {
        change(.dialOut(id)) { _, endpoint in
            guard endpoint.status == .dialingOut else { return false }
            endpoint.status = .alerting
            return true
        }
    }

    package mutating func dialOutEnded(_ id: UInt64, _ end: DialOutEnd, at time: Int64) -> RoomAddress? {
        switch end {
        case .joined, .withdrawn:
            return drop(.dialOut(id))
        case .failed(let status, let phrase):
            return depart(
                .dialOut(id),
                Departure(
                    method: status == 486 || status == 600 ? .busy : .failed,
                    reason: Departure.reason(status, phrase), time: time))
        }
    }

    // MARK: Rooms

    /// The room has ended: nobody is in it any more.
    package mutating func end(_ room: RoomAddress) {
        for user in rooms.removeValue(forKey: room)?.users.values.map(\.self) ?? [] {
            for endpoint in user.endpoints { whereabouts[endpoint.key] = nil }
        }
    }

    /// Gives the room's own part to `body`, and forgets it when it is empty afterwards.
    mutating func withRoom<R>(_ room: RoomAddress, _ body: (inout RoomRoster) -> R) -> R {
        var roster = rooms.removeValue(forKey: room) ?? RoomRoster()
        let result = body(&roster)
        if !roster.isEmpty { rooms[room] = roster }
        return result
    }

    /// Nobody listens to the room: who has left is forgotten.
    mutating func forgetDeparted(_ room: RoomAddress) { withRoom(room) { $0.forgetDeparted() } }

    /// Nobody listens to the room any more.
    mutating func forgetTold(_ room: RoomAddress) { withRoom(room) { $0.forgetTold() } }

    // MARK: Changes

    private mutating func joined(_ member: MemberSnapshot, at time: Int64) -> RoomAddress? {
        let key = EndpointKey.member(member.id)
        if whereabouts[key] == nil {
            expect(
                member.id, in: member.room,
                Arrival(uri: member.uri, account: Self.account(of: member.uri), displayName: member.displayName),
                at: time)
        }
        let isNew = entered(member.id, at: time) != nil
        let isOther = change(key) { user, endpoint in
            let before = (user.displayName, user.nickname, endpoint.media)
            user.displayName = member.displayName ?? user.displayName
            user.nickname = member.nickname ?? user.nickname
            if member.isMediaActive, endpoint.media == .awaited { endpoint.media = .active }
            return before != (user.displayName, user.nickname, endpoint.media)
        }
        return isNew ? member.room : isOther
    }

    private mutating func set(_ media: Media, of key: EndpointKey) -> RoomAddress? {
        change(key) { _, endpoint in
            guard endpoint.hasJoined, endpoint.media != media else { return false }
            endpoint.media = media
            return true
        }
    }

    /// `body` answers whether others see a difference.
    private mutating func change(
        _ key: EndpointKey, _ body: (inout RosterUser, inout RosterEndpoint) -> Bool
    ) -> RoomAddress? {
        guard let place = whereabouts[key], rooms[place.room]?.change(key, of: place.user, body) == true else {
            return nil
        }
        return place.room
    }

    private mutating func depart(_ key: EndpointKey, _ departure: Departure) -> RoomAddress? {
        guard let place = whereabouts.removeValue(forKey: key) else { return nil }
        let isTold =
            rooms[place.room]?.change(key, of: place.user) { _, endpoint in
                endpoint.status = .disconnected
                endpoint.departure = departure
                endpoint.media = .lost
                return true
            } ?? false
        return isTold ? place.room : nil
    }

    /// Nil when nobody has seen it.
    private mutating func drop(_ key: EndpointKey) -> RoomAddress? {
        guard let place = whereabouts.removeValue(forKey: key),
            withRoom(place.room, { $0.remove(key, of: place.user) })
        else { return nil }
        return place.room
    }

    private static func account(of uri: String) -> String {
        uri.split(separator: ":", maxSplits: 1).last.map(String.init) ?? uri
    }

    /// The endpoint's key in documents (RFC 4575 section 5.7): the Contact, made unique within the user.
    private func entity(for arrival: Arrival, _ key: EndpointKey, in room: RoomAddress) -> String {
        let number =
            switch key {
            case .member(let member): "\(member.number)"
            case .dialOut(let id): "call-\(id)"
            }
        guard !arrival.isAnonymous, let device = arrival.device else { return "\(arrival.uri);endpoint=\(number)" }
        let isTaken = rooms[room]?.users[arrival.uri]?.endpoints.contains { $0.entity == device } ?? false
        return isTaken ? "\(device);endpoint=\(number)" : device
    }
}
