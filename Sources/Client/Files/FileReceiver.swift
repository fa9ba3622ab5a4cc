import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Payloads

/// The receiving end of a file's session, confined to the transport's loop.
///
/// It writes to the disk on that loop: the process has nothing else to do there, and a disk that is slow is to slow the
/// sender down.
final class FileReceiver: LinkUser {
    enum Event: Sendable {
        /// The path to give to the sender.
        case ready(String)
        case began(name: String, total: UInt64?, offset: UInt64)
        /// Octets of the file that are here; not for every chunk.
        case progress(UInt64)
        case stored(path: String, size: UInt64, resumedAt: UInt64, sha256: String)
        /// The session is over; `part` is what is left of an unfinished file.
        case ended(ClientError, part: Part?)

        struct Part: Sendable {
            var path: String
            var length: UInt64
            var total: UInt64?
        }
    }

    /// Between two `progress` events, and how long there may be none: who looks on sees that it is stalled.
    private static let progressStep: TimeAmount = .milliseconds(200)
    private static let quietStep: TimeAmount = .seconds(1)
    /// How long the sender may take to close after the last REPORT.
    private static let farewell: TimeAmount = .seconds(3)

    /// A file that was asked for, rather than one that somebody sends of his own.
    struct Pull: Sendable {
        /// Open for it, at the octet from which on it was asked for.
        var part: PartFile
        /// For who looks on.
        var name: String
        /// Octets of the whole file.
        var size: UInt64?
    }

    /// Where the sender of a pulled file is, as its answer says.
    struct Peer: Sendable {
        var path: Path
        var fingerprints: [Fingerprint]
    }

    /// How long the sender of a pulled file may say nothing.
    static let patience: TimeAmount = .seconds(60)

    private let folder: String
    private let pull: Pull?
    private var peer: Peer?
    private var bind: UInt64?
    private var lastNews = NIODeadline.now()
    private let link: SessionLink
    private let emit: @Sendable (Event) -> Void
    private var reception: FileReception
    private var file: PartFile?
    /// The part that our answer to FILE_OFFSET told about.
    private var resumable: PartFile?
    private var isLookingForPart = false
    /// FILE_OFFSET whose answer is not known yet.
    private var waitingForOffset: Head?
    private var offset: UInt64 = 0
    private var lastProgress = NIODeadline.uptimeNanoseconds(0)
    private var farewellOver: NIODeadline?
    private var isOver = false
    private var failure: ClientError?

    init(folder: String, largest: UInt64, link: SessionLink, emit: @escaping @Sendable (Event) -> Void) {
        self.folder = folder
        pull = nil
        self.link = link
        self.emit = emit
        reception = FileReception(sessionKey: link.id.text, largest: largest)
        link.user = self
    }

    /// For a file that is asked for by an offer of ours.
    /// - Parameter peer: nil until the answer is there, which `start` tells; the link reserves our relays meanwhile.
    init(pulling pull: Pull, from peer: Peer?, link: SessionLink, emit: @escaping @Sendable (Event) -> Void) {
        folder = ""
        self.pull = pull
        self.peer = peer
        self.link = link
        self.emit = emit
        reception = FileReception(sessionKey: link.id.text, largest: pull.size ?? .max)
        reception.agreement = .init(offset: pull.part.length, size: pull.size)
        resumable = pull.part
        link.user = self
    }

    /// The answer to the offer is there: binds the session (RFC 4975 section 5.4).
    func start(_ peer: Peer) {
        self.peer = peer
        if link.connection != nil { sendBind(to: peer) }
    }

    /// Ends the session; what came is kept.
    /// - Returns: the part, when a file was unfinished.
    func stop() -> Event.Part? {
        isOver = true
        link.close()
        return keepPart()
    }

    private func keepPart() -> Event.Part? {
        resumable?.keep()
        resumable = nil
        guard let file, !reception.isComplete else { return nil }
        file.keep()
        self.file = nil
        guard file.length > 0 else { return nil }
        return Event.Part(path: file.partPath, length: file.length, total: reception.total)
    }

    // MARK: LinkUser

    func established(_ link: SessionLink) {
        guard let path = link.advertisedPath else {
            return finish(.unusableAnswer("the way through the relays is too long"))
        }
        if let peer { sendBind(to: peer) } else { emit(.ready(path.description)) }
    }

