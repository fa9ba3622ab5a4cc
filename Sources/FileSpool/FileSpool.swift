package import Logging
package import NIOCore
package import NIOPosix
import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// The files that people pushed into rooms (RFC 5547), in one folder, and which there are.
///
/// - A file that is told of is whole, on the disk and in the index. Its octets are synced and get their final name first, then
///   comes the row; a crash in between leaves something that only one of the two knows, and that goes at the next start.
/// - What one sender pushes again under the same name with the same content takes the place of what was there.
/// - Nothing here blocks its caller; work on the disk is the thread pool's.
package final class FileSpool: Sendable {
    package let limits: SpoolLimits
    let folder: SpoolFolder
    let pool: NIOThreadPool
    private let index: any FileIndex
    private let logger: Logger
    private let clock: @Sendable () -> Int64
    private let book: Mutex<SpoolBook>
    private let interrupted = Mutex<[Interrupted]>([])

    /// Opens the folder, which is made with mode 0700 if need be, and makes it and the index agree: what only one of them has
    /// is removed.
    /// - Parameter clock: seconds since 1970.
    /// - Throws: `SpoolRefusal.disk`, or what the index throws.
    package static func open(
        directory: String, limits: SpoolLimits, index: any FileIndex, logger: Logger,
        pool: NIOThreadPool = .singleton, clock: @escaping @Sendable () -> Int64 = FileSpool.wallClock
    ) async throws -> FileSpool {
        let known = try await index.files()
        let (folder, entries) = try await onPool(pool) { () throws(SpoolRefusal) in
            let folder = try SpoolFolder(path: directory)
            return (folder, try folder.entries())
        }
        let whole = Dictionary(
            entries.filter { !$0.isPartial }.map { ($0.id, $0.size) }, uniquingKeysWith: { first, _ in first })
        let files = known.filter { whole[$0.id] == $0.size }
        let lost = known.filter { whole[$0.id] != $0.size }.map(\.id)
        let kept = Set(files.map(\.id))
        let strays = Set(entries.filter { $0.isPartial || !kept.contains($0.id) }.map(\.id))
        if !lost.isEmpty { try await index.remove(lost) }
        try await onPool(pool) { () throws(SpoolRefusal) in
            for id in strays where !kept.contains(id) { folder.remove(id) }
        }
        logger.info(
            "file spool",
            metadata: [
                "directory": "\(directory)", "files": "\(files.count)", "removed": "\(strays.count)",
                "missing": "\(lost.count)",
            ])
        return FileSpool(
            folder: folder, limits: limits, index: index, pool: pool, logger: logger, clock: clock,
            book: SpoolBook(limits: limits, files: files))
    }

    private init(
        folder: SpoolFolder, limits: SpoolLimits, index: any FileIndex, pool: NIOThreadPool, logger: Logger,
        clock: @escaping @Sendable () -> Int64, book: SpoolBook
    ) {
        self.folder = folder
        self.limits = limits
        self.index = index
        self.pool = pool
        self.logger = logger
        self.clock = clock
        self.book = Mutex(book)
    }

    // MARK: What is there

    /// The files of a room (`user@domain`), oldest first.
    package func files(in room: String) -> [SpooledFile] { book.withLock { $0.files(in: room) } }

    /// Rooms that have any, as `user@domain`: when a process starts, some of them may be no more.
    package var rooms: [String] { book.withLock { $0.roomsWithFiles } }

    package func file(_ id: String) -> SpooledFile? { book.withLock { $0.file(id) } }

    /// Octets on the disk and reserved, files, and files being received.
    package var usage: (bytes: Int, files: Int, incoming: Int) { book.withLock { ($0.bytes, $0.count, $0.incoming) } }

    /// Unknown ids are ignored. Who is receiving the file still gets all of it.
    package func remove(_ id: String) async {
        guard let file = file(id) else { return }
        await remove([file])
    }

    /// Removes all files of a room; what is being received for it is not kept.
    package func removeRoom(_ room: String) async {
        let files = book.withLock { book in
            book.doom(room)
            return book.files(in: room)
        }
        let beginnings = interrupted.withLock { list in
            let beginnings = list.filter { $0.announced.room == room }
            list.removeAll { $0.announced.room == room }
            return beginnings
        }
        for beginning in beginnings { beginning.file.abandon() }
        await remove(files)
    }

    /// Removes what has expired, and the beginnings of files that nobody has gone on with. Somebody calls this about once a
    /// minute.
    /// - Parameter now: seconds since 1970.
    /// - Returns: what was removed.
    package func expire(now: Int64) async -> [SpooledFile] {
        let old = interrupted.withLock { list in
            let old = list.filter { $0.since <= now - Self.interruptionTime }
            list.removeAll { $0.since <= now - Self.interruptionTime }
            return old
        }
        for beginning in old { beginning.file.abandon() }
        let files = book.withLock { $0.expired(at: now) }
        return await remove(files) ? files : []
    }

    /// Rows first: a file without a row is found and removed at the next start, a row without a file as well.
    @discardableResult
    private func remove(_ files: [SpooledFile]) async -> Bool {
        guard !files.isEmpty else { return true }
        let ids = files.map(\.id)
        do {
            try await index.remove(ids)
        } catch {
            logger.error(
                "files can't be removed from the index", metadata: ["error": "\(error)", "files": "\(ids.count)"])
            return false
        }
        book.withLock { $0.remove(ids) }
        await unlink(ids)
        return true
    }

    private func unlink(_ ids: [String]) async {
        let folder = folder
        _ = try? await Self.onPool(pool) { () throws(SpoolRefusal) in for id in ids { folder.remove(id) } }
    }

    // MARK: Coming and going

    /// How long the beginning of an interrupted file waits for its sender, in seconds, and how many beginnings there may be:
    /// in all, and of one sender.
    static let interruptionTime: Int64 = 600
    static let mostInterrupted = 16
    static let mostInterruptedOfOne = 2

    private struct Interrupted: Sendable {
        let file: IncomingFile
        let announced: AnnouncedFile
        let expecting: [FileHash: [UInt8]]
        let octets: Int
        let since: Int64
    }

    /// Keeps what came of a file, for its sender to go on with.
    func keep(_ file: IncomingFile, _ announced: AnnouncedFile, octets: Int, expecting: [FileHash: [UInt8]]) {
        let now = clock()
        let dropped = interrupted.withLock { list in
            list.append(
                Interrupted(file: file, announced: announced, expecting: expecting, octets: octets, since: now))
            var dropped: [IncomingFile] = []
            let own = list.indices.filter { list[$0].announced.sender == announced.sender }
            if own.count > Self.mostInterruptedOfOne { dropped.append(list.remove(at: own[0]).file) }
            if list.count > Self.mostInterrupted { dropped.append(list.removeFirst().file) }
            return dropped
        }
        for file in dropped { file.abandon() }
    }

    /// Goes on with a file that was interrupted, or begins to receive one. Only a file of known size and hash can be gone on
    /// with: its end proves that it is the same.
    /// - Returns: the file, and how many octets of it are there.
    package func receive(
        _ announced: AnnouncedFile, expecting: [FileHash: [UInt8]], on eventLoop: any EventLoop,
        noticed: @escaping @Sendable () -> Void
    ) throws(SpoolRefusal) -> (file: IncomingFile, offset: Int) {
        let beginning = interrupted.withLock { list -> Interrupted? in
            guard announced.size != nil, !expecting.isEmpty,
                let index = list.firstIndex(where: { $0.announced == announced && $0.expecting == expecting })
            else { return nil }
            return list.remove(at: index)
        }
        guard let beginning else { return (try receive(announced, on: eventLoop, noticed: noticed), 0) }
        beginning.file.resume(on: eventLoop, noticed: noticed)
        return (beginning.file, beginning.octets)
    }

    /// Begins to receive a file.
    /// - Parameters:
    ///   - eventLoop: where `noticed` is called, when the file takes octets again or has failed: see `IncomingFile`.
    package func receive(
        _ announced: AnnouncedFile, on eventLoop: any EventLoop, noticed: @escaping @Sendable () -> Void
    ) throws(SpoolRefusal) -> IncomingFile {
        let id = SpoolFolder.newID()
        try book.withLock { book throws(SpoolRefusal) in
            try book.reserve(id, room: announced.room, size: max(0, announced.size ?? 0))
        }
        return IncomingFile(id: id, announced: announced, spool: self, eventLoop: eventLoop, noticed: noticed)
    }

    /// A file to be sent. It is opened now, so that it can be read to its end even if it is removed meanwhile.
    package func open(_ file: SpooledFile) throws(SpoolRefusal) -> OutgoingFile {
        guard self.file(file.id) != nil else { throw .noSuchFile }
        return OutgoingFile(file, folder: folder, pool: pool)
    }

    // MARK: For the files that come

    func grow(_ id: String, to size: Int) throws(SpoolRefusal) {
        try book.withLock { book throws(SpoolRefusal) in try book.grow(id, to: size) }
    }

    func release(_ id: String) { book.withLock { $0.release(id) } }

    /// The file has its final name on the disk.
    func store(
        _ id: String, _ announced: AnnouncedFile, type: String?, size: Int, digests: FileDigests
    ) async throws(SpoolRefusal) -> SpooledFile {
        let now = clock()
        let file = SpooledFile(
            id: id, room: announced.room, name: FileName.harmless(announced.name),
            type: FileName.mediaType(announced.type) ?? FileName.mediaType(type), size: size, sha1: digests.sha1,
            sha256: digests.sha256, sender: announced.sender, senderName: announced.senderName, received: now,
            expires: limits.age.map { now &+ $0 })
        do {
            try await index.add(file)
        } catch {
            await unlink([id])
            release(id)
            throw .disk("the index: \(error)")
        }
        guard let replaced = book.withLock({ $0.commit(file) }) else {
            await remove([file])
            throw .noSuchFile
        }
        await remove(replaced)
        return file
    }

    // MARK: Time and threads

    package static let wallClock: @Sendable () -> Int64 = { Int64(time(nil)) }

    static func onPool<Answer: Sendable>(
        _ pool: NIOThreadPool, _ work: @escaping @Sendable () throws(SpoolRefusal) -> Answer
    ) async throws(SpoolRefusal) -> Answer {
        let result: Result<Answer, SpoolRefusal> = await withCheckedContinuation { continuation in
            pool.submit { _ in continuation.resume(returning: Result(catching: work)) }
        }
        return try result.get()
    }
}

/// What is known of a file before it comes.
package struct AnnouncedFile: Sendable, Hashable {
    /// `user@domain`
    package var room: String
    /// As the peer wrote it; `SpooledFile.name` is made of it.
    package var name: String
    package var type: String?
    /// Octets; nil: nothing was said, and what comes counts.
    package var size: Int?
    package var sender: String
    package var senderName: String?

    package init(room: String, name: String, type: String?, size: Int?, sender: String, senderName: String?) {
        self.room = room
        self.name = name
        self.type = type
        self.size = size
        self.sender = sender
        self.senderName = senderName
    }
}
