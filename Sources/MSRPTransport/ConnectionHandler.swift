import Logging
import NIOCore
import NIOGnuTLS

/// The one handler of a plain channel: translates between the channel and its `Connection`.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let connection: Connection
    /// Called once when the connection can be used: at once for plain, after the handshake for TLS.
    private var established: ((Connection) -> Void)?

    init(connection: Connection, established: ((Connection) -> Void)? = nil) {
        self.connection = connection
        self.established = established
    }

    func handlerAdded(context: ChannelHandlerContext) {
        connection.context = context
        if context.channel.isActive { becameActive() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        connection.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        becameActive()
        context.fireChannelActive()
    }

    private func becameActive() {
        connection.becameActive()
        if !connection.isTLS { announce() }
    }

    private func announce() {
        guard let established else { return }
        self.established = nil
        established(connection)
        connection.transport.scheduler.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        connection.received(bytes)
        if !connection.isTLS { connection.transport.receiveBuffers.giveBack(bytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        connection.transport.scheduler.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection.channelWritabilityChanged()
        connection.transport.scheduler.flush()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let completed = event as? TLSHandshakeCompleted else { return }
        connection.isTLS = true
        connection.peer = TLSPeer(completed)
        connection.transport.counters.tlsConnections &+= 1
        announce()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let transport = connection.transport
        if error is TLSError {
            transport.counters.tlsFailures &+= 1
            if connection.closeReason == nil { connection.closeReason = .tlsFailed }
        } else if connection.closeReason == nil {
            connection.closeReason = .failed
        }
        transport.logger.debug(
            "connection failed",
            metadata: [
                "connection": "\(connection.number)", "peer": "\(connection.remoteName)", "error": "\(error)",
            ])
        connection.close(.now, reason: .failed)
        transport.scheduler.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.channelClosed()
        connection.transport.scheduler.flush()
    }
}

@available(*, unavailable)
extension ConnectionHandler: Sendable {}
