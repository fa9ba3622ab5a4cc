import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("A next hop that is a session of our own", .serialized)
struct OwnSessionTests {
    @Test("its connection goes to our own listener, whatever the host and the policy say", arguments: [false, true])
    func reachesOurselves(isTLS: Bool) async throws {
        var configuration = TransportConfiguration(verifiesPeers: true)
        configuration.egress = .public
        configuration.serverTLS = try .server(identities: [SelfSignedCertificate.generate(names: ["localhost"])])
        configuration.clientTLS = try .client()
        let fixture = try await TransportFixture(configuration: configuration)
        let (session, log) = await fixture.reserve()
        let result = await fixture.open(
            Destination(host: "no-such-host.invalid", port: 1, isTLS: isTLS, sessionKey: session))
        let caller = try result.get()
        await fixture.transport.perform { _ in
            caller.owner?.value.isAnswering = false
            caller.owner?.value.connection?.enqueue(ByteBuffer(string: emptySend(session)))
        }
        try await fixture.until { _ in caller.events.count == 2 }
        #expect(caller.events == ["bound", "end 200"])
        #expect(log.events == ["bound", "end SEND"])
        #expect(await fixture.transport.perform { _ in log.owner?.value.connection?.isTLS } == isTLS)
        #expect(await fixture.transport.counters().connectionsAccepted == 1)
        try await fixture.end()
    }

    @Test("through a wildcard listener as well", arguments: ["0.0.0.0", "::"])
    func wildcard(host: String) async throws {
        var configuration = TransportConfiguration()
        configuration.egress = .public
        let fixture = try await TransportFixture(configuration: configuration, host: host)
        let (session, _) = await fixture.reserve()
        let result = await fixture.open(Destination(host: "192.0.2.1", port: 1, isTLS: false, sessionKey: session))
        #expect(throws: Never.self) { try result.get() }
        try await fixture.end()
    }

    @Test("a session-id that is not in the table changes nothing: the policy holds, and our own listener is refused")
    func unknownSession() async throws {
        var configuration = TransportConfiguration()
        configuration.egress = .any
        let fixture = try await TransportFixture(configuration: configuration)
        let (session, _) = await fixture.reserve()
        await fixture.transport.perform { $0.sessions.release(SessionID(text: session)) }
        for key in [session, "", "x", nil] {
            let result = await fixture.open(
                Destination(host: "127.0.0.1", port: Int(fixture.address.port), isTLS: false, sessionKey: key))
            #expect(throws: ConnectError.refusedByPolicy(.ownListener)) { try result.get() }
        }
        try await fixture.end()
    }

    @Test("without a listener there is no way to ourselves")
    func noListener() async throws {
        let fixture = try await TransportFixture()
        let (session, _) = await fixture.reserve()
        await fixture.transport.stopListening(on: fixture.transport.perform { $0.listeners })
        let result = await fixture.open(Destination(host: "127.0.0.1", port: 1, isTLS: false, sessionKey: session))
        #expect(throws: ConnectError.unknownHost) { try result.get() }
        try await fixture.end()
    }
}
