import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Payloads
import SIP
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

// Files of the room (RFC 5547): each is a call of its own to the room's URI, with an MSRP session of its own, one at a time.
extension ChatClient {
    /// What the user asked for and what waits for its turn.
    enum FileOrder: Sendable {
        case send(path: String)
        case get(RoomFiles.Entry, path: String?)
    }

    /// The transfer that is under way.
    struct FileTransfer: Sendable {
        enum Work: Sendable {
            case send(SourceFile, FileDescription)
            case get(FileReceiver.Pull, FileDescription)
        }

        /// Tells what is said about this one from what is still said about one before.
        let number: Int
        let order: FileOrder
        /// As it is shown.
        var name: String
        let stopper = Stopper()
        /// Nil while the disk is read for it.
        var work: Work?
        var negotiation: FileNegotiation?
        var localPath = ""
        var sessionID = SessionID.random()
        var call: Call?
        var hasCredentials = false
        var isEstablished = false
        /// The room says that all went well.
        var isDone = false
        var sender: NIOLoopBound<FileSender>?
        var receiver: NIOLoopBound<FileReceiver>?
        /// When it began, and where.
        var began: (time: Double, offset: UInt64)?
        /// All is said; the call's end is waited for.
        var isOver = false
    }

    /// What happens to a transfer.
    enum FileHappening: Sendable {
        /// The file was read and hashed; nil: the user stopped it.
        case read(Result<(SourceFile, FileDescription)?, FileError>)
        case hashed(UInt64)
        /// The part is open for what comes.
        case opened(Result<FileReceiver.Pull, FileError>)
        case sender(FileSender.Event)
        case receiver(FileReceiver.Event)
        case unanswered
        /// The call has ended; what the session had to say was waited for.
        case hungUp(String)
        case byeOverdue
    }

    /// Says to a thread that hashes a file that nobody wants it any more.
    final class Stopper: Sendable {
        private let stopped = Mutex(false)
        var isStopped: Bool { stopped.withLock { $0 } }
        func stop() { stopped.withLock { $0 = true } }
    }

    /// Orders that may wait.
    private static let mostOrders = 100
    /// Files of this size and more show that they are hashed before they are sent, octets.
    private static let shownHashing: UInt64 = 64 << 20
    /// How long the end of a transfer's call is waited for.
    private static let byeTime: Duration = .seconds(4)
    /// How long, after the room has hung up, the session's last words may take: the two come by different ways.
    static let lastWords: Duration = .seconds(1)

    // MARK: What the user wants

    func sendFile(_ path: String) async { await take(.send(path: ChatPaths.expanded(path))) }

    func getFile(_ number: Int, path: String?) async {
        guard let entry = files[number] else {
            return failed(
                files.entries.isEmpty ? "the room has no files" : "there is no file \(number); /files lists them")
        }
        guard !entry.isGone else { return failed("the room has file \(number) no longer") }
        await take(.get(entry, path: path.map(ChatPaths.expanded)))
    }

    func showFiles() {
        if printer.style == .json { return output(printer.files(files, of: room)) }
        let now = InternetDateTime.seconds(console.clock().dateTime) ?? 0
        let lines = printer.lines(for: files, now: now) { name(of: $0) }
        notices(lines.isEmpty ? "no files in \(room)" : "\(lines.count) file\(lines.count == 1 ? "" : "s") in \(room)")
        for line in lines { notices("  \(line)") }
    }

    func cancelFiles() async {
        let waiting = orders.count
        orders = []
        guard transfer != nil else { return notices("nothing is being sent or got") }
        if waiting > 0 { notices("\(waiting) more will not be sent or got") }
        await endTransfer(.stopped)
    }

    private func take(_ order: FileOrder) async {
        guard orders.count < Self.mostOrders else { return failed("too many files are waiting") }
        orders.append(order)
        await nextFile()
    }

    /// A file that wasn't sent or got.
    func failed(_ text: String) {
        untransferred += 1
        notices(text)
    }

    // MARK: The disk

