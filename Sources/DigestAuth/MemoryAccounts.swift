import Synchronization

/// Accounts from the configuration: `alice@example.com = password`. All of them can be exchanged at once.
package final class MemoryAccounts: AccountStore {
    private let passwords: Mutex<[String: String]>

    /// - Parameter passwords: clear text by `user@domain`.
    package init(_ passwords: [String: String]) {
        self.passwords = Mutex(Self.keyed(passwords))
    }

    package func replace(with passwords: [String: String]) {
        let keyed = Self.keyed(passwords)
        self.passwords.withLock { $0 = keyed }
    }

    package func algorithms(realm: String) async -> [DigestAlgorithm] { [.sha256, .md5] }
    package func knownAlgorithms(realm: String) -> [DigestAlgorithm]? { [.sha256, .md5] }

    package func known(username: String, realm: String) -> AccountLookup? {
        // A user name may bring its domain; without one it is the realm's.
        let account = username.utf8.contains(UInt8(ascii: "@")) ? username : "\(username)@\(realm)"
        let password = passwords.withLock { $0[Self.key(account)] }
        // Hashed for nobody too, so that the time taken doesn't tell who there is.
        let secrets = AccountSecrets(username: username, realm: realm, password: password ?? "")
        return password == nil ? .unknown : .found(secrets)
    }

    package func lookUp(username: String, realm: String) async -> AccountLookup {
        known(username: username, realm: realm) ?? .unknown
    }

    private static func keyed(_ passwords: [String: String]) -> [String: String] {
        Dictionary(passwords.map { (key($0.key), $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// Domains are the same in any case, user names are not.
    private static func key(_ account: String) -> String {
        guard let at = account.lastIndex(of: "@") else { return account }
        return account[..<at] + account[at...].lowercased()
    }
}
