import Foundation

/// What came of a long message that was read as it came.
package struct BulkResult: Sendable {
    package var octets = 0
    package var chunks = 0
    /// Chunks that ended with `+`.
    package var continued = 0
    /// The last end-line's flag.
    package var flag: Character = "?"
    /// REPORTs and other messages that came in between.
    package var others = [MSRPFrame]()
    package var damaged = false
}

extension RawRelayClient {
    /// Sends `total` octets of the pattern in chunks and reads what comes meanwhile, so that responses never fill the
    /// socket. Returns the transaction ids' statuses that came and what else did.
    ///
    /// `chunk`: octets of a chunk; `openEnded`: Byte-Range's end is `*`.
    package func sendBulk(
        _ pattern: BodyPattern, total: Int, chunk: Int, messageID: String = "bulk", fields: String = "",
        openEnded: Bool = true, within seconds: Double = 60
    ) throws -> (statuses: [Int: Int], ids: Int) {
        var ids = Set<String>()
        var statuses = [Int: Int]()
        var offset = 0
        let piece = 256 * 1024
        while offset < total {
            let size = min(chunk, total - offset)
            let id = newID()
            ids.insert(id)
            let end = openEnded ? "*" : "\(offset + size)"
            try stream.send(
                Array(
                    ("MSRP \(id) SEND\r\nTo-Path: \(toPath)\r\nFrom-Path: \(uri)\r\nMessage-ID: \(messageID)\r\n"
                        + "Byte-Range: \(offset + 1)-\(end)/\(total)\r\n\(fields)"
                        + "Content-Type: application/octet-stream\r\n\r\n").utf8), within: seconds)
            var sent = 0
            while sent < size {
                let count = min(piece, size - sent)
                try pattern.with(offset: offset + sent, count: count) { try stream.send($0, within: seconds) }
                sent += count
            }
            offset += size
            try stream.send(Array("\r\n-------\(id)\(offset == total ? "$" : "+")\r\n".utf8), within: seconds)
            if ids.count > 64 { try take(&ids, &statuses, until: 0, 0) }
        }
        let sent = ids.count + statuses.values.reduce(0, +)
        if fields.lowercased().contains("failure-report: no") || fields.lowercased().contains("partial") {
            return (statuses, sent)
        }
        try take(&ids, &statuses, until: 0, seconds)
        return (statuses, sent)
    }

    private func take(_ ids: inout Set<String>, _ statuses: inout [Int: Int], until: Int, _ seconds: Double) throws {
        let deadline = Deadline.after(seconds: seconds)
        while ids.count > until {
            var any = false
            for id in ids {
                if let response = try responseIfAny(to: id, within: 0) {
                    ids.remove(id)
                    statuses[response.status, default: 0] += 1
                    any = true
                }
            }
            if any { continue }
            if deadline.passed {
                if seconds == 0 { return }
                throw SupportError("\(ids.count) chunks were not answered")
            }
            // Lets something come.
            if try responseIfAny(to: "none", within: 0.05) != nil { return }
        }
    }

    /// Reads one message's chunks as they come, checks every octet against the pattern, answers each chunk, and keeps
    /// no body. Ends with the message's `$` or `#`, or when `enough` octets have come.
    ///
    /// `pace`: called between reads with the octets so far; may wait.
    package func receiveBulk(
        _ pattern: BodyPattern, messageID: String = "bulk", enough: Int = .max, within seconds: Double = 60,
        pace: (Int) throws -> Void = { _ in }
    ) throws -> BulkResult {
        var result = BulkResult()
        var deadline = Deadline.after(seconds: seconds)
        var buffer = [UInt8](received[consumed...])
        received.removeAll()
        consumed = 0
        // The chunk that is being read: its head, how far into the message, and its end mark.
        var open: (head: MSRPFrame, offset: Int, mark: [UInt8])?
        var at = 0
        var scratch = [UInt8](repeating: 0, count: 256 * 1024)
        defer { received = Array(buffer[at...]) }
        while true {
            // All that can be understood.
            var progress = true
            while progress {
                progress = false
                if let chunk = open {
                    let (body, flag) = Self.body(in: buffer, from: at, mark: chunk.mark)
                    if body > at {
                        let fits = buffer.withUnsafeBytes {
                            pattern.matches(
                                UnsafeRawBufferPointer(rebasing: $0[at..<body]), offset: chunk.offset)
                        }
                        if !fits { result.damaged = true }
                        result.octets += body - at
                        open?.offset += body - at
                        at = body
                    }
                    if let flag {
                        at += chunk.mark.count + 3
                        open = nil
                        result.chunks += 1
                        result.flag = flag
                        if flag == "+" { result.continued += 1 }
                        try answerIfWanted(chunk.head)
                        if flag != "+" { return result }
                        progress = true
                    }
                } else if let (head, bodyStart) = try Self.head(in: buffer, from: at), head.messageID == messageID {
                    at = bodyStart
                    let start = head["Byte-Range"]?.split(separator: "-").first.flatMap { Int($0) } ?? 1
                    if start - 1 != result.octets { result.damaged = true }
                    open = (head, start - 1, Array("\r\n-------\(head.transactionID)".utf8))
                    progress = true
                } else if let (frame, end) = try MSRPFrame.parse(buffer, from: at) {
                    at = end
                    if !frame.isResponse { try answerIfWanted(frame) }
                    result.others.append(frame)
                    progress = true
                }
            }
            if result.octets >= enough { return result }
            buffer.removeFirst(at)
            at = 0
            try pace(result.octets)
            while true {
                let count = try scratch.withUnsafeMutableBytes { try stream.read(into: $0) }
                if let count {
                    if count == 0 { throw SupportError("closed after \(result.octets) octets") }
                    buffer.append(contentsOf: scratch[..<count])
                    deadline = .after(seconds: seconds)
                    break
                }
                if !waitUntilReady(stream.descriptor, POLLIN, deadline) {
                    throw SupportError("nothing came for \(seconds) s after \(result.octets) octets")
                }
            }
        }
    }

    /// Where the body in `bytes` ends for sure, and the flag if its end-line is there.
    private static func body(in bytes: [UInt8], from start: Int, mark: [UInt8]) -> (end: Int, flag: Character?) {
        bytes.withUnsafeBytes { bytes in
            var at = start
            while let found = bytes.first(mark, from: at) {
                let flagAt = found + mark.count
                guard flagAt + 2 < bytes.count else { return (found, nil) }
                if "$+#".utf8.contains(bytes[flagAt]), bytes[flagAt + 1] == 13, bytes[flagAt + 2] == 10 {
                    return (found, Character(UnicodeScalar(bytes[flagAt])))
                }
                at = found + 1
            }
            return (max(start, bytes.count - mark.count), nil)
        }
    }

    /// The head of a SEND with a body, and where the body starts.
    static func head(in bytes: [UInt8], from start: Int) throws -> (MSRPFrame, Int)? {
        guard let blank = bytes.withUnsafeBytes({ $0.first([13, 10, 13, 10], from: start) }) else { return nil }
        let end = blank + 4
        let text = bytes[start..<end]
        let first = String(decoding: text.prefix { $0 != 13 }, as: UTF8.self)
        let words = first.split(separator: " ")
        guard words.count == 3, words[0] == "MSRP", words[2] == "SEND" else { return nil }
        // A frame without a body may stand before this blank line: then it is that frame's turn.
        let closing = Array(text) + Array("\r\n-------\(words[1])$\r\n".utf8)
        guard let (frame, size) = try MSRPFrame.parse(closing, from: 0), size == closing.count, frame.body != nil
        else { return nil }
        return (frame, end)
    }
}
