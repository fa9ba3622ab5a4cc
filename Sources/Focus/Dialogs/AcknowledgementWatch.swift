/// Which calls wait for the ACK of their 200, in the order of their deadlines, so that one timer serves them all.
///
/// A call stays until its deadline also when its ACK came: asking it then is cheaper than finding it before.
struct AcknowledgementWatch: Sendable {
    private var waiting: [(call: UInt64, deadline: ContinuousClock.Instant)] = []
    private var head = 0

    init() {}

    /// True when a timer has to be started, because none runs.
    mutating func add(_ call: UInt64, deadline: ContinuousClock.Instant) -> Bool {
        waiting.append((call, deadline))
        return waiting.count - head == 1
    }

    /// The calls whose deadline has come, and the next deadline if there is one.
    mutating func expire(now: ContinuousClock.Instant) -> (due: [UInt64], next: ContinuousClock.Instant?) {
        var due: [UInt64] = []
        while head < waiting.count, waiting[head].deadline <= now {
            due.append(waiting[head].call)
            head += 1
        }
        if head == waiting.count {
            waiting.removeAll(keepingCapacity: head < 1_024)
            head = 0
        } else if head > 1_024, head > waiting.count / 2 {
            waiting.removeFirst(head)
            head = 0
        }
        return (due, head < waiting.count ? waiting[head].deadline : nil)
    }
}