    private func nextFile() async {
        guard transfer == nil, phase == .chatting, !orders.isEmpty else { return }
        let order = orders.removeFirst()
        lastTransfer += 1
        switch order {
        case .send(let path):
            transfer = FileTransfer(number: lastTransfer, order: order, name: FileName.sanitised(path))
            read(path)
        case .get(let entry, let path):
            transfer = FileTransfer(number: lastTransfer, order: order, name: FileName.sanitised(entry.file.name))
            open(entry.file, path)
        }
    }

    /// Hashes the file: whoever gets it wants to know what it is before it comes (RFC 5547 section 6).
    private func read(_ path: String) {
        guard let transfer else { return }
        let (number, stopper, tell) = (transfer.number, transfer.stopper, teller)
        let type = ContentType(parsing: MediaTypes.type(ofFile: path))
        let id = Self.transferID()
        onPool {
            let result = Result { () throws(FileError) -> (SourceFile, FileDescription)? in
                let file = try SourceFile(path: path)
                var told: UInt64 = 0
                let hashes = try file.fingerprints { done in
                    if done - told >= Self.shownHashing / 4, file.size >= Self.shownHashing {
                        told = done
                        tell(number, .hashed(done))
                    }
                    return !stopper.isStopped
                }
                guard let hashes else { return nil }
                let selector = FileSelector(
                    name: file.name, type: type, size: file.size,
                    hashes: hashes.map { FileHash($0.hash.rawValue, $0.digest) })
                return (file, FileDescription(selector: selector, transferID: id, disposition: "attachment"))
            }
            tell(number, .read(result))
        }
    }

    /// Opens the part that the file goes into; what is in it already is not asked for.
    private func open(_ file: RoomFile, _ path: String?) {
        guard let transfer, let hash = file.bestHash else { return }
        let (number, tell) = (transfer.number, teller)
        onPool {
            let result = Result { () throws(FileError) -> FileReceiver.Pull in
                let place = ChatPaths.place(for: FileName.sanitised(file.name), at: path)
                let part = try PartFile.fetch(
                    folder: place.folder, name: place.name, expected: hash, size: file.size)
                return FileReceiver.Pull(part: part, name: place.name, size: file.size)
            }
            tell(number, .opened(result))
        }
    }

