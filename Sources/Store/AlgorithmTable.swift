internal import DigestAuth

/// Which algorithms may be offered in which realm: SHA-256 only where every account can be verified by it (RFC 8760
/// section 2.4). MD5 is offered in any case, because there are clients that know nothing else.
struct AlgorithmTable: Sendable, Equatable {
    /// Domains of a table that are told apart (by case and by algorithms, too); with more of them, it's MD5 for all.
    static let mostDomains = 20_000

    /// Those with an account that has the hash, and those with one that hasn't.
    private var with: Set<String> = []
    private var without: Set<String> = []
    /// For realms without accounts: they should look like the others.
    private var otherwise: Bool

    /// Where passwords are at hand.
    static let all = AlgorithmTable(otherwise: true)

    private init(otherwise: Bool) { self.otherwise = otherwise }

    /// - Parameter rows: domains, once or twice each, and whether they have accounts that can be verified by SHA-256.
    init(_ rows: [(domain: String, hasSHA256: Bool)]) {
        otherwise = false
        guard rows.count <= Self.mostDomains else { return }
        for row in rows {
            if row.hasSHA256 { with.insert(row.domain.lowercased()) } else { without.insert(row.domain.lowercased()) }
        }
        otherwise = without.isEmpty && !with.isEmpty
    }

    subscript(realm: String) -> [DigestAlgorithm] {
        let realm = realm.lowercased()
        if without.contains(realm) { return [.md5] }
        return with.contains(realm) || otherwise ? [.sha256, .md5] : [.md5]
    }
}
