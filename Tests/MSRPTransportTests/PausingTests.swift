import Foundation
import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Synchronization
import Testing

@Suite("Pausing, and what may wait meanwhile", .serialized)
struct PausingTests {
    private final class Holder: Sendable {}

    @Test("an owner that pauses within a part gets no more of what was read, until it resumes")
    func stopsParsing() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve { owner, part, connection in
            if case .head = part { connection.pauseReading(by: owner) }
        }
        let stream = try fixture.connect()
        let ids = (0..<5).map { "aaaa\($0)" }
        try stream.send(ids.map { send(session, "hello", id: $0) }.joined())
        for (index, id) in ids.enumerated() {
            let before = ["bound"] + Array(repeating: ["body 5", "end SEND"], count: index).flatMap { $0 }
            try await fixture.until { _ in log.owner?.value.connection?.isReadingPaused == true }
            #expect(log.events == before)
            await fixture.transport.perform { _ in
                guard let owner = log.owner?.value else { return }
                owner.connection?.resumeReading(by: owner)
            }
            let expected = response(session, "200 OK", id: id)
            #expect(try stream.expect(expected) == expected)
        }
        try await fixture.end()
    }

    @Test("an owner that pauses and resumes within one part goes on at once")
    func withinOnePart() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve { owner, _, connection in
            connection.pauseReading(by: owner)
            connection.pauseReading(by: owner)
            connection.resumeReading(by: owner)
        }
        let stream = try fixture.connect()
        let bytes = send(session, "hello", id: "aaaa") + send(session, "hello", id: "bbbb")
        for octet in Array(bytes.utf8) { try stream.send([octet]) }
        let expected = response(session, "200 OK", id: "aaaa") + response(session, "200 OK", id: "bbbb")
        #expect(try stream.expect(expected) == expected)
        #expect(log.events.filter { $0 == "end SEND" }.count == 2)
        try await fixture.end()
    }

    @Test("the end of a message whose head was the last that was read comes after the pause")
    func pendingEnd() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve { owner, part, connection in
            if case .head = part { connection.pauseReading(by: owner) }
        }
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        try await fixture.until { _ in log.owner?.value.connection?.isReadingPaused == true }
        #expect(log.events == ["bound"])
        await fixture.transport.perform { _ in
            guard let owner = log.owner?.value else { return }
            owner.connection?.resumeReading(by: owner)
        }
        let expected = response(session, "200 OK")
        #expect(try stream.expect(expected) == expected)
        try await fixture.end()
    }

    @Test("each pause is its holder's: reading goes on when the last one is taken back")
    func holders() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        _ = try stream.expect(response(session, "200 OK"))
        let holders = [Holder(), Holder()]
        await fixture.transport.perform { _ in
            guard let connection = log.owner?.value.connection else { return }
            for holder in holders + holders { connection.pauseReading(by: holder) }
            // One who has none takes none back.
            connection.resumeReading(by: log)
            connection.resumeReading(by: holders[0])
            connection.resumeReading(by: holders[0])
        }
        try stream.send(emptySend(session, id: "b2b2b2b2"))
        #expect(try stream.receiveIfAny(.after(seconds: 0.1)) == nil)
        await fixture.transport.perform { _ in log.owner?.value.connection?.resumeReading(by: holders[1]) }
        let expected = response(session, "200 OK", id: "b2b2b2b2")
        #expect(try stream.expect(expected) == expected)
        try await fixture.end()
    }

    @Test("an owner that leaves while it pauses does not leave its pause behind")
    func leavingPaused() async throws {
        let fixture = try await TransportFixture()
        let (first, _) = await fixture.reserve(sharing: .members) { owner, part, connection in
            if case .end = part {
                connection.pauseReading(by: owner)
                connection.leave(owner, closing: .now)
            }
        }
        let (second, secondLog) = await fixture.reserve(sharing: .members)
        let stream = try fixture.connect()
        try stream.send(
            emptySend(second, id: "aaaa") + emptySend(first, id: "bbbb") + emptySend(second, id: "cccc"))
        let expected =
            response(second, "200 OK", id: "aaaa") + response(first, "200 OK", id: "bbbb")
            + response(second, "200 OK", id: "cccc")
        #expect(try stream.expect(expected) == expected)
        #expect(secondLog.events == ["bound", "end SEND", "end SEND"])
        try await fixture.end()
    }

    @Test(
        "what a peer sent before it closed is handed out when the pause is over, plain and with TLS",
        arguments: [false, true])
    func closedWhilePaused(isTLS: Bool) async throws {
        var configuration = TransportConfiguration()
        configuration.serverTLS = try .server(identities: [SelfSignedCertificate.generate(names: ["localhost"])])
        let fixture = try await TransportFixture(configuration: configuration)
        let (session, log) = await fixture.reserve { owner, part, connection in
            if case .end = part { connection.pauseReading(by: owner) }
        }
        let stream = isTLS ? try TLSByteStream(to: fixture.address) : try fixture.connect()
        try stream.send((0..<3).map { send(session, "hello", id: "aaaa\($0)") }.joined())
        try await fixture.until { _ in log.owner?.value.connection?.isReadingPaused == true }
        // With an answer unread the close would be a reset.
        _ = try stream.expect(response(session, "200 OK", id: "aaaa0"))
        _ = try stream.expect(response(session, "200 OK", id: "aaaa0"))
        stream.close()
        for count in 1...3 {
            let taken = Array(repeating: ["body 5", "end SEND"], count: count).flatMap { $0 }
            try await fixture.until { _ in log.events.filter { $0 != "writable" }.count >= 1 + 2 * count }
            #expect(log.events.filter { $0 != "writable" } == ["bound"] + taken)
            if count < 3 { try await fixture.until { _ in log.owner?.value.connection?.isOpen == false } }
            await fixture.transport.perform { _ in
                guard let owner = log.owner?.value else { return }
                owner.connection?.resumeReading(by: owner)
            }
        }
        try await fixture.until { _ in log.events.last == "closed peerClosed" }
        #expect(await fixture.transport.counters().connections == 0)
        try await fixture.end()
    }

    @Test("what nobody takes is kept for 30 seconds after the peer has closed")
    func closedAndPausedForGood() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve { owner, part, connection in
            if case .end = part { connection.pauseReading(by: owner) }
        }
        let stream = try fixture.connect()
        try stream.send(send(session, "hello", id: "aaaa") + send(session, "hello", id: "bbbb"))
        _ = try stream.expect(response(session, "200 OK", id: "aaaa"))
        stream.close()
        try await fixture.until { _ in log.owner?.value.connection?.isOpen == false }
        await fixture.transport.perform { $0.ticked(at: .now() + .seconds(29)) }
        #expect(await fixture.transport.counters().connections == 1)
        await fixture.transport.perform { $0.ticked(at: .now() + .seconds(31)) }
        #expect(await fixture.transport.counters().connections == 0)
        #expect(await fixture.transport.counters().unboundTimeouts == 0)
        #expect(log.events == ["bound", "body 5", "end SEND", "writable", "closed peerClosed"])
        try await fixture.end()
    }

    @Test("who paused until something was written goes on when the connection is closed, and gets what was sent before")
    func closedWhileWriting() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve { owner, part, connection in
            owner.resumesWhenWritable = true
            if case .end = part, connection.isOpen { connection.pauseReading(by: owner) }
        }
        let stream = try fixture.connect()
        try stream.send(send(session, "hello", id: "aaaa") + send(session, "hello", id: "bbbb"))
        try await fixture.until { _ in log.owner?.value.connection?.isReadingPaused == true }
        // All is read, or the close would be a reset.
        _ = try stream.expect(response(session, "200 OK", id: "aaaa"))
        stream.close()
        try await fixture.until { _ in log.events.last == "closed peerClosed" }
        #expect(
            log.events == ["bound", "body 5", "end SEND", "writable", "body 5", "end SEND", "closed peerClosed"])
        try await fixture.end()
    }

    @Test("an owner that leaves a closed connection gets nothing more of what was sent over it")
    func leavingClosed() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve { owner, part, connection in
            if case .end = part { connection.pauseReading(by: owner) }
        }
        let stream = try fixture.connect()
        try stream.send(send(session, "hello", id: "aaaa") + send(session, "hello", id: "bbbb"))
        try await fixture.until { _ in log.owner?.value.connection?.isReadingPaused == true }
        _ = try stream.expect(response(session, "200 OK", id: "aaaa"))
        _ = try stream.expect(response(session, "200 OK", id: "aaaa"))
        stream.close()
        try await fixture.until { _ in log.owner?.value.connection?.isOpen == false }
        await fixture.transport.perform { _ in
            guard let owner = log.owner?.value else { return }
            owner.connection?.leave(owner, closing: .orderly)
        }
        try await fixture.until { transport in transport.counters.connections == 0 }
        #expect(log.events == ["bound", "body 5", "end SEND", "writable"])
        try await fixture.end()
    }

    @Test("while reading is paused what is read and held is bounded, plain and with TLS", arguments: [false, true])
    func bounded(isTLS: Bool) async throws {
        var configuration = TransportConfiguration()
        configuration.serverTLS = try .server(identities: [SelfSignedCertificate.generate(names: ["localhost"])])
        let fixture = try await TransportFixture(configuration: configuration)
        let received = Mutex(0)
        let (session, log) = await fixture.reserve { owner, part, connection in
            guard case .body(let bytes) = part else { return }
            received.withLock { $0 += bytes.readableBytes }
            connection.pauseReading(by: owner)
        }
        let stream = isTLS ? try TLSByteStream(to: fixture.address) : try fixture.connect()
        let size = 12 << 20
        let request = Array(send(session, String(repeating: "x", count: size)).utf8)
        // A thread of its own: a task that blocks would take one from all other tests.
        let outcome = Mutex<Bool?>(nil)
        Thread.detachNewThread {
            let expected = response(session, "200 OK")
            let isRight = (try? stream.send(request, within: 60)) != nil && (try? stream.expect(expected)) == expected
            outcome.withLock { $0 = isRight }
        }
        // Nothing moves any more once the first body part has paused the connection.
        try await fixture.until { _ in log.owner?.value.connection?.isReadingPaused == true }
        let first = received.withLock { $0 }
        let read = await fixture.transport.counters().bytesIn
        for _ in 0..<50 { await fixture.transport.perform { _ in } }
        #expect(received.withLock { $0 } == first)
        #expect(await fixture.transport.counters().bytesIn == read)
        #expect(read < 600_000)
        // Each resumption hands out one part, and the next one pauses again.
        try await fixture.until(within: 60) { _ in
            guard let owner = log.owner?.value else { return true }
            owner.connection?.resumeReading(by: owner)
            return outcome.withLock { $0 } != nil
        }
        #expect(outcome.withLock { $0 } == true)
        #expect(received.withLock { $0 } == size)
        try await fixture.end()
    }

    @Test("octets read are counted for each connection, without TLS's own", arguments: [false, true])
    func bytesReceived(isTLS: Bool) async throws {
        var configuration = TransportConfiguration()
        configuration.serverTLS = try .server(identities: [SelfSignedCertificate.generate(names: ["localhost"])])
        let fixture = try await TransportFixture(configuration: configuration)
        let (session, log) = await fixture.reserve()
        let stream = isTLS ? try TLSByteStream(to: fixture.address) : try fixture.connect()
        let bytes = emptySend(session) + send(session, "hello", id: "b2b2b2b2")
        try stream.send(bytes)
        _ = try stream.expect(response(session, "200 OK") + response(session, "200 OK", id: "b2b2b2b2"))
        let count = await fixture.transport.perform { _ in log.owner?.value.connection?.bytesReceived }
        #expect(count == UInt64(bytes.utf8.count))
        try await fixture.end()
    }
}