    /// A token that no other transfer has (RFC 5547 section 6).
    private static func transferID() -> String {
        (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
    }

    var teller: @Sendable (Int, FileHappening) -> Void {
        let happened = happened
        return { number, happening in happened.yield(.file(number, happening)) }
    }

    private func onPool(_ work: @escaping @Sendable () -> Void) {
        NIOThreadPool.singleton.submit { state in if state == .active { work() } }
    }

    // MARK: What happens

    func handle(_ number: Int, _ happening: FileHappening) async {
        guard let transfer, transfer.number == number else { return }
        if transfer.isOver {
            if case .byeOverdue = happening { await forget() }
            if case .opened(.success(let pull)) = happening { pull.part.keep() }
            return
        }
        switch happening {
        case .hashed(let done):
            if case .send = transfer.order {
                if self.transfer?.began == nil { beginHashing() }
                console.status(.progress(done))
            }
        case .read(.success(nil)): await endTransfer(.stopped)
        case .read(.success(let found?)): await call(.send(found.0, found.1))
        case .read(.failure(let error)), .opened(.failure(let error)): await endTransfer(.failed("\(error)"))
        case .opened(.success(let pull)):
            guard case .get(let entry, _) = transfer.order, let hash = entry.file.bestHash else { return }
            let selector = FileSelector(
                name: entry.file.name, type: entry.file.type.flatMap { ContentType(parsing: $0) },
                size: entry.file.size,
                hashes: [FileHash(hash.hash.rawValue, hash.digest)])
            var description = FileDescription(selector: selector, transferID: Self.transferID())
            if pull.part.length > 0 { description.range = FileRange(start: pull.part.length + 1, stop: nil) }
            await call(.get(pull, description))
        case .sender(let event): await handle(event)
        case .receiver(let event): await handle(event)
        case .unanswered:
            if !transfer.isEstablished { await endTransfer(.failed("no answer from the server")) }
        case .hungUp(let reason): await endTransfer(.failed(reason))
        case .byeOverdue: break
        }
    }

    private func beginHashing() {
        guard let transfer, case .send(let path) = transfer.order else { return }
        self.transfer?.began = (now, 0)
        console.status(.began(name: "reading \(transfer.name)", total: ChatPaths.size(of: path), start: 0))
    }

    private func handle(_ event: FileSender.Event) async {
        guard let transfer, case .send(let file, _)? = transfer.work else { return }
        switch event {
        case .reserved(let path):
            self.transfer?.localPath = path
            await invite(retrying: nil, authorization: nil)
        case .began(let offset):
            self.transfer?.began = (now, offset)
            console.status(.began(name: transfer.name, total: file.size, start: offset))
        case .progress(let done): console.status(.progress(done))
        case .arrived(_, let offset):
            await endTransfer(.done("sent \(transfer.name): \(summary(file.size - min(offset, file.size)))"))
        case .ended(let error, _): await endTransfer(.failed(error.description))
        }
    }

    private func handle(_ event: FileReceiver.Event) async {
        guard transfer != nil else { return }
        switch event {
        case .ready(let path):
            self.transfer?.localPath = path
            await invite(retrying: nil, authorization: nil)
        case .began(let name, let total, let offset):
            self.transfer?.began = (now, offset)
            if offset > 0 { notice("\(TransferProgress.bytes(offset)) of \(name) are here already; getting the rest") }
            console.status(.began(name: name, total: total, start: offset))
        case .progress(let done): console.status(.progress(done))
        case .stored(let path, let size, let offset, _):
            await endTransfer(
                .done("got \(ChatPaths.shown(path)): \(summary(size - min(offset, size)))"))
        case .ended(let error, let part):
            let kept = part.map { "; \(TransferProgress.bytes($0.length)) are kept, /get it again to go on" } ?? ""
            await endTransfer(.failed(error.description + kept))
        }
    }

    /// `12.3 MB in 0:07, 1.8 MB/s`
    private func summary(_ count: UInt64) -> String {
        TransferProgress.summary(count, seconds: now - (transfer?.began?.time ?? now))
    }

    // MARK: The end

    enum TransferEnd {
        case done(String)
        case failed(String)
        case stopped
    }

    func endTransfer(_ end: TransferEnd) async {
        guard let transfer, !transfer.isOver else { return }
        self.transfer?.isOver = true
        transfer.stopper.stop()
        console.status(.ended)
        var kept: FileReceiver.Event.Part?
        if let sender = transfer.sender { _ = await files(over: { _ in sender.value.stop() }) }
        if let receiver = transfer.receiver { kept = await files(over: { _ in receiver.value.stop() }) ?? nil }
        if transfer.receiver == nil, case .get(let pull, _)? = transfer.work { pull.part.keep() }
        let verb = if case .send = transfer.order { "sending" } else { "getting" }
        switch end {
        case .done(let text): notices(text)
        case .failed(let text):
            failed("\(verb) \(transfer.name) failed: \(text.withoutControls(keepingLines: false))")
        case .stopped:
            let part = kept.map { "; \(TransferProgress.bytes($0.length)) are kept, /get it again to go on" } ?? ""
            failed("\(verb) \(transfer.name) was stopped\(part)")
        }
        guard let call = transfer.call else { return await forget() }
        await stack?.bye(call)
        tellLater(Self.byeTime, .byeOverdue)
    }

    func tellLater(_ delay: Duration, _ happening: FileHappening) {
        guard let number = transfer?.number else { return }
        after(delay, .file(number, happening))
    }

    func forget() async {
        transfer = nil
        await nextFile()
    }

    /// Ends what is under way, since the chat ends.
    func dropFiles() async {
        orders = []
        if let transfer, !transfer.isOver { await endTransfer(.stopped) }
    }
}
