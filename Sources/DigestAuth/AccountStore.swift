/// Where the accounts of a relay or a domain are kept: memory, an SQLite table, later other databases.
///
/// Implementations are shared by all threads. A look-up never blocks its caller's thread.
package protocol AccountStore: Sendable {
    /// The algorithms that can be verified for every account of a realm. SHA-256 is offered only then (RFC 8760).
    func algorithms(realm: String) async -> [DigestAlgorithm]

    /// The same where it is known at once, without waiting; nil: ask `algorithms`.
    func knownAlgorithms(realm: String) -> [DigestAlgorithm]?

    /// What is known at once, without waiting (memory, or a fresh cache entry); nil: ask `lookUp`.
    func known(username: String, realm: String) -> AccountLookup?

    /// Looks the account up.
    func lookUp(username: String, realm: String) async -> AccountLookup

    /// Other addresses that are the account's, each `user@domain`: its owner may call itself by them in From.
    ///
    /// - Parameter username: without its domain.
    func aliases(username: String, realm: String) async -> [String]
}

extension AccountStore {
    package func knownAlgorithms(realm: String) -> [DigestAlgorithm]? { nil }
    package func aliases(username: String, realm: String) async -> [String] { [] }
}

/// What looking for an account gave.
package enum AccountLookup: Sendable, Equatable {
    case found(AccountSecrets)
    /// Nobody of this name.
    case unknown
    /// The store could not be asked; the reason is for the log.
    case unavailable(String)
}

/// What an account's passwords are checked against: H(username:realm:password) in lower-case hexadecimal digits
/// (RFC 7616 section 3.4.2), never the password itself.
package struct AccountSecrets: Sendable, Equatable {
    package var md5: String?
    package var sha256: String?

    package init(md5: String?, sha256: String?) {
        self.md5 = md5
        self.sha256 = sha256
    }

    /// Of a password in clear text.
    package init(username: String, realm: String, password: String) {
        let text = "\(username):\(realm):\(password)"
        md5 = DigestAlgorithm.md5.hash(text)
        sha256 = DigestAlgorithm.sha256.hash(text)
    }
}
