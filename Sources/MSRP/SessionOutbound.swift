package import NIOCore

// What goes out (RFC 4975 section 7.1).

extension EndpointSession {
    /// Sends a message: at once and in one piece up to `maxUnchunked`, else through `nextChunk`.
    package mutating func send(
        _ message: OutgoingMessage, now: NIODeadline, into output: inout ByteBuffer
    ) throws(SendRefusal) {
        let size = message.body.readableBytes
        guard size <= configuration.maxOutgoingSize ?? configuration.maxMessageSize else { throw .tooLarge }
        guard size > configuration.maxUnchunked else {
            guard outstandingRequests.count < configuration.maxOutstanding else { throw .tooManyOutstanding }
            let number = outbox.open(message.messageID)
            writeChunk(
                of: message, number: number, body: message.body, range: .unsplit(size), .complete, now: now,
                into: &output)
            return
        }
        guard outbox.queued < configuration.maxQueuedMessages else { throw .queueFull }
        outbox.enqueue(message, number: outbox.open(message.messageID))
    }

    /// Sends a SEND without content: the bind of the active side, or a keep-alive. Its answer comes as `Delivery`.
    /// - Returns: the Message-ID it went out with.
    @discardableResult
    package mutating func sendEmpty(
        now: NIODeadline, headers: [(name: String, value: String)] = [], into output: inout ByteBuffer
    ) throws(SendRefusal) -> MessageID {
        guard outstandingRequests.count < configuration.maxOutstanding else { throw .tooManyOutstanding }
        let messageID = MessageID(ids.next())
        let id = ids.next()
        let number = outbox.open(messageID)
        Frame.writeRequestStart(id: TransactionID(id), method: "SEND", pathLines: pathLines, into: &output)
        Frame.writeHeader("Message-ID", messageID.string, into: &output)
        Frame.writeByteRange(.nothing, into: &output)
        for header in headers { Frame.writeHeader(name: header.name, header.value, into: &output) }
        Frame.writeEndLine(id: TransactionID(id), .complete, into: &output)
        outbox.sent(number, wantsAnswer: true, isLast: true)
        expectAnswer(id, .message(number), now: now)
        return messageID
    }

    /// Sends a request without body (NICKNAME); its answer comes as `Event.response`.
    @discardableResult
    package mutating func request(
        _ method: StaticString, headers: [(name: String, value: String)], now: NIODeadline,
        into output: inout ByteBuffer
    ) throws(SendRefusal) -> TransactionID {
        guard outstandingRequests.count < configuration.maxOutstanding else { throw .tooManyOutstanding }
        let id = ids.next()
        Frame.writeRequestStart(id: TransactionID(id), method: method, pathLines: pathLines, into: &output)
        for header in headers { Frame.writeHeader(name: header.name, header.value, into: &output) }
        Frame.writeEndLine(id: TransactionID(id), .complete, into: &output)
        expectAnswer(id, .request, now: now)
        return TransactionID(id)
    }

    /// Whether `nextChunk` has something to write.
    package var hasChunks: Bool {
        outbox.queued > 0 && outstandingRequests.count < configuration.maxOutstanding
    }

    /// Writes the next chunk of the queued messages, of `limit` octets of body or 2048 if that is more; they take
    /// turns. A chunk is always closed, so whatever is written next may follow it.
    /// - Returns: whether a chunk was written.
    package mutating func nextChunk(now: NIODeadline, limit: Int, into output: inout ByteBuffer) -> Bool {
        guard hasChunks, var queued = outbox.takeTurn() else { return false }
        let body = queued.message.body
        let total = body.readableBytes
        // Chunks should not be smaller than 2048 octets (RFC 4975 section 7.1.1).
        let size = min(max(limit, ByteRange.largestUninterruptible), total - queued.offset)
        guard let piece = body.getSlice(at: body.readerIndex + queued.offset, length: size) else { return false }
        let range = ByteRange(
            start: UInt64(queued.offset) + 1,
            end: size <= ByteRange.largestUninterruptible ? UInt64(queued.offset + size) : nil,
            total: UInt64(total))
        queued.offset += size
        let isLast = queued.offset >= total
        writeChunk(
            of: queued.message, number: queued.number, body: piece, range: range, isLast ? .complete : .more, now: now,
            into: &output)
        if !isLast { outbox.putBack(queued) }
        return true
    }

