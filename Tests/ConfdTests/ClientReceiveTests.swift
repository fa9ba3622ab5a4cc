import Client
import Foundation
import Logging
import Support
import Testing

/// A relay that the test plays, and the client that receives through it.
@Suite("Receiving files through relays, on the wire", .serialized)
struct ClientReceiveTests {
    private let folder: TemporaryFolder
    private let listener: StreamListener
    private let news = Journal<RelayReceiver.News>()
    private let relay = "msrp://r.example.com:2855/s1;tcp"

    init() throws {
        folder = try TemporaryFolder()
        listener = try StreamListener()
    }

    private func options(_ others: [RelayAddress] = [], password: String = "secret") throws -> RelayOptions {
        RelayOptions(
            user: try #require(RelayUser("bob@example.com")), password: password,
            relays: [RelayAddress(host: "127.0.0.1", port: Int(listener.port))] + others,
            security: LinkSecurity(usesTLS: false))
    }

    private func receiver(_ options: RelayOptions, count: Int = 1) -> RelayReceiver {
        RelayReceiver(options: options, folder: folder.path, count: count, logger: Logger(label: "test")) {
            [news] in news.add($0)
        }
    }

    private func head(_ frame: MSRPFrame) -> [String] { frame.headLines }

    /// A chunk from a sender behind another relay.
    private func chunk(
        _ peer: FakePeer, _ own: String, id: String, range: String, body: String, flag: String = "$",
        name: String = "a.txt"
    ) throws {
        try peer.send(
            [
                "MSRP \(id) SEND", "To-Path: \(own)", "From-Path: \(relay) msrp://10.0.0.9:9/zz;tcp", "Message-ID: m1",
                "Byte-Range: \(range)", "Success-Report: yes", "Failure-Report: yes",
                "Content-Disposition: attachment; filename=\"\(name)\"; size=6",
                "Content-Type: application/octet-stream",
            ], body: Array(body.utf8), id: id, flag: flag)
    }

    // MARK: Receiving

