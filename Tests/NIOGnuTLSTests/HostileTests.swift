import NIOCore
import NIOGnuTLS
import Testing

@Suite("Hostile bytes")
struct HostileTests {
    @Test(
        "what is no TLS ends the handshake",
        arguments: [
            Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8),
            Array("MSRP a786hjs2 SEND\r\n".utf8),
            [0x16, 3, 1, 0xff, 0xff] + [UInt8](repeating: 0, count: 70_000),
            [0x16, 3, 1, 0, 0] + [0x16, 3, 1, 0, 0] + [0x15, 3, 3, 0, 2, 2, 40],
            [0x14, 3, 3, 0, 1, 1, 0x17, 3, 3, 0, 1, 0],
        ] as [[UInt8]])
    func garbage(bytes: [UInt8]) throws {
        let context = try TLSContext.server(identities: [Identities.server])
        let server = try TLSPair.end(GnuTLSHandler(context: context))
        try server.receive(bytes, pieces: 1000)
        #expect(server.recorder.errors.count == 1)
        #expect(server.recorder.isInactive)
        #expect(server.recorder.completed == nil)
        #expect(context.counters.handshakesFailed == 1)
    }

    @Test("a server that answers with garbage ends the client's handshake")
    func garbageToClient() throws {
        let client = try TLSPair.end(GnuTLSHandler(context: .client()))
        try client.receive(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8))
        #expect(client.recorder.errors.count == 1)
        #expect(client.recorder.isInactive)
    }

    @Test("a handshake longer than allowed is ended")
    func handshakeFlood() throws {
        let context = try TLSContext.server(identities: [Identities.server])
        let server = try TLSPair.end(
            GnuTLSHandler(context: context, limits: TLSLimits(maximumHandshakeBytes: 1000)))
        // A ClientHello that promises 60,000 octets and trickles in over many records.
        let hello: [UInt8] = [1, 0, 0xea, 0x60] + [UInt8](repeating: 0, count: 96)
        var sent = 0
        while !server.recorder.isInactive, sent < 100 {
            let part = sent == 0 ? hello : [UInt8](repeating: 0, count: 100)
            try server.receive([0x16, 3, 1, 0, 100] + part)
            sent += 1
        }
        #expect(server.recorder.errors == [.handshakeTooLong])
        #expect(sent == 10)
    }

    @Test(
        "a record that was changed on its way ends the connection (RFC 8446 section 5.2)",
        arguments: [TLSVersion.tls12, .tls13])
    func changedRecord(version: TLSVersion) throws {
        let context = try TLSContext.server(identities: [Identities.server], versions: [version])
        let pair = try TLSPair(server: context, client: .client())
        try pair.pump()
        pair.client.send(Array("good".utf8))
        pair.client.send(Array("evil".utf8))
        var ciphertext = try pair.client.takeCiphertext()
        ciphertext[ciphertext.count - 1] ^= 1
        try pair.server.receive(ciphertext)
        #expect(pair.server.recorder.plaintext == Array("good".utf8))
        #expect(pair.server.recorder.errors.count == 1)
        #expect(pair.server.recorder.isInactive)
        #expect(context.counters.protocolViolations == 1)
        // bad_record_mac reaches the client.
        try pair.client.receive(pair.server.takeCiphertext())
        #expect(pair.client.recorder.errors == [.alertReceived(20)])
    }

    @Test("every octet of a handshake may be wrong without harm to the process", arguments: [TLSVersion.tls12, .tls13])
    func changedHandshake(version: TLSVersion) throws {
        let serverContext = try TLSContext.server(identities: [Identities.server], versions: [version])
        let clientContext = try TLSContext.client(identity: Identities.client, versions: [version])
        let probe = try TLSPair(server: serverContext, client: clientContext)
        let helloLength = try probe.client.takeCiphertext().count
        for offset in stride(from: 0, to: helloLength, by: 3) {
            let pair = try TLSPair(server: serverContext, client: clientContext)
            var hello = try pair.client.takeCiphertext()
            guard offset < hello.count else { continue }
            hello[offset] ^= 0xff
            try pair.server.receive(hello)
            try pair.pump()
            #expect(!pair.server.recorder.plaintextBeforeCompletion)
        }
    }

    @Test(
        "every octet of a server's answer may be wrong without harm to the process",
        arguments: [TLSVersion.tls12, .tls13])
    func changedAnswer(version: TLSVersion) throws {
        let serverContext = try TLSContext.server(identities: [Identities.server], versions: [version])
        let clientContext = try TLSContext.client(versions: [version])
        let fingerprint = PeerVerification.fingerprints([Identities.server.fingerprint()])
        var offset = 0
        var length = 1
        while offset < length {
            let pair = try TLSPair(server: serverContext, client: clientContext, verification: fingerprint)
            try pair.server.receive(pair.client.takeCiphertext())
            var answer = try pair.server.takeCiphertext()
            length = answer.count
            if offset < length { answer[offset] ^= 0x41 }
            try pair.client.receive(answer)
            try pair.pump()
            if let seen = pair.client.recorder.completed {
                #expect(seen.peerFingerprint(.sha256) == Identities.server.fingerprint())
            }
            offset += 5
        }
    }

    @Test("random records after the handshake end that connection only")
    func garbageAfterHandshake() throws {
        let context = try TLSContext.server(identities: [Identities.server])
        let bystander = try TLSPair(server: context, client: .client())
        try bystander.pump()
        for type: UInt8 in [0x14, 0x15, 0x16, 0x17, 0x18, 0x80] {
            let pair = try TLSPair(server: context, client: .client())
            try pair.pump()
            try pair.server.receive([type, 3, 3, 0, 40] + pattern(40))
            #expect(pair.server.recorder.isInactive)
            #expect(pair.server.recorder.errors.count == 1)
        }
        bystander.client.send(Array("still here".utf8))
        try bystander.pump()
        #expect(bystander.server.recorder.plaintext == Array("still here".utf8))
    }
}
