package import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Messages of one turn that go to the same receivers, one whole SEND each, from `Frame.sharedTail`.
///
/// A receiver then gets all of them in one go: what is kept of it is looked at once a turn, not once a message.
package struct SharedBatch: Sendable {
    /// The transaction identifiers, in order.
    package private(set) var ids: [UInt64] = []
    /// All that receivers share: start lines without path lines, and tails.
    private var octets = ByteBuffer()
    /// Where in `octets` the receiver's lines belong.
    private var joints: [Int] = []

    package init() {}

    package var isEmpty: Bool { ids.isEmpty }
    package var count: Int { ids.count }
    /// Octets without the receivers' lines.
    package var size: Int { octets.readableBytes }

    /// - Parameter tail: `Frame.sharedTail` of the message with this identifier.
    package mutating func append(id: UInt64, tail: ByteBuffer) {
        let (high, low) = Hexadecimal.digits(of: id)
        octets.writeWithUnsafeMutableBytes(minimumWritableBytes: 21) { space in
            space.storeBytes(of: UInt32(bigEndian: 0x4D53_5250), as: UInt32.self)
            space[4] = Octet.space
            space.storeBytes(of: high, toByteOffset: 5, as: UInt64.self)
            space.storeBytes(of: low, toByteOffset: 13, as: UInt64.self)
            return 21
        }
        ids.append(id)
        joints.append(octets.readableBytes)
        octets.writeImmutableBuffer(tail)
    }

    /// Keeps the room it has taken.
    package mutating func removeAll() {
        ids.removeAll(keepingCapacity: true)
        joints.removeAll(keepingCapacity: true)
        octets.clear()
    }

    /// Appends a whole copy of each message for one receiver.
    /// - Parameter sendLines: the receiver's `EndpointSession.sendLines`.
    package func write(sendLines: ByteBuffer, into buffer: inout ByteBuffer) {
        let lines = sendLines.readableBytes
        let size = octets.readableBytes + joints.count * lines
        guard lines > 0, size > 0 else { return }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
            octets.withUnsafeReadableBytes { shared in
                sendLines.withUnsafeReadableBytes { own in
                    var from = 0
                    var to = 0
                    for joint in joints {
                        copy(shared, from..<joint, to: space, at: to)
                        to += joint - from
                        copy(own, 0..<lines, to: space, at: to)
                        to += lines
                        from = joint
                    }
                    copy(shared, from..<shared.count, to: space, at: to)
                }
            }
            return size
        }
    }

    @inline(__always)
    private func copy(
        _ source: UnsafeRawBufferPointer, _ range: Range<Int>, to space: UnsafeMutableRawBufferPointer, at index: Int
    ) {
        UnsafeMutableRawBufferPointer(rebasing: space[index..<(index + range.count)])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[range]))
    }
}
