package import NIOCore

/// Buffers that the TLS connections of one event loop use in turn, so that an idle one keeps none.
///
/// Make one per loop and hand it to every handler of that loop. A buffer that is still referenced when
/// the next connection wants it (a socket holds the ciphertext, an owner a slice of the plaintext) is left
/// to its holder and replaced. A handler without a scratch allocates as it goes.
package final class TLSScratch {
    /// Larger buffers are not kept.
    private static let largestKept = 1 << 19

    private var plaintext = ByteBuffer()
    private var ciphertext = ByteBuffer()
    /// Gathers small writes to a record.
    private var record = ByteBuffer()

    /// Gets what the channel delivered when it has been decrypted, for whoever made the buffer.
    package var takeBack: ((ByteBuffer) -> Void)?

    package init() {}

    func takePlaintext(capacity: Int) -> ByteBuffer { Self.take(&plaintext, capacity) }
    func takeCiphertext(capacity: Int) -> ByteBuffer { Self.take(&ciphertext, capacity) }
    func takeRecord(capacity: Int) -> ByteBuffer { Self.take(&record, capacity) }

    func givePlaintext(_ buffer: ByteBuffer) { Self.give(buffer, &plaintext) }
    func giveCiphertext(_ buffer: ByteBuffer) { Self.give(buffer, &ciphertext) }
    func giveRecord(_ buffer: ByteBuffer) { Self.give(buffer, &record) }

    private static func take(_ kept: inout ByteBuffer, _ capacity: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        swap(&buffer, &kept)
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }

    private static func give(_ buffer: ByteBuffer, _ kept: inout ByteBuffer) {
        if buffer.capacity <= largestKept { kept = buffer }
    }
}

@available(*, unavailable)
extension TLSScratch: Sendable {}
