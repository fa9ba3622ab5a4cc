import MediaMixer

/// The people of one room, and what of it subscribers have not been told.
struct RoomRoster: Sendable {
    private(set) var users: [String: RosterUser] = [:]
    /// Users whose element differs from what was told last.
    private(set) var changed: Set<String> = []
    /// Users that are gone and whose going has not been told.
    private(set) var removed: Set<String> = []
    private var lastSerial: UInt64 = 0

    /// Nothing is left that anybody needs.
    var isEmpty: Bool { users.isEmpty && removed.isEmpty }
    var hasNews: Bool { !changed.isEmpty || !removed.isEmpty }
    var usersInside: Int { users.values.count(where: \.isInside) }
    var inOrder: [RosterUser] { users.values.sorted { $0.serial < $1.serial } }

    /// Puts an endpoint under a user, whom it makes if need be. `isNews`: it is to be told.
    mutating func add(_ endpoint: RosterEndpoint, to identity: Roster.Arrival, nickname: String? = nil, isNews: Bool) {
        if users[identity.uri] == nil {
            lastSerial &+= 1
            users[identity.uri] = RosterUser(
                uri: identity.uri, account: identity.account, displayName: identity.displayName, nickname: nickname,
                isAnonymous: identity.isAnonymous, serial: lastSerial)
            removed.remove(identity.uri)
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
            users[uri] = nil
            changed.remove(uri)
            if user.wasShown { removed.insert(uri) }
        } else {
            touch(uri, isNews: user.wasShown)
        }
        return user.wasShown
    }

    private mutating func touch(_ uri: String, isNews: Bool) {
        users[uri]?.fragment = nil
        if isNews { changed.insert(uri) }
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

    /// The element of every user that `uris` names, in their order, rendered where it is not at hand.
    mutating func fragments(
        of uris: [String], role: (String) -> RoomCondition.Role,
        rendering: (RosterUser, RoomCondition.Role) -> [UInt8]
    ) -> [[UInt8]] {
        uris.compactMap { uri in
            guard var user = users.removeValue(forKey: uri) else { return nil }
            defer { users[uri] = user }
            let role = role(user.account)
            user.wasShown = true
            if let fragment = user.fragment, user.role == role { return fragment }
            user.role = role
            let fragment = rendering(user, role)
            user.fragment = fragment
            return fragment
        }
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
        for uri in changed { users[uri]?.endpoints.removeAll { $0.departure != nil } }
        users = users.filter { !$0.value.endpoints.isEmpty }
        changed.removeAll()
        removed.removeAll()
    }
}
