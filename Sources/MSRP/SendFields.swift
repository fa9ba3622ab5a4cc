package import NIOCore

/// What a relay looks at in the head of a SEND it passes on, found in one pass over the fields (RFC 4976 section 6.4.1).
package struct SendFields: Sendable {
    /// Octets of Message-ID's value within `Head.bytes`.
    package let messageID: Range<Int>
    /// Absent means the whole message (RFC 4975 section 7.3.1).
    package let range: ByteRange
    package let failureReport: FailureReport
    package let isKeepAlive: Bool
    /// To-Path and From-Path come first, in this order and once, and Content-Type last: what follows the paths can be
    /// passed on as it is.
    let isInOrder: Bool
    /// Where the lines behind the first two begin.
    let afterPaths: Int

    /// Nil when Message-ID is missing or either of Message-ID and Byte-Range is malformed: 400.
    package init?(_ head: Head) {
        var messageID: Range<Int>?
        var range = ByteRange.whole
        var isRangeGood = true
        var hasRange = false
        var failureReport: FailureReport?
        var isKeepAlive = false
        var isInOrder = head.fields.count >= 2
        let last = head.fields.count &- 1
        head.withUnsafeBytes { bytes in
            for (index, field) in head.fields.enumerated() {
                let name = bytes.sub(field.name)
                switch name.count {
                case 7 where name.equalsIgnoringCase("To-Path"):
                    if index != 0 { isInOrder = false }
                case 9 where name.equalsIgnoringCase("From-Path"):
                    if index != 1 { isInOrder = false }
                case 10 where messageID == nil && name.equalsIgnoringCase("Message-ID"):
                    messageID = field.value
                case 10 where !hasRange && name.equalsIgnoringCase("Byte-Range"):
                    hasRange = true
                    if let value = ByteRange(bytes.sub(field.value)) { range = value } else { isRangeGood = false }
                case 10 where name.equalsIgnoringCase("Keep-Alive"):
                    isKeepAlive = true
                case 12 where name.equalsIgnoringCase("Content-Type"):
                    if index != last { isInOrder = false }
                case 14 where failureReport == nil && name.equalsIgnoringCase("Failure-Report"):
                    let value = bytes.sub(field.value)
                    failureReport =
                        value.equalsIgnoringCase("no") ? .no : value.equalsIgnoringCase("partial") ? .partial : .yes
                default: break
                }
            }
        }
        guard isRangeGood, let messageID, messageID.count <= MessageID.longest,
            head.withUnsafeBytes({ bytes in
                !messageID.isEmpty && bytes.sub(messageID).allSatisfy { $0 > 0x20 && $0 != 0x7F }
            })
        else { return nil }
        self.messageID = messageID
        self.range = range
        self.failureReport = failureReport ?? .yes
        self.isKeepAlive = isKeepAlive
        self.isInOrder = isInOrder
        afterPaths = head.fields.count > 2 ? head.fields[2].name.lowerBound : head.bytes.readableBytes
    }
}

extension Head {
    /// The octets of the first two lines behind the start line, where the paths are: two requests in which they are the
    /// same go the same way. Empty when there are not two.
    package func withPathLines<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        guard fields.count >= 2 else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let end = fields.count > 2 ? fields[2].name.lowerBound : bytes.readableBytes
        return withUnsafeBytes { body($0.sub(fields[0].name.lowerBound..<end)) }
    }

    /// Whether `withPathLines` gives To-Path and From-Path.
    package var startsWithPaths: Bool {
        fields.count >= 2
            && withUnsafeBytes {
                $0.sub(fields[0].name).equalsIgnoringCase("To-Path")
                    && $0.sub(fields[1].name).equalsIgnoringCase("From-Path")
            }
    }

    /// Where the first URI of To-Path ends and the others, behind blanks, begin.
    package struct PathSplit: Sendable {
        /// Octets of the first URI of To-Path within `bytes`.
        package let first: Range<Int>
        /// Octets of the others; empty when there are none.
        package let rest: Range<Int>
        /// Octets of From-Path.
        package let from: Range<Int>
    }

    /// Nil without To-Path or From-Path. Says nothing about the URIs.
    package var pathSplit: PathSplit? {
        guard let to = range("To-Path"), let from = range("From-Path"), !to.isEmpty, !from.isEmpty else { return nil }
        return withUnsafeBytes { bytes in
            var end = to.lowerBound
            while end < to.upperBound, bytes[end] != Octet.space, bytes[end] != Octet.tab { end += 1 }
            var rest = end
            while rest < to.upperBound, bytes[rest] == Octet.space || bytes[rest] == Octet.tab { rest += 1 }
            return PathSplit(first: to.lowerBound..<end, rest: rest..<to.upperBound, from: from)
        }
    }
}

