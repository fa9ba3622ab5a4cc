import NIOCore
import Testing

@testable import MediaMixer

@Suite("Receivers that take too little")
struct SlowReceiverTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test("below half of its bound a receiver keeps up")
    func keepsUp() {
        var slow = SlowReceiver()
        #expect(slow.observe(queued: 500, enqueued: 500, bound: 1000, now: start) == .keepsUp)
        #expect(!slow.isCongested)
    }

    @Test("above it senders wait as long as octets move")
    func slowWithProgress() {
        var slow = SlowReceiver()
        for second in 0..<100 {
            let verdict = slow.observe(
                queued: 800, enqueued: 800 + UInt64(second) * 10, bound: 1000, now: start + .seconds(Int64(second)))
            #expect(verdict == .slow)
        }
        #expect(!slow.isCongested)
    }

    @Test("nobody waits for one that stands still")
    func stalled() {
        var slow = SlowReceiver()
        #expect(slow.observe(queued: 800, enqueued: 800, bound: 1000, now: start) == .slow)
        let later = start + .milliseconds(1001)
        #expect(slow.observe(queued: 900, enqueued: 900, bound: 1000, now: later) == .stalled)
    }

    @Test("over 80 % of its bound it is congested, until it is down to half (RFC 7701 section 6.4)")
    func congested() {
        var slow = SlowReceiver()
        _ = slow.observe(queued: 800, enqueued: 2000, bound: 1000, now: start)
        #expect(slow.congestedSince == nil)
        _ = slow.observe(queued: 801, enqueued: 2000, bound: 1000, now: start + .seconds(1))
        #expect(slow.congestedSince == start + .seconds(1))
        _ = slow.observe(queued: 501, enqueued: 3000, bound: 1000, now: start + .seconds(2))
        #expect(slow.congestedSince == start + .seconds(1))
        _ = slow.observe(queued: 500, enqueued: 4000, bound: 1000, now: start + .seconds(3))
        #expect(slow.congestedSince == nil)
        _ = slow.observe(queued: 900, enqueued: 5000, bound: 1000, now: start + .seconds(4))
        #expect(slow.congestedSince == start + .seconds(4))
    }

    @Test("one that has held senders up for long enough is congested below that, too")
    func heldUp() {
        var slow = SlowReceiver()
        slow.becomeCongested(now: start)
        _ = slow.observe(queued: 600, enqueued: 2000, bound: 1000, now: start + .seconds(1))
        #expect(slow.congestedSince == start)
        _ = slow.observe(queued: 499, enqueued: 2000, bound: 1000, now: start + .seconds(2))
        #expect(!slow.isCongested)
    }
}
