import FileSpool
import MSRP
import MSRPTransport
import NIOCore
import Payloads

/// A participant's pull of a file, from the spool into its session: one message (RFC 5547 section 8.7) in chunks of 64 KiB.
///
/// One chunk is written per turn of the loop, and only while the connection takes more: what others say to the peer's
/// other sessions, and to others, comes between. Of the file two pieces are in memory, however large it is.
final class FileSender: FileSession {
    static let chunkSize = 64 * 1024
    /// Octets read at a time; this much is read ahead.
    static let pieceSize = 128 * 1024

    private let source: OutgoingFile
    private let messageID: MessageID
    private var contentType: String
    /// A CPIM head, for peers that take files in nothing else.
    private var wrapper = ByteBuffer()
    /// Octets of the message, wrapper and all.
    private var total: Int
    /// Octets of it that went out.
    private var sent = 0
    private var pieces = CircularBuffer<ByteBuffer>(initialCapacity: 2)
    /// What of the file is read next, and where that ends.
    private var nextRead: Int
    private let end: Int
    private var isReading = false
    /// The connection would take more, but nothing was there.
    private var isWaiting = false
    private var isSent = false

    init(
        id: FileTransferID, desk: FileDesk, request: FileRequest, localPath: Path, remotePath: Path, file: SpooledFile,
        offset: Int, length: Int?, spool: FileSpool
    ) throws(JoinRefusal) {
        guard offset >= 0, offset <= file.size, length ?? 0 >= 0 else { throw .fileRefused(.noSuchFile) }
        nextRead = offset
        end = offset + min(length ?? .max, file.size - offset)
        messageID = MessageID(desk.mixer.generator.next())
        (contentType, wrapper) = Self.form(
            of: file, size: end - offset, request, as: request.media.format, dateTime: desk.mixer.dateTime())
        total = wrapper.readableBytes + end - offset
        if let most = request.media.maximumSize, total > most { throw .fileRefused(.fileTooLarge) }
        do throws(SpoolRefusal) { source = try spool.open(file) } catch { throw .fileRefused(error) }
        super.init(id: id, desk: desk, request: request, localPath: localPath, remotePath: remotePath)
    }

    /// The message's content type, and what stands before the file in it.
    private static func form(
        of file: SpooledFile, size: Int, _ request: FileRequest, as format: PeerMedia.Format, dateTime: String
    ) -> (contentType: String, wrapper: ByteBuffer) {
        let type = file.type ?? "application/octet-stream"
        guard format == .cpim else { return (type, ByteBuffer()) }
        return ("message/cpim", wrapper(file, type: type, size: size, request, dateTime: dateTime))
    }

    /// As in RFC 5547 section 9.1, with the blank line that RFC 3862 section 2 wants between the headers of the two kinds.
    private static func wrapper(
        _ file: SpooledFile, type: String, size: Int, _ request: FileRequest, dateTime: String
    ) -> ByteBuffer {
        let from = CPIMAddress(uri: request.room.uri).value
        let to = CPIMAddress(displayName: request.displayName, uri: request.participant).value
        let name = file.name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return ByteBuffer(
            string: "From: \(from)\r\nTo: \(to)\r\nDateTime: \(dateTime)\r\n\r\nContent-Type: \(type)\r\n"
                + "Content-Disposition: attachment; filename=\"\(name)\"; size=\(size)\r\n\r\n")
    }

    override var heldBytes: Int { pieces.reduce(wrapper.readableBytes) { $0 + $1.readableBytes } }

    override func activated() {
        if request.media.path.isEmpty {
            takeForm()
            if let most = media.maximumSize, total > most { return fail(.limit) }
        }
        read()
        connection?.notifyWhenWritable()
    }

    /// Our offer went first: only the answer says in which form the peer takes the file.
    private func takeForm() {
        let size = end - nextRead
        (contentType, wrapper) = Self.form(
            of: source.file, size: size, request, as: media.format, dateTime: mixer.dateTime())
        total = wrapper.readableBytes + size
    }

