import Foundation
import Logging
import NIOCore
import NIOPosix
import Support
import Synchronization

@testable import FileSpool

/// An index in memory, which can fail or wait when something is added.
final class MemoryIndex: FileIndex {
    struct Refusal: Error {}

    private struct State {
        var files: [SpooledFile] = []
        var fails = false
        var gate: (@Sendable () -> Void)?
    }
    private let state: Mutex<State>

    init(_ files: [SpooledFile] = []) { state = Mutex(State(files: files)) }

    var all: [SpooledFile] { state.withLock { $0.files } }

    func setFails(_ fails: Bool) { state.withLock { $0.fails = fails } }
    /// Called when something is to be added, before it is.
    func onAdd(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.gate = body } }

    func files() async throws -> [SpooledFile] { all }

    func add(_ file: SpooledFile) async throws {
        if let gate = state.withLock({ $0.gate }) { gate() }
        try state.withLock { state in
            if state.fails { throw Refusal() }
            state.files.append(file)
        }
    }

    func remove(_ ids: [String]) async throws {
        try state.withLock { state in
            if state.fails { throw Refusal() }
            state.files.removeAll { ids.contains($0.id) }
        }
    }
}

/// A spool in a folder of its own.
struct SpoolFixture {
    let folder: TemporaryFolder
    let index: MemoryIndex
    let spool: FileSpool

    static let room = "lobby@example.com"
    static var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }
    static var quiet: Logger { Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() } }

    init(_ limits: SpoolLimits = SpoolLimits(), index: MemoryIndex = MemoryIndex(), now: Int64 = 1000) async throws {
        folder = try TemporaryFolder()
        self.index = index
        spool = try await Self.open(folder, index, limits, now: now)
    }

    static func open(
        _ folder: TemporaryFolder, _ index: MemoryIndex, _ limits: SpoolLimits = SpoolLimits(), now: Int64 = 1000
    ) async throws -> FileSpool {
        try await FileSpool.open(
            directory: "\(folder.path)/spool", limits: limits, index: index, logger: quiet, clock: { now })
    }

    /// Names of what is in the folder.
    var onDisk: [String] { Self.entries(folder) }

    static func entries(_ folder: TemporaryFolder) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/spool")) ?? []).sorted()
    }

    static func announced(
        _ name: String = "notes.txt", size: Int? = nil, room: String = room, sender: String = "sip:alice@example.com",
        type: String? = "text/plain"
    ) -> AnnouncedFile {
        AnnouncedFile(room: room, name: name, type: type, size: size, sender: sender, senderName: "Alice")
    }

    func receive(_ announced: AnnouncedFile) throws -> IncomingFile {
        try spool.receive(announced, on: Self.loop) {}
    }

    /// Receives a whole file.
    @discardableResult
    func push(
        _ content: [UInt8], _ announced: AnnouncedFile = announced(), expecting: [FileHash: [UInt8]] = [:]
    ) async throws -> SpooledFile {
        let file = try receive(announced)
        do {
            try file.write(ByteBuffer(bytes: content), at: 0)
        } catch {
            file.abandon()
            throw error
        }
        return try await file.finish(size: content.count, type: nil, expecting: expecting)
    }

    func content(of file: SpooledFile) async throws -> [UInt8] {
        let outgoing = try spool.open(file)
        defer { outgoing.close() }
        return try await Self.read(outgoing, at: 0, count: file.size)
    }

    static func read(_ outgoing: OutgoingFile, at offset: Int, count: Int) async throws -> [UInt8] {
        let result = await withCheckedContinuation { continuation in
            outgoing.read(at: offset, count: count, on: loop) { continuation.resume(returning: $0) }
        }
        return Array(try result.get().readableBytesView)
    }

    /// Waits for what the spool's threads have still to do.
    func until(_ condition: () -> Bool) async throws {
        let deadline = Deadline.after(seconds: 10)
        while !condition() {
            if deadline.passed { throw SupportError("it did not happen; there are \(onDisk) and \(spool.usage)") }
            try await NIOThreadPool.singleton.runIfActive {}
        }
    }
}
