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
    private static let lastWords: Duration = .seconds(1)

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

    private var teller: @Sendable (Int, FileHappening) -> Void {
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

    private enum TransferEnd {
        case done(String)
        case failed(String)
        case stopped
    }

    private func endTransfer(_ end: TransferEnd) async {
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

    private func tellLater(_ delay: Duration, _ happening: FileHappening) {
        guard let number = transfer?.number else { return }
        after(delay, .file(number, happening))
    }

    private func forget() async {
        transfer = nil
        await nextFile()
    }

    /// Ends what is under way, since the chat ends.
    func dropFiles() async {
        orders = []
        if let transfer, !transfer.isOver { await endTransfer(.stopped) }
    }

    // MARK: The call

    private func call(_ work: FileTransfer.Work) async {
        transfer?.work = work
        let local = LocalMedia(
            acceptTypes: ["*"], fingerprints: negotiation.local.fingerprints, allowsTCP: !options.usesTLS,
            allowsTLS: options.usesTLS, offeredSetup: .active, usesRelay: options.relay != nil)
        transfer?.negotiation = FileNegotiation(local: local, originID: UInt64.random(in: .min ... .max))
        guard let transfer else { return }
        if let relay = options.relay {
            do throws(ClientError) {
                // The call needs our path, so the relays come first.
                await open(work, remote: nil, way: .relays(try await RelayWay.find(relay), relay))
            } catch {
                await endTransfer(.failed(error.description))
            }
            return
        }
        self.transfer?.localPath = MSRPNegotiation.localPath(
            host: options.peer.localAddress, port: 9, isTLS: options.usesTLS, sessionID: transfer.sessionID.text)
        await invite(retrying: nil, authorization: nil)
    }

    private func invite(retrying: Call?, authorization: HeaderField?) async {
        guard let transfer, let work = transfer.work, let stack else { return }
        let description: FileDescription
        let isPull: Bool
        switch work {
        case .send(_, let file): (description, isPull) = (file, false)
        case .get(_, let file): (description, isPull) = (file, true)
        }
        guard
            let offer = self.transfer?.negotiation?.makeOffer(
                localPath: transfer.localPath, file: description, asks: isPull)
        else { return }
        self.transfer?.call = await stack.invite(
            fileTarget, from: from, to: "<\(room)>", route: options.peer.route,
            headers: authorization.map { [$0] } ?? [],
            body: MessageBody(contentType: "application/sdp", content: offer),
            retrying: retrying)
        tellLater(options.timeout, .unanswered)
    }

    /// The room's URI, as it was called; a room that a factory made has a name of its own.
    private var fileTarget: SIPURI {
        var target = options.peer.target
        target.user = room.user
        return target
    }

    /// What comes in the dialog of a transfer; false for what is in no such dialog.
    func handleForFile(_ event: SIPEvent) async -> Bool {
        guard let transfer, let call = transfer.call else { return false }
        switch event {
        case .response(call, "INVITE", let response):
            if !response.isProvisional { await answeredForFile(response, call) }
        case .bye(call, let request):
            let reason = request.headers["Reason"].map { ": \(Self.words(of: $0))" } ?? ""
            // All went well: the session says so, when the disk is done.
            self.transfer?.isDone = request.headers["Reason"]?.contains("cause=200") == true
            if self.transfer?.isDone != true { tellLater(Self.lastWords, .hungUp("the room ended it\(reason)")) }
        case .ended(call, let ending):
            if transfer.isOver {
                await forget()
            } else {
                self.transfer?.call = nil
                if !transfer.isDone { tellLater(Self.lastWords, .hungUp("the call ended: \(ending.text)")) }
            }
        case .reinvite(call, let transaction, let request), .update(call, let transaction, let request):
            // A refresh; nothing else is due in the short life of a transfer.
            await stack?.respond(to: transaction, status: request.body == nil ? 200 : 488)
        case .inDialogRequest(call, let transaction, let request):
            await stack?.respond(to: transaction, status: request.method == "OPTIONS" ? 200 : 405)
        default: return false
        }
        return true
    }

    private func answeredForFile(_ response: Response, _ call: Call) async {
        guard let transfer, !transfer.isOver || response.isSuccess else { return }
        if response.status == 401 || response.status == 407, !transfer.hasCredentials {
            let header = credentials?.answer(
                response, method: "INVITE", uri: fileTarget.description, isRetry: transfer.hasCredentials)
            if let header {
                self.transfer?.hasCredentials = true
                return await invite(retrying: call, authorization: header)
            }
        }
        guard response.isSuccess else {
            let isPull = if case .get = transfer.order { true } else { false }
            // The call is over with its refusal.
            self.transfer?.call = nil
            return await endTransfer(.failed(ChatPaths.refusal(response, isPull: isPull)))
        }
        await stack?.acknowledge(call)
        self.transfer?.isEstablished = true
        guard !transfer.isOver else { return }
        do {
            guard let media = try self.transfer?.negotiation?.acceptAnswer(response.body?.content ?? []).media,
                let work = transfer.work, let path = Path(media.remotePath)
            else { throw ClientError.unusableAnswer("its path is none") }
            let peer = FileReceiver.Peer(path: path, fingerprints: media.fingerprints)
            if let sender = transfer.sender {
                _ = await files(over: { _ in sender.value.start(path) })
            } else if let receiver = transfer.receiver {
                _ = await files(over: { _ in receiver.value.start(peer) })
            } else if let target = media.target {
                let destination = Destination(
                    host: target.host, port: Int(target.port), isTLS: media.isTLS, isAtPeersWord: false)
                await open(work, remote: peer, way: .direct(destination))
            } else {
                throw ClientError.unusableAnswer("there is nowhere to connect to")
            }
        } catch {
            await endTransfer(.failed("the server's answer can't be used: \(error)"))
        }
    }

    // MARK: The session

    /// Opens the transfer's own MSRP session, on a loop of its own so that the chat never waits for a disk.
    private func open(_ work: FileTransfer.Work, remote: FileReceiver.Peer?, way: SessionLink.Way) async {
        guard let transfer, let transport = await fileTransport() else { return }
        let (number, tell, id) = (transfer.number, teller, transfer.sessionID)
        let localPath = remote == nil ? nil : Path(transfer.localPath)
        switch work {
        case .send(let file, let description):
            let type = description.selector.type?.essence ?? MediaTypes.unknown
            let chunkSize = options.chunkSize ?? FileSending.usualChunk
            self.transfer?.sender = await transport.perform { transport in
                let link = SessionLink(transport: transport, id: id, way: way, localPath: localPath)
                let sender = FileSender(
                    file: file, remotePath: remote?.path, fingerprints: remote?.fingerprints ?? [], contentType: type,
                    chunkSize: chunkSize, link: link, knowsSize: true,
                    wording: { ChatPaths.refusal($0) }
                ) { tell(number, .sender($0)) }
                link.start()
                return NIOLoopBound(sender, eventLoop: transport.eventLoop)
            }
        case .get(let pull, _):
            self.transfer?.receiver = await transport.perform { transport in
                let link = SessionLink(transport: transport, id: id, way: way, localPath: localPath)
                let receiver = FileReceiver(pulling: pull, from: remote, link: link) { tell(number, .receiver($0)) }
                link.start()
                return NIOLoopBound(receiver, eventLoop: transport.eventLoop)
            }
        }
    }

    private func fileTransport() async -> TransportHandle? {
        if let filesTransport { return filesTransport }
        guard let configuration = transportConfiguration else { return nil }
        let transport = await ClientTransport.start(configuration, logger: logger)
        filesTransport = transport
        return transport
    }

    private func files<R: Sendable>(over body: @escaping @Sendable (TransportLoop) -> R) async -> R? {
        await filesTransport?.perform(body)
    }
}

/// Paths as the user types them, and what refusals of files mean.
enum ChatPaths {
    /// `~/` is the user's own folder: there is no shell here that would say so.
    static func expanded(_ path: String) -> String {
        guard path == "~" || path.hasPrefix("~/"), let home = getenv("HOME").map({ String(cString: $0) }) else {
            return path
        }
        return home + path.dropFirst()
    }

    /// Where a file of that name goes: into the folder where the user is, into one of his, or under a name of his.
    static func place(for name: String, at path: String?) -> (folder: String, name: String) {
        guard let path else { return (".", name) }
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            return (path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path, name)
        }
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let last = String(path[path.index(after: slash)...])
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        return (folder, last.isEmpty ? name : last)
    }

    /// Without the folder where the user is.
    static func shown(_ path: String) -> String {
        (path.hasPrefix("./") ? String(path.dropFirst(2)) : path).withoutControls(keepingLines: false)
    }

    static func size(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 && status.st_size >= 0 ? UInt64(status.st_size) : nil
    }

    /// Why the room doesn't want a file, or doesn't give one.
    static func refusal(_ response: Response, isPull: Bool) -> String {
        let detail =
            (response.headers["Warning"] ?? response.headers["Reason"])
            .map { " (\($0.withoutControls(keepingLines: false)))" } ?? ""
        let answer = "\(response.status) \(response.phrase)\(detail)"
        return switch response.status {
        case 401, 407: "wrong name or password"
        case 403: "only who takes part in the room may: \(answer)"
        case 404, 410: isPull ? "the room has this file no longer: \(answer)" : "there is no such room: \(answer)"
        case 413: "it is too large for this room: \(answer)"
        case 415, 488: isPull ? "the room can't give it: \(answer)" : "the room takes no files like this one: \(answer)"
        case 480, 486, 503: "the room can't do that now, try again later: \(answer)"
        case 507: "the room has no space left: \(answer)"
        default: answer
        }
    }

    /// The same of the MSRP session.
    static func refusal(_ status: Status) -> String {
        switch status.code {
        case 403: "the room does not allow it"
        case 408, 481: "the room has ended it (\(status))"
        case 413: "the room stopped it: too large, no space left, or not the file that was announced"
        case 415: "the room takes no files of this type"
        default: "the room refused it: \(status)"
        }
    }
}
