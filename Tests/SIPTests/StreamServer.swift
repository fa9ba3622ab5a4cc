import Glibc

/// A TCP listener that takes one connection and shows the messages that come over it.
final class StreamServer {
    let port: Int
    private let listener: Int32
    private var connection: Int32 = -1
    private var held: [UInt8] = []

    /// - Parameter port: 0 takes any.
    init(port: Int = 0) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, size) == 0 && listen(listener, 8) == 0
                    && getsockname(listener, pointer, &size) == 0
            }
        }
        guard bound else { throw Peer.Failure.socket("bind") }
        self.port = Int(UInt16(bigEndian: address.sin_port))
    }

    /// A datagram socket and a listener with the same number, which somebody else may take for one of them.
    static func beside() throws -> (datagrams: Server, stream: StreamServer) {
        for _ in 0..<20 {
            let datagrams = try Server()
            if let stream = try? StreamServer(port: datagrams.port) { return (datagrams, stream) }
        }
        throw Peer.Failure.socket("bind")
    }

    deinit {
        close(listener)
        if connection >= 0 { close(connection) }
    }

    /// The next message, or nil when none comes in time.
    func receive(milliseconds: Int = 3000) -> Message? {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while true {
            if let message = Message.take(from: &held) { return message }
            let left = Int((end - ContinuousClock.now) / .milliseconds(1))
            var poll = pollfd(fd: connection >= 0 ? connection : listener, events: Int16(POLLIN), revents: 0)
            guard left > 0, Glibc.poll(&poll, 1, Int32(left)) > 0 else { return nil }
            if connection < 0 {
                connection = accept(listener, nil, nil)
                continue
            }
            var buffer = [UInt8](repeating: 0, count: 70_000)
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            held += buffer[..<count]
        }
    }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
}
