import MSRPTransport
import NIOCore
import Support
import Testing

@Suite("Connections and what they may cost", .serialized)
struct ConnectionTests {
    @Test(
        "bytes that cannot be framed close the connection and are counted",
        arguments: ["GET / HTTP/1.1\r\n\r\n", "MSRQ abcd SEND\r\n", "MSRP \u{1}\u{2} SEND\r\n"])
    func garbage(_ bytes: String) async throws {
        let fixture = try await TransportFixture()
        let stream = try fixture.connect()
        try stream.send(bytes)
        #expect(try stream.closes(within: 5))
        #expect(await fixture.transport.counters().garbage == 1)
        try await fixture.end()
    }

    @Test("a head longer than its limit closes the connection")
    func longHead() async throws {
        var configuration = TransportConfiguration()
        configuration.limits.headBytes = 1000
        let fixture = try await TransportFixture(configuration: configuration)
        let stream = try fixture.connect()
        try stream.send("MSRP abcd SEND\r\nX-Filler: " + String(repeating: "x", count: 2000))
        #expect(try stream.closes(within: 5))
        try await fixture.end()
    }

    @Test("a connection that names no session is closed after 30 seconds, a bound one lives on")
    func unboundTimeout() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let bound = try fixture.connect()
        try bound.send(emptySend(session))
        _ = try bound.expect(response(session, "200 OK"))
        let silent = try fixture.connect()
        let slow = try fixture.connect()
        try slow.send("MSRP abcd SEND\r\n")
        while await fixture.transport.counters().connections < 3 {}
        await fixture.transport.perform { $0.ticked(at: .now() + .seconds(29)) }
        #expect(await fixture.transport.counters().connections == 3)
        await fixture.transport.perform { $0.ticked(at: .now() + .seconds(31)) }
        #expect(try silent.closes(within: 5))
        #expect(try slow.closes(within: 5))
        #expect(await fixture.transport.counters().unboundTimeouts == 2)
        #expect(await fixture.transport.counters().connections == 1)
        #expect(log.events == ["bound", "end SEND"])
        try await fixture.end()
    }

    @Test("connections beyond the limit are closed at once")
    func connectionLimit() async throws {
        var configuration = TransportConfiguration()
        configuration.limits.connections = 2
        let fixture = try await TransportFixture(configuration: configuration)
        let first = try fixture.connect()
        let second = try fixture.connect()
        let third = try fixture.connect()
        #expect(try third.closes(within: 5))
        #expect(await fixture.transport.counters().refusedByConnectionLimit == 1)
        first.close()
        second.close()
        try await fixture.end()
    }

    @Test("the owner of a reset connection is told once")
    func reset() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        _ = try stream.expect(response(session, "200 OK"))
        stream.reset()
        while await fixture.transport.counters().connections > 0 {}
        #expect(log.events == ["bound", "end SEND", "closed failed"])
        try await fixture.end()
    }

    @Test("closing in order delivers what was enqueued and then the end")
    func orderlyClose() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        _ = try stream.expect(response(session, "200 OK"))
        let size = 3_000_000
        await fixture.transport.perform { _ in
            guard let connection = log.owner?.value.connection else { return }
            connection.enqueue(ByteBuffer(repeating: UInt8(ascii: "x"), count: size))
            connection.enqueue(ByteBuffer(string: "the end"))
            connection.close(.orderly)
            connection.enqueue(ByteBuffer(string: "too late"))
        }
        var received: [UInt8] = []
        let deadline = Deadline.after(seconds: 10)
        while let bytes = try stream.receiveIfAny(deadline), !bytes.isEmpty { received += bytes }
        #expect(received.count == size + 7)
        #expect(received.suffix(8).elementsEqual("xthe end".utf8))
        try await fixture.end()
    }

    @Test("while reading is paused nothing is read, and resuming goes on where it stopped")
    func pausedReading() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        _ = try stream.expect(response(session, "200 OK"))
        await fixture.transport.perform { _ in log.owner?.value.connection?.pauseReading(by: log) }
        // One read may be under way already; what comes after it stays where it is.
        try stream.send(emptySend(session, id: "b2b2b2b2"))
        _ = try stream.receiveIfAny(.after(seconds: 0.2))
        let before = await fixture.transport.counters().bytesIn
        try stream.send(emptySend(session, id: "c3c3c3c3"))
        #expect(try stream.receiveIfAny(.after(seconds: 0.2)) == nil)
        #expect(await fixture.transport.counters().bytesIn == before)
        await fixture.transport.perform { _ in log.owner?.value.connection?.resumeReading(by: log) }
        let expected = response(session, "200 OK", id: "c3c3c3c3")
        #expect(try stream.expect(expected).hasSuffix(expected))
        try await fixture.end()
    }

    @Test("an address in use is an error that names it")
    func addressInUse() async throws {
        let fixture = try await TransportFixture()
        let taken = ListenAddress(host: "127.0.0.1", port: Int(fixture.address.port))
        await #expect(throws: ListenError.addressInUse(taken)) {
            try await fixture.transport.listen(on: [ListenAddress(host: "127.0.0.1", port: 0), taken])
        }
        try await fixture.end()
    }

    @Test("IPv6 is listened on as well")
    func ipv6() async throws {
        let fixture = try await TransportFixture(host: "::1")
        let (session, _) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        let expected = response(session, "200 OK")
        #expect(try stream.expect(expected) == expected)
        try await fixture.end()
    }
}
