/// A call: one INVITE dialog, ours or a peer's. Never reused in the life of the process.
package struct Call: Sendable, Hashable, CustomStringConvertible {
    package let id: UInt64
    package init(id: UInt64) { self.id = id }
    package var description: String { "call-\(id)" }
}

/// A dialog that a SUBSCRIBE or REFER outside of calls made (RFC 6665 section 4.4.1). Never reused in the life of the
/// process.
package struct Dialog: Sendable, Hashable, CustomStringConvertible {
    package let id: UInt64
    package init(id: UInt64) { self.id = id }
    package var description: String { "dialog-\(id)" }
}

/// Where a request of ours is sent within: a call's dialog, or one of its own.
package enum DialogReference: Sendable, Hashable {
    case call(Call)
    case dialog(Dialog)
}

/// A request of a peer that waits for our final response. Never reused in the life of the process.
package struct Transaction: Sendable, Hashable, CustomStringConvertible {
    package let id: UInt64
    package init(id: UInt64) { self.id = id }
    package var description: String { "transaction-\(id)" }
}

/// A request of ours outside of any call (OPTIONS, ...) that waits for its final response.
package struct Exchange: Sendable, Hashable, CustomStringConvertible {
    package let id: UInt64
    package init(id: UInt64) { self.id = id }
    package var description: String { "exchange-\(id)" }
}

/// What happened on the SIP side.
///
/// Contract:
/// - every `Transaction` is answered once with a final response by the handler, unless `cancelled` or `ended` says
///   that nobody waits any more (an answer then does no harm);
/// - `ended` comes exactly once for each call that was announced by `invite` or returned by `SIPStack.invite`, and
///   nothing comes for that call after it.
///
/// The orders in which a call's events come:
/// - a peer's call: `invite`, `acknowledged`, then any of `reinvite` (with its own `acknowledged`), `update`,
///   `inDialogRequest`, and at last `bye`, `ended(.bye)`, or `ended(.hungUp)` after a BYE of ours;
/// - refused: `invite`, `ended(.rejected)`; given up: `invite`, `cancelled`, `ended(.cancelled)`, or with a BYE before
///   the answer `invite`, `bye`, `ended(.bye)`;
/// - no ACK: `invite`, and after 64*T1 `ended(.unacknowledged)` when the BYE is done;
/// - ours: `response`s, after a 2xx as above; otherwise `ended` follows the final response at once;
/// - refreshes of the session timer by the stack itself do not show.
package enum SIPEvent: Sendable {
    /// An INVITE that asks for a new call. Retransmissions never show.
    case invite(Call, Transaction, Request)
    /// An INVITE within an established call. Its ACK shows as `acknowledged`.
    case reinvite(Call, Transaction, Request)
    /// An UPDATE within a call (RFC 3311).
    case update(Call, Transaction, Request)
    /// The ACK of a 2xx to `invite` or `reinvite`; the body is the SDP answer to an offer in our 2xx.
    case acknowledged(Call, MessageBody?)
    /// The peer gave up its INVITE (CANCEL); the stack answered both with 200 and 487. `ended` follows when it was
    /// the call's first INVITE.
    case cancelled(Call, Transaction)
    /// A BYE; the stack answered it. `ended` follows.
    case bye(Call, Request)
    /// A request within a call that the stack has no own idea of: INFO, MESSAGE, REFER, OPTIONS, NOTIFY, ...
    case inDialogRequest(Call, Transaction, Request)
    /// A NOTIFY for a REFER that `SIPStack.send` sent outside of calls: it came within five minutes, with the REFER's
    /// Call-ID and From tag. It may come before the REFER's answer.
    case notify(Exchange, Transaction, Request)
    /// A request within a dialog that `SIPStack.accept` made: re-SUBSCRIBE, REFER, NOTIFY, ...
    case dialogRequest(Dialog, Transaction, Request)
    /// A request outside of calls: OPTIONS, REGISTER, MESSAGE, REFER, SUBSCRIBE, PUBLISH, unknown methods.
    case request(Transaction, Request)
    /// A response to our INVITE, re-INVITE or UPDATE within a call. A 2xx to an INVITE wants `acknowledge`.
    case response(Call, method: String, Response)
    /// A response to a request sent by `SIPStack.send`.
    case answer(Exchange, Response)
    /// The call is over and forgotten.
    case ended(Call, Ending)
}

/// Why a call ended.
package enum Ending: Sendable, Equatable {
    /// The peer sent BYE.
    case bye
    /// We sent BYE.
    case hungUp
    /// The peer's CANCEL, or ours, ended the INVITE.
    case cancelled
    /// A final response other than 2xx ended the INVITE, ours or the peer's.
    case rejected(status: Int)
    /// The ACK of our 2xx never came (RFC 3261 section 13.3.1.4); BYE has been sent.
    case unacknowledged
    /// The session timer ran out (RFC 4028 section 10).
    case sessionExpired
    /// A request of ours within the call failed in a way that ends it (408, 481, transport gone).
    case failed(status: Int, phrase: String)
    /// The stack was shut down.
    case shutDown
}

/// Takes the stack's events. All calls are made on the SIP thread, one after the other, synchronously: an actor on
/// `SIPStack.unownedExecutor` may enter itself by `assumeIsolated`. It must not block.
package protocol SIPHandler: AnyObject, Sendable {
    func received(_ event: SIPEvent)

    /// Asked before a request outside of all dialogs is looked at: seconds that its source has to wait, who has sent
    /// too much; nil: none. The stack answers 503 with Retry-After, and no event comes.
    func secondsToWait(_ source: Endpoint) -> Int?
}

extension SIPHandler {
    package func secondsToWait(_ source: Endpoint) -> Int? { nil }
}
