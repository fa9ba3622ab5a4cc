import Logging
import MSRP
import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

extension Connection {
    /// Who gets the parts of the message under way.
    enum Recipient {
        case nobody
        /// `owner`
        case first
        case further(any SessionOwner)
        /// The request is skipped to its end and then answered.
        case skipped(Skipped)
    }

    /// A request that nobody takes; without a status it is not answered, since none of it asks for that.
    final class Skipped {
        let head: Head
        let status: Status

        init(head: Head, status: Status) {
            self.head = head
            self.status = status
        }
    }

    // MARK: Pausing

    /// Stops reading on behalf of somebody: what the peer sends stays in its socket and soon stops the peer. What was
    /// read already, at most one read, waits here: after the part that is being handed out no more come. The holder
    /// has one pause, however often it asks; it is not kept alive by it, and takes it back before it goes.
    package func pauseReading(by holder: AnyObject) {
        let id = ObjectIdentifier(holder)
        guard !pausers.contains(id) else { return }
        pausers.append(id)
        guard isAutoReading else { return }
        isAutoReading = false
        setAutoRead(false)
    }

    /// Takes this holder's pause back; reading goes on when nobody else wants it paused, at the end of this turn.
    package func resumeReading(by holder: AnyObject) {
        guard let index = pausers.firstIndex(of: ObjectIdentifier(holder)) else { return }
        pausers.remove(at: index)
        guard pausers.isEmpty, isReadable, !isSplitting else { return }
        transport.scheduler.resume(self)
    }

    package var isReadingPaused: Bool { !pausers.isEmpty }

    /// Called by the scheduler, and after all that was read has been split.
    func readingResumed() {
        guard pausers.isEmpty else { return }
        if isReadable {
            var buffer = ByteBuffer()
            if let held {
                self.held = nil
                buffer = held
            }
            take(&buffer)
        }
        if isDraining {
            if pausers.isEmpty { finishClosing() } else { limitDraining() }
        } else {
            continueReading()
        }
    }

    func continueReading() {
        guard pausers.isEmpty, !isAutoReading, !isGathering, isOpen else { return }
        isAutoReading = true
        setAutoRead(true)
    }

    func setAutoRead(_ value: Bool) {
        guard !isClosed, let context else { return }
        // A channel that is being closed refuses; nothing is read from it any more anyway.
        try? context.channel.syncOptions?.setOption(.autoRead, value: value)
    }

    // MARK: Splitting

    func received(_ bytes: ByteBuffer) {
        let count = UInt64(truncatingIfNeeded: bytes.readableBytes)
        transport.counters.bytesIn &+= count
        bytesReceived &+= count
        guard isOpen else { return }
        var buffer: ByteBuffer
        if var start = held {
            held = nil
            start.writeImmutableBuffer(bytes)
            buffer = start
        } else {
            buffer = bytes
        }
        take(&buffer)
        continueReading()
    }

    private func take(_ buffer: inout ByteBuffer) {
        if pausers.isEmpty {
            isSplitting = true
            split(&buffer)
            isSplitting = false
        }
        guard buffer.readableBytes > 0, isReadable else { return }
        // What waits for the rest of a head may wait for long, so it is a copy; what waits for the end of a pause is
        // most of a read, and stays where it is.
        held =
            isReadingPaused && buffer.readableBytes >= Self.sharedThreshold
            ? buffer : ByteBuffer(bytes: buffer.readableBytesView)
        if buffer.readableBytes > Self.mostHeldOfOneRead { countDrained(buffer.readableBytes) }
    }

    /// While reading is paused one read comes at most, unless the peer has closed.
    private static let mostHeldOfOneRead = 2 * 262_144

    private func countDrained(_ count: Int) {
        transport.drainedBytes &+= count &- drainedBytes
        drainedBytes = count
        if transport.drainedBytes > transport.share.part(of: transport.limits.drainedBytes) {
            close(.now, reason: .failed)
        }
    }

