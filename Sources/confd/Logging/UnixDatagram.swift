internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Sends datagrams to sockets of this machine without ever waiting.
final class UnixDatagram: Sendable {
    private let socket: Mutex<Int32> = Mutex(-1)

    deinit {
        socket.withLock { if $0 >= 0 { close($0) } }
    }

    /// False when nobody listens there. True also where the receiver's queue is full and the datagram is lost.
    /// - Parameter path: a file, or a name that starts with `@` (Linux's abstract namespace).
    func send(_ bytes: [UInt8], to path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        let isAbstract = name.first == UInt8(ascii: "@")
        if isAbstract { name[0] = 0 }
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { field in
            guard name.count < field.count else { return false }
            field.copyBytes(from: name)
            return true
        }
        guard fits else { return false }
        // An abstract name ends where the length says.
        let head = MemoryLayout<sockaddr_un>.offset(of: \sockaddr_un.sun_path) ?? MemoryLayout<sa_family_t>.size
        let length = socklen_t(isAbstract ? head + name.count : MemoryLayout<sockaddr_un>.size)
        return socket.withLock { descriptor in
            if descriptor < 0 {
                descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            }
            guard descriptor >= 0 else { return false }
            let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
            let sent = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, bytes, bytes.count, flags, $0, length)
                }
            }
            return sent >= 0 || errno == EAGAIN || errno == ENOBUFS
        }
    }
}
