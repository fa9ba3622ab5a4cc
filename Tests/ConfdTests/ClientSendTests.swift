import Client
import Foundation
import Logging
import Support
import Testing

/// A receiver or its relay that the test plays, and the client that sends to it.
@Suite("Sending files, on the wire", .serialized)
struct ClientSendTests {
    private let folder: TemporaryFolder
    private let listener: StreamListener
    private let relay = "msrp://r.example.com:2855/s1;tcp"

    init() throws {
        folder = try TemporaryFolder()
        listener = try StreamListener()
    }

    private func head(_ frame: MSRPFrame) -> [String] { frame.headLines }

    private var ownRelay: RelayOptions {
        get throws {
            RelayOptions(
                user: try #require(RelayUser("bob@example.com")), password: "secret",
                relays: [RelayAddress(host: "127.0.0.1", port: Int(listener.port))],
                security: LinkSecurity(usesTLS: false))
        }
    }

    private let far = "msrp://10.0.0.7:7/rr;tcp"

    private func send(_ text: String, relay: RelayOptions? = nil) throws -> FileTransmission {
        let file = try SourceFile(path: folder.write(text, to: "a.txt"))
        let path =
            relay == nil ? "msrp://127.0.0.1:\(listener.port)/s1;tcp \(far)" : "msrp://x.example.net:1/s9;tcp \(far)"
        return try FileTransmission(
            file: file, path: path, contentType: "text/plain", relay: relay, security: LinkSecurity(),
            logger: Logger(label: "test")
        ) { _ in }
    }

    private func report(_ peer: FakePeer, _ chunk: MSRPFrame, _ range: String, _ status: String = "000 200 OK") throws {
        try peer.send(
            [
                "MSRP rrrr REPORT", "To-Path: \(chunk["From-Path"] ?? "")", "From-Path: \(chunk["To-Path"] ?? "")",
                "Message-ID: \(chunk.messageID)", "Byte-Range: \(range)", "Status: \(status)",
            ], id: "rrrr")
    }

