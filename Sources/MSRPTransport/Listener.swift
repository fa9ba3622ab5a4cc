import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// An address to listen on.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A numeric address, IPv6 without brackets.
    package let host: String
    /// 0: any.
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

package enum ListenError: Error, Sendable, Equatable, CustomStringConvertible {
    case addressInUse(ListenAddress)
    case notAnAddress(ListenAddress)
    case cannotListen(ListenAddress, reason: String)

    package var description: String {
        switch self {
        case .addressInUse(let address): "MSRP cannot listen on \(address): the address is in use"
        case .notAnAddress(let address): "MSRP cannot listen on \(address): not a numeric address"
        case .cannotListen(let address, let reason): "MSRP cannot listen on \(address): \(reason)"
        }
    }
}

/// Accepts connections on one port for both owners, mixer and relay, plain and TLS.
enum Listener {
    static func open(
        _ addresses: [ListenAddress], transport: NIOLoopBound<TransportLoop>
    ) async throws(ListenError) -> [SocketAddress] {
        var channels: [any Channel] = []
        var failure: ListenError?
        for address in addresses {
            do throws(ListenError) {
                channels.append(try await open(address, transport: transport))
            } catch {
                failure = error
                break
            }
        }
        if let failure {
            for channel in channels { try? await channel.close().get() }
            throw failure
        }
        let opened = channels
        let loop = transport.eventLoop
        return
            (try? await loop.submit {
                transport.value.adopt(listeners: opened)
                return opened.compactMap(\.localAddress)
            }.get()) ?? []
    }

    private static func open(
        _ address: ListenAddress, transport: NIOLoopBound<TransportLoop>
    ) async throws(ListenError) -> any Channel {
        guard let socketAddress = try? SocketAddress(ipAddress: address.host, port: address.port) else {
            throw .notAnAddress(address)
        }
        let userTimeout = try? await transport.eventLoop.submit { transport.value.userTimeout }.get()
        var bootstrap = ServerBootstrap(group: transport.eventLoop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Accepted connections have what their listener has: that saves two system calls for each.
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .serverChannelOption(TransportLoop.userTimeoutOption, value: userTimeout ?? 0)
            .childChannelInitializer { channel in
                let transport = transport.value
                guard let connection = transport.admit(channel, isOutbound: false) else { return channel.close() }
                transport.setOptions(channel)
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(FirstByteDetector(connection: connection))
                    try pipeline.addHandler(ConnectionHandler(connection: connection))
                }
            }
        if socketAddress.protocol == .inet6 {
            // `[::]` and `0.0.0.0` are listeners of their own.
            bootstrap = bootstrap.serverChannelOption(
                ChannelOptions.socket(SocketOptionLevel(IPPROTO_IPV6), SocketOptionName(IPV6_V6ONLY)), value: 1)
        }
        do {
            return try await bootstrap.bind(to: socketAddress).get()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw .addressInUse(address)
        } catch {
            throw .cannotListen(address, reason: "\(error)")
        }
    }

    static func close(_ addresses: [SocketAddress], transport: NIOLoopBound<TransportLoop>) async {
        let channels =
            (try? await transport.eventLoop.submit { transport.value.release(listenersAt: addresses) }.get()) ?? []
        for channel in channels { try? await channel.close().get() }
    }

    /// Of a loop whose connections were told to close.
    static func waitForEnd(of transport: NIOLoopBound<TransportLoop>) async {
        let eventLoop = transport.eventLoop
        let step: TimeAmount = .milliseconds(20)
        let limit = (try? await eventLoop.submit { transport.value.limits.lingerTimeout }.get()) ?? .zero
        let deadline = NIODeadline.now() + limit + .milliseconds(100)
        while NIODeadline.now() < deadline {
            let isDone = try? await eventLoop.scheduleTask(in: step) { !transport.value.hasConnections }.futureResult
                .get()
            if isDone != false { break }
        }
        _ = try? await eventLoop.submit {
            transport.value.closeAll(.now)
            transport.value.stopTimer()
            transport.value.share.disconnect()
        }.get()
    }
}

extension TransportLoop {
    func adopt(listeners channels: [any Channel]) {
        listenerChannels.append(contentsOf: channels)
        listeners.append(contentsOf: channels.compactMap(\.localAddress))
        judgeEgress()
    }

    /// On a loop that has no listeners itself.
    func learn(listeners addresses: [SocketAddress]) {
        listeners = addresses
        judgeEgress()
    }

    /// Takes the listeners at these actual addresses out; they are still to be closed.
    func release(listenersAt addresses: [SocketAddress]) -> [any Channel] {
        let leaving = listenerChannels.filter { $0.localAddress.map(addresses.contains) ?? false }
        listenerChannels.removeAll { channel in leaving.contains { $0 === channel } }
        listeners = listenerChannels.compactMap(\.localAddress)
        judgeEgress()
        return leaving
    }

    /// Where our own listener is reached from this host.
    var ownAddress: SocketAddress? {
        listeners.lazy.compactMap { listener in
            guard let port = listener.port, let address = IPAddress(listener) else { return nil }
            guard address.isUnspecified else { return listener }
            return try? SocketAddress(ipAddress: listener.protocol == .inet6 ? "::1" : "127.0.0.1", port: port)
        }.first
    }

    func beginShutdown() {
        isClosing = true
        for channel in listenerChannels { channel.close(promise: nil) }
        listenerChannels = []
        closeAll(.orderly)
    }

    /// What the bootstrap would set too, at the cost of a future for each option.
    func setOptions(_ channel: any Channel) {
        let options = channel.syncOptions
        try? options?.setOption(.maxMessagesPerRead, value: 1)
        try? options?.setOption(.recvAllocator, value: receiveAllocator)
    }

    func setUserTimeout(_ channel: any Channel) {
        try? channel.syncOptions?.setOption(Self.userTimeoutOption, value: userTimeout)
    }

    static var userTimeoutOption: ChannelOptions.Types.SocketOption {
        ChannelOptions.socket(SocketOptionLevel(IPPROTO_TCP), SocketOptionName(TCP_USER_TIMEOUT))
    }

    var userTimeout: SocketOptionValue {
        SocketOptionValue(CInt(clamping: limits.userTimeout.nanoseconds / 1_000_000))
    }
}
