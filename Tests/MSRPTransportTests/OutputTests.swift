import Foundation
import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Support
import Synchronization
import Testing

@Suite("What is enqueued, and how it waits", .serialized)
struct OutputTests {
    private func octets(_ count: Int, seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31 &+ ($0 >> 8)) ^ seed) }
    }

    @Test(
        "large and small pieces come in the order in which they were enqueued, plain and with TLS",
        arguments: [false, true])
    func order(isTLS: Bool) async throws {
        var configuration = TransportConfiguration()
        configuration.serverTLS = try .server(identities: [SelfSignedCertificate.generate(names: ["localhost"])])
        let fixture = try await TransportFixture(configuration: configuration)
        let (session, log, stream) = try await fixture.bound(isTLS: isTLS)
        let sizes = [
            10, 8 * 1024 - 1, 8 * 1024, 0, 3, 70_000, 200_000, 1, 8 * 1024, 8 * 1024, 20, 300_000, 16_384, 1, 5_000,
        ]
        // More pieces than one system call takes, and more octets than the socket does.
        var expected: [UInt8] = []
        for turn in 0..<8 {
            let bytes = sizes.enumerated().map { octets($1, seed: turn * 16 + $0) }
            expected += bytes.flatMap { $0 } + bytes.flatMap { $0 } + bytes.flatMap { $0 }
            await fixture.transport.perform { _ in
                guard let connection = log.owner?.value.connection else { return }
                for _ in 0..<3 {
                    for piece in bytes {
                        if piece.count % 2 == 0 {
                            connection.enqueue(ByteBuffer(bytes: piece))
                        } else {
                            connection.withOutput { _ = $0.writeBytes(piece) }
                        }
                    }
                }
            }
        }
        var received: [UInt8] = []
        let deadline = Deadline.after(seconds: 30)
        while received.count < expected.count { received += try stream.receive(deadline) }
        #expect(received == expected, "\(received.count) of \(expected.count)")
        let count = await fixture.transport.perform { _ in log.owner?.value.connection?.enqueuedBytes }
        #expect(count == UInt64(expected.count + response(session, "200 OK").utf8.count))
        try await fixture.end()
    }

    /// Small messages as the mixer makes them, and what a receiver with these lines gets of them.
    private func batch(_ numbers: Range<UInt64>, lines: String) -> (batch: SharedBatch, octets: [UInt8]) {
        var batch = SharedBatch()
        var octets: [UInt8] = []
        for number in numbers {
            let tail = "Message-ID: \(number)\r\n\r\n" + String(repeating: "v", count: Int(number % 400)) + "\r\n"
            batch.append(id: number, tail: ByteBuffer(string: tail))
            var alone = SharedBatch()
            alone.append(id: number, tail: ByteBuffer(string: tail))
            var buffer = ByteBuffer()
            alone.write(sendLines: ByteBuffer(string: lines), into: &buffer)
            octets += buffer.readableBytesView
        }
        return (batch, octets)
    }

    @Test("volleys come in order, whether or not the socket takes all of them")
    func volleys() async throws {
        let fixture = try await TransportFixture()
        var receivers: [(stream: ByteStream, log: OwnerLog, lines: String)] = []
        for number in 0..<3 {
            let (_, log, stream) = try await fixture.bound()
            receivers.append((stream, log, "To-Path: \(number)\r\n"))
        }
        // Far more than the sockets take; nobody reads meanwhile.
        let rounds = 400
        for round in 0..<rounds {
            let first = UInt64(round * 60 + 1)
            for receiver in receivers {
                let (batch, _) = batch(first..<first + 60, lines: receiver.lines)
                await fixture.transport.perform { transport in
                    receiver.log.owner?.value.connection?.enqueueShared(
                        batch, sendLines: ByteBuffer(string: receiver.lines))
                    transport.scheduler.fire()
                }
            }
        }
        for receiver in receivers {
            let expected = batch(1..<UInt64(rounds * 60 + 1), lines: receiver.lines).octets
            let count = await fixture.transport.perform { _ in receiver.log.owner?.value.connection?.enqueuedBytes ?? 0
            }
            #expect(count >= UInt64(expected.count) && count < UInt64(expected.count) + 200)
            var received: [UInt8] = []
            let deadline = Deadline.after(seconds: 30)
            while received.count < expected.count { received += try receiver.stream.receive(deadline) }
            #expect(received == expected, "\(received.count) of \(expected.count)")
        }
        try await fixture.end()
    }

    @Test("one volley for many: each gets its own copies, however many there are")
    func manyReceivers() async throws {
        let fixture = try await TransportFixture()
        var receivers: [(stream: ByteStream, log: OwnerLog, lines: String)] = []
        for number in 0..<150 {
            let (_, log, stream) = try await fixture.bound()
            receivers.append((stream, log, "To-Path: \(number)\r\n"))
        }
        let (batch, _) = batch(1..<30, lines: "")
        let owners = receivers.map { ($0.log, $0.lines) }
        await fixture.transport.perform { transport in
            for (log, lines) in owners {
                log.owner?.value.connection?.enqueueShared(batch, sendLines: ByteBuffer(string: lines))
            }
            transport.scheduler.fire()
        }
        for receiver in receivers {
            let expected = String(decoding: self.batch(1..<30, lines: receiver.lines).octets, as: UTF8.self)
            #expect(try receiver.stream.expect(expected) == expected)
        }
        try await fixture.end()
    }

    @Test("what is enqueued for two sessions of one connection stays in its order, volley or not")
    func volleyOnASharedConnection() async throws {
        let fixture = try await TransportFixture()
        let (_, log, stream) = try await fixture.bound(sharing: .members)
        let (second, _) = await fixture.reserve(sharing: .members)
        try stream.send(emptySend(second))
        _ = try stream.expect(response(second, "200 OK"))
        let (batch, octets) = batch(1..<20, lines: "To-Path: x\r\n")
        await fixture.transport.perform { transport in
            let connection = log.owner?.value.connection
            for _ in 0..<3 {
                connection?.enqueueShared(batch, sendLines: ByteBuffer(string: "To-Path: x\r\n"))
                connection?.withOutput { _ = $0.writeString("MSRP between\r\n") }
            }
            transport.scheduler.fire()
        }
        let once = String(decoding: octets, as: UTF8.self) + "MSRP between\r\n"
        let expected = once + once + once
        #expect(try stream.expect(expected) == expected)
        try await fixture.end()
    }

    @Test("an owner that asks for another turn in each of its turns leaves the others theirs")
    func insatiable() async throws {
        let fixture = try await TransportFixture()
        let (_, log, first) = try await fixture.bound()
        await fixture.transport.perform { _ in
            log.owner?.value.asksAgain = true
            log.owner?.value.connection?.notifyWhenWritable()
        }
        let (session, _) = await fixture.reserve()
        let second = try fixture.connect()
        for number in 1...20 {
            let id = "again\(number)x"
            try second.send(emptySend(session, id: id))
            #expect(try second.expect(response(session, "200 OK", id: id)) == response(session, "200 OK", id: id))
        }
        await fixture.transport.perform { _ in log.owner?.value.asksAgain = false }
        first.close()
        try await fixture.end()
    }

    @Test("what a receiver doesn't take waits, congests, and is told of when it has gone", arguments: [false, true])
    func congestion(isTLS: Bool) async throws {
        var configuration = TransportConfiguration()
        configuration.serverTLS = try .server(identities: [SelfSignedCertificate.generate(names: ["localhost"])])
        let fixture = try await TransportFixture(configuration: configuration)
        let (_, log, stream) = try await fixture.bound(isTLS: isTLS)
        let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 64 * 1024)
        let window = 256 * 1024
        // As a relay does: until it is congested with more than its window.
        var enqueued = 0
        var most = 0
        for _ in 0..<1000 {
            let (isFull, queued) = await fixture.transport.perform { _ in
                guard let connection = log.owner?.value.connection else { return (true, 0) }
                guard !connection.isCongested || connection.queuedBytes <= window else {
                    connection.notifyWhenWritable()
                    return (true, connection.queuedBytes)
                }
                connection.enqueue(piece)
                return (false, connection.queuedBytes)
            }
            most = max(most, queued)
            if isFull { break }
            enqueued += piece.readableBytes
        }
        #expect(most > window)
        #expect(most <= window + 2 * 64 * 1024 + 70_000)
        // What the kernel took is at most its buffers; the rest was never asked for.
        #expect(enqueued < 20 << 20)
        #expect(!log.events.contains("writable"))
        var received = 0
        let deadline = Deadline.after(seconds: 30)
        while received < enqueued { received += try stream.receive(deadline).count }
        #expect(received == enqueued)
        try await fixture.until { _ in log.events.last == "writable" }
        let (queued, isCongested) = await fixture.transport.perform { _ in
            let connection = log.owner?.value.connection
            return (connection?.queuedBytes, connection?.isCongested)
        }
        #expect(queued == 0)
        #expect(isCongested == false)
        #expect(log.events.filter { $0 == "writable" }.count == 1)
        try await fixture.end()
    }

    @Test("large pieces are not copied on their way into the queue")
    func byReference() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve()
        let stream = try fixture.connect()
        try stream.send(emptySend(session))
        _ = try stream.expect(response(session, "200 OK"))
        let size = 512 << 20
        let before = residentBytes()
        let grown = await fixture.transport.perform { _ in
            guard let connection = log.owner?.value.connection else { return 0 }
            let shared = ByteBuffer(repeating: 1, count: 1 << 20)
            // 512 references to one MiB, which the socket cannot take all.
            for _ in 0..<512 { connection.enqueue(shared) }
            return connection.queuedBytes
        }
        #expect(grown == size)
        #expect(await fixture.transport.perform { _ in (log.owner?.value.connection?.queuedBytes ?? 0) > 400 << 20 })
        #expect(residentBytes() - before < 256 << 20)
        stream.reset()
        try await fixture.end()
    }

    private func residentBytes() -> Int {
        let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (statm.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }
}
