/// What a room's people have made of it: its subject, roles, bans, whether it is locked.
///
/// Kept over restarts for static rooms; gone with a room that was made on demand.
package struct RoomCondition: Sendable, Equatable, Codable {
    /// The title people gave it; nil: the configuration's.
    package var title: String?
    package var subject: String?
    package var freeText: String?
    package var keywords: [String] = []
    /// Nobody new comes in but owners and moderators.
    package var isLocked = false
    /// By `user@domain` (`Who.account`); what is here comes before the configuration's lists.
    package var roles: [String: Role] = [:]
    package var bans: [Ban] = []
    /// `user@domain` of those who may not speak.
    package var muted: Set<String> = []

    package init() {}

    package enum Role: String, Sendable, Codable, CaseIterable, Comparable {
        /// May read only.
        case observer
        case participant
        case moderator
        case owner

        package static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    package struct Ban: Sendable, Equatable, Codable {
        /// `user@domain`, or `*@domain`.
        package var account: String
        /// Seconds since 1970; nil: for ever.
        package var until: Int64?
        package var reason: String?

        package init(account: String, until: Int64? = nil, reason: String? = nil) {
            self.account = account
            self.until = until
            self.reason = reason
        }
    }
}
