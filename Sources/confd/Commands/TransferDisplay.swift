internal import Client
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Shows a transfer on standard error: a line that is drawn again and again on a terminal, nothing elsewhere.
final class TransferDisplay: Sendable {
    private struct State {
        var progress: TransferProgress?
        var isDrawn = false
    }

    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let state = Mutex(State())

    func begin(name: String, total: UInt64?, start: UInt64) {
        state.withLock { $0.progress = TransferProgress(name: name, total: total, start: start, now: Self.now) }
        update(start)
    }

    func update(_ done: UInt64) {
        state.withLock { state in
            state.progress?.update(done, now: Self.now)
            guard isTerminal, let line = state.progress?.line(now: Self.now, columns: Self.columns) else { return }
            state.isDrawn = true
            StandardError.write("\r\(line)\u{1B}[K", terminator: "")
        }
    }

    /// Seconds and mean octets a second since `begin`, for the last line.
    func end() {
        state.withLock { state in
            Self.erase(&state)
            state.progress = nil
        }
    }

    /// A line of its own, with the bar out of its way.
    func notice(_ text: String) {
        state.withLock { Self.erase(&$0) }
        StandardError.write("* \(text)")
    }

    private static func erase(_ state: inout State) {
        if state.isDrawn { StandardError.write("\r\u{1B}[K", terminator: "") }
        state.isDrawn = false
    }

    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static var columns: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}

/// How fast a transfer was, for its last line.
struct TransferTime {
    private let start = TransferDisplay.now

    func text(_ bytes: UInt64) -> String {
        TransferProgress.summary(bytes, seconds: TransferDisplay.now - start)
    }

    var milliseconds: Int { Int((TransferDisplay.now - start) * 1000) }
}
