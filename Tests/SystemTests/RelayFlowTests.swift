import Foundation
import Support
import Testing

extension SystemTests {
    /// Slow and stalled ends: they stop their sender and nobody else (RFC 4976 sections 1, 6.4.1).
    @Suite("The relay: flow control", .serialized)
    struct RelayFlowTests {
        @Test(
            "a stalled * chunk lets another message of the session through (RFC 4975 section 7.1)",
            arguments: [false, true])
        func interrupted(tls: Bool) throws {
            let relay = try RelayProcess()
            let client = try relay.client(tls: tls)
            let outsider = try relay.outsider(for: client, tls: tls)
            try RelayProcess.bind(outsider, to: client)
            let pattern = BodyPattern()
            for (sender, receiver) in [(outsider, client), (client, outsider)] {
                let long = sender.newID()
                let name = "long" + sender.newMessageID()
                try sender.stream.send(
                    "MSRP \(long) SEND\r\nTo-Path: \(sender.toPath)\r\nFrom-Path: \(sender.uri)\r\nMessage-ID: \(name)\r\n"
                        + "Byte-Range: 1-*/20000\r\nContent-Type: application/octet-stream\r\n\r\n")
                try sender.stream.send(pattern.bytes(offset: 0, count: 10_000))
                _ = try receiver.openChunk()
                // The long one stalls. What the receiver says meanwhile gets its 200 through.
                let start = Date()
                #expect(try receiver.say("are you there", within: 2) == 200)
                // Its own chunk is open: the answer has to wait.
                sender.answer = .silent
                let question = try sender.nextMessage(within: 2)
                #expect(question.bodyText == "are you there")
                #expect(Date().timeIntervalSince(start) < 2)
                try sender.stream.send(pattern.bytes(offset: 10_000, count: 10_000))
                try sender.stream.send("\r\n-------\(long)$\r\n")
                try sender.respond(to: question)
                sender.answer = .honest
                let whole = try receiver.nextWhole(messageID: name)
                #expect(pattern.difference(whole.body, count: 20_000) == nil)
                #expect(whole.chunks > 1)
                #expect(try sender.response(to: long).status == 200)
            }
        }

        @Test("a chunk with a known end that stalls lets responses through in time")
        func stalledClosedRange() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            let pattern = BodyPattern()
            let long = outsider.newID()
            try outsider.stream.send(
                "MSRP \(long) SEND\r\nTo-Path: \(outsider.toPath)\r\nFrom-Path: \(outsider.uri)\r\nMessage-ID: known\r\n"
                    + "Byte-Range: 1-2000/2000\r\nContent-Type: application/octet-stream\r\n\r\n")
            try outsider.stream.send(pattern.bytes(offset: 0, count: 1_000))
            _ = try client.openChunk()
            #expect(try client.say("still there?", within: 2) == 200)
            outsider.answer = .silent
            #expect(try outsider.hears(within: 2) == "still there?")
            try outsider.stream.send(pattern.bytes(offset: 1_000, count: 1_000))
            try outsider.stream.send("\r\n-------\(long)$\r\n")
            #expect(pattern.difference(try client.nextWhole(messageID: "known").body, count: 2_000) == nil)
        }

        /// What the kernel's buffers take lies outside the process; what the relay holds shows in its memory.
        @Test(
            "a receiver that stalls stops its sender, costs no memory, and stops nobody else",
            arguments: [false, true])
        func stalledReceiver(tls: Bool) throws {
            let relay = try RelayProcess(["Log": ["level": "error"]])
            let (talker, listener) = try relay.pair("carol")
            let pattern = BodyPattern()
            let (client, outsider) = try relay.pair(tls: tls)
            // A first transfer warms every path.
            _ = try Self.transfer(pattern, octets: 20_000_000, from: client, to: outsider, name: "warm")
            let baseline = try relay.residentKiB()
            let stall = 10.0
            let total = 300_000_000
            let peak = Peak()
            let done = try concurrently([
                { @Sendable () throws -> BulkResult? in
                    _ = try client.sendBulk(pattern, total: total, chunk: 65_536, within: stall + 60)
                    return nil
                },
                { @Sendable () throws -> BulkResult? in
                    var stalled = false
                    return try outsider.receiveBulk(pattern) { octets in
                        guard !stalled, octets > total / 10 else { return }
                        stalled = true
                        // Nothing is read for this long; others talk meanwhile.
                        let deadline = Deadline.after(seconds: stall)
                        var turns = 0
                        while !deadline.passed {
                            turns += 1
                            let id = try talker.postMessage("turn \(turns)")
                            guard try listener.hears(within: 2) == "turn \(turns)",
                                try talker.response(to: id, within: 2).status == 200
                            else { throw SupportError("others wait") }
                            peak.record(try relay.residentKiB())
                            usleep(5_000)
                        }
                    }
                },
            ])
            let result = try #require(done[1])
            #expect(result.octets == total)
            #expect(!result.damaged)
            #expect(result.flag == "$")
            #expect(peak.value - baseline <= 2048, "\(baseline) KiB before, \(peak.value) KiB while stalled")
        }

