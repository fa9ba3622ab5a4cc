import Foundation
import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@testable import RelayCore

@Suite("What sessions leave behind when they end", .serialized)
struct ReleaseTests {
    /// What a session consists of, as far as it is still there.
    private final class Remains {
        weak var session: RelaySession?
        weak var client: Connection?
        weak var peer: Connection?
        weak var clientLeg: Leg?
        weak var peerLeg: Leg?

        init(_ session: RelaySession) {
            self.session = session
            client = session.client.leg?.connection
            peer = session.peer.leg?.connection
            clientLeg = session.client.leg
            peerLeg = session.peer.leg
        }

        var names: [String] {
            let all: [(String, AnyObject?)] = [
                ("session", session), ("client", client), ("peer", peer), ("client's leg", clientLeg),
                ("peer's leg", peerLeg),
            ]
            return all.compactMap { $1 == nil ? nil : $0 }
        }
    }

    enum Stage: String, CaseIterable {
        case bound, midHead, midChunk, midBoundedChunk, unanswered, midRequest, stalled
    }

    enum Ending: String, CaseIterable {
        case clientCloses, clientResets, peerCloses, peerResets, garbageFromClient, garbageFromPeer, shutdown
    }

    /// Brings the two as far as the stage says; the client sends, the peer receives.
    private func enter(_ stage: Stage, _ client: RawRelayClient, _ peer: RawRelayClient) throws {
        func start(_ range: String) -> [UInt8] {
            let whole = client.requestBytes(
                "SEND", id: client.newID(), fields: "Message-ID: m1\r\nByte-Range: \(range)\r\n",
                body: Array(repeating: UInt8(ascii: "x"), count: 20_000))
            return Array(whole.dropLast(4000))
        }
        switch stage {
        case .bound: break
        case .midHead: try client.stream.send("MSRP abcdef SEND\r\nTo-Path: \(client.toPath)\r\nFrom-")
        case .midChunk: try client.stream.send(start("1-*/20000"))
        case .midBoundedChunk: try client.stream.send(start("1-20000/20000"))
        case .unanswered:
            peer.answer = .silent
            for _ in 0..<20 { try client.postMessage("who answers?") }
        case .midRequest:
            peer.answer = .silent
            try client.post("NICKNAME", fields: "Use-Nickname: \"al\"\r\n")
        case .stalled:
            // Until nothing moves: the kernel's buffers, the relay's window, and the client's socket are full.
            let bytes = start("1-*/*") + Array(repeating: UInt8(ascii: "y"), count: 1 << 20)
            _ = try? client.stream.send(bytes, within: 0.2)
            for _ in 0..<12 {
                if (try? client.stream.send(Array(repeating: UInt8(ascii: "z"), count: 1 << 20), within: 0.2)) == nil {
                    break
                }
            }
        }
    }

    private func leave(
        _ ending: Ending, _ client: RawRelayClient, _ peer: RawRelayClient, _ fixture: RelayFixture
    ) async throws {
        switch ending {
        case .clientCloses: client.close()
        case .clientResets: client.stream.reset()
        case .peerCloses: peer.close()
        case .peerResets: peer.stream.reset()
        case .garbageFromClient: _ = try? client.stream.send(Array("\r\n\u{1}\u{2}GET /\r\n\r\n".utf8), within: 0.1)
        case .garbageFromPeer: try peer.stream.send("GET / HTTP/1.1\r\n\r\n")
        case .shutdown: await fixture.relay.shutdown()
        }
    }

