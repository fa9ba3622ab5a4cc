package import SIP

/// What the focus needs of the SIP stack. All methods are called on the executor, and don't wait.
package protocol Signalling: Sendable {
    /// Where the focus runs too.
    nonisolated var executor: UnownedSerialExecutor { get }
    nonisolated var listeners: [Endpoint] { get }

    func respond(
        to transaction: Transaction, status: Int, phrase: String?, contact: String?, headers: [HeaderField],
        body: MessageBody?)

    /// BYE as soon as RFC 3261 section 15 allows it, or the refusal of an INVITE that has no answer yet.
    func hangUp(_ call: Call, reason: String?)

    func setRoute(_ call: Call, _ endpoint: Endpoint?)

    /// The call of the dialog that a Join or Replaces names (RFC 3891 section 3, RFC 3911 section 4).
    func find(_ name: DialogName) -> Call?

    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void)

    // MARK: Dialogs of SUBSCRIBE and REFER

    /// Answers a SUBSCRIBE or REFER outside of calls with a 2xx and keeps the dialog it makes; see `SIPStack.accept`.
    func accept(_ transaction: Transaction, status: Int, contact: String, headers: [HeaderField]) -> Dialog?
    func close(_ dialog: Dialog)
    func setRoute(_ dialog: Dialog, _ endpoint: Endpoint?)

    /// The answers come as `SIPEvent.answer`; a local 513: too large for the way there.
    func send(
        _ method: String, within dialog: DialogReference, contact: String?, headers: [HeaderField], body: MessageBody?
    ) -> Exchange

    // MARK: Requests of ours

    /// Outside of all dialogs; the answers come as `SIPEvent.answer`, what a REFER leads to as `SIPEvent.notify`. See
    /// `SIPStack.send`.
    func send(
        _ method: String, to target: SIPURI, from: String, to: String?, contact: String?, route: Endpoint?,
        headers: [HeaderField], body: MessageBody?, retrying: Exchange?
    ) -> Exchange

    /// See `SIPStack.invite`.
    func invite(
        _ target: SIPURI, from: String, to: String?, contact: String?, route: Endpoint?, headers: [HeaderField],
        body: MessageBody?, retrying: Call?
    ) -> Call
    func acknowledge(_ call: Call, body: MessageBody?)
    func cancel(_ call: Call)
}

/// The real stack: same thread, so every call is a plain one.
struct StackSignalling: Signalling {
    let stack: SIPStack

    nonisolated var executor: UnownedSerialExecutor { stack.unownedExecutor }
    nonisolated var listeners: [Endpoint] { stack.listeners }

    func respond(
        to transaction: Transaction, status: Int, phrase: String?, contact: String?, headers: [HeaderField],
        body: MessageBody?
    ) {
        stack.assumeIsolated {
            $0.respond(
                to: transaction, status: status, phrase: phrase, contact: contact, headers: headers, body: body)
        }
    }

    func hangUp(_ call: Call, reason: String?) {
        stack.assumeIsolated { $0.bye(call, reason: reason) }
    }

    func setRoute(_ call: Call, _ endpoint: Endpoint?) {
        stack.assumeIsolated { $0.setRoute(call, endpoint) }
    }

    func find(_ name: DialogName) -> Call? {
        stack.assumeIsolated { $0.find(name) }
    }

    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        stack.assumeIsolated { _ = $0.schedule(after: delay, action) }
    }

    func accept(_ transaction: Transaction, status: Int, contact: String, headers: [HeaderField]) -> Dialog? {
        stack.assumeIsolated { $0.accept(transaction, status: status, contact: contact, headers: headers) }
    }

    func close(_ dialog: Dialog) {
        stack.assumeIsolated { $0.close(dialog) }
    }

    func setRoute(_ dialog: Dialog, _ endpoint: Endpoint?) {
        stack.assumeIsolated { $0.setRoute(dialog, endpoint) }
    }

    func send(
        _ method: String, within dialog: DialogReference, contact: String?, headers: [HeaderField], body: MessageBody?
    ) -> Exchange {
        stack.assumeIsolated { $0.send(method, within: dialog, contact: contact, headers: headers, body: body) }
    }

    func send(
        _ method: String, to target: SIPURI, from: String, to: String?, contact: String?, route: Endpoint?,
        headers: [HeaderField], body: MessageBody?, retrying: Exchange?
    ) -> Exchange {
        stack.assumeIsolated {
            $0.send(
                method, to: target, from: from, to: to, contact: contact, route: route, headers: headers, body: body,
                retrying: retrying)
        }
    }

    func invite(
        _ target: SIPURI, from: String, to: String?, contact: String?, route: Endpoint?, headers: [HeaderField],
        body: MessageBody?, retrying: Call?
    ) -> Call {
        stack.assumeIsolated {
            $0.invite(
                target, from: from, to: to, contact: contact, route: route, headers: headers, body: body,
                retrying: retrying)
        }
    }

    func acknowledge(_ call: Call, body: MessageBody?) {
        stack.assumeIsolated { $0.acknowledge(call, body: body) }
    }

    func cancel(_ call: Call) {
        stack.assumeIsolated { $0.cancel(call) }
    }
}
