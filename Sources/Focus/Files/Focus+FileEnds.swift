import Logging
package import MediaMixer
import SIP

/// How the calls for files end: by what the mixer reports, by the peer, or here.
extension Focus {
    package func handle(_ event: FileEvent) {
        let transfer = event.transfer
        let call = files.call(of: transfer)
        if let call, let dialog = files[call] {
            files[call]?.isDone = true
            logger.info("file transfer over", metadata: metadata(dialog).with("how", event.how))
        }
        switch event {
        case .received(_, let file):
            if let call { hangUpLater(call, reason: HangUpReason.fileDone) }
            received(file)
        case .sent:
            if let call { hangUpLater(call, reason: HangUpReason.fileDone) }
        case .failed(_, let failure):
            guard let call else {
                pushFailed(transfer)
                return files.ended(transfer, failure)
            }
            hangUpFile(call, reason: HangUpReason.value(failure))
        }
    }

    // MARK: Ends

    func fileCancelled(_ call: Call) {
        guard var dialog = files[call] else { return }
        _ = dialog.machine.cancelled()
        files[call] = dialog
    }

    func filePeerGone(_ call: Call, how: String) {
        guard var dialog = files[call] else { return }
        let action = dialog.machine.peerGone()
        files[call] = dialog
        guard action == .leave else { return }
        endTransfer(call)
        logger.debug("file transfer's call ended", metadata: metadata(dialog).with("how", how))
    }

    /// The stack has forgotten the call; false when it was none for a file.
    func fileCallEnded(_ call: Call, _ ending: Ending) -> Bool {
        if filePushEnded(call) { return true }
        guard var dialog = files[call] else { return false }
        let action = dialog.machine.peerGone()
        files[call] = dialog
        // While the mixer is still asked, the dialog stays until it has answered.
        guard action != .releaseLater else { return true }
        forgetFile(call)
        return true
    }

    func fileNotAcknowledged(_ call: Call) {
        guard var dialog = files[call] else { return }
        guard dialog.machine.acknowledgementTimedOut() == .leaveAndHangUp else { return }
        files[call] = dialog
        endTransfer(call)
        logger.info("no ACK", metadata: metadata(dialog))
        signalling.hangUp(call, reason: HangUpReason.noAcknowledgement)
    }

    func hangUpFile(_ call: Call, reason: String) {
        guard var dialog = files[call] else { return }
        let action = dialog.machine.hangUp()
        files[call] = dialog
        switch action {
        case .ignore: return
        case .hangUp: endTransfer(call)
        case .rejectAndReleaseLater: break
        }
        logger.debug("hanging up", metadata: metadata(dialog).with("reason", reason))
        signalling.hangUp(call, reason: reason)
    }

    /// The file's sender ends the call when it is through (RFC 5547 section 8.7); we do when it doesn't.
    func hangUpLater(_ call: Call, reason: String) {
        guard let number = files[call]?.transferNumber else { return }
        signalling.schedule(after: configuration.fileEndTimeout) { [weak self] in
            self?.assumeIsolated { focus in
                guard let dialog = focus.files[call], dialog.isDone, dialog.transferNumber == number else { return }
                focus.hangUpFile(call, reason: reason)
            }
        }
    }

    func endTransfer(_ call: Call) {
        guard let transfer = files[call]?.transfer else { return }
        files[call]?.transfer = nil
        mixer.endFile(transfer)
    }

    func forgetFile(_ call: Call) {
        endTransfer(call)
        dropSubscriptions(within: call)
        files[call] = nil
        startPushing()
        finishShutdownIfDone()
    }

    /// We are going down.
    func endTransfers(reason: String) {
        stopPushing()
        for call in files.all { hangUpFile(call, reason: reason) }
    }

    /// Somebody was put out of the room, and what it was pushing or pulling ends with that.
    func endTransfers(of account: String, in room: RoomAddress, reason: String) {
        for call in files.calls(of: account, in: room) { hangUpFile(call, reason: reason) }
    }
}

extension FileEvent {
    /// For the log.
    fileprivate var how: String {
        switch self {
        case .received: "received"
        case .sent: "sent"
        case .failed(_, let failure): "\(failure)"
        }
    }
}
