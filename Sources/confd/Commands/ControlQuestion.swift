#if canImport(Glibc)
    internal import Glibc
#endif

/// Asks the control socket, and waits for its line.
enum ControlQuestion {
    enum Failure: Error, Equatable {
        case notRunning
        case other(String)
    }

    /// How long the server may take, in seconds.
    static let timeout = 10

    static func ask(_ path: String, _ request: ControlMessage.Request = .status) throws(Failure) -> [UInt8] {
        guard var address = ControlSocket.socketAddress(path) else {
            throw .other("'\(path)' is too long for a socket, so the server has none")
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .other("no socket: \(text(errno))") }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        guard result == 0 else {
            switch errno {
            case ENOENT, ECONNREFUSED, ENOTDIR: throw .notRunning
            case EACCES, EPERM:
                throw .other("'\(path)' belongs to another user; ask as that user, or as root")
            case let reason: throw .other("'\(path)' can't be reached: \(text(reason))")
            }
        }
        try send(request, descriptor)
        return try line(descriptor)
    }

    private static func send(_ request: ControlMessage.Request, _ descriptor: Int32) throws(Failure) {
        guard let line = try? request.line() else { throw .other("the question can't be written") }
        var rest = line[...]
        guard rest.count <= ControlMessage.longestRequest else { throw .other("that is too long for the server") }
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw .other("the server takes no question: \(text(errno))")
            }
        }
    }

    private static func line(_ descriptor: Int32) throws(Failure) -> [UInt8] {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 {
                let piece = buffer[..<count]
                answer += piece.prefix { $0 != UInt8(ascii: "\n") }
                if piece.contains(UInt8(ascii: "\n")) { return answer }
                guard answer.count <= ControlMessage.longestAnswer else { throw .other("the answer is too long") }
            } else if count == 0 {
                throw .other("the server ended before it answered")
            } else if errno == EAGAIN {
                throw .other("the server does not answer within \(timeout) s")
            } else if errno != EINTR {
                throw .other("the answer can't be read: \(text(errno))")
            }
        }
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
