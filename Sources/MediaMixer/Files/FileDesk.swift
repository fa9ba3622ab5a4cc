import FileSpool
import Logging
import MSRP
import MSRPTransport
import NIOCore

/// The file transfers of one event loop (RFC 5547).
final class FileDesk {
    let mixer: Mixer
    private var transfers: [FileTransferID: FileSession] = [:]
    private var last: UInt64 = 0
    /// Octets that may still be sent in this millisecond.
    private var allowance = 0
    private var isMillisecondRunning = false
    private var paced: [FileSender] = []

    init(mixer: Mixer) { self.mixer = mixer }

    var limits: FileTransferLimits { mixer.configuration.files }

    // MARK: The focus's side

    func reserve(_ request: FileRequest) -> Result<FileReservation, JoinRefusal> {
        Result { () throws(JoinRefusal) in
            do throws(JoinRefusal) {
                return try open(request)
            } catch {
                mixer.counters.filesRefused &+= 1
                mixer.logger.info(
                    "a file transfer is refused",
                    metadata: [
                        "room": "\(request.room)", "participant": "\(request.participant)", "why": "\(error)",
                    ])
                throw error
            }
        }
    }

    private func open(_ request: FileRequest) throws(JoinRefusal) -> FileReservation {
        guard let spool = mixer.services.spool else { throw .noSpool }
        if mixer.isClosing { throw .shuttingDown }
        let inRoom = transfers.values.filter { $0.request.room == request.room && $0.isUnderWay }
        guard inRoom.count < limits.perRoom,
            inRoom.count(where: { $0.request.participant == request.participant }) < limits.perParticipant,
            mixer.share.takeTransfer(limit: limits.transfers)
        else { throw .tooManyTransfers }
        do throws(JoinRefusal) {
            return try openCounted(request, spool)
        } catch {
            mixer.share.giveBackTransfer()
            throw error
        }
    }

    private func openCounted(_ request: FileRequest, _ spool: FileSpool) throws(JoinRefusal) -> FileReservation {
        let session = mixer.transport.sessions.newID()
        guard
            let local = mixer.localPath(
                session, host: request.localHost, port: request.localPort, isTLS: request.media.isTLS)
        else { throw .malformedPath }
        let remote = try mixer.remotePath(request.media, placeholder: local)
        last &+= 1
        let id = FileTransferID(number: mixer.transport.place.number(last))
        let transfer: FileSession
        switch request.work {
        case .receive(let offer):
            transfer = try FileReceiver(
                id: id, desk: self, request: request, localPath: local, remotePath: remote, offer: offer, spool: spool)
        case .send(let file, let offset, let length):
            transfer = try FileSender(
                id: id, desk: self, request: request, localPath: local, remotePath: remote, file: file,
                offset: offset, length: length, spool: spool)
        }
        guard
            mixer.transport.sessions.reserve(
                session, owner: transfer, deadline: .now() + mixer.configuration.bindTimeout)
        else {
            transfer.release()
            throw .tooManyTransfers
        }
        transfer.sessionID = session
        transfers[id] = transfer
        mixer.counters.transfers = transfers.count
        mixer.logger.info(
            "file transfer reserved",
            metadata: ["room": "\(request.room)", "transfer": "\(id)", "participant": "\(request.participant)"])
        return FileReservation(transfer: id, localPath: local.description)
    }

    func start(_ id: FileTransferID) { transfers[id]?.start() }

    func renegotiate(_ id: FileTransferID, media: PeerMedia) -> Result<Void, JoinRefusal> {
        Result { () throws(JoinRefusal) in
            guard let transfer = transfers[id] else { throw .noSuchTransfer }
            transfer.renegotiate(media, remotePath: try mixer.remotePath(media, placeholder: transfer.localPath))
        }
    }

    func end(_ id: FileTransferID, _ mode: ClosingMode = .orderly) {
        guard let transfer = transfers.removeValue(forKey: id) else { return }
        mixer.share.giveBackTransfer()
        mixer.counters.transfers = transfers.count
        transfer.end(mode)
    }

    var heldBytes: Int {
        transfers.values.reduce(0) { $0 + $1.heldBytes + ($1.connection?.queuedBytes ?? 0) }
    }

    func closeAll() {
        for id in Array(transfers.keys) { end(id) }
    }

    // MARK: The transfers' side

    func tell(_ event: FileEvent) {
        switch event {
        case .received(_, let file):
            mixer.counters.filesReceived &+= 1
            mixer.logger.info(
                "file received",
                metadata: ["room": "\(file.room)", "transfer": "\(event.transfer)", "size": "\(file.size)"])
        case .sent:
            mixer.counters.filesSent &+= 1
            mixer.logger.info("file sent", metadata: ["transfer": "\(event.transfer)"])
        case .failed(_, let failure):
            mixer.counters.filesFailed &+= 1
            mixer.logger.info(
                "file transfer failed", metadata: ["transfer": "\(event.transfer)", "why": "\(failure)"])
        }
        mixer.services.fileEvents(event)
    }

    /// Whether a chunk may go out now. If not, the sender's turn comes in the next millisecond, as the others' do.
    func mayWrite(_ sender: FileSender) -> Bool {
        if !isMillisecondRunning {
            isMillisecondRunning = true
            allowance = limits.bytesPerMillisecond
            let bound = NIOLoopBound(self, eventLoop: mixer.transport.eventLoop)
            mixer.transport.eventLoop.scheduleTask(in: .milliseconds(1)) { bound.value.millisecondPassed() }
        }
        guard allowance <= 0 else {
            allowance -= FileSender.chunkSize
            return true
        }
        paced.append(sender)
        return false
    }

    private func millisecondPassed() {
        isMillisecondRunning = false
        let turn = paced
        paced = []
        for sender in turn { sender.connection?.notifyWhenWritable() }
    }

    func ticked(at now: NIODeadline) {
        for (id, transfer) in transfers where !transfer.ticked(at: now) { end(id) }
    }
}

@available(*, unavailable)
extension FileDesk: Sendable {}
