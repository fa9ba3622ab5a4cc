import SIP
import Testing

@Suite("Several listeners", .timeLimit(.minutes(2)))
struct PathTests {
    /// Two of a kind on one address family, and both families: whatever the library would take first is wrong for some.
    private static let listeners = [
        Endpoint(transport: .udp, host: "127.0.0.1", port: 0), Endpoint(transport: .tcp, host: "127.0.0.1", port: 0),
        Endpoint(transport: .udp, host: "127.0.0.2", port: 0), Endpoint(transport: .tcp, host: "127.0.0.2", port: 0),
        Endpoint(transport: .udp, host: "::1", port: 0), Endpoint(transport: .tcp, host: "::1", port: 0),
    ]

    @Test(
        "a request of ours leaves by the listener that the peer called (RFC 3261 section 18.1.1)",
        arguments: listeners.indices, [false, true])
    func sameListener(index: Int, isRouted: Bool) async throws {
        let application = try await Application.start(Self.listeners)
        let listener = application.stack.listeners[index]
        let caller = try Caller(listener)
        let host = listener.isIPv6 ? "[::1]" : "127.0.0.1"
        let parameter = listener.transport == .tcp ? ";transport=tcp" : ""
        caller.contact =
            isRouted ? "<sip:alice@10.255.255.1\(parameter)>" : "<sip:alice@\(host):\(caller.peer.port)\(parameter)>"
        if isRouted {
            application.react { stack, event in
                if case .invite(let call, _, let request) = event { stack.setRoute(call, request.source) }
                Application.answerEverything(stack, event)
            }
        }
        try caller.call()
        await application.wait(for: "acknowledged")
        guard case .acknowledged(let call, _) = application.events.last else {
            Issue.record("no ACK")
            return
        }
        await application.stack.bye(call)
        let bye = try #require(caller.peer.receive { $0.startLine.hasPrefix("BYE ") })
        let via = try #require(bye.header("Via"))
        #expect(via.hasPrefix("SIP/2.0/\(listener.transport.rawValue.uppercased()) \(listener.authority);"), "\(via)")
        caller.peer.send(bye.ok())
        await application.wait(for: "ended")
        await application.stack.shutdown()
    }
}