        private static func transfer(
            _ pattern: BodyPattern, octets: Int, from sender: RawRelayClient, to receiver: RawRelayClient, name: String,
            chunk: Int = 65_536
        ) throws -> BulkResult {
            let results = try concurrently([
                { @Sendable () throws -> BulkResult? in
                    _ = try sender.sendBulk(pattern, total: octets, chunk: chunk, messageID: name)
                    return nil
                },
                { @Sendable () throws -> BulkResult? in try receiver.receiveBulk(pattern, messageID: name) },
            ])
            guard let result = results[1] else { throw SupportError("nothing was read") }
            return result
        }

        @Test("the window is bounded: a sender whose receiver never reads is stopped")
        func window() throws {
            let relay = try RelayProcess(["Log": ["level": "error"]])
            let (client, outsider) = try relay.pair()
            let pattern = BodyPattern()
            _ = try Self.transfer(pattern, octets: 10_000_000, from: client, to: outsider, name: "warm")
            let baseline = try relay.residentKiB()
            // The kernel holds up to some megabytes at each of four ends; then the sender must stand still.
            var sent = 0
            let head =
                "MSRP stall1234 SEND\r\nTo-Path: \(client.toPath)\r\nFrom-Path: \(client.uri)\r\nMessage-ID: w\r\n"
                + "Byte-Range: 1-*/*\r\nContent-Type: application/octet-stream\r\n\r\n"
            try client.stream.send(head)
            let limit = 100_000_000
            while sent < limit {
                do {
                    try pattern.with(offset: sent, count: 65_536) { try client.stream.send($0, within: 1.5) }
                    sent += 65_536
                } catch {
                    break
                }
            }
            #expect(sent < limit)
            #expect(try relay.residentKiB() - baseline <= 2048)
            // The receiver comes back to life and reads what the sender, who is gone, had got through.
            client.stream.reset()
            do {
                let rest = try outsider.receiveBulk(pattern, messageID: "w", within: 20)
                #expect(rest.flag == "#")
                #expect(!rest.damaged)
            } catch {
                // Its connection was closed without another word.
            }
        }

        @Test("one huge chunk passes in constant memory", arguments: [false, true])
        func hugeChunk(tls: Bool) throws {
            let relay = try RelayProcess(["Log": ["level": "error"]])
            let (client, outsider) = try relay.pair(tls: tls)
            let pattern = BodyPattern()
            _ = try Self.transfer(pattern, octets: 10_000_000, from: outsider, to: client, name: "warm")
            let baseline = try relay.residentKiB()
            let total = SystemTests.long ? 1_000_000_000 : tls ? 60_000_000 : 150_000_000
            let peak = Peak()
            let results = try concurrently([
                { @Sendable () throws -> BulkResult? in
                    let sent = try outsider.sendBulk(pattern, total: total, chunk: total, messageID: "huge")
                    guard sent.statuses == [200: 1] else { throw SupportError("\(sent)") }
                    return nil
                },
                { @Sendable () throws -> BulkResult? in
                    var next = 0
                    return try client.receiveBulk(pattern, messageID: "huge") { octets in
                        guard octets >= next else { return }
                        next += 4_000_000
                        peak.record(try relay.residentKiB())
                    }
                },
            ])
            let result = try #require(results[1])
            #expect(result.octets == total)
            #expect(!result.damaged)
            #expect(peak.value - baseline <= 2048, "\(baseline) KiB before, at most \(peak.value) KiB")
        }

        @Test("a file and a conversation share a session: no message waits for the file's end")
        func fileAndChat() throws {
            let relay = try RelayProcess(["Log": ["level": "error"]])
            let (client, outsider) = try relay.pair()
            let pattern = BodyPattern()
            let total = 30_000_000
            let results = try concurrently([
                { @Sendable () throws -> BulkResult? in
                    // The whole file is one open chunk; 200s of the other direction go in between.
                    _ = try client.sendBulk(pattern, total: total, chunk: total, messageID: "file")
                    return nil
                },
                { @Sendable () throws -> BulkResult? in
                    var said = 0
                    return try outsider.receiveBulk(pattern, messageID: "file") { octets in
                        guard octets > (said + 1) * 3_000_000 else { return }
                        said += 1
                        try outsider.postMessage("text \(said)")
                    }
                },
            ])
            let result = try #require(results[1])
            #expect(result.octets == total)
            #expect(!result.damaged)
            // Every text was answered while the file went on.
            let statuses = result.others.filter(\.isResponse).map(\.status)
            #expect(statuses.allSatisfy { $0 == 200 })
            #expect(statuses.count >= 8, "\(statuses.count)")
        }

        @Test("sessions and accounts are throttled where the operator says so")
        func throttled() throws {
            let relay = try RelayProcess(["Relay": ["session_rate": "1 MiB"]])
            let (client, outsider) = try relay.pair()
            let pattern = BodyPattern()
            let start = Date()
            let result = try Self.transfer(pattern, octets: 4_000_000, from: client, to: outsider, name: "slow")
            #expect(!result.damaged)
            let seconds = Date().timeIntervalSince(start)
            #expect(seconds > 1.5 && seconds < 10, "\(seconds)")
        }
    }
}

/// The most that was seen.
final class Peak: @unchecked Sendable {
    // Unchecked: the lock guards the value.
    private let lock = NSLock()
    private var most = 0

    var value: Int { lock.withLock { most } }

    func record(_ number: Int) {
        lock.withLock { most = max(most, number) }
    }
}
