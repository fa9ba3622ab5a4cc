import Logging
import MSRPTransport
import NIOCore
import NIOGnuTLS
import NIOPosix
import Support
import Testing

@testable import RelayCore

@Suite("AUTH through our own relay to another (RFC 4976 sections 5.1 and 6.3)", .serialized)
struct AuthChainTests {
    /// Two relays, the outer one behind TLS. They call themselves 127.0.0.1; clients know the outer one as localhost.
    private struct Chain {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var transports: [TransportHandle] = []
        var relays: [RelayHandle] = []
        var addresses: [Support.SocketAddress] = []

        init() async throws {
            let authority = try TestAuthority()
            let issued = try authority.issue(["localhost"], address: true)
            let identity = try TLSIdentity(
                certificatePEM: Array(issued.certificate.utf8), keyPEM: Array(issued.key.utf8))
            let trust = TrustAnchors.pem(Array(authority.pem.utf8))
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            for isOuter in [true, false] {
                var settings = TransportConfiguration()
                settings.limits.lingerTimeout = .milliseconds(20)
                settings.egress = .any
                if isOuter { settings.serverTLS = try TLSContext.server(identities: [identity], trust: trust) }
                let transport = await TransportHandle.start(
                    on: group.next(), configuration: settings, logger: logger)
                let port = try await transport.listen(on: [ListenAddress(host: "127.0.0.1", port: 0)])[0].port ?? 0
                var configuration = RelayConfiguration(hostname: "127.0.0.1", port: port)
                configuration.defaultDomain = "example.com"
                configuration.allowsPlainAuth = !isOuter
                configuration.peers = [RelayPeer(host: "127.0.0.1", port: nil)]
                if !isOuter { configuration.peers = [RelayPeer(host: "localhost", port: Int(addresses[0].port))] }
                transports.append(transport)
                addresses.append(Support.SocketAddress(host: "127.0.0.1", port: UInt16(port)))
                relays.append(
                    await RelayHandle.start(
                        transport: transport, configuration: configuration, accounts: RelayFixture.accounts,
                        peerTLS: isOuter ? nil : try TLSContext.client(identity: identity, trust: trust),
                        logger: logger))
            }
        }

        var outerURI: String { "msrps://localhost:\(addresses[0].port);tcp" }

        /// A client of the inner relay.
        func client() throws -> RawRelayClient {
            let client = try RawRelayClient(to: addresses[1])
            let target = "msrp://example.com:\(addresses[1].port);tcp"
            let answer = try client.authenticate(as: "alice", password: "1234", target: target)
            guard answer.status == 200 else { throw SupportError("\(answer)") }
            return client
        }

        func end() async throws {
            for relay in relays { await relay.shutdown() }
            for transport in transports { await transport.shutdown() }
            try await group.shutdownGracefully()
        }
    }

    @Test("what the outer relay calls itself in Use-Path is where SENDs go, whatever name AUTH found it by")
    func otherName() async throws {
        let chain = try await Chain()
        let client = try chain.client()
        let inner = client.usePath
        let answer = try client.authenticate(as: "alice", password: "1234", target: chain.outerURI, through: inner)
        try #require(answer.status == 200, "\(answer)")
        try #require(client.usePath.count == 2)
        #expect(client.usePath[0] == inner[0])
        #expect(client.usePath[1].hasPrefix("msrps://127.0.0.1:\(chain.addresses[0].port)/"))
        let listener = try StreamListener()
        client.peer = ["msrp://127.0.0.1:\(listener.port)/far;tcp"]
        #expect(try client.say("over two") == 200)
        let peer = RawRelayClient(stream: try listener.accept(), uri: client.peer[0])
        peer.peer = client.path
        #expect(try peer.hears() == "over two")
        #expect(try peer.say("and back") == 200)
        #expect(try client.hears() == "and back")
        // The session at the outer relay is refreshed by its own URI.
        let refreshed = try client.authenticate(
            as: "alice", password: "1234", target: client.usePath[1], through: inner)
        #expect(refreshed.status == 200 && client.usePath.count == 2)
        try await chain.end()
    }

    @Test("AUTH may leave the port out: the operator knows it (RFC 4976 section 8)")
    func withoutPort() async throws {
        let chain = try await Chain()
        let client = try chain.client()
        let answer = try client.authenticate(
            as: "alice", password: "1234", target: "msrps://localhost;tcp", through: client.usePath)
        #expect(answer.status == 200 && client.usePath.count == 2)
        #expect(try client.auth("msrps://localhost:1;tcp", through: [client.usePath[0]]).status == 403)
        try await chain.end()
    }

    @Test("AUTH goes to a relay over mutual TLS alone, not where a SEND was sent before (RFC 4976 section 9.2)")
    func notOverPeerLeg() async throws {
        let chain = try await Chain()
        let client = try chain.client()
        let listener = try StreamListener()
        client.peer = ["msrp://127.0.0.1:\(listener.port)/far;tcp"]
        #expect(try client.say("direct") == 200)
        let far = try listener.accept()
        for scheme in ["msrp", "msrps"] {
            let target = "\(scheme)://127.0.0.1:\(listener.port);tcp"
            #expect(try client.auth(target, through: client.usePath).status == 403)
        }
        far.close()
        try await chain.end()
    }
}
