import MSRP
import MSRPTransport
import NIOCore

// SENDs on their way to the other side (RFC 4976 section 6.4.1).

extension Side {
    /// Whether the chunk under way may be cut where it is: it says so with a `*` (RFC 4975 section 7.1.1).
    var isInterruptible: Bool { fields?.range.end == nil }

    /// A chunk that receivers may take for whole, since its sender may not cut it either (RFC 4975 section 7.1.1).
    var isShort: Bool {
        guard let range = fields?.range, let end = range.end else { return false }
        return end <= range.start || end - range.start < UInt64(ByteRange.largestUninterruptible)
    }

    func takeSend(_ head: Head) {
        guard head.defect == nil, let fields = SendFields(head) else { return refuse(head, .badRequest) }
        switch paths.judge(head, session: session.id, other: other.paths.from) {
        case .refused(let status):
            return refuse(head, status)
        case .toUs:
            guard !head.hasBody else { return refuse(head, .noSuchSession) }
            phase = .local
        case .accepted:
            guard session.mayPassOn(from: self) else { return refuse(head, .noSuchSession) }
            phase = .pending
        }
        self.head = head
        self.fields = fields
        if case .pending = phase { begin() }
    }

    /// Passes on what is pending, or waits for what that needs.
    func begin() {
        guard let head else { return }
        guard let leg = other.leg else { return beginUnbound(head) }
        guard let fields else {
            phase = .whole
            return
        }
        // When both sides wait for answers nobody would read them.
        if fields.failureReport != .no, other.hop.isFull, !other.holds.contains(.answers) { return hold(.answers) }
        guard head.hasBody else {
            phase = .empty
            return
        }
        guard leg.mayBegin(self) else { return hold(.turn) }
        phase = .chunk
        chunk.begin()
        openChunk()
    }

    /// There is no peer yet: one is connected to, unless this is a keep-alive, which is ours to answer.
    private func beginUnbound(_ head: Head) {
        if let fields, !head.hasBody {
            if fields.isKeepAlive {
                phase = .local
                return
            }
            // A bind is answered before there is anybody to bind to.
            if fields.failureReport == .yes {
                writeAnswer(head, .ok)
                isAnswered = true
            }
        }
        hold(.connecting)
        session.connect(toward: paths.to)
    }

    /// The peer cannot be reached; what waits for it fails.
    func connectFailed(_ status: Status) {
        if case .pending = phase, let head {
            if fields != nil {
                phase = .unreachable(status)
                chunk.begin()
            } else {
                refuse(head, status)
            }
        }
        release(.connecting)
    }

    func endUnreachable(_ status: Status) {
        guard let head, let fields, fields.failureReport != .no else { return }
        if fields.failureReport == .yes, !isAnswered { writeOK(head) }
        guard let messageID = Self.messageID(head, fields) else { return }
        let start = fields.range.start
        report(
            HopState.Failure(
                messageID: messageID,
                range: ByteRange(start: start, end: start &- 1 &+ chunk.size, total: fields.range.total),
                status: status))
    }

    static func messageID(_ head: Head, _ fields: SendFields) -> MessageID? {
        MessageID(head.withUnsafeBytes { String(decoding: $0[fields.messageID], as: UTF8.self) })
    }

    // MARK: Without content

    func passEmpty(_ continuation: Continuation) {
        guard let head, let fields, let leg = other.leg else { return }
        let id = relay.ids.next()
        leg.writeWhole { buffer in
            Frame.writeForwarded(head, fields, id: id, sendLines: paths.sendLines, range: nil, into: &buffer)
            Frame.writeEndLine(id: TransactionID(id), continuation, into: &buffer)
        }
        register(id, head, fields, start: fields.range.start)
        if fields.failureReport != .no { other.hop.ended(id, size: 0, now: .now(), within: session.answerTime) }
        if fields.failureReport == .yes, !isAnswered { writeOK(head) }
        countMessage()
    }

    // MARK: With content

    private func openChunk() {
        guard let head, let fields, let leg = other.leg else { return }
        let id = relay.ids.next()
        let range = chunk.open(id, range: fields.range)
        leg.connection.withOutput {
            Frame.writeForwarded(head, fields, id: id, sendLines: paths.sendLines, range: range, into: &$0)
        }
        register(id, head, fields, start: chunk.start(of: fields.range))
        self.leg?.connection.outgoingID = TransactionID(id)
        if range == nil { countMessage() }
    }

    func passBody(_ bytes: ByteBuffer) {
        guard let leg = other.leg else { return }
        if !chunk.isOpen {
            guard leg.mayBegin(self) else { return postpone(.body(bytes)) }
            openChunk()
        }
        leg.connection.enqueue(bytes)
        chunk.pass(bytes.readableBytes)
        heedWindow(of: leg)
    }

    /// - Returns: false when the end has to wait for its turn.
    func endChunk(_ continuation: Continuation) -> Bool {
        guard let head, let fields, let leg = other.leg else { return true }
        if !chunk.isOpen {
            guard leg.mayBegin(self) else {
                postpone(.end(continuation))
                return false
            }
            openChunk()
        }
        closeChunk(continuation)
        if fields.failureReport == .yes { writeOK(head) }
        return true
    }

    /// Lets others through; the rest goes on under another identifier when it comes.
    func interrupt() {
        guard chunk.isOpen else { return }
        leg?.connection.outgoingID = nil
        closeChunk(.more)
    }

    /// The rest will not come: the receiver is told so with `#`.
    func giveUpChunk() {
        guard case .chunk = phase, let leg = other.leg else { return }
        if !chunk.isOpen {
            guard leg.mayBegin(self) else { return }
            openChunk()
        }
        closeChunk(.aborted)
        phase = .settled
    }

    private func closeChunk(_ continuation: Continuation) {
        guard let fields, let leg = other.leg else { return }
        let id = chunk.id
        leg.connection.withOutput { Frame.writeBodyEnd(id: id, continuation, into: &$0) }
        if fields.failureReport != .no {
            other.hop.ended(id, size: chunk.size, now: .now(), within: session.answerTime)
        }
        chunk.close()
        leg.ended()
    }

    // MARK: What both need

    private func register(_ id: UInt64, _ head: Head, _ fields: SendFields, start: UInt64) {
        guard fields.failureReport != .no else { return }
        head.withUnsafeBytes { bytes in
            other.hop.began(
                id, messageID: UnsafeRawBufferPointer(rebasing: bytes[fields.messageID]), start: start,
                total: fields.range.total, isQuiet: fields.failureReport == .partial)
        }
    }

    private func writeOK(_ head: Head) {
        leg?.writeWhole { Frame.writeOK(id: head.transactionID, tail: paths.okTail, into: &$0) }
    }

    private func countMessage() {
        messages &+= 1
        relay.counters.messages &+= 1
    }

    /// What comes from this side makes output for both: answers for this one too, which it may not read.
    func heedWindows() {
        if let leg = other.leg { heedWindow(of: leg) }
        if let leg { heedWindow(of: leg) }
    }

    /// More waits there than may: reading from this side stops until it has gone.
    private func heedWindow(of leg: Leg) {
        guard leg.connection.isCongested, leg.connection.queuedBytes > session.windowBytes else { return }
        hold(.window)
        leg.awaitWindow(self)
    }
}
