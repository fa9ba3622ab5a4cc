import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@testable import RelayCore

/// Another relay may carry several sessions over one connection to us (RFC 4975 section 5.4, RFC 4976 section 6.4.2).
@Suite(.serialized) struct SharingTests {
    /// What several peers say over one connection, and hear.
    struct Shared {
        let stream: ByteStream
        let alice: RawRelayClient
        let bob: RawRelayClient
        let peer: RawRelayClient

        /// To-Path of what a peer sends to a client.
        func way(to client: RawRelayClient) -> String { client.path.joined(separator: " ") }

        func post(to client: RawRelayClient, _ text: String) throws -> String {
            try peer.post(
                "SEND", to: way(to: client),
                fields: "Message-ID: m\(text)\r\nByte-Range: 1-\(text.utf8.count)/\(text.utf8.count)\r\n",
                body: Array(text.utf8))
        }
    }

    func share(_ fixture: RelayFixture) throws -> Shared {
        let alice = try fixture.client("alice")
        let bob = try fixture.client("bob")
        let stream = try ByteStream(to: fixture.address)
        let peer = RawRelayClient(stream: stream)
        alice.peer = [peer.uri]
        bob.peer = [peer.uri]
        let shared = Shared(stream: stream, alice: alice, bob: bob, peer: peer)
        for client in [alice, bob] {
            let id = try shared.post(to: client, "hello")
            guard try client.hears() == "hello", try peer.response(to: id).status == 200 else {
                throw SupportError("not bound")
            }
        }
        return shared
    }

    @Test("two sessions share a peer's connection, each with its own messages and answers")
    func twoSessions() async throws {
        let fixture = try await RelayFixture()
        let shared = try share(fixture)
        for number in 0..<20 {
            #expect(try shared.alice.say("a\(number)") == 200)
            #expect(try shared.bob.say("b\(number)") == 200)
            let heard = [try shared.peer.nextMessage(), try shared.peer.nextMessage()]
            #expect(Set(heard.map(\.bodyText)) == ["a\(number)", "b\(number)"])
            for frame in heard {
                let sender = frame.bodyText.hasPrefix("a") ? shared.alice : shared.bob
                #expect(frame["From-Path"] == "\(sender.usePath[0]) \(sender.uri)")
            }
        }
        try await fixture.end()
    }

    @Test("a session that ends leaves the shared connection to the others")
    func oneEnds() async throws {
        let fixture = try await RelayFixture()
        let shared = try share(fixture)
        shared.alice.close()
        try await fixture.until("one session is over") { $0.counters.sessions == 1 }
        #expect(try shared.bob.say("still here") == 200)
        #expect(try shared.peer.hears() == "still here")
        #expect(try shared.peer.response(to: shared.post(to: shared.alice, "gone?")).status == 481)
        try await fixture.end()
    }

    @Test("messages of one session go between the chunks of another that is open on the same connection")
    func interleaving() async throws {
        let fixture = try await RelayFixture()
        let shared = try share(fixture)
        let body = ChunkTests.pattern
        let bytes = shared.alice.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: long\r\nByte-Range: 1-*/300000\r\n", body: body)
        try shared.alice.stream.send(Array(bytes.prefix(20_000)))
        _ = try shared.peer.openChunk()
        #expect(try shared.bob.say("through") == 200)
        let first = try shared.peer.next { $0.messageID == "long" }
        #expect(first.flag == "+")
        #expect(try shared.peer.next { $0.bodyText == "through" }.flag == "$")
        try shared.alice.stream.send(Array(bytes.dropFirst(20_000)))
        var whole = first.body ?? []
        while whole.count < body.count {
            let next = try shared.peer.next { $0.messageID == "long" }
            #expect(next["Byte-Range"] == "\(whole.count + 1)-*/300000")
            whole += next.body ?? []
        }
        #expect((whole == body) == true)
        try await fixture.end()
    }

    @Test("behind a chunk with a range-end the other session waits, with its own reading held, until the tick")
    func waiting() async throws {
        let fixture = try await RelayFixture()
        let shared = try share(fixture)
        let body = ChunkTests.pattern
        let bytes = shared.alice.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: long\r\nByte-Range: 1-300000/300000\r\n", body: body)
        try shared.alice.stream.send(Array(bytes.prefix(20_000)))
        _ = try shared.peer.openChunk()
        let ids = try (0..<5).map { try shared.bob.postMessage("waits \($0)") }
        try await fixture.until("the first waits") { snapshot in
            snapshot.sessions.contains { $0.account.hasPrefix("bob") && $0.bytesFromClient > 300 }
        }
        await fixture.tick()
        for number in 0..<5 { #expect(try shared.peer.next { $0.bodyText == "waits \(number)" }.flag == "$") }
        for id in ids { #expect(try shared.bob.response(to: id).status == 200) }
        try shared.alice.stream.send(Array(bytes.dropFirst(20_000)))
        let message = try shared.peer.nextWhole(messageID: "long")
        #expect((message.body == body) == true)
        try await fixture.end()
    }

    @Test("a refusal of a third session's message does not get into a chunk that is open on the connection")
    func refusalBetweenChunks() async throws {
        let fixture = try await RelayFixture()
        let shared = try share(fixture)
        let bytes = shared.alice.requestBytes(
            "SEND", id: "abcd", fields: "Message-ID: long\r\nByte-Range: 1-*/300000\r\n", body: ChunkTests.pattern)
        try shared.alice.stream.send(Array(bytes.prefix(20_000)))
        _ = try shared.peer.openChunk()
        let id = try shared.peer.post(
            "SEND", to: "msrp://127.0.0.1:1/nobody;tcp \(shared.bob.uri)", fields: "Message-ID: m\r\n")
        #expect(try shared.peer.response(to: id).status == 481)
        try shared.alice.stream.send(Array(bytes.dropFirst(20_000)))
        #expect((try shared.peer.nextWhole(messageID: "long").body == ChunkTests.pattern) == true)
        try await fixture.end()
    }
}
