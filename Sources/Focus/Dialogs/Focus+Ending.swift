import Logging
import MediaMixer
import SIP

/// All ways a participant leaves: its BYE or CANCEL, the stack's word, the media's end, and ours.
extension Focus {
    func cancelled(_ call: Call) {
        admitting.remove(call)
        if files[call] != nil { return fileCancelled(call) }
        guard var dialog = dialogs[call] else { return }
        let action = dialog.machine.cancelled()
        dialogs[call] = dialog
        if action == .releaseLater { logger.info("cancelled", metadata: metadata(dialog)) }
    }

    func peerGone(_ call: Call, how: String) {
        if files[call] != nil { return filePeerGone(call, how: how) }
        guard var dialog = dialogs[call] else { return }
        let action = dialog.machine.peerGone()
        dialogs[call] = dialog
        guard action == .leave else { return }
        leave(call, reason: .departed)
        logger.info("left", metadata: metadata(dialog).with("how", how))
    }

    /// The stack has forgotten the call. While the mixer is still asked, the dialog stays until it has answered.
    func ended(_ call: Call, _ ending: Ending) {
        admitting.remove(call)
        if dialledInVain(call, ending) || fileCallEnded(call, ending) { return }
        guard var dialog = dialogs[call] else { return }
        switch dialog.machine.peerGone() {
        case .releaseLater:
            dialogs[call] = dialog
        case .leave:
            leave(call, reason: ending == .unacknowledged ? .notCompleted : .departed)
            logger.info("left", metadata: metadata(dialog).with("how", "\(ending)"))
            forget(call)
        case .ignore:
            forget(call)
        }
    }

    func acknowledgementTimedOut(_ call: Call) {
        if files[call] != nil { return fileNotAcknowledged(call) }
        guard var dialog = dialogs[call] else { return }
        guard dialog.machine.acknowledgementTimedOut() == .leaveAndHangUp else { return }
        dialogs[call] = dialog
        leave(call, reason: .notCompleted)
        logger.info("no ACK", metadata: metadata(dialog))
        signalling.hangUp(call, reason: HangUpReason.noAcknowledgement)
    }

    /// The mixer has removed the participant already.
    func mediaEnded(_ member: MemberID, _ cause: EndCause) {
        guard let call = calls.removeValue(forKey: member) else {
            if pendingInvites > 0 { endedEarly[member] = cause }
            return
        }
        dialogs[call]?.member = nil
        hangUp(call, reason: HangUpReason.value(cause), leaving: .departed)
    }

    /// Takes the participant out of the room and ends the dialog.
    func hangUp(_ call: Call, reason: String, leaving: LeaveReason) {
        guard var dialog = dialogs[call] else { return }
        let action = dialog.machine.hangUp()
        dialogs[call] = dialog
        switch action {
        case .ignore: return
        case .hangUp: leave(call, reason: leaving)
        case .rejectAndReleaseLater: break
        }
        logger.info("hanging up", metadata: metadata(dialog).with("reason", reason))
        signalling.hangUp(call, reason: reason)
    }

    private func leave(_ call: Call, reason: LeaveReason) {
        guard let dialog = dialogs[call] else { return }
        if let member = dialog.member {
            dialogs[call]?.member = nil
            calls[member] = nil
            mixer.leave(member, reason: reason)
            updateRoster { roster, time in roster.left(member, reason, at: time) }
        }
        vacate(call, dialog)
    }
}
