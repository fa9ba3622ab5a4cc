import Foundation
import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@testable import RelayCore

@Suite(.serialized) struct EndingTests {
    @Test("what was sent before the client went arrives, then the session is over")
    func lastWords() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        client.answer = .silent
        #expect(try peer.say("question") == 200)
        _ = try client.nextMessage()
        for number in 0..<100 { try client.postMessage("last words \(number)") }
        // A close with answers unread would be a reset, which takes back what was sent.
        shutdown(client.stream.descriptor, Int32(SHUT_WR))
        for number in 0..<100 { #expect(try peer.hears() == "last words \(number)") }
        let report = try peer.nextReport()
        #expect(report["Status"] == "000 408 Request Timeout")
        #expect(peer.closes(within: 10))
        try await fixture.until("the session ends") { $0.counters.sessions == 0 }
        let lines = fixture.log.lines.filter { $0.hasPrefix("relay session ended") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("account=alice@example.com client=127.0.0.1:") == true)
        #expect(lines.first?.contains("reason=client closed") == true)
        #expect(lines.first?.contains("state=bound") == true)
        try await fixture.end()
    }

    @Test("the peer goes: the client hears 408 for what was unanswered, and the session is over")
    func peerGoes() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        peer.answer = .silent
        #expect(try client.say("one") == 200)
        #expect(try peer.hears() == "one")
        peer.close()
        #expect(try client.nextReport()["Status"] == "000 408 Request Timeout")
        #expect(client.closes(within: 10))
        try await fixture.until("the session ends") { $0.counters.sessions == 0 }
        #expect(await fixture.counters().sessionsEnded == ["peer closed": 1])
        try await fixture.end()
    }

    @Test("the sender goes in mid-chunk: the receiver sees the chunk end with #")
    func halfChunk() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let bytes = client.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: m\r\nByte-Range: 1-*/100000\r\n",
            body: Array(repeating: 0x61, count: 100_000))
        try client.stream.send(Array(bytes.prefix(50_000)))
        _ = try peer.openChunk()
        client.close()
        let frame = try peer.next { $0.body != nil && $0.word == "SEND" }
        #expect(frame.flag == "#")
        #expect(frame.body?.allSatisfy { $0 == 0x61 } == true)
        #expect(peer.closes(within: 10))
        try await fixture.end()
    }

    @Test("the receiver goes in mid-chunk: the sender gets its REPORT")
    func receiverGoes() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let bytes = client.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: m\r\nByte-Range: 1-*/100000\r\n",
            body: Array(repeating: 0x61, count: 100_000))
        try client.stream.send(Array(bytes.prefix(50_000)))
        _ = try peer.openChunk()
        peer.stream.reset()
        let report = try client.nextReport()
        #expect(report.messageID == "m")
        #expect(report["Status"] == "000 408 Request Timeout")
        #expect(client.closes(within: 10))
        try await fixture.end()
    }

    @Test("the URI is of no use after the client's connection is gone: 481 (RFC 4976 6.3)")
    func deadURI() async throws {
        let fixture = try await RelayFixture()
        let client = try fixture.client()
        let path = client.path
        client.close()
        try await fixture.until("the session ends") { $0.counters.sessions == 0 }
        let late = try RawRelayClient(to: fixture.address)
        late.peer = path
        #expect(try late.bind().status == 481)
        try await fixture.end()
    }

    @Test("sessions that come, talk and go leave nothing behind")
    func nothingStays() async throws {
        let fixture = try await RelayFixture()
        for round in 0..<30 {
            let (client, peer) = try fixture.pair()
            #expect(try client.say("a") == 200)
            #expect(try peer.say("b") == 200)
            if round % 3 == 0 { client.stream.reset() } else if round % 3 == 1 { peer.close() } else { client.close() }
        }
        try await fixture.until("all end") { $0.counters.sessions == 0 }
        let counters = await fixture.transport.counters()
        #expect(counters.sessions == 0)
        try await fixture.end()
    }
}
