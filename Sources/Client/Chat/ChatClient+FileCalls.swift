import MSRP
import MSRPTransport
import NIOCore
import Payloads
import SIP

// The call of a transfer, and its MSRP session.
extension ChatClient {
    func call(_ work: FileTransfer.Work) async {
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

    func invite(retrying: Call?, authorization: HeaderField?) async {
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

    func files<R: Sendable>(over body: @escaping @Sendable (TransportLoop) -> R) async -> R? {
        await filesTransport?.perform(body)
    }
}
