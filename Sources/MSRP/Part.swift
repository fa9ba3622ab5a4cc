package import NIOCore

/// What a connection's bytes are made of.
package enum Part: Sendable, Equatable {
    /// A start line and its header fields. `body` parts follow only when `head.hasBody`; `end` always.
    case head(Head)
    /// Some octets of the body, as they came; never empty.
    case body(ByteBuffer)
    /// The end-line of `PartParser.outgoingID` stands at this point of the body. Its octets follow as body:
    /// who passes bodies on must first close the outgoing chunk and go on under another id, and set it.
    case outgoingEndLine
    /// The end-line.
    case end(Continuation)
}
