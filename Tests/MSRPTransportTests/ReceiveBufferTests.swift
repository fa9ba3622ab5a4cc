import NIOCore
import NIOPosix
import Testing

@testable import MSRPTransport

@Suite("Buffers that are read into")
struct ReceiveBufferTests {
    private func storage(_ buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withVeryUnsafeBytes { $0.baseAddress }
    }

    @Test("one that was handed back is used again, whole", arguments: [512, 1024, 65_536, 262_144])
    func reuse(size: Int) {
        let buffers = ReceiveBuffers()
        var buffer = buffers.take(size)
        #expect(buffer.capacity == size)
        buffer.writeRepeatingByte(1, count: size)
        let first = storage(buffer)
        buffers.giveBack(buffer)
        buffer = ByteBuffer()
        let again = buffers.take(size)
        #expect(storage(again) == first)
        #expect(again.readableBytes == 0)
        #expect(again.writableBytes == size)
    }

    @Test("one of which somebody holds a slice is not")
    func slices() {
        let buffers = ReceiveBuffers()
        var buffer = buffers.take(1024)
        buffer.writeString("hello, and more")
        let slice = buffer.getSlice(at: 0, length: 5)
        buffers.giveBack(buffer)
        buffer = ByteBuffer()
        var again = buffers.take(1024)
        again.writeString("HELLO")
        #expect(slice.map { String(buffer: $0) } == "hello")
        #expect(again.readableBytes == 5)
    }

    @Test("buffers of other sizes are not kept")
    func foreign() {
        let buffers = ReceiveBuffers()
        for capacity in [0, 1, 256, 524_288] {
            buffers.giveBack(ByteBufferAllocator().buffer(capacity: capacity))
        }
        buffers.giveBack(ByteBuffer(repeating: 1, count: 1000))
        #expect(buffers.take(512).readableBytes == 0)
        #expect(buffers.take(262_144).capacity == 262_144)
    }

    @Test("a channel begins with little, asks for more after full reads and for less after small ones, always anew")
    func sizes() throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let sizes = try loop.submit {
            var allocator = ReceiveAllocator(NIOLoopBound(ReceiveBuffers(), eventLoop: loop))
            var sizes: [Int] = []
            for count in [512, 4096, 8192, 100, 100, 100, 100, 100, 100] {
                sizes.append(allocator.buffer(allocator: ByteBufferAllocator()).capacity)
                let isAnew = allocator.record(actualReadBytes: count)
                #expect(isAnew)
            }
            #expect(allocator.nextBufferSize() == nil)
            return sizes
        }.wait()
        #expect(sizes == [512, 4096, 8192, 16384, 16384, 8192, 8192, 4096, 4096])
    }
}