    //  client                              relay
    //    | AUTH ------------------------->   |
    //    | <------------------------- 401    |
    //    | AUTH Authorization ---------->    |
    //    | <------------- 200 Use-Path       |
    //    | <------- SEND 1-*/6 ... +         |
    //    | 200, REPORT 1-3/6 ----------->    |
    //    | <------- SEND 4-6/6 ... $         |
    //    | 200, REPORT 4-6/6 ----------->    |
    @Test(
        "AUTH, the path to give away, and a file in two chunks, to the octet (RFC 4976 section 5.1, RFC 4975 section 7)"
    )
    func receive() async throws {
        let receiver = receiver(try options())
        async let outcome = receiver.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            let auth = try peer.grant(relay)
            let own = try #require(auth.first["From-Path"])
            let target = "msrp://example.com:\(listener.port);tcp"
            #expect(own.hasPrefix("msrp://127.0.0.1:") && own.hasSuffix(";tcp") && !own.contains(" "))
            #expect(
                head(auth.first)
                    == ["MSRP \(auth.first.transactionID) AUTH", "To-Path: \(target)", "From-Path: \(own)"])
            let lines = head(auth.second)
            #expect(lines.count == 4 && auth.first.transactionID != auth.second.transactionID)
            #expect(
                lines.last?.hasPrefix(
                    #"Authorization: Digest username="bob", realm="example.com", nonce="n1", qop="auth", nc="00000001", "#
                )
                    == true)
            let path = try news.first(\.path)
            #expect(path == "\(relay) \(own)")

            try peer.send(
                [
                    "MSRP b1b1 SEND", "To-Path: \(own)", "From-Path: \(relay) msrp://10.0.0.9:9/zz;tcp",
                    "Message-ID: b",
                    "Byte-Range: 1-0/0",
                ], id: "b1b1")
            #expect(
                head(try peer.next()) == ["MSRP b1b1 200 OK", "To-Path: \(relay)", "From-Path: \(own)"])
            try chunk(peer, own, id: "c1c1", range: "1-*/6", body: "abc", flag: "+")
            #expect(
                head(try peer.next()) == ["MSRP c1c1 200 OK", "To-Path: \(relay)", "From-Path: \(own)"])
            let report = try peer.next()
            #expect(
                head(report).dropFirst() == [
                    "To-Path: \(relay) msrp://10.0.0.9:9/zz;tcp", "From-Path: \(own)", "Message-ID: m1",
                    "Byte-Range: 1-3/6", "Status: 000 200 OK",
                ])
            try chunk(peer, own, id: "c2c2", range: "4-6/6", body: "def")
            #expect(try peer.next().status == 200)
            #expect(try peer.next()["Byte-Range"] == "4-6/6")
            peer.close()
        }
        #expect(try await outcome == .complete)
        let stored = try #require(news.all.compactMap(\.stored).first)
        #expect(stored.path == "\(folder.path)/a.txt" && stored.size == 6 && stored.resumedAt == 0)
        #expect(try String(contentsOfFile: stored.path, encoding: .utf8) == "abcdef")
        #expect(stored.sha256 == "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721")
    }

    @Test("a sender that dies leaves a part; the next session tells where to go on, and what the part hashes to")
    func resume() async throws {
        let receiver = receiver(try options())
        async let outcome = receiver.run()
        try await onThread { [self] in
            let first = FakePeer(try listener.accept())
            let own = try #require(try first.grant(relay).first["From-Path"])
            try chunk(first, own, id: "c1c1", range: "1-*/6", body: "abc", flag: "+")
            _ = try first.next()
            _ = try first.next()
            first.close()
            #expect(try news.first(\.interruptedAt) == 3)

            let second = FakePeer(try listener.accept())
            let again = try #require(try second.grant(relay).first["From-Path"])
            #expect(again != own)
            try second.send(
                [
                    "MSRP f1f1 FILE_OFFSET", "To-Path: \(again)", "From-Path: \(relay) msrp://10.0.0.9:9/zz;tcp",
                    "Content-Disposition: attachment; filename=\"a.txt\"; size=6",
                ], id: "f1f1")
            #expect(
                head(try second.next()) == [
                    "MSRP f1f1 200 OK", "To-Path: \(relay) msrp://10.0.0.9:9/zz;tcp", "From-Path: \(again)",
                    "Offset: 3",
                    "Offset-Hash: sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                ])
            try chunk(second, again, id: "c2c2", range: "4-6/6", body: "def")
            _ = try second.next()
            _ = try second.next()
            second.close()
        }
        #expect(try await outcome == .complete)
        let stored = try #require(news.all.compactMap(\.stored).first)
        #expect(stored.resumedAt == 3 && stored.size == 6)
        #expect(try String(contentsOfFile: stored.path, encoding: .utf8) == "abcdef")
    }

    @Test("without a part, or a question that names no file, the offset is 0")
    func noPart() async throws {
        let receiver = receiver(try options())
        async let outcome = receiver.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            let own = try #require(try peer.grant(relay).first["From-Path"])
            for more in [[], ["Content-Disposition: attachment; filename=\"none\"; size=6"]] {
                try peer.send(
                    ["MSRP f1f1 FILE_OFFSET", "To-Path: \(own)", "From-Path: \(relay)", "Message-ID: q"] + more,
                    id: "f1f1")
                let answer = try peer.next()
                #expect(answer.status == 200 && answer["Offset"] == "0" && answer["Offset-Hash"] == nil)
            }
            receiver.stop()
            #expect(try peer.closes(within: 10))
        }
        #expect(try await outcome == .stopped)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test(
        "two relays in a row: the second AUTH goes through the first, the path is turned round (RFC 4976 section 5.1)")
    func chain() async throws {
        let receiver = receiver(try options([RelayAddress(host: "outer.example.org", port: 99)]))
        async let outcome = receiver.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            try peer.grant(relay)
            let outer = "msrp://outer.example.org:99/s2;tcp"
            let auth = try peer.grant("\(relay) \(outer)")
            #expect(auth.first["To-Path"] == "\(relay) msrp://outer.example.org:99;tcp")
            #expect(auth.second["To-Path"] == auth.first["To-Path"])
            let own = try #require(auth.first["From-Path"])
            #expect(try news.first(\.path) == "\(outer) \(relay) \(own)")
            receiver.stop()
        }
        #expect(try await outcome == .stopped)
    }

    @Test("the grant is refreshed at the session's URI before it ends (RFC 4976 section 5.1)")
    func refresh() async throws {
        let receiver = receiver(try options())
        async let outcome = receiver.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            let auth = try peer.grant(relay, expires: 2)
            let refresh = try peer.next()
            #expect(refresh.word == "AUTH" && refresh["To-Path"] == relay)
            #expect(refresh["From-Path"] == auth.first["From-Path"])
            #expect(refresh["Authorization"]?.contains(#"nc="00000002""#) == true)
            // A nonce that became too old meanwhile, and then a session that is gone.
            try peer.answer(
                refresh, "401 Unauthorized",
                [#"WWW-Authenticate: Digest realm="example.com", qop="auth", nonce="n2", stale=true"#])
            let again = try peer.next()
            #expect(again["Authorization"]?.contains(#"nonce="n2""#) == true && again["To-Path"] == relay)
            try peer.answer(again, "200 OK", ["Use-Path: \(relay)", "Expires: 2"])
            try peer.answer(try peer.next(), "481 No Such Session")
            _ = try listener.accept()
            receiver.stop()
        }
        #expect(try await outcome == .stopped)
        #expect(news.all.contains { if case .retrying = $0 { true } else { false } })
    }

    @Test("a wrong password ends it at once, and says so")
    func wrongPassword() async throws {
        let receiver = receiver(try options())
        async let outcome = receiver.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            try peer.answer(
                try peer.next(), "401 Unauthorized",
                [#"WWW-Authenticate: Digest realm="example.com", qop="auth", nonce="n1""#])
            try peer.answer(try peer.next(), "403 Forbidden")
        }
        do {
            _ = try await outcome
            Issue.record("no error")
        } catch {
            #expect(
                error as? ClientError
                    == .denied(
                        "the relay 127.0.0.1:\(listener.port) refused: wrong user name or password for bob@example.com")
            )
        }
    }

    @Test("where no relay is, the address is named")
    func nobody() async throws {
        var options = try options()
        options.relays = [RelayAddress(host: "127.0.0.1", port: 1)]
        await #expect(throws: ClientError.noAnswer("can't connect to 127.0.0.1:1: nobody there")) {
            _ = try await receiver(options).run()
        }
        options.relays = [RelayAddress(host: "relay.invalid", port: 2855)]
        await #expect(throws: ClientError.noAnswer("can't connect to relay.invalid:2855: no such host")) {
            _ = try await receiver(options).run()
        }
    }

    @Test("a relay that goes away and comes back gives a new path")
    func restart() async throws {
        let receiver = receiver(try options())
        async let outcome = receiver.run()
        try await onThread { [self] in
            try FakePeer(try listener.accept()).grant(relay)
            // Refused once: nobody authenticates there, then somebody does.
            try listener.accept().close()
            let peer = FakePeer(try listener.accept())
            try peer.grant("msrp://r.example.com:2855/s2;tcp")
            _ = try news.first { $0.path?.contains("/s2;") == true ? true : nil }
            receiver.stop()
        }
        #expect(try await outcome == .stopped)
    }
}
