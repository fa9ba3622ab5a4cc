import NIOCore
import NIOEmbedded
import NIOGnuTLS
import Testing

@Suite("Closing")
struct ClosingTests {
    @Test("an orderly close sends close_notify, and the peer closes too (RFC 8446 section 6.1)")
    func orderly() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.client.send(Array("last words".utf8))
        let closed = pair.client.channel.close()
        try closed.wait()
        let ciphertext = try pair.client.takeCiphertext()
        #expect(recordLengths(ciphertext).count == 2)
        try pair.server.receive(ciphertext)
        #expect(pair.server.recorder.plaintext == Array("last words".utf8))
        #expect(pair.server.recorder.errors == [])
        #expect(pair.server.recorder.isInactive)
        #expect(pair.client.recorder.isInactive)
    }

    @Test("a close whose last bytes do not leave waits two seconds")
    func closeTimeout() throws {
        let stall = Stall()
        let pair = try TLSPair()
        try pair.pump()
        try pair.server.channel.pipeline.syncOperations.addHandler(stall, position: .first)
        let closed = pair.server.channel.close()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1999))
        #expect(!pair.server.recorder.isInactive)
        pair.server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(pair.server.recorder.isInactive)
        try closed.wait()
    }

    @Test("an abort closes at once, also while an orderly close waits")
    func abort() throws {
        let pair = try TLSPair()
        try pair.pump()
        try pair.server.channel.pipeline.syncOperations.addHandler(Stall(), position: .first)
        let closed = pair.server.channel.close()
        pair.server.channel.triggerUserOutboundEvent(TLSAbort(), promise: nil)
        #expect(pair.server.recorder.isInactive)
        try closed.wait()
        pair.client.channel.triggerUserOutboundEvent(TLSAbort(), promise: nil)
        #expect(pair.client.recorder.isInactive)
        #expect(try pair.client.takeCiphertext().isEmpty)
    }

    @Test("a peer that vanishes in mid-record without close_notify is a plain close")
    func truncated() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.client.send(pattern(100))
        try pair.server.receive(Array(pair.client.takeCiphertext().prefix(60)))
        // What a channel fires when the socket has ended.
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.recorder.isInactive)
        #expect(pair.server.recorder.errors == [])
        #expect(pair.server.recorder.otherErrors.isEmpty)
        #expect(pair.server.recorder.plaintext == [])
    }

    @Test("bytes behind close_notify are ignored (RFC 8446 section 6.1)")
    func dataBehindCloseNotify() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.client.send(Array("a".utf8))
        try pair.client.channel.close().wait()
        try pair.server.receive(pair.client.takeCiphertext() + [0x17, 3, 3, 0, 1, 0])
        #expect(pair.server.recorder.plaintext == Array("a".utf8))
        #expect(pair.server.recorder.errors == [])
    }

    @Test("a write after the close fails")
    func writeAfterClose() throws {
        let pair = try TLSPair()
        try pair.pump()
        try pair.client.channel.close().wait()
        #expect(throws: (any Error).self) { try pair.client.channel.writeAndFlush(ByteBuffer(string: "x")).wait() }
    }

    @Test("an owner may close within a read, once or twice")
    func closeWithinRead() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.server.recorder.onRead = { context in
            context.write(NIOAny(ByteBuffer(string: "bye")), promise: nil)
            context.flush()
            context.close(promise: nil)
            context.close(promise: nil)
        }
        for _ in 0..<3 { pair.client.send(Array("hello".utf8)) }
        try pair.pump()
        #expect(pair.server.recorder.reads == 1)
        #expect(pair.client.recorder.plaintext == Array("bye".utf8))
        #expect(pair.client.recorder.isInactive)
        #expect(pair.client.recorder.errors == [])
    }

    @Test("an owner may abort when the handshake completes")
    func abortOnCompletion() throws {
        let pair = try TLSPair()
        pair.client.recorder.onCompleted = { context in
            context.triggerUserOutboundEvent(TLSAbort(), promise: nil)
        }
        pair.client.send(Array("never".utf8))
        try pair.pump()
        #expect(pair.client.recorder.isInactive)
        #expect(pair.server.recorder.plaintext == [])
    }

    @Test("a flush that closes the channel within itself does no harm")
    func closeWithinFlush() throws {
        let pair = try TLSPair()
        try pair.pump()
        let trap = CloseOnWrite()
        try pair.server.channel.pipeline.syncOperations.addHandler(trap, position: .first)
        pair.server.recorder.onRead = { context in
            context.write(NIOAny(ByteBuffer(string: "answer")), promise: nil)
            context.flush()
            context.write(NIOAny(ByteBuffer(string: "more")), promise: nil)
            context.flush()
        }
        pair.client.send(Array("hello".utf8))
        try pair.pump()
        #expect(pair.server.recorder.isInactive)
        #expect(pair.server.recorder.errors == [])
    }

    @Test("a close during the handshake needs no waiting")
    func closeDuringHandshake() throws {
        let pair = try TLSPair()
        pair.client.send(Array("held".utf8))
        try pair.client.channel.close().wait()
        #expect(pair.client.recorder.isInactive)
        #expect(pair.client.recorder.errors == [])
    }
}

/// A network that takes nothing.
private final class Stall: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Kept from leaking: the promise fails when the test is over and the channel closes.
        if let promise { context.channel.closeFuture.cascade(to: promise) }
    }
}

/// A network that is gone when it is written to.
private final class CloseOnWrite: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.close(promise: nil)
        promise?.fail(ChannelError.ioOnClosedChannel)
    }
}
