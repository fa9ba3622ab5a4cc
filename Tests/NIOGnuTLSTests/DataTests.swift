import NIOCore
import NIOEmbedded
import NIOGnuTLS
import Testing

@Suite("Data")
struct DataTests {
    @Test("large data arrives whole, both ways at once", arguments: [TLSVersion.tls12, .tls13])
    func largeData(version: TLSVersion) throws {
        let pair = try TLSPair(versions: [version], scratch: TLSScratch())
        try pair.pump()
        let up = pattern(300_001)
        let down = pattern(200_003, seed: 0x5a)
        pair.client.send(up)
        pair.server.send(down)
        try pair.pump(pieces: 10_007)
        #expect(pair.server.recorder.plaintext == up)
        #expect(pair.client.recorder.plaintext == down)
    }

    @Test("a record carries at most 16,384 octets of plaintext (RFC 8446 section 5.1)")
    func recordLimit() throws {
        let pair = try TLSPair(versions: [.tls13])
        try pair.pump()
        pair.client.send(pattern(40_000))
        // Plus content type and tag (RFC 8446 section 5.2).
        #expect(try recordLengths(pair.client.takeCiphertext()) == [16_384 + 17, 16_384 + 17, 7_232 + 17])
    }

    @Test("writes before a flush are gathered to full records", arguments: [true, false])
    func coalescing(withScratch: Bool) throws {
        let pair = try TLSPair(versions: [.tls13], scratch: withScratch ? TLSScratch() : nil)
        try pair.pump()
        let bytes = pattern(40_000)
        var rest = bytes[...]
        for length in [1, 99, 20_000, 0, 300, 16_384, 3_216] {
            pair.client.send(Array(rest.prefix(length)), flush: false)
            rest = rest.dropFirst(length)
        }
        #expect(try pair.client.takeCiphertext().isEmpty)
        pair.client.channel.flush()
        let ciphertext = try pair.client.takeCiphertext()
        #expect(recordLengths(ciphertext) == [16_384 + 17, 16_384 + 17, 7_232 + 17])
        try pair.server.receive(ciphertext)
        #expect(pair.server.recorder.plaintext == bytes)
    }

    @Test("all plaintext of one read is delivered in one piece")
    func oneReadOnePiece() throws {
        let pair = try TLSPair()
        try pair.pump()
        for _ in 0..<20 { pair.client.send(pattern(100)) }
        let before = pair.server.recorder.readCompletes
        try pair.server.receive(pair.client.takeCiphertext())
        #expect(pair.server.recorder.reads == 1)
        #expect(pair.server.recorder.plaintext.count == 2000)
        #expect(pair.server.recorder.readCompletes == before + 1)
    }

    @Test("readComplete is passed on even when nothing was decrypted")
    func readComplete() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.client.send(pattern(100))
        let ciphertext = try pair.client.takeCiphertext()
        let before = pair.server.recorder.readCompletes
        try pair.server.receive(Array(ciphertext.prefix(50)))
        #expect(pair.server.recorder.reads == 0)
        #expect(pair.server.recorder.readCompletes == before + 1)
    }

    @Test("every promise of a flush is kept when its ciphertext is written")
    func promises() throws {
        let pair = try TLSPair()
        let promises = (0..<5).map { _ in pair.client.channel.eventLoop.makePromise(of: Void.self) }
        for promise in promises.prefix(4) { pair.client.channel.write(ByteBuffer(string: "x"), promise: promise) }
        pair.client.channel.flush()
        pair.client.channel.write(ByteBuffer(string: "x"), promise: promises[4])
        try pair.pump()
        for promise in promises.prefix(4) { try promise.futureResult.wait() }
        pair.client.channel.close(promise: nil)
        #expect(throws: TLSError.closed) { try promises[4].futureResult.wait() }
    }

    @Test("plaintext that its owner keeps is not overwritten by the next read")
    func keptPlaintext() throws {
        let scratch = TLSScratch()
        let pair = try TLSPair(scratch: scratch)
        try pair.pump()
        for round in 0..<10 {
            pair.client.send(pattern(5000, seed: UInt8(round)))
            pair.server.send(pattern(3000, seed: UInt8(round)))
        }
        try pair.pump()
        for round in 0..<10 {
            let range = round * 5000..<(round + 1) * 5000
            #expect(Array(pair.server.recorder.plaintext[range]) == pattern(5000, seed: UInt8(round)))
        }
        // Ciphertext that is not written yet belongs to the channel.
        pair.client.send(pattern(700, seed: 1))
        pair.client.send(pattern(900, seed: 2))
        try pair.pump()
        #expect(pair.server.recorder.plaintext.suffix(1600) == pattern(700, seed: 1) + pattern(900, seed: 2))
    }

    @Test("the handshake reads for itself while its owner does not, and a wish to read outlives empty records")
    func readsOnDemand() throws {
        let server = try TLSContext.server(identities: [Identities.server], versions: [.tls13])
        let pair = try TLSPair(server: server, client: .client(versions: [.tls13]))
        let wishes = ReadCounter()
        try pair.client.channel.pipeline.syncOperations.addHandler(wishes, position: .first)
        try pair.client.channel.syncOptions?.setOption(.autoRead, value: false)
        try pair.pump(pieces: 100)
        #expect(pair.client.recorder.completed != nil)
        #expect(wishes.count > 0)

        // Nobody wants to read: nothing is asked for, whatever arrives.
        wishes.count = 0
        pair.server.send(pattern(10))
        try pair.pump()
        #expect(wishes.count == 0)

        // Half a record does not satisfy a wish.
        pair.client.channel.read()
        #expect(wishes.count == 1)
        pair.server.send(pattern(100))
        let ciphertext = try pair.server.takeCiphertext()
        try pair.client.receive(Array(ciphertext.prefix(50)))
        #expect(wishes.count == 2)
        try pair.client.receive(Array(ciphertext.dropFirst(50)))
        #expect(wishes.count == 2)
        #expect(pair.client.recorder.plaintext.count == 110)
    }
}

/// Counts how often the network is asked to read.
private final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}
