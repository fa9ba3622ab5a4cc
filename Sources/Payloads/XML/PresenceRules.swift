/// A presence authorisation document (RFC 5025, on the common policy of RFC 4745) as it decides about SUBSCRIBE.
///
/// Rules can only grant: what no rule allows is blocked, and of the rules that apply the most permissive decides.
package struct PresenceRules: Sendable, Hashable {
    package static let contentType = "application/auth-policy+xml"

    /// The values of `sub-handling` (RFC 5025 section 3.2.1), the least permissive first.
    package enum Handling: String, Sendable, Hashable, Comparable, CaseIterable {
        case block
        case confirm
        case politeBlock = "polite-block"
        case allow

        /// The numbers of RFC 5025.
        private var value: Int {
            switch self {
            case .block: 0
            case .confirm: 10
            case .politeBlock: 20
            case .allow: 30
            }
        }

        package static func < (left: Handling, right: Handling) -> Bool { left.value < right.value }
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
        /// Actions of others and transformations, kept for whoever reads the document next.
        package var kept: [XMLElement] = []

        package init(id: String, conditions: [Condition] = [], handling: Handling?) {
            self.id = id
            self.conditions = conditions
            self.handling = handling
        }
    }

    package enum Condition: Sendable, Hashable {
        /// Any of these must be the subscriber.
        case identity([Identity])
        /// The time must be in one of these.
        case validity([Period])
        /// The sphere of the one who is watched, which a room has not, or a condition that is not known. Neither is ever
        /// true (RFC 4745 sections 6 and 7.3).
        case unmet(XMLElement)
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
    ///   - identity: the URI that the subscriber has proved, or its `user@domain`; nil for an anonymous one, to whom no
    ///     identity condition applies (RFC 4745 section 7.1.1).
    ///   - now: seconds since 1970.
    package func decide(identity: String?, now: Int64) -> Handling {
        let person = identity.map { Self.comparable($0) }
        return rules.lazy
            .filter { rule in rule.conditions.allSatisfy { $0.holds(for: person, now: now) } }
            .compactMap(\.handling).max() ?? .block
    }

    /// A URI; what has no scheme is a `user@domain`.
    static func comparable(_ identity: String) -> ComparableURI { ComparableURI(uri(identity)) }

    static func uri(_ identity: String) -> String {
        let beforeColon = identity.prefix { $0 != ":" && $0 != "@" }
        return identity.dropFirst(beforeColon.count).first == ":" ? identity : "sip:\(identity)"
    }
}

extension PresenceRules.Condition {
    fileprivate func holds(for person: ComparableURI?, now: Int64) -> Bool {
        switch self {
        case .identity(let identities):
            guard let person else { return false }
            return identities.contains { $0.matches(person) }
        case .validity(let periods): return periods.contains { $0.from <= now && now < $0.until }
        case .unmet: return false
        }
    }
}

extension PresenceRules.Identity {
    func matches(_ person: ComparableURI) -> Bool {
        switch self {
        case .one(let id):
            return PresenceRules.comparable(id).isSameIdentity(as: person)
        case .many(let domain, let exceptIDs, let exceptDomains):
            if let domain, !person.isOf(domain) { return false }
            return !exceptDomains.contains { person.isOf($0) }
                && !exceptIDs.contains { PresenceRules.comparable($0).isSameIdentity(as: person) }
        }
    }
}

extension ComparableURI {
    fileprivate func isOf(_ domain: String) -> Bool {
        guard let own = self.domain else { return false }
        return ASCII.equalIgnoringCase(own, Self.unescaped(Array(domain.utf8)))
    }
}
