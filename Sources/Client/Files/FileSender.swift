import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Payloads

/// The sending end of a file's session, confined to the transport's loop: binds, asks where to go on, sends, and waits
/// until the receiver has confirmed all of it.
///
/// It reads the disk on that loop: the process has nothing else to do there.
final class FileSender: LinkUser {
    enum Event: Sendable {
        /// Our relays have given us their URIs: what to write into the offer's a=path.
        case reserved(path: String)
        /// The receiver is there; `offset` octets of the file it has already.
        case began(offset: UInt64)
        /// Octets that came to the receiver; not for every chunk.
        case progress(UInt64)
        case arrived(sha256: String, resumedAt: UInt64)
        /// The session is over before its aim; `confirmed` octets came to the receiver.
        case ended(ClientError, confirmed: UInt64)
    }

    private enum Phase {
        case connecting
        case binding(UInt64)
        case asking(UInt64)
        /// The beginning is compared with what the receiver has.
        case comparing
        case sending
        case over
    }

    /// How long an answer to FILE_OFFSET is waited for: not all receivers and relays know it.
    static let offsetTimeout: TimeAmount = .seconds(20)
    /// Octets that may wait for the connection before the next chunk is read.
    private static let queueLimit = 512 << 10
    /// Between two `progress` events, and how long there may be none: who looks on sees that it is stalled.
    private static let progressStep: TimeAmount = .milliseconds(200)
    private static let quietStep: TimeAmount = .seconds(1)

    private let file: SourceFile
    private var remotePath: Path?
    private let fingerprints: [Fingerprint]
    private let wording: @Sendable (Status) -> String
    private let knowsSize: Bool
    private let contentType: String
    private let chunkSize: Int
    private let link: SessionLink
    private let emit: @Sendable (Event) -> Void
    private let messageID = MessageID(UInt64.random(in: .min ... .max))
    private var ids = IDGenerator()
    private var phase = Phase.connecting
    private var deadline = NIODeadline.distantFuture
    private var sending: FileSending?
    private var pathLines = ByteBuffer()
    /// Which chunk's REPORTs and what responses are read of the message that is coming.
    private var head: Head?
    private var lastProgress = NIODeadline.uptimeNanoseconds(0)

    /// - Parameters:
    ///   - remotePath: the receiver's a=path; nil until the answer with it is there, which `start` tells. The link reserves
    ///     our relays meanwhile.
    ///   - fingerprints: of the certificate that the receiver announced.
    ///   - knowsSize: whether the receiver was told the size before: then nothing needs to be sent of an empty file.
    ///   - wording: says to people what a refusal means.
    init(
        file: SourceFile, remotePath: Path?, fingerprints: [Fingerprint] = [], contentType: String, chunkSize: Int,
        link: SessionLink, knowsSize: Bool = false,
        wording: @escaping @Sendable (Status) -> String = { FileSender.refusal(of: $0) },
        emit: @escaping @Sendable (Event) -> Void
    ) {
        self.file = file
        self.remotePath = remotePath
        self.fingerprints = fingerprints
        self.wording = wording
        self.knowsSize = knowsSize
        self.contentType = contentType
        self.chunkSize = chunkSize
        self.link = link
        self.emit = emit
        link.user = self
    }

    /// Gives up: the receiver is told so, and keeps what it has.
    /// - Returns: how many octets it has confirmed.
    func stop() -> UInt64 {
        let confirmed = sending?.confirmed ?? 0
        if case .sending = phase, let sending, !sending.hasSentLast, let connection = link.connection {
            let range = ByteRange(start: sending.sent + 1, end: sending.sent, total: sending.size)
            write(ByteBuffer(), id: ids.next(), range: range, .aborted, to: connection)
        }
        phase = .over
        link.close()
        return confirmed
    }

    private func finish(_ error: ClientError) {
        if case .over = phase { return }
        phase = .over
        link.close()
        emit(.ended(error, confirmed: sending?.confirmed ?? 0))
    }

    // MARK: LinkUser

    func established(_ link: SessionLink) {
        guard let remotePath else { return emit(.reserved(path: link.advertisedPath?.description ?? "")) }
        start(remotePath)
    }

