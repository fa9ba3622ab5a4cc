package import NIOCore
import NIOPosix
import Synchronization

/// A file that is being received: octets at any place of it, in the order in which they are given, written by the spool's
/// threads.
///
/// The owner
/// - stops giving more while `isCongested`, until `noticed` is called;
/// - looks at `failure` then, too;
/// - ends with `finish` or `abandon`, after which nothing of the file remains unless it is in the spool, or with `suspend`.
package final class IncomingFile: Sendable {
    /// Octets that wait for the disk before the owner has to wait, and with how few it goes on.
    package static let mostPending = 1 << 20
    static let fewPending = 256 << 10
    /// What a waiting piece counts beside its octets.
    private static let pieceCost = 1024
    /// Pieces written before another file has a turn on the thread.
    private static let piecesPerTurn = 8
    private static let readSize = 256 << 10

    private enum Work: Sendable {
        case write(ByteBuffer, at: Int)
        case finish(
            size: Int, expecting: [FileHash: [UInt8]],
            CheckedContinuation<Result<FileDigests, SpoolRefusal>, Never>)
        case abandon
    }

    private struct Queue {
        var works = CircularBuffer<Work>(initialCapacity: 8)
        var pending = 0
        var isRunning = false
        var isWaitedFor = false
        var eventLoop: any EventLoop
        var noticed: @Sendable () -> Void
        var failure: SpoolRefusal?
        /// `finish` or `abandon` was called.
        var isEnded = false
    }

    private struct Disk {
        var descriptor: CInt = -1
        var digest: FileDigest?
        /// Octets from the beginning that `digest` has seen.
        var hashed = 0
    }

    let id: String
    private let announced: AnnouncedFile
    private let spool: FileSpool
    private let queue: Mutex<Queue>
    /// One thread at a time has work for a file, so nobody waits for this.
    private let disk = Mutex(Disk())

    init(
        id: String, announced: AnnouncedFile, spool: FileSpool, eventLoop: any EventLoop,
        noticed: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.announced = announced
        self.spool = spool
        queue = Mutex(Queue(eventLoop: eventLoop, noticed: noticed))
    }

    // MARK: For the owner

    /// The file will have so many octets.
    package func expect(_ size: Int) throws(SpoolRefusal) { try spool.grow(id, to: size) }

    package func write(_ bytes: ByteBuffer, at offset: Int) throws(SpoolRefusal) {
        guard bytes.readableBytes > 0 else { return }
        try spool.grow(id, to: offset + bytes.readableBytes)
        enqueue(.write(bytes, at: offset), cost: bytes.readableBytes + Self.pieceCost)
    }

    /// Too much waits for the disk; `noticed` says when that has changed.
    package var isCongested: Bool {
        queue.withLock { queue in
            guard queue.pending > Self.mostPending, queue.failure == nil else { return false }
            queue.isWaitedFor = true
            return true
        }
    }

    /// Octets that wait for the disk, and a little for each piece of them.
    package var pendingBytes: Int { queue.withLock { $0.pending } }

    /// What the disk said.
    package var failure: SpoolRefusal? { queue.withLock { $0.failure } }

    /// All octets were given: the file is compared with what was announced of it, and goes into the spool.
    /// - Parameters:
    ///   - type: the media type, where none was announced.
    ///   - expecting: digests that must be right.
    /// - Throws: `.hashMismatch`, `.disk`, or `.noSuchFile` when the room has ended; nothing of the file remains.
    package func finish(
        size: Int, type: String?, expecting: [FileHash: [UInt8]]
    ) async throws(SpoolRefusal) -> SpooledFile {
        let result: Result<FileDigests, SpoolRefusal> = await withCheckedContinuation { continuation in
            let isEnded = queue.withLock { queue in
                defer { queue.isEnded = true }
                return queue.isEnded
            }
            if isEnded {
                continuation.resume(returning: .failure(.noSuchFile))
            } else {
                enqueue(.finish(size: size, expecting: expecting, continuation), cost: 0)
            }
        }
        let digests = try result.get()
        return try await spool.store(id, announced, type: type, size: size, digests: digests)
    }

    /// Its sender is gone, and may come back for the rest within ten minutes: see `FileSpool.receive`.
    /// - Parameter octets: how many from the beginning are there without a gap; all of them were given to `write`.
    package func suspend(octets: Int, expecting: [FileHash: [UInt8]]) {
        guard octets > 0, announced.size != nil, !expecting.isEmpty else { return abandon() }
        queue.withLock { queue in
            queue.noticed = {}
            queue.isWaitedFor = false
        }
        spool.keep(self, announced, octets: octets, expecting: expecting)
    }

    func resume(on eventLoop: any EventLoop, noticed: @escaping @Sendable () -> Void) {
        queue.withLock { queue in
            queue.eventLoop = eventLoop
            queue.noticed = noticed
        }
    }

    /// Nothing comes of it.
    package func abandon() {
        let isEnded = queue.withLock { queue in
            defer { queue.isEnded = true }
            return queue.isEnded
        }
        if !isEnded { enqueue(.abandon, cost: 0) }
    }

    // MARK: On the threads

    private func enqueue(_ work: Work, cost: Int) {
        let starts = queue.withLock { queue in
            queue.works.append(work)
            queue.pending += cost
            defer { queue.isRunning = true }
            return !queue.isRunning
        }
        if starts { submit() }
    }

    private func submit() {
        // What is left to do is done even when the pool ends: it is little.
        spool.pool.submit { _ in self.run() }
    }

    private func run() {
        for _ in 0..<Self.piecesPerTurn {
            guard let work = next() else { return }
            perform(work)
        }
        submit()
    }

    private func next() -> Work? {
        queue.withLock { queue in
            let work = queue.works.popFirst()
            if work == nil { queue.isRunning = false }
            return work
        }
    }

    private func perform(_ work: Work) {
        switch work {
        case .write(let bytes, let offset):
            let hasFailed = failure != nil
            var outcome: SpoolRefusal?
            if !hasFailed {
                do throws(SpoolRefusal) { try write(bytes, offset) } catch { outcome = error }
            }
            let told = queue.withLock { queue -> (loop: any EventLoop, noticed: @Sendable () -> Void)? in
                queue.pending -= bytes.readableBytes + Self.pieceCost
                if let outcome { queue.failure = outcome }
                guard outcome != nil || (queue.isWaitedFor && queue.pending <= Self.fewPending) else { return nil }
                queue.isWaitedFor = false
                return (queue.eventLoop, queue.noticed)
            }
            if let told { told.loop.execute(told.noticed) }
        case .finish(let size, let expecting, let continuation):
            let result = Result { () throws(SpoolRefusal) in
                if let failure { throw failure }
                return try complete(size: size, expecting: expecting)
            }
            if case .failure = result { drop() }
            continuation.resume(returning: result)
        case .abandon:
            drop()
        }
    }

    private func write(_ bytes: ByteBuffer, _ offset: Int) throws(SpoolRefusal) {
        try disk.withLock { disk throws(SpoolRefusal) in
            try begin(&disk)
            let descriptor = disk.descriptor
            try Self.withBytes(bytes) { octets throws(SpoolRefusal) in
                try SpoolFolder.write(octets, to: descriptor, at: offset)
            }
            if offset == disk.hashed {
                guard bytes.withUnsafeReadableBytes({ disk.digest?.update($0) }) == true else {
                    throw .disk("no hash functions")
                }
                disk.hashed += bytes.readableBytes
            } else if offset < disk.hashed {
                // What was hashed has changed: `complete` begins anew.
                _ = disk.digest?.take()
                disk.hashed = 0
            }
        }
    }

    private func begin(_ disk: inout Disk) throws(SpoolRefusal) {
        guard disk.descriptor < 0 else { return }
        guard let digest = FileDigest() else { throw .disk("no hash functions") }
        disk.descriptor = try spool.folder.create(id)
        disk.digest = digest
    }

    private func complete(size: Int, expecting: [FileHash: [UInt8]]) throws(SpoolRefusal) -> FileDigests {
        try disk.withLock { disk throws(SpoolRefusal) in
            try begin(&disk)
            try Self.hashRest(&disk, size: size)
            guard let digests = disk.digest?.take() else { throw .disk("no hash functions") }
            for (hash, digest) in expecting where digests.digest(hash) != digest { throw .hashMismatch }
            try spool.folder.complete(id, descriptor: disk.descriptor)
            SpoolFolder.shut(disk.descriptor)
            disk.descriptor = -1
            disk.digest = nil
            return digests
        }
    }

    /// What came out of turn is read again.
    private static func hashRest(_ disk: inout Disk, size: Int) throws(SpoolRefusal) {
        guard disk.hashed < size else { return }
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: readSize, alignment: 16)
        defer { space.deallocate() }
        while disk.hashed < size {
            let wanted = UnsafeMutableRawBufferPointer(rebasing: space[..<min(space.count, size - disk.hashed)])
            let count = try SpoolFolder.read(into: wanted, from: disk.descriptor, at: disk.hashed)
            guard count == wanted.count, disk.digest?.update(UnsafeRawBufferPointer(wanted)) == true else {
                throw .disk("a file is shorter than what was written of it")
            }
            disk.hashed += count
        }
    }

    private func drop() {
        disk.withLock { disk in
            if disk.descriptor >= 0 { SpoolFolder.shut(disk.descriptor) }
            disk.descriptor = -1
            disk.digest = nil
            spool.folder.remove(id)
        }
        spool.release(id)
    }

    /// `ByteBuffer`'s own is not made for typed errors.
    private static func withBytes(
        _ bytes: ByteBuffer, _ body: (UnsafeRawBufferPointer) throws(SpoolRefusal) -> Void
    ) throws(SpoolRefusal) {
        try bytes.withUnsafeReadableBytes { octets in Result { () throws(SpoolRefusal) in try body(octets) } }.get()
    }
}
