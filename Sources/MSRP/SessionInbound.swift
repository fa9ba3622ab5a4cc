package import NIOCore

// What comes in (RFC 4975 sections 7.2 and 7.3).

/// The request or response whose parts are coming in.
enum Incoming: Sendable {
    case nothing
    /// Judged at its head; the rest is of no interest.
    case settled
    /// A SEND without content, unless octets come.
    case empty(Head)
    /// A chunk, and how far into its message it has come.
    case chunk(Head, MessageID, offset: Int)
    case request(Head, body: ByteBuffer)
}

/// The paths of the last request that was found right, as octets: most requests of a session repeat them.
struct KnownPaths: Sendable {
    private var to: [UInt8] = []
    private var from: [UInt8] = []

    func match(_ head: Head) -> Bool {
        !to.isEmpty && head.withValue("To-Path") { $0.equals(to) } == true
            && head.withValue("From-Path") { $0.equals(from) } == true
    }

    mutating func learn(from head: Head) {
        to = head.withValue("To-Path") { Array($0) } ?? []
        from = head.withValue("From-Path") { Array($0) } ?? []
    }
}

extension EndpointSession {
    /// Messages remembered as refused.
    private static let mostRefused = 16

    /// Takes the next part of the connection. Responses due at once are appended to `output`.
    package mutating func receive(_ part: Part, now: NIODeadline, into output: inout ByteBuffer) -> Event? {
        switch part {
        case .head(let head):
            incoming = .settled
            if case .response(let status) = head.kind { return receiveResponse(head, status) }
            return receiveRequest(head, now: now, into: &output)
        case .body(let bytes):
            return receiveBody(bytes, now: now, into: &output)
        case .outgoingEndLine:
            return nil
        case .end(let continuation):
            return receiveEnd(continuation, into: &output)
        }
    }

    // MARK: Heads

    private mutating func receiveRequest(_ head: Head, now: NIODeadline, into output: inout ByteBuffer) -> Event? {
        if head.method == .report { return receiveReport(head) }
        if head.defect != nil { return refuse(head, .badRequest, into: &output) }
        if let status = judgePaths(of: head) { return refuse(head, status, into: &output) }
        guard head.method == .send else {
            guard let method = head.method, configuration.methods.contains(method) else {
                return refuse(head, .unknownMethod, into: &output)
            }
            incoming = .request(head, body: ByteBuffer())
            return nil
        }
        return receiveSend(head, now: now, into: &output)
    }

    /// Section 7.3: one To-Path URI, of this session. Peers behind address rewriting agree with us on the
    /// session-id only, so nothing else is compared.
    private mutating func judgePaths(of head: Head) -> Status? {
        if knownPaths.match(head) { return nil }
        guard let toPath = head.toPath, head.fromPath != nil else { return .badRequest }
        guard toPath.uris.count == 1, let key = toPath.first.sessionKey, key == localPath.first.sessionKey else {
            return .noSuchSession
        }
        knownPaths.learn(from: head)
        return nil
    }

    private mutating func receiveSend(_ head: Head, now: NIODeadline, into output: inout ByteBuffer) -> Event? {
        guard let messageID = head.messageID else { return refuse(head, .badRequest, into: &output) }
        guard let range = head.has("Byte-Range") ? head.byteRange : .whole else {
            return refuse(head, .badRequest, into: &output)
        }
        guard head.hasBody, let contentType = head.contentType else {
            // A chunk without octets may still end a message, or abort it.
            let ends = range.start > 1 && reassembler.holds(messageID)
            incoming = ends ? .chunk(head, messageID, offset: Int(clamping: range.start - 1)) : .empty(head)
            return nil
        }
        if accepted?.type != contentType || accepted?.by != configuration.acceptTypes {
            guard configuration.acceptTypes.accepts(contentType) else {
                return refuse(head, .unsupportedMediaType, of: messageID, into: &output)
            }
            accepted = (contentType, configuration.acceptTypes)
        }
        let offset = range.start - 1
        if refused.contains(messageID) || max(range.total ?? 0, offset) > UInt64(clamping: configuration.maxMessageSize)
            || reassembler.begin(
                messageID, head: head, contentType: contentType, offset: offset, total: range.total,
                limits: reassemblyLimits, now: now) != nil
        {
            return refuse(head, .stopSending, of: messageID, into: &output)
        }
        // At most maxMessageSize.
        incoming = .chunk(head, messageID, offset: Int(offset))
        return nil
    }