    /// The receiver's a=path is known: binds the session (RFC 4975 section 5.4).
    func start(_ remotePath: Path) {
        guard case .connecting = phase else { return }
        self.remotePath = remotePath
        guard let connection = link.connection, let own = link.localPath, let toPath = link.toPath(remotePath) else {
            return finish(.unusableAnswer("the way to the receiver leads over too many relays"))
        }
        guard link.shows(oneOf: fingerprints) else {
            return finish(.lost("the server's certificate is not the one it announced (RFC 4975 section 14.4)"))
        }
        pathLines = Frame.pathLines(to: toPath, from: own)
        let id = ids.next()
        phase = .binding(id)
        deadline = .now() + FileSending.patience
        connection.withOutput { output in
            Frame.writeRequestStart(id: TransactionID(id), method: "SEND", pathLines: pathLines, into: &output)
            Frame.writeHeader("Message-ID", MessageID(ids.next()).string, into: &output)
            Frame.writeByteRange(.nothing, into: &output)
            Frame.writeEndLine(id: TransactionID(id), .complete, into: &output)
        }
    }

    func part(_ part: Part, from connection: Connection) {
        switch part {
        case .head(let head): self.head = head
        case .body, .outgoingEndLine: break
        case .end:
            guard let head else { return }
            self.head = nil
            took(head, connection)
        }
    }

    func writable(_ connection: Connection) { pump() }

    func ended(_ error: ClientError) {
        if case .connecting = phase { return finish(error) }
        finish(.lost("the session ended: \(error)"))
    }

    func ticked(_ now: NIODeadline) {
        switch phase {
        case .binding where deadline <= now:
            finish(.noAnswer("nobody answers" + (remotePath.map { " at \($0.first)" } ?? "")))
        case .asking where deadline <= now:
            begin(at: 0)
        case .sending:
            if now - lastProgress >= Self.quietStep { tellProgress(now) }
            let hasQueue = (link.connection?.queuedBytes ?? 0) > 0
            let isDirect = link.usePath.isEmpty && remotePath?.uris.count == 1
            sending?.ticked(now: now, hasQueue: hasQueue, isDirect: isDirect)
            judge()
        case .connecting, .binding, .asking, .comparing, .over: break
        }
    }

    // MARK: What comes

    private func took(_ head: Head, _ connection: Connection) {
        guard let status = head.status else {
            switch head.method {
            case .report: reported(head)
            case .send, .fileOffset, .auth, .nickname, .other, nil:
                // A keep-alive of the receiver's; what else it may want is not for us.
                let answer = head.method == .send && !head.hasBody ? Status.ok : .unknownMethod
                connection.withOutput { _ = Frame.writeRefusal(of: head, status: answer, into: &$0) }
            }
            return
        }
        guard let id = head.transactionID.value else { return }
        switch phase {
        case .binding(id):
            guard status.isSuccess else { return finish(.denied(wording(status))) }
            guard !knowsSize || file.size > 0 else { return arrive(at: 0) }
            askOffset(connection)
        case .asking(id):
            guard status.isSuccess, let offset = head.value("Offset").flatMap({ UInt64($0) }), offset > 0 else {
                return begin(at: 0)
            }
            compare(offset, head.value("Offset-Hash"))
        default:
            sending?.answered(id, status, now: .now())
            judge()
        }
    }

    static func refusal(of status: Status) -> String {
        switch status.code {
        case 481:
            "481: this URI is not, or no longer, one to send to; ask the receiver for a new one"
        case 403: "403: the receiver's relay doesn't let this through"
        case 408: "408: the receiver is not there any more; ask for a new URI"
        case 413: "413: the receiver doesn't want this file"
        case 415: "415: the receiver doesn't take files of this type"
        case 506: "506: somebody else uses this URI already; ask the receiver for a new one"
        default: "the receiver refused: \(status)"
        }
    }

    private func reported(_ head: Head) {
        guard head.messageID == messageID, let (namespace, status) = head.reportStatus, namespace == 0 else {
            if let (_, status) = head.reportStatus, !status.isSuccess, case .binding = phase {
                finish(.denied(wording(status)))
            }
            return
        }
        sending?.reported(status, head.byteRange, now: .now())
        judge()
    }

    // MARK: Where to go on

