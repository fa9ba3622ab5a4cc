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

    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void)
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

    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        stack.assumeIsolated { _ = $0.schedule(after: delay, action) }
    }
}
