import DigestAuth
import Testing

@Suite("Nonces")
struct NonceTests {
    private var keeper = NonceKeeper(limit: 2, source: .sequence(10))

    @Test("a nonce is 32 hexadecimal digits of 128 random bits")
    func form() {
        var random = NonceKeeper(limit: 100)
        let nonces = (0..<100).map { random.issue(lifetime: 1000, at: $0) }
        #expect(Set(nonces).count == 100)
        #expect(nonces.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy { "0123456789abcdef".contains($0) } })
    }

    @Test("a nonce is good until its time is over")
    mutating func lifetime() {
        let nonce = keeper.issue(lifetime: 15, at: 100)
        #expect(nonce == "0000000000000000000000000000000a")
        #expect(keeper.judge(nonce, count: 1, at: 114) == .fresh)
        #expect(keeper.judge(nonce, count: 1, at: 115) == .expired)
        #expect(keeper.judge("0000000000000000000000000000000b", count: 1, at: 100) == .unknown)
        #expect(keeper.judge(nonce.uppercased(), count: 1, at: 100) == .unknown)
        #expect(keeper.judge("", count: 1, at: 100) == .unknown)
    }

    @Test("a count is good once, and none below it afterwards (RFC 7616 section 3.4)")
    mutating func counts() {
        let nonce = keeper.issue(lifetime: 15, at: 0)
        keeper.use(nonce, count: 3)
        #expect(keeper.judge(nonce, count: 3, at: 1) == .replayed)
        #expect(keeper.judge(nonce, count: 2, at: 1) == .replayed)
        #expect(keeper.judge(nonce, count: 4, at: 1) == .fresh)
        keeper.use(nonce, count: 1)
        #expect(keeper.judge(nonce, count: 3, at: 1) == .replayed)
    }

    @Test("the oldest is forgotten for a new one, and what expired goes first")
    mutating func bounded() {
        let first = keeper.issue(lifetime: 100, at: 0)
        let second = keeper.issue(lifetime: 10, at: 0)
        let third = keeper.issue(lifetime: 100, at: 20)
        #expect(keeper.judge(first, count: 1, at: 20) == .fresh)
        #expect(keeper.judge(second, count: 1, at: 20) == .unknown)
        let fourth = keeper.issue(lifetime: .max, at: 20)
        #expect(keeper.count == 2)
        #expect(keeper.judge(first, count: 1, at: 20) == .unknown)
        #expect(keeper.judge(third, count: 1, at: 20) == .fresh)
        #expect(keeper.judge(fourth, count: 1, at: .max - 1) == .fresh)
    }
}

@Suite("Accounts in memory")
struct MemoryAccountsTests {
    private let accounts = MemoryAccounts(["alice@Example.com": "1234", "Bob@example.com": "p:w"])

    @Test("an account is found by name and realm, or by a name that brings its domain")
    func found() async {
        let secrets = AccountSecrets(username: "alice", realm: "example.com", password: "1234")
        #expect(accounts.known(username: "alice", realm: "example.com") == .found(secrets))
        #expect(await accounts.lookUp(username: "alice", realm: "example.com") == .found(secrets))
        #expect(
            accounts.known(username: "alice@EXAMPLE.com", realm: "relay")
                == .found(AccountSecrets(username: "alice@EXAMPLE.com", realm: "relay", password: "1234")))
        #expect(accounts.known(username: "Bob", realm: "EXAMPLE.COM") != .unknown)
    }

    @Test("user names differ by case, and nobody else is known")
    func unknown() {
        #expect(accounts.known(username: "bob", realm: "example.com") == .unknown)
        #expect(accounts.known(username: "alice", realm: "example.org") == .unknown)
        #expect(accounts.known(username: "", realm: "") == .unknown)
    }

    @Test("all accounts are exchanged at once")
    func exchanged() async {
        accounts.replace(with: ["carol@example.com": "x"])
        #expect(accounts.known(username: "alice", realm: "example.com") == .unknown)
        #expect(accounts.known(username: "carol", realm: "example.com") != .unknown)
        #expect(await accounts.algorithms(realm: "example.com") == [.sha256, .md5])
        #expect(accounts.knownAlgorithms(realm: "example.com") == [.sha256, .md5])
    }
}
