internal import FoundationEssentials
internal import Logging
internal import NIOCore

/// What `confd status` and the server say to each other, a line of JSON each.
enum ControlMessage {
    /// The longest request.
    static let longestRequest = 1024
    /// The longest answer that is read.
    static let longestAnswer = 64 << 20

    struct Request: Codable, Equatable {
        /// `status` is the only one.
        var command: String
    }

    struct Answer: Codable, Equatable {
        /// Why there is none of the others.
        var error: String?
        var status: ServerStatus?
    }
}

/// One connection to the control socket: a request, its answer, the end.
final class ControlSocketConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let snapshot: @Sendable () async -> ServerStatus
    private let logger: Logger
    private var request: [UInt8] = []
    private var isAnswered = false
    private var timeout: Scheduled<Void>?

    init(snapshot: @escaping @Sendable () async -> ServerStatus, logger: Logger) {
        self.snapshot = snapshot
        self.logger = logger
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        // It ends connections whose peer does not take its answer, too.
        timeout = context.eventLoop.scheduleTask(in: ControlSocket.requestTimeout) { channel.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        request += unwrapInboundIn(data).readableBytesView
        guard let end = request.firstIndex(of: UInt8(ascii: "\n")) else {
            if request.count > ControlMessage.longestRequest {
                answer(context, ControlMessage.Answer(error: "the request is too long"))
            }
            return
        }
        let decoded = try? JSONDecoder().decode(ControlMessage.Request.self, from: Data(request[..<end]))
        switch decoded?.command {
        case "status":
            isAnswered = true
            let channel = context.channel
            let snapshot = snapshot
            Task { ControlMessage.Answer(status: await snapshot()).write(to: channel) }
        case let command?:
            answer(context, ControlMessage.Answer(error: "the command '\(command)' is not known"))
        case nil:
            answer(context, ControlMessage.Answer(error: "the request is not {\"command\": ...} in one line"))
        }
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