    private func sendBind(to peer: Peer) {
        guard let connection = link.connection, let own = link.localPath, let toPath = link.toPath(peer.path) else {
            return finish(.unusableAnswer("the way to the sender leads over too many relays"))
        }
        guard link.shows(oneOf: peer.fingerprints) else {
            return finish(.lost("the server's certificate is not the one it announced (RFC 4975 section 14.4)"))
        }
        let id = UInt64.random(in: .min ... .max)
        bind = id
        lastNews = .now()
        connection.withOutput { output in
            Frame.writeRequestStart(
                id: TransactionID(id), method: "SEND", pathLines: Frame.pathLines(to: toPath, from: own), into: &output)
            Frame.writeHeader("Message-ID", MessageID(UInt64.random(in: .min ... .max)).string, into: &output)
            Frame.writeByteRange(.nothing, into: &output)
            Frame.writeEndLine(id: TransactionID(id), .complete, into: &output)
        }
    }

    func part(_ part: Part, from connection: Connection) {
        switch part {
        case .head(let head):
            lastNews = .now()
            if let status = head.status, !status.isSuccess, bind != nil, head.transactionID.value == bind {
                return finish(.denied("the room refused the session: \(status)"))
            }
            switch reception.received(head) {
            case .none: break
            case .wantsOffset(let name, let size): lookForPart(name, size)
            case .begins(let name, let total, let offset): begin(name, total, offset)
            }
        case .body(let bytes):
            lastNews = .now()
            guard reception.receivedBody(bytes.readableBytes), let file else { return }
            do throws(FileError) {
                try file.append(bytes)
            } catch {
                reception.fail(.stopSending)
                fail(error)
            }
        case .outgoingEndLine:
            break
        case .end(let continuation):
            end(continuation, connection)
        }
    }

    func writable(_ connection: Connection) {}

    func ticked(_ now: NIODeadline) {
        if file != nil, !reception.isComplete, now - lastProgress >= Self.quietStep { tellProgress(now) }
        if pull != nil, peer != nil, !reception.isComplete, now - lastNews >= Self.patience {
            finish(.lost("nothing came for \(Self.patience.nanoseconds / 1_000_000_000) s"))
        }
        if let farewellOver, farewellOver <= now { finish(.lost("the sender didn't close the session")) }
    }

    func ended(_ error: ClientError) {
        // All of it is here: what the disk says of it counts.
        if pull != nil, reception.isComplete, file != nil { return }
        finish(error)
    }

    private func finish(_ error: ClientError) {
        guard !isOver else { return }
        isOver = true
        link.close()
        emit(.ended(error, part: keepPart()))
    }

    /// Told when the sender has been answered.
    private func fail(_ error: FileError) { failure = .denied(error.description) }

    // MARK: The file

    /// Finding the part again takes reading it, which may take a while.
    private func lookForPart(_ name: String, _ size: UInt64?) {
        guard pull == nil, let size, reception.message == nil, !isLookingForPart else { return }
        resumable = nil
        reception.agreement = nil
        isLookingForPart = true
        let folder = folder
        let bound = NIOLoopBound(self, eventLoop: link.transport.eventLoop)
        NIOThreadPool.singleton.runIfActive(eventLoop: link.transport.eventLoop) {
            PartFile.resume(folder: folder, name: name, size: size)
        }.whenComplete { result in
            bound.value.foundPart((try? result.get()) ?? nil)
        }
    }

    private func foundPart(_ part: PartFile?) {
        isLookingForPart = false
        guard !isOver, reception.message == nil else { return }
        resumable = part
        reception.agreement = part.map { .init(offset: $0.length) }
        if let head = waitingForOffset, let connection = link.connection { answerOffset(head, connection) }
        link.transport.scheduler.flush()
    }

    private func answerOffset(_ head: Head, _ connection: Connection) {
        waitingForOffset = nil
        guard !isLookingForPart else {
            waitingForOffset = head
            return
        }
        var headers = [(name: "Offset", value: "\(resumable?.length ?? 0)")]
        // Lets the sender see whether what we have is the beginning of what it has.
        if let resumable { headers.append(("Offset-Hash", "sha-256:\(resumable.hash.hexadecimal)")) }
        respond(to: head, .ok, headers: headers, connection)
    }

