import FileSpool
import Foundation
import MediaMixer
import NIOCore
import NIOGnuTLS
import Support
import Testing

@Suite("Files pushed into a room (RFC 5547)", .serialized)
struct FileReceivingTests {
    private static let pattern = BodyPattern(seed: 5547)

    private static func sha256(_ bytes: [UInt8]) -> MediaMixer.CertificateFingerprint {
        .init(hash: "sha-256", digest: HashFunction.sha256.digest(of: bytes))
    }

    @Test("RFC 5547 9.1: a file in message/cpim, in two chunks, is unwrapped and stored")
    func example() async throws {
        let fixture = try await FileFixture()
        let picture = Self.pattern.content(offset: 0, count: 4092)
        let digest = HashFunction.sha1.digest(of: picture)
        let (reservation, alice) = try await fixture.push(
            FileFixture.offer(
                "My cool picture.jpg", size: 4092, type: "image/jpeg", hashes: [.init(hash: "sha-1", digest: digest)]))
        let head = """
            To: Bob <sip:bob@example.com>\r
            From: Alice <sip:alice@example.com>\r
            DateTime: 2006-05-15T15:02:31-03:00\r
            Content-Disposition: render; filename="My cool picture.jpg";\r
                               creation-date="Mon, 15 May 2006 15:01:31 +0300";\r
                               size=4092\r
            Content-Type: image/jpeg\r
            \r

            """
        let message = Array(head.utf8) + picture
        let lines = "To-Path: \(alice.remotePath)\r\nFrom-Path: \(alice.localPath)\r\nMessage-ID: 12339sdqwer\r\n"
        try alice.stream.send(
            Array(
                ("MSRP d93kswow SEND\r\n\(lines)Byte-Range: 1-2048/\(message.count)\r\n"
                    + "Content-Type: message/cpim\r\n\r\n").utf8) + message[..<2048]
                + Array("\r\n-------d93kswow+\r\n".utf8))
        try alice.stream.send(
            Array(
                ("MSRP op2nc9a SEND\r\n\(lines)Byte-Range: 2049-\(message.count)/\(message.count)\r\n"
                    + "Content-Type: message/cpim\r\n\r\n").utf8) + message[2048...]
                + Array("\r\n-------op2nc9a$\r\n".utf8))
        for id in ["d93kswow", "op2nc9a"] {
            let response = try alice.response(to: id)
            #expect(response.word == "200 OK")
            #expect(response["To-Path"] == alice.localPath && response["From-Path"] == alice.remotePath)
        }
        // Whoever has the last 200 knows that the file is there.
        let file = try #require(fixture.files.first)
        #expect(fixture.content(of: file) == picture)
        #expect(file.name == "My cool picture.jpg" && file.type == "image/jpeg" && file.sha1 == digest)
        #expect(file.sender == "sip:alice@example.com" && file.senderName == "Alice")
        try await fixture.until { fixture.events == [.received(reservation.transfer, file)] }
        let counters = await fixture.mixer.mixer.counters()
        #expect(counters.filesReceived == 1 && counters.fileBytesReceived == UInt64(message.count))
        try await fixture.mixer.end()
    }

    @Test("RFC 3862 2: a wrapper with MIME headers behind a blank line is unwrapped as well, wherever it is cut")
    func wrapper() async throws {
        let fixture = try await FileFixture()
        let picture = Self.pattern.content(offset: 7, count: 3000)
        let head = Array(
            "From: <sip:alice@example.com>\r\nTo: <sip:lobby@example.com>\r\n\r\nMIME-Version: 1.0\nContent-Type: image/png\n\n"
                .utf8)
        let message = head + picture
        for cut in [1, head.count - 1, head.count, head.count + 1, 64] {
            let (_, alice) = try await fixture.push(
                FileFixture.offer("\(cut)", size: picture.count, hashes: [Self.sha256(picture)]))
            let total = message.count
            let first = try alice.chunk(
                Array(message[..<cut]), range: "1-\(cut)/\(total)", flag: "+", type: "message/cpim")
            let second = try alice.chunk(
                Array(message[cut...]), range: "\(cut + 1)-\(total)/\(total)", type: "message/cpim")
            #expect(try alice.response(to: first).status == 200 && alice.response(to: second).status == 200)
        }
        #expect(fixture.files.count == 5)
        try await fixture.mixer.end()
    }

