/// What a conference-info document says (RFC 4575), as these tests look at it.
package struct RosterDocument: Sendable {
    package let entity: String
    package let state: String
    package let version: Int
    package let description: XMLNode?
    package let userCount: Int?
    package let isActive: Bool?
    package let isLocked: Bool?
    /// Nil when the document has no users element.
    package let users: [User]?
    /// Of the users element.
    package let usersState: String
    package let octets: [UInt8]

    package init(_ octets: [UInt8]) throws {
        self.octets = octets
        let root = try XMLNode.parse(octets)
        guard root.name == "conference-info", let entity = root["entity"],
            let version = root["version"].flatMap({ Int($0) })
        else { throw SupportError("no conference-info: \(root.name) \(root.attributes)") }
        self.entity = entity
        self.version = version
        state = root["state"] ?? "full"
        description = root.child("conference-description")
        let condition = root.child("conference-state")
        userCount = condition?.value("user-count").flatMap { Int($0) }
        isActive = condition?.value("active").map { $0 == "true" || $0 == "1" }
        isLocked = condition?.value("locked").map { $0 == "true" || $0 == "1" }
        usersState = root.child("users")?["state"] ?? "full"
        users = root.child("users").map { $0.all("user").map(User.init) }
    }

    package var text: String { String(decoding: octets, as: UTF8.self) }

    package struct User: Sendable {
        package let entity: String
        package let state: String
        package var displayText: String?
        package var nickname: String?
        package var roles: [String]
        package var endpoints: [Endpoint]

        init(_ node: XMLNode) {
            entity = node["entity"] ?? ""
            state = node["state"] ?? "full"
            displayText = node.value("display-text")
            nickname = node["nickname"]
            roles = node.child("roles")?.all("entry").map(\.text) ?? []
            endpoints = node.all("endpoint").map(Endpoint.init)
        }

        /// The statuses of the endpoints, in order.
        package var statuses: [String] { endpoints.compactMap(\.status) }
    }

    package struct Endpoint: Sendable {
        package let entity: String
        package let state: String
        package let status: String?
        package let joiningMethod: String?
        package let joiningInfo: XMLNode?
        package let disconnectionMethod: String?
        package let disconnectionInfo: XMLNode?
        package let referred: XMLNode?
        package let media: [XMLNode]

        init(_ node: XMLNode) {
            entity = node["entity"] ?? ""
            state = node["state"] ?? "full"
            status = node.value("status")
            joiningMethod = node.value("joining-method")
            joiningInfo = node.child("joining-info")
            disconnectionMethod = node.value("disconnection-method")
            disconnectionInfo = node.child("disconnection-info")
            referred = node.child("referred")
            media = node.all("media")
        }

        /// The status of the message medium.
        package var messageStatus: String? { media.first { $0.value("type") == "message" }?.value("status") }
    }
}

/// What a subscriber knows of a room: documents put together as RFC 4575 section 4.6 says.
package struct RosterView: Sendable {
    package private(set) var version: Int?
    package private(set) var description: XMLNode?
    package private(set) var userCount: Int?
    package private(set) var isActive: Bool?
    package private(set) var isLocked: Bool?
    package private(set) var users = [String: RosterDocument.User]()
    package private(set) var isDeleted = false
    /// How many documents came, by state.
    package private(set) var counts = [String: Int]()

    package init() {}

    /// Throws when the document leaves a gap, or contradicts itself. One that is not newer is dropped, as the RFC says.
    package mutating func apply(_ document: RosterDocument) throws {
        counts[document.state, default: 0] += 1
        let isFirst = version == nil
        if let version, document.version <= version { return }
        if isFirst, document.state == "partial" { throw SupportError("the first document is partial") }
        if document.state == "partial", let version, document.version != version + 1 {
            throw SupportError("partial version \(document.version) after \(version)")
        }
        version = document.version
        if document.state != "partial" {
            (description, userCount, isActive, isLocked) = (nil, nil, nil, nil)
            users = [:]
            isDeleted = document.state == "deleted"
        }
        if let new = document.description { description = new }
        if let new = document.userCount { userCount = new }
        if let new = document.isActive { isActive = new }
        if let new = document.isLocked { isLocked = new }
        guard let changed = document.users else { return }
        if document.state == "full" {
            // RFC 4575 section 4.4: below "full" everything is full.
            for user in changed where user.state != "full" || user.endpoints.contains(where: { $0.state != "full" }) {
                throw SupportError("\(user.entity) is not full in a full document")
            }
        } else if document.usersState == "full" {
            users = [:]
        }
        for user in changed {
            guard !user.entity.isEmpty else { throw SupportError("a user without entity") }
            if document.state == "full", users[user.entity] != nil {
                throw SupportError("\(user.entity) is there twice (RFC 4575 section 4.5)")
            }
            switch user.state {
            case "deleted": users[user.entity] = nil
            case "partial": merge(user)
            default: users[user.entity] = user
            }
        }
    }

    private mutating func merge(_ change: RosterDocument.User) {
        guard var user = users[change.entity] else {
            users[change.entity] = change
            return
        }
        user.displayText = change.displayText ?? user.displayText
        user.nickname = change.nickname ?? user.nickname
        if !change.roles.isEmpty { user.roles = change.roles }
        for endpoint in change.endpoints {
            user.endpoints.removeAll { $0.entity == endpoint.entity }
            if endpoint.state != "deleted" { user.endpoints.append(endpoint) }
        }
        users[change.entity] = user
    }

    /// The entities of those with a connected endpoint, sorted.
    package var connected: [String] {
        users.values.filter { $0.statuses.contains { $0 == "connected" || $0 == "on-hold" } }.map(\.entity).sorted()
    }
}
