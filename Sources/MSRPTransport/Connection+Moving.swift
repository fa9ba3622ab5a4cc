import MSRP
import NIOCore
import NIOGnuTLS

#if canImport(Glibc)
    import Glibc
#endif

/// A connection is accepted on the first loop and moves, once its first head names a session of another one, to that
/// loop. Only a connection without a session moves, so nobody but the transport knows it.
///
/// - The head pauses reading, so that what follows it stays in `held`, in the TLS session, or in the socket.
/// - In the next turn, when nothing waits to be written, the descriptor is duplicated and the old channel closed: the
///   socket lives on. Parser, held octets and TLS session go along; the head is judged again where they arrive.
/// - A peer that has closed meanwhile is served like one that closes just after: what it sent goes along without a
///   socket.
extension Connection {
    /// Why the connection is paused while it moves; and what it moves for.
    final class Departure {
        let loop: Int
        let head: Head

        init(loop: Int, head: Head) {
            self.loop = loop
            self.head = head
        }
    }

    /// A connection on its way. Whoever has it owns the descriptor.
    struct Arrival: Sendable {
        /// Nil: the peer has closed.
        let socket: CInt?
        let tls: MovingTLS?
        let isTLS: Bool
        let peer: TLSPeer?
        let remoteAddress: SocketAddress?
        let localAddress: SocketAddress?
        let isOutbound: Bool
        let number: UInt64
        let deadline: NIODeadline
        /// Named the session; the parser is behind it.
        let head: Head
        let parser: PartParser
        let held: ByteBuffer?
        let bytesReceived: UInt64
        let passedBytes: UInt64
    }

    func depart(to loop: Int, with head: Head) {
        let departure = Departure(loop: loop, head: head)
        self.departure = departure
        pauseReading(by: departure)
        transport.seeOffSoon(self)
    }

    /// Takes everything out of this connection that another loop needs to go on with it. It is over then, and nobody
    /// is told.
    /// - Returns: nil when it can't go, or not yet: octets wait to be written.
    func takeAway() -> Arrival? {
        guard let departure, isReadable else { return nil }
        var socket: CInt?
        var tls: MovingTLS?
        if !isClosed {
            guard let context, isQuiet(context) else { return nil }
            let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard duplicate >= 0 else {
                close(.now, reason: .failed)
                return nil
            }
            if isTLS {
                let handler = try? context.pipeline.syncOperations.handler(type: GnuTLSHandler.self)
                tls = handler?.takeAway()
                guard tls != nil else {
                    _ = Glibc.close(duplicate)
                    return nil
                }
            }
            socket = duplicate
        }
        let arrival = Arrival(
            socket: socket, tls: tls, isTLS: isTLS, peer: peer, remoteAddress: remoteAddress,
            localAddress: localAddress,
            isOutbound: isOutbound, number: number, deadline: deadline, head: departure.head, parser: parser,
            held: held,
            bytesReceived: bytesReceived, passedBytes: passedBytes)
        vanish()
        return arrival
    }

    private func isQuiet(_ context: ChannelHandlerContext) -> Bool {
        guard !isMarked, pendingOutput == 0, backlog.isEmpty, channelBytes == 0 else { return false }
        return (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 == 0
    }

    private func vanish() {
        let context = context
        self.context = nil
        isClosed = true
        isDraining = false
        obstacles.insert(.ending)
        dropOutput()
        held = nil
        pausers = []
        departure = nil
        transport.drainedBytes &-= drainedBytes
        drainedBytes = 0
        transport.drop(self)
        // Leaves the event queue of this loop at once, and closes this descriptor only.
        context?.channel.close(promise: nil)
    }

    /// Goes on with one that comes from another loop, from `arrived` on.
    convenience init(transport: TransportLoop, _ arrival: Arrival) {
        self.init(
            transport: transport, remoteAddress: arrival.remoteAddress, localAddress: arrival.localAddress,
            isOutbound: arrival.isOutbound, number: arrival.number)
        isTLS = arrival.isTLS
        if isTLS { obstacles.insert(.tls) }
        peer = arrival.peer
        deadline = arrival.deadline
        parser = arrival.parser
        held = arrival.held
        bytesReceived = arrival.bytesReceived
        passedBytes = arrival.passedBytes
        isBetweenMessages = false
        isAutoReading = false
        let departure = Departure(loop: transport.place.index, head: arrival.head)
        self.departure = departure
        pausers = [ObjectIdentifier(departure)]
    }

    /// The channel is there: the head is judged, and what follows it.
    func arrived() {
        guard let departure, isReadable else { return }
        self.departure = nil
        pausers.removeAll { $0 == ObjectIdentifier(departure) }
        begin(with: departure.head)
    }
}