    @Test("RFC 4975 7.1.3: each chunk of a file that asks for it has its REPORT, in order")
    func reports() async throws {
        let fixture = try await FileFixture()
        let size = 5 * 65_536 + 100
        let (_, alice) = try await fixture.push(FileFixture.offer(size: size))
        var expected: [String] = []
        var ids: [String] = []
        for start in stride(from: 0, to: size, by: 65_536) {
            let end = min(start + 65_536, size)
            ids.append(
                try alice.chunk(
                    Self.pattern.content(offset: start, count: end - start), range: "\(start + 1)-\(end)/\(size)",
                    flag: end == size ? "$" : "+", extra: "Success-Report: yes\r\nFailure-Report: yes\r\n"))
            expected.append("\(start + 1)-\(end)/\(size)")
        }
        for id in ids { #expect(try alice.response(to: id).status == 200) }
        for range in expected {
            let report = try alice.next()
            #expect(report.word == "REPORT" && report["Byte-Range"] == range && report["Status"] == "000 200 OK")
            #expect(report["Message-ID"] == "file1" && report["To-Path"] == alice.localPath)
        }
        let file = try #require(fixture.files.first)
        #expect(fixture.content(of: file) == Self.pattern.content(offset: 0, count: size))
        try await fixture.mixer.end()
    }

    @Test("a file may come as one SEND of many megabytes, and without an announced size or type")
    func oneSend() async throws {
        let fixture = try await FileFixture()
        let content = Self.pattern.content(offset: 3, count: 5_000_000)
        let (_, alice) = try await fixture.push(FileFixture.offer(size: nil, type: nil))
        let id = try alice.chunk(content, range: "1-*/*", type: "application/zip")
        #expect(try alice.response(to: id).status == 200)
        let file = try #require(fixture.files.first)
        #expect(file.type == "application/zip" && file.size == content.count)
        #expect(fixture.content(of: file) == content)
        try await fixture.mixer.end()
    }

    @Test("RFC 4975 7.3.1: chunks may come in any order; the last octets for a place count")
    func order() async throws {
        let fixture = try await FileFixture()
        let content = Self.pattern.content(offset: 1, count: 10_000)
        let (_, alice) = try await fixture.push(FileFixture.offer(size: 10_000, hashes: [Self.sha256(content)]))
        let ids = [
            try alice.chunk(Array(content[8000...]), range: "8001-10000/10000"),
            try alice.chunk(Array(content[..<1000]), range: "1-1000/10000", flag: "+"),
            try alice.chunk([UInt8](repeating: 0, count: 3000), range: "3001-6000/10000", flag: "+"),
            try alice.chunk(Array(content[2000..<8000]), range: "2001-8000/10000", flag: "+"),
            try alice.chunk(Array(content[1000..<2000]), range: "1001-2000/10000", flag: "+"),
        ]
        for id in ids { #expect(try alice.response(to: id).status == 200) }
        let file = try #require(fixture.files.first)
        #expect(fixture.content(of: file) == content)
        try await fixture.mixer.end()
    }

    @Test("interop: FILE_OFFSET is answered with what is there")
    func offset() async throws {
        let fixture = try await FileFixture()
        let (_, alice) = try await fixture.push(FileFixture.offer(size: 100))
        #expect(try Self.offset(alice) == 0)
        let id = try alice.chunk([UInt8](repeating: 1, count: 60), range: "1-60/100", flag: "+")
        #expect(try alice.response(to: id).status == 200)
        #expect(try Self.offset(alice) == 60)
        try await fixture.mixer.end()
    }

    private static func offset(_ client: RawMSRPClient) throws -> Int? {
        let id = client.newID()
        try client.stream.send(
            "MSRP \(id) FILE_OFFSET\r\nTo-Path: \(client.remotePath)\r\nFrom-Path: \(client.localPath)\r\n-------\(id)$\r\n"
        )
        let response = try client.response(to: id)
        return response.word == "200 OK" ? response["Offset"].flatMap { Int($0) } : nil
    }

    @Test("an empty file is there when its session is bound")
    func empty() async throws {
        let fixture = try await FileFixture()
        let (reservation, _) = try await fixture.push(FileFixture.offer(size: 0))
        try await fixture.until { fixture.files.count == 1 }
        #expect(fixture.files[0].size == 0)
        try await fixture.until { fixture.events == [.received(reservation.transfer, fixture.files[0])] }
        try await fixture.mixer.end()
    }

    @Test("an empty chunk may end a file")
    func emptyEnd() async throws {
        let fixture = try await FileFixture()
        let (_, alice) = try await fixture.push(FileFixture.offer(size: 60))
        _ = try alice.chunk([UInt8](repeating: 1, count: 60), range: "1-60/60", flag: "+")
        try alice.stream.send(alice.sendBytes(id: "theend01", messageID: "file1", byteRange: "61-60/60", body: nil))
        #expect(try alice.response(to: "theend01").status == 200)
        try await fixture.until { fixture.files.count == 1 }
        try await fixture.mixer.end()
    }

    // MARK: What is not taken

    @Test("RFC 5547 8.3.1: a file with another hash is refused with 413, and dropped")
    func hash() async throws {
        let fixture = try await FileFixture()
        let (reservation, alice) = try await fixture.push(
            FileFixture.offer(size: 10, hashes: [Self.sha256(Array("0123456789".utf8))]))
        let id = try alice.chunk(Array("9876543210".utf8), range: "1-10/10")
        #expect(try alice.response(to: id).word == "413 Stop Sending")
        try await fixture.untilNothing(reservation.transfer, .hashMismatch)
        #expect(await fixture.mixer.mixer.counters().filesFailed == 1)
        try await fixture.mixer.end()
    }

    @Test(
        "RFC 5547 8.3.1: a file of another size than announced is refused with 413, and dropped",
        arguments: [
            (Array("01234567890".utf8), "1-11/11"), (Array("012345678".utf8), "1-9/9"),
            (Array("01234567890".utf8), "1-11/*"), (Array("012345678".utf8), "1-9/*"),
            (Array("012345678".utf8), "1-9/10"), (Array("x".utf8), "12-12/*"),
            (Array("x".utf8), "18446744073709551615-*/*"),
            (Array("x".utf8), "9223372036854775807-*/*"),
        ])
    func size(body: [UInt8], range: String) async throws {
        let fixture = try await FileFixture()
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: 10))
        let id = try alice.chunk(body, range: range)
        #expect(try alice.response(to: id).word == "413 Stop Sending")
        try await fixture.untilNothing(reservation.transfer, .wrongSize)
        try await fixture.mixer.end()
    }

