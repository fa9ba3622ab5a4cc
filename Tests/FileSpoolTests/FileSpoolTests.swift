import Foundation
import NIOCore
import NIOPosix
import Support
import Synchronization
import Testing

@testable import FileSpool

@Suite("The file spool")
struct FileSpoolTests {
    private static let content = Array("The quick brown fox jumps over the lazy dog".utf8)
    private static let sha1 = hex("2fd4e1c67a2d28fced849ee1bb76e7391b93eb12")
    private static let sha256 = hex("d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592")

    private static func hex(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.count, by: 2).compactMap { UInt8(text.dropFirst($0).prefix(2), radix: 16) }
    }

    private static func many(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    }

    // MARK: Receiving

    @Test("a file is known by its hashes, and is there as it came, under a name that is not its own")
    func push() async throws {
        let fixture = try await SpoolFixture(now: 5000)
        let file = try await fixture.push(
            Self.content, SpoolFixture.announced("../fox.txt", size: Self.content.count),
            expecting: [.sha1: Self.sha1, .sha256: Self.sha256])
        #expect(file.name == "fox.txt" && file.type == "text/plain" && file.size == 43)
        #expect(file.sha1 == Self.sha1 && file.sha256 == Self.sha256)
        #expect(file.received == 5000 && file.expires == 5000 + 604_800)
        #expect(file.sender == "sip:alice@example.com" && file.senderName == "Alice")
        #expect(fixture.onDisk == [file.id] && file.id.count == 32)
        #expect(fixture.index.all == [file])
        #expect(fixture.spool.files(in: SpoolFixture.room) == [file])
        #expect(fixture.spool.files(in: "other@example.com").isEmpty)
        #expect(try await fixture.content(of: file) == Self.content)
        #expect(fixture.spool.usage == (43, 1, 0))
    }

    @Test("the folder and its files are their owner's alone")
    func modes() async throws {
        let fixture = try await SpoolFixture()
        let file = try await fixture.push(Self.content)
        let manager = FileManager.default
        let folder = "\(fixture.folder.path)/spool"
        func mode(_ path: String) throws -> Int? {
            try manager.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(folder) == 0o700)
        #expect(try mode("\(folder)/\(file.id)") == 0o600)
        try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder)
        _ = try await SpoolFixture.open(fixture.folder, fixture.index)
        #expect(try mode(folder) == 0o700)
    }

    @Test("octets may come in any order, and again; the last ones count")
    func order() async throws {
        let fixture = try await SpoolFixture()
        let content = Self.many(300_000)
        let file = try fixture.receive(SpoolFixture.announced(size: content.count))
        func piece(_ range: Range<Int>, _ bytes: [UInt8]) -> ByteBuffer { ByteBuffer(bytes: bytes[range]) }
        let wrong = [UInt8](repeating: 1, count: content.count)
        try file.write(piece(0..<1000, content), at: 0)
        try file.write(piece(200_000..<300_000, content), at: 200_000)
        try file.write(piece(500..<600, wrong), at: 500)
        try file.write(piece(1000..<200_000, content), at: 1000)
        try file.write(piece(500..<600, content), at: 500)
        let stored = try await file.finish(size: content.count, type: nil, expecting: [:])
        let straight = try await fixture.push(content, SpoolFixture.announced("same", size: content.count))
        #expect(stored.sha1 == straight.sha1 && stored.sha256 == straight.sha256)
        #expect(try await fixture.content(of: stored) == content)
    }

    @Test("an empty file is one")
    func empty() async throws {
        let fixture = try await SpoolFixture()
        let file = try await fixture.push([], SpoolFixture.announced(size: 0))
        #expect(file.sha1 == Self.hex("da39a3ee5e6b4b0d3255bfef95601890afd80709"))
        #expect(fixture.onDisk == [file.id])
        #expect(try await fixture.content(of: file).isEmpty)
    }

    @Test("RFC 5547 8.3.1: a file with another hash than announced is dropped", arguments: FileHash.allCases)
    func mismatch(hash: FileHash) async throws {
        let fixture = try await SpoolFixture()
        await #expect(throws: SpoolRefusal.hashMismatch) {
            try await fixture.push(Self.content, expecting: [hash: [UInt8](repeating: 0, count: hash.length)])
        }
        #expect(fixture.onDisk.isEmpty && fixture.index.all.isEmpty)
        #expect(fixture.spool.usage == (0, 0, 0))
    }

    @Test("what is given up leaves nothing")
    func abandoned() async throws {
        let fixture = try await SpoolFixture()
        let file = try fixture.receive(SpoolFixture.announced(size: 100))
        try file.write(ByteBuffer(bytes: Self.content), at: 0)
        try await fixture.until { fixture.onDisk == ["\(file.id).part"] }
        file.abandon()
        file.abandon()
        try await fixture.until { fixture.onDisk.isEmpty && fixture.spool.usage == (0, 0, 0) }
        await #expect(throws: SpoolRefusal.noSuchFile) { try await file.finish(size: 43, type: nil, expecting: [:]) }
    }

    @Test("who gives more than the disk takes is told to wait, and when to go on")
    func backPressure() async throws {
        let fixture = try await SpoolFixture()
        // The thread that writes is held up meanwhile.
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let spool = try await FileSpool.open(
            directory: "\(fixture.folder.path)/other", limits: SpoolLimits(), index: MemoryIndex(),
            logger: SpoolFixture.quiet, pool: pool)
        let gate = DispatchSemaphore(value: 0)
        pool.submit { _ in gate.wait() }
        let calls = Mutex(0)
        let file = try spool.receive(SpoolFixture.announced(), on: SpoolFixture.loop) { calls.withLock { $0 += 1 } }
        let piece = ByteBuffer(repeating: 7, count: 64 << 10)
        var given = 0
        while !file.isCongested, given < 100 {
            try file.write(piece, at: given * piece.readableBytes)
            given += 1
        }
        #expect(given == 16 && calls.withLock { $0 } == 0)
        gate.signal()
        try await fixture.until { calls.withLock { $0 } == 1 }
        #expect(!file.isCongested && file.failure == nil)
        let size = given * piece.readableBytes
        #expect(try await file.finish(size: size, type: nil, expecting: [:]).size == size)
        #expect(calls.withLock { $0 } == 1)
        try await pool.shutdownGracefully()
    }

    @Test("what came of an interrupted file waits for its sender, for a while and not much of it")
    func interrupted() async throws {
        let fixture = try await SpoolFixture(now: 1000)
        let expecting: [FileHash: [UInt8]] = [.sha256: Self.sha256]
        func begin(_ announced: AnnouncedFile, _ hashes: [FileHash: [UInt8]]) throws -> (IncomingFile, Int) {
            let begun = try fixture.spool.receive(announced, expecting: hashes, on: SpoolFixture.loop) {}
            return (begun.file, begun.offset)
        }
        func interrupt(_ announced: AnnouncedFile, _ hashes: [FileHash: [UInt8]]) throws {
            let (file, offset) = try begin(announced, hashes)
            #expect(offset == 0)
            try file.write(ByteBuffer(bytes: Self.content[..<20]), at: 0)
            file.suspend(octets: 20, expecting: hashes)
        }
        let announced = SpoolFixture.announced(size: 43)
        try interrupt(announced, expecting)
        let (file, offset) = try begin(announced, expecting)
        #expect(offset == 20)
        try file.write(ByteBuffer(bytes: Self.content[20...]), at: 20)
        let stored = try await file.finish(size: 43, type: nil, expecting: expecting)
        #expect(stored.sha1 == Self.sha1)
        await fixture.spool.remove(stored.id)

        // Nothing proves that it is the same file.
        try interrupt(announced, [:])
        try await fixture.until { fixture.spool.usage == (0, 0, 0) }
        // Two of one sender wait, the third is one too many.
        for name in ["1", "2", "3"] { try interrupt(SpoolFixture.announced(name, size: 43), expecting) }
        try await fixture.until { fixture.onDisk.count == 2 && fixture.spool.usage == (86, 0, 2) }
        #expect(await fixture.spool.expire(now: 1599).isEmpty)
        #expect(fixture.spool.usage.incoming == 2)
        #expect(await fixture.spool.expire(now: 1600).isEmpty)
        try await fixture.until { fixture.onDisk.isEmpty && fixture.spool.usage == (0, 0, 0) }
        // And they go with their room.
        try interrupt(announced, expecting)
        await fixture.spool.removeRoom(SpoolFixture.room)
        try await fixture.until { fixture.onDisk.isEmpty && fixture.spool.usage == (0, 0, 0) }
    }

    // MARK: Limits

    @Test("a file that grows beyond what is allowed is refused while it comes")
    func growing() async throws {
        var limits = SpoolLimits()
        limits.fileSize = 100
        let fixture = try await SpoolFixture(limits)
        #expect(throws: SpoolRefusal.fileTooLarge) { try fixture.receive(SpoolFixture.announced(size: 101)) }
        let file = try fixture.receive(SpoolFixture.announced())
        try file.write(ByteBuffer(bytes: [UInt8](repeating: 0, count: 100)), at: 0)
        #expect(throws: SpoolRefusal.fileTooLarge) { try file.write(ByteBuffer(bytes: [0]), at: 100) }
        #expect(throws: SpoolRefusal.fileTooLarge) { try file.expect(101) }
        file.abandon()
        try await fixture.until { fixture.onDisk.isEmpty }
    }

    // MARK: The disk and the index fail

    @Test("a file whose row can't be written isn't there")
    func indexFails() async throws {
        let fixture = try await SpoolFixture()
        fixture.index.setFails(true)
        let error = await #expect(throws: SpoolRefusal.self) { try await fixture.push(Self.content) }
        guard case .disk = error else { throw SupportError("\(String(describing: error))") }
        #expect(fixture.onDisk.isEmpty && fixture.spool.files(in: SpoolFixture.room).isEmpty)
        #expect(fixture.spool.usage == (0, 0, 0))
        // It is none of the next one's.
        fixture.index.setFails(false)
        try await fixture.push(Self.content)
        #expect(fixture.onDisk.count == 1)
    }

    @Test("a file that can't be written is told of, and leaves nothing")
    func diskFails() async throws {
        let fixture = try await SpoolFixture()
        try FileManager.default.removeItem(atPath: "\(fixture.folder.path)/spool")
        let calls = Mutex(0)
        let file = try fixture.spool.receive(SpoolFixture.announced(), on: SpoolFixture.loop) {
            calls.withLock { $0 += 1 }
        }
        try file.write(ByteBuffer(bytes: Self.content), at: 0)
        try await fixture.until { calls.withLock { $0 } == 1 }
        guard case .disk(let text) = file.failure else { throw SupportError("it did not fail") }
        #expect(text.contains("No such file"))
        await #expect(throws: SpoolRefusal.self) { try await file.finish(size: 43, type: nil, expecting: [:]) }
        #expect(fixture.spool.usage == (0, 0, 0))
    }

    @Test("a file whose row can't be removed stays")
    func removalFails() async throws {
        let fixture = try await SpoolFixture()
        let file = try await fixture.push(Self.content)
        fixture.index.setFails(true)
        #expect(await fixture.spool.expire(now: .max).isEmpty)
        await fixture.spool.remove(file.id)
        #expect(fixture.spool.files(in: SpoolFixture.room) == [file] && fixture.onDisk == [file.id])
        fixture.index.setFails(false)
        #expect(await fixture.spool.expire(now: .max) == [file])
    }

    // MARK: Crashes

    /// What a crash would leave, at the moment just before the row is there.
    @Test("a crash before the row is written leaves nothing half")
    func crashBeforeRow() async throws {
        let fixture = try await SpoolFixture()
        let kept = try await fixture.push(Self.content, SpoolFixture.announced("kept"))
        let crashed = try TemporaryFolder()
        let rows = Mutex<[SpooledFile]>([])
        let (source, target, index) = ("\(fixture.folder.path)/spool", "\(crashed.path)/spool", fixture.index)
        index.onAdd {
            try? FileManager.default.copyItem(atPath: source, toPath: target)
            rows.withLock { $0 = index.all }
        }
        try await fixture.push(Self.many(1000), SpoolFixture.announced("lost"))
        #expect(SpoolFixture.entries(crashed).count == 2)
        let after = MemoryIndex(rows.withLock { $0 })
        let spool = try await SpoolFixture.open(crashed, after)
        #expect(spool.files(in: SpoolFixture.room) == [kept])
        #expect(SpoolFixture.entries(crashed) == [kept.id])
        #expect(spool.usage == (43, 1, 0))
    }

    @Test("at the start, what only the disk or only the index knows is removed, and strangers are left alone")
    func reconciliation() async throws {
        let fixture = try await SpoolFixture()
        let whole = try await fixture.push(Self.content, SpoolFixture.announced("whole"))
        let missing = try await fixture.push(Self.content, SpoolFixture.announced("missing"))
        let short = try await fixture.push(Self.content, SpoolFixture.announced("short"))
        let folder = "\(fixture.folder.path)/spool"
        try FileManager.default.removeItem(atPath: "\(folder)/\(missing.id)")
        try Data([1]).write(to: URL(fileURLWithPath: "\(folder)/\(short.id)"))
        let unknown = String(repeating: "a", count: 32)
        for name in [unknown, "\(String(repeating: "b", count: 32)).part", "README", "c.part"] {
            try Data([1]).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        let spool = try await SpoolFixture.open(fixture.folder, fixture.index)
        #expect(spool.files(in: SpoolFixture.room) == [whole])
        #expect(fixture.index.all == [whole])
        #expect(fixture.onDisk == [whole.id, "README", "c.part"].sorted())
    }

    @Test("a folder that can't be used is said")
    func unusable() async throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("text", to: "spool")
        let error = await #expect(throws: SpoolRefusal.self) { try await SpoolFixture.open(folder, MemoryIndex()) }
        #expect(error == .disk("'\(folder.path)/spool' is no folder"))
        await #expect(throws: SpoolRefusal.self) {
            try await FileSpool.open(
                directory: "\(folder.path)/no/such", limits: SpoolLimits(), index: MemoryIndex(),
                logger: SpoolFixture.quiet)
        }
    }

    // MARK: Going

    @Test("files go when their time has come, and with their room")
    func going() async throws {
        let fixture = try await SpoolFixture(now: 1000)
        let old = try await fixture.push(Self.content)
        let other = try await fixture.push(Self.content, SpoolFixture.announced(room: "other@example.com"))
        #expect(await fixture.spool.expire(now: 1000 + 604_799).isEmpty)
        await fixture.spool.removeRoom("other@example.com")
        #expect(fixture.onDisk == [old.id] && fixture.index.all == [old])
        #expect(throws: SpoolRefusal.noSuchFile) { try fixture.spool.open(other) }
        #expect(await fixture.spool.expire(now: 1000 + 604_800) == [old])
        #expect(fixture.onDisk.isEmpty && fixture.index.all.isEmpty && fixture.spool.usage == (0, 0, 0))
    }

    @Test("what comes when its room has ended is not kept")
    func doomed() async throws {
        let fixture = try await SpoolFixture()
        let file = try fixture.receive(SpoolFixture.announced())
        try file.write(ByteBuffer(bytes: Self.content), at: 0)
        await fixture.spool.removeRoom(SpoolFixture.room)
        await #expect(throws: SpoolRefusal.noSuchFile) { try await file.finish(size: 43, type: nil, expecting: [:]) }
        #expect(fixture.onDisk.isEmpty && fixture.index.all.isEmpty && fixture.spool.usage == (0, 0, 0))
    }

    @Test("the same file from the same sender again takes the place of the first")
    func again() async throws {
        let fixture = try await SpoolFixture()
        let first = try await fixture.push(Self.content)
        let second = try await fixture.push(Self.content)
        #expect(first.id != second.id)
        #expect(fixture.spool.files(in: SpoolFixture.room) == [second])
        #expect(fixture.onDisk == [second.id] && fixture.index.all == [second])
    }

    @Test("a file that is being sent when it is removed is sent to its end")
    func removedMeanwhile() async throws {
        let fixture = try await SpoolFixture()
        let content = Self.many(500_000)
        let file = try await fixture.push(content)
        let outgoing = try fixture.spool.open(file)
        let start = try await SpoolFixture.read(outgoing, at: 0, count: 1000)
        await fixture.spool.remove(file.id)
        #expect(fixture.onDisk.isEmpty)
        let rest = try await SpoolFixture.read(outgoing, at: 1000, count: content.count - 1000)
        #expect(start + rest == content)
        await #expect(throws: SpoolRefusal.self) { try await SpoolFixture.read(outgoing, at: 499_999, count: 2) }
        outgoing.close()
        try await NIOThreadPool.singleton.runIfActive {}
    }
}
