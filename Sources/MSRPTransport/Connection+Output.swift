package import MSRP
package import NIOCore
import NIOGnuTLS

#if canImport(Glibc)
    import Glibc
#endif

extension Connection {
    /// Bodies of this many octets and more are handed to the channel by reference, smaller ones are copied.
    package static let sharedThreshold = 8 * 1024
    /// Output buffers that grew beyond this are given back when they are empty.
    static let largestKeptOutput = 16 * 1024

    // MARK: Enqueueing

    /// Appends bytes to what is written at the end of this turn.
    package func enqueue(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0, isOpen else { return }
        beginOutput()
        append(bytes)
    }

    /// One message for many receivers: what differs, then what all share.
    /// - Parameters:
    ///   - sendLines: `EndpointSession.sendLines` of this receiver.
    ///   - tail: `Frame.sharedTail` of the message.
    package func enqueueShared(id: UInt64, sendLines: ByteBuffer, tail: ByteBuffer) {
        guard !obstacles.contains(.ending) else { return }
        beginOutput()
        if tail.readableBytes < Self.sharedThreshold {
            _ = Frame.writeShared(id: id, sendLines: sendLines, tail: tail, into: &output)
        } else {
            Frame.writeSharedHead(id: id, sendLines: sendLines, into: &output)
            append(tail)
        }
    }

    /// Many messages for many receivers.
    ///
    /// Usually nothing waits to be written before them and nothing stands between them and the socket. Then they go out
    /// with the `OutboundScheduler`'s next volley, which the caller orders when all receivers have been looked at, and
    /// before anything else is enqueued here. With several owners others may enqueue in between, so a shared connection
    /// has no part in volleys.
    /// - Parameter sendLines: `EndpointSession.sendLines` of this receiver.
    package func enqueueShared(_ batch: SharedBatch, sendLines: ByteBuffer) {
        guard obstacles.isEmpty, output.readableBytes == 0, !isShared else {
            guard !obstacles.contains(.ending) else { return }
            beginOutput()
            batch.write(sendLines: sendLines, into: &output)
            return
        }
        let size = transport.scheduler.load(batch, sendLines: sendLines, for: self)
        passedBytes &+= UInt64(truncatingIfNeeded: size)
    }

    /// The socket did not take all of a volley: the end of the turn tries again, and leaves what it doesn't take then to
    /// the channel.
    func takeBack(_ bytes: UnsafeRawBufferPointer) {
        passedBytes &-= UInt64(truncatingIfNeeded: bytes.count)
        guard !isClosed else { return }
        beginOutput()
        output.writeBytes(bytes)
    }

    /// The same, with a serializer that appends to the buffer.
    package func withOutput<R, E: Error>(_ body: (inout ByteBuffer) throws(E) -> R) throws(E) -> R {
        guard isOpen else {
            var unsent = ByteBuffer()
            return try body(&unsent)
        }
        beginOutput()
        // The buffer is taken out meanwhile, so that what the body does to this connection can't clash with it.
        var buffer = ByteBuffer()
        swap(&buffer, &output)
        defer { swap(&buffer, &output) }
        return try body(&buffer)
    }

