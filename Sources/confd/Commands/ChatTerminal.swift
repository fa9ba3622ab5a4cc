internal import Client
internal import NIOPosix
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// The chat on a terminal: messages scroll, below them stand what goes on at the moment (who types, how far a transfer is)
/// and the line that the user types.
///
/// The terminal's own line editing is off meanwhile, because it tells nobody that a key was pressed; `LineEditor` does its work.
final class ChatTerminal: Sendable {
    private struct State {
        var editor = LineEditor()
        var typing: String?
        var progress: TransferProgress?
        /// Lines that stand below the messages: none, the input, or the status and the input.
        var drawn = 0
        var saved: termios?
        /// Bytes that were read and belong to lines to come.
        var pending: [UInt8] = []
        var isAtEnd = false
    }

    /// Whether the user types at this terminal too: then there is an input line.
    let hasInput = isatty(STDIN_FILENO) == 1
    private let hasErrors = isatty(STDERR_FILENO) == 1
    private let state = Mutex(State())
    private let typed: @Sendable (_ isEmpty: Bool) -> Void

    /// - Parameter typed: is called when the line that is being typed has changed.
    init(typed: @escaping @Sendable (_ isEmpty: Bool) -> Void) { self.typed = typed }

    /// Takes the terminal over.
    func open() {
        guard hasInput else { return }
        state.withLock { state in
            var mode = termios()
            guard tcgetattr(STDIN_FILENO, &mode) == 0 else { return }
            state.saved = mode
            // Ctrl-C and Ctrl-Z stay the system's.
            mode.c_lflag &= ~tcflag_t(ICANON | ECHO)
            tcsetattr(STDIN_FILENO, TCSADRAIN, &mode)
        }
    }

    /// Gives it back as it was.
    func close() {
        state.withLock { state in
            Self.erase(&state)
            if var mode = state.saved { tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) }
            state.saved = nil
        }
    }

    // MARK: Output

    /// A message, with its line end.
    func write(_ text: String) {
        state.withLock { state in
            Self.erase(&state)
            StandardOutput.write(text)
            draw(&state)
        }
    }

    /// What happens beside messages.
    func notice(_ text: String) {
        guard hasErrors else { return StandardError.write("* \(text)") }
        state.withLock { state in
            Self.erase(&state)
            StandardError.write("* \(text)")
            draw(&state)
        }
    }

    func show(_ status: ChatConsole.Status) {
        state.withLock { state in
            switch status {
            case .typing(let text): state.typing = text
            case .began(let name, let total, let start):
                state.progress = TransferProgress(name: name, total: total, start: start, now: TransferDisplay.now)
            case .progress(let done): state.progress?.update(done, now: TransferDisplay.now)
            case .ended: state.progress = nil
            }
            Self.erase(&state)
            draw(&state)
        }
    }

    private func draw(_ state: inout State) {
        let columns = TransferDisplay.columns
        let status = state.progress?.line(now: TransferDisplay.now, columns: columns) ?? state.typing
        var text = ""
        if let status { text += String(status.prefix(max(columns - 1, 1))) }
        state.drawn = status == nil ? 0 : 1
        if hasInput, state.saved != nil, status != nil || !state.editor.isEmpty {
            text += (status == nil ? "" : "\n") + state.editor.shown(columns: columns)
            state.drawn += 1
        }
        if !text.isEmpty { StandardOutput.write(text) }
    }

    private static func erase(_ state: inout State) {
        guard state.drawn > 0 else { return }
        StandardOutput.write("\r\u{1B}[K" + String(repeating: "\u{1B}[A\r\u{1B}[K", count: state.drawn - 1))
        state.drawn = 0
    }

    // MARK: Input

    /// The next line; nil at the end of the input.
    func next() async -> String? {
        try? await NIOThreadPool.singleton.runIfActive { self.readLine() }
    }

    /// Blocks.
    private func readLine() -> String? {
        while true {
            if let line = edit() { return line.text }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = read(STDIN_FILENO, &chunk, chunk.count)
            state.withLock { state in
                if count > 0 {
                    state.pending += chunk[..<count]
                } else if count == 0 || errno != EINTR {
                    state.isAtEnd = true
                }
            }
        }
    }

    /// Takes what was typed up to the end of a line.
    /// - Returns: the line, or the end of the input; nil when neither is there.
    private func edit() -> (text: String?, Void)? {
        var isChanged = false
        defer { if isChanged { typed(state.withLock { $0.editor.isEmpty }) } }
        return state.withLock { state in
            guard !state.pending.isEmpty else { return state.isAtEnd ? (nil, ()) : nil }
            var used = 0
            defer { state.pending.removeFirst(used) }
            for octet in state.pending {
                used += 1
                switch state.editor.take(octet) {
                case .nothing: break
                case .changed: isChanged = true
                case .line(let line):
                    Self.erase(&state)
                    // What was said stays to be read.
                    StandardOutput.write(line + "\n")
                    draw(&state)
                    return (line, ())
                case .endOfInput:
                    state.isAtEnd = true
                    return (nil, ())
                }
            }
            Self.erase(&state)
            draw(&state)
            return nil
        }
    }
}
