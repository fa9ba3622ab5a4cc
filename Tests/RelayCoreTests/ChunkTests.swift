import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@testable import RelayCore

@Suite(.serialized) struct ChunkTests {
    static let pattern = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }

    @Test("a chunk is passed on before its end has come")
    func cutThrough() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let bytes = client.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: m\r\nByte-Range: 1-*/300000\r\n", body: Self.pattern)
        try client.stream.send(Array(bytes.prefix(20_000)))
        let (head, _) = try peer.openChunk()
        #expect(head["Byte-Range"] == "1-*/300000")
        try client.stream.send(Array(bytes.dropFirst(20_000)))
        let message = try peer.nextWhole()
        #expect((message.body == Self.pattern) == true)
        #expect(message.chunks == 1)
        #expect(try client.response(to: "abcd").status == 200)
        try await fixture.end()
    }

    @Test("RFC 4975 5.1: an open chunk with * is interrupted for what waits, and goes on with its Byte-Range moved on")
    func interruption() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let bytes = client.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: m\r\nByte-Range: 1-*/300000\r\nX-Y: z\r\n", body: Self.pattern)
        try client.stream.send(Array(bytes.prefix(20_000)))
        _ = try peer.openChunk()
        // The peer's own message must be answered on the way that the chunk is on.
        let id = try peer.postMessage("in between")
        #expect(try peer.response(to: id).status == 200)
        let first = try peer.nextMessage()
        #expect(first.flag == "+")
        let sent = first.body?.count ?? 0
        try client.stream.send(Array(bytes.dropFirst(20_000)))
        let rest = try peer.nextMessage()
        #expect(rest.flag == "$")
        #expect(rest.transactionID != first.transactionID)
        #expect(
            rest.headText
                == "MSRP ID SEND\r\nTo-Path: \(peer.uri)\r\nFrom-Path: \(client.usePath[0]) \(client.uri)\r\n"
                + "Message-ID: m\r\nByte-Range: \(sent + 1)-*/300000\r\nX-Y: z\r\nContent-Type: text/plain\r\n\r\n")
        #expect(((first.body ?? []) + (rest.body ?? []) == Self.pattern) == true)
        #expect(try client.hears() == "in between")
        #expect(try client.response(to: "abcd").status == 200)
        try await fixture.end()
    }

    @Test("a chunk with a range-end is not interrupted while it flows, but at the next tick")
    func rangeEnd() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let bytes = client.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: m\r\nByte-Range: 1-300000/300000\r\n", body: Self.pattern)
        try client.stream.send(Array(bytes.prefix(20_000)))
        _ = try peer.openChunk()
        let id = try peer.postMessage("in between")
        // It is in the middle of its own message.
        client.answer = .silent
        #expect(try client.hears() == "in between")
        await fixture.tick()
        #expect(try peer.response(to: id).status == 200)
        try client.stream.send(Array(bytes.dropFirst(20_000)))
        let message = try peer.nextWhole()
        #expect((message.body == Self.pattern) == true)
        #expect(message.chunks == 2)
        try await fixture.end()
    }

    @Test("frames that wait for the end of a chunk come right behind it")
    func waiting() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let bytes = client.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: m\r\nByte-Range: 1-300000/300000\r\n", body: Self.pattern)
        try client.stream.send(Array(bytes.prefix(20_000)))
        _ = try peer.openChunk()
        let id = try peer.postMessage("in between")
        // It is in the middle of its own message.
        client.answer = .silent
        #expect(try client.hears() == "in between")
        try client.stream.send(Array(bytes.dropFirst(20_000)))
        let message = try peer.nextWhole()
        #expect((message.body == Self.pattern) == true)
        #expect(message.chunks <= 2)
        #expect(try peer.response(to: id).status == 200)
        try await fixture.end()
    }

    @Test("an end-line of the outgoing id in the body cannot close the outgoing chunk")
    func injection() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        try client.stream.send(
            "MSRP abcd SEND\r\nTo-Path: \(client.toPath)\r\nFrom-Path: \(client.uri)\r\nMessage-ID: m\r\n"
                + "Byte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\nstart of it")
        let (head, _) = try peer.openChunk()
        let inside = "\r\n-------\(head.transactionID)$\r\nMSRP evil SEND\r\nTo-Path: x\r\n\r\n-------evil$\r\n"
        try client.stream.send(inside + "end\r\n-------abcd$\r\n")
        let message = try peer.nextWhole()
        #expect(String(decoding: message.body, as: UTF8.self) == "start of it\(inside)end")
        #expect(message.chunks == 2)
        #expect(try client.say("next") == 200)
        #expect(try peer.hears() == "next")
        try await fixture.end()
    }

    @Test("an end-line split over reads never leaks into the body", arguments: [1, 2, 3, 7, 11])
    func splitReads(size: Int) async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let body = Array("a\r\n-------abc\r\n-------\r\n------\r\n-".utf8)
        let bytes = client.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: m\r\nByte-Range: 1-*/*\r\n", body: body)
        for start in stride(from: 0, to: bytes.count, by: size) {
            try client.stream.send(Array(bytes[start..<min(bytes.count, start + size)]))
            // Each piece is a read of its own.
            _ = await fixture.counters()
        }
        #expect(try peer.nextWhole().body == body)
        #expect(try client.response(to: "abcd").status == 200)
        try await fixture.end()
    }

    @Test("a receiver that stalls stops the sender within the window; when it goes on nothing is lost")
    func stall() async throws {
        let fixture = try await RelayFixture(change: { $0.windowBytes = 64 * 1024 })
        let (client, peer) = try fixture.pair()
        let body = [UInt8](repeating: 0x62, count: 4_000_000)
        let total = 10
        let sender = Task.detached {
            for number in 0..<total {
                try client.stream.send(
                    client.requestBytes(
                        "SEND", id: "abcd\(number)",
                        fields: "Message-ID: m\(number)\r\nByte-Range: 1-*/4000000\r\nFailure-Report: no\r\n",
                        body: body))
            }
        }
        try await fixture.until("the sender is stopped") { _ in
            let before = await fixture.counters().bytesFromClients
            for _ in 0..<200 { _ = await fixture.counters() }
            let after = await fixture.counters().bytesFromClients
            return before == after && before > 100_000
        }
        #expect(await fixture.counters().bytesFromClients < 40_000_000)
        for _ in 0..<total { #expect(try peer.nextWhole().body.count == 4_000_000) }
        try await sender.value
        try await fixture.end()
    }

    @Test("a rate holds the sender back until it is made up for")
    func rate() async throws {
        let fixture = try await RelayFixture(change: { $0.sessionRate = 10_000 })
        let (client, peer) = try fixture.pair()
        try client.stream.send(
            client.requestBytes(
                "SEND", id: "abcd", fields: "Message-ID: m\r\nByte-Range: 1-*/30000\r\n",
                body: [UInt8](repeating: 0x62, count: 30_000)))
        try await fixture.until("the first part came") { $0.counters.bytesFromClients > 1000 }
        for second in 1..<20 { await fixture.tick(after: .seconds(Int64(second * 5))) }
        #expect(try peer.nextWhole().body.count == 30_000)
        try await fixture.end()
    }

    @Test("a sender that reads no answers is read no more once too many wait for it")
    func unreadAnswers() async throws {
        let fixture = try await RelayFixture(change: { $0.windowBytes = 16 * 1024 })
        let client = try fixture.client()
        // Keep-alives to the relay itself, which answers each.
        let one = client.requestBytes("SEND", id: "abcd", to: client.usePath[0], fields: client.emptyFields)
        let many = Array(repeating: one, count: 2000).flatMap { $0 }
        var isStopped = false
        for _ in 0..<100 where !isStopped {
            do { try client.stream.send(many, within: 0.5) } catch { isStopped = true }
        }
        #expect(isStopped)
        client.close()
        try await fixture.end()
    }
}
