@testable import Client
import Foundation
import MSRP
import NIOCore
import Support
import Testing

@Suite("Files that travel")
struct ClientFileTests {
    // MARK: Names

    @Test(
        "a sender's name for a file stays in the folder and shows what it is",
        arguments: [
            ("photo.jpeg", "photo.jpeg"), ("/etc/passwd", "passwd"), ("../../.ssh/authorized_keys", "authorized_keys"),
            ("..\\..\\boot.ini", "boot.ini"), (".bashrc", "bashrc"), ("...", "received-file"), ("", "received-file"),
            ("-rf", "rf"), ("a\u{0}b\r\nc", "abc"), ("invoice\u{202E}gpj.exe", "invoicegpj.exe"), ("a/", "a"),
            ("CON: x?", "CON_ x_"), ("a.part", "a.part_"), (" x. ", "x"), ("übung.txt", "übung.txt"),
        ])
    func sanitising(_ name: String, _ expected: String) {
        #expect(FileName.sanitised(name) == expected)
    }

    @Test("a long name keeps its suffix and fits")
    func longName() {
        let name = FileName.sanitised(String(repeating: "ö", count: 300) + ".tar")
        #expect(name.utf8.count <= FileName.longest && name.hasSuffix("ö.tar"))
        #expect(FileName.sanitised(nil) == "received-file")
    }

