import Glibc

/// A UDP socket that waits for what a stack sends to it.
final class Server {
    let descriptor: Int32
    let port: Int
    private var client = sockaddr_in()

    /// - Parameter port: 0 takes any.
    init(port wanted: Int = 0) throws {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(wanted).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0
            }
        }
        guard bound else { throw Peer.Failure.socket("bind") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// The next message that satisfies `condition`; others are skipped. Answers go to its sender.
    func receive(milliseconds: Int = 3000, where condition: (Message) -> Bool) -> Message? {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while true {
            let left = Int((end - ContinuousClock.now) / .milliseconds(1))
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left > 0, Glibc.poll(&poll, 1, Int32(left)) > 0 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 70_000)
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &client) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    recvfrom(descriptor, &buffer, buffer.count, 0, pointer, &size)
                }
            }
            guard count > 0 else { return nil }
            let message = Message(Array(buffer[..<count]))
            if condition(message) { return message }
        }
    }

    func send(_ bytes: [UInt8]) {
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafePointer(to: &client) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                sendto(descriptor, bytes, bytes.count, 0, pointer, size)
            }
        }
    }
}
