import DigestAuth
import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@testable import RelayCore

@Suite("AUTH and the sessions it opens")
struct AuthSessionTests {
    @Test("a refresh is answered between the chunks that are passed on to the client")
    func refreshWithinChunk() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        try peer.stream.send(
            "MSRP long SEND\r\nTo-Path: \(peer.toPath)\r\nFrom-Path: \(peer.uri)\r\nMessage-ID: m\r\n"
                + "Byte-Range: 1-*/20\r\nContent-Type: text/plain\r\n\r\n0123456789")
        // What is begun on the client's connection is seen there before the refresh is asked for.
        var begun = [UInt8]()
        while !String(decoding: begun, as: UTF8.self).contains("0123456789") {
            begun += try client.stream.receive(.after(seconds: 5))
        }
        try client.stream.send(
            "MSRP again AUTH\r\nTo-Path: \(client.usePath[0])\r\nFrom-Path: \(client.uri)\r\n-------again$\r\n")
        while !String(decoding: begun, as: UTF8.self).contains("-------again$\r\n") {
            begun += try client.stream.receive(.after(seconds: 5))
        }
        let (chunk, end) = try #require(try MSRPFrame.parse(begun, from: 0))
        #expect(chunk.bodyText == "0123456789" && chunk.flag == "+")
        let (answer, _) = try #require(try MSRPFrame.parse(begun, from: end))
        #expect(answer.transactionID == "again" && answer.status == 401)
        try await fixture.end()
    }

    @Test("with Expires in AUTH the session ends at expiry, unless it was refreshed (RFC 4976 section 6.3)")
    func expiry() async throws {
        let fixture = try await RelayFixture()
        let client = try fixture.client(expires: "60")
        let other = try fixture.client(expires: "60")
        let answer = try client.authenticate(as: "alice", password: "1234", target: client.usePath[0], expires: "600")
        #expect(answer.status == 200 && answer["Expires"] == "600")
        await fixture.tick(after: .seconds(61))
        #expect(other.closes(within: 5))
        #expect(try client.auth(client.usePath[0]).status == 401)
        await fixture.tick(after: .seconds(601))
        #expect(client.closes(within: 5))
        try await fixture.end()
    }

    @Test("the outcomes of AUTH are counted by status")
    func counted() async throws {
        let fixture = try await RelayFixture()
        _ = try fixture.client()
        let client = try RawRelayClient(to: fixture.address)
        #expect(try client.authenticate(as: "alice", password: "x").status == 403)
        #expect(await fixture.counters().authOutcomes == ["401": 2, "200": 1, "403": 1])
        try await fixture.end()
    }

    @Test("after a reload the new accounts and bounds count, and sessions live on")
    func reload() async throws {
        let fixture = try await RelayFixture()
        let client = try fixture.client()
        var configuration = RelayConfiguration(hostname: "127.0.0.1", port: Int(fixture.address.port))
        configuration.allowsPlainAuth = true
        configuration.defaultDomain = "example.com"
        configuration.defaultExpires = 120
        await fixture.relay.reconfigure(configuration, accounts: MemoryAccounts(["alice@example.com": "new"]))
        let other = try RawRelayClient(to: fixture.address)
        #expect(try other.authenticate(as: "alice", password: "1234").status == 403)
        #expect(try other.authenticate(as: "alice", password: "new")["Expires"] == "120")
        let session = client.usePath[0]
        #expect(try client.authenticate(as: "alice", password: "new", target: session).status == 200)
        #expect(client.usePath == [session])
        try await fixture.end()
    }

    @Test("when the session table is full, the answer doesn't blame the password")
    func full() async throws {
        let fixture = try await RelayFixture(adjust: { $0.limits.sessions = 1 })
        let first = try fixture.client()
        let second = try RawRelayClient(to: fixture.address)
        #expect(try second.authenticate(as: "bob", password: "secret").status == 408)
        first.close()
        try await fixture.until("the first session ended") { $0.counters.sessions == 0 }
        #expect(try second.authenticate(as: "bob", password: "secret").status == 200)
        try await fixture.end()
    }
}
