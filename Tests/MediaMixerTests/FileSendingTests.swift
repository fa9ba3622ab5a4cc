import FileSpool
import Foundation
import MediaMixer
import NIOCore
import Support
import Testing

@Suite("Files pulled from a room (RFC 5547)", .serialized)
struct FileSendingTests {
    private static let pattern = BodyPattern(seed: 4975)

    /// Takes the message chunk by chunk and compares; its head and how many chunks there were.
    private func take(
        _ client: RawMSRPClient, size: Int, from offset: Int = 0
    ) throws -> (first: MSRPFrame, chunks: Int) {
        var got = 0
        var chunks = 0
        var first: MSRPFrame?
        while true {
            let chunk = try client.nextMessage(within: 30)
            if first == nil { first = chunk }
            chunks += 1
            guard let body = chunk.body, body.withUnsafeBytes({ Self.pattern.matches($0, offset: offset + got) }) else {
                throw SupportError("the chunk at \(got) is wrong")
            }
            let range = chunk["Byte-Range"] ?? ""
            guard range.hasPrefix("\(got + 1)-"), range.hasSuffix("/\(size)") else {
                throw SupportError("the chunk at \(got) says \(range)")
            }
            got += body.count
            if chunk.flag == "$" { break }
        }
        guard got == size, let first else { throw SupportError("\(got) octets, not \(size)") }
        return (first, chunks)
    }

