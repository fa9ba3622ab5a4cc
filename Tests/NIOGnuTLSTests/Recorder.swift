import NIOCore
import NIOGnuTLS

/// The owner of a TLS connection in a test: notes all it sees and does what the test wants on the way.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var plaintext: [UInt8] = []
    private(set) var reads = 0
    private(set) var completed: TLSHandshakeCompleted?
    private(set) var plaintextBeforeCompletion = false
    private(set) var errors: [TLSError] = []
    private(set) var otherErrors: [any Error] = []
    private(set) var readCompletes = 0
    private(set) var isInactive = false
    var onCompleted: ((ChannelHandlerContext) -> Void)?
    var onRead: ((ChannelHandlerContext) -> Void)?

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? TLSHandshakeCompleted else { return }
        completed = event
        onCompleted?(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if completed == nil { plaintextBeforeCompletion = true }
        reads += 1
        plaintext.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        onRead?(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        readCompletes += 1
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? TLSError { errors.append(error) } else { otherErrors.append(error) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isInactive = true
        context.fireChannelInactive()
    }
}
