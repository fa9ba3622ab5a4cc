import MediaMixer

/// The people of one room, and what of it subscribers have not been told.
struct RoomRoster: Sendable {
    private(set) var users: [String: RosterUser] = [:]
    /// Users whose element differs from what was told last.
    private(set) var changed: Set<String> = []
    /// Users that are gone and whose going has not been told.
    private(set) var removed: Set<String> = []
    /// In the order in which they came.
    private(set) var order: [String] = []
    /// Users with a device that has joined.
    private(set) var usersInside = 0
    private var lastSerial: UInt64 = 0

    /// Nothing is left that anybody needs.
    var isEmpty: Bool { users.isEmpty && removed.isEmpty }
    var hasNews: Bool { !changed.isEmpty || !removed.isEmpty }
    var inOrder: [RosterUser] { order.compactMap { users[$0] } }

    /// Puts an endpoint under a user, whom it makes if need be. `isNews`: it is to be told.
    mutating func add(_ endpoint: RosterEndpoint, to identity: Roster.Arrival, nickname: String? = nil, isNews: Bool) {
        var isNews = isNews
        if users[identity.uri] == nil {
            lastSerial &+= 1
            var user = RosterUser(
                uri: identity.uri, account: identity.account, displayName: identity.displayName, nickname: nickname,
                isAnonymous: identity.isAnonymous, serial: lastSerial)
            // Back before its going was told: what subscribers have of it is out of date.
            if removed.remove(identity.uri) != nil {
                user.wasShown = true
                isNews = true
            }
            users[identity.uri] = user
            order.append(identity.uri)
        }
        users[identity.uri]?.endpoints.append(endpoint)
        touch(identity.uri, isNews: isNews)
    }

    /// - Parameter change: answers whether others see a difference; without one nothing is kept of it.
    mutating func change(
        _ key: Roster.EndpointKey, of uri: String, _ change: (inout RosterUser, inout RosterEndpoint) -> Bool
    ) -> Bool {
        guard var user = users[uri], let index = user.endpoints.firstIndex(where: { $0.key == key }) else {
            return false
        }
        var endpoint = user.endpoints[index]
        guard change(&user, &endpoint) else { return false }
        user.endpoints[index] = endpoint
        users[uri] = user
        touch(uri, isNews: true)
        return true
    }

    func endpoint(_ key: Roster.EndpointKey, of uri: String) -> RosterEndpoint? {
        users[uri]?.endpoints.first { $0.key == key }
    }

    /// The endpoint is gone without a word. False when nobody needs to be told.
    mutating func remove(_ key: Roster.EndpointKey, of uri: String) -> Bool {
        guard users[uri] != nil else { return false }
        users[uri]?.endpoints.removeAll { $0.key == key }
        return tidy(uri)
    }

    /// A user without endpoints is no user.
    private mutating func tidy(_ uri: String) -> Bool {
        guard let user = users[uri] else { return false }
        if user.endpoints.isEmpty {
            forget(uri)
            changed.remove(uri)
            if user.wasShown { removed.insert(uri) }
        } else {
            touch(uri, isNews: user.wasShown)
        }
        return user.wasShown
    }

    private mutating func forget(_ uri: String) {
        guard let user = users.removeValue(forKey: uri) else { return }
        if user.isCounted { usersInside -= 1 }
        if let index = order.firstIndex(of: uri) { order.remove(at: index) }
    }

    private mutating func touch(_ uri: String, isNews: Bool) {
        users[uri]?.fragment = nil
        if isNews { changed.insert(uri) }
        guard let user = users[uri], user.isInside != user.isCounted else { return }
        usersInside += user.isCounted ? -1 : 1
        users[uri]?.isCounted.toggle()
    }

    /// Everybody whose role is another now is news.
    mutating func updateRoles(_ role: (String) -> RoomCondition.Role) {
        for (uri, user) in users where user.role != nil && user.role != role(user.account) {
            touch(uri, isNews: true)
        }
    }

    // MARK: Telling

    /// Changed users, in the order in which they came.
    var changedInOrder: [String] {
        changed.compactMap { users[$0] }.sorted { $0.serial < $1.serial }.map(\.uri)
    }

    /// The element of every user that `uris` names, in their order, rendered where it is not at hand. Roles that have
    /// changed since are those of `updateRoles`.
    mutating func fragments(
        of uris: [String], role: (String) -> RoomCondition.Role,
        rendering: (RosterUser, RoomCondition.Role) -> [UInt8]
    ) -> [[UInt8]] {
        uris.compactMap { uri in
            guard let fragment = users[uri]?.fragment else { return render(uri, role, rendering) }
            return fragment
        }
    }

    private mutating func render(
        _ uri: String, _ role: (String) -> RoomCondition.Role, _ rendering: (RosterUser, RoomCondition.Role) -> [UInt8]
    ) -> [UInt8]? {
        guard var user = users[uri] else { return nil }
        let role = role(user.account)
        let fragment = rendering(user, role)
        user.wasShown = true
        user.role = role
        user.fragment = fragment
        users[uri] = user
        return fragment
    }

    /// All has been told: what has left was shown as such, and is left out from now on, which is news in its turn.
    mutating func told() {
        let shown = changed
        changed.removeAll(keepingCapacity: true)
        removed.removeAll(keepingCapacity: true)
        for uri in shown {
            guard users[uri]?.endpoints.contains(where: { $0.departure != nil }) == true else { continue }
            users[uri]?.endpoints.removeAll { $0.departure != nil }
            _ = tidy(uri)
        }
    }

    /// Nobody listens: what has left is forgotten at once.
    mutating func forgetDeparted() {
        for uri in changed {
            users[uri]?.endpoints.removeAll { $0.departure != nil }
            if users[uri]?.endpoints.isEmpty == true { forget(uri) }
        }
        changed.removeAll()
        removed.removeAll()
    }

    /// Nobody listens any more: who listens next has seen nothing.
    mutating func forgetTold() {
        forgetDeparted()
        for uri in users.keys {
            users[uri]?.fragment = nil
            users[uri]?.role = nil
            users[uri]?.wasShown = false
        }
    }
}
