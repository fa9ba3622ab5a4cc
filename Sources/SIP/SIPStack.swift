package import Logging

/// Sofia-SIP's user agent on its own thread.
///
/// The actor's executor is that thread. Another actor that returns the same `unownedExecutor` runs there too and can
/// call the stack without a hop: `stack.assumeIsolated { $0.respond(...) }` where it is synchronous, `await` elsewhere.
package actor SIPStack {
    /// Where the stack listens, with the actual ports, in the order of the configuration.
    package nonisolated let listeners: [Endpoint]
    package nonisolated let configuration: SIPConfiguration

    private init(listeners: [Endpoint], configuration: SIPConfiguration) {
        self.listeners = listeners
        self.configuration = configuration
    }

    /// Opens every listener, or none and throws.
    package static func start(_ configuration: SIPConfiguration, logger: Logger) async throws(SIPStartError) -> SIPStack
    {
        throw .library("not yet")
    }

    /// Sets who gets the events; requests that come while there is none are answered 503. Held weakly.
    package func setHandler(_ handler: (any SIPHandler)?) {}

    /// Ends all calls without BYE (send those before), closes the listeners and ends the thread. Takes at most 3 s.
    package func shutdown() async {}

    // MARK: Answering

    /// Answers a request; 1xx may be sent several times, a final response once. Does nothing when the transaction is
    /// gone (answered, cancelled).
    ///
    /// - Parameters:
    ///   - phrase: the RFC's own when nil.
    ///   - contact: a whole Contact value such as `<sip:room@h:5060>;isfocus`; a 2xx to INVITE, UPDATE, SUBSCRIBE or
    ///     REFER without one shows the listener's address.
    ///   - headers: in addition to what the stack adds (Allow, Supported, Server, session timer headers).
    package func respond(
        to transaction: Transaction, status: Int, phrase: String? = nil, contact: String? = nil,
        headers: [HeaderField] = [], body: MessageBody? = nil
    ) {}

    // MARK: Within a call

    /// Ends a call: BYE when it is established; the pending INVITE of the peer is answered 480, ours is cancelled.
    /// `ended` comes when that is done. Before the ACK of our 2xx has come it waits for it or for its absence
    /// (RFC 3261 section 15).
    ///
    /// - Parameter reason: a Reason header's value (RFC 3326), such as `SIP;cause=200;text="room closed"`.
    package func bye(_ call: Call, reason: String? = nil, headers: [HeaderField] = []) {}

    /// Sends INVITE within an established call; responses come as `SIPEvent.response`.
    package func reinvite(_ call: Call, contact: String? = nil, headers: [HeaderField] = [], body: MessageBody? = nil) {
    }

    /// Sends UPDATE within a call (RFC 3311).
    package func update(_ call: Call, contact: String? = nil, headers: [HeaderField] = [], body: MessageBody? = nil) {}

    /// Sends later requests of this call to `endpoint` whatever the Contact says (the packet's source, for clients
    /// behind NAT); nil goes back to the dialog's own route. A live connection to it is reused.
    package func setRoute(_ call: Call, _ endpoint: Endpoint?) {}

    /// What was agreed about session timers; nil when there is none or the call is gone.
    package func sessionTimer(of call: Call) -> AgreedSessionTimer? { nil }

    // MARK: Calling

    /// Sends an INVITE. Responses come as `SIPEvent.response`; each 2xx wants `acknowledge`.
    ///
    /// - Parameters:
    ///   - target: the request URI; `;transport=tcp` and the sips scheme choose the transport.
    ///   - from: a From value without tag, such as `"Alice" <sip:alice@h>`.
    ///   - to: a To value; the target when nil.
    ///   - contact: a Contact value; the listener's address when nil.
    ///   - route: where to send it instead of where the target says.
    ///   - retrying: an INVITE that was challenged (401, 407): the new one goes on with its Call-ID and From tag, its
    ///     CSeq one higher (RFC 3261 section 22.2); put the Authorization into `headers`.
    package func invite(
        _ target: SIPURI, from: String, to: String? = nil, contact: String? = nil, route: Endpoint? = nil,
        headers: [HeaderField] = [], body: MessageBody? = nil, retrying: Call? = nil
    ) -> Call { Call(id: 0) }

    /// Sends the ACK of a 2xx, with the SDP answer when the 2xx carried the offer.
    package func acknowledge(_ call: Call, headers: [HeaderField] = [], body: MessageBody? = nil) {}

    /// Cancels an INVITE of ours that has no final response yet (RFC 3261 section 9.1).
    package func cancel(_ call: Call) {}

    /// Sends a request outside of any call; its responses come as `SIPEvent.answer`.
    package func send(
        _ method: String, to target: SIPURI, from: String, contact: String? = nil, route: Endpoint? = nil,
        headers: [HeaderField] = [], body: MessageBody? = nil
    ) -> Exchange { Exchange(id: 0) }

    /// Sends OPTIONS and waits for the final response; a timeout answers 408 after 32 s unless cancelled before.
    package func options(
        _ target: SIPURI, from: String, headers: [HeaderField] = []
    ) async -> (response: Response, roundTrip: Duration) {
        (Response(status: 503, phrase: "", headers: HeaderFields(octets: []), body: nil, source: nil), .zero)
    }

    // MARK: Timers

    /// Runs `action` on the SIP thread after `delay`, unless it is cancelled. Costs no task.
    @discardableResult
    package func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) -> SIPTimer {
        SIPTimer(id: 0)
    }

    package func cancel(_ timer: SIPTimer) {}
}

/// A scheduled action; never reused.
package struct SIPTimer: Sendable, Hashable {
    let id: UInt64
}

/// The session timer of a call (RFC 4028).
package struct AgreedSessionTimer: Sendable, Equatable {
    package enum Refresher: Sendable, Equatable { case us, peer }
    /// Seconds.
    package let interval: Int
    package let refresher: Refresher

    package init(interval: Int, refresher: Refresher) {
        self.interval = interval
        self.refresher = refresher
    }
}
