import Logging
import SIP

/// NOTIFYs that tell what became of a REFER, and SUBSCRIBEs to them (RFC 3515 section 2.4.4).
extension Focus {
    /// What became of a deed that somebody asked for by REFER.
    func reported(_ report: DialReport, _ outcome: DialOutcome) {
        guard case .notify(let key) = report else { return }
        send(referring.change(key) { $0.finished(outcome, now: now()) } ?? nil, key)
    }

    /// A SUBSCRIBE with `Event: refer`: it extends or ends a subscription that a REFER made, and makes none.
    func reportSubscribed(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        // RFC 3515 section 2.4.4
        guard let dialog, let key = referring.find(in: dialog, id: request.event?.id),
            let report = referring[key], report.machine.isActive
        else {
            return reject(
                transaction, Rejection(status: 403, why: "no subscription that a REFER made"),
                metadata: metadata(request), level: .debug)
        }
        admit(transaction, request, within: report.caller) { caller in
            guard caller.account == report.caller.account else {
                return self.reject(
                    transaction, Rejection(status: 403, why: "somebody else's subscription"),
                    metadata: self.metadata(request))
            }
            let asked = request.expires.map { Duration.seconds($0) } ?? self.configuration.dialling.reportExpiry
            let expiry = min(asked, self.configuration.dialling.longestReportExpiry)
            self.signalling.respond(
                to: transaction, status: 200, phrase: nil, contact: report.contact,
                headers: [HeaderField("Expires", "\(expiry.components.seconds)")], body: nil)
            self.send(self.referring.change(key) { $0.refreshed(expiry, now: self.now()) } ?? nil, key)
            if expiry > .zero { self.watch(key, after: expiry) }
        }
    }

    /// False when the exchange is no NOTIFY of a REFER.
    func reportAnswered(_ exchange: Exchange, _ response: Response) -> Bool {
        guard let key = referring.answered(exchange, isFinal: !response.isProvisional) else { return false }
        switch referring.change(key, { $0.answered(response.status, now: now()) }) {
        case .send(let notice): send(notice, key)
        case .forget: forget(key)
        case .ignore, nil: break
        }
        return true
    }

    /// We are going down: who waits for an outcome is told that none comes.
    func stopReporting() {
        for key in referring.allKeys { send(referring.change(key) { $0.deactivated(now: now()) } ?? nil, key) }
    }

    /// Answers a REFER and gives the dialog its NOTIFYs go within; nil when nobody waits any more.
    func accept(
        _ transaction: Transaction, _ request: Request, status: Int, contact: String, within dialog: DialogReference?
    ) -> DialogReference? {
        if let dialog {
            signalling.respond(
                to: transaction, status: status, phrase: nil, contact: contact, headers: [], body: nil)
            return dialog
        }
        guard let dialog = signalling.accept(transaction, status: status, contact: contact, headers: []) else {
            return nil
        }
        if let route = PeerRoute.source(of: request) { signalling.setRoute(dialog, route) }
        return .dialog(dialog)
    }

    func send(_ notice: ReferMachine.Notice?, _ key: ReferDesk.Key) {
        guard let notice, let report = referring[key] else { return }
        let exchange = signalling.send(
            "NOTIFY", within: report.dialog, contact: report.contact,
            headers: [
                HeaderField("Event", notice.event.description),
                HeaderField("Subscription-State", notice.state.description),
            ], body: Sipfrag.body(notice.outcome))
        referring.sent(exchange, for: key)
    }

    /// Ends the subscription at its deadline, unless that has moved.
    func watch(_ key: ReferDesk.Key, after delay: Duration) {
        signalling.schedule(after: delay) { [weak self] in
            self?.assumeIsolated { focus in
                focus.send(focus.referring.change(key) { $0.expired(now: focus.now()) } ?? nil, key)
            }
        }
    }

    private func forget(_ key: ReferDesk.Key) {
        guard case .dialog(let dialog) = referring.forget(key) else { return }
        closeIfUnused(dialog)
    }

    /// A dialog ends with its last subscription of any kind (RFC 6665 section 4.4.1).
    func closeIfUnused(_ dialog: Dialog) {
        guard !referring.uses(.dialog(dialog)), notifying.subscriptions.subscriptions(within: .dialog(dialog)).isEmpty
        else { return }
        signalling.close(dialog)
    }
}
