import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Writes several buffers to a socket as if they were one.
enum GatheredWrite {
    /// Buffers in one system call.
    private static let mostVectors = 32

    /// - Returns: how many octets the socket took; fewer than there are when it takes no more for now, or has failed.
    static func send(_ buffers: [ByteBuffer], to descriptor: CInt) -> Int {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: mostVectors) { vectors in
            var rest = buffers[...]
            var total = 0
            while !rest.isEmpty {
                let batch = rest.prefix(mostVectors)
                rest = rest.dropFirst(batch.count)
                let wanted = batch.reduce(0) { $0 &+ $1.readableBytes }
                let sent = fill(vectors, from: batch, at: 0) { count in
                    var message = msghdr()
                    message.msg_iov = vectors.baseAddress
                    message.msg_iovlen = count
                    return sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL))
                }
                total &+= max(0, sent)
                if sent < wanted { break }
            }
            return total
        }
    }

    /// Each buffer's bytes are lent for as long as its closure runs, so the closures nest.
    private static func fill(
        _ vectors: UnsafeMutableBufferPointer<iovec>, from buffers: ArraySlice<ByteBuffer>, at index: Int,
        _ body: (Int) -> Int
    ) -> Int {
        guard let first = buffers.first else { return body(index) }
        return first.withUnsafeReadableBytes { bytes in
            vectors[index] = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
            return fill(vectors, from: buffers.dropFirst(), at: index + 1, body)
        }
    }
}
