import CSofia

// Dialogs that no INVITE made, and requests within all of them.
extension SIPStack {
    /// Answers a SUBSCRIBE or REFER that came as `SIPEvent.request` with a 2xx, and keeps the dialog this makes
    /// until `close`. Nil: there is nothing more to do, because the transaction is gone, or the request was answered
    /// 503 as there are `maximumDialogs` already; or, with the request left unanswered, because it came within a
    /// dialog.
    package func accept(
        _ transaction: Transaction, status: Int, contact: String, headers: [HeaderField] = []
    ) -> Dialog? {
        guard let found = transactions[transaction.id], case .other(let method) = found.kind, found.call == nil,
            found.dialog == 0, method == "SUBSCRIBE" || method == "REFER", (200...299).contains(status)
        else { return nil }
        var headers = headers
        addCapabilities(to: &headers, method: method, status: status)
        let pointer = Content(contact: contact, headers: headers).withC {
            cs_accept(found.pointer, Int32(status), $0)
        }
        guard let pointer else {
            respond(to: transaction, status: 503, headers: [HeaderField("Retry-After", "10")])
            return nil
        }
        transactions[transaction.id] = nil
        let dialog = Dialog(id: cs_dialog_id(pointer))
        dialogs[dialog.id] = DialogRecord(pointer: pointer, origin: .accepted(contact: contact))
        return dialog
    }

    /// Sends a request within a dialog; its responses come as `SIPEvent.answer`, the first of them after this
    /// returned. A local 481: there is no such dialog, or the call is not established.
    ///
    /// A message too large for a datagram is sent over TCP where the dialog's way is UDP, unless it goes to where
    /// `setRoute` says; where TCP is refused it goes as a datagram all the same, and what no datagram takes is answered
    /// with a local 513 (RFC 3261 section 18.1.1).
    ///
    /// - Parameter contact: a Contact value; what the dialog was made with when nil.
    package func send(
        _ method: String, within dialog: DialogReference, contact: String? = nil, headers: [HeaderField] = [],
        body: MessageBody? = nil
    ) -> Exchange {
        var pointer: OpaquePointer?
        switch dialog {
        case .call(let call):
            guard let record = calls[call.id], record.phase != .ending else { break }
            let content = Content(contact: contact ?? record.contact, headers: headers, body: body)
            pointer = content.withC { cs_send_in_call(record.pointer, method, $0) }
        case .dialog(let dialog):
            guard let record = dialogs[dialog.id], case .accepted(let own) = record.origin else { break }
            let content = Content(contact: contact ?? own, headers: headers, body: body)
            pointer = content.withC { cs_send_in_dialog(record.pointer, method, $0) }
        }
        guard let pointer else { return failLocally(481, "Call Does Not Exist") }
        let exchange = Exchange(id: cs_exchange_id(pointer))
        exchanges[exchange.id] = ExchangeRecord(continuation: nil)
        return exchange
    }

    /// Sends later requests of this dialog to `endpoint` whatever the Contact says; nil goes back to the dialog's own
    /// way. A live connection to it is reused.
    package func setRoute(_ dialog: Dialog, _ endpoint: Endpoint?) {
        guard let record = dialogs[dialog.id] else { return }
        cs_dialog_route(record.pointer, endpoint?.routeURI())
    }

    /// The call whose dialog a Join, Replaces or Target-Dialog header names; nil when there is none. It may be one that
    /// is not answered yet.
    package func find(_ name: DialogName) -> Call? {
        guard let stack else { return nil }
        return calls[cs_find_call(stack, name.callID, name.localTag, name.remoteTag)]?.call
    }

    /// Forgets a dialog; later requests of the peer within it get 481. Answers to requests of ours still come.
    package func close(_ dialog: Dialog) {
        guard let record = dialogs[dialog.id], case .accepted = record.origin else { return }
        dialogs[dialog.id] = nil
        cs_dialog_close(record.pointer)
    }

    /// How many dialogs `accept` made that are not closed.
    package var dialogCount: Int { dialogs.count - referrals.dialogs.count }
}