    //  client                              relay of the receiver
    //    | SEND (bind) ---------------->     |
    //    | <------------------------- 200    |
    //    | FILE_OFFSET ----------------->    |
    //    | <------------------ 200 Offset    |
    //    | SEND 4-6/6 ------------------>    |
    //    | <------------------ 200, REPORT   |
    @Test(
        "a file is sent from where the receiver has it, to the octet; success is the receiver's REPORT (RFC 4975 section 7.1.3)"
    )
    func sendRest() async throws {
        let transmission = try send("abcdef")
        async let outcome = transmission.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            let toPath = "msrp://127.0.0.1:\(listener.port)/s1;tcp \(far)"
            let bind = try peer.next()
            let own = try #require(bind["From-Path"])
            #expect(
                head(bind) == [
                    "MSRP \(bind.transactionID) SEND", "To-Path: \(toPath)", "From-Path: \(own)",
                    "Message-ID: \(bind.messageID)", "Byte-Range: 1-0/0",
                ])
            try peer.answer(bind)
            let question = try peer.next()
            #expect(
                head(question) == [
                    "MSRP \(question.transactionID) FILE_OFFSET", "To-Path: \(toPath)", "From-Path: \(own)",
                    "Message-ID: \(question.messageID)",
                    "Content-Disposition: attachment; filename=\"a.txt\"; size=6",
                ])
            try peer.answer(
                question, "200 OK",
                ["Offset: 3", "Offset-Hash: sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"])
            let chunk = try peer.next()
            #expect(
                head(chunk) == [
                    "MSRP \(chunk.transactionID) SEND", "To-Path: \(toPath)", "From-Path: \(own)",
                    "Message-ID: \(chunk.messageID)", "Byte-Range: 4-6/6", "Success-Report: yes",
                    "Failure-Report: yes", "Content-Disposition: attachment; filename=\"a.txt\"; size=6",
                    "Content-Type: text/plain",
                ])
            #expect(chunk.bodyText == "def" && chunk.flag == "$")
            try peer.answer(chunk)
            try report(peer, chunk, "4-6/6")
            #expect(try peer.closes(within: 10))
        }
        #expect(
            try await outcome
                == .arrived(
                    sha256: "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721", resumedAt: 3))
    }

    @Test(
        "a receiver that has something else, or does not know FILE_OFFSET, gets all of it",
        arguments: [
            ["200 OK", "Offset: 3", "Offset-Hash: sha-256:00"], ["200 OK", "Offset: 7"], ["501 Unknown Method"],
            ["200 OK"], ["200 OK", "Offset: -1"],
        ])
    func sendAll(_ answer: [String]) async throws {
        let transmission = try send("abcdef")
        async let outcome = transmission.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            try peer.answer(try peer.next("FILE_OFFSET"), answer[0], Array(answer.dropFirst()))
            let chunk = try peer.next()
            #expect(chunk["Byte-Range"] == "1-6/6" && chunk.bodyText == "abcdef")
            try peer.answer(chunk)
            try report(peer, chunk, "1-6/6")
        }
        guard case .arrived(_, 0) = try await outcome else {
            Issue.record("not arrived")
            return
        }
    }

    @Test("long files go in chunks of 64 KiB that say *, so that relays may cut them (RFC 4975 section 7.1.1)")
    func chunks() async throws {
        let size = 150_000
        let transmission = try send(String(repeating: "x", count: size))
        async let outcome = transmission.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            try peer.answer(try peer.next("FILE_OFFSET"), "501 Unknown Method")
            var got = 0
            while got < size {
                let chunk = try peer.next()
                #expect(chunk["Byte-Range"] == "\(got + 1)-*/\(size)")
                got += chunk.body?.count ?? 0
                #expect(chunk.flag == (got == size ? "$" : "+"))
                try peer.answer(chunk)
                if got == size { try report(peer, chunk, "1-\(size)/\(size)") }
            }
            #expect(got == size)
        }
        guard case .arrived = try await outcome else {
            Issue.record("not arrived")
            return
        }
    }

    @Test("what refuses the file ends it, and says what to do")
    func refusals() async throws {
        for (stage, status) in [("bind", "481 No Such Session"), ("chunk", "413 Stop"), ("report", "000 415 Type")] {
            let transmission = try send("abcdef")
            async let outcome = transmission.run()
            try await onThread { [self] in
                let peer = FakePeer(try listener.accept())
                if stage == "bind" { return try peer.answer(try peer.next(), status) }
                try peer.answer(try peer.next("FILE_OFFSET"), "501 Unknown Method")
                let chunk = try peer.next()
                if stage == "chunk" { return try peer.answer(chunk, status) }
                try peer.answer(chunk)
                try report(peer, chunk, "1-6/6", status)
            }
            do {
                let result = try await outcome
                Issue.record("\(stage): \(result)")
            } catch {
                guard case .denied(let text)? = error as? ClientError else {
                    Issue.record("\(stage): \(error)")
                    continue
                }
                #expect(
                    text.hasPrefix(
                        String(status.suffix(from: status.firstIndex(of: "4") ?? status.startIndex).prefix(3))))
            }
        }
    }

    @Test("a connection that ends before the REPORT is no success, nor is a REPORT of 408", arguments: [false, true])
    func unconfirmed(isReported: Bool) async throws {
        let transmission = try send("abcdef")
        async let outcome = transmission.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            try peer.answer(try peer.next("FILE_OFFSET"), "501 Unknown Method")
            let chunk = try peer.next()
            try peer.answer(chunk)
            if isReported { try report(peer, chunk, "1-6/6", "000 408 Request Timeout") } else { peer.close() }
        }
        do {
            _ = try await outcome
            Issue.record("success")
        } catch {
            guard case .lost(let text)? = error as? ClientError else {
                Issue.record("\(error)")
                return
            }
            #expect(text.contains("confirmed 0 B of 6 B") && text.contains("goes on"))
        }
    }

    @Test("through one's own relay, To-Path is its way and the receiver's path (RFC 4976 section 5.1)")
    func ownRelay() async throws {
        let transmission = try send("abcdef", relay: try ownRelay)
        async let outcome = transmission.run()
        try await onThread { [self] in
            let peer = FakePeer(try listener.accept())
            try peer.grant(relay)
            let bind = try peer.next()
            #expect(bind["To-Path"] == "\(relay) msrp://x.example.net:1/s9;tcp \(far)")
            try peer.answer(bind)
            _ = try peer.next()
            transmission.stop()
            #expect(try peer.closes(within: 10))
        }
        #expect(try await outcome == .stopped(confirmed: 0))
    }

    @Test("a path that is none is refused before anything is sent")
    func noPath() throws {
        let file = try SourceFile(path: folder.write("x", to: "a.txt"))
        for path in ["", "http://x/", "msrp://x", "msrp://x:1/a;tcp nonsense"] {
            #expect(throws: ClientError.self) {
                _ = try FileTransmission(
                    file: file, path: path, contentType: "a/b", relay: nil, security: LinkSecurity(),
                    logger: Logger(label: "test")
                ) { _ in }
            }
        }
    }
}
