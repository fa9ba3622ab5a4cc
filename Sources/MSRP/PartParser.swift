package import NIOCore

/// Splits a connection's bytes into parts, as they come and wherever they are cut.
///
/// - `next` consumes what it returns and leaves in the buffer what it cannot judge yet; the owner appends
///   new bytes behind that and calls again.
/// - A head waits for its blank line or end-line; a body is passed on at once, holding back only octets
///   that may be the start of an end-line.
/// - CRLFs between messages are skipped.
/// - After a `WireError` the parser must not be used any more.
package struct PartParser: Sendable {
    private enum State: Sendable {
        case head(HeadBuilder)
        case body(TransactionID, atStart: Bool, judged: Int)
        /// A head without body was returned; its end-line is consumed already.
        case end(Continuation)
    }

    package let limits: WireLimits
    /// The id under which the body now coming in is passed on to others; its end-line is looked for too
    /// (see `Part.outgoingEndLine`). Nil when bodies are not passed on.
    package var outgoingID: TransactionID?
    private var state = State.head(HeadBuilder())

    package init(limits: WireLimits = WireLimits()) {
        self.limits = limits
    }

    /// Between two messages, with nothing of the next one looked at.
    package var isAtMessageStart: Bool {
        if case .head(let builder) = state { builder.scanned == 0 } else { false }
    }

    /// The next part, or nil when the bytes do not hold one whole.
    package mutating func next(_ buffer: inout ByteBuffer) throws(WireError) -> Part? {
        switch state {
        case .head(var builder):
            return try nextHead(&builder, &buffer)
        case .body(let id, let atStart, let judged):
            return nextOfBody(id, atStart: atStart, judged: judged, &buffer)
        case .end(let continuation):
            state = .head(HeadBuilder())
            return .end(continuation)
        }
    }

    private mutating func nextHead(
        _ builder: inout HeadBuilder, _ buffer: inout ByteBuffer
    ) throws(WireError) -> Part? {
        if builder.scanned == 0 {
            while buffer.readableBytes >= 2, buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) == 0x0D0A {
                buffer.moveReaderIndex(forwardBy: 2)
            }
            // A lone CR may be the first half of a CRLF between messages.
            if buffer.readableBytes == 1, buffer.getInteger(at: buffer.readerIndex) == Octet.carriageReturn {
                return nil
            }
        }
        guard buffer.readableBytes > builder.scanned else { return nil }
        if builder.scanned < 5, !Self.mayStartMessage(buffer) { throw WireError(.notMSRP) }
        // The builder must not be shared with the state while it changes, or its array is copied.
        state = .head(HeadBuilder())
        let limits = self.limits
        let (step, head): (HeadBuilder.Step?, Head?) = try withBytes(of: buffer) {
            bytes throws(WireError) -> (HeadBuilder.Step?, Head?) in
            switch try builder.scan(bytes, limits: limits) {
            case nil: return (nil, nil)
            case .more: return (nil, nil)
            case .blankLine: return (.blankLine, builder.head(from: bytes, hasBody: true))
            case .endLine(let continuation):
                return (.endLine(continuation), builder.head(from: bytes, hasBody: false))
            }
        }
        guard let step, let head else {
            state = .head(builder)
            return nil
        }
        buffer.moveReaderIndex(forwardBy: builder.size)
        switch step {
        case .endLine(let continuation): state = .end(continuation)
        case .blankLine, .more: state = .body(head.transactionID, atStart: true, judged: 0)
        }
        return .head(head)
    }

    private mutating func nextOfBody(
        _ id: TransactionID, atStart: Bool, judged: Int, _ buffer: inout ByteBuffer
    ) -> Part? {
        let outgoing = outgoingID
        let verdict = buffer.withUnsafeReadableBytes {
            EndLineSearch.judge($0, id: id, outgoing: outgoing, atStart: atStart, judged: judged)
        }
        switch verdict {
        case .body(let size):
            guard size > 0, let slice = buffer.readSlice(length: size) else { return nil }
            state = .body(id, atStart: false, judged: 0)
            return .body(slice)
        case .outgoingEndLine:
            state = .body(id, atStart: atStart, judged: EndLineSearch.hyphens + (outgoing?.count ?? 0))
            return .outgoingEndLine
        case .end(let continuation, let size):
            buffer.moveReaderIndex(forwardBy: size)
            state = .head(HeadBuilder())
            return .end(continuation)
        }
    }

    /// Whether the bytes fit `MSRP ` as far as they go.
    private static func mayStartMessage(_ buffer: ByteBuffer) -> Bool {
        buffer.withUnsafeReadableBytes { $0.prefix(5).elementsEqual("MSRP ".utf8.prefix($0.count)) }
    }

    /// `withUnsafeReadableBytes` with the error's type kept.
    private func withBytes<R>(
        of buffer: ByteBuffer, _ body: (UnsafeRawBufferPointer) throws(WireError) -> R
    ) throws(WireError) -> R {
        let result: Result<R, WireError> = buffer.withUnsafeReadableBytes { bytes in
            do throws(WireError) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
