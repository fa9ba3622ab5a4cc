package import Logging
package import NIOCore
package import NIOGnuTLS

/// How the transport is to work.
package struct TransportConfiguration: Sendable {
    package var limits: TransportLimits
    /// Where peers may make us connect to; nil: as `EgressPolicy.standard` says when the listeners are open.
    package var egress: EgressPolicy?
    /// Nil: no TLS is accepted.
    package var serverTLS: TLSContext?
    /// Nil: no TLS connection can be opened.
    package var clientTLS: TLSContext?
    /// Whether the certificate of a peer we connect to at its word must be good for its name.
    package var verifiesPeers: Bool

    package init(
        limits: TransportLimits = TransportLimits(), egress: EgressPolicy? = nil, serverTLS: TLSContext? = nil,
        clientTLS: TLSContext? = nil, verifiesPeers: Bool = false
    ) {
        self.limits = limits
        self.egress = egress
        self.serverTLS = serverTLS
        self.clientTLS = clientTLS
        self.verifiesPeers = verifiesPeers
    }
}

/// The transport as others see it: Sendable, each method hops to the loop.
package struct TransportHandle: Sendable {
    package let eventLoop: any EventLoop
    private let bound: NIOLoopBound<TransportLoop>

    /// Makes the transport on an event loop of NIOPosix; nothing listens yet.
    package static func start(
        on eventLoop: any EventLoop, configuration: TransportConfiguration = TransportConfiguration(), logger: Logger
    ) async -> TransportHandle {
        let bound = try? await eventLoop.submit {
            let transport = TransportLoop(eventLoop: eventLoop, configuration: configuration, logger: logger)
            transport.startTimer()
            return NIOLoopBound(transport, eventLoop: eventLoop)
        }.get()
        guard let bound else { preconditionFailure("the event loop was shut down already") }
        return TransportHandle(eventLoop: eventLoop, bound: bound)
    }

    private init(eventLoop: any EventLoop, bound: NIOLoopBound<TransportLoop>) {
        self.eventLoop = eventLoop
        self.bound = bound
    }

    /// Opens listeners that take plain and TLS connections.
    /// - Returns: the actual addresses, in order (port 0 asks for any port).
    /// - Throws: for the first that cannot be opened; those opened by this call are closed again.
    @discardableResult
    package func listen(on addresses: [ListenAddress]) async throws(ListenError) -> [SocketAddress] {
        try await Listener.open(addresses, transport: bound)
    }

    /// Closes the listeners at these actual addresses; the connections that came through them live on.
    package func stopListening(on addresses: [SocketAddress]) async {
        await Listener.close(addresses, transport: bound)
    }

    /// Other settings from now on, for connections and listeners that come: see `TransportLoop.renew`.
    package func renew(_ configuration: TransportConfiguration) async {
        await perform { $0.renew(configuration) }
    }

    /// Runs something on the loop, with the transport, and flushes afterwards.
    package func perform<R: Sendable>(_ body: @escaping @Sendable (TransportLoop) -> R) async -> R {
        let bound = bound
        let result = try? await eventLoop.submit {
            let transport = bound.value
            let result = body(transport)
            transport.scheduler.flush()
            return result
        }.get()
        guard let result else { preconditionFailure("the event loop was shut down before its users") }
        return result
    }

    package func counters() async -> TransportCounters {
        await perform { transport in
            var counters = transport.counters
            counters.sessions = transport.sessions.count
            return counters
        }
    }

    /// Stops listening and closes all connections in an orderly way; returns when they are closed, at the latest
    /// after `TransportLimits.lingerTimeout` and a little.
    package func shutdown() async {
        await Listener.shutdown(transport: bound, eventLoop: eventLoop)
    }
}