extension Frame {
    /// The head of a SEND on its way to the next hop: all header fields but the paths as they came, to the octet and in
    /// order, Content-Type last (RFC 4975 section 9), and the blank line if a body follows.
    /// - Parameters:
    ///   - sendLines: ` SEND CRLF` and the outgoing path lines.
    ///   - range: written in place of the Byte-Range that came; nil: that one.
    package static func writeForwarded(
        _ head: Head, _ fields: SendFields, id: UInt64, sendLines: ByteBuffer, range: ByteRange?,
        into buffer: inout ByteBuffer
    ) {
        writeSharedHead(id: id, sendLines: sendLines, into: &buffer)
        if fields.isInOrder, range == nil {
            head.withUnsafeBytes { _ = buffer.writeBytes($0.sub(fields.afterPaths..<$0.count)) }
        } else {
            writeFields(of: head, range: range, into: &buffer)
        }
        if head.hasBody { buffer.write("\r\n") }
    }

    /// A whole message on its way to the next hop, under another transaction identifier: the first URI of To-Path moves
    /// to the front of From-Path (RFC 4976 sections 6.4.2 and 6.4.3).
    /// - Parameter way: what To-Path says when there is nothing behind its first URI.
    package static func writeForwarded(
        _ head: Head, _ split: Head.PathSplit, id: TransactionID, way: ByteBuffer, body: ByteBuffer,
        _ continuation: Continuation, into buffer: inout ByteBuffer
    ) {
        head.withUnsafeBytes { bytes in
            buffer.write("MSRP ")
            id.withUnsafeBytes { _ = buffer.writeBytes($0) }
            let afterID = 5 + head.transactionID.count
            _ = buffer.writeBytes(bytes.sub(afterID..<(head.fields.first?.name.lowerBound ?? bytes.count)))
            buffer.write("To-Path: ")
            if split.rest.isEmpty {
                buffer.writeImmutableBuffer(way)
            } else {
                _ = buffer.writeBytes(bytes.sub(split.rest))
            }
            buffer.write("\r\nFrom-Path: ")
            _ = buffer.writeBytes(bytes.sub(split.first))
            buffer.write(" ")
            _ = buffer.writeBytes(bytes.sub(split.from))
            buffer.write("\r\n")
        }
        writeFields(of: head, range: nil, into: &buffer)
        if head.hasBody {
            buffer.write("\r\n")
            buffer.writeImmutableBuffer(body)
            buffer.write("\r\n")
        }
        writeEndLine(id: id, continuation, into: &buffer)
    }

    /// CRLF and the end-line of an identifier of ours.
    package static func writeBodyEnd(id: UInt64, _ continuation: Continuation, into buffer: inout ByteBuffer) {
        buffer.write("\r\n")
        writeEndLine(id: TransactionID(id), continuation, into: &buffer)
    }

    /// ` 200 OK`, the paths and the hyphens: what stands between the identifiers of a 200 (RFC 4975 section 7.2).
    package static func okTail(toPath: UnsafeRawBufferPointer, fromPath: UnsafeRawBufferPointer) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.write(" 200 OK\r\nTo-Path: ")
        buffer.writeBytes(toPath)
        buffer.write("\r\nFrom-Path: ")
        buffer.writeBytes(fromPath)
        buffer.write("\r\n-------")
        return buffer
    }

    /// A 200 with a tail made by `okTail`.
    package static func writeOK(id: TransactionID, tail: ByteBuffer, into buffer: inout ByteBuffer) {
        buffer.write("MSRP ")
        id.withUnsafeBytes { _ = buffer.writeBytes($0) }
        buffer.writeImmutableBuffer(tail)
        id.withUnsafeBytes { _ = buffer.writeBytes($0) }
        buffer.write("$\r\n")
    }

    private static func writeFields(of head: Head, range: ByteRange?, into buffer: inout ByteBuffer) {
        head.withUnsafeBytes { bytes in
            var contentType: Range<Int>?
            var isRangeWritten = range == nil
            for (index, field) in head.fields.enumerated() {
                let end = index + 1 < head.fields.count ? head.fields[index + 1].name.lowerBound : bytes.count
                let line = field.name.lowerBound..<end
                let name = bytes.sub(field.name)
                if name.equalsIgnoringCase("To-Path") || name.equalsIgnoringCase("From-Path") { continue }
                if name.equalsIgnoringCase("Content-Type"), contentType == nil {
                    contentType = line
                    continue
                }
                if let range, name.equalsIgnoringCase("Byte-Range") {
                    if !isRangeWritten { writeByteRange(range, into: &buffer) }
                    isRangeWritten = true
                    continue
                }
                _ = buffer.writeBytes(bytes.sub(line))
            }
            if let range, !isRangeWritten { writeByteRange(range, into: &buffer) }
            if let contentType { _ = buffer.writeBytes(bytes.sub(contentType)) }
        }
    }
}
