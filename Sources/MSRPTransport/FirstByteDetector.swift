import NIOCore
import NIOGnuTLS

/// Tells TLS from plain MSRP on the one port: a TLS record starts with 0x16 (handshake), MSRP with `M`.
final class FirstByteDetector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    static let tlsHandshake: UInt8 = 0x16

    private let connection: Connection

    init(connection: Connection) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) else { return }
        if first == Self.tlsHandshake, let tls = connection.transport.serverTLSHandler() {
            connection.isTLS = true
            do {
                try context.pipeline.syncOperations.addHandler(tls, position: .after(self))
            } catch {
                context.close(promise: nil)
                return
            }
        }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}

@available(*, unavailable)
extension FirstByteDetector: Sendable {}
