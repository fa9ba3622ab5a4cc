import DigestAuth
import Support
import Testing

@testable import Store

@Suite("What is remembered of look-ups")
struct LookupCacheTests {
    private static func cache(_ lifetime: Duration = .seconds(5), _ capacity: Int = 100) -> LookupCache {
        var limits = AccountDatabase.Cache()
        limits.lifetime = lifetime
        limits.capacity = capacity
        return LookupCache(limits)
    }

    private static func key(_ number: Int) -> LookupCache.Key { .init(username: "user\(number)", realm: "example.com") }

    @Test("an answer holds for its lifetime, whether it was good or not; a failure is no answer")
    func lifetime() {
        var cache = Self.cache()
        let start = ContinuousClock.now
        cache.remember(.found(Alice.secrets), for: Self.key(1), at: start)
        cache.remember(.unknown, for: Self.key(2), at: start)
        cache.remember(.unavailable("locked"), for: Self.key(3), at: start)
        let last = start + .milliseconds(4999)
        #expect(cache.answer(Self.key(1), at: last) == .found(Alice.secrets))
        #expect(cache.answer(Self.key(2), at: last) == .unknown)
        #expect(cache.answer(Self.key(3), at: last) == nil)
        #expect(cache.answer(Self.key(1), at: start + .seconds(5)) == nil)
        #expect(cache.answer(Self.key(2), at: start + .seconds(5)) == nil)
    }

    @Test("an account that is made or removed is not what it was before")
    func changes() {
        var cache = Self.cache()
        let start = ContinuousClock.now
        cache.remember(.unknown, for: Self.key(1), at: start)
        cache.remember(.found(Alice.secrets), for: Self.key(1), at: start)
        #expect(cache.answer(Self.key(1), at: start) == .found(Alice.secrets))
        cache.remember(.unknown, for: Self.key(1), at: start)
        #expect(cache.answer(Self.key(1), at: start) == .unknown)
        cache.remember(.unavailable("gone"), for: Self.key(1), at: start)
        #expect(cache.answer(Self.key(1), at: start) == nil)
        #expect(cache.count == 0)
    }

    @Test("names that look the same and are written otherwise are not the same")
    func equivalence() {
        var cache = Self.cache()
        let start = ContinuousClock.now
        cache.remember(.found(Alice.secrets), for: .init(username: "ren\u{E9}", realm: "example.com"), at: start)
        #expect(cache.answer(.init(username: "rene\u{301}", realm: "example.com"), at: start) == nil)
        #expect(cache.answer(.init(username: "ren\u{E9}", realm: "example.com"), at: start) == .found(Alice.secrets))
    }

    @Test("names that nobody has don't push accounts out")
    func flood() {
        var cache = Self.cache(.seconds(5), 10)
        let start = ContinuousClock.now
        cache.remember(.found(Alice.secrets), for: Self.key(0), at: start)
        for number in 1...1000 { cache.remember(.unknown, for: Self.key(number), at: start) }
        #expect(cache.answer(Self.key(0), at: start) == .found(Alice.secrets))
        #expect(cache.answer(Self.key(1000), at: start) == .unknown)
        #expect(cache.answer(Self.key(1), at: start) == nil)
        #expect(cache.count == 11)
    }

    @Test("without a lifetime or a place nothing is remembered")
    func none() {
        for var cache in [Self.cache(.zero), Self.cache(.seconds(5), 0)] {
            cache.remember(.found(Alice.secrets), for: Self.key(1), at: .now)
            #expect(cache.count == 0)
        }
    }

    @Test("it never says what a plain dictionary with end times would not, and stays in bounds", arguments: 0..<40)
    func model(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let capacity = Int.random(in: 1...8, using: &generator)
        var cache = Self.cache(.seconds(5), capacity)
        var model: [LookupCache.Key: (answer: AccountLookup, until: ContinuousClock.Instant)] = [:]
        var order: [LookupCache.Key] = []
        var time = ContinuousClock.now
        for _ in 0..<2000 {
            time += .milliseconds(Int.random(in: 0...900, using: &generator))
            let key = Self.key(Int.random(in: 0..<12, using: &generator))
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<5:
                let secrets = AccountSecrets(md5: "\(Int.random(in: 0..<100, using: &generator))", sha256: nil)
                let answer: AccountLookup = Bool.random(using: &generator) ? .found(secrets) : .unknown
                cache.remember(answer, for: key, at: time)
                model[key] = (answer, time + .seconds(5))
                order.removeAll { $0 == key }
                order.append(key)
            case 5:
                cache.forget(key)
                model[key] = nil
            case 6 where Int.random(in: 0..<20, using: &generator) == 0:
                cache.forgetAll()
                model = [:]
            default:
                let answer = cache.answer(key, at: time)
                let right = model[key].flatMap { time < $0.until ? $0.answer : nil }
                if let answer { #expect(answer == right) }
                // What is among the newest can't have been pushed out.
                if right != nil, order.suffix(capacity).contains(key) { #expect(answer == right) }
            }
            #expect(cache.count <= 2 * capacity)
        }
    }

    @Test("what is known at once is what was looked up")
    func known() async throws {
        let file = try ForeignFile(
            ForeignFile.schema,
            "INSERT INTO subscriber (username, domain, ha1) VALUES ('alice', 'example.com', '\(Alice.md5)')")
        let clock = TestClock()
        let store = try await file.open(clock: clock)
        #expect(store.known(username: "alice", realm: "example.com") == nil)
        _ = await store.lookUp(username: "alice", realm: "example.com")
        _ = await store.lookUp(username: "bob", realm: "example.com")
        #expect(store.known(username: "alice", realm: "Example.com") == .found(Alice.secrets))
        #expect(store.known(username: "bob", realm: "example.com") == .unknown)
        clock.advance(by: .seconds(5))
        #expect(store.known(username: "alice", realm: "example.com") == nil)
        #expect(store.known(username: "bob", realm: "example.com") == nil)
    }
}
