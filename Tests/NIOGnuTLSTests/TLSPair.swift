import NIOCore
import NIOEmbedded
import NIOGnuTLS
import Testing

/// A client and a server joined in memory; bytes move only when the test moves them.
struct TLSPair {
    struct End {
        let channel: EmbeddedChannel
        let recorder: Recorder

        /// Plaintext out, as an owner writes it.
        func send(_ bytes: [UInt8], flush: Bool = true) {
            channel.write(ByteBuffer(bytes: bytes), promise: nil)
            if flush { channel.flush() }
        }

        /// Ciphertext that wants out.
        func takeCiphertext() throws -> [UInt8] {
            var bytes: [UInt8] = []
            while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
                bytes.append(contentsOf: buffer.readableBytesView)
            }
            return bytes
        }

        /// Ciphertext that arrived, in pieces.
        func receive(_ bytes: [UInt8], pieces: Int = .max) throws {
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(pieces)
                rest = rest.dropFirst(piece.count)
                try channel.writeInbound(ByteBuffer(bytes: piece))
            }
        }
    }

    let client: End
    let server: End

    init(
        server serverContext: TLSContext, client clientContext: TLSContext, serverName: String? = nil,
        verification: PeerVerification = .none, limits: TLSLimits = TLSLimits(), scratch: TLSScratch? = nil
    ) throws {
        server = try Self.end(GnuTLSHandler(context: serverContext, limits: limits, scratch: scratch))
        client = try Self.end(
            GnuTLSHandler(
                context: clientContext, serverName: serverName, verification: verification, limits: limits,
                scratch: scratch))
    }

    /// With one certificate for both versions that are common.
    init(
        versions: [TLSVersion] = [.tls12, .tls13], limits: TLSLimits = TLSLimits(), scratch: TLSScratch? = nil
    ) throws {
        try self.init(
            server: .server(identities: [Identities.server], versions: versions), client: .client(versions: versions),
            limits: limits, scratch: scratch)
    }

    static func end(_ handler: GnuTLSHandler) throws -> End {
        let recorder = Recorder()
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers([handler, recorder])
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 2855), promise: nil)
        return End(channel: channel, recorder: recorder)
    }

    /// Moves ciphertext both ways until nobody has any.
    func pump(pieces: Int = .max) throws {
        var moved = true
        while moved {
            let toServer = try client.takeCiphertext()
            try server.receive(toServer, pieces: pieces)
            let toClient = try server.takeCiphertext()
            try client.receive(toClient, pieces: pieces)
            moved = !toServer.isEmpty || !toClient.isEmpty
        }
    }
}

/// Certificates that tests share; making one takes a millisecond.
enum Identities {
    static let server = make(["chat.example.com", "127.0.0.1", "::1"])
    static let client = make(["alice.example.com"])

    private static func make(_ names: [String]) -> TLSIdentity {
        do {
            return try SelfSignedCertificate.generate(names: names)
        } catch {
            preconditionFailure("no certificate for tests: \(error)")
        }
    }
}

/// The lengths of the records in a run of ciphertext (RFC 8446 section 5.1).
func recordLengths(_ ciphertext: [UInt8]) -> [Int] {
    var lengths: [Int] = []
    var rest = ciphertext[...]
    while rest.count >= 5 {
        let length = Int(rest[rest.startIndex + 3]) << 8 | Int(rest[rest.startIndex + 4])
        lengths.append(length)
        rest = rest.dropFirst(5 + length)
    }
    return lengths
}

/// Bytes that differ at every place of a record.
func pattern(_ count: Int, seed: UInt8 = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) ^ seed }
}
