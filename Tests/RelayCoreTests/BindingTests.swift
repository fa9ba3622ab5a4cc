import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@testable import RelayCore

@Suite(.serialized) struct RelayBindingTests {
    @Test("the first SEND from outside binds; third parties get 481, and the session goes on")
    func thirdParty() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let mallory = try RawRelayClient(to: fixture.address)
        mallory.peer = client.path
        #expect(try mallory.bind().status == 481)
        #expect(try mallory.say("boo") == 481)
        #expect(try mallory.response(to: mallory.post("NICKNAME", fields: "Use-Nickname: \"x\"\r\n")).status == 481)
        #expect(try peer.say("hello") == 200)
        #expect(try client.hears() == "hello")
        try await fixture.end()
    }

    @Test("only a SEND that names the client's way binds", arguments: ["REPORT", "NICKNAME", "FILE_OFFSET", "AUTH"])
    func onlySends(method: String) async throws {
        let fixture = try await RelayFixture()
        let client = try fixture.client()
        let mallory = try RawRelayClient(to: fixture.address)
        mallory.peer = client.path
        let id = try mallory.post(method, fields: "Message-ID: m\r\nStatus: 000 200 OK\r\n")
        let wrong = try mallory.post(
            "SEND", to: "\(client.usePath[0]) msrp://x:1/other;tcp", fields: mallory.emptyFields)
        #expect(try mallory.response(to: wrong).status == 481)
        #expect(try mallory.responseIfAny(to: id, within: 0)?.status != 200)
        let peer = try fixture.caller(of: client)
        #expect(try peer.say("hello") == 200)
        #expect(try client.hears() == "hello")
        try await fixture.end()
    }

    @Test("changed paths and unknown sessions get 481, on both sides")
    func changedPaths() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        #expect(try client.say("one") == 200)
        for (side, to) in [(client, peer.uri), (peer, client.uri)] {
            let relay = client.usePath[0]
            let body = Array("x".utf8)
            let fields = "Message-ID: m\r\n"
            for id in [
                try side.post(
                    "SEND", to: "\(relay) \(to)", from: "msrp://127.0.0.1:9/other;tcp", fields: fields, body: body),
                try side.post("SEND", to: "\(relay) msrp://127.0.0.1:9/other;tcp", fields: fields, body: body),
                try side.post(
                    "SEND", to: "msrp://127.0.0.1:\(fixture.address.port)/nobody;tcp \(to)", fields: fields, body: body),
            ] {
                #expect(try side.response(to: id).status == 481)
            }
        }
        #expect(try client.say("two") == 200)
        #expect(try peer.hears() == "one")
        #expect(try peer.hears() == "two")
        try await fixture.end()
    }

    @Test("RFC 4976 6.3: AUTH again to the relay itself on a connection with a session gets 481")
    func authAgain() async throws {
        let fixture = try await RelayFixture()
        let client = try fixture.client()
        #expect(try client.auth("msrp://example.com:\(fixture.address.port);tcp").status == 481)
        try await fixture.end()
    }

    @Test("a refresh goes to the session's URI and prolongs it")
    func refresh() async throws {
        let fixture = try await RelayFixture()
        let client = try fixture.client(expires: "60")
        let before = client.usePath
        await fixture.tick(after: .seconds(50))
        #expect(try client.authenticate(password: "1234", target: before[0], expires: "300").status == 200)
        #expect(client.usePath == before)
        await fixture.tick(after: .seconds(200))
        #expect(await fixture.counters().sessions == 1)
        await fixture.tick(after: .seconds(301))
        #expect(await fixture.counters().sessions == 0)
        #expect(client.closes(within: 10))
        try await fixture.end()
    }

    @Test("with Expires a session ends at its expiry, and what is under way is reported to both sides")
    func expiry() async throws {
        let fixture = try await RelayFixture()
        let client = try fixture.client(expires: "60")
        let peer = try fixture.caller(of: client)
        client.answer = .silent
        peer.answer = .silent
        #expect(try peer.say("to client") == 200)
        #expect(try client.say("to peer") == 200)
        _ = try client.nextMessage()
        _ = try peer.nextMessage()
        await fixture.tick(after: .seconds(20))
        #expect(await fixture.counters().sessions == 1)
        await fixture.tick(after: .seconds(61))
        #expect(try client.nextReport()["Status"] == "000 408 Request Timeout")
        #expect(try peer.nextReport()["Status"] == "000 408 Request Timeout")
        #expect(client.closes(within: 10))
        #expect(peer.closes(within: 10))
        #expect(await fixture.counters().sessionsEnded == ["expired": 1])
        try await fixture.end()
    }

    @Test("without Expires an unbound session ends after default_expires, a bound one lives on")
    func unbound() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let lonely = try fixture.client("bob")
        await fixture.tick(after: .seconds(601))
        #expect(lonely.closes(within: 10))
        await fixture.tick(after: .hours(24))
        #expect(try client.say("still here") == 200)
        #expect(try peer.hears() == "still here")
        #expect(await fixture.counters().sessionsEnded == ["unused": 1])
        try await fixture.end()
    }

    @Test("maximum_session_time ends bound sessions")
    func maximumTime() async throws {
        let fixture = try await RelayFixture(change: { $0.maximumSessionTime = .seconds(1000) })
        let (client, peer) = try fixture.pair()
        await fixture.tick(after: .seconds(999))
        #expect(try client.say("still here") == 200)
        await fixture.tick(after: .seconds(1001))
        #expect(client.closes(within: 10))
        #expect(peer.closes(within: 10))
        try await fixture.end()
    }

    @Test("the client's first SEND opens a connection to the peer; what waits goes through when it stands")
    func connectingOut() async throws {
        let fixture = try await RelayFixture()
        let listener = try StreamListener()
        let client = try fixture.client()
        let peerURI = "msrp://127.0.0.1:\(listener.port)/bob;tcp"
        client.peer = [peerURI]
        let ids = try (0..<3).map { try client.postMessage("message \($0)") }
        let peer = RawRelayClient(stream: try listener.accept(), uri: peerURI)
        peer.peer = client.path
        for number in 0..<3 { #expect(try peer.hears() == "message \(number)") }
        for id in ids { #expect(try client.response(to: id).status == 200) }
        #expect(try peer.say("answer") == 200)
        #expect(try client.hears() == "answer")
        try await fixture.end()
    }

    @Test("a bind is answered before there is anybody to bind to, and passed on when there is")
    func bindFirst() async throws {
        let fixture = try await RelayFixture()
        let listener = try StreamListener()
        let client = try fixture.client()
        let peerURI = "msrp://127.0.0.1:\(listener.port)/bob;tcp"
        client.peer = [peerURI]
        #expect(try client.bind().status == 200)
        let peer = RawRelayClient(stream: try listener.accept(), uri: peerURI)
        peer.peer = client.path
        let bind = try peer.next()
        #expect(bind.body == nil)
        #expect(bind["Content-Type"] == nil)
        #expect(try client.say("hello") == 200)
        #expect(try peer.hears() == "hello")
        try await fixture.end()
    }

    @Test("a peer that cannot be reached: REPORT and a log line; another may still come")
    func unreachable() async throws {
        let fixture = try await RelayFixture()
        let client = try fixture.client()
        client.peer = ["msrp://127.0.0.1:1/bob;tcp"]
        let id = try client.postMessage("hello")
        #expect(try client.response(to: id).status == 200)
        let report = try client.nextReport()
        #expect(report["Status"] == "000 408 Request Timeout")
        #expect(report["Byte-Range"] == "1-5/5")
        #expect(
            fixture.log.lines.contains {
                $0.hasPrefix("cannot connect to the peer") && $0.contains("alice@example.com")
            })
        let quiet = try client.postMessage("hello", fields: "Failure-Report: no\r\n")
        let nickname = try client.post("NICKNAME", fields: "Use-Nickname: \"al\"\r\n")
        #expect(try client.response(to: nickname).status == 408)
        #expect(try client.responseIfAny(to: quiet, within: 0) == nil)
        let bob = RawRelayClient(stream: try ByteStream(to: fixture.address), uri: "msrp://127.0.0.1:1/bob;tcp")
        bob.peer = client.path
        #expect(try bob.say("here I am") == 200)
        #expect(try client.hears() == "here I am")
        try await fixture.end()
    }

    @Test("the egress policy holds for peers: REPORT 403")
    func egress() async throws {
        let fixture = try await RelayFixture(adjust: { $0.egress = .public })
        let listener = try StreamListener()
        let client = try fixture.client()
        client.peer = ["msrp://127.0.0.1:\(listener.port)/bob;tcp"]
        #expect(try client.say("hello") == 200)
        #expect(try client.nextReport()["Status"] == "000 403 Forbidden")
        try await fixture.end()
    }

    @Test("a port that is not in the URI is 2855; host names and IPv6 are resolved")
    func destinations() async throws {
        let fixture = try await RelayFixture()
        let listener = try? StreamListener(port: 2855)
        if let listener {
            let client = try fixture.client()
            client.peer = ["msrp://localhost/bob;tcp"]
            try client.postMessage("no port")
            let peer = RawRelayClient(stream: try listener.accept(), uri: "msrp://localhost/bob;tcp")
            #expect(try peer.hears() == "no port")
        }
        let six = try StreamListener(host: "::1")
        let other = try fixture.client("bob")
        other.peer = ["msrp://[::1]:\(six.port)/bob;tcp"]
        try other.postMessage("six")
        let peer = RawRelayClient(stream: try six.accept(), uri: "msrp://[::1]:\(six.port)/bob;tcp")
        #expect(try peer.hears() == "six")
        try await fixture.end()
    }

    @Test("two clients of one relay: the way leads through our own listener")
    func twoClients() async throws {
        let fixture = try await RelayFixture()
        let alice = try fixture.client("alice")
        let bob = try fixture.client("bob")
        alice.peer = bob.path
        bob.peer = alice.path
        #expect(try alice.say("hello bob") == 200)
        #expect(try bob.hears() == "hello bob")
        #expect(try bob.say("hello alice") == 200)
        #expect(try alice.hears() == "hello alice")
        #expect(await fixture.counters().sessions == 2)
        alice.close()
        #expect(bob.closes(within: 10))
        try await fixture.until("the sessions end") { $0.counters.sessions == 0 }
        try await fixture.end()
    }

    @Test("a new configuration counts for new sessions, running ones live on")
    func reconfiguration() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        var configuration = RelayConfiguration(hostname: "127.0.0.1", port: Int(fixture.address.port))
        configuration.allowsPlainAuth = true
        configuration.defaultDomain = "example.com"
        configuration.allowsOtherMethods = false
        await fixture.relay.reconfigure(configuration, accounts: RelayFixture.accounts)
        let id = try client.post("FILE_OFFSET")
        #expect(try peer.next().word == "FILE_OFFSET")
        #expect(try client.response(to: id).status == 200)
        let other = try fixture.client("bob")
        other.peer = ["msrp://127.0.0.1:9/x;tcp"]
        #expect(try other.response(to: other.post("FILE_OFFSET")).status == 501)
        try await fixture.end()
    }
}
