import Testing

@testable import DigestAuth

@Suite("Nonces that need no memory")
struct NonceLedgerTests {
    private static let second: UInt64 = 1_000_000_000
    private var ledger = NonceLedger(lifetime: 300 * second, limit: 100, key: Array(repeating: 7, count: 32))

    @Test("a nonce is good for its lifetime, and a challenge leaves nothing behind")
    mutating func lifetime() {
        let nonce = ledger.issue(at: 5 * Self.second)
        #expect(nonce.utf8.count == 64)
        #expect(ledger.judge(nonce, count: 1, at: 5 * Self.second) == .fresh)
        #expect(ledger.judge(nonce, count: 1, at: 304 * Self.second) == .fresh)
        #expect(ledger.judge(nonce, count: 1, at: 305 * Self.second) == .expired)
        for _ in 0..<10_000 { _ = ledger.issue(at: 5 * Self.second) }
        #expect(ledger.count == 0)
    }

    @Test("nonces differ, also those of the same instant")
    mutating func differ() {
        let nonces = Set((0..<1000).map { _ in ledger.issue(at: 1) })
        #expect(nonces.count == 1000)
    }

    @Test("a nonce somebody made up, changed or took from elsewhere is unknown")
    mutating func forged() {
        let nonce = ledger.issue(at: 0)
        var other = NonceLedger(lifetime: 300 * Self.second, limit: 100)
        let foreign = other.issue(at: 0)
        #expect(ledger.judge(foreign, count: 1, at: 0) == .unknown)
        for index in [0, 15, 16, 31, 32, 47, 63] {
            var digits = Array(nonce.utf8)
            digits[index] = digits[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            let changed = String(decoding: digits, as: UTF8.self)
            #expect(ledger.judge(changed, count: 1, at: 0) == .unknown, "digit \(index)")
        }
        for text in ["", "0", String(nonce.dropLast()), nonce + "0", String(repeating: "é", count: 32)] {
            #expect(ledger.judge(text, count: 1, at: 0) == .unknown)
        }
    }

    @Test("a nonce of the future is not used")
    mutating func future() {
        let nonce = ledger.issue(at: 10 * Self.second)
        #expect(ledger.judge(nonce, count: 1, at: 9 * Self.second) == .expired)
    }

    @Test("each count is good once, in any order within a window (RFC 7616 section 3.4)")
    mutating func counts() {
        let nonce = ledger.issue(at: 0)
        for count: UInt32 in [2, 1, 3, 70, 69, 7] {
            #expect(ledger.judge(nonce, count: count, at: 1) == .fresh, "\(count)")
            ledger.use(nonce, count: count, at: 1)
            #expect(ledger.judge(nonce, count: count, at: 1) == .replayed, "\(count)")
        }
        // Too long ago to be remembered, so taken for used.
        #expect(ledger.judge(nonce, count: 6, at: 1) == .replayed)
        #expect(ledger.judge(nonce, count: 8, at: 1) == .fresh)
        ledger.use(nonce, count: .max, at: 1)
        #expect(ledger.judge(nonce, count: .max, at: 1) == .replayed)
        #expect(ledger.judge(nonce, count: .max - 1, at: 1) == .fresh)
        #expect(ledger.judge(nonce, count: 71, at: 1) == .replayed)
        #expect(ledger.count == 1)
    }

    @Test("the seal in capitals is no second nonce")
    mutating func capitals() {
        let nonce = ledger.issue(at: 0)
        ledger.use(nonce, count: 1, at: 0)
        let capitals = nonce.prefix(32) + nonce.suffix(32).uppercased()
        #expect(ledger.judge(String(capitals), count: 1, at: 0) == .replayed)
    }

    @Test("the table is bounded, and what was used is never good again")
    mutating func bounded() {
        ledger.limit = 10
        var nonces: [String] = []
        for _ in 0..<100 {
            let nonce = ledger.issue(at: 0)
            ledger.use(nonce, count: 1, at: 0)
            nonces.append(nonce)
            #expect(ledger.count <= 10)
        }
        for nonce in nonces { #expect(ledger.judge(nonce, count: 1, at: 0) != .fresh) }
        #expect(ledger.judge(nonces[0], count: 2, at: 0) == .unknown)
        #expect(ledger.judge(nonces[99], count: 2, at: 0) == .fresh)
    }

    @Test("what has expired makes room first")
    mutating func expiredMakesRoom() {
        ledger.limit = 10
        for _ in 0..<10 { ledger.use(ledger.issue(at: 0), count: 1, at: 0) }
        let later = 300 * Self.second
        let nonce = ledger.issue(at: later)
        ledger.use(nonce, count: 1, at: later)
        #expect(ledger.count == 1)
        #expect(ledger.judge(nonce, count: 1, at: later) == .replayed)
    }
}
