internal import FoundationEssentials
internal import Logging
internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#endif

/// The local socket by which `confd status` and `confd room` ask the running server: one line of JSON each way.
///
/// To be started after the listeners and closed first. It serves on a thread of its own; the handler is awaited once a
/// request.
final class ControlSocket: Sendable {
    /// Connections beyond that many wait to be accepted.
    static let mostConnections = 32
    /// A request that isn't there by then ends its connection.
    static let requestTimeout: TimeAmount = .seconds(3)
    /// An answer that isn't made and taken by then ends its connection. Changes of the database may wait for those of
    /// other processes.
    static let answerTimeout: TimeAmount = .seconds(9)
    /// What `sun_path` of Linux holds, without its NUL.
    static let longestPath = 107

    private let path: String
    private let lock: Int32
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    /// The socket's place in a state directory.
    static func path(stateDirectory: String) -> String { "\(stateDirectory)/control.sock" }

    /// Opens the socket, for the owner of the process only. One that a dead process left behind is replaced.
    ///
    /// - Throws: why there is none; a server that runs already keeps it. Good for a warning: the server does its work
    ///   without.
    static func start(
        path: String, logger: Logger, handler: @escaping ControlMessage.Handler
    ) async throws(StartError) -> ControlSocket {
        let lock = try takeLock("\(path).lock")
        let socket: Int32
        do throws(StartError) {
            socket = try listen(path)
        } catch {
            Glibc.close(lock)
            throw error
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(AcceptLimit(most: mostConnections))
                    }
                }
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            ControlSocketConnection(handler: handler, logger: logger))
                    }
                }
                .withBoundSocket(socket).get()
            return ControlSocket(path: path, lock: lock, channel: channel, group: group)
        } catch {
            try? await group.shutdownGracefully()
            unlink(path)
            Glibc.close(lock)
            throw StartError("the control socket '\(path)' can't be served: \(error)")
        }
    }

    private init(path: String, lock: Int32, channel: any Channel, group: MultiThreadedEventLoopGroup) {
        self.path = path
        self.lock = lock
        self.channel = channel
        self.group = group
    }

    /// Ends it and removes its file. To be called once.
    func close() async {
        try? await channel.close()
        // While the lock is held, the file is ours.
        unlink(path)
        try? await group.shutdownGracefully()
        Glibc.close(lock)
    }

    // MARK: The files

    /// Whoever holds the lock owns the socket's name. It ends with the process, however that ends, so what a dead one
    /// left is told from what a live one uses, and of two that start at once one gets it.
    private static func takeLock(_ path: String) throws(StartError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StartError("the file '\(path)' can't be made: \(lastError)") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            Glibc.close(descriptor)
            if reason == EWOULDBLOCK {
                throw StartError(
                    "another confd runs with this state directory and has its control socket; give each server its own "
                        + "[Conference] state_directory")
            }
            throw StartError("the file '\(path)' can't be locked: \(String(cString: strerror(reason)))")
        }
        return descriptor
    }

    /// Only called with the lock held.
    private static func listen(_ path: String) throws(StartError) -> Int32 {
        guard var address = socketAddress(path) else {
            throw StartError(
                "the control socket's path is too long: \(path.utf8.count) bytes, \(longestPath) are possible; choose a "
                    + "shorter [Conference] state_directory (it is '\(path)')")
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw StartError("no control socket: \(lastError)") }
        unlink(path)
        // The file takes its mode from the socket, so at no moment may others connect.
        fchmod(descriptor, 0o600)
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard isBound == 0, chmod(path, 0o600) == 0 else {
            let error = StartError("the control socket '\(path)' can't be made: \(lastError)")
            Glibc.close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Nil: the path is too long.
    static func socketAddress(_ path: String) -> sockaddr_un? {
        let bytes = Array(path.utf8)
        guard bytes.count <= longestPath, !bytes.contains(0) else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static var lastError: String { String(cString: strerror(errno)) }
}

/// Accepts no more connections than that many at a time: the others wait in the socket's queue.
private final class AcceptLimit: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let most: Int
    private var open = 0
    private var hasHeldRead = false

    init(most: Int) { self.most = most }

    func read(context: ChannelHandlerContext) {
        if open < most { context.read() } else { hasHeldRead = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        open += 1
        let me = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        // The children run on the same loop: there is but one.
        unwrapInboundIn(data).closeFuture.hop(to: context.eventLoop).whenComplete { _ in
            me.value.handler.closed(me.value.context)
        }
        context.fireChannelRead(data)
    }

    private func closed(_ context: ChannelHandlerContext) {
        open -= 1
        guard hasHeldRead, open < most else { return }
        hasHeldRead = false
        context.read()
    }
}

@available(*, unavailable)
extension AcceptLimit: Sendable {}