    @Test("RFC 5547 8.7: a file is one message, in chunks of 64 KiB, and done when all are answered")
    func whole() async throws {
        let fixture = try await FileFixture()
        let size = 3 * 131_072 + 1000
        let file = try await fixture.store(Self.pattern.content(offset: 0, count: size))
        let (reservation, bob) = try await fixture.pull(file)
        bob.answersRequests = false
        var held: [MSRPFrame] = []
        for _ in 0..<6 { held.append(try bob.nextMessage()) }
        let last = try bob.nextMessage()
        #expect(held.allSatisfy { $0.flag == "+" && $0.body?.count == 65_536 } && last.flag == "$")
        let id = held[0].transactionID
        #expect(
            String(decoding: held[0].rawHead, as: UTF8.self)
                == "MSRP \(id) SEND\r\nTo-Path: \(bob.localPath)\r\nFrom-Path: \(reservation.localPath)\r\n"
                + "Message-ID: \(held[0].messageID)\r\nByte-Range: 1-*/\(size)\r\nContent-Type: image/png\r\n\r\n")
        #expect(last["Byte-Range"] == "\(6 * 65_536 + 1)-\(size)/\(size)")
        #expect(
            Set((held + [last]).map(\.messageID)).count == 1 && Set((held + [last]).map(\.transactionID)).count == 7)
        #expect((held + [last]).flatMap { $0.body ?? [] } == Self.pattern.content(offset: 0, count: size))
        for chunk in held { try bob.respond(to: chunk) }
        #expect(try bob.nextIfAny(within: 0.05) == nil && fixture.events.isEmpty)
        try bob.respond(to: last)
        try await fixture.until { fixture.events == [.sent(reservation.transfer)] }
        await fixture.mixer.mixer.endFile(reservation.transfer)
        #expect(try bob.stream.closes(within: 10))
        let counters = await fixture.mixer.mixer.counters()
        #expect(counters.filesSent == 1 && counters.fileBytesSent == UInt64(size) && counters.transfers == 0)
        try await fixture.mixer.end()
    }

    @Test("RFC 5547 6: of a file-range only its octets are sent, counted from one")
    func range() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store(Self.pattern.content(offset: 0, count: 300_000))
        let (first, bob) = try await fixture.pull(file, offset: 1000, length: 200_000)
        #expect(try take(bob, size: 200_000, from: 1000).chunks == 4)
        try await fixture.until { fixture.events == [.sent(first.transfer)] }
        let (_, carol) = try await fixture.pull(file, offset: 299_999, by: "carol")
        #expect(try take(carol, size: 1, from: 299_999).first["Byte-Range"] == "1-1/1")
        await #expect(throws: JoinRefusal.fileRefused(.noSuchFile)) {
            _ = try await fixture.reserve(.send(file, offset: 300_001, length: nil), by: "dave")
        }
        try await fixture.mixer.end()
    }

    @Test("an empty file is one empty chunk")
    func empty() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store([])
        let (reservation, bob) = try await fixture.pull(file)
        let chunk = try bob.nextMessage()
        #expect(chunk["Byte-Range"] == "1-0/0" && chunk.body == [] && chunk.flag == "$")
        try await fixture.until { fixture.events == [.sent(reservation.transfer)] }
        try await fixture.mixer.end()
    }

    @Test("RFC 5547 9.1: who takes message/cpim only gets the file in it")
    func wrapped() async throws {
        let fixture = try await FileFixture()
        let content = Self.pattern.content(offset: 0, count: 100_000)
        let file = try await fixture.store(content, name: "a \"b\".png", type: nil)
        let (reservation, bob) = try await fixture.pull(file) { $0.format = .cpim }
        var body: [UInt8] = []
        var chunk: MSRPFrame
        repeat {
            chunk = try bob.nextMessage()
            #expect(chunk["Content-Type"] == "message/cpim")
            body += chunk.body ?? []
        } while chunk.flag == "+"
        #expect(chunk["Byte-Range"]?.hasSuffix("/\(body.count)") == true)
        let head = String(decoding: body.dropLast(content.count), as: UTF8.self)
        #expect(Array(body.suffix(content.count)) == content)
        #expect(head.hasPrefix("From: <sip:lobby@example.com>\r\nTo: Alice <sip:bob@example.com>\r\nDateTime: "))
        #expect(
            head.hasSuffix(
                "\r\n\r\nContent-Type: application/octet-stream\r\n"
                    + "Content-Disposition: attachment; filename=\"a \\\"b\\\".png\"; size=100000\r\n\r\n"))
        try await fixture.until { fixture.events == [.sent(reservation.transfer)] }
        try await fixture.mixer.end()
    }

    @Test("RFC 5547 8.7: nothing larger than the peer's max-size is sent")
    func maximum() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store([1, 2, 3])
        await #expect(throws: JoinRefusal.fileRefused(.fileTooLarge)) {
            _ = try await fixture.reserve(.send(file, offset: 0, length: nil)) { $0.maximumSize = 2 }
        }
        _ = try await fixture.reserve(.send(file, offset: 0, length: nil)) { $0.maximumSize = 3 }
        try await fixture.mixer.end()
    }

    @Test("the active side connects after the ACK, binds, and then sends; the way may come later")
    func weConnect() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store(Self.pattern.content(offset: 0, count: 10))
        let listener = try StreamListener()
        let path = "msrp://127.0.0.1:\(listener.port)/bob;tcp"
        let reservation = try await fixture.reserve(.send(file, offset: 0, length: nil)) { $0.path = "" }
        await fixture.mixer.mixer.startFile(reservation.transfer)
        try await fixture.mixer.mixer.renegotiateFile(
            reservation.transfer,
            media: PeerMedia(
                path: path, role: .weConnect(host: "127.0.0.1", port: Int(listener.port)), isTLS: false,
                format: .plainText))
        let bob = RawMSRPClient(stream: try listener.accept(), remotePath: reservation.localPath, localPath: path)
        bob.answersRequests = false
        let bind = try bob.next()
        #expect(bind.body == nil && bind["Byte-Range"] == "1-0/0" && bind["To-Path"] == path)
        #expect(try bob.nextIfAny(within: 0.05) == nil)
        bob.answersRequests = true
        try bob.respond(to: bind)
        _ = try take(bob, size: 10)
        try await fixture.until { fixture.events == [.sent(reservation.transfer)] }
        await #expect(throws: JoinRefusal.noSuchTransfer) {
            try await fixture.mixer.mixer.renegotiateFile(
                FileTransferID(number: 99), media: fixture.mixer.media("bob"))
        }
        try await fixture.mixer.end()
    }

    @Test("who cannot be reached fails the transfer")
    func cannotConnect() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store([1])
        let port = try StreamListener().port
        let reservation = try await fixture.reserve(.send(file, offset: 0, length: nil)) {
            $0.role = .weConnect(host: "127.0.0.1", port: Int(port))
        }
        await fixture.mixer.mixer.startFile(reservation.transfer)
        try await fixture.until { fixture.events == [.failed(reservation.transfer, .connectFailed)] }
        try await fixture.mixer.end()
    }

    // MARK: What ends early

    @Test(
        "a receiver that refuses a chunk, or reports a failure, ends the transfer",
        arguments: [
            ("413 Stop Sending", FileFailure.abandoned), ("481 No Such Session", .interrupted), ("report", .abandoned),
        ])
    func refused(answer: String, failure: FileFailure) async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store(Self.pattern.content(offset: 0, count: 100_000))
        let (reservation, bob) = try await fixture.pull(file)
        bob.answersRequests = false
        let chunk = try bob.nextMessage()
        if answer == "report" {
            try bob.stream.send(
                "MSRP report01 REPORT\r\nTo-Path: \(bob.remotePath)\r\nFrom-Path: \(bob.localPath)\r\n"
                    + "Message-ID: \(chunk.messageID)\r\nByte-Range: 1-100/100000\r\nStatus: 000 413\r\n-------report01$\r\n"
            )
        } else {
            try bob.respond(to: chunk, answer)
        }
        try await fixture.until { fixture.events == [.failed(reservation.transfer, failure)] }
        try await fixture.mixer.end()
    }

    @Test("a receiver that goes fails the transfer")
    func lost() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store(Self.pattern.content(offset: 0, count: 100_000))
        let (reservation, bob) = try await fixture.pull(file)
        _ = try bob.nextMessage()
        bob.stream.reset()
        try await fixture.until { fixture.events == [.failed(reservation.transfer, .interrupted)] }
        try await fixture.mixer.end()
    }

    @Test("RFC 5547 8.4: a transfer that is ended in the middle says so with #")
    func ended() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store(Self.pattern.content(offset: 0, count: 32 << 20))
        let (reservation, bob) = try await fixture.pull(file)
        bob.answersRequests = false
        _ = try bob.nextMessage()
        await fixture.mixer.mixer.endFile(reservation.transfer)
        var last: MSRPFrame
        var got = 65_536
        repeat {
            last = try bob.next()
            got += last.body?.count ?? 0
        } while last.flag == "+"
        #expect(last.flag == "#" && last["Byte-Range"] == "\(got + 1)-\(got)/\(32 << 20)")
        #expect(got < 32 << 20 && fixture.events.isEmpty)
        try await fixture.mixer.end()
    }

    @Test("a file that is removed while it is sent arrives whole")
    func removed() async throws {
        let fixture = try await FileFixture()
        let size = 4 << 20
        let file = try await fixture.store(Self.pattern.content(offset: 0, count: size))
        let (reservation, bob) = try await fixture.pull(file)
        await fixture.spool.remove(file.id)
        #expect(fixture.onDisk.isEmpty)
        _ = try take(bob, size: size)
        try await fixture.until { fixture.events == [.sent(reservation.transfer)] }
        await #expect(throws: JoinRefusal.fileRefused(.noSuchFile)) {
            _ = try await fixture.reserve(.send(file, offset: 0, length: nil))
        }
        try await fixture.mixer.end()
    }

    @Test("a file that can't be read fails the transfer")
    func unreadable() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store([UInt8](repeating: 1, count: 500_000))
        let handle = try #require(FileHandle(forWritingAtPath: "\(fixture.folder.path)/spool/\(file.id)"))
        try handle.truncate(atOffset: 100)
        let (reservation, bob) = try await fixture.pull(file)
        try await fixture.until { fixture.events == [.failed(reservation.transfer, .disk)] }
        #expect(try bob.stream.closes(within: 10))
        try await fixture.mixer.end()
    }

    @Test("what a receiver sends of its own is refused without being kept")
    func contents() async throws {
        let fixture = try await FileFixture()
        let file = try await fixture.store([1])
        let (_, bob) = try await fixture.pull(file)
        let id = try bob.chunk([UInt8](repeating: 1, count: 100_000), range: "1-*/100000")
        #expect(try bob.response(to: id).status == 413)
        try await fixture.mixer.end()
    }

    // MARK: Many and large

    @Test("a stalled receiver costs little memory, holds nobody up, and is given up")
    func stalled() async throws {
        let fixture = try await FileFixture()
        let size = 24 << 20
        let file = try await fixture.store(Self.pattern.content(offset: 0, count: size))
        let (stalled, dave) = try await fixture.pull(file, by: "dave")
        let (first, bob) = try await fixture.pull(file, by: "bob")
        let (second, carol) = try await fixture.pull(file, by: "carol")
        let alice = try await fixture.mixer.join("alice")
        let erin = try await fixture.mixer.join("erin")
        var highest = 0
        for client in [bob, carol] {
            var got = 0
            var chunks = 0
            while got < size {
                let chunk = try client.nextMessage()
                let isRight = (chunk.body ?? []).withUnsafeBytes { Self.pattern.matches($0, offset: got) }
                guard isRight else { throw SupportError("the chunk at \(got) is wrong") }
                got += chunk.body?.count ?? 0
                chunks += 1
                guard chunks % 64 == 0 else { continue }
                highest = max(highest, await fixture.mixer.mixer.counters().fileBytesHeld)
                #expect(try alice.say("at \(got)") == 200)
                #expect(try erin.hears() == "at \(got)")
            }
        }
        try await fixture.until { Set(fixture.events.map(\.transfer)) == [first.transfer, second.transfer] }
        // Two pieces, and what stands between two chunks and the socket, of each.
        #expect(highest > 0 && highest <= 3 * (2 * 131_072 + 3 * 65_536))
        await fixture.mixer.tick(after: .seconds(1))
        await fixture.mixer.tick(after: .seconds(62))
        try await fixture.until { fixture.events.last == .failed(stalled.transfer, .interrupted) }
        dave.stream.close()
        try await fixture.mixer.end()
    }
}
