import NIOCore
import Testing

@testable import RelayCore

@Suite struct ThrottleTests {
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("a second's worth passes at once, then so much a second on average")
    func average() {
        var throttle = Throttle(rate: 1000, now: start)
        #expect(throttle.take(1000, now: start) == true)
        #expect(throttle.take(500, now: start) == false)
        #expect(throttle.isOpen(now: start + .milliseconds(499)) == false)
        #expect(throttle.isOpen(now: start + .milliseconds(500)) == true)
        var passed = 0
        var now = start + .milliseconds(500)
        for _ in 0..<200 {
            now = now + .milliseconds(100)
            while throttle.isOpen(now: now) {
                passed += 64
                if !throttle.take(64, now: now) { break }
            }
        }
        #expect(passed >= 19_900 && passed <= 21_200)
    }

    @Test("no rate and no count make it trap or open too wide")
    func extremes() {
        var throttle = Throttle(rate: .max, now: start)
        #expect(throttle.take(.max, now: start) == true)
        #expect(throttle.isOpen(now: start + .hours(1_000)) == true)
        var slow = Throttle(rate: 0, now: start)
        #expect(slow.take(1, now: start) == true)
        #expect(slow.take(.max, now: start) == false)
        #expect(slow.take(.max, now: start) == false)
    }
}