    @Test(
        "neither session nor connections nor table entries, wherever it was and however it ended",
        arguments: Stage.allCases)
    func everything(stage: Stage) async throws {
        for ending in Ending.allCases {
            let fixture = try await RelayFixture()
            let (client, peer) = try fixture.pair()
            let key = try #require(URI(client.usePath[0])?.sessionID)
            let remains = await fixture.transport.perform { transport in
                let session = transport.sessions.owner(of: SessionID(text: key)) as? RelaySession
                return NIOLoopBound(session.map(Remains.init), eventLoop: transport.eventLoop)
            }
            #expect(await fixture.transport.perform { _ in remains.value?.names.count } == 5)
            try enter(stage, client, peer)
            await fixture.tick()
            try await leave(ending, client, peer, fixture)
            // Within a message, or with reading paused, garbage is body; the client goes at last.
            if ending == .garbageFromClient { client.stream.reset() }
            // Its end comes behind what the relay does not read.
            if stage == .stalled, ending == .clientCloses { peer.stream.reset() }
            try await fixture.until("\(stage), \(ending): the session ends") {
                if stage == .stalled { await fixture.tick(after: .seconds(31)) }
                return $0.counters.sessions == 0
            }
            client.stream.reset()
            peer.stream.reset()
            let deadline = Deadline.after(seconds: 10)
            var left = ["?"]
            while !left.isEmpty, !deadline.passed {
                left = await fixture.transport.perform { transport in
                    transport.ticked(at: .now() + .seconds(60))
                    var left = remains.value?.names ?? []
                    if transport.counters.connections > 0 {
                        left.append("\(transport.counters.connections) connections")
                    }
                    if transport.sessions.count > 0 { left.append("\(transport.sessions.count) ids") }
                    return left
                }
            }
            #expect(left == [], "\(stage), \(ending)")
            try await fixture.end()
        }
    }

    /// Two clients, and another relay's connection that carries the peers of both.
    private struct Shared {
        let fixture: RelayFixture
        let clients: [RawRelayClient]
        let peers: [RawRelayClient]

        init() async throws {
            fixture = try await RelayFixture()
            clients = [try fixture.client("alice"), try fixture.client("bob")]
            let stream = try ByteStream(to: fixture.address)
            peers = (0..<2).map {
                RawRelayClient(stream: stream, uri: "msrp://127.0.0.1:\(stream.localPort)/peer\($0);tcp")
            }
            for (client, peer) in zip(clients, peers) {
                peer.peer = client.path
                client.peer = [peer.uri]
                let id = try peer.post("SEND", fields: peer.emptyFields)
                _ = try client.next()
                #expect(try peer.response(to: id).status == 200)
            }
        }
    }

    @Test(
        "two sessions' peers on one connection: a client that goes in mid-chunk closes its chunk, and the other's message follows",
        arguments: ["1-*/20000", "1-20000/20000"])
    func sharedLeg(range: String) async throws {
        let shared = try await Shared()
        let (alice, bob) = (shared.clients[0], shared.clients[1])
        let peer = shared.peers[0]
        peer.answer = .silent
        let whole = alice.requestBytes(
            "SEND", id: alice.newID(), fields: "Message-ID: m1\r\nByte-Range: \(range)\r\n",
            body: Array(repeating: UInt8(ascii: "x"), count: 20_000))
        try alice.stream.send(Array(whole.dropLast(4000)))
        while await shared.fixture.counters().bytesFromClients < 15_000 {}
        try bob.postMessage("after you")
        while await shared.fixture.counters().bytesFromClients < 16_200 {}
        alice.close()
        var frames: [MSRPFrame] = []
        while frames.last?.bodyText != "after you" { frames.append(try peer.nextMessage()) }
        let chunks = frames.filter { $0.messageID == "m1" }
        // With a `*` it was interrupted for the other, and goes no further.
        #expect(chunks.last?.flag == (range.contains("*") && chunks.count == 1 ? "+" : "#"))
        #expect(try peer.leftovers(after: 0.2).allSatisfy { $0.messageID == "m1" && $0.flag == "#" })
        #expect(await shared.fixture.counters().sessions == 1)
        shared.peers[0].answer = .honest
        #expect(try shared.peers[1].say("and again") == 200)
        try await shared.fixture.end()
    }

    @Test("the other relay's connection ends: both sessions end, and nothing is left")
    func sharedLegCloses() async throws {
        let shared = try await Shared()
        shared.peers[0].stream.reset()
        try await shared.fixture.until("both end") { $0.counters.sessions == 0 }
        for client in shared.clients { #expect(client.closes(within: 10)) }
        let ids = await shared.fixture.transport.perform { $0.sessions.count }
        #expect(ids == 0)
        try await shared.fixture.end()
    }
}