    @Test("a file without an announced size that grows too large is refused while it comes")
    func limit() async throws {
        var limits = SpoolLimits()
        limits.fileSize = 200_000
        let fixture = try await FileFixture(limits: limits)
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: nil))
        let first = try alice.chunk([UInt8](repeating: 1, count: 100_000), range: "1-*/*", flag: "+")
        #expect(try alice.response(to: first).status == 200)
        let second = try alice.chunk([UInt8](repeating: 1, count: 200_000), range: "100001-*/*", flag: "+")
        #expect(try alice.response(to: second).word == "413 Stop Sending")
        try await fixture.untilNothing(reservation.transfer, .limit)
        let (again, bob) = try await fixture.push(FileFixture.offer(size: nil), by: "bob")
        let declared = try bob.chunk([1], range: "1-*/200001", flag: "+")
        #expect(try bob.response(to: declared).word == "413 Stop Sending")
        try await fixture.until { fixture.events.last == .failed(again.transfer, .limit) }
        try await fixture.mixer.end()
    }

    @Test("a file in too many pieces is refused")
    func gaps() async throws {
        let fixture = try await FileFixture { $0.files.gaps = 3 }
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: 100))
        var statuses: [Int] = []
        for start in [10, 20, 30, 40, 50] {
            statuses.append(
                try alice.response(to: alice.chunk([1], range: "\(start)-\(start)/100", flag: "+")).status)
        }
        #expect(statuses == [200, 200, 200, 200, 413])
        try await fixture.untilNothing(reservation.transfer, .limit)
        try await fixture.mixer.end()
    }

    @Test("RFC 5547 8.7: a session takes one message; another is refused and harms nothing")
    func another() async throws {
        let fixture = try await FileFixture()
        let (_, alice) = try await fixture.push(FileFixture.offer(size: 10))
        let first = try alice.chunk(Array("01234".utf8), range: "1-5/10", flag: "+")
        let other = try alice.chunk(Array("other".utf8), range: "1-5/5", messageID: "other")
        let second = try alice.chunk(Array("56789".utf8), range: "6-10/10")
        #expect(try alice.response(to: first).status == 200)
        #expect(try alice.response(to: other).status == 413)
        #expect(try alice.response(to: second).status == 200)
        #expect(fixture.files.count == 1)
        let late = try alice.chunk(Array("late".utf8), range: "1-4/4")
        #expect(try alice.response(to: late).status == 413)
        try await fixture.mixer.end()
    }

    @Test("chunks that are no good are answered as RFC 4975 has it, and harm nothing")
    func malformed() async throws {
        let fixture = try await FileFixture()
        let (_, alice) = try await fixture.push(FileFixture.offer(size: 5))
        let range = try alice.chunk([1], range: "x")
        #expect(try alice.response(to: range).status == 400)
        try alice.stream.send(
            "MSRP nomsgid1 SEND\r\nTo-Path: \(alice.remotePath)\r\nFrom-Path: \(alice.localPath)\r\nContent-Type: a/b\r\n\r\n\r\n"
                + "-------nomsgid1$\r\n")
        #expect(try alice.response(to: "nomsgid1").status == 400)
        try alice.stream.send(
            "MSRP unknown1 HELLO\r\nTo-Path: \(alice.remotePath)\r\nFrom-Path: \(alice.localPath)\r\n-------unknown1$\r\n"
        )
        #expect(try alice.response(to: "unknown1").status == 501)
        try alice.stream.send(
            "MSRP strange1 SEND\r\nTo-Path: msrp://127.0.0.1:9/other;tcp\r\nFrom-Path: \(alice.localPath)\r\n"
                + "Message-ID: 1\r\nByte-Range: 1-1/1\r\nContent-Type: a/b\r\n\r\nx\r\n-------strange1$\r\n")
        #expect(try alice.response(to: "strange1").status == 481)
        let good = try alice.chunk(Array("right".utf8), range: "1-5/5")
        #expect(try alice.response(to: good).status == 200)
        try await fixture.mixer.end()
    }

    // MARK: What ends early

    @Test("RFC 5547 8.4: a file that its sender gives up is dropped", arguments: [true, false])
    func aborted(hasBody: Bool) async throws {
        let fixture = try await FileFixture()
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: 100))
        _ = try alice.chunk([UInt8](repeating: 1, count: 50), range: "1-50/100", flag: "+")
        if hasBody {
            let id = try alice.chunk([2], range: "51-*/100", flag: "#")
            #expect(try alice.response(to: id).status == 200)
        } else {
            try alice.stream.send(
                alice.sendBytes(id: "giveup01", messageID: "file1", byteRange: "51-50/100", body: nil, flag: "#"))
            #expect(try alice.response(to: "giveup01").status == 200)
        }
        try await fixture.untilNothing(reservation.transfer, .abandoned)
        try await fixture.mixer.end()
    }

    @Test("a file whose connection ends is dropped")
    func lost() async throws {
        let fixture = try await FileFixture()
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: 1_000_000))
        try alice.stream.send(
            Array(
                alice.sendBytes(
                    id: "half0001", byteRange: "1-*/1000000", contentType: "image/png",
                    body: [UInt8](repeating: 1, count: 300_000)
                ).dropLast(20)))
        try await fixture.until { !fixture.onDisk.isEmpty }
        alice.stream.reset()
        try await fixture.untilNothing(reservation.transfer, .interrupted)
        try await fixture.mixer.end()
    }

    @Test("a file whose dialog ends is dropped, and nothing more is told of it")
    func ended() async throws {
        let fixture = try await FileFixture()
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: 1_000_000))
        let id = try alice.chunk([UInt8](repeating: 1, count: 300_000), range: "1-*/1000000", flag: "+")
        #expect(try alice.response(to: id).status == 200)
        await fixture.mixer.mixer.endFile(reservation.transfer)
        #expect(try alice.stream.closes(within: 10))
        try await fixture.until { fixture.onDisk.isEmpty && fixture.spool.usage == (0, 0, 0) }
        #expect(fixture.events.isEmpty)
        #expect(await fixture.mixer.mixer.counters().transfers == 0)
        try await fixture.mixer.end()
    }

    @Test("a file of which all has come is stored though its dialog and its connection end meanwhile")
    func storedAnyway() async throws {
        let fixture = try await FileFixture()
        fixture.rows.setHeld(true)
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: 5))
        _ = try alice.chunk(Array("whole".utf8), range: "1-5/5")
        try await fixture.until { fixture.onDisk.first?.count == 32 }
        alice.stream.reset()
        await fixture.mixer.mixer.endFile(reservation.transfer)
        fixture.rows.setHeld(false)
        try await fixture.until { fixture.events.count == 1 }
        #expect(fixture.events == [.received(reservation.transfer, fixture.files[0])])
        try await fixture.mixer.end()
    }

    @Test("a file whose sender falls silent is dropped, and its session closed")
    func silent() async throws {
        let fixture = try await FileFixture()
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: 100))
        let id = try alice.chunk([UInt8](repeating: 1, count: 50), range: "1-50/100", flag: "+")
        #expect(try alice.response(to: id).status == 200)
        await fixture.mixer.tick(after: .seconds(1))
        await fixture.mixer.tick(after: .seconds(59))
        #expect(fixture.events.isEmpty)
        await fixture.mixer.tick(after: .seconds(62))
        try await fixture.untilNothing(reservation.transfer, .interrupted)
        #expect(try alice.stream.closes(within: 10))
        await fixture.mixer.tick(after: .seconds(80))
        #expect(await fixture.mixer.mixer.counters().transfers == 0)
        try await fixture.mixer.end()
    }

    @Test("a session to which nobody connects is given up")
    func neverConnected() async throws {
        let fixture = try await FileFixture()
        let reservation = try await fixture.reserve(.receive(FileFixture.offer(size: 100)))
        #expect(fixture.spool.usage == (100, 0, 1))
        await fixture.mixer.tick(after: .seconds(120))
        try await fixture.untilNothing(reservation.transfer, .interrupted)
        try await fixture.mixer.end()
    }

    @Test("RFC 5547 6: an interrupted push goes on where it was, FILE_OFFSET says where that is")
    func resumed() async throws {
        let fixture = try await FileFixture()
        let content = Self.pattern.content(offset: 9, count: 300_000)
        let offer = FileFixture.offer(size: content.count, hashes: [Self.sha256(content)])
        let (first, alice) = try await fixture.push(offer)
        let id = try alice.chunk(Array(content[..<150_000]), range: "1-*/300000", flag: "+")
        #expect(try alice.response(to: id).status == 200)
        alice.stream.reset()
        try await fixture.until { fixture.events == [.failed(first.transfer, .interrupted)] }
        #expect(fixture.spool.usage == (300_000, 0, 1))
        // Another's is another.
        let (_, bob) = try await fixture.push(offer, by: "bob")
        #expect(try Self.offset(bob) == 0)
        let (second, again) = try await fixture.push(offer)
        #expect(try Self.offset(again) == 150_000)
        // What the first one held is the second one's now.
        await fixture.mixer.mixer.endFile(first.transfer)
        let rest = try again.chunk(Array(content[150_000...]), range: "150001-*/300000")
        #expect(try again.response(to: rest).status == 200)
        let file = try #require(fixture.files.first)
        #expect(fixture.content(of: file) == content)
        try await fixture.until { fixture.events.last == .received(second.transfer, file) }
        #expect(fixture.spool.usage == (600_000, 1, 1))
        try await fixture.mixer.end()
    }

    // MARK: The disk

    @Test("a disk, or an index, that fails is told as 413, and nothing remains", arguments: [true, false])
    func disk(ofIndex: Bool) async throws {
        let fixture = try await FileFixture()
        let (reservation, alice) = try await fixture.push(FileFixture.offer(size: 200_000))
        if ofIndex {
            fixture.rows.setFails(true)
        } else {
            try FileManager.default.removeItem(atPath: "\(fixture.folder.path)/spool")
        }
        let id = try alice.chunk([UInt8](repeating: 1, count: 200_000), range: "1-*/200000")
        #expect(try alice.response(to: id).word == "413 Stop Sending")
        try await fixture.untilNothing(reservation.transfer, .disk)
        try await fixture.mixer.end()
    }

    // MARK: Limits and certificates

    @Test("transfers at a time are limited in all, by room and by participant, and refused by name")
    func limits() async throws {
        let fixture = try await FileFixture {
            $0.files.transfers = 3
            $0.files.perParticipant = 2
        }
        let offer = FileRequest.Work.receive(FileFixture.offer(size: 1))
        let first = try await fixture.reserve(offer)
        _ = try await fixture.reserve(offer)
        await #expect(throws: JoinRefusal.tooManyTransfers) { try await fixture.reserve(offer) }
        _ = try await fixture.reserve(offer, by: "bob")
        await #expect(throws: JoinRefusal.tooManyTransfers) { try await fixture.reserve(offer, by: "carol") }
        await fixture.mixer.mixer.endFile(first.transfer)
        _ = try await fixture.reserve(offer, by: "carol")
        #expect(await fixture.mixer.mixer.counters().filesRefused == 2)
        await #expect(throws: JoinRefusal.fileRefused(.fileTooLarge)) {
            await fixture.mixer.mixer.endFile(FileTransferID(number: first.transfer.number + 1))
            _ = try await fixture.reserve(.receive(FileFixture.offer(size: .max)))
        }
        await #expect(throws: JoinRefusal.malformedPath) {
            try await fixture.reserve(offer, by: "dave") { $0.path = "nonsense" }
        }
        await fixture.mixer.mixer.closeAll()
        await #expect(throws: JoinRefusal.shuttingDown) { try await fixture.reserve(offer) }
        try await fixture.mixer.end()
    }

    @Test("RFC 4975 14.4: a transfer with another certificate than announced fails")
    func certificate() async throws {
        let server = try TLSContext.server(identities: [SelfSignedCertificate.generate(names: ["127.0.0.1"])])
        let fixture = try await FileFixture(serverTLS: server)
        let reservation = try await fixture.reserve(.receive(FileFixture.offer(size: 1))) {
            $0.path = fixture.path(of: "alice", isTLS: true)
            $0.isTLS = true
            $0.fingerprints = [.init(hash: "sha-256", digest: [UInt8](repeating: 0, count: 32))]
        }
        let client = try RawMSRPClient(
            remotePath: reservation.localPath, localPath: fixture.path(of: "alice", isTLS: true))
        #expect(throws: SupportError.self) { try client.bind() }
        try await fixture.untilNothing(reservation.transfer, .fingerprintMismatch)
        try await fixture.mixer.end()
    }

    @Test("all in the room are told of a file, in words and in headers")
    func announcement() async throws {
        let fixture = try await FileFixture()
        let bob = try await fixture.mixer.join("bob")
        let plain = try await fixture.mixer.join("plain") { $0.format = .plainText }
        let file = SpooledFile(
            id: "1", room: fixture.room, name: "a \"b\" \\c.png", type: "image/png", size: 12_345, sha1: [0xAB, 0x01],
            sha256: [0xCD], sender: "sip:alice@example.com", senderName: "Alice", received: 0, expires: nil)
        await fixture.mixer.mixer.announce(file, in: fixture.mixer.room)
        let text = "Alice shared a \"b\" \\c.png (12.3 kB, image/png)"
        let message = try bob.msrp.nextMessage()
        #expect(message.cpimText == text)
        #expect(message.bodyText.contains("confd.Event: file\r\n"))
        #expect(
            message.bodyText.contains(
                #"confd.File: name="a \"b\" \\c.png"; type=image/png; size=12345; sha-1=AB:01; sha-256=CD; "#
                    + "sender=<sip:alice@example.com>\r\n"))
        #expect(try plain.msrp.nextMessage().bodyText == text)
        try await fixture.mixer.end()
    }
}
