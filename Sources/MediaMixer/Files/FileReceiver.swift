import FileSpool
import MSRP
import MSRPTransport
import NIOCore

/// A participant's push of a file into the room, from its session into the spool.
///
/// - Each chunk has its 200 when it has ended, and, where its sender asked for success reports, a REPORT of its range (RFC
///   4975 section 7.1.3): real clients measure their progress by these. The last one waits until the file is stored, so that
///   who has it knows that the file is there.
/// - Reading stops while the disk is behind.
final class FileReceiver: FileSession {
    /// Octets put together before they are written.
    private static let pieceSize = 64 * 1024

    private let offer: FileOffer
    private let expected: [FileHash: [UInt8]]
    private let incoming: IncomingFile
    private var assembly: FileAssembly
    /// The head of the chunk under way.
    private var chunk: Chunk?
    private var contentType: String?
    /// Not given to the disk yet, and where it belongs.
    private var piece = ByteBuffer()
    private var pieceOffset = 0
    private var isStoring = false
    /// What became of storing is known.
    private var hasStored = false
    private var isStoreRefused = false
    /// The sender may come back for the rest.
    private var isInterrupted = false

    private struct Chunk {
        let head: Head
        let messageID: MessageID
        let range: ByteRange
        /// Refused: the rest is of no interest.
        var isSettled = false
    }

    init(
        id: FileTransferID, desk: FileDesk, request: FileRequest, localPath: Path, remotePath: Path, offer: FileOffer,
        spool: FileSpool
    ) throws(JoinRefusal) {
        self.offer = offer
        let wrapper = "message/cpim"
        assembly = FileAssembly(
            announced: offer.size, unwraps: offer.type?.lowercased().hasPrefix(wrapper) != true,
            mostGaps: desk.limits.gaps)
        expected = offer.hashes.reduce(into: [:]) { hashes, hash in
            if let function = FileHash(rawValue: hash.hash) { hashes[function] = hash.digest }
        }
        let announced = AnnouncedFile(
            room: "\(request.room)", name: offer.name, type: offer.type, size: offer.size, sender: request.participant,
            senderName: request.displayName)
        let box = Box(eventLoop: desk.mixer.transport.eventLoop)
        do throws(SpoolRefusal) {
            let begun = try spool.receive(announced, expecting: expected, on: desk.mixer.transport.eventLoop) {
                box.notice()
            }
            incoming = begun.file
            assembly.resume(at: begun.offset)
        } catch {
            throw .fileRefused(error)
        }
        super.init(id: id, desk: desk, request: request, localPath: localPath, remotePath: remotePath)
        box.receiver = self
    }

    /// What the spool's threads know of a receiver: touched on the loop only, where it is told.
    private final class Box: @unchecked Sendable {
        // Unchecked: `receiver` is set by its initialiser and read by `notice`, both on its loop.
        weak var receiver: FileReceiver?
        private let eventLoop: any EventLoop

        init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

        func notice() {
            eventLoop.assertInEventLoop()
            receiver?.noticed()
        }
    }

    override var fileOffset: Int { assembly.prefix }
    override var isBusy: Bool { isStoring || incoming.isCongested }

    override var heldBytes: Int { piece.readableBytes + incoming.pendingBytes }
    override var isComplete: Bool { isStoring }

    override func activated() {
        // Of an empty file, and of one of which only the end was lost, nothing would follow.
        // But a chunk under way is taken, and answered, as any other.
        if chunk == nil, let size = offer.size, assembly.prefix == size { store(size: size, answering: nil) }
    }

    override func release() {
        chunk = nil
        piece = ByteBuffer()
        connection?.resumeReading(by: self)
        if isStoring { return }
        if isInterrupted {
            incoming.suspend(octets: assembly.prefix, expecting: expected)
        } else {
            incoming.abandon()
        }
    }

    override func fail(_ failure: FileFailure) {
        // All octets are there: only the disk says now what becomes of them.
        if isStoring, !hasStored { return }
        if failure == .interrupted, isUnderWay, assembly.isResumable {
            do throws(SpoolRefusal) {
                try flush()
                isInterrupted = incoming.failure == nil
            } catch { isInterrupted = false }
        }
        super.fail(failure)
    }

