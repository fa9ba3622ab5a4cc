import MSRP
import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Reading when the owner says so, instead of whenever something comes.
///
/// For a peer that is expected to send nothing but answers: read as they come, each would cost a wake-up, a system call
/// and a walk through all that belongs to the connection. An owner that gathers them has the loop's selector leave the
/// socket alone, and asks for what has come when there should be several.
extension Connection {
    /// From now on nothing is read before `readGathered` is called; a connection with several owners goes on as before,
    /// and one on which reading is paused.
    package func beginGathering() {
        guard !isGathering, isOpen, isAutoReading, pausers.isEmpty, descriptor >= 0, departure == nil, !isShared else {
            return
        }
        isGathering = true
        isAutoReading = false
        setAutoRead(false)
    }

    /// What comes is read at once again.
    package func endGathering() {
        guard isGathering else { return }
        isGathering = false
        guard !isSplitting else { return }
        continueReading()
    }

    /// Hands out what has come. The end of the connection, and errors, are left to the channel.
    package func readGathered() {
        for _ in 0..<Self.mostReadsInARow {
            guard isGathering, isOpen, pausers.isEmpty else { return }
            var buffer = transport.receiveBuffers.take(Self.gatheredAtOnce)
            var count = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.gatheredAtOnce) { bytes in
                count = recv(descriptor, bytes.baseAddress, Self.gatheredAtOnce, CInt(MSG_DONTWAIT))
                return max(0, count)
            }
            defer { transport.receiveBuffers.giveBack(buffer) }
            guard count > 0 else {
                if count == 0 || errno != EAGAIN { endGathering() }
                return
            }
            transport.counters.gatheredReads &+= 1
            take(gathered: buffer)
            guard count == Self.gatheredAtOnce else { return }
        }
        // It says more than was thought: the selector keeps up with it.
        endGathering()
    }

    private func take(gathered buffer: ByteBuffer) {
        guard isTLS else { return received(buffer) }
        guard let pipeline = context?.channel.pipeline.syncOperations else { return }
        pipeline.fireChannelRead(NIOAny(buffer))
        pipeline.fireChannelReadComplete()
    }

    /// Some sixty answers.
    private static let gatheredAtOnce = 16 * 1024
    private static let mostReadsInARow = 16
}