    private mutating func receiveReport(_ head: Head) -> Event? {
        guard head.defect == nil, judgePaths(of: head) == nil, let messageID = head.messageID,
            let (namespace, status) = head.reportStatus
        else { return nil }
        if namespace == 0, !status.isSuccess {
            outbox.fail(messageID, status == .timeout ? .timedOut : .failed(status))
        }
        return .report(
            Report(messageID: messageID, namespace: namespace, status: status, byteRange: head.byteRange))
    }

    private mutating func receiveResponse(_ head: Head, _ status: Status) -> Event? {
        guard let id = head.transactionID.value, let entry = outstandingRequests.answer(id) else { return nil }
        switch entry.subject {
        case .request:
            return .response(head, status)
        case .shared:
            guard status.isSuccess else { return .response(head, status) }
        case .message(let number):
            guard status.isSuccess else {
                outbox.fail(number, status == .timeout ? .timedOut : .failed(status))
                return nil
            }
            outbox.answered(number)
        }
        responseTail.learn(from: head)
        return nil
    }

    // MARK: Bodies and ends

    private mutating func receiveBody(
        _ bytes: ByteBuffer, now: NIODeadline, into output: inout ByteBuffer
    ) -> Event? {
        switch incoming {
        case .nothing, .settled:
            return nil
        case .empty(let head):
            // Content without a Content-Type (RFC 4975 section 7.1).
            return refuse(head, .badRequest, into: &output)
        case .chunk(let head, let messageID, let offset):
            let taken = reassembler.take(bytes, of: messageID, offset: offset, limits: reassemblyLimits, now: now)
            switch taken {
            case .failed(.beyondTotal):
                return refuse(head, .badRequest, of: messageID, into: &output)
            case .failed:
                return refuse(head, .stopSending, of: messageID, into: &output)
            case .kept, .began, .passed:
                break
            }
            incoming = .chunk(head, messageID, offset: offset + bytes.readableBytes)
            switch taken {
            case .began(let stream, let octets): return .streamBegan(stream, octets)
            case .passed(let octets): return .streamOctets(messageID, octets)
            case .kept, .failed: return nil
            }
        case .request(let head, var body):
            guard body.readableBytes + bytes.readableBytes <= configuration.maxRequestBody else {
                return refuse(head, .stopSending, into: &output)
            }
            incoming = .settled
            body.writeImmutableBuffer(bytes)
            incoming = .request(head, body: body)
            return nil
        }
    }

    private mutating func receiveEnd(_ continuation: Continuation, into output: inout ByteBuffer) -> Event? {
        defer { incoming = .nothing }
        switch incoming {
        case .nothing, .settled:
            return nil
        case .empty(let head):
            respond(PendingResponse(head: head), .ok, into: &output)
            if continuation == .aborted, let messageID = head.messageID { return drop(messageID) }
            return .empty(head)
        case .chunk(let head, let messageID, let offset):
            let pending = PendingResponse(head: head)
            if continuation == .aborted {
                respond(pending, .ok, into: &output)
                return drop(messageID)
            }
            switch reassembler.end(messageID, offset: offset, isLast: continuation == .complete) {
            case .message(let message): return .message(message, pending)
            case .stream: return .streamEnded(messageID, .complete(pending))
            case .moreOfStream:
                respond(pending, .ok, into: &output)
                return .streamChunkEnded(messageID)
            case .more:
                respond(pending, .ok, into: &output)
                return nil
            }
        case .request(let head, let body):
            return .request(head, body: body, PendingResponse(head: head))
        }
    }

    private var reassemblyLimits: Reassembler.Limits {
        Reassembler.Limits(
            messageSize: configuration.maxMessageSize, messages: configuration.maxMessagesInReassembly,
            bytes: configuration.maxReassemblyBytes, gaps: configuration.maxGapsInMessage,
            streamAbove: configuration.streamAbove ?? .max, streams: configuration.maxStreams)
    }

    // MARK: Answers

    private mutating func refuse(
        _ head: Head, _ status: Status, of messageID: MessageID? = nil, into output: inout ByteBuffer
    ) -> Event {
        incoming = .settled
        respond(PendingResponse(head: head), status, into: &output)
        guard let messageID else { return .refused(head, status) }
        noteRefused(messageID)
        return reassembler.drop(messageID) ? .streamEnded(messageID, .refused(status)) : .refused(head, status)
    }

