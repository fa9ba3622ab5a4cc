import SIP
import Support
import Testing

/// Who is who over TLS.
@Suite("TLS peers", .timeLimit(.minutes(2))) struct TrustTests {
    private static func identity(
        _ authority: TestAuthority, _ names: [String], address: Bool = false
    ) throws -> SIPConfiguration.TLSIdentity {
        let (certificate, key) = try authority.issue(names, address: address)
        return .init(certificateChain: certificate, privateKey: key)
    }

    private static let trusted = Endpoint(transport: .tls, host: "127.0.0.1", port: 0, isTrusted: true)
    private static let ordinary = Endpoint(transport: .tls, host: "127.0.0.1", port: 0)

    /// Asks `server` with OPTIONS over a connection that presents `identity`.
    private func ask(
        _ server: Endpoint, as identity: SIPConfiguration.TLSIdentity, trust: String? = nil
    ) async throws -> Response {
        let client = try await Application.start([Self.ordinary]) {
            $0.identity = identity
            $0.trust = trust
            $0.verifiesPeers = trust != nil
            $0.transactionTimeout = 2000
        }
        let (response, _) = await client.stack.options(
            try CallingTests.target(server), from: "<sip:peer@example.com>")
        await client.stack.shutdown()
        return response
    }

    @Test("a listener for trusted peers takes those whose certificate is vouched for, and shows their names")
    func trustedPeers() async throws {
        let authority = try TestAuthority()
        let stranger = try TestAuthority()
        let server = try await Application.start([Self.trusted, Self.ordinary]) {
            $0.identity = try? Self.identity(authority, ["focus.example.com"])
            $0.trust = authority.pem
        }
        #expect(server.stack.listeners.map(\.isTrusted) == [true, false])
        let proxy = try Self.identity(authority, ["proxy.example.com", "sip.example.com"])

        #expect(try await ask(server.stack.listeners[0], as: proxy).status == 200)
        let request = try #require(server.events.last?.request)
        #expect(request.local.isTrusted)
        #expect(request.local == server.stack.listeners[0])
        #expect(Set(request.peerNames).isSuperset(of: ["proxy.example.com", "sip.example.com"]))

        #expect(try await ask(server.stack.listeners[1], as: proxy).status == 200)
        let plain = try #require(server.events.last?.request)
        #expect(!plain.local.isTrusted)
        #expect(plain.peerNames.isEmpty)

        let count = server.events.count
        let other = try Self.identity(stranger, ["proxy.example.com"])
        #expect(try await ask(server.stack.listeners[0], as: other).isLocal)
        let selfSigned = Certificates.selfSigned()
        #expect(
            try await ask(
                server.stack.listeners[0],
                as: .init(certificateChain: selfSigned.chain, privateKey: selfSigned.key)
            ).isLocal)
        let anonymous = try Caller(tls: server.stack.listeners[0])
        anonymous.send("OPTIONS")
        #expect(anonymous.peer.receiveFinal(milliseconds: 500) == nil)
        #expect(server.events.count == count)
        let guest = try Caller(tls: server.stack.listeners[1])
        guest.send("OPTIONS")
        #expect(guest.peer.receiveFinal()?.status == 200)
        await server.stack.shutdown()
    }

    @Test("the names come with an INVITE too")
    func namesOfInvite() async throws {
        let authority = try TestAuthority()
        let server = try await Application.start([Self.trusted]) {
            $0.identity = try? Self.identity(authority, ["focus.example.com"])
            $0.trust = authority.pem
        }
        let client = try await Application.start([Self.ordinary]) {
            $0.identity = try? Self.identity(authority, ["proxy.example.com"])
            $0.verifiesPeers = false
        }
        _ = await client.stack.invite(
            try CallingTests.target(server.stack.listeners[0]), from: "<sip:a@example.com>",
            body: MessageBody(sdp: "v=0\r\n"))
        await server.wait(for: "invite")
        #expect(server.events.first?.request?.peerNames.contains("proxy.example.com") == true)
        await client.stack.shutdown()
        await server.stack.shutdown()
    }

    @Test("a listener for trusted peers needs somebody to vouch for them, and its own chain vouches for nobody")
    func nobodyVouches() async throws {
        let authority = try TestAuthority()
        await #expect(throws: SIPStartError.certificate("a listener for trusted peers needs certificates to trust")) {
            _ = try await Application.start([Self.trusted]) {
                $0.identity = try? Self.identity(authority, ["focus.example.com"])
            }
        }
        await #expect(throws: SIPStartError.certificate("no certificate among those to trust")) {
            _ = try await Application.start([Self.trusted]) {
                $0.identity = try? Self.identity(authority, ["focus.example.com"])
                $0.trust = "nothing"
            }
        }
        let (chained, _) = Certificates.chain()
        let server = try await Application.start([Self.trusted]) {
            $0.identity = .init(certificateChain: chained.chain + authority.pem, privateKey: chained.key)
            $0.trust = try? TestAuthority().pem
        }
        let peer = try Self.identity(authority, ["proxy.example.com"])
        #expect(try await ask(server.stack.listeners[0], as: peer).isLocal)
        await server.stack.shutdown()
    }

    @Test("a peer that we connect to must show a certificate that is vouched for, with its name (RFC 5922 section 7.1)")
    func outgoing() async throws {
        let authority = try TestAuthority()
        let stranger = try TestAuthority()
        let named = Certificates.selfSigned()
        let own = try Self.identity(authority, ["client.example.com"])
        for (identity, trust, passes) in [
            (SIPConfiguration.TLSIdentity(certificateChain: named.chain, privateKey: named.key), named.chain, true),
            (try Self.identity(authority, ["elsewhere.example.com"]), authority.pem, false),
            (try Self.identity(authority, ["elsewhere.example.com"]), stranger.pem, false),
        ] {
            let server = try await Application.start([Self.ordinary]) { $0.identity = identity }
            let response = try await ask(server.stack.listeners[0], as: own, trust: trust)
            #expect(response.isLocal != passes)
            #expect(server.events.isEmpty != passes)
            #expect(try await ask(server.stack.listeners[0], as: own).status == 200)
            await server.stack.shutdown()
        }
    }

    @Test("the name is that of the URI also where the hosts file gave its address")
    func hostsFile() async throws {
        let authority = try TestAuthority()
        let own = try Self.identity(authority, ["client.example.com"])
        for (name, passes) in [("localhost", true), ("elsewhere.example.com", false)] {
            let server = try await Application.start([Self.ordinary]) {
                $0.identity = try? Self.identity(authority, [name])
            }
            let client = try await Application.start([Self.ordinary]) {
                $0.identity = own
                $0.trust = authority.pem
                $0.transactionTimeout = 2000
            }
            let port = server.stack.listeners[0].port
            for (target, route) in [
                ("sips:room@localhost:\(port)", nil),
                ("sips:room@example.com", Endpoint(transport: .tls, host: "localhost", port: port)),
            ] {
                let count = client.answers.count
                _ = await client.stack.send(
                    "OPTIONS", to: try #require(SIPURI(target)), from: "<sip:peer@example.com>", route: route)
                await client.wait(for: "answer", count: count + 1)
                #expect((client.answers.last?.response.status == 200) == passes, "\(target)")
            }
            await client.stack.shutdown()
            await server.stack.shutdown()
        }
    }

    @Test("a listener's setting says that it is for trusted peers")
    func syntax() {
        let endpoint = Endpoint("tls-trusted:[::1]:5063")
        #expect(endpoint == Endpoint(transport: .tls, host: "::1", port: 5063, isTrusted: true))
        #expect(endpoint?.description == "tls-trusted:[::1]:5063")
        #expect(Endpoint("tls-trusted:127.0.0.1")?.port == 5061)
        #expect(Endpoint("tcp-trusted:127.0.0.1" as String) == nil)
        #expect(Endpoint("tls:127.0.0.1")?.isTrusted == false)
    }
}
