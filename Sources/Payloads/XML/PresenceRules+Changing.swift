extension PresenceRules {
    /// Sees to it that a subscriber who proves this identity is handled so, whatever the other rules say, now and later.
    ///
    /// Rules that would grant more get an exception for it. One without an identity condition applies to everybody, and
    /// becomes one for everybody who has proved an identity: a document can't say "all but one, and the anonymous too".
    ///
    /// - Parameter identity: a URI, or `user@domain`.
    package mutating func set(_ handling: Handling, for identity: String) {
        reset(identity)
        let uri = Self.uri(identity)
        let person = Self.comparable(uri)
        for index in rules.indices where (rules[index].handling ?? .block) > handling {
            rules[index].except(uri, person)
        }
        if let index = rules.firstIndex(where: { $0.isListOfOnes && $0.handling == handling }),
            case .identity(let ones)? = rules[index].conditions.first
        {
            rules[index].conditions = [.identity(ones + [.one(uri)])]
        } else {
            rules.append(
                Rule(id: unusedID(handling.rawValue), conditions: [.identity([.one(uri)])], handling: handling))
        }
    }

    /// Takes away what rules say about this identity alone: what is left decides about it as about others.
    package mutating func reset(_ identity: String) {
        let person = Self.comparable(identity)
        for index in rules.indices { rules[index].forget(person) }
        // A rule that named only this one is about nobody now.
        rules.removeAll { $0.conditions.contains(.identity([])) && $0.kept.isEmpty }
    }

    private func unusedID(_ id: String) -> String {
        let used = Set(rules.map(\.id))
        guard used.contains(id) else { return id }
        return (2...(rules.count + 2)).lazy.map { "\(id)-\($0)" }.first { !used.contains($0) } ?? id
    }
}

extension PresenceRules.Rule {
    fileprivate var isListOfOnes: Bool {
        guard kept.isEmpty, conditions.count == 1, case .identity(let identities)? = conditions.first else {
            return false
        }
        return identities.allSatisfy { identity in
            if case .one = identity { true } else { false }
        }
    }

    fileprivate mutating func except(_ uri: String, _ person: ComparableURI) {
        var isAboutIdentities = false
        for index in conditions.indices {
            guard case .identity(let identities) = conditions[index] else { continue }
            isAboutIdentities = true
            conditions[index] = .identity(
                identities.map { identity in
                    guard case .many(let domain, let ids, let domains) = identity, identity.matches(person) else {
                        return identity
                    }
                    return .many(domain: domain, exceptIDs: ids + [uri], exceptDomains: domains)
                })
        }
        if !isAboutIdentities {
            conditions.append(.identity([.many(domain: nil, exceptIDs: [uri], exceptDomains: [])]))
        }
    }

    fileprivate mutating func forget(_ person: ComparableURI) {
        for index in conditions.indices {
            guard case .identity(let identities) = conditions[index] else { continue }
            conditions[index] = .identity(
                identities.compactMap { identity in
                    switch identity {
                    case .one(let id):
                        return PresenceRules.comparable(id).isSameIdentity(as: person) ? nil : identity
                    case .many(let domain, let ids, let domains):
                        return .many(
                            domain: domain,
                            exceptIDs: ids.filter { !PresenceRules.comparable($0).isSameIdentity(as: person) },
                            exceptDomains: domains)
                    }
                })
        }
    }
}
