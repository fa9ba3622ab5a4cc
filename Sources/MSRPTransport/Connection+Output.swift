import MSRP
package import NIOCore
import NIOGnuTLS

#if canImport(Glibc)
    import Glibc
#endif

extension Connection {
    /// Buffers of this many octets and more are handed to the channel by reference, smaller ones are copied.
    package static let sharedThreshold = 8 * 1024

    // MARK: Enqueueing

    /// Appends bytes to what is written at the end of this turn.
    package func enqueue(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        guard count > 0, isOpen else { return }
        beginOutput()
        append(bytes, count: count)
    }

    /// One message for many receivers: what differs, then what all share.
    /// - Parameters:
    ///   - sendLines: `EndpointSession.sendLines` of this receiver.
    ///   - tail: `Frame.sharedTail` of the message.
    package func enqueueShared(id: UInt64, sendLines: ByteBuffer, tail: ByteBuffer) {
        guard !isClosed, closing == nil else { return }
        beginOutput()
        let count = tail.readableBytes
        if count < Self.sharedThreshold {
            let size = Frame.writeShared(id: id, sendLines: sendLines, tail: tail, into: &output)
            enqueuedBytes &+= UInt64(truncatingIfNeeded: size)
            pendingOutput &+= size
            return
        }
        note(Frame.writeShared(id: id, sendLines: sendLines, tail: ByteBuffer(), into: &output))
        append(tail, count: count)
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
        let before = buffer.writerIndex
        defer {
            note(buffer.writerIndex - before)
            swap(&buffer, &output)
        }
        return try body(&buffer)
    }

    private func append(_ bytes: ByteBuffer, count: Int) {
        if count < Self.sharedThreshold {
            output.writeImmutableBuffer(bytes)
        } else {
            sealOutput()
            pieces.append(bytes)
            output = transport.scheduler.takeBuffer()
        }
        note(count)
    }

    private func note(_ count: Int) {
        enqueuedBytes &+= UInt64(count)
        pendingOutput &+= count
    }

    private func beginOutput() {
        if output.capacity == 0 { output = transport.scheduler.takeBuffer() }
        mark()
    }

    func mark() {
        guard !isMarked else { return }
        isMarked = true
        transport.scheduler.mark(self)
    }

    private func sealOutput() {
        if output.readableBytes > 0 { pieces.append(output) }
        output = ByteBuffer()
    }

    // MARK: Congestion

    /// The channel takes no more for now: what is enqueued waits here.
    package var isCongested: Bool { !isWritable || backlogBytes > 0 }

    /// Octets enqueued and not yet taken by the operating system. With TLS, what the channel holds below its watermark
    /// does not count.
    package var queuedBytes: Int {
        guard let context, !isClosed else { return 0 }
        var count = backlogBytes &+ pendingOutput &+ channelBytes
        if isTLS, !isWritable {
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
        owner?.writable(self)
    }

    func channelWritabilityChanged() {
        isWritable = context?.channel.isWritable ?? false
        guard !isClosed, isWritable else { return }
        if backlog.isEmpty {
            if wantsTurn { transport.scheduler.offerTurn(to: self) }
        } else {
            mark()
        }
    }

    // MARK: Closing

    /// Closes at the end of the turn. With `.now` all that waits is dropped.
    package func close(_ mode: ClosingMode, reason: CloseReason = .closedHere) {
        guard !isClosed else { return }
        if closing == nil || mode == .now { closing = mode }
        if closeReason == nil { closeReason = reason }
        mark()
    }

    // MARK: For the scheduler

    /// Writes what was enqueued and closes if asked to. May call back into `received` and `channelClosed`.
    func performOutput() {
        isMarked = false
        guard !isClosed, let context else {
            dropOutput()
            return
        }
        if closing == .now {
            dropOutput()
            guard !isCloseStarted || isTLS else { return }
            isCloseStarted = true
            if isTLS { context.triggerUserOutboundEvent(TLSAbort(), promise: nil) }
            context.close(mode: .all, promise: nil)
            return
        }
        write(context)
        if closing == .orderly, backlogBytes == 0, !isCloseStarted, !isClosed {
            isCloseStarted = true
            closeOrderly(context)
        }
    }

    private func write(_ context: ChannelHandlerContext) {
        if backlogBytes == 0, isWritable {
            guard pendingOutput > 0 else { return releaseOutput() }
            transport.counters.bytesOut &+= UInt64(pendingOutput)
            pendingOutput = 0
            if pieces.isEmpty {
                if !isTLS, channelBytes == 0, let descriptor { writeAtOnce(to: descriptor) }
                guard output.readableBytes > 0 else { return releaseOutput() }
                var buffer = ByteBuffer()
                swap(&buffer, &output)
                hand(buffer, to: context)
                context.flush()
                transport.scheduler.giveBack(&buffer)
            } else {
                sealOutput()
                let all = pieces
                pieces = []
                for piece in all { hand(piece, to: context) }
                context.flush()
            }
            return
        }
        moveToBacklog()
        // The channel may take all it is given and ask for more; what it says is looked at after each flush.
        while let first = backlog.first, isWritable, !isClosed {
            var next: ByteBuffer? = first
            while let piece = next, isWritable {
                _ = backlog.popFirst()
                backlogBytes &-= piece.readableBytes
                transport.counters.bytesOut &+= UInt64(piece.readableBytes)
                hand(piece, to: context)
                next = backlog.first
            }
            context.flush()
        }
        if backlog.isEmpty, !isClosed {
            backlog = CircularBuffer(initialCapacity: 0)
            if wantsTurn, isWritable { transport.scheduler.offerTurn(to: self) }
        }
    }

    /// The way through the channel costs as much as the system call, and most writes need none of what it does. What
    /// the socket does not take, and any error, is left to the channel.
    private func writeAtOnce(to descriptor: CInt) {
        let sent = output.withUnsafeReadableBytes { bytes in
            send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
        }
        if sent > 0 { output.moveReaderIndex(forwardBy: sent) }
    }

    private func hand(_ bytes: ByteBuffer, to context: ChannelHandlerContext) {
        guard !isTLS else { return context.write(NIOAny(bytes), promise: nil) }
        let count = bytes.readableBytes
        channelBytes &+= count
        let written = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in bound.value.channelBytes &-= count }
        context.write(NIOAny(bytes), promise: written)
    }

    func becameActive() {
        guard let context else { return }
        descriptor = try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
    }

    /// What waits longer than this turn is the connection's own: exact copies, not the loop's large buffers.
    private func moveToBacklog() {
        for piece in pieces { backlog.append(piece) }
        pieces = []
        if output.readableBytes > 0 {
            backlog.append(ByteBuffer(bytes: output.readableBytesView))
        }
        backlogBytes &+= pendingOutput
        pendingOutput = 0
        releaseOutput()
    }

    private func releaseOutput() {
        var buffer = ByteBuffer()
        swap(&buffer, &output)
        transport.scheduler.giveBack(&buffer)
    }

    func dropOutput() {
        backlog = CircularBuffer(initialCapacity: 0)
        backlogBytes = 0
        pendingOutput = 0
        pieces = []
        wantsTurn = false
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
