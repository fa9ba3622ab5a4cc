import Foundation

/// Reading a chunk before its end has come: what shows that a relay cuts through.
extension RawRelayClient {
    /// The head of the SEND that has begun, and the octets of its body so far. The chunk is to be taken further with
    /// `finishMessage`.
    package func openChunk(within seconds: Double = 10) throws -> (head: MSRPFrame, body: [UInt8]) {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            let rest = Array(received[consumed...])
            if let (head, start) = try Self.head(in: rest, from: 0), start < rest.count {
                return (head, Array(rest[start...]))
            }
            guard let bytes = try stream.receiveIfAny(deadline) else { throw SupportError("no chunk began") }
            if bytes.isEmpty { throw SupportError("closed") }
            received += bytes
        }
    }

    /// The whole message that began with `openChunk`.
    package func finishMessage(_ head: MSRPFrame, _ prefix: [UInt8], within seconds: Double = 30) throws -> (
        body: [UInt8], chunks: Int
    ) {
        // Nothing was consumed: the frames are read in the ordinary way.
        try nextWhole(within: seconds, messageID: head.messageID)
    }
}
