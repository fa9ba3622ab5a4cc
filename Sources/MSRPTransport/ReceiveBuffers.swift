import NIOCore

/// Buffers that the connections of one loop read into in turn, one of each size, so that an idle connection keeps none
/// but its first. (A channel left to itself keeps the largest one it ever read into.)
///
/// A buffer is handed back when what was read in it has been taken; one of which somebody still holds a slice is left to
/// its holder and replaced.
final class ReceiveBuffers {
    /// What a connection keeps: its first buffer. Most begin with less.
    static let smallest = 512
    static let usual = 4096
    static let largest = 262_144

    /// By size, doubling from `smallest`.
    private var kept: [ByteBuffer]

    init() {
        kept = Array(repeating: ByteBuffer(), count: Self.index(of: Self.largest) + 1)
    }

    /// - Parameter size: a power of two from `smallest` to `largest`.
    func take(_ size: Int) -> ByteBuffer {
        let index = Self.index(of: size)
        guard kept.indices.contains(index) else { return ByteBufferAllocator().buffer(capacity: size) }
        var buffer = ByteBuffer()
        swap(&buffer, &kept[index])
        let isFree = buffer.modifyIfUniquelyOwned { $0.clear() } != nil
        return isFree && buffer.capacity >= size ? buffer : ByteBufferAllocator().buffer(capacity: size)
    }

    /// Takes back what a channel delivered.
    func giveBack(_ buffer: ByteBuffer) {
        guard buffer.capacity.isPowerOf2, buffer.capacity >= Self.smallest, buffer.capacity <= Self.largest else {
            return
        }
        kept[Self.index(of: buffer.capacity)] = buffer
    }

    private static func index(of size: Int) -> Int {
        size.trailingZeroBitCount - smallest.trailingZeroBitCount
    }
}

@available(*, unavailable)
extension ReceiveBuffers: Sendable {}

extension Int {
    fileprivate var isPowerOf2: Bool { self > 0 && self & (self - 1) == 0 }
}

/// How one channel reads: as much at a time as it lately got, into the loop's buffers.
struct ReceiveAllocator: RecvByteBufferAllocator {
    private var sizes = AdaptiveRecvByteBufferAllocator(
        minimum: ReceiveBuffers.usual, initial: ReceiveBuffers.usual, maximum: ReceiveBuffers.largest)
    private var isFirst = true
    private let buffers: NIOLoopBound<ReceiveBuffers>

    init(_ buffers: NIOLoopBound<ReceiveBuffers>) { self.buffers = buffers }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        let size = isFirst ? ReceiveBuffers.smallest : sizes.nextBufferSize() ?? ReceiveBuffers.usual
        return buffers.value.take(size)
    }

    /// The channel is not to use a buffer again by itself, which it would if it need not grow.
    mutating func record(actualReadBytes: Int) -> Bool {
        if isFirst { isFirst = false } else { _ = sizes.record(actualReadBytes: actualReadBytes) }
        return true
    }

    /// With a size the channel would use a buffer of its own again.
    func nextBufferSize() -> Int? { nil }
}