    @Test(
        "Content-Disposition is read in both forms (RFC 6266, RFC 8187), whatever stands around it",
        arguments: [
            (#"attachment; filename="a b.txt"; size=12"#, "a b.txt", 12), ("attachment;filename=x", "x", nil),
            (#"attachment; filename="e"; filename*=UTF-8''%C3%BC.txt"#, "ü.txt", nil),
            (#"attachment; filename*=utf-8''%C3%BC.txt; filename="e""#, "ü.txt", nil),
            (#"attachment; filename="q\"q\\; size=3"; SIZE=4"#, #"q"q\; size=3"#, 4),
            ("attachment; filename*=UTF-8''%ZZ", nil, nil), ("attachment; size=-1", nil, nil), (";;=;\"", nil, nil),
        ] as [(String, String?, UInt64?)])
    func disposition(_ text: String, _ name: String?, _ size: UInt64?) {
        #expect(ContentDisposition(parsing: text) == ContentDisposition(filename: name, size: size))
    }

    @Test("what is written as Content-Disposition is read again", arguments: ["a.txt", #"q"\.txt"#, "ü ö.txt", "日本"])
    func dispositionRoundTrip(_ name: String) {
        let disposition = ContentDisposition(filename: name, size: 7)
        #expect(ContentDisposition(parsing: disposition.headerValue) == disposition)
        #expect(disposition.headerValue.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
    }

    // MARK: Parts

    private static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    private func write(_ text: String, to file: PartFile) throws { try file.append(ByteBuffer(string: text)) }

    @Test("a file is NAME.part until it is complete, and is never written over another")
    func completing() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("mine", to: "a.txt")
        let file = try PartFile.create(folder: folder.path, name: "a.txt")
        #expect(file.partPath == "\(folder.path)/a.txt.part")
        try write("abc", to: file)
        #expect(try file.complete() == "\(folder.path)/a-1.txt")
        #expect(file.hash.hexadecimal == Self.abc)
        #expect(try String(contentsOfFile: "\(folder.path)/a.txt", encoding: .utf8) == "mine")
        #expect(try String(contentsOfFile: "\(folder.path)/a-1.txt", encoding: .utf8) == "abc")
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder.path)) == ["a.txt", "a-1.txt"])
    }

    @Test("a part that is kept is gone on with: hashed again, and all but its last octet if it is whole")
    func resuming() throws {
        let folder = try TemporaryFolder()
        let first = try PartFile.create(folder: folder.path, name: "a")
        try write("ab", to: first)
        #expect(PartFile.resume(folder: folder.path, name: "a", size: 3) == nil)  // locked by the other
        first.keep()
        #expect(PartFile.resume(folder: folder.path, name: "a", size: 1) == nil)  // longer than the file
        #expect(PartFile.resume(folder: folder.path, name: "b", size: 3) == nil)
        let whole = try #require(PartFile.resume(folder: folder.path, name: "a", size: 2))
        #expect(whole.length == 1)
        whole.keep()
        let again = try #require(PartFile.resume(folder: folder.path, name: "a", size: 3))
        #expect(again.length == 2)
        try write("c", to: again)
        #expect(again.hash.hexadecimal == Self.abc)
        #expect(try String(contentsOfFile: again.complete(), encoding: .utf8) == "abc")
    }

    @Test("a part that goes on at its last octet ends where the file ends")
    func overwrittenTail() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("abX", to: "a.part")
        let file = try #require(PartFile.resume(folder: folder.path, name: "a", size: 3))
        #expect(file.length == 2)
        try write("c", to: file)
        #expect(try String(contentsOfFile: file.complete(), encoding: .utf8) == "abc")
    }

    @Test("a link in the place of a part is not followed, an empty part goes away")
    func links() throws {
        let folder = try TemporaryFolder()
        let target = try folder.write("secret", to: "target")
        try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/a.part", withDestinationPath: target)
        #expect(PartFile.resume(folder: folder.path, name: "a", size: 100) == nil)
        let file = try PartFile.create(folder: folder.path, name: "a")
        #expect(file.partPath == "\(folder.path)/a-1.part")
        file.keep()
        #expect(!FileManager.default.fileExists(atPath: file.partPath))
        #expect(throws: FileError.self) { _ = try PartFile.create(folder: "/nowhere/at/all", name: "a") }
    }

    @Test("the source goes on only where the receiver has its beginning")
    func source() throws {
        let folder = try TemporaryFolder()
        let file = try SourceFile(path: folder.write("abc", to: "a.txt"))
        #expect(file.name == "a.txt" && file.size == 3)
        let prefix = RunningHash()
        prefix.update(ByteBuffer(string: "ab"))
        #expect(!file.skip(to: 2, sha256: Self.abc))
        #expect(!file.skip(to: 4, sha256: nil))
        #expect(file.skip(to: 2, sha256: prefix.hexadecimal))
        #expect(file.read(10) == ByteBuffer(string: "c") && file.sha256 == Self.abc)
        #expect(throws: FileError.self) { _ = try SourceFile(path: folder.path) }
    }

    // MARK: Receiving

    private func head(
        _ method: String = "SEND", range: String? = nil, id: String = "m1", to: String = "msrp://x:1/key;tcp",
        more: [String] = [], body: Bool = true
    ) throws -> Head {
        var lines = ["MSRP a1b2 \(method)", "To-Path: \(to)", "From-Path: msrp://r:1/s;tcp msrp://y:1/z;tcp"]
        lines += ["Message-ID: \(id)"] + more
        if let range { lines.append("Byte-Range: \(range)") }
        if body { lines += ["Content-Type: a/b", "", ""] } else { lines += ["-------a1b2$", ""] }
        var parser = PartParser()
        var bytes = ByteBuffer(string: lines.joined(separator: "\r\n"))
        guard case .head(let head)? = try parser.next(&bytes) else { throw WireError(.badTransactionID) }
        return head
    }

    private let named = #"Content-Disposition: attachment; filename="../a.txt"; size=6"#

    @Test("chunks in order become a file, each confirmed by what came (RFC 4975 sections 7.1.1, 7.1.3)")
    func receiving() throws {
        var reception = FileReception(sessionKey: "key")
        #expect(reception.received(try head(range: "1-0/0", body: false)) == .none)
        #expect(reception.receivedEnd(.complete) == .answer(.ok))
        let first = reception.received(try head(range: "1-*/6", more: [named]))
        #expect(first == .begins(name: "a.txt", total: 6, offset: 0))
        #expect(reception.receivedBody(2) == true)
        #expect(reception.receivedBody(2) == true)
        #expect(reception.receivedEnd(.more) == .chunk(ByteRange(start: 1, end: 4, total: 6)))
        #expect(reception.received(try head(range: "5-6/6", more: [named])) == .none)
        #expect(reception.receivedBody(2) == true)
        #expect(reception.receivedEnd(.complete) == .complete(ByteRange(start: 5, end: 6, total: 6)))
        // Nothing comes behind the end.
        _ = reception.received(try head(range: "7-8/8"))
        #expect(reception.receivedBody(2) == false)
        #expect(reception.receivedEnd(.complete) == .answer(.stopSending))
    }

    @Test("a file of no octets is a file")
    func emptyFile() throws {
        var reception = FileReception(sessionKey: "key")
        #expect(reception.received(try head(range: "1-0/0")) == .begins(name: "received-file", total: 0, offset: 0))
        #expect(reception.receivedEnd(.complete) == .complete(ByteRange(start: 1, end: 0, total: 0)))
    }

    @Test("gaps, repetitions, another message and octets beyond the total stop the sender (413)")
    func disorder() throws {
        for (range, id) in [("6-6/6", "m1"), ("1-4/6", "m1"), ("5-6/6", "m2"), ("5-6/7", "m1")] {
            var reception = FileReception(sessionKey: "key")
            _ = reception.received(try head(range: "1-4/6"))
            _ = reception.receivedBody(4)
            _ = reception.receivedEnd(.more)
            _ = reception.received(try head(range: range, id: id))
            #expect(reception.receivedBody(1) == false)
            #expect(reception.receivedEnd(.complete) == .answer(.stopSending))
        }
        var reception = FileReception(sessionKey: "key")
        _ = reception.received(try head(range: "1-*/3"))
        #expect(reception.receivedBody(3) == true)
        #expect(reception.receivedBody(1) == false)
        #expect(reception.receivedEnd(.complete) == .answer(.stopSending))
    }

    @Test("a file that is larger than wanted stops the sender, when it says so or when it is")
    func largest() throws {
        var announced = FileReception(sessionKey: "key", largest: 5)
        #expect(announced.received(try head(range: "1-*/6")) == .none)
        #expect(announced.receivedEnd(.more) == .answer(.stopSending))
        var unannounced = FileReception(sessionKey: "key", largest: 5)
        _ = unannounced.received(try head(range: "1-*/*"))
        #expect(unannounced.receivedBody(5) == true)
        #expect(unannounced.receivedBody(1) == false)
        #expect(unannounced.receivedEnd(.more) == .answer(.stopSending))
    }

    @Test("an end before the last octet is no file (400), # gives it up (RFC 4975 section 7.1)")
    func tooShort() throws {
        for (continuation, expected) in [
            (.complete, .answer(.badRequest)), (.aborted, .aborted),
        ] as [(Continuation, FileReception.OnEnd)] {
            var reception = FileReception(sessionKey: "key")
            _ = reception.received(try head(range: "1-*/6"))
            _ = reception.receivedBody(4)
            #expect(reception.receivedEnd(continuation) == expected)
            #expect(!reception.isComplete)
        }
    }

    @Test("a file begins in its middle only where our Offset allowed it")
    func offset() throws {
        var reception = FileReception(sessionKey: "key")
        let question = reception.received(try head("FILE_OFFSET", more: [named], body: false))
        #expect(question == .wantsOffset(name: "a.txt", size: 6))
        #expect(reception.receivedEnd(.complete) == .offset)
        _ = reception.received(try head(range: "5-6/6"))
        #expect(reception.receivedEnd(.complete) == .answer(.stopSending))
        reception.agreement = .init(offset: 4)
        #expect(reception.received(try head(range: "5-6/6")) == .begins(name: "received-file", total: 6, offset: 4))
        #expect(reception.receivedBody(2) == true)
        #expect(reception.receivedEnd(.complete) == .complete(ByteRange(start: 5, end: 6, total: 6)))
    }

    @Test("other sessions get 481, other methods 501, REPORTs nothing")
    func strangers() throws {
        var reception = FileReception(sessionKey: "key")
        for (method, to, status) in [
            ("SEND", "msrp://x:1/other;tcp", Status.noSuchSession),
            ("SEND", "msrp://x:1/key;tcp msrp://x:1/y;tcp", .noSuchSession),
            ("NICKNAME", "msrp://x:1/key;tcp", .unknownMethod), ("FETCH", "msrp://x:1/key;tcp", .unknownMethod),
        ] {
            _ = reception.received(try head(method, to: to))
            #expect(reception.receivedEnd(.complete) == .answer(status))
        }
        #expect(reception.received(try head("REPORT", body: false)) == .none)
        #expect(reception.head == nil)
        #expect(reception.receivedEnd(.complete) == .none)
    }

    // MARK: Sending

    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func send(_ sending: inout FileSending, _ count: Int) {
        for id in 0..<count { _ = sending.next(id: UInt64(id), now: start) }
    }

    @Test("no more than a window of chunks goes out without an answer")
    func window() {
        var sending = FileSending(size: 100 << 20, offset: 0, now: start)
        send(&sending, 100)
        #expect(sending.sent == UInt64(FileSending.window * FileSending.usualChunk) && sending.planned == nil)
        sending.answered(3, .ok, now: start)
        #expect(sending.planned?.start == sending.sent)
    }

    @Test("chunks are of the size that was asked for")
    func chunkSize() {
        let sending = FileSending(size: 100_000, offset: 0, chunkSize: 8192, now: start)
        #expect(sending.planned == .init(start: 0, size: 8192, isLast: false))
    }

    @Test("a file has arrived when the receiver's REPORTs cover it, in whatever order and pieces")
    func reports() {
        let size = UInt64(2 * FileSending.usualChunk + 10)
        var sending = FileSending(size: size, offset: 5, now: start)
        send(&sending, 3)
        #expect(sending.hasSentLast && sending.sent == size)
        for id in 0..<3 { sending.answered(UInt64(id), .ok, now: start) }
        #expect(sending.outcome == .going && sending.progress == size)
        sending.reported(.ok, ByteRange(start: 70_001, end: size, total: size), now: start)
        #expect(sending.outcome == .going && sending.confirmed == 5)
        sending.reported(.ok, ByteRange(start: 6, end: 1000, total: size), now: start)
        #expect(sending.confirmed == 1000)
        sending.reported(.ok, ByteRange(start: 1001, end: 70_000, total: size), now: start)
        #expect(sending.outcome == .arrived)
    }

    @Test("a REPORT can't confirm what was not sent")
    func earlyReport() {
        var sending = FileSending(size: 10 << 20, offset: 0, now: start)
        send(&sending, 1)
        sending.reported(.ok, nil, now: start)
        #expect(sending.outcome == .going && sending.confirmed == UInt64(FileSending.usualChunk))
    }

    @Test("a refusal ends it, as response or REPORT")
    func refusals() {
        var first = FileSending(size: 10, offset: 0, now: start)
        send(&first, 1)
        first.answered(99, .stopSending, now: start)
        #expect(first.outcome == .going)
        first.answered(0, .stopSending, now: start)
        #expect(first.outcome == .failed(.stopSending))
        var second = FileSending(size: 10, offset: 0, now: start)
        send(&second, 1)
        second.reported(.timeout, nil, now: start)
        #expect(second.outcome == .failed(.timeout))
    }

    @Test("30 s of silence end it (RFC 4975 section 7.1.1), but not while its own octets wait to leave")
    func silence() {
        var sending = FileSending(size: 10, offset: 0, now: start)
        send(&sending, 1)
        sending.ticked(now: start + .seconds(29), hasQueue: false, isDirect: false)
        #expect(sending.outcome == .going)
        sending.ticked(now: start + .seconds(40), hasQueue: true, isDirect: false)
        #expect(sending.outcome == .going)
        sending.ticked(now: start + .seconds(70), hasQueue: false, isDirect: false)
        #expect(sending.outcome == .silent)
        for (isDirect, outcome) in [(false, FileSending.Outcome.unconfirmed), (true, .arrived)] {
            var quiet = FileSending(size: 10, offset: 0, now: start)
            send(&quiet, 1)
            quiet.answered(0, .ok, now: start)
            quiet.ticked(now: start + .seconds(30), hasQueue: false, isDirect: isDirect)
            #expect(quiet.outcome == outcome)
        }
    }

    // MARK: The bar

    @Test("the bar shows octets, rate and time left, and fits the terminal")
    func progress() {
        var progress = TransferProgress(name: "a.bin", total: 50_000_000, start: 0, now: 0)
        #expect(progress.line(now: 0, columns: 100).contains("stalled"))
        progress.update(5_000_000, now: 1)
        progress.update(10_000_000, now: 2)
        #expect(
            progress.line(now: 2, columns: 100)
                == "a.bin  [########................................] 20%  10.0 MB of 50.0 MB  5.0 MB/s  0:08 left")
        for columns in [10, 40, 80, 200] { #expect(progress.line(now: 2, columns: columns).count < max(columns, 11)) }
        progress.update(10_000_000, now: 60)
        progress.update(10_000_000, now: 61)
        #expect(progress.rate(now: 61) < 200_000)
    }

    @Test("a resumed file starts where its part ends, and its rate counts what comes now")
    func resumedProgress() {
        var progress = TransferProgress(name: "a", total: 100, start: 90, now: 0)
        progress.update(95, now: 1)
        #expect(progress.rate(now: 1) == 5 && progress.timeLeft(now: 1) == 1)
        #expect(
            TransferProgress(name: "a", total: nil, start: 0, now: 0).line(now: 0, columns: 80) == "a  0 B  stalled")
    }

    @Test(
        "octets and times for people",
        arguments: [
            (UInt64(0), "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_960, "1.0 MB"),
            (50_000_000, "50.0 MB"), (UInt64.max, "18446744.1 TB"),
        ])
    func bytes(_ count: UInt64, _ text: String) {
        #expect(TransferProgress.bytes(count) == text)
        #expect(TransferProgress.duration(7) == "0:07" && TransferProgress.duration(3723) == "1:02:03")
    }
}
