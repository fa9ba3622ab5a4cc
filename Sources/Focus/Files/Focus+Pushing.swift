import FileSpool
import Logging
import MediaMixer
import Payloads
import SIP

/// Files pushed on to everybody in the room as soon as they are there (`files = pushed`): calls of ours, some at a time. Who
/// doesn't take the file has been told of it, and can pull it.
extension Focus {
    func pushOn(_ file: SpooledFile, in room: RoomAddress) {
        for call in calls(in: room) {
            guard let dialog = dialogs[call], dialog.machine.isConfirmed, dialog.caller.uri != file.sender,
                let device = dialog.device, device.isSIP, !leadsToUs(device), !files.pushing.isUnwilling(call)
            else { continue }
            let push = FilePushDesk.Push(
                id: files.pushing.nextID(), file: file, room: room, participant: call, caller: dialog.caller,
                device: device, route: dialog.route, isTLS: dialog.negotiation.media?.isTLS ?? false)
            guard files.pushing.add(push, limit: configuration.limits.filePushesWaiting) else {
                logger.notice(
                    "a file is not pushed on to all", metadata: ["room": "\(room)", "limit": "filePushesWaiting"])
                break
            }
        }
        startPushing()
    }

    func startPushing() {
        // Those that come to nothing at once make room for others.
        while !isShuttingDown {
            let places = configuration.limits.filePushes - files.pushedOn
            let pushes = files.pushing.startable(max(0, places))
            guard !pushes.isEmpty else { return }
            for push in pushes { prepare(push) }
        }
    }

    /// Nothing more is offered to anybody.
    func stopPushing(in room: RoomAddress? = nil) {
        for push in files.pushing.withdraw(room) { giveUp(push.id) }
    }

    private func prepare(_ push: FilePushDesk.Push) {
        guard dialogs[push.participant]?.machine.isConfirmed == true, dialogCount < configuration.limits.dialogs else {
            files.pushing.remove(push.id)
            return
        }
        let peer = push.route?.host ?? push.device.host
        let authority = mediaAuthority.facing(peer, local: local(to: push).host)
        let request = FileRequest(
            room: push.room, work: .send(push.file, offset: 0, length: nil), participant: push.caller.uri,
            displayName: push.caller.displayName, media: .offered(isTLS: push.isTLS), localHost: authority.host,
            localPort: authority.port, signallingSource: nil)
        Task.immediate {
            do throws(JoinRefusal) {
                prepared(push, try await mixer.reserveFile(request))
            } catch {
                logger.info("a file is not pushed on", metadata: metadata(push).with("why", "\(error)"))
                drop(push.id)
            }
        }
    }

    private func prepared(_ push: FilePushDesk.Push, _ reservation: FileReservation) {
        var negotiation = FileNegotiation(local: fileMedia(), originID: .random(in: .min ... .max))
        negotiation.local.maxSize = nil
        let transferID = "\(push.file.id)-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let offer = negotiation.makeOffer(
            localPath: reservation.localPath,
            file: FileDescription(
                selector: FileSelector(push.file), transferID: transferID, disposition: "attachment"))
        guard !isShuttingDown, dialogs[push.participant]?.machine.isConfirmed == true,
            files.pushing.prepared(push.id, reservation.transfer, negotiation)
        else {
            mixer.endFile(reservation.transfer)
            return drop(push.id)
        }
        let title = rooms[push.room]?.title ?? ""
        let from = NameAddr(
            displayName: title.isEmpty ? nil : title, uri: SIPURI(user: push.room.user, host: push.room.domain))
        let contact = contacts.uri(for: push.room, local: local(to: push), isSecure: push.device.isSecure)
        let call = signalling.invite(
            push.device, from: from.description, to: nil, contact: "<\(contact)>;isfocus",
            route: push.route ?? outbound.route(to: push.device), headers: [], body: .description(offer), retrying: nil)
        files.pushing.sent(call, for: push.id)
        logger.debug("pushing a file on", metadata: metadata(push))
        signalling.schedule(after: configuration.dialling.answerTimeout) { [weak self] in
            self?.assumeIsolated { $0.giveUp(push.id) }
        }
    }

    private func local(to push: FilePushDesk.Push) -> Endpoint {
        var target = push.device
        if let route = push.route { target.host = route.host }
        return outbound.local(to: target, facing: MediaAuthority.localAddress)
    }

    // MARK: Answers

    /// A response to an INVITE of ours with a file; false when it was none.
    func fileOffered(_ call: Call, _ response: Response) -> Bool {
        guard let push = files.pushing.push(of: call) else { return false }
        switch response.status {
        case ..<200: return true
        case ..<300: taken(push, call, response)
        default:
            // Its chat goes on; only what says that files are not wanted is remembered.
            if [405, 415, 488, 501, 603, 606].contains(response.status) { files.pushing.refused(push.participant) }
            logger.info("a file is not taken", metadata: metadata(push).with("status", "\(response.status)"))
            drop(push.id)
        }
        return true
    }

    /// From here on it is a call like that of somebody who pulls, and whose ACK brings the answer.
    private func taken(_ push: FilePushDesk.Push, _ call: Call, _ response: Response) {
        guard let negotiation = push.negotiation, let transfer = push.transfer else { return }
        files.pushing.remove(push.id)
        var caller = push.caller
        caller.source = source(of: response, from: push.device.host)
        var dialog = FileDialog(negotiation: negotiation, room: push.room, caller: caller, callID: response.callID)
        _ = dialog.machine.reserved(offering: true)
        dialog.transfer = transfer
        dialog.isPushedOn = true
        if configuration.dialling.proxy == nil, let route = PeerRoute.source(of: response) {
            dialog.route = route
            signalling.setRoute(call, route)
        }
        files[call] = dialog
        signalling.acknowledge(call, body: nil)
        fileAcknowledged(call, response.body)
        startPushing()
    }

    /// The stack has forgotten a call of ours before it was taken; false when it was none.
    func filePushEnded(_ call: Call) -> Bool {
        guard let push = files.pushing.push(of: call) else { return false }
        drop(push.id)
        return true
    }

    private func giveUp(_ id: UInt64) {
        guard let push = files.pushing[id] else { return }
        if let call = push.call { signalling.cancel(call) }
        drop(id)
    }

    /// Its place is another's.
    private func drop(_ id: UInt64) {
        if let transfer = files.pushing.remove(id)?.transfer { mixer.endFile(transfer) }
        startPushing()
    }

    /// The session of an offer that nobody has answered yet is gone.
    func pushFailed(_ transfer: FileTransferID) {
        guard let push = files.pushing.push(of: transfer) else { return }
        giveUp(push.id)
    }

    private func metadata(_ push: FilePushDesk.Push) -> Logger.Metadata {
        ["room": "\(push.room)", "participant": "\(push.caller.uri)", "file": "\(push.file.name)"]
    }
}