    // MARK: Chunks

    override func takeContent(_ part: Part, from connection: Connection) -> Bool {
        switch part {
        case .head(let head): return begin(head, connection)
        case .body(let bytes):
            guard let chunk else { return false }
            if !chunk.isSettled { take(bytes, connection) }
        case .outgoingEndLine: return chunk != nil
        case .end(let continuation):
            guard let chunk else { return false }
            self.chunk = nil
            if !chunk.isSettled { end(chunk, continuation, connection) }
        }
        return true
    }

    /// What is no good SEND with content for this session is the session's to answer.
    private func begin(_ head: Head, _ connection: Connection) -> Bool {
        guard head.method == .send, head.defect == nil, head.hasBody, let type = head.contentType,
            let messageID = head.messageID, head.fromPath != nil, let toPath = head.toPath, toPath.uris.count == 1,
            toPath.first.sessionKey == localPath.first.sessionKey,
            let range = head.has("Byte-Range") ? head.byteRange : .whole
        else { return false }
        chunk = Chunk(head: head, messageID: messageID, range: range)
        peerBound()
        guard isUnderWay, !isStoring else {
            // What is there without a message: that it is sent again is no failure.
            refuse(isStoring && !isStoreRefused && assembly.messageID == nil ? .ok : .stopSending, connection)
            return true
        }
        do throws(FileAssembly.Refusal) {
            if let size = try assembly.begin(messageID, range: range, contentType: type) {
                do throws(SpoolRefusal) { try incoming.expect(size) } catch {
                    throw FileAssembly.Refusal(status: .stopSending, failure: Self.failure(of: error))
                }
            }
            if contentType == nil { contentType = type }
        } catch {
            refuse(error, connection)
        }
        return true
    }

    private func take(_ bytes: ByteBuffer, _ connection: Connection) {
        mixer.counters.fileBytesReceived &+= UInt64(bytes.readableBytes)
        do throws(FileAssembly.Refusal) {
            guard let (octets, offset) = try assembly.take(bytes) else { return }
            do throws(SpoolRefusal) { try add(octets, at: offset) } catch {
                throw FileAssembly.Refusal(status: .stopSending, failure: Self.failure(of: error))
            }
            if incoming.isCongested { connection.pauseReading(by: self) }
        } catch {
            refuse(error, connection)
        }
    }

    private func end(_ chunk: Chunk, _ continuation: Continuation, _ connection: Connection) {
        switch assembly.end(continuation) {
        case .more: acknowledge(chunk, .ok, upTo: assembly.position, connection)
        case .whole(let size):
            do throws(SpoolRefusal) {
                try flush()
                store(size: size, answering: chunk)
            } catch {
                self.chunk = chunk
                refuse(.init(status: .stopSending, failure: Self.failure(of: error)), connection)
                self.chunk = nil
            }
        case .aborted:
            acknowledge(chunk, .ok, upTo: nil, connection)
            fail(.abandoned)
        case .wrongSize:
            acknowledge(chunk, .stopSending, upTo: nil, connection)
            fail(.wrongSize)
        }
    }

    override func aborted(_ id: MessageID) {
        if id == assembly.messageID, !isStoring { fail(.abandoned) }
    }

    /// An empty chunk may end the file.
    override func emptied(_ head: Head, _ continuation: Continuation) {
        guard isUnderWay, !isStoring, let id = assembly.messageID, head.messageID == id, let range = head.byteRange
        else { return }
        do throws(FileAssembly.Refusal) {
            _ = try assembly.begin(id, range: range, contentType: contentType ?? "")
        } catch { return }
        switch assembly.end(continuation) {
        case .more, .aborted: break
        case .whole(let size):
            do throws(SpoolRefusal) { try flush() } catch { return fail(Self.failure(of: error)) }
            store(size: size, answering: nil)
        case .wrongSize: fail(.wrongSize)
        }
    }

    // MARK: The disk

    /// Puts small slices of reads together: each would keep its whole read buffer.
    private func add(_ bytes: ByteBuffer, at offset: Int) throws(SpoolRefusal) {
        if offset != pieceOffset + piece.readableBytes { try flush() }
        if piece.readableBytes == 0 {
            pieceOffset = offset
            piece = ByteBufferAllocator().buffer(capacity: Self.pieceSize)
        }
        piece.writeImmutableBuffer(bytes)
        if piece.readableBytes >= Self.pieceSize { try flush() }
    }

