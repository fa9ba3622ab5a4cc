import Synchronization

/// Accounts from the configuration: `alice@example.com = password`. All of them can be exchanged at once.
package final class MemoryAccounts: AccountStore {
    private struct Account {
        let password: String
        /// For the account as it is keyed.
        let secrets: AccountSecrets
    }

    private let accounts: Mutex<[String: Account]>

    /// - Parameter passwords: clear text by `user@domain`.
    package init(_ passwords: [String: String]) {
        accounts = Mutex(Self.keyed(passwords))
    }

    package func replace(with passwords: [String: String]) {
        let keyed = Self.keyed(passwords)
        accounts.withLock { $0 = keyed }
    }

    package func algorithms(realm: String) async -> [DigestAlgorithm] { [.sha256, .md5] }
    package func knownAlgorithms(realm: String) -> [DigestAlgorithm]? { [.sha256, .md5] }

    package func known(username: String, realm: String) -> AccountLookup? {
        // A user name may bring its domain; without one it is the realm's.
        let bringsDomain = username.utf8.contains(UInt8(ascii: "@"))
        let key = Self.key(bringsDomain ? username : "\(username)@\(realm)")
        let account = accounts.withLock { $0[key] }
        if !bringsDomain, key.utf8.elementsEqual("\(username)@\(realm)".utf8) {
            return account.map { .found($0.secrets) } ?? .unknown
        }
        // As written it is not what was hashed beforehand. Hashed for nobody too, so that the time taken doesn't tell
        // who there is.
        let secrets = AccountSecrets(username: username, realm: realm, password: account?.password ?? "")
        return account == nil ? .unknown : .found(secrets)
    }

    package func lookUp(username: String, realm: String) async -> AccountLookup {
        known(username: username, realm: realm) ?? .unknown
    }

    private static func keyed(_ passwords: [String: String]) -> [String: Account] {
        let accounts = passwords.map { name, password in
            let key = key(name)
            let at = key.lastIndex(of: "@")
            let secrets = AccountSecrets(
                username: String(key[..<(at ?? key.endIndex)]),
                realm: at.map { String(key[key.index(after: $0)...]) } ?? "",
                password: password)
            return (key, Account(password: password, secrets: secrets))
        }
        return Dictionary(accounts, uniquingKeysWith: { first, _ in first })
    }

    /// Domains are the same in any case, user names are not.
    private static func key(_ account: String) -> String {
        guard let at = account.utf8.lastIndex(of: UInt8(ascii: "@")) else { return account }
        // Nearly all are in lower case as they are.
        guard account.utf8[at...].contains(where: { !(0x21...0x40).contains($0) && !(0x61...0x7E).contains($0) }) else {
            return account
        }
        return account[..<at] + account[at...].lowercased()
    }
}
