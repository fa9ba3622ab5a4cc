import MSRP
import MSRPTransport
import NIOCore

/// What one participant has said to its room in this turn of the loop, as far as each message is one small SEND: then
/// each member is looked at once for all of it.
struct Turn {
    /// A batch that is as large as this is passed on at once.
    private static let mostMessages = 64
    private static let mostBytes = 64 * 1024

    private(set) var batch = SharedBatch()
    /// The same messages, for members about whom something has to be asked.
    private(set) var messages: [Fanout] = []
    private(set) var sender: Member?
    private(set) var isText = true

    var count: Int { messages.count }

    /// - Returns: false when the message does not go with those that are here, or is not for a turn at all.
    mutating func takes(_ message: Fanout, from sender: Member) -> Bool {
        let form = message.cpim
        let size = form.tail.readableBytes
        guard !form.goesInChunks, size < Connection.sharedThreshold else { return false }
        let isText = message.envelope.contentType.hasPrefix("text/")
        if messages.isEmpty {
            self.sender = sender
            self.isText = isText
        } else {
            guard self.sender === sender, self.isText == isText, count < Self.mostMessages,
                batch.size + size <= Self.mostBytes
            else { return false }
        }
        batch.append(id: form.id, tail: form.tail)
        messages.append(message)
        return true
    }

    /// Keeps the room it has taken.
    mutating func removeAll() {
        batch.removeAll()
        messages.removeAll(keepingCapacity: true)
        sender = nil
    }
}
