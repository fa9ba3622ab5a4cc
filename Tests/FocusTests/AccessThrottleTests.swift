import Testing

@testable import Focus

@Suite("Throttling by source")
struct AccessThrottleTests {
    private static let second: UInt64 = 1_000_000_000

    private func key(_ text: String) throws -> SourceThrottle.Key {
        SourceThrottle.Key(try #require(Address(text)))
    }

    @Test("a burst is taken at once, then so many a second")
    func rate() throws {
        var throttle = SourceThrottle(.init(perSecond: 10, burst: 5), limit: 100)
        let source = try key("192.0.2.1")
        for _ in 0..<5 { #expect(throttle.take(source, at: 0) == nil) }
        #expect(throttle.take(source, at: 0) == Self.second / 10)
        // What was refused counts for nothing.
        #expect(throttle.take(source, at: Self.second / 10) == nil)
        #expect(throttle.take(source, at: Self.second / 10) != nil)
        var taken = 0
        for step in 0..<1000 {
            if throttle.take(source, at: Self.second + UInt64(step) * Self.second / 100) == nil { taken += 1 }
        }
        #expect((100...105).contains(taken))
        for _ in 0..<5 { #expect(throttle.take(source, at: 100 * Self.second) == nil) }
        #expect(throttle.wait(source, at: 100 * Self.second) != nil)
    }

    @Test("one source's flood is no other's; an IPv6 network of 64 bits is one source")
    func sources() throws {
        var throttle = SourceThrottle(.init(perSecond: 1, burst: 1), limit: 100)
        #expect(throttle.take(try key("192.0.2.1"), at: 0) == nil)
        #expect(throttle.take(try key("192.0.2.1"), at: 0) != nil)
        #expect(throttle.take(try key("192.0.2.2"), at: 0) == nil)
        #expect(throttle.take(try key("2001:db8::1"), at: 0) == nil)
        #expect(throttle.take(try key("2001:db8::ffff:2"), at: 0) != nil)
        #expect(throttle.take(try key("2001:db8:0:1::1"), at: 0) == nil)
        #expect(throttle.take(try key("::ffff:192.0.2.1"), at: 0) != nil)
    }

    @Test("the table is bounded, and forgets first what need not be kept")
    func bounded() throws {
        var throttle = SourceThrottle(.init(perSecond: 1, burst: 2), limit: 10)
        for number in 0..<200 {
            #expect(throttle.take(try key("198.51.100.\(number)"), at: UInt64(number)) == nil)
            #expect(throttle.count <= 10)
        }
        #expect(throttle.take(try key("192.0.2.1"), at: 100 * Self.second) == nil)
        #expect(throttle.count == 1)
    }

    @Test("extreme rates neither trap nor lock anybody out for ever")
    func extremes() throws {
        let source = try key("192.0.2.1")
        for rate in [0, -1, Double.infinity, .nan] {
            var throttle = SourceThrottle(.init(perSecond: rate, burst: 1), limit: 1)
            for _ in 0..<10 { #expect(throttle.take(source, at: 0) == nil) }
        }
        for (rate, burst) in [(1e-300, 0), (1e300, Int.max), (1e-9, Int.max), (1, Int.min)] {
            var throttle = SourceThrottle(.init(perSecond: rate, burst: burst), limit: 0)
            #expect(throttle.take(source, at: 0) == nil)
            for _ in 0..<10 { _ = throttle.take(source, at: 1) }
            #expect(throttle.take(source, at: 5_000_000 * Self.second) == nil)
        }
    }

    @Test("the SIP thread is watched only while it is busy, and while it is late")
    func lag() {
        var gauge = LagGauge()
        var timers: [Bool] = []
        for _ in 1..<LagGauge.busy { timers.append(gauge.requestCame(at: 0)) }
        #expect(!timers.contains(true))
        let first = gauge.requestCame(at: 0)
        #expect(first)
        for _ in 0..<LagGauge.busy { timers.append(gauge.requestCame(at: 1)) }
        #expect(!timers.contains(true))
        #expect(!gauge.isLate(by: Self.second))
        let late = LagGauge.interval + 2 * Self.second
        let second = gauge.timerFired(at: late)
        #expect(second)
        #expect(gauge.isLate(by: Self.second))
        #expect(!gauge.isLate(by: 2 * Self.second))
        let third = gauge.timerFired(at: late + LagGauge.interval)
        #expect(!third)
        #expect(!gauge.isLate(by: 0))
    }
}
