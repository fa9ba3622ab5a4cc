internal import DigestAuth
internal import FoundationEssentials
internal import MediaMixer
internal import Payloads
internal import Store

/// What `confd room policy` does with a room's document (RFC 5025).
enum RoomPolicyOrder: Codable, Sendable, Equatable {
    case show
    /// `handling` is one of `PresenceRules.Handling`.
    case rule(handling: String, [RoomPolicyPerson])
    /// Takes the document away.
    case reset
    case replace(Data)

    /// Does it in the database.
    ///
    /// - Returns: the document as it is afterwards; empty: there is none.
    /// - Throws: RoomFailure, StoreError.
    func perform(on room: RoomAddress, _ database: EmbeddedDatabase) async throws -> String {
        if case .show = self {
            return String(decoding: try await database.policy(of: room)?.content ?? [], as: UTF8.self)
        }
        return try await database.updatePolicy(of: room) { stored -> Result<String, RoomFailure> in
            do throws(RoomFailure) {
                let document = try apply(to: stored?.content).document
                stored = document.map { PolicyDocument(content: Array($0.utf8), etag: Self.etag($0)) }
                return .success(document ?? "")
            } catch {
                return .failure(error)
            }
        }.get()
    }

    /// The document that follows from `content`; nil: none.
    ///
    /// - Throws: RoomFailure: a document, the old one or the new one, is not understood.
    func apply(to content: [UInt8]?) throws(RoomFailure) -> (document: String?, rules: PresenceRules?) {
        switch self {
        case .show:
            let rules = try content.map { content throws(RoomFailure) in try Self.read(content) }
            return (content.map { String(decoding: $0, as: UTF8.self) }, rules)
        case .rule(let handling, let people):
            guard let handling = PresenceRules.Handling(rawValue: handling) else {
                throw RoomFailure("'\(handling)' is not known")
            }
            var rules = PresenceRules(rules: [])
            if let content, !people.contains(.everyone) { rules = try Self.read(content) }
            for person in people { rules.set(handling, for: person) }
            return (String(decoding: rules.xml(), as: UTF8.self), rules)
        case .reset: return (nil, nil)
        case .replace(let data):
            let rules = try Self.read(Array(data))
            return (String(decoding: data, as: UTF8.self), rules)
        }
    }

    static func read(_ content: [UInt8]) throws(RoomFailure) -> PresenceRules {
        do throws(XMLError) {
            return try PresenceRules(parsing: content)
        } catch {
            throw RoomFailure(
                "the document is no policy document (\(PresenceRules.contentType), RFC 5025): \(error)")
        }
    }

    /// Another one for another document (RFC 9110 section 8.8.3).
    static func etag(_ document: String) -> String { String(DigestAlgorithm.sha256.hash(document).prefix(16)) }
}

/// Whom a rule of `confd room policy` is about.
enum RoomPolicyPerson: Codable, Sendable, Hashable {
    case everyone
    /// In lower case.
    case domain(String)
    /// `user@domain`, or a `tel:` URI.
    case account(String)
}

extension PresenceRules {
    /// Has somebody handled in a certain way, whatever was said of them before.
    ///
    /// Since the most permissive of the rules that apply decides, who is to get less is taken out of the rules that give
    /// more. Time limits stay as they are.
    mutating func set(_ handling: Handling, for person: RoomPolicyPerson) {
        switch person {
        case .everyone: rules = [Rule(id: "everyone", handling: handling)]
        case .domain(let domain):
            takeOut { if case .many(let own, _, _) = $0 { own?.lowercased() == domain } else { false } }
            except(handling, ids: [], domains: [domain])
            // Who was named stays as it was said.
            let named = rules.filter { $0.handling ?? handling < handling }.flatMap(\.named).filter {
                $0.lowercased().hasSuffix("@\(domain)")
            }
            add(.many(domain: domain, exceptIDs: named, exceptDomains: []), handling)
        case .account(let account):
            takeOut { if case .one(let id) = $0 { Self.isSame(id, account) } else { false } }
            let id = account.hasPrefix("tel:") ? account : "sip:\(account)"
            except(handling, ids: [id], domains: [])
            add(.one(id), handling)
        }
    }

    private mutating func takeOut(_ isMeant: (Identity) -> Bool) {
        for index in rules.indices.reversed() {
            for place in rules[index].conditions.indices {
                guard case .identity(var identities) = rules[index].conditions[place] else { continue }
                identities.removeAll(where: isMeant)
                rules[index].conditions[place] = .identity(identities)
            }
            if rules[index].conditions.contains(.identity([])) { rules.remove(at: index) }
        }
    }

    /// Takes people out of the rules that give more than `handling`, and puts them back in those that give just that.
    private mutating func except(_ handling: Handling, ids: [String], domains: [String]) {
        for index in rules.indices {
            guard let own = rules[index].handling, own >= handling else { continue }
            let isMore = own > handling
            if isMore, !rules[index].conditions.contains(where: \.isIdentity) {
                rules[index].conditions.append(.identity([.many(domain: nil, exceptIDs: ids, exceptDomains: domains)]))
                continue
            }
            for place in rules[index].conditions.indices {
                guard case .identity(let identities) = rules[index].conditions[place] else { continue }
                rules[index].conditions[place] = .identity(
                    identities.map { identity in
                        guard case .many(let domain, var exceptIDs, var exceptDomains) = identity else {
                            return identity
                        }
                        exceptIDs.removeAll { except in ids.contains { Self.isSame(except, $0) } }
                        exceptDomains.removeAll { domains.contains($0.lowercased()) }
                        if isMore {
                            exceptIDs += ids.filter { Self.isOf($0, domain) }
                            exceptDomains += domain == nil ? domains : []
                        }
                        return .many(domain: domain, exceptIDs: exceptIDs, exceptDomains: exceptDomains)
                    })
            }
        }
    }

    private mutating func add(_ identity: Identity, _ handling: Handling) {
        for index in rules.indices where rules[index].id == handling.rawValue && rules[index].handling == handling {
            guard rules[index].conditions.count == 1, case .identity(let identities) = rules[index].conditions[0] else {
                continue
            }
            rules[index].conditions = [.identity(identities + [identity])]
            return
        }
        var id = handling.rawValue
        var number = 1
        while rules.contains(where: { $0.id == id }) {
            number += 1
            id = "\(handling.rawValue)-\(number)"
        }
        rules.append(Rule(id: id, conditions: [.identity([identity])], handling: handling))
    }

    private static func bare(_ id: String) -> Substring {
        for scheme in ["sip:", "sips:"] where id.lowercased().hasPrefix(scheme) { return id.dropFirst(scheme.count) }
        return id[...]
    }

    /// Users are case-sensitive, domains are not.
    private static func isSame(_ left: String, _ right: String) -> Bool {
        let (left, right) = (bare(left), bare(right))
        guard let one = left.lastIndex(of: "@"), let other = right.lastIndex(of: "@") else { return left == right }
        return left[..<one] == right[..<other] && left[one...].lowercased() == right[other...].lowercased()
    }

    private static func isOf(_ id: String, _ domain: String?) -> Bool {
        domain.map { bare(id).lowercased().hasSuffix("@\($0.lowercased())") } ?? true
    }
}

extension PresenceRules.Condition {
    fileprivate var isIdentity: Bool { if case .identity = self { true } else { false } }
}

extension PresenceRules.Rule {
    fileprivate var named: [String] {
        conditions.flatMap { condition -> [String] in
            guard case .identity(let identities) = condition else { return [] }
            return identities.compactMap { if case .one(let id) = $0 { id } else { nil } }
        }
    }
}
