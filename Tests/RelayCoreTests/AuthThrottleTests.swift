import DigestAuth
import MSRPTransport
import Testing

@testable import RelayCore

@Suite("Failures by address")
struct AuthThrottleTests {
    private var throttle = FailureThrottle()

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test("an address with too many failures is refused until some are forgiven, others are not")
    mutating func burst() throws {
        let guesser = try address("192.0.2.1")
        for _ in 1..<FailureThrottle.burst { throttle.failed(guesser, at: 5) }
        #expect(!throttle.isBlocked(guesser, at: 5))
        throttle.failed(guesser, at: 5)
        #expect(throttle.isBlocked(guesser, at: 5))
        #expect(!throttle.isBlocked(try address("192.0.2.2"), at: 5))
        #expect(!throttle.isBlocked(guesser, at: 5 + FailureThrottle.interval))
    }

    @Test("going on while refused does not prolong it")
    mutating func bounded() throws {
        let guesser = try address("192.0.2.1")
        for _ in 1...1000 { throttle.failed(guesser, at: 0) }
        #expect(!throttle.isBlocked(guesser, at: FailureThrottle.interval))
    }

    @Test("an IPv6 network of 64 bits counts as one address")
    mutating func networks() throws {
        for number in 1...FailureThrottle.burst { throttle.failed(try address("2001:db8:0:1::\(number)"), at: 0) }
        #expect(throttle.isBlocked(try address("2001:db8:0:1:ffff::1"), at: 0))
        #expect(!throttle.isBlocked(try address("2001:db8:0:2::1"), at: 0))
    }

    @Test("the table of addresses is bounded")
    mutating func table() throws {
        for number in 0..<FailureThrottle.mostAddresses + 10 {
            throttle.failed(try address("10.0.\(number >> 8).\(number & 255)"), at: FailureThrottle.interval)
        }
        #expect(throttle.count == FailureThrottle.mostAddresses)
        throttle.failed(try address("192.0.2.1"), at: 3 * FailureThrottle.interval)
        #expect(throttle.count == 1)
    }
}

@Suite("Offered algorithms")
struct AuthAlgorithmTests {
    @Test("MD5 comes last, and is there whatever the store says; session algorithms are not offered")
    func order() {
        #expect(OfferedAlgorithms.order([.md5, .sha256]) == [.sha256, .md5])
        #expect(OfferedAlgorithms.order([.md5]) == [.md5])
        #expect(OfferedAlgorithms.order([]) == [.md5])
        #expect(OfferedAlgorithms.order([.sha256Session, .md5Session]) == [.md5])
    }

    @Test("what a store said is known for a while, for a bounded number of realms")
    func cache() {
        var offered = OfferedAlgorithms()
        #expect(offered.known("a", at: 0) == nil)
        #expect(offered.learn([.sha256], realm: "a", at: 0) == [.sha256, .md5])
        #expect(offered.known("a", at: OfferedAlgorithms.lifetime - 1) == [.sha256, .md5])
        #expect(offered.known("a", at: OfferedAlgorithms.lifetime) == nil)
        for number in 0...OfferedAlgorithms.mostRealms { _ = offered.learn([], realm: "\(number)", at: 0) }
        #expect(offered.known("0", at: 0) == nil && offered.known("\(OfferedAlgorithms.mostRealms)", at: 0) == [.md5])
    }
}
