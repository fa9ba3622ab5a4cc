import Testing

@testable import FileSpool

@Suite("What a spool may hold")
struct SpoolBookTests {
    private static func limits(_ change: (inout SpoolLimits) -> Void) -> SpoolLimits {
        var limits = SpoolLimits()
        change(&limits)
        return limits
    }

    private static func file(
        _ id: String, room: String = "a", size: Int = 10, name: String = "n", sender: String = "s", hash: UInt8 = 1,
        expires: Int64? = nil
    ) -> SpooledFile {
        SpooledFile(
            id: id, room: room, name: name, type: nil, size: size, sha1: [hash], sha256: [hash], sender: sender,
            senderName: nil, received: 0, expires: expires)
    }

    @Test("each limit refuses by its name")
    func refusals() {
        var small = SpoolBook(limits: Self.limits { $0.fileSize = 100 })
        #expect(throws: SpoolRefusal.fileTooLarge) { try small.reserve("1", room: "a", size: 101) }
        var room = SpoolBook(limits: Self.limits { $0.roomBytes = 100 }, files: [Self.file("0", size: 60)])
        #expect(throws: SpoolRefusal.roomIsFull) { try room.reserve("1", room: "a", size: 41) }
        #expect(throws: Never.self) { try room.reserve("2", room: "b", size: 100) }
        var all = SpoolBook(limits: Self.limits { $0.totalBytes = 100 }, files: [Self.file("0", size: 60)])
        #expect(throws: SpoolRefusal.spoolIsFull) { try all.reserve("1", room: "b", size: 41) }
        var files = SpoolBook(limits: Self.limits { $0.filesPerRoom = 2 }, files: [Self.file("0")])
        #expect(throws: Never.self) { try files.reserve("1", room: "a", size: 1) }
        #expect(throws: SpoolRefusal.tooManyFiles) { try files.reserve("2", room: "a", size: 1) }
        var incoming = SpoolBook(limits: Self.limits { $0.incoming = 1 })
        #expect(throws: Never.self) { try incoming.reserve("1", room: "a", size: 1) }
        #expect(throws: SpoolRefusal.tooManyIncoming) { try incoming.reserve("2", room: "b", size: 1) }
        #expect(incoming.incoming == 1)
    }

    @Test("uploads at a time can't exceed a limit together, announced or not")
    func together() throws {
        var book = SpoolBook(limits: Self.limits { $0.roomBytes = 100 })
        try book.reserve("1", room: "a", size: 50)
        try book.reserve("2", room: "a", size: 0)
        try book.grow("2", to: 50)
        #expect(throws: SpoolRefusal.roomIsFull) { try book.grow("2", to: 51) }
        #expect(throws: SpoolRefusal.roomIsFull) { try book.reserve("3", room: "a", size: 1) }
        #expect(book.bytes == 100)
        book.release("1")
        #expect(book.bytes == 50)
        try book.grow("2", to: 100)
        book.release("2")
        book.release("2")
        #expect(book.bytes == 0 && book.incoming == 0)
    }

    @Test("a file counts what it has, not what was announced; the same one again takes its place")
    func commit() throws {
        var book = SpoolBook(limits: SpoolLimits())
        try book.reserve("1", room: "a", size: 50)
        #expect(book.commit(Self.file("1", size: 10)) == [])
        #expect(book.bytes == 10)
        try book.reserve("2", room: "a", size: 10)
        #expect(book.commit(Self.file("2", size: 10))?.map(\.id) == ["1"])
        try book.reserve("3", room: "a", size: 10)
        #expect(book.commit(Self.file("3", name: "other")) == [])
        try book.reserve("4", room: "a", size: 10)
        #expect(book.commit(Self.file("4", sender: "other")) == [])
        try book.reserve("5", room: "b", size: 10)
        #expect(book.commit(Self.file("5", room: "b")) == [])
        book.remove(["1", "1", "nothing"])
        #expect(book.files(in: "a").map(\.id) == ["2", "3", "4"])
        #expect(book.file("1") == nil && book.file("5")?.room == "b")
        #expect(book.bytes == 40 && book.count == 4)
    }

    @Test("what was being received when its room ended is not kept")
    func doomed() throws {
        var book = SpoolBook(limits: SpoolLimits())
        try book.reserve("1", room: "a", size: 50)
        book.doom("a")
        try book.reserve("2", room: "a", size: 10)
        #expect(book.commit(Self.file("1")) == nil)
        #expect(book.commit(Self.file("2")) == [])
        #expect(book.files(in: "a").map(\.id) == ["2"])
    }

    @Test("files expire when their time has come")
    func expiry() {
        let book = SpoolBook(
            limits: SpoolLimits(),
            files: [Self.file("1", expires: 100), Self.file("2", expires: 101), Self.file("3", room: "b")])
        #expect(book.expired(at: 99).isEmpty)
        #expect(book.expired(at: 100).map(\.id) == ["1"])
        #expect(Set(book.expired(at: 1000).map(\.id)) == ["1", "2"])
    }

    @Test("files are kept for a week by default")
    func age() { #expect(SpoolLimits().age == 604_800) }
}