    /// Gives up a message of which chunks may have gone out: a last empty chunk says `#`. There is no
    /// `Delivery` for it.
    package mutating func abort(_ messageID: MessageID, into output: inout ByteBuffer) {
        guard let queued = outbox.withdraw(messageID), queued.offset > 0 else { return }
        let range = ByteRange(
            start: UInt64(queued.offset) + 1, end: UInt64(queued.offset),
            total: UInt64(queued.message.body.readableBytes))
        write(
            queued.message, id: TransactionID(ids.next()), body: ByteBuffer(), range: range, .aborted, into: &output)
    }

    /// Notes a SEND that the owner wrote itself with `Frame.writeSharedHead`.
    /// - Returns: false when `maxOutstanding` are unanswered; it must not be sent then.
    package mutating func registerShared(id: UInt64, now: NIODeadline) -> Bool {
        guard outstandingRequests.count < configuration.maxOutstanding else { return false }
        expectAnswer(id, .shared, now: now)
        return true
    }

    /// The same for all of a batch or none of it.
    package mutating func registerShared(_ batch: SharedBatch, now: NIODeadline) -> Bool {
        guard outstandingRequests.count + batch.count <= configuration.maxOutstanding else { return false }
        outstandingRequests.appendShared(batch.ids, deadline: now + configuration.responseTimeout)
        return true
    }

    private mutating func expectAnswer(
        _ id: UInt64, _ subject: OutstandingRequests.Subject, quiet: Bool = false, now: NIODeadline
    ) {
        outstandingRequests.append(
            .init(id: id, deadline: now + configuration.responseTimeout, subject: subject, quiet: quiet))
    }

    private mutating func writeChunk(
        of message: OutgoingMessage, number: UInt32, body: ByteBuffer, range: ByteRange,
        _ continuation: Continuation, now: NIODeadline, into output: inout ByteBuffer
    ) {
        let id = ids.next(avoiding: body)
        write(message, id: TransactionID(id), body: body, range: range, continuation, into: &output)
        let wantsAnswer = message.failureReport != .no
        outbox.sent(number, wantsAnswer: wantsAnswer, isLast: continuation == .complete)
        // For `partial` a refusal may still come, but nobody waits for a 200 (RFC 4975 section 7.1.1).
        if wantsAnswer {
            expectAnswer(id, .message(number), quiet: message.failureReport == .partial, now: now)
        }
    }

    private func write(
        _ message: OutgoingMessage, id: TransactionID, body: ByteBuffer, range: ByteRange,
        _ continuation: Continuation, into output: inout ByteBuffer
    ) {
        Frame.writeRequestStart(id: id, method: "SEND", pathLines: pathLines, into: &output)
        Frame.writeHeader("Message-ID", message.messageID.string, into: &output)
        Frame.writeByteRange(range, into: &output)
        if let report = message.successReport {
            output.write(report == .yes ? "Success-Report: yes\r\n" : "Success-Report: no\r\n")
        }
        switch message.failureReport {
        case nil: break
        case .yes: output.write("Failure-Report: yes\r\n")
        case .no: output.write("Failure-Report: no\r\n")
        case .partial: output.write("Failure-Report: partial\r\n")
        }
        for header in message.headers { Frame.writeHeader(name: header.name, header.value, into: &output) }
        Frame.writeHeader("Content-Type", message.contentType, into: &output)
        output.write("\r\n")
        output.writeImmutableBuffer(body)
        output.write("\r\n")
        Frame.writeEndLine(id: id, continuation, into: &output)
    }
}
