import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Reads lines from a file descriptor, one when it is asked for, so that a fast pipe waits for a slow network.
///
/// Only one line may be asked for at a time.
package final class LineReader: Sendable {
    private struct State {
        var buffer: [UInt8] = []
        var scanned = 0
        var isAtEnd = false
    }

    /// Lines beyond this are cut into several, octets.
    package static let longestLine = 64 << 20

    private let descriptor: Int32
    private let state = Mutex(State())

    package init(descriptor: Int32) { self.descriptor = descriptor }

    /// The next line without its line end; nil at the end of the input.
    package func next() async -> String? {
        try? await NIOThreadPool.singleton.runIfActive { self.readLine() }
    }

    /// Blocks.
    private func readLine() -> String? {
        state.withLock { state in
            while true {
                if let end = state.buffer[state.scanned...].firstIndex(of: UInt8(ascii: "\n")) {
                    return Self.take(end, skipping: 1, of: &state)
                }
                state.scanned = state.buffer.count
                if state.isAtEnd || state.buffer.count >= Self.longestLine {
                    return state.buffer.isEmpty ? nil : Self.take(state.buffer.count, skipping: 0, of: &state)
                }
                var chunk = [UInt8](repeating: 0, count: 64 << 10)
                let count = read(descriptor, &chunk, chunk.count)
                if count > 0 {
                    state.buffer += chunk[..<count]
                } else if count == 0 || errno != EINTR {
                    state.isAtEnd = true
                }
            }
        }
    }

    private static func take(_ end: Int, skipping: Int, of state: inout State) -> String {
        let line = String(decoding: state.buffer[..<end], as: UTF8.self)
        state.buffer.removeFirst(end + skipping)
        state.scanned = 0
        return line
    }
}
