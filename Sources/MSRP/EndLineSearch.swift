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
        var probe = from &+ (hyphens - 1)
        while probe < bytes.count {
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
        return nil
    }
}
