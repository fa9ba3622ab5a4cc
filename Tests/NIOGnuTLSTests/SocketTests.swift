import NIOCore
import NIOGnuTLS
import NIOPosix
import Testing

@Suite("Over sockets")
struct SocketTests {
    @Test("megabytes cross both ways at once and arrive as they were sent", arguments: [TLSVersion.tls12, .tls13])
    func bothWays(version: TLSVersion) async throws {
        let upward = pattern(3_000_017)
        let downward = pattern(2_000_003, seed: 0x77)
        let serverGot = NIOLoopPromise<[UInt8]>()
        let clientGot = NIOLoopPromise<[UInt8]>()
        let serverContext = try TLSContext.server(identities: [Identities.server], versions: [version])
        let clientContext = try TLSContext.client(versions: [version])
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let exchange = Exchange(send: downward, expect: upward.count, got: serverGot)
                    try channel.pipeline.syncOperations.addHandlers([GnuTLSHandler(context: serverContext), exchange])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let exchange = Exchange(send: upward, expect: downward.count, got: clientGot)
                    try channel.pipeline.syncOperations.addHandlers([GnuTLSHandler(context: clientContext), exchange])
                }
            }
            .connect(to: try #require(listener.localAddress)).get()
        #expect(try await serverGot.value == upward)
        #expect(try await clientGot.value == downward)
        try await client.close()
        try await listener.close()
    }
}

/// Sends one thing in unequal writes when the handshake is complete, and waits for another.
private final class Exchange: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let send: [UInt8]
    private let expect: Int
    private let got: NIOLoopPromise<[UInt8]>
    private var received: [UInt8] = []

    init(send: [UInt8], expect: Int, got: NIOLoopPromise<[UInt8]>) {
        self.send = send
        self.expect = expect
        self.got = got
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is TLSHandshakeCompleted else { return }
        var rest = send[...]
        var length = 1
        while !rest.isEmpty {
            let piece = rest.prefix(length)
            rest = rest.dropFirst(length)
            context.write(wrapOutboundOut(ByteBuffer(bytes: piece)), promise: nil)
            length = length * 3 % 50_021
        }
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        if received.count >= expect { got.resolve(.success(received)) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        got.resolve(.failure(error))
    }

    func channelInactive(context: ChannelHandlerContext) {
        got.resolve(.failure(ChannelError.eof))
    }
}
