/// A presence authorisation document (RFC 5025, on the common policy of RFC 4745) as it decides about SUBSCRIBE.
///
/// Rules can only grant: what no rule says is blocked, and of the rules that apply the most permissive decides.
package struct PresenceRules: Sendable, Hashable {
    package static let contentType = "application/auth-policy+xml"

    /// The values of `sub-handling` (RFC 5025 section 3.2.1), the least permissive first.
    package enum Handling: String, Sendable, Hashable, Comparable, CaseIterable {
        case block
        case confirm
        case politeBlock = "polite-block"
        case allow

        package static func < (left: Handling, right: Handling) -> Bool {
            let order = allCases
            return (order.firstIndex(of: left) ?? 0) < (order.firstIndex(of: right) ?? 0)
        }
    }

    package var rules: [Rule]

    package init(rules: [Rule]) {
        self.rules = rules
    }

    /// One rule: all its conditions must hold.
    package struct Rule: Sendable, Hashable {
        package var id: String
        /// Each must hold; without any the rule applies to everybody.
        package var conditions: [Condition]
        /// Nil: the rule says nothing about subscriptions.
        package var handling: Handling?

        package init(id: String, conditions: [Condition] = [], handling: Handling?) {
            self.id = id
            self.conditions = conditions
            self.handling = handling
        }
    }

    package enum Condition: Sendable, Hashable {
        /// Any of these must be the subscriber.
        case identity([Identity])
        /// The time must be in one of these: from the first moment on, before the second.
        case validity([Period])
        /// The sphere of the one who is watched, which a room has not; the name of a condition that is not known. Neither
        /// is ever true (RFC 4745 section 6).
        case unmet(String)
    }

    package enum Identity: Sendable, Hashable {
        /// `one`: a URI.
        case one(String)
        /// `many`: everybody who has proved an identity, of a domain if one is given, but for the exceptions.
        case many(domain: String?, exceptIDs: [String], exceptDomains: [String])
    }

    /// Seconds since 1970: `from` is in it, `until` is not.
    package struct Period: Sendable, Hashable {
        package var from: Int64
        package var until: Int64

        package init(from: Int64, until: Int64) {
            self.from = from
            self.until = until
        }
    }

    /// The document that allows everybody, anonymous ones too.
    package static let allowAll = PresenceRules(rules: [Rule(id: "all", handling: .allow)])

    /// What is done about the subscription of somebody.
    ///
    /// - Parameters:
    ///   - identity: the URI that the subscriber has proved, or its `user@domain`; nil for an anonymous one.
    ///   - now: seconds since 1970.
    package func decide(identity: String?, now: Int64) -> Handling { .block }
}
