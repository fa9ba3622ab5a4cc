import Glibc
import SIP
import Testing

@Suite("SIP over TLS", .timeLimit(.minutes(2))) struct TLSTests {
    static let listener = Endpoint(transport: .tls, host: "127.0.0.1", port: 0)

    private func start(_ identity: SIPConfigurationIdentity) async throws -> Application {
        try await Application.start([Endpoint(transport: .udp, host: "127.0.0.1", port: 0), Self.listener]) {
            $0.identity = .init(certificateChain: identity.chain, privateKey: identity.key)
        }
    }

    @Test("a call over TLS, and our BYE comes back on its connection (RFC 3261 section 18.1.1)")
    func call() async throws {
        let application = try await start(Certificates.selfSigned())
        application.react { stack, event in
            if case .invite(let call, _, let request) = event { stack.setRoute(call, request.source) }
            Application.answerEverything(stack, event)
            if case .acknowledged(let call, _) = event { stack.bye(call) }
        }
        let alice = try Caller(tls: application.stack.listeners[1])
        alice.contact = "<sips:alice@192.0.2.1:5061>"
        try alice.call()
        let request = try #require(application.events.first?.request)
        #expect(request.source.transport == .tls)
        #expect(request.local == application.stack.listeners[1])
        let bye = try #require(alice.peer.receive { $0.method == "BYE" })
        alice.peer.send(bye.ok())
        await application.wait(for: "ended")
        #expect(application.events.last?.ending == .hungUp)
        await application.stack.shutdown()
    }

    @Test("the whole chain is served")
    func chain() async throws {
        let (identity, root) = Certificates.chain()
        let application = try await start(identity)
        let address = application.stack.listeners[1].authority
        let shown = shell("openssl s_client -showcerts -connect \(address) </dev/null")
        #expect(shown.components("BEGIN CERTIFICATE") == 2)
        #expect(shown.contains("s:CN = leaf.example.com"))
        #expect(shown.contains("s:CN = Middle"))
        let verified = shell(
            "f=$(mktemp); printf '%s' '\(root)' > $f; openssl s_client -CAfile $f -verify_return_error -connect \(address) </dev/null; rm $f"
        )
        #expect(verified.contains("Verify return code: 0 (ok)"))
        for version in ["-tls1_2", "-tls1_3"] {
            #expect(shell("openssl s_client \(version) -connect \(address) </dev/null").contains("BEGIN CERTIFICATE"))
        }
        await application.stack.shutdown()
    }

    @Test("a TLS listener without certificate, or with rubbish, is refused with a reason")
    func noCertificate() async throws {
        await #expect(throws: SIPStartError.self) { _ = try await Application.start([Self.listener]) }
        await #expect(throws: SIPStartError.self) {
            _ = try await Application.start([Self.listener]) {
                $0.identity = .init(certificateChain: "no", privateKey: "no")
            }
        }
        let one = Certificates.selfSigned()
        let other = Certificates.selfSigned()
        await #expect(throws: SIPStartError.self) {
            _ = try await Application.start([Self.listener]) {
                $0.identity = .init(certificateChain: one.chain, privateKey: other.key)
            }
        }
    }

    @Test("bytes that are no TLS end their connection only")
    func garbage() async throws {
        let application = try await start(Certificates.selfSigned())
        let listener = application.stack.listeners[1]
        for bytes: [UInt8] in [
            [0x16, 3, 1, 255, 255, 1], Array("OPTIONS sip:a@b SIP/2.0\r\n\r\n".utf8), [0x80, 0, 0],
        ] {
            let peer = try Peer(Endpoint(transport: .tcp, host: listener.host, port: listener.port))
            peer.send(bytes)
            _ = peer.receiveBytes(milliseconds: 300)
        }
        let alice = try Caller(tls: listener)
        try alice.call()
        alice.send("BYE")
        #expect(alice.peer.receiveFinal()?.status == 200)
        await application.stack.shutdown()
    }
}

extension String {
    func components(_ separator: String) -> Int {
        split(separator: separator, omittingEmptySubsequences: false).count - 1
    }
}
