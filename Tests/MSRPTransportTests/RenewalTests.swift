import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("Settings that change while connections live", .serialized)
struct RenewalTests {
    @Test("a listener that closes refuses what comes, and its connections live on; a new one takes over")
    func listenersMove() async throws {
        let fixture = try await TransportFixture()
        let (session, _) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        _ = try stream.expect(response(session, "200 OK"))
        let old = await fixture.transport.perform { $0.listeners }
        let new = try await fixture.transport.listen(on: [ListenAddress(host: "127.0.0.1", port: 0)])
        await fixture.transport.stopListening(on: old)
        #expect(await fixture.transport.perform { $0.listeners } == new)
        #expect(throws: (any Error).self) { try fixture.connect() }
        try stream.send(emptySend(session, id: "b2b2b2b2"))
        let alive = response(session, "200 OK", id: "b2b2b2b2")
        #expect(try stream.expect(alive) == alive)
        let (other, _) = await fixture.reserve()
        let newcomer = try ByteStream(to: SocketAddress(host: "127.0.0.1", port: UInt16(new[0].port ?? 0)))
        try newcomer.send(emptySend(other))
        let bound = response(other, "200 OK")
        #expect(try newcomer.expect(bound) == bound)
        // The old address is free.
        let again = try await fixture.transport.listen(
            on: [ListenAddress(host: "127.0.0.1", port: Int(fixture.address.port))])
        #expect(again == old)
        await fixture.transport.stopListening(on: old + new + new)
        #expect(await fixture.transport.perform { $0.listeners } == [])
        try await fixture.end()
    }

    @Test("a certificate that is renewed is shown to who comes later, and earlier connections go on with theirs")
    func certificates() async throws {
        let first = try SelfSignedCertificate.generate(names: ["first.example.com"])
        let second = try SelfSignedCertificate.generate(names: ["second.example.com"])
        var configuration = TransportConfiguration()
        configuration.limits.lingerTimeout = .milliseconds(20)
        configuration.serverTLS = try .server(identities: [first])
        let fixture = try await TransportFixture(configuration: configuration)
        let (session, _) = await fixture.reserve()
        let early = try TLSByteStream(to: fixture.address)
        try early.send(emptySend(session))
        _ = try early.expect(response(session, "200 OK"))
        #expect(try await certificate(at: fixture.address) == first.chain[0])
        configuration.serverTLS = try .server(identities: [second])
        await fixture.transport.renew(configuration)
        #expect(try await certificate(at: fixture.address) == second.chain[0])
        try early.send(emptySend(session, id: "b2b2b2b2"))
        let alive = response(session, "200 OK", id: "b2b2b2b2")
        #expect(try early.expect(alive) == alive)
        configuration.serverTLS = nil
        await fixture.transport.renew(configuration)
        #expect(throws: (any Error).self) { try TLSByteStream(to: fixture.address) }
        try await fixture.end()
    }

    private func certificate(at address: Support.SocketAddress) async throws -> [UInt8]? {
        var configuration = TransportConfiguration()
        configuration.clientTLS = try .client()
        let caller = try await TransportFixture(configuration: configuration)
        let result = await caller.open(Destination(host: address.host, port: Int(address.port), isTLS: true))
        let shown = try await caller.transport.perform { [result] _ in
            Result { try result.get().owner?.value.connection?.peerCertificate }
        }.get()
        try await caller.end()
        return shown
    }

    @Test("limits that change hold for connections and sessions that come later")
    func limits() async throws {
        let fixture = try await TransportFixture()
        let (first, _) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(first))
        _ = try stream.expect(response(first, "200 OK"))
        var configuration = TransportConfiguration()
        configuration.limits.lingerTimeout = .milliseconds(20)
        configuration.limits.connections = 1
        configuration.limits.sessions = 1
        await fixture.transport.renew(configuration)
        let (second, _) = await fixture.reserve()
        #expect(second == "")
        #expect(try fixture.connect().closes(within: 5))
        try stream.send(emptySend(first, id: "b2b2b2b2"))
        let alive = response(first, "200 OK", id: "b2b2b2b2")
        #expect(try stream.expect(alive) == alive)
        try await fixture.end()
    }

    @Test("a configured egress policy holds at once, and without one the listeners decide")
    func egress() async throws {
        let fixture = try await TransportFixture()
        #expect(await fixture.transport.perform { $0.egress } == .any)
        var configuration = TransportConfiguration()
        configuration.limits.lingerTimeout = .milliseconds(20)
        configuration.egress = .sameSource
        await fixture.transport.renew(configuration)
        #expect(await fixture.transport.perform { $0.egress } == .sameSource)
        configuration.egress = nil
        await fixture.transport.renew(configuration)
        #expect(await fixture.transport.perform { $0.egress } == .any)
        await fixture.transport.stopListening(on: fixture.transport.perform { $0.listeners })
        #expect(await fixture.transport.perform { $0.egress } == .public)
        try await fixture.end()
    }
}
