internal import FoundationEssentials
internal import Logging
internal import NIOCore

/// One connection to the control socket: a request, its answer, the end.
final class ControlSocketConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let handler: ControlMessage.Handler
    private let logger: Logger
    private var request: [UInt8] = []
    private var isAnswered = false
    private var timeout: Scheduled<Void>?

    init(handler: @escaping ControlMessage.Handler, logger: Logger) {
        self.handler = handler
        self.logger = logger
    }

    func channelActive(context: ChannelHandlerContext) {
        close(context.channel, in: ControlSocket.requestTimeout)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        let seen = request.count
        request += unwrapInboundIn(data).readableBytesView
        guard let end = request[seen...].firstIndex(of: UInt8(ascii: "\n")) else {
            if request.count > ControlMessage.longestRequest {
                answer(context, ControlMessage.Answer(error: "the request is too long"))
            }
            return
        }
        isAnswered = true
        let channel = context.channel
        guard let request = try? JSONDecoder().decode(ControlMessage.Request.self, from: Data(request[..<end])) else {
            let error = "the request is not understood; are this program and the server of one version?"
            return ControlMessage.Answer(error: error).write(to: channel)
        }
        // It ends connections whose peer does not take its answer, too.
        close(channel, in: ControlSocket.answerTimeout)
        let handler = handler
        Task { await handler(request).write(to: channel) }
    }

    private func close(_ channel: any Channel, in time: TimeAmount) {
        timeout?.cancel()
        timeout = channel.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }

    private func answer(_ context: ChannelHandlerContext, _ answer: ControlMessage.Answer) {
        isAnswered = true
        answer.write(to: context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("control connection", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }
}

extension ControlMessage.Answer {
    /// The line, and the connection's end.
    fileprivate func write(to channel: any Channel) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { return channel.close(promise: nil) }
        var buffer = channel.allocator.buffer(capacity: data.count + 1)
        buffer.writeBytes(data)
        buffer.writeInteger(UInt8(ascii: "\n"))
        channel.writeAndFlush(buffer).whenComplete { _ in channel.close(promise: nil) }
    }
}

@available(*, unavailable)
extension ControlSocketConnection: Sendable {}