    private func begin(_ name: String, _ total: UInt64?, _ offset: UInt64) {
        self.offset = offset
        if offset > 0, let resumable {
            file = resumable
        } else {
            do throws(FileError) {
                if let pull {
                    try pull.part.restart()
                    file = pull.part
                } else {
                    file = try PartFile.create(folder: folder, name: name)
                }
            } catch {
                reception.fail(.stopSending)
                return fail(error)
            }
        }
        resumable = nil
        emit(.began(name: pull?.name ?? name, total: total ?? pull?.size, offset: offset))
    }

    // MARK: Answers

    private func end(_ continuation: Continuation, _ connection: Connection) {
        guard let head = reception.head else { return }
        switch reception.receivedEnd(continuation) {
        case .none:
            break
        case .offset:
            answerOffset(head, connection)
        case .answer(let status):
            respond(to: head, status, connection)
            if let failure {
                self.failure = nil
                finish(failure)
            }
        case .chunk(let range):
            respond(to: head, .ok, connection)
            report(on: head, range, connection)
            let now = NIODeadline.now()
            if now - lastProgress >= Self.progressStep { tellProgress(now) }
        case .complete(let range):
            respond(to: head, .ok, connection)
            store(head, range)
        case .aborted:
            respond(to: head, .ok, connection)
            finish(.lost("the sender gave up"))
        }
    }

    private func tellProgress(_ now: NIODeadline) {
        lastProgress = now
        emit(.progress(reception.length))
    }

    /// The disk may take a while with a file's last octets.
    private func store(_ head: Head, _ range: ByteRange) {
        guard let file else { return }
        let bound = NIOLoopBound(self, eventLoop: link.transport.eventLoop)
        NIOThreadPool.singleton.runIfActive(eventLoop: link.transport.eventLoop) {
            Result { () throws(FileError) in try file.complete() }
        }.whenComplete { result in
            bound.value.stored((try? result.get()) ?? .failure(FileError("leaving")), head, range)
        }
    }

    private func stored(_ result: Result<String, FileError>, _ head: Head, _ range: ByteRange) {
        guard let file else { return }
        self.file = nil
        switch result {
        case .success(let path):
            if let connection = link.connection { report(on: head, range, connection) }
            emit(.stored(path: path, size: file.length, resumedAt: offset, sha256: file.hash.hexadecimal))
            farewellOver = .now() + Self.farewell
        case .failure(let error):
            file.keep()
            finish(.denied(error.description))
        }
        link.transport.scheduler.flush()
    }

    /// RFC 4975 section 7.2: nothing for `Failure-Report: no`, only refusals for `partial`.
    private func respond(
        to head: Head, _ status: Status, headers: [(name: String, value: String)] = [], _ connection: Connection
    ) {
        guard let own = link.localPath else { return }
        if head.method == .send {
            switch head.failureReport {
            case .no: return
            case .partial where status.isSuccess: return
            case .partial, .yes: break
            }
        }
        _ = head.withValue("From-Path") { path in
            // The previous hop answers for a SEND; other answers go the whole way back.
            let isSend = head.method == .send
            let end = isSend ? path.firstIndex(of: UInt8(ascii: " ")) ?? path.count : path.count
            connection.withOutput { output in
                Frame.writeResponse(
                    id: head.transactionID, status: status, toPath: UnsafeRawBufferPointer(rebasing: path[..<end]),
                    fromPath: ByteBuffer(string: own.description), headers: headers, into: &output)
            }
        }
    }

    /// RFC 4975 section 7.1.3: one for each chunk, which shows the sender how far the file has come.
    private func report(on head: Head, _ range: ByteRange, _ connection: Connection) {
        guard head.successReport == .yes, let messageID = head.messageID, let own = link.localPath else { return }
        _ = head.withValue("From-Path") { path in
            connection.withOutput { output in
                Frame.writeReport(
                    id: TransactionID(UInt64.random(in: .min ... .max)), toPath: path,
                    fromPath: ByteBuffer(string: own.description), messageID: messageID, byteRange: range, status: .ok,
                    into: &output)
            }
        }
    }
}

@available(*, unavailable)
extension FileReceiver: Sendable {}
