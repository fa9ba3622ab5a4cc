#if canImport(Glibc)
    internal import Glibc
#endif

/// Standard output, written through at once, so that a pipe gets each message when it came.
enum StandardOutput {
    static func write(_ text: String) { writeAll(text, to: STDOUT_FILENO) }
}

/// Standard error, a line at a time.
enum StandardError {
    static func write(_ line: String, terminator: String = "\n") { writeAll(line + terminator, to: STDERR_FILENO) }
}

/// One system call where the system takes it whole, so that lines of several threads don't mix.
private func writeAll(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
        var offset = 0
        while offset < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            if count > 0 {
                offset += count
            } else if errno == EAGAIN {
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, -1)
            } else if errno != EINTR {
                return
            }
        }
    }
}