    /// The owner takes no more of a message that comes up as it arrives: the chunk under way is answered so, later ones
    /// with 413. No `Event.streamEnded` follows.
    package mutating func refuseStream(_ messageID: MessageID, _ status: Status, into output: inout ByteBuffer) {
        guard reassembler.drop(messageID) else { return }
        noteRefused(messageID)
        guard case .chunk(let head, messageID, _) = incoming else { return }
        incoming = .settled
        respond(PendingResponse(head: head), status, into: &output)
    }

    mutating func noteRefused(_ messageID: MessageID) {
        guard !refused.contains(messageID) else { return }
        if refused.count == Self.mostRefused { refused.removeFirst() }
        refused.append(messageID)
    }

    private mutating func drop(_ messageID: MessageID) -> Event {
        reassembler.drop(messageID) ? .streamEnded(messageID, .aborted) : .aborted(messageID)
    }

    /// Answers a request, obeying a SEND's Failure-Report (RFC 4975 section 7.2): nothing is written for `no`, and
    /// only refusals for `partial`. NICKNAME must not have one (RFC 7701 section 7.1), and is answered all the same.
    package func respond(
        _ pending: PendingResponse, _ status: Status, headers: [(name: String, value: String)] = [],
        into output: inout ByteBuffer
    ) {
        let head = pending.head
        switch head.method == .send ? head.failureReport : .yes {
        case .no: return
        case .partial where status.isSuccess: return
        case .partial, .yes: break
        }
        withReturnPath(of: head, whole: head.method != .send) { toPath in
            Frame.writeResponse(
                id: head.transactionID, status: status, toPath: toPath, fromPath: localPathText, headers: headers,
                into: &output)
        }
    }

    /// Reports on a whole message: success if its sender asked for it, failure unless it asked not to
    /// (RFC 4975 sections 7.1.3 and 7.1.4).
    /// - Parameter content: Message/CPIM that goes into the REPORT.
    package mutating func report(
        on message: Message, _ status: Status, content: ByteBuffer? = nil, into output: inout ByteBuffer
    ) {
        report(
            on: message.messageID, size: message.body.readableBytes, head: message.head, status, content,
            into: &output)
    }

    /// The same for a message that came up as it arrived.
    /// - Parameter size: its octets.
    package mutating func report(
        on stream: IncomingStream, size: Int, _ status: Status, content: ByteBuffer? = nil,
        into output: inout ByteBuffer
    ) {
        report(on: stream.messageID, size: size, head: stream.head, status, content, into: &output)
    }

    private mutating func report(
        on messageID: MessageID, size: Int, head: Head, _ status: Status, _ content: ByteBuffer?,
        into output: inout ByteBuffer
    ) {
        guard status.isSuccess ? head.successReport == .yes : head.failureReport != .no else { return }
        let id = TransactionID(content.map { ids.next(avoiding: $0) } ?? ids.next())
        let size = UInt64(size)
        withReturnPath(of: head, whole: true) { toPath in
            Frame.writeReport(
                id: id, toPath: toPath, fromPath: localPathText, messageID: messageID,
                byteRange: ByteRange(start: 1, end: size, total: size), status: status, content: content,
                into: &output)
        }
    }

    /// The way back to a request's sender: its From-Path, or the first URI of it; the path we know when the
    /// request names none that can be used.
    private func withReturnPath(of head: Head, whole: Bool, _ body: (UnsafeRawBufferPointer) -> Void) {
        if head.defect == nil, knownPaths.match(head) || head.fromPath != nil {
            _ = head.withValue("From-Path") { path in
                body(whole ? path : path.sub(0..<(path.firstIndex(of: Octet.space, from: 0) ?? path.count)))
            }
        } else {
            var known = (whole ? remotePath : Path(remotePath.first)).description
            known.withUTF8 { body(UnsafeRawBufferPointer($0)) }
        }
    }

    // MARK: The fast path for 200s

    /// Takes plain 200s for the oldest outstanding SENDs off the front of raw bytes. Only while the
    /// connection's parser is at a message's start.
    /// - Returns: how many were taken.
    package mutating func consumeExpectedResponses(_ buffer: inout ByteBuffer) -> Int {
        guard outstandingRequests.count > 0 else { return 0 }
        var taken = 0
        let size = buffer.withUnsafeReadableBytes { bytes in
            var offset = 0
            while let entry = outstandingRequests.first, entry.subject != .request,
                let size = responseTail.match(entry.id, in: bytes, at: offset)
            {
                outstandingRequests.popFirst()
                if case .message(let number) = entry.subject { outbox.answered(number) }
                offset += size
                taken += 1
            }
            return offset
        }
        buffer.moveReaderIndex(forwardBy: size)
        return taken
    }
}