    private func split(_ buffer: inout ByteBuffer) {
        while isReadable, pausers.isEmpty {
            if isBetweenMessages {
                if buffer.readableBytes == 0 { return }
                if further.isEmpty, let owner {
                    owner.rawRead(&buffer, from: self)
                    if buffer.readableBytes == 0 || !isReadable || !pausers.isEmpty { return }
                }
                isBetweenMessages = false
            }
            do throws(WireError) {
                guard let part = try parser.next(&buffer) else { return }
                take(part)
            } catch {
                transport.counters.garbage &+= 1
                transport.logger.debug(
                    "closing a connection that does not speak MSRP",
                    metadata: ["connection": "\(number)", "peer": "\(remoteName)", "reason": "\(error)"])
                close(.now, reason: .garbage)
            }
        }
    }

    /// What follows the head with which the connection came from another loop; and that head first.
    func begin(with head: Head) {
        isSplitting = true
        take(.head(head))
        isSplitting = false
        readingResumed()
    }

    private func take(_ part: Part) {
        switch part {
        case .head(let head):
            recipient = recipient(of: head)
            if case .skipped = recipient { return }
            hand(part)
        case .body, .outgoingEndLine:
            hand(part)
        case .end:
            isBetweenMessages = true
            if case .skipped(let skipped) = recipient {
                writeWhole { _ = Frame.writeRefusal(of: skipped.head, status: skipped.status, into: &$0) }
            } else {
                hand(part)
            }
            recipient = .nobody
            parser.outgoingID = nil
        }
    }

    private func hand(_ part: Part) {
        switch recipient {
        case .first: owner?.part(part, from: self)
        case .further(let owner): owner.part(part, from: self)
        case .nobody, .skipped: break
        }
    }

    // MARK: Whose message it is

    /// Finds the owner of the session that To-Path names (RFC 4975 section 5.4), and binds one that is new here.
    private func recipient(of head: Head) -> Recipient {
        if let session, head.names(session) { return .first }
        if !further.isEmpty, let owner = further.first(where: { $0.session.map(head.names) ?? false })?.owner {
            return .further(owner)
        }
        guard let method = head.method, method != .report else { return fallback ?? .nobody }
        if method == .auth { return recipient(ofAuth: head) }
        guard let key = head.sessionKey else {
            return fallback ?? .skipped(Skipped(head: head, status: head.toPath == nil ? .badRequest : .noSuchSession))
        }
        let session = SessionID(text: key)
        guard let newcomer = transport.sessions.owner(of: session) else {
            if let loop = transport.otherLoop(of: session) { return recipient(of: head, on: loop) }
            if let fallback { return fallback }
            transport.counters.unknownSessions &+= 1
            return .skipped(Skipped(head: head, status: .noSuchSession))
        }
        return introduce(newcomer, session, head)
    }

    /// The message names a session of another loop; whether that one has it is not known here.
    ///
    /// A connection that has no session yet goes there. One that has can't be in two places, so the session can't be
    /// on it: 506 tells the sender to cease "for that session on this connection" (RFC 4975 section 10.10), where 481
    /// would have it give the session up; on a connection of its own the session is served.
    private func recipient(of head: Head, on loop: Int) -> Recipient {
        if owner == nil, !hasAuthOwner, companion == nil {
            depart(to: loop, with: head)
            return .nobody
        }
        if let owner, owner.sharing(on: self) != .members {
            return fallback ?? .skipped(Skipped(head: head, status: .noSuchSession))
        }
        transport.counters.sessionsInUse &+= 1
        return .skipped(Skipped(head: head, status: .sessionInUse))
    }

    /// A connection of one owner leaves it to the owner what to say about a message that names no session of it.
    private var fallback: Recipient? { owner != nil && further.isEmpty ? .first : nil }