    override func release() {
        pieces = CircularBuffer(initialCapacity: 0)
        source.close()
    }

    /// RFC 5547 section 8.4: a message that is given up ends with `#`.
    override func takeLeave(_ connection: Connection) {
        guard sent > 0, sent < total else { return }
        let transaction = TransactionID(ids.next())
        connection.withOutput { output in
            writeHead(transaction, end: UInt64(sent), into: &output)
            Frame.writeEndLine(id: transaction, .aborted, into: &output)
        }
    }

    // MARK: The disk

    private func read() {
        guard !isReading, pieces.count < 2, nextRead < end, isUnderWay else { return }
        isReading = true
        let count = min(Self.pieceSize, end - nextRead)
        let bound = NIOLoopBound(self, eventLoop: mixer.transport.eventLoop)
        source.read(at: nextRead, count: count, on: mixer.transport.eventLoop) { bound.value.took($0) }
        nextRead += count
    }

    private func took(_ result: Result<ByteBuffer, SpoolRefusal>) {
        isReading = false
        guard isUnderWay else { return }
        switch result {
        case .success(let piece):
            pieces.append(piece)
            read()
            if isWaiting {
                isWaiting = false
                connection?.notifyWhenWritable()
            }
        case .failure(let refusal):
            fail(refusal == .noSuchFile ? .interrupted : .disk)
            connection?.close(.now)
            mixer.transport.scheduler.flush()
        }
    }

    // MARK: The session

    override func proceed(_ connection: Connection) {
        guard !isSent, !connection.isCongested else { return }
        guard session.outstanding < Self.mostOutstanding else {
            isWaiting = true
            return
        }
        guard total == 0 || wrapper.readableBytes > 0 || !pieces.isEmpty else {
            isWaiting = true
            return
        }
        guard desk.mayWrite(self), let body = nextBody() else { return }
        let now = mixer.now
        let id = ids.next(avoiding: body)
        guard session.registerShared(id: id, now: now) else { return }
        let transaction = TransactionID(id)
        let size = body.readableBytes
        connection.withOutput { output in
            // A chunk that may be interrupted has no end in its range (RFC 4975 section 7.1.1).
            writeHead(
                transaction, end: size > ByteRange.largestUninterruptible ? nil : UInt64(sent + size), into: &output)
            output.writeString("Content-Type: \(contentType)\r\n\r\n")
        }
        connection.enqueue(body)
        sent += size
        isSent = sent >= total
        connection.withOutput { output in
            output.writeString("\r\n")
            Frame.writeEndLine(id: transaction, isSent ? .complete : .more, into: &output)
        }
        mixer.counters.fileBytesSent &+= UInt64(size)
        read()
        if !isSent { connection.notifyWhenWritable() }
    }

    private func writeHead(_ id: TransactionID, end: UInt64?, into output: inout ByteBuffer) {
        Frame.writeRequestStart(id: id, method: "SEND", pathLines: pathLines, into: &output)
        Frame.writeHeader("Message-ID", messageID.string, into: &output)
        Frame.writeByteRange(
            total == 0 ? .nothing : ByteRange(start: UInt64(sent) + 1, end: end, total: UInt64(total)), into: &output)
    }

    /// The next octets of the message, at most a chunk; nil while they are not there.
    private func nextBody() -> ByteBuffer? {
        if total == 0 { return ByteBuffer() }
        if wrapper.readableBytes > 0 {
            defer { wrapper = ByteBuffer() }
            return wrapper
        }
        guard !pieces.isEmpty else { return nil }
        let body = pieces[pieces.startIndex].readSlice(
            length: min(Self.chunkSize, pieces[pieces.startIndex].readableBytes))
        if pieces[pieces.startIndex].readableBytes == 0 { pieces.removeFirst() }
        return body
    }

    override func answered() {
        guard phase == .active, let connection else { return }
        if isSent, session.outstanding == 0 {
            settle(.sent(id))
        } else if isWaiting, !pieces.isEmpty || wrapper.readableBytes > 0 {
            isWaiting = false
            connection.notifyWhenWritable()
        }
    }
}
