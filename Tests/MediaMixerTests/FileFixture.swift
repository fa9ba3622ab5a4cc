import FileSpool
import Foundation
import Logging
import MSRPTransport
import MediaMixer
import NIOCore
import NIOGnuTLS
import NIOPosix
import Support
import Synchronization

/// Rows in memory, which can refuse or hold up what is added.
final class FileRows: FileIndex {
    struct Refusal: Error {}

    private struct State {
        var files: [SpooledFile] = []
        var fails = false
        var isHeld = false
    }
    private let state = Mutex(State())

    var all: [SpooledFile] { state.withLock { $0.files } }
    func setFails(_ fails: Bool) { state.withLock { $0.fails = fails } }
    /// While held, what is added waits.
    func setHeld(_ isHeld: Bool) { state.withLock { $0.isHeld = isHeld } }

    func files() async throws -> [SpooledFile] { all }
    func add(_ file: SpooledFile) async throws {
        while state.withLock({ $0.isHeld }) { await Task.yield() }
        try state.withLock { state in
            if state.fails { throw Refusal() }
            state.files.append(file)
        }
    }
    func remove(_ ids: [String]) async throws {
        state.withLock { $0.files.removeAll { ids.contains($0.id) } }
    }
}

/// A mixer with a spool, and what became of its transfers.
final class FileFixture: Sendable {
    let mixer: MixerFixture
    let folder: TemporaryFolder
    let spool: FileSpool
    let rows = FileRows()
    private let log: Log

    private final class Log: Sendable {
        let events = Mutex<[FileEvent]>([])
    }

    init(
        limits: SpoolLimits = SpoolLimits(), serverTLS: TLSContext? = nil,
        configure: (inout MixerConfiguration) -> Void = { _ in }
    ) async throws {
        folder = try TemporaryFolder()
        let log = Log()
        self.log = log
        let quiet = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
        spool = try await FileSpool.open(
            directory: "\(folder.path)/spool", limits: limits, index: rows, logger: quiet, clock: { 1000 })
        var configuration = MixerConfiguration()
        configure(&configuration)
        mixer = try await MixerFixture(
            configuration: configuration,
            services: MixerServices(spool: spool) { event in log.events.withLock { $0.append(event) } },
            adjust: { $0.serverTLS = serverTLS })
    }

    var room: String { mixer.room.description }
    var events: [FileEvent] { log.events.withLock { $0 } }
    var files: [SpooledFile] { spool.files(in: room) }
    var onDisk: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/spool")) ?? []).sorted()
    }

    func content(of file: SpooledFile) -> [UInt8]? {
        FileManager.default.contents(atPath: "\(folder.path)/spool/\(file.id)").map { Array($0) }
    }

    func path(of user: String, isTLS: Bool = false) -> String {
        "\(isTLS ? "msrps" : "msrp")://127.0.0.1:9/f-\(user);tcp"
    }

    func reserve(
        _ work: FileRequest.Work, by user: String = "alice", adjust: (inout PeerMedia) -> Void = { _ in }
    ) async throws -> FileReservation {
        var media = PeerMedia(path: path(of: user), role: .peerConnects, isTLS: false, format: .plainText)
        adjust(&media)
        return try await mixer.mixer.reserveFile(
            FileRequest(
                room: mixer.room, work: work, participant: "sip:\(user)@example.com", displayName: "Alice",
                media: media, localHost: "127.0.0.1", localPort: Int(mixer.address.port), signallingSource: nil))
    }

    static func offer(
        _ name: String = "picture.png", size: Int?, type: String? = "image/png",
        hashes: [MediaMixer.CertificateFingerprint] = []
    ) -> FileOffer { FileOffer(name: name, type: type, size: size, hashes: hashes) }

    /// A push whose session is bound.
    func push(_ offer: FileOffer, by user: String = "alice") async throws -> (FileReservation, RawMSRPClient) {
        let reservation = try await reserve(.receive(offer), by: user)
        return (reservation, try await connect(reservation, user))
    }

    /// A pull whose session is bound.
    func pull(
        _ file: SpooledFile, offset: Int = 0, length: Int? = nil, by user: String = "bob",
        adjust: (inout PeerMedia) -> Void = { _ in }
    ) async throws -> (FileReservation, RawMSRPClient) {
        let reservation = try await reserve(.send(file, offset: offset, length: length), by: user, adjust: adjust)
        return (reservation, try await connect(reservation, user))
    }

    private func connect(_ reservation: FileReservation, _ user: String) async throws -> RawMSRPClient {
        await mixer.mixer.startFile(reservation.transfer)
        let client = try RawMSRPClient(remotePath: reservation.localPath, localPath: path(of: user))
        let bound = try client.bind()
        guard bound.status == 200 else { throw SupportError("the bind was answered with \(bound.word)") }
        return client
    }

    /// Puts a file into the spool without a session.
    func store(_ content: [UInt8], name: String = "picture.png", type: String? = "image/png") async throws
        -> SpooledFile
    {
        let file = try spool.receive(
            AnnouncedFile(
                room: room, name: name, type: type, size: content.count, sender: "sip:alice@example.com",
                senderName: "Alice"), on: MultiThreadedEventLoopGroup.singleton.next()
        ) {}
        var offset = 0
        while offset < content.count {
            let end = min(offset + 64 << 10, content.count)
            try file.write(ByteBuffer(bytes: content[offset..<end]), at: offset)
            offset = end
        }
        return try await file.finish(size: content.count, type: nil, expecting: [:])
    }

    func until(_ condition: () async throws -> Bool) async throws {
        do { try await mixer.until(condition) } catch {
            throw SupportError("it did not happen; events: \(events); on disk: \(onDisk); \(spool.usage)")
        }
    }

    /// Waits until the transfer has failed so, and nothing of it is left.
    func untilNothing(_ transfer: FileTransferID, _ failure: FileFailure) async throws {
        try await until {
            self.events == [.failed(transfer, failure)] && self.onDisk.isEmpty && self.spool.usage == (0, 0, 0)
        }
    }
}

extension RawMSRPClient {
    /// Sends a chunk; the transaction id.
    @discardableResult
    func chunk(
        _ body: [UInt8], range: String, flag: Character = "$", type: String = "image/png", messageID: String = "file1",
        extra: String = ""
    ) throws -> String {
        let id = newID()
        try stream.send(
            sendBytes(
                id: id, messageID: messageID, byteRange: range, contentType: type, extra: extra, body: body, flag: flag)
        )
        return id
    }
}

extension BodyPattern {
    /// Any number of octets.
    func content(offset: Int = 0, count: Int) -> [UInt8] {
        stride(from: 0, to: count, by: Self.longestPiece).reduce(into: []) { content, start in
            content += bytes(offset: offset + start, count: min(Self.longestPiece, count - start))
        }
    }
}
