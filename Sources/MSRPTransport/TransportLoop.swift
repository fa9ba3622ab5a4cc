package import Logging
package import NIOCore
package import NIOGnuTLS
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// All that MSRP transport holds on one event loop: connections, sessions, output, one coarse timer.
///
/// Confined to its loop; others use `TransportHandle`.
package final class TransportLoop {
    /// How often deadlines are looked at.
    package static let tick: TimeAmount = .milliseconds(500)

    package let eventLoop: any EventLoop
    /// Which of the transport's loops this is.
    package let place: LoopPlace
    /// What it has together with the others.
    let share: TransportShare
    /// Changes hold for what comes; connections keep what they began with.
    package var limits: TransportLimits {
        didSet { sessions.limit = limits.sessions }
    }
    package let logger: Logger
    package let scheduler: OutboundScheduler
    package var sessions: SessionTable
    package var counters = TransportCounters()

    /// Who owns connections that start with AUTH.
    package var authOwner: (any SessionOwner)?

    /// Where peers may make us connect to.
    package internal(set) var egress: EgressPolicy
    /// The listeners' actual addresses.
    package internal(set) var listeners: [SocketAddress] = []
    /// Whether `shutdown` was asked for.
    package internal(set) var isClosing = false

    /// For connections that come, and that go out, from now on; see `TransportConfiguration`.
    package private(set) var serverTLS: TLSContext?
    package private(set) var clientTLS: TLSContext?
    package private(set) var verifiesPeers: Bool
    let tlsScratch = TLSScratch()
    let receiveBuffers = ReceiveBuffers()
    /// For every channel of this loop.
    let receiveAllocator: ReceiveAllocator
    package private(set) lazy var connector = Connector(transport: self)

    var listenerChannels: [any Channel] = []
    /// What was configured; nil: as the listeners make it.
    private var configuredEgress: EgressPolicy?

    private var connections: [ObjectIdentifier: Connection] = [:]
    /// Those with a deadline: nobody owns them, or they linger.
    private var timedConnections: [ObjectIdentifier: Connection] = [:]
    /// Those that are to go to another loop.
    private var departing: [Connection] = []
    private var tickers: [(NIODeadline) -> Void] = []
    private var timer: RepeatedTask?
    /// See `TransportLimits.drainedBytes`.
    var drainedBytes = 0
    private var lastNumber: UInt64 = 0

    init(
        eventLoop: any EventLoop, place: LoopPlace, share: TransportShare, sessions: SessionCount,
        configuration: TransportConfiguration, logger: Logger
    ) {
        eventLoop.preconditionInEventLoop()
        self.eventLoop = eventLoop
        self.place = place
        self.share = share
        limits = configuration.limits
        serverTLS = configuration.serverTLS
        clientTLS = configuration.clientTLS
        verifiesPeers = configuration.verifiesPeers
        egress = configuration.egress ?? .public
        configuredEgress = configuration.egress
        self.sessions = SessionTable(limit: configuration.limits.sessions, place: place, countedWith: sessions)
        scheduler = OutboundScheduler(eventLoop: eventLoop)
        self.logger = logger
        receiveAllocator = ReceiveAllocator(NIOLoopBound(receiveBuffers, eventLoop: eventLoop))
        // TLS takes apart what was read before anybody else sees it.
        tlsScratch.takeBack = { [receiveBuffers] in receiveBuffers.giveBack($0) }
    }

    // MARK: Settings

    /// Other settings from now on: connections that are there live on with what they began with.
    package func renew(_ configuration: TransportConfiguration) {
        limits = configuration.limits
        serverTLS = configuration.serverTLS
        clientTLS = configuration.clientTLS
        verifiesPeers = configuration.verifiesPeers
        configuredEgress = configuration.egress
        judgeEgress()
    }

    /// After the listeners or the settings changed.
    func judgeEgress() {
        egress = configuredEgress ?? (listeners.isEmpty ? .public : .standard(listeners: listeners))
    }

    // MARK: Time

    /// Calls back every `tick`, and flushes afterwards.
    package func everyTick(_ body: @escaping (NIODeadline) -> Void) {
        tickers.append(body)
    }

    func startTimer() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in
            bound.value.ticked(at: .now())
        }
    }

    func stopTimer() {
        timer?.cancel()
        timer = nil
        tickers = []
    }

    /// Looks at all deadlines; also what tests call instead of waiting.
    package func ticked(at now: NIODeadline) {
        for connection in Array(timedConnections.values) where connection.deadline <= now {
            if connection.closing == nil, !connection.isDraining { counters.unboundTimeouts &+= 1 }
            connection.close(.now, reason: .unboundTimeout)
        }
        for (session, owner) in sessions.expire(now: now) { owner.reservationExpired(session) }
        if !departing.isEmpty { seeOff() }
        for ticker in tickers { ticker(now) }
        scheduler.flush()
        scheduler.collectBuffers()
    }

    // MARK: Connections

    /// A connection for a channel that was accepted or opened; nil when a limit says no.
    func admit(_ channel: any Channel, isOutbound: Bool) -> Connection? {
        let remote = channel.remoteAddress
        let admission = isClosing ? .tooMany : share.admit(remote.flatMap { IPAddress($0) }, limits: limits)
        switch admission {
        case .yes: break
        case .tooMany:
            counters.refusedByConnectionLimit &+= 1
            return nil
        case .tooManyOfAddress:
            counters.refusedByAddressLimit &+= 1
            return nil
        }
        lastNumber &+= 1
        let connection = Connection(
            transport: self, remoteAddress: remote, localAddress: channel.localAddress, isOutbound: isOutbound,
            number: place.number(lastNumber))
        remember(connection)
        if isOutbound { counters.connectionsOpened &+= 1 } else { counters.connectionsAccepted &+= 1 }
        return connection
    }

    private func remember(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = connection
        timedConnections[ObjectIdentifier(connection)] = connection
        counters.connections = connections.count
    }

    func forget(_ connection: Connection) {
        guard drop(connection) else { return }
        share.forget(connection.remoteIP)
    }

    /// Takes a connection out that is another loop's from now on.
    @discardableResult
    func drop(_ connection: Connection) -> Bool {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return false }
        timedConnections[ObjectIdentifier(connection)] = nil
        counters.connections = connections.count
        return true
    }

    // MARK: Between loops

    /// The loop that has this session, if it is another one.
    func otherLoop(of session: SessionID) -> Int? {
        guard place.count > 1, let loop = place.owner(of: session), loop != place.index else { return nil }
        return loop
    }

    /// In a turn of its own: within this one the connection's channel is still at work.
    func seeOffSoon(_ connection: Connection) {
        departing.append(connection)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { bound.value.seeOff() }
    }

    /// Those that can't go yet are tried again at the next tick; who never can is closed as any connection that names
    /// no session.
    private func seeOff() {
        let all = departing
        departing = []
        for connection in all {
            guard connection.isReadable, let departure = connection.departure else { continue }
            guard let arrival = connection.takeAway() else {
                departing.append(connection)
                continue
            }
            if let loop = share.loop(departure.loop) {
                loop.eventLoop.execute { loop.value.welcome(arrival) }
            } else {
                abandon(arrival)
            }
        }
        scheduler.flush()
    }

    /// A connection that comes from another loop.
    private func welcome(_ arrival: Connection.Arrival) {
        guard !isClosing else { return abandon(arrival) }
        let connection = Connection(transport: self, arrival)
        remember(connection)
        counters.connectionsMoved &+= 1
        guard let socket = arrival.socket else {
            connection.arrived()
            connection.channelClosed()
            return scheduler.flush()
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let arriving = NIOLoopBound(connection, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: receiveAllocator)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let transport = bound.value
                    if let tls = arrival.tls {
                        try pipeline.addHandler(
                            GnuTLSHandler(moving: tls, limits: transport.tlsLimits, scratch: transport.tlsScratch))
                    }
                    try pipeline.addHandler(ConnectionHandler(connection: arriving.value))
                }
            }
            .withConnectedSocket(socket)
            .whenComplete { result in
                let connection = arriving.value
                connection.arrived()
                switch result {
                case .success(let channel): if connection.closing != nil { channel.close(promise: nil) }
                case .failure: connection.channelClosed()
                }
                bound.value.scheduler.flush()
            }
    }

    private func abandon(_ arrival: Connection.Arrival) {
        if let socket = arrival.socket { close(socket) }
        share.forget(arrival.remoteAddress.flatMap { IPAddress($0) })
    }

    func time(_ connection: Connection) { timedConnections[ObjectIdentifier(connection)] = connection }

    func untime(_ connection: Connection) {
        if connection.closing == nil { timedConnections[ObjectIdentifier(connection)] = nil }
    }

    func closeAll(_ mode: ClosingMode) {
        for connection in connections.values { connection.close(mode) }
        scheduler.flush()
    }

    var hasConnections: Bool { !connections.isEmpty }

    func serverTLSHandler() -> GnuTLSHandler? {
        serverTLS.map { GnuTLSHandler(context: $0, limits: tlsLimits, scratch: tlsScratch) }
    }

    var tlsLimits: TLSLimits {
        TLSLimits(handshakeTimeout: limits.tlsHandshakeTimeout, closeTimeout: limits.lingerTimeout)
    }
}

@available(*, unavailable)
extension TransportLoop: Sendable {}
