internal import DigestAuth

/// Which algorithms may be offered in which realm: SHA-256 only where every account can be verified by it (RFC 8760
/// section 2.4), MD5 unless none can.
struct AlgorithmTable: Sendable, Equatable {
    /// Domains of a table that are told apart; where there are more, what holds for all of them holds for each.
    static let mostDomains = 10_000

    private var byDomain: [String: [DigestAlgorithm]] = [:]
    /// For realms without accounts too: they must not look different.
    private var otherwise: [DigestAlgorithm]

    /// Where passwords are at hand.
    static let all = AlgorithmTable(otherwise: [.sha256, .md5])

    private init(otherwise: [DigestAlgorithm]) { self.otherwise = otherwise }

    /// - Parameter rows: of each domain its name in lower case, its accounts, and how many have which hash.
    init(_ rows: [(domain: String, accounts: Int, md5: Int, sha256: Int)]) {
        let total = rows.reduce(into: (accounts: 0, md5: 0, sha256: 0)) { sum, row in
            sum = (sum.accounts &+ row.accounts, sum.md5 &+ row.md5, sum.sha256 &+ row.sha256)
        }
        otherwise = Self.offer(total.accounts, total.md5, total.sha256)
        guard rows.count <= Self.mostDomains else { return }
        for row in rows { byDomain[row.domain] = Self.offer(row.accounts, row.md5, row.sha256) }
    }

    private static func offer(_ accounts: Int, _ md5: Int, _ sha256: Int) -> [DigestAlgorithm] {
        guard accounts > 0, sha256 == accounts else { return [.md5] }
        return md5 == 0 ? [.sha256] : [.sha256, .md5]
    }

    subscript(realm: String) -> [DigestAlgorithm] { byDomain[realm.lowercased()] ?? otherwise }
}