    private func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes >= Self.sharedThreshold else {
            output.writeImmutableBuffer(bytes)
            return
        }
        if output.readableBytes > 0 {
            addPiece(output)
            output = ByteBuffer()
        }
        addPiece(bytes)
        if output.capacity == 0 { output = transport.scheduler.takeBuffer(for: self) }
    }

    private func addPiece(_ bytes: ByteBuffer) {
        pieces.append(bytes)
        piecesBytes &+= bytes.readableBytes
        obstacles.insert(.pieces)
    }

    private func beginOutput() {
        if output.capacity == 0 { output = transport.scheduler.takeBuffer(for: self) }
        isOutputInUse = true
        mark()
    }

    private func mark() {
        guard !isMarked else { return }
        isMarked = true
        transport.scheduler.mark(self)
    }

    // MARK: Congestion

    /// What is enqueued flows: the channel takes it and the connection is not being closed.
    package var flows: Bool { obstacles.isDisjoint(with: [.congestion, .ending]) }

    /// The channel takes no more for now: what is enqueued waits here.
    package var isCongested: Bool { !obstacles.isDisjoint(with: .congestion) }

    var pendingOutput: Int { output.readableBytes &+ piecesBytes }

    /// Octets enqueued since the connection was made.
    package var enqueuedBytes: UInt64 { passedBytes &+ UInt64(truncatingIfNeeded: pendingOutput) }

    /// Octets enqueued and not yet taken by the operating system. With TLS, what the channel holds below its watermark
    /// does not count.
    package var queuedBytes: Int {
        guard let context, !isClosed else { return 0 }
        var count = backlogBytes &+ pendingOutput &+ channelBytes
        if isTLS, obstacles.contains(.unwritable) {
            count &+= (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        }
        return count
    }

    /// Asks for one call of `SessionOwner.writable` as soon as the channel takes more, at the earliest in the next
    /// turn of the loop.
    package func notifyWhenWritable() {
        guard isOpen, !wantsTurn else { return }
        wantsTurn = true
        if !isCongested { transport.scheduler.offerTurn(to: self) }
    }

    func takeOfferedTurn() {
        guard isOpen, wantsTurn, !isCongested else { return }
        wantsTurn = false
        if further.isEmpty {
            owner?.writable(self)
        } else {
            forEachOwner { $0.writable(self) }
        }
    }

    func channelWritabilityChanged() {
        guard !isClosed, let context else { return }
        guard context.channel.isWritable else {
            obstacles.insert(.unwritable)
            return
        }
        obstacles.remove(.unwritable)
        if !backlog.isEmpty {
            mark()
        } else if wantsTurn {
            transport.scheduler.offerTurn(to: self)
        }
    }

    // MARK: Closing

    /// Closes at the end of the turn. With `.now` all that waits is dropped.
    package func close(_ mode: ClosingMode, reason: CloseReason = .closedHere) {
        guard !isClosed else {
            guard isDraining, closing == nil else { return }
            closing = mode
            pausers = []
            transport.scheduler.resume(self)
            return
        }
        if closing == nil || mode == .now { closing = mode }
        if closeReason == nil { closeReason = reason }
        obstacles.insert(.ending)
        mark()
    }

    // MARK: For the scheduler

    /// Writes what was enqueued and closes if asked to. May call back into `received` and `channelClosed`.
    ///
    /// Usually nothing stands between the output and the socket. Then it is written at once: the way through the
    /// channel costs as much as the system call, and while receivers answer as fast as they are written to, every
    /// microsecond between two writes wakes another of them. What the socket doesn't take, and errors, are left to the
    /// channel.
    func performOutput() {
        isMarked = false
        guard obstacles.isEmpty else {
            return obstacles == .pieces ? writePieces() : performOutputWithCare()
        }
        let count = output.readableBytes
        guard count > 0 else { return }
        let sent = output.withUnsafeReadableBytes { bytes in
            send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
        }
        guard sent == count, output.capacity <= Self.largestKeptOutput else {
            return afterPartialWrite(sent: sent, of: count)
        }
        passedBytes &+= UInt64(truncatingIfNeeded: count)
        output.moveReaderIndex(to: 0)
        output.moveWriterIndex(to: 0)
    }

    private func afterPartialWrite(sent: Int, of count: Int) {
        if sent > 0 {
            passedBytes &+= UInt64(truncatingIfNeeded: sent)
            output.moveReaderIndex(forwardBy: sent)
        }
        guard sent < count, let context else { return releaseOutput() }
        passOutput(to: context)
    }

    /// Writes what was enqueued by reference, and `output` behind it, in one call where that does.
    private func writePieces() {
        var all = pieces
        pieces = []
        if output.readableBytes > 0 { all.append(output) }
        let wanted = pendingOutput
        var sent = GatheredWrite.send(all, to: descriptor)
        passedBytes &+= UInt64(truncatingIfNeeded: sent)
        piecesBytes = 0
        obstacles.remove(.pieces)
        guard sent < wanted, let context else {
            output.moveReaderIndex(to: 0)
            output.moveWriterIndex(to: 0)
            if output.capacity > Self.largestKeptOutput { releaseOutput() }
            return
        }
        if output.readableBytes > 0 { all.removeLast() }
        for piece in all {
            if sent >= piece.readableBytes {
                sent &-= piece.readableBytes
                continue
            }
            var rest = piece
            rest.moveReaderIndex(forwardBy: sent)
            sent = 0
            addPiece(rest)
        }
        output.moveReaderIndex(forwardBy: sent)
        passOutput(to: context)
    }

    private func performOutputWithCare() {
        guard !isClosed, let context else {
            dropOutput()
            return
        }
        if closing == .now {
            dropOutput()
            guard !isCloseStarted else { return }
            isCloseStarted = true
            if isTLS { context.triggerUserOutboundEvent(TLSAbort(), promise: nil) }
            context.close(mode: .all, promise: nil)
            return
        }
        if obstacles.isDisjoint(with: .congestion) {
            passOutput(to: context)
        } else {
            moveToBacklog()
            passBacklog(to: context)
        }
        if closing == .orderly, backlog.isEmpty, !isOrderlyCloseStarted, !isClosed {
            isOrderlyCloseStarted = true
            closeOrderly(context)
        }
    }

    private func passOutput(to context: ChannelHandlerContext) {
        guard pendingOutput > 0 else { return releaseOutput() }
        let all = pieces
        pieces = []
        piecesBytes = 0
        obstacles.remove(.pieces)
        for piece in all { hand(piece, to: context) }
        if output.readableBytes > 0 { hand(ByteBuffer(bytes: output.readableBytesView), to: context) }
        releaseOutput()
        context.flush()
    }

    private func passBacklog(to context: ChannelHandlerContext) {
        // The channel may take all it is given and ask for more; what it says is looked at after each flush.
        while !backlog.isEmpty, !obstacles.contains(.unwritable), !isClosed {
            while !obstacles.contains(.unwritable), let piece = backlog.popFirst() {
                backlogBytes &-= piece.readableBytes
                passedBytes &-= UInt64(truncatingIfNeeded: piece.readableBytes)
                hand(piece, to: context)
            }
            context.flush()
        }
        guard backlog.isEmpty, !isClosed else { return }
        backlog = CircularBuffer(initialCapacity: 0)
        obstacles.remove(.backlog)
        if wantsTurn, !isCongested { transport.scheduler.offerTurn(to: self) }
    }

    /// What waits longer than this turn is the connection's own: exact copies, not the loop's buffers.
    private func moveToBacklog() {
        guard pendingOutput > 0 else { return releaseOutput() }
        let size = pendingOutput
        for piece in pieces { backlog.append(piece) }
        pieces = []
        piecesBytes = 0
        if output.readableBytes > 0 { backlog.append(ByteBuffer(bytes: output.readableBytesView)) }
        backlogBytes &+= size
        passedBytes &+= UInt64(truncatingIfNeeded: size)
        obstacles.remove(.pieces)
        obstacles.insert(.backlog)
        releaseOutput()
    }

    private func hand(_ bytes: ByteBuffer, to context: ChannelHandlerContext) {
        let count = bytes.readableBytes
        passedBytes &+= UInt64(truncatingIfNeeded: count)
        guard !isTLS else { return context.write(NIOAny(bytes), promise: nil) }
        channelBytes &+= count
        obstacles.insert(.channelHoldsBytes)
        let written = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in bound.value.channelHasWritten(count) }
        context.write(NIOAny(bytes), promise: written)
    }

    private func channelHasWritten(_ count: Int) {
        channelBytes &-= count
        if channelBytes == 0 { obstacles.remove(.channelHoldsBytes) }
    }

    func becameActive() {
        let socket = try? context?.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
        guard let socket else { return }
        descriptor = socket
        obstacles.remove(.noSocket)
    }

    /// Gives the buffer back to the loop; nothing in it is needed any more.
    func releaseOutput() {
        guard output.capacity > 0 else { return }
        var buffer = ByteBuffer()
        swap(&buffer, &output)
        transport.scheduler.giveBack(&buffer)
    }

    func dropOutput() {
        backlog = CircularBuffer(initialCapacity: 0)
        backlogBytes = 0
        pieces = []
        piecesBytes = 0
        wantsTurn = false
        obstacles.subtract([.pieces, .backlog])
        releaseOutput()
    }

    /// All is with the channel. TLS says close_notify itself; on plain TCP our half is shut when the last byte has
    /// left, and the peer's end is waited for, since closing on unread bytes would reset what it has not taken yet.
    private func closeOrderly(_ context: ChannelHandlerContext) {
        deadline = .now() + transport.limits.lingerTimeout
        transport.time(self)
        if isTLS {
            context.close(mode: .all, promise: nil)
            return
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        written.futureResult.whenSuccess {
            let connection = bound.value
            connection.context?.close(mode: .output, promise: nil)
        }
        context.writeAndFlush(NIOAny(ByteBuffer()), promise: written)
    }
}