    private func flush() throws(SpoolRefusal) {
        let bytes = piece
        piece = ByteBuffer()
        try incoming.write(bytes, at: pieceOffset)
    }

    private func noticed() {
        if let failure = incoming.failure, isUnderWay, !isStoring {
            let refusal = FileAssembly.Refusal(status: .stopSending, failure: Self.failure(of: failure))
            if let connection, chunk?.isSettled == false {
                refuse(refusal, connection)
            } else {
                fail(Self.failure(of: failure))
            }
        }
        if !incoming.isCongested { connection?.resumeReading(by: self) }
        mixer.transport.scheduler.flush()
    }

    private func store(size: Int, answering chunk: Chunk?) {
        guard !isStoring else { return }
        isStoring = true
        let bound = NIOLoopBound(self, eventLoop: mixer.transport.eventLoop)
        let pending = NIOLoopBound(chunk, eventLoop: mixer.transport.eventLoop)
        let (incoming, expected, eventLoop) = (incoming, expected, mixer.transport.eventLoop)
        // The wrapper is gone, and its type with it.
        let type = assembly.isWrapped ? nil : contentType
        Task {
            let result: Result<SpooledFile, SpoolRefusal>
            do throws(SpoolRefusal) {
                result = .success(try await incoming.finish(size: size, type: type, expecting: expected))
            } catch {
                result = .failure(error)
            }
            eventLoop.execute {
                bound.value.stored(result, answering: pending.value)
                bound.value.mixer.transport.scheduler.flush()
            }
        }
    }

    private func stored(_ result: Result<SpooledFile, SpoolRefusal>, answering chunk: Chunk?) {
        hasStored = true
        let isWanted = isUnderWay
        let position = assembly.position
        switch result {
        case .success(let file):
            if let connection, let chunk { acknowledge(chunk, .ok, upTo: position, connection) }
            // The file is there, whatever has become of the session meanwhile.
            if isWanted { settle(.received(id, file)) } else { desk.tell(.received(id, file)) }
        case .failure(let refusal):
            isStoreRefused = true
            if let connection, let chunk { acknowledge(chunk, .stopSending, upTo: nil, connection) }
            fail(Self.failure(of: refusal))
        }
    }

    private static func failure(of refusal: SpoolRefusal) -> FileFailure {
        switch refusal {
        case .hashMismatch: .hashMismatch
        case .disk: .disk
        case .noSuchFile, .shuttingDown: .interrupted
        case .fileTooLarge, .roomIsFull, .spoolIsFull, .tooManyFiles, .tooManyIncoming: .limit
        }
    }

    // MARK: Answers

    /// Answers a chunk, and reports on its octets if asked to.
    /// - Parameter position: where the chunk has ended; nil: no report.
    private func acknowledge(_ chunk: Chunk, _ status: Status, upTo position: Int?, _ connection: Connection) {
        connection.withOutput { output in
            session.respond(.init(head: chunk.head), status, into: &output)
            guard let position, chunk.head.successReport == .yes else { return }
            let range = ByteRange(start: chunk.range.start, end: UInt64(clamping: position), total: chunk.range.total)
            let id = TransactionID(ids.next())
            let from = ByteBuffer(string: localPath.description)
            _ = chunk.head.withValue("From-Path") { path in
                Frame.writeReport(
                    id: id, toPath: path, fromPath: from, messageID: chunk.messageID, byteRange: range, status: status,
                    into: &output)
            }
        }
    }

    private func refuse(_ refusal: FileAssembly.Refusal, _ connection: Connection) {
        refuse(refusal.status, connection)
        // The rest of the chunk still comes, and is skipped.
        let settled = chunk
        if let failure = refusal.failure { fail(failure) }
        chunk = settled
    }

    private func refuse(_ status: Status, _ connection: Connection) {
        guard let chunk else { return }
        self.chunk?.isSettled = true
        connection.withOutput { session.respond(.init(head: chunk.head), status, into: &$0) }
    }
}