    private func askOffset(_ connection: Connection) {
        let id = ids.next()
        phase = .asking(id)
        deadline = .now() + Self.offsetTimeout
        let disposition = ContentDisposition(filename: file.name, size: file.size)
        connection.withOutput { output in
            Frame.writeRequestStart(id: TransactionID(id), method: "FILE_OFFSET", pathLines: pathLines, into: &output)
            Frame.writeHeader("Message-ID", messageID.string, into: &output)
            Frame.writeHeader("Content-Disposition", disposition.headerValue, into: &output)
            Frame.writeEndLine(id: TransactionID(id), .complete, into: &output)
        }
    }

    /// Hashing what the receiver has already may take a while.
    private func compare(_ offset: UInt64, _ hash: String?) {
        phase = .comparing
        let sha256 = hash.flatMap { $0.hasPrefix("sha-256:") ? String($0.dropFirst(8)) : nil }
        let file = file
        let bound = NIOLoopBound(self, eventLoop: link.transport.eventLoop)
        NIOThreadPool.singleton.runIfActive(eventLoop: link.transport.eventLoop) {
            file.skip(to: offset, sha256: sha256)
        }.whenComplete { result in
            guard case .comparing = bound.value.phase else { return }
            bound.value.begin(at: (try? result.get()) == true ? offset : 0)
            bound.value.link.transport.scheduler.flush()
        }
    }

    private func begin(at offset: UInt64) {
        phase = .sending
        sending = FileSending(size: file.size, offset: offset, chunkSize: chunkSize, now: .now())
        emit(.began(offset: offset))
        pump()
    }

    // MARK: What goes

    private func pump() {
        guard case .sending = phase, let connection = link.connection else { return }
        while connection.isOpen, sending?.outcome == .going {
            guard !connection.isCongested, connection.queuedBytes < Self.queueLimit else {
                return connection.notifyWhenWritable()
            }
            // The id is known only with the octets, which must not have its end-line in them.
            guard let planned = sending?.planned else { return }
            let body = file.read(planned.size)
            guard body.readableBytes == planned.size else {
                _ = stop()
                return emit(.ended(.denied("\(file.path) became shorter while it was sent"), confirmed: 0))
            }
            let id = ids.next(avoiding: body)
            guard let chunk = sending?.next(id: id, now: .now()) else { return }
            let isShort = chunk.size <= ByteRange.largestUninterruptible
            let range = ByteRange(
                start: chunk.start + 1, end: isShort ? chunk.start + UInt64(chunk.size) : nil, total: file.size)
            write(body, id: id, range: range, chunk.isLast ? .complete : .more, to: connection)
        }
    }

    private func write(
        _ body: ByteBuffer, id: UInt64, range: ByteRange, _ continuation: Continuation, to connection: Connection
    ) {
        let id = TransactionID(id)
        let disposition = ContentDisposition(filename: file.name, size: file.size)
        connection.withOutput { output in
            Frame.writeRequestStart(id: id, method: "SEND", pathLines: pathLines, into: &output)
            Frame.writeHeader("Message-ID", messageID.string, into: &output)
            Frame.writeByteRange(range, into: &output)
            Frame.writeHeader("Success-Report", "yes", into: &output)
            Frame.writeHeader("Failure-Report", "yes", into: &output)
            Frame.writeHeader("Content-Disposition", disposition.headerValue, into: &output)
            Frame.writeHeader("Content-Type", contentType, into: &output)
            output.writeStaticString("\r\n")
            output.writeImmutableBuffer(body)
            output.writeStaticString("\r\n")
            Frame.writeEndLine(id: id, continuation, into: &output)
        }
    }

    private func tellProgress(_ now: NIODeadline) {
        lastProgress = now
        if let sending { emit(.progress(sending.progress)) }
    }

    private func arrive(at offset: UInt64) {
        phase = .over
        link.close()
        emit(.arrived(sha256: file.sha256, resumedAt: offset))
    }

    private func judge() {
        guard case .sending = phase, let sending else { return }
        switch sending.outcome {
        case .going:
            let now = NIODeadline.now()
            if now - lastProgress >= Self.progressStep { tellProgress(now) }
            pump()
        case .arrived: arrive(at: sending.offset)
        case .failed(.timeout), .failed(.noSuchSession): finish(.lost("the receiver is gone"))
        case .failed(let status): finish(.denied(wording(status)))
        case .silent: finish(.lost("no answer for \(FileSending.patience.nanoseconds / 1_000_000_000) s"))
        case .unconfirmed:
            finish(.lost("all was sent, but the receiver didn't confirm that it has it"))
        }
    }
}

@available(*, unavailable)
extension FileSender: Sendable {}
