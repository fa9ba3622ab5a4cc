package import NIOCore
import Synchronization

/// TLS on one channel: ciphertext on the network's side, plaintext on the owner's.
///
/// - Fires `TLSHandshakeCompleted` once, before any plaintext.
/// - Failures are fired as `TLSError`, then the channel closes.
/// - `flush` encrypts all that was written since the last one into as few records as possible.
/// - `close` sends close_notify and waits for it to leave, at most `TLSLimits.closeTimeout`; the outbound
///   user event `TLSAbort` closes at once.
/// - A peer that closes, with close_notify or without, is seen as a closed channel.
/// - Starts in `handlerAdded` when the channel is active already, else in `channelActive`.
///
/// Any call out of the handler may come back into it: every method takes what it needs from the state,
/// changes the state, and calls out last, or looks at the state again after the call.
package final class GnuTLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum State {
        case idle
        case handshaking
        /// The handshake is complete; the owner is being told.
        case completing
        case open
        /// close_notify was sent; its way out is awaited.
        case closing
        case closed
    }

    /// What only the start of the handshake needs.
    private struct Setup {
        let serverName: String?
        let verification: PeerVerification
    }

    private let tls: TLSContext
    private let limits: TLSLimits
    private let scratch: TLSScratch?
    private var setup: Setup?
    private var session: TLSSession?
    private var state = State.idle
    private var pending = PendingWrites()
    private var handshakeBytes = 0
    /// The handshake's deadline, then the orderly close's.
    private var timer: Scheduled<Void>?
    private var closePromise: EventLoopPromise<Void>?
    /// The owner asked to read and got nothing yet: records that carry no plaintext must not end its wait.
    private var owesRead = false

    /// `serverName` is sent as SNI when it is a host name rather than an address (RFC 6066 section 3);
    /// clients only, like `verification`.
    package init(
        context: TLSContext, serverName: String? = nil, verification: PeerVerification = .none,
        limits: TLSLimits = TLSLimits(), scratch: TLSScratch? = nil
    ) {
        tls = context
        self.limits = limits
        self.scratch = scratch
        setup = Setup(serverName: serverName, verification: verification)
    }

    /// For a channel that goes on with the socket of another one.
    package init(moving: MovingTLS, limits: TLSLimits = TLSLimits(), scratch: TLSScratch? = nil) {
        tls = moving.session.context
        self.limits = limits
        self.scratch = scratch
        session = moving.session
        state = .open
    }

    /// Gives the TLS connection away, so that another channel can go on with it where this one stops: what was read
    /// has been decrypted and handed on, but for the beginning of a record, which goes along. This channel closes
    /// without a word.
    /// - Returns: nil, and nothing is changed, unless the handshake is complete and all that was written has been
    ///   encrypted.
    package func takeAway() -> MovingTLS? {
        guard state == .open, pending.octets == 0, let session, !session.hasOutput else { return nil }
        self.session = nil
        end()
        return MovingTLS(session)
    }

    // MARK: Life of the channel

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(context) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    package func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if state == .handshaking { tls.counters.failed.add(1, ordering: .relaxed) }
        end()
        context.fireChannelInactive()
    }

    /// Lets go of everything; the channel is closed, or no longer this handler's.
    private func end() {
        state = .closed
        timer?.cancel()
        timer = nil
        session = nil
        let promise = closePromise
        closePromise = nil
        pending.takeAll().fail(TLSError.closed)
        promise?.succeed()
    }

    // MARK: Handshake

    private func start(_ context: ChannelHandlerContext) {
        guard state == .idle else { return }
        state = .handshaking
        let setup = setup
        self.setup = nil
        do throws(TLSError) {
            session = try TLSSession(
                context: tls, serverName: setup?.serverName, verification: setup?.verification ?? .none)
        } catch {
            return fail(context, error)
        }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: limits.handshakeTimeout) {
            self.handshakeTimedOut(context)
        }
        advanceHandshake(context)
        // The handshake reads for itself, whether or not the owner does.
        if state == .handshaking { context.read() }
    }

    private func handshakeTimedOut(_ context: ChannelHandlerContext) {
        guard state == .handshaking else { return }
        tls.counters.timedOut.add(1, ordering: .relaxed)
        fail(context, .handshakeTimedOut)
    }

    private func advanceHandshake(_ context: ChannelHandlerContext) {
        guard let session else { return }
        let step = session.handshake()
        let output = session.takeOutput()
        switch step {
        case .wantsMore:
            send(output, context)
        case .failed(let error):
            fail(context, error, lastWords: output)
        case .complete:
            state = .completing
            timer?.cancel()
            timer = nil
            tls.counters.completed.add(1, ordering: .relaxed)
            send(output, context)
            guard state == .completing else { return }
            context.fireUserInboundEventTriggered(session.outcome)
            guard state == .completing else { return }
            state = .open
            encryptPending(context)
            if state == .open, session.hasInput { decrypt(context) }
        }
    }

    // MARK: Inbound

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let ciphertext = unwrapInboundIn(data)
        switch state {
        case .idle:
            break
        case .handshaking, .completing:
            handshakeBytes += ciphertext.readableBytes
            session?.feed(ciphertext)
            if state == .completing { return }
            if handshakeBytes > limits.maximumHandshakeBytes {
                fail(context, .handshakeTooLong)
            } else {
                advanceHandshake(context)
            }
        case .open:
            session?.feed(ciphertext)
            decrypt(context)
        case .closing, .closed:
            break
        }
        scratch?.takeBack?(ciphertext)
    }

    private func decrypt(_ context: ChannelHandlerContext) {
        guard let session else { return }
        // Plaintext is never longer than its ciphertext, except for a record whose beginning came earlier.
        let capacity = session.inputBytes
        var plaintext = scratch?.takePlaintext(capacity: capacity) ?? ByteBuffer()
        if scratch == nil { plaintext.reserveCapacity(capacity) }
        let end = session.read(into: &plaintext)
        let output = session.takeOutput()

        // Answers of the protocol go before anything that the owner writes on reading.
        let answers = output.readableBytes > 0
        if answers { context.write(wrapOutboundOut(output), promise: nil) }
        scratch?.givePlaintext(plaintext)
        if plaintext.readableBytes > 0, state == .open {
            owesRead = false
            context.fireChannelRead(wrapInboundOut(plaintext))
        }
        if answers, state != .closed { context.flush() }
        switch end {
        case .drained: break
        case .closed:
            if state == .open { closeOrderly(context) }
        case .failed(let error):
            if state == .open || state == .closing { fail(context, error) }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if state == .handshaking || (state == .open && owesRead) { context.read() }
    }

    package func read(context: ChannelHandlerContext) {
        owesRead = true
        context.read()
    }

    // MARK: Outbound

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch state {
        case .open, .completing:
            pending.append(unwrapOutboundIn(data), promise)
        case .idle, .handshaking:
            let bytes = unwrapOutboundIn(data)
            if pending.octets + bytes.readableBytes > limits.maximumHeldBytes {
                promise?.fail(TLSError.tooMuchHeld)
                fail(context, .tooMuchHeld)
            } else {
                pending.append(bytes, promise)
            }
        case .closing, .closed:
            promise?.fail(TLSError.closed)
        }
    }

    package func flush(context: ChannelHandlerContext) {
        pending.flush()
        if state == .open { encryptPending(context) } else { context.flush() }
    }

    private func encryptPending(_ context: ChannelHandlerContext) {
        guard let session else { return }
        let writes = pending.takeFlushed()
        guard !writes.isEmpty else { return context.flush() }
        do throws(TLSError) {
            try RecordWriter.encrypt(writes, session: session, scratch: scratch)
        } catch {
            writes.fail(error)
            return fail(context, error)
        }
        let output = session.takeOutput()
        scratch?.giveCiphertext(output)
        context.write(wrapOutboundOut(output), promise: writes.mergedPromise())
        context.flush()
    }

    private func send(_ output: ByteBuffer, _ context: ChannelHandlerContext) {
        guard output.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }

    // MARK: Closing

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch (mode, state) {
        case (.input, _), (_, .closed):
            context.close(mode: mode, promise: promise)
        case (.output, .open):
            sayGoodbye(context, promise: nil)
            context.close(mode: .output, promise: promise)
        case (_, .open):
            joinClose(promise, context)
            closeOrderly(context)
        case (_, .closing):
            joinClose(promise, context)
        case (_, .idle), (_, .handshaking), (_, .completing):
            closeNow(context, promise: promise)
        }
    }

    package func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        if event is TLSAbort {
            closeNow(context, promise: promise)
        } else {
            context.triggerUserOutboundEvent(event, promise: promise)
        }
    }

    /// Sends close_notify and closes when it has left, or when the time for that is over.
    private func closeOrderly(_ context: ChannelHandlerContext) {
        guard state == .open else { return }
        state = .closing
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: limits.closeTimeout) {
            self.finishClose(context)
        }
        pending.takeAll().fail(TLSError.closed)
        guard state == .closing else { return }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in self.finishClose(context) }
        sayGoodbye(context, promise: sent)
    }

    private func sayGoodbye(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard let session else { return promise?.succeed() ?? () }
        session.close()
        context.writeAndFlush(wrapOutboundOut(session.takeOutput()), promise: promise)
    }

    private func finishClose(_ context: ChannelHandlerContext) {
        guard state == .closing else { return }
        let promise = closePromise
        closePromise = nil
        closeNow(context, promise: promise)
    }

    private func closeNow(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        if state == .handshaking { tls.counters.failed.add(1, ordering: .relaxed) }
        end()
        context.close(promise: promise)
    }

    private func joinClose(_ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        guard let promise else { return }
        if let closePromise { closePromise.futureResult.cascade(to: promise) } else { closePromise = promise }
    }

    /// Ends the connection because of the peer's bytes, or its silence.
    private func fail(_ context: ChannelHandlerContext, _ error: TLSError, lastWords: ByteBuffer? = nil) {
        guard state != .closed else { return }
        switch state {
        case .open, .closing, .completing: tls.counters.violated.add(1, ordering: .relaxed)
        case .idle, .handshaking, .closed: tls.counters.failed.add(1, ordering: .relaxed)
        }
        let output = lastWords ?? session?.takeOutput()
        end()
        if let output { send(output, context) }
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension GnuTLSHandler: Sendable {}
