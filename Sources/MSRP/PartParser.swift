package import NIOCore

/// Splits a connection's bytes into parts, as they come and wherever they are cut.
///
/// - `next` consumes what it returns and leaves in the buffer what it cannot judge yet; the owner appends
///   new bytes behind that and calls again.
/// - A head waits for its blank line or end-line; a body is passed on at once, holding back only octets
///   that may be the start of an end-line.
/// - After a `WireError` the parser must not be used any more.
package struct PartParser: Sendable {
    package let limits: WireLimits
    /// The id under which the body now coming in is passed on to others; its end-line is looked for too
    /// (see `Part.outgoingEndLine`). Nil when bodies are not passed on.
    package var outgoingID: TransactionID?

    package init(limits: WireLimits = WireLimits()) {
        self.limits = limits
    }

    /// Between two messages, with nothing of the next one looked at.
    package var isAtMessageStart: Bool { true }

    package mutating func next(_ buffer: inout ByteBuffer) throws(WireError) -> Part? {
        nil
    }
}
