import Logging

extension SIPStack {
    /// Starts over with the session's deadline (RFC 4028 section 10).
    func watchSession(of record: CallRecord) {
        if let timer = record.sessionDeadline { cancel(timer) }
        record.sessionDeadline = nil
        guard let timer = record.sessionTimer, record.phase == .established else { return }
        let call = record.call
        switch timer.deadline {
        case .refresh(let seconds):
            record.sessionDeadline = schedule(after: .seconds(seconds)) { [weak self] in
                self?.assumeIsolated { $0.refreshSession(call) }
            }
        case .expire(let seconds):
            record.sessionDeadline = schedule(after: .seconds(seconds)) { [weak self] in
                self?.assumeIsolated { $0.expireSession(call) }
            }
        }
    }

    /// UPDATE where the peer allows it, else INVITE with our unchanged SDP (RFC 4028 section 7.4); never an INVITE
    /// without an offer.
    private func refreshSession(_ call: Call) {
        guard let record = calls[call.id], record.phase == .established else { return }
        record.sessionDeadline = nil
        if record.allowsUpdate {
            record.refresh = .update
            update(call)
        } else if let description = record.localDescription {
            record.refresh = .invite
            reinvite(call, body: description)
        } else {
            logger.debug("session cannot be refreshed without an SDP", metadata: ["call": "\(call)"])
        }
    }

    private func expireSession(_ call: Call) {
        guard let record = calls[call.id], record.phase == .established else { return }
        record.ending = .sessionExpired
        bye(call, reason: "SIP;cause=408;text=\"Session expired\"")
    }

    /// A response to a refresh of ours.
    func refreshed(_ record: CallRecord, _ response: Response) {
        guard !response.isProvisional else { return }
        let refresh = record.refresh
        record.refresh = .none
        if response.isSuccess {
            record.sessionTimer = SessionTimer.agreed(in: response.headers, offered: record.sessionTimer)
            if refresh == .invite { acknowledge(record.call) } else { watchSession(of: record) }
            return
        }
        switch response.status {
        case 405, 501:
            record.allowsUpdate = false
            refreshSession(record.call)
        case 408, 481:
            // The peer does not know the call any more (RFC 5057): the library ends it.
            record.ending = record.ending ?? .sessionExpired
        case 422:
            if let minimum = SessionExpires(response.headers["Min-SE"])?.interval, let timer = record.sessionTimer,
                minimum > timer.interval
            {
                record.sessionTimer?.interval = minimum
                refreshSession(record.call)
            } else {
                watchSession(of: record)
            }
        default:
            // 491, 500 with a UPDATE or INVITE crossing, and the like: the next try is at half the interval again.
            watchSession(of: record)
        }
    }
}
