package import NIOCore

/// Writes messages. Everything appends to the caller's buffer; nothing here builds a String.
package enum Frame {
    // MARK: Whole requests and responses

    /// A start line with To-Path and From-Path.
    package static func writeRequestStart(
        id: TransactionID, method: StaticString, toPath: Path, fromPath: Path, into buffer: inout ByteBuffer
    ) {
        writeStart(id, into: &buffer)
        buffer.write(method)
        buffer.write("\r\nTo-Path: ")
        write(toPath, into: &buffer)
        buffer.write("\r\nFrom-Path: ")
        write(fromPath, into: &buffer)
        buffer.write("\r\n")
    }

    /// A start line with `pathLines` (see `pathLines(to:from:)`).
    package static func writeRequestStart(
        id: TransactionID, method: StaticString, pathLines: ByteBuffer, into buffer: inout ByteBuffer
    ) {
        writeStart(id, into: &buffer)
        buffer.write(method)
        buffer.write("\r\n")
        buffer.writeImmutableBuffer(pathLines)
    }

    /// A header field. Control characters in the value become blanks, so that no value starts a line.
    package static func writeHeader(_ name: StaticString, _ value: String, into buffer: inout ByteBuffer) {
        buffer.write(name)
        buffer.write(": ")
        write(text: value, into: &buffer)
        buffer.write("\r\n")
    }

    package static func writeHeader(name: String, _ value: String, into buffer: inout ByteBuffer) {
        write(text: name, into: &buffer)
        buffer.write(": ")
        write(text: value, into: &buffer)
        buffer.write("\r\n")
    }

    package static func writeByteRange(_ range: ByteRange, into buffer: inout ByteBuffer) {
        buffer.write("Byte-Range: ")
        range.write(into: &buffer)
        buffer.write("\r\n")
    }

    /// The end-line. After a body the CRLF before it is the caller's.
    package static func writeEndLine(
        id: TransactionID, _ continuation: Continuation, into buffer: inout ByteBuffer
    ) {
        buffer.write("-------")
        id.withUnsafeBytes { _ = buffer.writeBytes($0) }
        buffer.writeInteger(continuation.rawValue)
        buffer.write("\r\n")
    }

    /// A whole response (RFC 4975 section 7.2). `toPath` is the first URI of the request's From-Path for a
    /// SEND, the whole path for other methods; both paths as octets.
    package static func writeResponse(
        id: TransactionID, status: Status, toPath: UnsafeRawBufferPointer, fromPath: ByteBuffer,
        headers: [(name: String, value: String)] = [], into buffer: inout ByteBuffer
    ) {
        writeResponseStart(id: id, status: status, into: &buffer)
        buffer.write("To-Path: ")
        buffer.writeBytes(toPath)
        buffer.write("\r\nFrom-Path: ")
        buffer.writeImmutableBuffer(fromPath)
        buffer.write("\r\n")
        for header in headers { writeHeader(name: header.name, header.value, into: &buffer) }
        writeEndLine(id: id, .complete, into: &buffer)
    }

    /// The answer to a request whose session nobody knows or may use (481, 506): paths turned round. Nothing is
    /// written when the request may not be answered: a REPORT, a response, `Failure-Report: no`, or no From-Path.
    /// - Returns: whether a response was written.
    @discardableResult
    package static func writeRefusal(of head: Head, status: Status, into buffer: inout ByteBuffer) -> Bool {
        guard let method = head.method, method != .report, head.failureReport != .no else { return false }
        guard let toPath = head.toPath, let fromPath = head.fromPath else { return false }
        writeResponseStart(id: head.transactionID, status: status, into: &buffer)
        buffer.write("To-Path: ")
        write(method == .send ? Path(fromPath.first) : fromPath, into: &buffer)
        buffer.write("\r\nFrom-Path: ")
        write(Path(toPath.first), into: &buffer)
        buffer.write("\r\n")
        writeEndLine(id: head.transactionID, .complete, into: &buffer)
        return true
    }

    /// A whole REPORT (RFC 4975 sections 7.1.3 and 7.1.4).
    /// - Parameter content: Message/CPIM that says which message it was (RFC 7701 section 6.2).
    package static func writeReport(
        id: TransactionID, toPath: UnsafeRawBufferPointer, fromPath: ByteBuffer, messageID: MessageID,
        byteRange: ByteRange?, status: Status, content: ByteBuffer? = nil, into buffer: inout ByteBuffer
    ) {
        writeStart(id, into: &buffer)
        buffer.write("REPORT\r\nTo-Path: ")
        buffer.writeBytes(toPath)
        buffer.write("\r\nFrom-Path: ")
        buffer.writeImmutableBuffer(fromPath)
        buffer.write("\r\n")
        writeHeader("Message-ID", messageID.string, into: &buffer)
        if let byteRange { writeByteRange(byteRange, into: &buffer) }
        buffer.write("Status: 000 ")
        writeCode(status, into: &buffer)
        buffer.write("\r\n")
        if let content {
            writeHeader("Content-Type", "message/cpim", into: &buffer)
            buffer.write("\r\n")
            buffer.writeImmutableBuffer(content)
            buffer.write("\r\n")
        }
        writeEndLine(id: id, .complete, into: &buffer)
    }

    // MARK: One SEND for many receivers

    /// `To-Path: ...CRLF From-Path: ...CRLF`, computed once a session.
    package static func pathLines(to toPath: Path, from fromPath: Path) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.write("To-Path: ")
        write(toPath, into: &buffer)
        buffer.write("\r\nFrom-Path: ")
        write(fromPath, into: &buffer)
        buffer.write("\r\n")
        return buffer
    }

    /// What differs between the receivers of one message: start line and paths. `sendLines` is
    /// `EndpointSession.sendLines` of the receiver.
    package static func writeSharedHead(id: UInt64, sendLines: ByteBuffer, into buffer: inout ByteBuffer) {
        let (high, low) = Hexadecimal.digits(of: id)
        let size = 21 + sendLines.readableBytes
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
            space.storeBytes(of: UInt32(bigEndian: 0x4D53_5250), as: UInt32.self)
            space[4] = Octet.space
            space.storeBytes(of: high, toByteOffset: 5, as: UInt64.self)
            space.storeBytes(of: low, toByteOffset: 13, as: UInt64.self)
            sendLines.withUnsafeReadableBytes { lines in
                UnsafeMutableRawBufferPointer(rebasing: space[21...]).copyMemory(from: lines)
            }
            return size
        }
    }

    /// A whole copy for one receiver: what `writeSharedHead` writes and the shared tail, in one go.
    /// - Returns: how many octets were written.
    package static func writeShared(
        id: UInt64, sendLines: ByteBuffer, tail: ByteBuffer, into buffer: inout ByteBuffer
    ) -> Int {
        let (high, low) = Hexadecimal.digits(of: id)
        let lines = sendLines.readableBytes
        let size = 21 + lines + tail.readableBytes
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
            space.storeBytes(of: UInt32(bigEndian: 0x4D53_5250), as: UInt32.self)
            space[4] = Octet.space
            space.storeBytes(of: high, toByteOffset: 5, as: UInt64.self)
            space.storeBytes(of: low, toByteOffset: 13, as: UInt64.self)
            sendLines.withUnsafeReadableBytes {
                UnsafeMutableRawBufferPointer(rebasing: space[21...]).copyMemory(from: $0)
            }
            tail.withUnsafeReadableBytes {
                UnsafeMutableRawBufferPointer(rebasing: space[(21 + lines)...]).copyMemory(from: $0)
            }
            return size
        }
        return size
    }

    /// What all receivers of one message share: Message-ID, Byte-Range, Content-Type, body and end-line. The
    /// id must come from `IDGenerator.next(avoiding: body)`. No report header fields: 200s are wanted, reports not.
    package static func sharedTail(
        id: UInt64, messageID: MessageID, contentType: String, body: ByteBuffer
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(body.readableBytes + contentType.utf8.count + messageID.string.utf8.count + 128)
        writeHeader("Message-ID", messageID.string, into: &buffer)
        writeByteRange(.unsplit(body.readableBytes), into: &buffer)
        writeHeader("Content-Type", contentType, into: &buffer)
        buffer.write("\r\n")
        buffer.writeImmutableBuffer(body)
        buffer.write("\r\n")
        writeEndLine(id: TransactionID(id), .complete, into: &buffer)
        return buffer
    }

    /// Begins what the receivers of one chunk share: Message-ID, Byte-Range, Content-Type and the blank line. Its octets
    /// follow, then `writeBodyEnd`.
    /// - Parameters:
    ///   - start: the position of the chunk's first octet, from one.
    ///   - end: that of the last; nil is `*`, which a chunk of more than 2048 octets must have (RFC 4975 section 7.1.1).
    ///   - total: octets of the message; nil is `*`.
    package static func beginSharedChunk(
        messageID: MessageID, start: Int, end: Int?, total: UInt64?, contentType: String,
        into buffer: inout ByteBuffer
    ) {
        writeHeader("Message-ID", messageID.string, into: &buffer)
        let range = ByteRange(
            start: UInt64(clamping: start), end: end.map { UInt64(clamping: $0) }, total: total)
        writeByteRange(range, into: &buffer)
        writeHeader("Content-Type", contentType, into: &buffer)
        buffer.write("\r\n")
    }

    /// What the receivers share of the chunk without octets that says a message goes no further (`#`, RFC 4975 section
    /// 7.1).
    /// - Parameter octets: of the message that were sent before.
    package static func sharedAbort(
        id: UInt64, messageID: MessageID, octets: Int, total: UInt64?, contentType: String
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        beginSharedChunk(
            messageID: messageID, start: octets &+ 1, end: octets, total: total, contentType: contentType,
            into: &buffer)
        writeBodyEnd(id: id, .aborted, into: &buffer)
        return buffer
    }

    // MARK: Pieces

    package static func write(_ path: Path, into buffer: inout ByteBuffer) {
        for (index, uri) in path.uris.enumerated() {
            if index > 0 { buffer.write(" ") }
            buffer.writeString(uri.description)
        }
    }

    /// `MSRP id `; the method or status is the caller's.
    package static func writeStart(_ id: TransactionID, into buffer: inout ByteBuffer) {
        buffer.write("MSRP ")
        id.withUnsafeBytes { _ = buffer.writeBytes($0) }
        buffer.write(" ")
    }

    /// A response's start line.
    package static func writeResponseStart(id: TransactionID, status: Status, into buffer: inout ByteBuffer) {
        writeStart(id, into: &buffer)
        writeCode(status, into: &buffer)
        buffer.write("\r\n")
    }

    private static func writeCode(_ status: Status, into buffer: inout ByteBuffer) {
        buffer.write(decimal: UInt64(clamping: status.code))
        if status.phrase.utf8CodeUnitCount > 0 {
            buffer.write(" ")
            buffer.write(status.phrase)
        }
    }

    private static func write(text: String, into buffer: inout ByteBuffer) {
        var text = text
        text.withUTF8 { octets in
            if octets.allSatisfy({ $0 >= 0x20 || $0 == Octet.tab }) {
                buffer.writeBytes(octets)
            } else {
                buffer.writeBytes(octets.lazy.map { $0 >= 0x20 || $0 == Octet.tab ? $0 : Octet.space })
            }
        }
    }
}

extension ByteRange {
    /// The largest body that goes out with a range-end; longer ones must be interruptible and say `*`
    /// (RFC 4975 section 7.1.1).
    package static let largestUninterruptible = 2048

    /// The range of a message sent in one piece: `1-N/N`, or `1-*/N` where the RFC wants a star.
    package static func unsplit(_ size: Int) -> ByteRange {
        ByteRange(start: 1, end: size <= largestUninterruptible ? UInt64(size) : nil, total: UInt64(size))
    }
}
