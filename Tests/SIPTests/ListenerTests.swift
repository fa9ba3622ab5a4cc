import Glibc
import SIP
import Testing

@Suite(.timeLimit(.minutes(2))) struct ListenerTests {
    @Test("every entry is listened on, ports given as 0 are reported", .timeLimit(.minutes(1)))
    func everyEntry() async throws {
        let application = try await Application.start([
            Endpoint(transport: .udp, host: "127.0.0.1", port: 0),
            Endpoint(transport: .tcp, host: "127.0.0.1", port: 0),
            Endpoint(transport: .udp, host: "127.0.0.2", port: 0), Endpoint(transport: .udp, host: "::1", port: 0),
            Endpoint(transport: .tcp, host: "::1", port: 0),
        ])
        let listeners = application.stack.listeners
        #expect(listeners.map(\.host) == ["127.0.0.1", "127.0.0.1", "127.0.0.2", "::1", "::1"])
        #expect(listeners.allSatisfy { $0.port > 0 })
        for listener in listeners {
            let peer = try Peer(listener)
            peer.send(
                """
                OPTIONS sip:room@example.com SIP/2.0
                Via: \(listener.isIPv6 ? "SIP/2.0/\(listener.transport == .udp ? "UDP" : "TCP") [::1]:\(peer.port);rport" : "$via");branch=z9hG4bK-\(listener.port)
                From: <sip:alice@example.com>;tag=1
                To: <sip:room@example.com>
                Call-ID: every-\(listener.port)
                CSeq: 7 OPTIONS
                Max-Forwards: 70
                Content-Length: 0


                """)
            let answer = try #require(peer.receiveFinal(), "\(listener)")
            #expect(answer.status == 200)
            let request = try #require(application.events.last?.request)
            #expect(request.local == listener)
            #expect(request.source.port == peer.port)
            #expect(request.source.transport == listener.transport)
            #expect(request.method == "OPTIONS")
            #expect(request.sequence == 7)
            #expect(request.from?.uri.user == "alice")
        }
        await application.stack.shutdown()
    }

    @Test("a port in use is told with its listener")
    func portInUse() async throws {
        let first = try await Application.start([Endpoint(transport: .tcp, host: "127.0.0.1", port: 0)])
        let taken = first.stack.listeners[0]
        await #expect(throws: SIPStartError.listener(taken, reason: "Address already in use")) {
            _ = try await Application.start([Endpoint(transport: .udp, host: "127.0.0.1", port: 0), taken])
        }
        await first.stack.shutdown()
        // And it is free again afterwards.
        let second = try await Application.start([taken])
        await second.stack.shutdown()
    }

    @Test("shutting down takes a bounded time and frees the ports, even when a peer does not answer its BYE")
    func shutdownWithSilentPeer() async throws {
        let application = try await Application.start()
        let listeners = application.stack.listeners
        let alice = try Caller(listeners[0])
        try alice.call()
        let begin = ContinuousClock.now
        await application.stack.shutdown()
        #expect(ContinuousClock.now - begin < .seconds(20))
        #expect(application.events.last?.ending == .shutDown)
        let second = try await Application.start(listeners)
        await second.stack.shutdown()
    }

    @Test("connections that are silent, stuck in a message, or closed by their peer do not stay")
    func deadConnections() async throws {
        let application = try await Application.start([Endpoint(transport: .tcp, host: "127.0.0.1", port: 0)]) {
            $0.silentConnectionLife = .milliseconds(300)
        }
        let listener = application.stack.listeners[0]
        let silent = try Peer(listener)
        let stuck = try Peer(listener)
        stuck.send(Array("OPTIONS sip:a@b SIP/2.0\r\nVia: ".utf8))
        let garbage = try Peer(listener)
        garbage.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        let used = try Caller(listener)
        used.send("OPTIONS")
        #expect(used.peer.receiveFinal()?.status == 200)
        let halfClosed = try Caller(listener)
        halfClosed.send("OPTIONS")
        #expect(halfClosed.peer.receiveFinal()?.status == 200)
        shutdown(halfClosed.peer.descriptor, Int32(SHUT_WR))
        for peer in [silent, stuck, garbage, halfClosed.peer] { #expect(peer.waitForEnd(milliseconds: 10_000)) }
        used.send("OPTIONS")
        #expect(used.peer.receiveFinal()?.status == 200)
        await application.stack.shutdown()
    }

    @Test("more connections than allowed are closed at once")
    func connectionLimit() async throws {
        let application = try await Application.start([Endpoint(transport: .tcp, host: "127.0.0.1", port: 0)]) {
            $0.maximumConnections = 2
        }
        let listener = application.stack.listeners[0]
        let callers = try (0..<2).map { _ in try Caller(listener) }
        for caller in callers {
            caller.send("OPTIONS")
            #expect(caller.peer.receiveFinal()?.status == 200)
        }
        #expect(try Peer(listener).waitForEnd(milliseconds: 3000))
        callers[0].send("OPTIONS")
        #expect(callers[0].peer.receiveFinal()?.status == 200)
        await application.stack.shutdown()
    }
}
