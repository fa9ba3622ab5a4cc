import NIOCore
import NIOEmbedded
import NIOGnuTLS
import Testing

@Suite("Handshake")
struct HandshakeTests {
    @Test("both ends agree on the version that both allow", arguments: [TLSVersion.tls12, .tls13])
    func versions(version: TLSVersion) throws {
        let pair = try TLSPair(versions: [version])
        try pair.pump()
        #expect(pair.client.recorder.completed?.version == version)
        #expect(pair.server.recorder.completed?.version == version)
        #expect(pair.client.recorder.completed?.peerFingerprint(.sha256) == Identities.server.fingerprint())
        #expect(pair.server.recorder.completed?.peerCertificate == nil)
    }

    @Test("TLS 1.3 wins when both allow both (RFC 8446 section 4.2.1)")
    func newestVersion() throws {
        let pair = try TLSPair()
        try pair.pump()
        #expect(pair.server.recorder.completed?.version == .tls13)
    }

    @Test("no common version ends both connections with an alert (RFC 8446 section 6.2)")
    func noCommonVersion() throws {
        let server = try TLSContext.server(identities: [Identities.server], versions: [.tls13])
        let pair = try TLSPair(server: server, client: .client(versions: [.tls12]))
        try pair.pump()
        #expect(pair.server.recorder.errors.count == 1)
        // GnuTLS says handshake_failure where the RFC has protocol_version (70).
        #expect([[.alertReceived(40)], [.alertReceived(70)]].contains(pair.client.recorder.errors))
        #expect(pair.server.recorder.isInactive)
        #expect(pair.client.recorder.isInactive)
        #expect(server.counters.handshakesFailed == 1)
        #expect(server.counters.handshakesCompleted == 0)
    }

    @Test("a handshake that arrives octet by octet completes", arguments: [TLSVersion.tls12, .tls13])
    func fragmented(version: TLSVersion) throws {
        let pair = try TLSPair(versions: [version])
        try pair.pump(pieces: 1)
        pair.client.send(Array("ping".utf8))
        pair.server.send(Array("pong".utf8))
        try pair.pump(pieces: 1)
        #expect(pair.server.recorder.plaintext == Array("ping".utf8))
        #expect(pair.client.recorder.plaintext == Array("pong".utf8))
        #expect(!pair.server.recorder.plaintextBeforeCompletion)
    }

    @Test("application data in the segment of the last handshake message is decrypted at once")
    func dataBehindHandshake() throws {
        let pair = try TLSPair(versions: [.tls13])
        pair.client.send(Array("early bird".utf8))
        try pair.server.receive(pair.client.takeCiphertext())
        try pair.client.receive(pair.server.takeCiphertext())
        // Finished and the held plaintext leave together and are read together.
        try pair.server.receive(pair.client.takeCiphertext())
        #expect(pair.server.recorder.completed != nil)
        #expect(pair.server.recorder.plaintext == Array("early bird".utf8))
        #expect(!pair.server.recorder.plaintextBeforeCompletion)
    }

    @Test("a handshake that is not complete in time is ended")
    func timeout() throws {
        let context = try TLSContext.server(identities: [Identities.server])
        let server = try TLSPair.end(
            GnuTLSHandler(context: context, limits: TLSLimits(handshakeTimeout: .seconds(10))))
        server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(9999))
        #expect(server.recorder.errors == [])
        server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(server.recorder.errors == [.handshakeTimedOut])
        #expect(server.recorder.isInactive)
        #expect(context.counters.handshakesTimedOut == 1)
        #expect(context.counters.handshakesFailed == 1)
    }

    @Test("the deadline ends with the handshake")
    func noTimeoutAfterwards() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .hours(1))
        pair.client.channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(pair.server.recorder.errors == [])
        #expect(!pair.server.recorder.isInactive)
        #expect(!pair.client.recorder.isInactive)
    }

    @Test("the name that the client asks for reaches the server (RFC 6066 section 3)")
    func serverName() throws {
        let server = try TLSContext.server(identities: [Identities.server])
        let pair = try TLSPair(server: server, client: .client(), serverName: "chat.example.com")
        try pair.pump()
        #expect(pair.server.recorder.completed?.serverName == "chat.example.com")
    }

    @Test("an address is never sent as a name (RFC 6066 section 3)", arguments: ["192.0.2.1", "2001:db8::1", "[::1]"])
    func addressIsNoServerName(address: String) throws {
        let server = try TLSContext.server(identities: [Identities.server])
        let pair = try TLSPair(server: server, client: .client(), serverName: address)
        try pair.pump()
        #expect(pair.server.recorder.completed != nil)
        #expect(pair.server.recorder.completed?.serverName == nil)
    }

    @Test("the name selects among several certificates; the first is the default")
    func severalIdentities() throws {
        let other = try SelfSignedCertificate.generate(names: ["other.example.com"])
        let server = try TLSContext.server(identities: [Identities.server, other])
        for (name, expected) in [("other.example.com", other), ("chat.example.com", Identities.server)] {
            let pair = try TLSPair(server: server, client: .client(), serverName: name)
            try pair.pump()
            #expect(pair.client.recorder.completed?.peerFingerprint(.sha256) == expected.fingerprint())
        }
        let pair = try TLSPair(server: server, client: .client())
        try pair.pump()
        #expect(pair.client.recorder.completed?.peerFingerprint(.sha256) == Identities.server.fingerprint())
    }

    @Test(
        "a client certificate is asked for and taken without an authority (RFC 4975 section 14.4)",
        arguments: [TLSVersion.tls12, .tls13])
    func clientCertificate(version: TLSVersion) throws {
        let server = try TLSContext.server(identities: [Identities.server], versions: [version])
        let pair = try TLSPair(server: server, client: .client(identity: Identities.client))
        try pair.pump()
        let completed = try #require(pair.server.recorder.completed)
        #expect(completed.peerFingerprint(.sha256) == Identities.client.fingerprint())
        #expect(completed.peerMatches([Identities.client.fingerprint(.sha1)]))
        #expect(!completed.peerMatches([Identities.server.fingerprint()]))
    }

    @Test("a server that does not ask gets no client certificate")
    func clientCertificateNotAsked() throws {
        let server = try TLSContext.server(identities: [Identities.server], asksForCertificate: false)
        let pair = try TLSPair(server: server, client: .client(identity: Identities.client))
        try pair.pump()
        #expect(pair.server.recorder.completed != nil)
        #expect(pair.server.recorder.completed?.peerCertificate == nil)
    }

    @Test("plaintext written during the handshake leaves after it, in order")
    func heldWrites() throws {
        let pair = try TLSPair()
        pair.client.send(Array("one ".utf8))
        pair.client.send(Array("two".utf8), flush: false)
        try pair.pump()
        #expect(pair.server.recorder.plaintext == Array("one ".utf8))
        pair.client.channel.flush()
        try pair.pump()
        #expect(pair.server.recorder.plaintext == Array("one two".utf8))
    }

    @Test("more held plaintext than allowed ends the connection")
    func heldWritesAreBounded() throws {
        let pair = try TLSPair(limits: TLSLimits(maximumHeldBytes: 100))
        pair.client.send(pattern(100))
        #expect(pair.client.recorder.errors == [])
        pair.client.send(pattern(1))
        #expect(pair.client.recorder.errors == [.tooMuchHeld])
        #expect(pair.client.recorder.isInactive)
    }
}
