import CSofia
package import Logging

/// Sofia-SIP's user agent on its own thread.
///
/// The actor's executor is that thread. Another actor that returns the same `unownedExecutor` runs there too and can
/// call the stack without a hop: `stack.assumeIsolated { $0.respond(...) }` where it is synchronous, `await` elsewhere.
package actor SIPStack {
    /// Where the stack listens, with the actual ports, in the order of the configuration.
    package nonisolated let listeners: [Endpoint]
    package nonisolated let configuration: SIPConfiguration
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    nonisolated let executor: SIPExecutor
    nonisolated let logger: Logger
    private nonisolated let hosts = HostsFile.read()
    /// nil once Sofia's loop is about to end.
    var stack: OpaquePointer?
    private weak var handler: (any SIPHandler)?
    var calls: [UInt64: CallRecord] = [:]
    var transactions: [UInt64: TransactionRecord] = [:]
    var exchanges: [UInt64: ExchangeRecord] = [:]
    /// Identities of INVITEs that were challenged, for `invite(..., retrying:)`.
    var challenges = Challenges<Call>()
    /// Likewise of other requests, for `send(..., retrying:)`.
    var challengedExchanges = Challenges<Exchange>()
    var dialogs: [UInt64: DialogRecord] = [:]
    var referrals = Referrals()
    private var timers: [UInt64: (timer: OpaquePointer, action: @Sendable () -> Void)] = [:]
    private var lastTimer: UInt64 = 0
    /// Ids of calls that never came to be, counted down.
    var lastLocalCall = UInt64.max
    private var stopping: [CheckedContinuation<Void, Never>] = []
    private var hasStopped = false

    init(
        stack: StackPointer, executor: SIPExecutor, listeners: [Endpoint], configuration: SIPConfiguration,
        logger: Logger
    ) {
        self.stack = stack.pointer
        self.executor = executor
        self.listeners = listeners
        self.configuration = configuration
        self.logger = logger
    }

    /// Opens every listener, or none and throws.
    package static func start(_ configuration: SIPConfiguration, logger: Logger) async throws(SIPStartError) -> SIPStack
    {
        let identity = try TLSDirectory(configuration)
        defer { identity?.remove() }
        let result = await withCheckedContinuation { continuation in
            SIPThread.start(configuration, certificates: identity?.path, logger: logger) { result in
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }

    /// Sets who gets the events; requests that come while there is none are answered 503. Held weakly.
    package func setHandler(_ handler: (any SIPHandler)?) { self.handler = handler }

    /// Ends all calls (with a BYE where there is time), closes the listeners and ends the thread. Takes at most 3 s.
    package func shutdown() async {
        guard !hasStopped else { return }
        await withCheckedContinuation { continuation in
            stopping.append(continuation)
            guard stopping.count == 1, let stack else { return }
            let open = calls.values.map(\.call)
            for timer in timers.values { cs_timer_cancel(timer.timer) }
            timers = [:]
            transactions = [:]
            for call in open { end(call, .shutDown) }
            dialogs = [:]
            cs_shut_down(stack, 3000)
        }
    }

    /// Where a request to `target` goes: by `route` where there is one. A name of the hosts file is replaced by its
    /// address; nil leaves all to Sofia (RFC 3263).
    func way(to target: SIPURI, by route: Endpoint?) -> (endpoint: Endpoint?, name: String?) {
        guard let wanted = route ?? (target.isSIP ? target.transportHint : nil),
            let address = hosts.address(of: wanted.host, reachableFrom: listeners)
        else { return (route, nil) }
        return (Endpoint(transport: wanted.transport, host: address, port: wanted.port), wanted.host)
    }

    /// Sofia's loop ends when this returns.
    func stopped() {
        stack = nil
        hasStopped = true
        calls = [:]
        for record in exchanges.values { record.finish(Response.local(status: 503, phrase: "Stack is going down")) }
        exchanges = [:]
        executor.detach()
    }

    /// Sofia's loop has ended and its sockets are closed.
    func closed() {
        for continuation in exchange(&stopping, with: []) { continuation.resume() }
    }

    /// Whether a source has sent too much: 0 where it has not.
    func secondsToWait(_ source: Endpoint) -> UInt32 {
        UInt32(clamping: handler?.secondsToWait(source) ?? 0)
    }

    /// Hands an event to the handler. No state of the stack is borrowed meanwhile: the handler may call back.
    func deliver(_ event: SIPEvent) {
        if let handler {
            handler.received(event)
            return
        }
        switch event {
        case .invite(_, let transaction, _), .reinvite(_, let transaction, _), .update(_, let transaction, _),
            .inDialogRequest(_, let transaction, _), .dialogRequest(_, let transaction, _),
            .notify(_, let transaction, _),
            .request(let transaction, _):
            respond(to: transaction, status: 503)
        default:
            break
        }
    }

    // MARK: Timers

    /// Runs `action` on the SIP thread after `delay`, unless it is cancelled. Costs no task.
    @discardableResult
    package func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) -> SIPTimer {
        lastTimer += 1
        if let stack, let timer = cs_timer_start(stack, lastTimer, delay.milliseconds) {
            timers[lastTimer] = (timer, action)
        }
        return SIPTimer(id: lastTimer)
    }

    package func cancel(_ timer: SIPTimer) {
        if let found = timers.removeValue(forKey: timer.id) { cs_timer_cancel(found.timer) }
    }

    func timerFired(_ id: UInt64) {
        // The C timer is gone already.
        timers.removeValue(forKey: id)?.action()
    }
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

extension Response {
    /// A response that no peer sent.
    static func local(status: Int, phrase: String) -> Response {
        Response(status: status, phrase: phrase, headers: HeaderFields(octets: []), body: nil, source: nil)
    }
}