    private func introduce(_ newcomer: any SessionOwner, _ session: SessionID, _ head: Head) -> Recipient {
        guard mayShare(with: newcomer) else {
            transport.counters.unknownSessions &+= 1
            return .skipped(Skipped(head: head, status: .noSuchSession))
        }
        if case .no(let status) = newcomer.admits(self, head: head, session: session) {
            if status == .sessionInUse { transport.counters.sessionsInUse &+= 1 }
            return .skipped(Skipped(head: head, status: status))
        }
        attach(to: newcomer, session: session, head: head)
        if owner === newcomer { return .first }
        if further.contains(where: { $0.owner === newcomer }) { return .further(newcomer) }
        // It didn't want the connection after all.
        return .skipped(Skipped(head: head, status: .noSuchSession))
    }

    private func mayShare(with newcomer: any SessionOwner) -> Bool {
        guard let owner else { return true }
        let sharing = owner.sharing(on: self)
        return sharing != .alone && sharing == newcomer.sharing(on: self)
            && further.count < transport.limits.sessionsPerConnection - 1
    }

    /// The AUTH owner doesn't own connections: an AUTH that opens no session leaves all as it was.
    private func recipient(ofAuth head: Head) -> Recipient {
        if let owner, owner.sharing(on: self) != .relaySessions {
            return fallback ?? .skipped(Skipped(head: head, status: .noSuchSession))
        }
        guard let authOwner = transport.authOwner else {
            if owner == nil, transport.place.index > 0 {
                depart(to: 0, with: head)
                return .nobody
            }
            return .skipped(Skipped(head: head, status: .unknownMethod))
        }
        if !hasAuthOwner {
            hasAuthOwner = true
            authOwner.bound(self, head: head)
        }
        return .further(authOwner)
    }

    // MARK: The end

    /// The channel is inactive.
    func channelClosed() {
        guard !isClosed else { return }
        isClosed = true
        obstacles.insert(.ending)
        context = nil
        dropOutput()
        // What the peer sent before it closed in good order is its owners' still; it waits for the end of a pause. It
        // is bounded by what the operating system keeps for a socket.
        let isWaiting = held != nil || departure != nil
        isDraining = isWaiting && !pausers.isEmpty && closing == nil && closeReason == nil
        guard isDraining else { return finishClosing() }
        limitDraining()
        // Nothing waits to be written here any more: who paused until it was written goes on.
        forEachOwner { $0.writable(self) }
    }

    /// Who paused may never go on.
    private func limitDraining() {
        deadline = .now() + transport.limits.drainTimeout
        transport.time(self)
    }

    private func finishClosing() {
        isDraining = false
        transport.drainedBytes &-= drainedBytes
        drainedBytes = 0
        let reason = closeReason ?? .peerClosed
        held = nil
        recipient = .nobody
        pausers = []
        var tenancies = further
        if let owner { tenancies.insert(Tenancy(session: session, owner: owner), at: 0) }
        owner = nil
        session = nil
        further = []
        transport.forget(self)
        for tenancy in tenancies {
            if let session = tenancy.session { transport.sessions.unbind(session, from: self) }
        }
        for tenancy in tenancies { tenancy.owner.closed(self, reason: reason) }
        if hasAuthOwner { transport.authOwner?.closed(self, reason: reason) }
        companion = nil
    }
}

extension Head {
    /// Whether the first URI of To-Path ends in this session-id, as `sessionKey` finds it, at the cost of comparing
    /// bytes.
    func names(_ session: SessionID) -> Bool {
        withValue("To-Path") { path in
            guard let base = path.baseAddress, let end = memchr(base, Int32(UInt8(ascii: ";")), path.count) else {
                return false
            }
            let uri = UnsafeRawBufferPointer(start: base, count: UnsafeRawPointer(end) - base)
            // A blank before the semicolon: the first URI has no transport, and this is another one.
            return session.isEnd(of: uri) && !uri.contains(UInt8(ascii: " ")) && !uri.contains(UInt8(ascii: "\t"))
        } ?? false
    }
}
