/// Which algorithms are offered in a realm, as the account store said a moment ago: so that most challenges need not
/// wait for it. Times are nanoseconds of a monotonic clock.
package struct OfferedAlgorithms: Sendable {
    package static let lifetime: UInt64 = 5_000_000_000
    /// Clients choose the realm where none is configured.
    package static let mostRealms = 256

    private var entries: [String: (algorithms: [DigestAlgorithm], deadline: UInt64)] = [:]

    package init() {}

    package func known(_ realm: String, at now: UInt64) -> [DigestAlgorithm]? {
        guard let entry = entries[realm], entry.deadline > now else { return nil }
        return entry.algorithms
    }

    /// - Parameter stored: what the store can verify.
    /// - Returns: what is offered, in the order of the challenges.
    package mutating func learn(_ stored: [DigestAlgorithm], realm: String, at now: UInt64) -> [DigestAlgorithm] {
        let offered = Self.order(stored)
        if entries.count >= Self.mostRealms {
            entries = entries.filter { $0.value.deadline > now }
            if entries.count >= Self.mostRealms { entries = [:] }
        }
        entries[realm] = (offered, now &+ Self.lifetime)
        return offered
    }

    package mutating func forget() { entries = [:] }

    /// The strongest first (RFC 8760 section 2.3) and MD5 always, at the end: there are clients that keep the last
    /// challenge and compute MD5 whatever it says. No session algorithms (RFC 4976 section 9.1).
    package static func order(_ stored: [DigestAlgorithm]) -> [DigestAlgorithm] {
        stored.contains(.sha256) ? [.sha256, .md5] : [.md5]
    }
}
