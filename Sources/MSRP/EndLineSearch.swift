import NIOCore

/// Looks for end-lines in bodies: seven hyphens, then an id.
enum EndLineSearch {
    static let hyphens = 7

    /// Whether `-------id` stands anywhere in `body`.
    static func contains(endLineOf id: TransactionID, in body: ByteBuffer) -> Bool {
        body.withUnsafeReadableBytes { bytes in
            id.withUnsafeBytes { id in
                var from = 0
                while let run = nextRun(in: bytes, from: from) {
                    if run.upperBound + id.count <= bytes.count,
                        bytes.sub(run.upperBound..<run.upperBound + id.count).elementsEqual(id)
                    {
                        return true
                    }
                    from = run.upperBound
                }
                return false
            }
        }
    }

    /// The next run of at least seven hyphens at or after `from`: every seventh octet is looked at until one
    /// of them is a hyphen.
    static func nextRun(in bytes: UnsafeRawBufferPointer, from: Int) -> Range<Int>? {
        guard let base = bytes.baseAddress else { return nil }
        var probe = from &+ (hyphens - 1)
        while probe < bytes.count {
            let block = probe &+ blockSize
            if block <= bytes.count, !mayHoldRun(base + (probe &- 3)) {
                probe = block
                continue
            }
            while probe < min(block, bytes.count) {
                if bytes[probe] != Octet.hyphen {
                    probe &+= hyphens
                    continue
                }
                var start = probe
                while start > from, bytes[start &- 1] == Octet.hyphen { start &-= 1 }
                var end = probe &+ 1
                while end < bytes.count, bytes[end] == Octet.hyphen { end &+= 1 }
                if end &- start >= hyphens { return start..<end }
                probe = end &+ (hyphens - 1)
            }
        }
        return nil
    }

    private static let blockSize = 64

    /// Whether one of sixteen groups of four octets is all hyphens. Seven in a row hold such a group, however they lie
    /// to the groups, and files of any kind hardly ever have four: this tells of most blocks that they can be skipped.
    @inline(__always)
    private static func mayHoldRun(_ block: UnsafeRawPointer) -> Bool {
        let groups = block.loadUnaligned(as: SIMD16<UInt32>.self)
        // The type is spelled out: with an inferred one the compiler compares the groups one by one.
        let hyphens = SIMD16<UInt32>(repeating: 0x2D2D_2D2D)
        return any(groups .== hyphens)
    }
}

extension EndLineSearch {
    /// Whether an end-line stands at a place.
    enum Finding: Equatable {
        case none
        /// All bytes there are fit, but more are needed.
        case partial
        case match(Continuation, size: Int)
    }

    /// Compares the bytes at `start` with `-------id`, a flag and CRLF. Anything else, such as the id with another
    /// character behind it, is no end-line.
    static func endLine(of id: TransactionID, in bytes: UnsafeRawBufferPointer, at start: Int) -> Finding {
        let available = bytes.count - start
        for index in 0..<min(hyphens, available) where bytes[start + index] != Octet.hyphen { return .none }
        let name = start + hyphens
        let fits = id.withUnsafeBytes { id in
            for index in 0..<max(0, min(id.count, bytes.count - name)) where bytes[name + index] != id[index] {
                return false
            }
            return true
        }
        guard fits else { return .none }
        let flag = name + id.count
        guard flag < bytes.count else { return .partial }
        guard let continuation = Continuation(rawValue: bytes[flag]) else { return .none }
        guard flag + 1 < bytes.count else { return .partial }
        guard bytes[flag + 1] == Octet.carriageReturn else { return .none }
        guard flag + 2 < bytes.count else { return .partial }
        guard bytes[flag + 2] == Octet.lineFeed else { return .none }
        return .match(continuation, size: hyphens + id.count + 3)
    }

    /// What to do with the front of a body.
    enum Verdict: Equatable {
        /// So many octets are body; perhaps none.
        case body(Int)
        /// The end-line of the outgoing id starts at the first octet.
        case outgoingEndLine
        /// The end-line, CRLF before it included, is the next so many octets.
        case end(Continuation, size: Int)
    }

    /// Judges the bytes at the front of a body.
    ///
    /// - Parameters:
    ///   - id: of the transaction the body belongs to; its end-line starts a line.
    ///   - outgoing: the id it is passed on with; anywhere, because a receiver may be less strict than we are.
    ///   - atStart: the first of the bytes is the first of the body, so the blank line's CRLF is before it.
    ///   - judged: so many octets in front are known to be body.
    static func judge(
        _ bytes: UnsafeRawBufferPointer, id: TransactionID, outgoing: TransactionID?, atStart: Bool, judged: Int
    ) -> Verdict {
        var from = judged
        while let run = nextRun(in: bytes, from: from) {
            if let lead = lineLead(before: run.lowerBound, in: bytes, atStart: atStart) {
                let start = run.lowerBound - lead
                switch endLine(of: id, in: bytes, at: run.lowerBound) {
                case .match(let continuation, let size):
                    return start > 0 ? .body(start) : .end(continuation, size: lead + size)
                case .partial: return .body(start)
                case .none: break
                }
            }
            if let outgoing {
                let start = run.upperBound - hyphens
                switch name(of: outgoing, in: bytes, at: run.upperBound) {
                case .match: return start > 0 ? .body(start) : .outgoingEndLine
                case .partial: return .body(start)
                case .none: break
                }
            }
            from = run.upperBound
        }
        // Fewer than seven hyphens at the end, or the CRLF before them, may be the start of something.
        var tail = bytes.count
        while tail > from, bytes[tail - 1] == Octet.hyphen { tail -= 1 }
        if let lead = lineLead(before: tail, in: bytes, atStart: atStart) { return .body(tail - lead) }
        if tail == bytes.count {
            return .body(tail > judged && bytes[tail - 1] == Octet.carriageReturn ? tail - 1 : tail)
        }
        return .body(outgoing == nil ? bytes.count : tail)
    }

    /// The size of the line end before a place: 2 for a CRLF, 0 at the start of the body, nil in mid-line.
    private static func lineLead(before place: Int, in bytes: UnsafeRawBufferPointer, atStart: Bool) -> Int? {
        if place == 0 { return atStart ? 0 : nil }
        guard place >= 2, bytes[place - 1] == Octet.lineFeed, bytes[place - 2] == Octet.carriageReturn else {
            return nil
        }
        return 2
    }

    private static func name(of id: TransactionID, in bytes: UnsafeRawBufferPointer, at start: Int) -> Finding {
        id.withUnsafeBytes { id in
            let available = min(id.count, bytes.count - start)
            for index in 0..<available where bytes[start + index] != id[index] { return .none }
            return available < id.count ? .partial : .match(.complete, size: id.count)
        }
    }
}
