import NIOCore
import NIOEmbedded
import NIOGnuTLS
import Testing

@Suite("Release")
struct ReleaseTests {
    enum Ending: CaseIterable {
        case orderly, abort, peerCloses, garbage, timeout, duringHandshake, withHeldWrites
    }

    @Test("a connection that ended, in whatever way, keeps nothing alive", arguments: Ending.allCases)
    func nothingStays(ending: Ending) throws {
        weak var serverHandler: GnuTLSHandler?
        weak var clientHandler: GnuTLSHandler?
        weak var context: TLSContext?
        do {
            let serverContext = try TLSContext.server(identities: [Identities.server])
            context = serverContext
            let pair = try TLSPair(server: serverContext, client: .client())
            serverHandler = try pair.server.channel.pipeline.syncOperations.handler(type: GnuTLSHandler.self)
            clientHandler = try pair.client.channel.pipeline.syncOperations.handler(type: GnuTLSHandler.self)
            try end(pair, ending)
            for end in [pair.server, pair.client] where !end.recorder.isInactive {
                end.channel.triggerUserOutboundEvent(TLSAbort(), promise: nil)
            }
            for end in [pair.server, pair.client] { end.channel.embeddedEventLoop.run() }
        }
        #expect(serverHandler == nil)
        #expect(clientHandler == nil)
        #expect(context == nil)
    }

    private func end(_ pair: TLSPair, _ ending: Ending) throws {
        switch ending {
        case .duringHandshake:
            try pair.server.receive(pair.client.takeCiphertext())
            pair.server.channel.close(promise: nil)
            return
        case .timeout:
            pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(10))
            pair.client.channel.embeddedEventLoop.advanceTime(by: .seconds(10))
            return
        case .withHeldWrites:
            pair.client.send(pattern(10))
            pair.client.send(pattern(10), flush: false)
            return
        case .orderly, .abort, .peerCloses, .garbage:
            try pair.pump()
        }
        switch ending {
        case .orderly: pair.server.channel.close(promise: nil)
        case .abort: pair.server.channel.triggerUserOutboundEvent(TLSAbort(), promise: nil)
        case .garbage: try pair.server.receive([0x17, 3, 3, 0, 30] + pattern(30))
        default: pair.client.channel.close(promise: nil)
        }
        try pair.pump()
    }
}
