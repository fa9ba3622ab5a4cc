import MSRP
import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Who holds output back until the end of the turn, to write it in one go.
package protocol OutputSource: AnyObject {
    /// Writes it; nothing calls back meanwhile.
    func writeOutput()
}

/// The only place that writes, flushes and closes connections: once per connection and turn of the loop.
///
/// - `enqueue` and `close` mark their connection; every entry point from outside (the end of a read, a control hop,
///   a timer) ends in `flush`.
/// - A write may call back at once into the same channel's read and inactive. Those callbacks mark further
///   connections, which the running flush still reaches; a flush within a flush does nothing.
/// - Output buffers belong to the loop: a connection holds one from its first enqueue until it is idle for a tick.
package final class OutboundScheduler {
    /// Buffers that grew beyond this are not kept.
    static let largestPooledBuffer = 256 * 1024
    static let mostPooledBuffers = 1024
    static let mostPooledBytes = 4 * 1024 * 1024
    static let bufferCapacity = 2048

    private let eventLoop: any EventLoop
    private var marked: [Connection] = []
    private var offered: [Connection] = []
    private var resumed: [Connection] = []
    private var sources: [any OutputSource] = []
    /// What goes out with the next volley, one after the other.
    private var loaded = ByteBuffer()
    private var shots: [Shot] = []
    private var pool: [ByteBuffer] = []
    private var pooledBytes = 0
    /// Connections that hold a buffer, or did lately.
    private var holders: [Connection] = []
    private var isFlushing = false
    private var isTurnScheduled = false

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func mark(_ connection: Connection) {
        marked.append(connection)
    }

    /// In the next turn of the loop, when others had theirs, the connection's owner may give it more.
    func offerTurn(to connection: Connection) {
        offered.append(connection)
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { bound.value.takeTurn() }
    }

    private func takeTurn() {
        let turn = offered
        offered = []
        for connection in turn { connection.takeOfferedTurn() }
        flush()
        isTurnScheduled = false
        guard !offered.isEmpty else { return }
        // Asked for once more. The loop runs all tasks there are, and those that they add, before it looks at its sockets
        // again; what is due a little later lets it look.
        isTurnScheduled = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.timeForSockets) { bound.value.takeTurn() }
    }

    /// Between two turns of which the second was asked for in the first.
    private static let timeForSockets = TimeAmount.microseconds(100)

    /// Reading from the connection goes on in the running flush, or in the next one.
    func resume(_ connection: Connection) {
        resumed.append(connection)
    }

    /// The source is asked once for its output: in the running flush, or in the next one.
    package func expectOutput(from source: any OutputSource) {
        sources.append(source)
    }

    /// Writes what was enqueued since the last flush and closes what was to be closed; goes on with connections whose
    /// reading was resumed, and writes what came of that.
    package func flush() {
        guard !isFlushing, !marked.isEmpty || !resumed.isEmpty || !sources.isEmpty else { return }
        isFlushing = true
        var next = 0
        while true {
            takeFromSources()
            while next < marked.count {
                let connection = marked[next]
                next += 1
                connection.performOutput()
            }
            if resumed.isEmpty, sources.isEmpty { break }
            let turn = resumed
            resumed = []
            for connection in turn { connection.readingResumed() }
        }
        marked.removeAll(keepingCapacity: marked.count <= 4096)
        isFlushing = false
    }

    // MARK: Volleys

    /// What one connection gets in a volley; each is in it once at most.
    private struct Shot {
        let connection: Connection
        let descriptor: CInt
        /// Where its octets end in what is loaded.
        let end: Int
    }

    /// Small enough to stay in the processor's cache between being made and being written.
    private static let largestVolley = 32 * 1024
    private static let mostShots = 64

    /// - Returns: how many octets will be written.
    func load(_ batch: SharedBatch, sendLines: ByteBuffer, for connection: Connection) -> Int {
        if loaded.readableBytes >= Self.largestVolley || shots.count >= Self.mostShots { fire() }
        let start = loaded.readableBytes
        batch.write(sendLines: sendLines, into: &loaded)
        let end = loaded.readableBytes
        shots.append(Shot(connection: connection, descriptor: connection.descriptor, end: end))
        return end &- start
    }

    /// Writes what is loaded.
    ///
    /// Looking at a receiver means fetching from memory what belongs to it; here nothing is fetched between two writes.
    /// Receivers that answer faster than they are written to fall asleep in between, and waking them costs more than the
    /// write: they don't get the time.
    package func fire() {
        guard !shots.isEmpty else { return }
        loaded.withUnsafeReadableBytes { bytes in
            var start = 0
            for shot in shots {
                let octets = UnsafeRawBufferPointer(rebasing: bytes[start..<shot.end])
                start = shot.end
                let sent = max(0, send(shot.descriptor, octets.baseAddress, octets.count, CInt(MSG_NOSIGNAL)))
                if sent < octets.count { shot.connection.takeBack(UnsafeRawBufferPointer(rebasing: octets[sent...])) }
            }
        }
        shots.removeAll(keepingCapacity: true)
        loaded.clear()
    }

    private func takeFromSources() {
        guard !sources.isEmpty else { return }
        var turn: [any OutputSource] = []
        swap(&turn, &sources)
        for source in turn { source.writeOutput() }
        guard sources.isEmpty else { return }
        turn.removeAll(keepingCapacity: turn.count <= 4096)
        swap(&turn, &sources)
    }

    /// Takes the buffers of connections that have been quiet since the last call.
    func collectBuffers() {
        holders.removeAll { connection in
            if connection.isOutputInUse || connection.output.readableBytes > 0 {
                connection.isOutputInUse = false
                return false
            }
            connection.releaseOutput()
            connection.isHolder = false
            return true
        }
        if holders.isEmpty {
            holders = []
            loaded = ByteBuffer()
            shots = []
            pool = []
            pooledBytes = 0
        }
    }

    // MARK: Buffers

    func takeBuffer(for connection: Connection) -> ByteBuffer {
        if !connection.isHolder {
            connection.isHolder = true
            holders.append(connection)
        }
        guard let buffer = pool.popLast() else { return ByteBufferAllocator().buffer(capacity: Self.bufferCapacity) }
        pooledBytes &-= buffer.capacity
        return buffer
    }

    /// Takes an empty buffer back, or one whose bytes are not needed any more.
    func giveBack(_ buffer: inout ByteBuffer) {
        guard buffer.capacity > 0, buffer.capacity <= Self.largestPooledBuffer, pool.count < Self.mostPooledBuffers,
            pooledBytes < Self.mostPooledBytes
        else { return }
        buffer.clear()
        pooledBytes &+= buffer.capacity
        pool.append(buffer)
    }
}

@available(*, unavailable)
extension OutboundScheduler: Sendable {}
