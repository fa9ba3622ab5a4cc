import NIOCore
import Testing

@testable import MediaMixer

@Suite("Receivers that take too little")
struct SlowReceiverTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test("below half of its bound a receiver keeps up")
    func keepsUp() {
        var slow = SlowReceiver()
        #expect(slow.observe(queued: 500, enqueued: 500, bound: 1000, wait: .seconds(5), now: start) == .keepsUp)
    }

    @Test("above it senders wait as long as octets move")
    func slowWithProgress() {
        var slow = SlowReceiver()
        for second in 0..<100 {
            let verdict = slow.observe(
                queued: 800, enqueued: 800 + UInt64(second) * 10, bound: 1000, wait: .seconds(5),
                now: start + .seconds(Int64(second)))
            #expect(verdict == .slow)
        }
    }

    @Test("nobody waits for one that stands still")
    func stalled() {
        var slow = SlowReceiver()
        #expect(slow.observe(queued: 800, enqueued: 800, bound: 1000, wait: .seconds(5), now: start) == .slow)
        let later = start + .milliseconds(1001)
        #expect(slow.observe(queued: 900, enqueued: 900, bound: 1000, wait: .seconds(5), now: later) == .stalled)
    }

    @Test("over its bound for slow_member_wait it is given up, progress or not")
    func givenUp() {
        var slow = SlowReceiver()
        #expect(slow.observe(queued: 1001, enqueued: 2000, bound: 1000, wait: .seconds(5), now: start) == .slow)
        #expect(
            slow.observe(queued: 1001, enqueued: 3000, bound: 1000, wait: .seconds(5), now: start + .seconds(4))
                == .slow)
        #expect(
            slow.observe(queued: 1001, enqueued: 4000, bound: 1000, wait: .seconds(5), now: start + .seconds(5))
                == .giveUp)
    }

    @Test("back under its bound the wait starts anew")
    func recovered() {
        var slow = SlowReceiver()
        _ = slow.observe(queued: 1001, enqueued: 2000, bound: 1000, wait: .seconds(5), now: start)
        #expect(
            slow.observe(queued: 10, enqueued: 2000, bound: 1000, wait: .seconds(5), now: start + .seconds(4))
                == .keepsUp)
        #expect(
            slow.observe(queued: 1001, enqueued: 4000, bound: 1000, wait: .seconds(5), now: start + .seconds(5))
                == .slow)
    }
}
