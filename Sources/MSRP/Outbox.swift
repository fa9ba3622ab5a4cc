import NIOCore

/// The outgoing messages of a session that are not settled yet: which still have chunks to send, and how many of
/// their chunks are unanswered.
struct Outbox: Sendable {
    /// A message of which chunks have to go out.
    struct Queued: Sendable {
        let number: UInt32
        let message: OutgoingMessage
        /// Octets that went out.
        var offset = 0

        init(number: UInt32, message: OutgoingMessage) {
            self.number = number
            self.message = message
        }
    }

    private struct Unsettled: Sendable {
        let number: UInt32
        let messageID: MessageID
        var unanswered = 0
        var wholeSent = false
    }

    private var lastNumber: UInt32 = 0
    /// Oldest first, which is also the order in which they are settled, mostly.
    private var unsettled = CircularBuffer<Unsettled>(initialCapacity: 1)
    private var queue = CircularBuffer<Queued>(initialCapacity: 1)
    private var deliveries = CircularBuffer<Delivery>(initialCapacity: 1)

    var queued: Int { queue.count }

    mutating func open(_ messageID: MessageID) -> UInt32 {
        lastNumber &+= 1
        unsettled.append(Unsettled(number: lastNumber, messageID: messageID))
        return lastNumber
    }

    mutating func enqueue(_ message: OutgoingMessage, number: UInt32) {
        queue.append(Queued(number: number, message: message))
    }

    /// The message whose turn it is; `putBack` it while chunks are left.
    mutating func takeTurn() -> Queued? { queue.popFirst() }

    mutating func putBack(_ queued: Queued) { queue.append(queued) }

    /// A chunk went out.
    mutating func sent(_ number: UInt32, wantsAnswer: Bool, isLast: Bool) {
        guard let index = index(of: number) else { return }
        if wantsAnswer { unsettled[index].unanswered += 1 }
        if isLast { unsettled[index].wholeSent = true }
        settle(at: index)
    }

    /// A chunk was answered with 200.
    mutating func answered(_ number: UInt32) {
        guard let index = index(of: number) else { return }
        unsettled[index].unanswered -= 1
        settle(at: index)
    }

    /// The message cannot succeed any more; no further chunk of it goes out (RFC 4975 section 10.5).
    mutating func fail(_ number: UInt32, _ outcome: Delivery.Outcome) {
        guard let index = index(of: number) else { return }
        let messageID = unsettled[index].messageID
        unsettled.remove(at: index)
        queue.removeAll { $0.number == number }
        deliveries.append(Delivery(messageID: messageID, outcome: outcome))
    }

    mutating func fail(_ messageID: MessageID, _ outcome: Delivery.Outcome) {
        guard let found = unsettled.first(where: { $0.messageID == messageID }) else { return }
        fail(found.number, outcome)
    }

    /// A queued message given up by the owner, which hears no more of it.
    mutating func withdraw(_ messageID: MessageID) -> Queued? {
        unsettled.removeAll { $0.messageID == messageID }
        guard let index = queue.firstIndex(where: { $0.message.messageID == messageID }) else { return nil }
        return queue.remove(at: index)
    }

    mutating func nextDelivery() -> Delivery? { deliveries.popFirst() }

    private mutating func settle(at index: CircularBuffer<Unsettled>.Index) {
        let entry = unsettled[index]
        guard entry.wholeSent, entry.unanswered <= 0 else { return }
        unsettled.remove(at: index)
        deliveries.append(Delivery(messageID: entry.messageID, outcome: .acknowledged))
    }

    private func index(of number: UInt32) -> CircularBuffer<Unsettled>.Index? {
        unsettled.firstIndex { $0.number == number }
    }
}
