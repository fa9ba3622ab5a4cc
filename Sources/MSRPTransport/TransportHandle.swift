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

/// The transport as others see it: Sendable, each method hops to its loops.
///
/// It has one event loop, or several that share the connections. The first has the listeners, AUTH and the relay. A
/// connection is where the session that it names first is (`LoopPlace`): see Connection+Moving.swift. Of
/// `TransportLimits` those of connections and sessions hold for all loops together; of `connects`,
/// `connectsPerDestination` and `drainedBytes` each loop has its part.
package struct TransportHandle: Sendable {
    /// The first loop.
    package let eventLoop: any EventLoop
    private let loops: [NIOLoopBound<TransportLoop>]
    private var first: NIOLoopBound<TransportLoop> { loops[0] }

    /// Makes the transport on an event loop of NIOPosix; nothing listens yet.
    package static func start(
        on eventLoop: any EventLoop, configuration: TransportConfiguration = TransportConfiguration(), logger: Logger
    ) async -> TransportHandle {
        await start(on: [eventLoop], configuration: configuration, logger: logger)
    }

    /// The same on several loops, at most `LoopPlace.most` of them, each on a thread of its own.
    package static func start(
        on eventLoops: [any EventLoop], configuration: TransportConfiguration = TransportConfiguration(),
        logger: Logger
    ) async -> TransportHandle {
        let eventLoops = eventLoops.prefix(LoopPlace.most)
        let share = TransportShare(count: eventLoops.count)
        let sessions = SessionCount()
        var loops: [NIOLoopBound<TransportLoop>] = []
        for (index, eventLoop) in eventLoops.enumerated() {
            let place = LoopPlace(index: index, count: eventLoops.count)
            let bound = try? await eventLoop.submit {
                let transport = TransportLoop(
                    eventLoop: eventLoop, place: place, share: share, sessions: sessions, configuration: configuration,
                    logger: logger)
                transport.startTimer()
                return NIOLoopBound(transport, eventLoop: eventLoop)
            }.get()
            guard let bound else { preconditionFailure("the event loop was shut down already") }
            loops.append(bound)
        }
        guard let first = eventLoops.first else { preconditionFailure("a transport needs an event loop") }
        share.connect(loops)
        return TransportHandle(eventLoop: first, loops: loops)
    }

    private init(eventLoop: any EventLoop, loops: [NIOLoopBound<TransportLoop>]) {
        self.eventLoop = eventLoop
        self.loops = loops
    }

    /// How many loops there are.
    package var loopCount: Int { loops.count }

    /// Opens listeners that take plain and TLS connections.
    /// - Returns: the actual addresses, in order (port 0 asks for any port).
    /// - Throws: for the first that cannot be opened; those opened by this call are closed again.
    @discardableResult
    package func listen(on addresses: [ListenAddress]) async throws(ListenError) -> [SocketAddress] {
        let opened = try await Listener.open(addresses, transport: first)
        await tellListeners()
        return opened
    }

    /// Closes the listeners at these actual addresses; the connections that came through them live on.
    package func stopListening(on addresses: [SocketAddress]) async {
        await Listener.close(addresses, transport: first)
        await tellListeners()
    }

    /// The other loops know them too: our paths name one, and the egress policy keeps us from connecting to them.
    private func tellListeners() async {
        guard loops.count > 1 else { return }
        let listeners = await perform { $0.listeners }
        await performOnAll { if $0.place.index > 0 { $0.learn(listeners: listeners) } }
    }

    /// Other settings from now on, for connections and listeners that come: see `TransportLoop.renew`.
    package func renew(_ configuration: TransportConfiguration) async {
        await performOnAll { $0.renew(configuration) }
    }

    /// Runs something on the first loop, with the transport, and flushes afterwards.
    package func perform<R: Sendable>(_ body: @escaping @Sendable (TransportLoop) -> R) async -> R {
        await perform(on: 0, body)
    }

    /// The same on another loop.
    /// - Parameter index: less than `loopCount`.
    package func perform<R: Sendable>(
        on index: Int, _ body: @escaping @Sendable (TransportLoop) -> R
    ) async -> R {
        let bound = loops[index]
        let result = try? await bound.eventLoop.submit {
            let transport = bound.value
            let result = body(transport)
            transport.scheduler.flush()
            return result
        }.get()
        guard let result else { preconditionFailure("the event loop was shut down before its users") }
        return result
    }

    /// The same on all loops, one after another.
    /// - Returns: what each said, the first loop first.
    @discardableResult
    package func performOnAll<R: Sendable>(_ body: @escaping @Sendable (TransportLoop) -> R) async -> [R] {
        var results: [R] = []
        for index in loops.indices { results.append(await perform(on: index, body)) }
        return results
    }

    /// Of all loops together.
    package func counters() async -> TransportCounters {
        let all = await performOnAll { transport in
            var counters = transport.counters
            counters.sessions = transport.sessions.count
            return counters
        }
        return all.dropFirst().reduce(into: all[0]) { $0.add($1) }
    }

    /// Stops listening and closes all connections in an orderly way; returns when they are closed, at the latest
    /// after `TransportLimits.lingerTimeout` and a little.
    package func shutdown() async {
        for loop in loops { _ = try? await loop.eventLoop.submit { loop.value.beginShutdown() }.get() }
        await withTaskGroup(of: Void.self) { group in
            for loop in loops { group.addTask { await Listener.waitForEnd(of: loop) } }
        }
    }
}
