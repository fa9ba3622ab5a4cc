/// A TLS connection between two event loops: taken out of the handler of one channel, put into that of another.
///
/// Safe to send, though `TLSSession` is not Sendable: `GnuTLSHandler.takeAway` is the only maker and gives its own
/// reference away with it, after its timer, its writes and its buffers have none left, so the session has one owner at
/// a time; and what it refers to beside its own memory is the `TLSContext`, which is Sendable. GnuTLS binds a session
/// to no thread: it only forbids using it on two at once. The hop from loop to loop orders what the first did before
/// what the second does.
package struct MovingTLS: @unchecked Sendable {
    let session: TLSSession

    init(_ session: TLSSession) { self.session = session }
}
