import NIOCore

/// Plaintext that was written and not encrypted yet, and how much of it a flush has asked for.
struct PendingWrites {
    struct Write {
        var bytes: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }

    private var writes: [Write] = []
    private var flushed = 0
    /// Octets of plaintext, flushed or not.
    private(set) var octets = 0

    mutating func append(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        octets += bytes.readableBytes
        writes.append(Write(bytes: bytes, promise: promise))
    }

    mutating func flush() {
        flushed = writes.count
    }

    /// Takes what was flushed; keeps no storage when nothing else is there.
    mutating func takeFlushed() -> [Write] {
        if flushed == writes.count {
            defer { self = PendingWrites() }
            return writes
        }
        let taken = Array(writes.prefix(flushed))
        writes.removeFirst(flushed)
        flushed = 0
        octets = writes.reduce(0) { $0 + $1.bytes.readableBytes }
        return taken
    }

    /// Takes everything.
    mutating func takeAll() -> [Write] {
        flush()
        return takeFlushed()
    }
}

extension [PendingWrites.Write] {
    /// One promise that stands for those of all writes; nil when none has any.
    func mergedPromise() -> EventLoopPromise<Void>? {
        var merged: EventLoopPromise<Void>?
        for write in self {
            guard let promise = write.promise else { continue }
            if let merged { merged.futureResult.cascade(to: promise) } else { merged = promise }
        }
        return merged
    }

    func fail(_ error: any Error) {
        for write in self { write.promise?.fail(error) }
    }
}
