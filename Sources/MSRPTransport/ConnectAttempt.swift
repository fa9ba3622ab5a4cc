import NIOCore
import NIOGnuTLS
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// One attempt to reach a destination, over all its addresses and within `TransportLimits.connectTimeout`.
final class ConnectAttempt {
    /// Of the addresses that DNS gives no more are tried.
    static let mostAddresses = 4

    private let transport: TransportLoop
    private let destination: Destination
    private let owner: any SessionOwner
    private let session: SessionID?
    /// The host and port, for counting.
    let place: String
    private(set) var hasBegun = false
    private var completion: ((ConnectAttempt, Result<Connection, ConnectError>) -> Void)?
    private var addresses: ArraySlice<SocketAddress> = []
    private var lastError = ConnectError.unknownHost
    private var timeout: Scheduled<Void>?
    private var channel: (any Channel)?
    /// The session is one of ours.
    private var isToOurselves = false

    init(
        transport: TransportLoop, destination: Destination, owner: any SessionOwner, session: SessionID?,
        completion: @escaping (ConnectAttempt, Result<Connection, ConnectError>) -> Void
    ) {
        self.transport = transport
        self.destination = destination
        self.owner = owner
        self.session = session
        self.completion = completion
        place = "\(destination.host.lowercased()):\(destination.port)"
    }

    var isOver: Bool { completion == nil }

    func startTimer() {
        let bound = NIOLoopBound(self, eventLoop: transport.eventLoop)
        timeout = transport.eventLoop.scheduleTask(in: transport.limits.connectTimeout) {
            let attempt = bound.value
            attempt.finish(.failure(.timedOut))
        }
    }

    func start() {
        hasBegun = true
        if timeout == nil { startTimer() }
        guard let session = destination.sessionKey.map({ SessionID(text: $0) }) else { return findAddresses() }
        let reachesOwn = destination.reachesOwn
        guard let loop = transport.otherLoop(of: session), let other = transport.share.loop(loop) else {
            return learned(isOwn: transport.sessions.owner(of: session).map(reachesOwn) ?? false)
        }
        let bound = NIOLoopBound(self, eventLoop: transport.eventLoop)
        other.eventLoop.execute {
            let isOwn = other.value.sessions.owner(of: session).map(reachesOwn) ?? false
            bound.eventLoop.execute { bound.value.learned(isOwn: isOwn) }
        }
    }

    private func learned(isOwn: Bool) {
        guard completion != nil else { return }
        guard isOwn else { return findAddresses() }
        isToOurselves = true
        resolved(transport.ownAddress.map { [$0] } ?? [])
    }

    private func findAddresses() {
        if let address = try? SocketAddress(ipAddress: destination.host, port: destination.port) {
            resolved([address])
            return
        }
        // getaddrinfo blocks, so it runs on a thread of its own.
        let host = destination.host
        let port = destination.port
        let bound = NIOLoopBound(self, eventLoop: transport.eventLoop)
        NIOThreadPool.singleton.runIfActive(eventLoop: transport.eventLoop) {
            Self.resolve(host: host, port: port)
        }.whenComplete { result in
            bound.value.resolved((try? result.get()) ?? [])
        }
    }

    private func resolved(_ found: [SocketAddress]) {
        guard completion != nil else { return }
        addresses = found.prefix(Self.mostAddresses)
        tryNext()
    }

    private func tryNext() {
        guard completion != nil else { return }
        guard let address = addresses.popFirst() else { return finish(.failure(lastError)) }
        if destination.isAtPeersWord, !isToOurselves,
            let refusal = (destination.policy ?? transport.egress).refusal(
                of: address, signallingSource: destination.signallingSource, listeners: transport.listeners)
        {
            lastError = .refusedByPolicy(refusal)
            return tryNext()
        }
        connect(to: address)
    }

    private func connect(to address: SocketAddress) {
        let eventLoop = transport.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(transport.limits.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: transport.receiveAllocator)
            .channelOption(.autoRead, value: false)
            .connect(to: address)
            .whenComplete { result in
                let attempt = bound.value
                switch result {
                case .success(let channel): attempt.connected(channel)
                case .failure:
                    attempt.lastError = .failed
                    attempt.tryNext()
                }
            }
    }

    private func connected(_ channel: any Channel) {
        guard completion != nil else { return channel.close(promise: nil) }
        guard let connection = transport.admit(channel, isOutbound: true) else {
            channel.close(promise: nil)
            return finish(.failure(.tooManyConnections))
        }
        transport.setUserTimeout(channel)
        self.channel = channel
        channel.closeFuture.whenComplete { [bound = NIOLoopBound(self, eventLoop: transport.eventLoop)] _ in
            bound.value.finish(.failure(bound.value.destination.isTLS ? .tlsFailed : .failed))
        }
        do {
            let pipeline = channel.pipeline.syncOperations
            connection.isTLS = destination.isTLS
            if destination.isTLS, let context = destination.tlsContext ?? transport.clientTLS {
                let name = destination.serverName ?? destination.host
                let isVerified =
                    destination.verifiesName ?? (transport.verifiesPeers && destination.isAtPeersWord && !isToOurselves)
                try pipeline.addHandler(
                    GnuTLSHandler(
                        context: context, serverName: name, verification: isVerified ? .authority(name: name) : .none,
                        limits: transport.tlsLimits, scratch: transport.tlsScratch))
            }
            try pipeline.addHandler(ConnectionHandler(connection: connection) { [self] in established($0) })
            try channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            channel.close(promise: nil)
        }
    }

    private func established(_ connection: Connection) {
        guard completion != nil else { return connection.close(.now) }
        if let session {
            guard transport.sessions.owner(of: session) === owner else {
                connection.close(.now)
                return finish(.failure(.failed))
            }
        }
        channel = nil
        finish(.success(connection))
        if connection.isOpen { connection.attach(to: owner, session: session, head: nil) }
        transport.scheduler.flush()
    }

    private func finish(_ result: Result<Connection, ConnectError>) {
        guard let completion else { return }
        self.completion = nil
        timeout?.cancel()
        timeout = nil
        if case .failure = result { channel?.close(promise: nil) }
        channel = nil
        completion(self, result)
        transport.scheduler.flush()
    }

    /// Blocks.
    private static func resolve(host: String, port: Int) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let list else { return [] }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next: UnsafeMutablePointer<addrinfo>? = list
        while let info = next?.pointee {
            next = info.ai_next
            guard let address = info.ai_addr else { continue }
            switch info.ai_family {
            case AF_INET:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    found.append(SocketAddress($0.pointee))
                }
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    found.append(SocketAddress($0.pointee))
                }
            default: break
            }
        }
        return found
    }
}

@available(*, unavailable)
extension ConnectAttempt: Sendable {}
