import Foundation

/// A numeric IPv4 or IPv6 address with its port, as the socket calls want it.
package struct SocketAddress: Sendable, CustomStringConvertible {
    package let host: String
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        self.port = port
    }

    package var isIPv6: Bool { host.contains(":") }
    package var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }
    /// As it stands in a URI.
    package var uriHost: String { isIPv6 ? "[\(host)]" : host }

    var family: Int32 { isIPv6 ? AF_INET6 : AF_INET }

    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) throws -> Result {
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else {
                throw SupportError("\(host) is no address")
            }
            return withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw SupportError("\(host) is no address") }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    /// The port a bound socket got.
    static func localPort(of descriptor: Int32) -> UInt16 {
        var storage = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        _ = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        // The port stands at the same place in both families.
        return UInt16(bigEndian: storage.sin6_port)
    }
}

private func systemError(_ what: String) -> SupportError {
    SupportError("\(what): \(String(cString: strerror(errno)))")
}

/// Gives a socket this address and port; 0 is a free one.
private func bindSocket(_ descriptor: Int32, _ host: String?, _ port: UInt16 = 0) throws {
    guard let host else { return }
    guard try SocketAddress(host: host, port: port).withSockaddr({ bind(descriptor, $0, $1) }) == 0 else {
        throw systemError("binding to \(host)")
    }
}

/// Waits until one of the descriptors can be read; false when the deadline passed.
func waitUntilReadable(_ descriptors: [Int32], _ deadline: Deadline) -> Bool {
    while true {
        var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let count = poll(&entries, nfds_t(entries.count), deadline.remainingMilliseconds)
        if count > 0 { return true }
        if count == 0 || errno != EINTR { return false }
    }
}

/// Waits until the descriptor is ready for `events`; false when the deadline passed.
func waitUntilReady(_ descriptor: Int32, _ events: Int32, _ deadline: Deadline) -> Bool {
    while true {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let count = poll(&entry, 1, deadline.remainingMilliseconds)
        if count > 0 { return true }
        if count == 0 || errno != EINTR { return false }
    }
}

/// A TCP connection, plain; non-blocking inside, blocking with a deadline outside. One thread uses it at a time.
package class ByteStream: @unchecked Sendable {
    // Unchecked: a test hands a client from thread to thread, but only one holds it at a time.
    package let descriptor: Int32
    package let remote: SocketAddress
    package private(set) var localPort: UInt16
    private var open = true

    /// - Parameter local: the address to come from; nil: the system's choice.
    package init(to remote: SocketAddress, from local: String? = nil, within seconds: Double = 10) throws {
        signal(SIGPIPE, SIG_IGN)
        self.remote = remote
        let descriptor = socket(remote.family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw systemError("no socket") }
        self.descriptor = descriptor
        localPort = 0
        try bindSocket(descriptor, local)
        let result = try remote.withSockaddr { connect(descriptor, $0, $1) }
        if result < 0, errno != EINPROGRESS {
            let error = systemError("connecting to \(remote)")
            close()
            throw error
        }
        var failure: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        if !waitUntilReady(descriptor, POLLOUT, .after(seconds: seconds))
            || getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) < 0 || failure != 0
        {
            close()
            throw SupportError("connecting to \(remote): \(String(cString: strerror(failure)))")
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        localPort = SocketAddress.localPort(of: descriptor)
    }

    /// Takes over a connection that was accepted.
    init(accepted descriptor: Int32, from remote: SocketAddress) {
        signal(SIGPIPE, SIG_IGN)
        self.descriptor = descriptor
        self.remote = remote
        localPort = SocketAddress.localPort(of: descriptor)
    }

    deinit {
        if open { Foundation.close(descriptor) }
    }

    /// Octets written now, nil when the socket takes none, an error when the connection is gone.
    func write(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
        let count = Foundation.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return count }
        if errno == EAGAIN || errno == EINTR { return nil }
        throw systemError("sending to \(remote)")
    }

    /// Octets read now, 0 at the end, nil when there is nothing yet.
    func read(into bytes: UnsafeMutableRawBufferPointer) throws -> Int? {
        let count = recv(descriptor, bytes.baseAddress, bytes.count, 0)
        if count >= 0 { return count }
        if errno == EAGAIN || errno == EINTR { return nil }
        if errno == ECONNRESET || errno == EPIPE { return 0 }
        throw systemError("reading from \(remote)")
    }

    /// Says goodbye first where the protocol has a way to (TLS).
    func farewell() {}

    package func send(_ bytes: [UInt8], within seconds: Double = 30) throws {
        try bytes.withUnsafeBytes { try send($0, within: seconds) }
    }

    package func send(_ bytes: UnsafeRawBufferPointer, within seconds: Double = 30) throws {
        let deadline = Deadline.after(seconds: seconds)
        var sent = 0
        while sent < bytes.count {
            if let taken = try write(UnsafeRawBufferPointer(rebasing: bytes[sent...])) {
                sent += taken
            } else if !waitUntilReady(descriptor, POLLOUT, deadline) {
                throw SupportError("\(remote) takes no more after \(sent) of \(bytes.count) octets")
            }
        }
    }

    package func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    /// The next octets; empty when the other side closed. Throws when the deadline passes.
    package func receive(_ deadline: Deadline) throws -> [UInt8] {
        guard let bytes = try receiveIfAny(deadline) else { throw SupportError("nothing came from \(remote)") }
        return bytes
    }

    /// The next octets, empty when the other side closed, nil when the deadline passed.
    package func receiveIfAny(_ deadline: Deadline) throws -> [UInt8]? {
        while true {
            var count: Int?
            let bytes = try [UInt8](unsafeUninitializedCapacity: 65536) { buffer, used in
                count = try read(into: UnsafeMutableRawBufferPointer(buffer))
                used = count ?? 0
            }
            if count != nil { return bytes }
            if !waitUntilReady(descriptor, POLLIN, deadline) { return nil }
        }
    }

    /// Ends our half; what the other side still sends can be read.
    package func shutdownWriting() { _ = Foundation.shutdown(descriptor, Int32(SHUT_WR)) }

    /// Whether the other side closes before the deadline; what it still sends is dropped.
    package func closes(within seconds: Double) throws -> Bool {
        let deadline = Deadline.after(seconds: seconds)
        while let bytes = try receiveIfAny(deadline) {
            if bytes.isEmpty { return true }
        }
        return false
    }

    package func close() {
        guard open else { return }
        farewell()
        Foundation.close(descriptor)
        open = false
    }

    /// Vanishes with a RST, as a machine that lost its state does.
    package func reset() {
        guard open else { return }
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        Foundation.close(descriptor)
        open = false
    }
}

/// A UDP socket with one peer.
package final class DatagramSocket: @unchecked Sendable {
    // Unchecked: nothing changes after init; the kernel serialises the calls.
    let descriptor: Int32
    package private(set) var localPort: UInt16

    /// - Parameter local: the address to come from; nil: the system's choice.
    package init(to remote: SocketAddress, from local: String? = nil, port: UInt16 = 0) throws {
        let descriptor = socket(remote.family, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw systemError("no socket") }
        self.descriptor = descriptor
        localPort = 0
        var size: Int32 = 4 << 20
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        try bindSocket(descriptor, local ?? (port == 0 ? nil : "127.0.0.1"), port)
        guard try remote.withSockaddr({ connect(descriptor, $0, $1) }) == 0 else {
            throw systemError("connecting UDP to \(remote)")
        }
        localPort = SocketAddress.localPort(of: descriptor)
    }

    deinit {
        close(descriptor)
    }

    package func send(_ bytes: [UInt8]) throws {
        // A refusal of an earlier datagram (ICMP) is reported once; the second try sends.
        for _ in 0..<2 where Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) >= 0 {
            return
        }
        guard errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE else { throw systemError("sending a datagram") }
    }

    /// The next datagram, nil when the deadline passed.
    package func receive(_ deadline: Deadline) throws -> [UInt8]? {
        while true {
            var count = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, used in
                count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                used = max(count, 0)
            }
            if count >= 0 { return bytes }
            if errno == ECONNREFUSED { throw SupportError("nobody listens on the UDP port any more") }
            if !waitUntilReady(descriptor, POLLIN, deadline) { return nil }
        }
    }
}

/// A TCP listener on loopback, for tests where confd connects to a client.
package final class StreamListener: @unchecked Sendable {
    // Unchecked: nothing changes after init; the kernel serialises the calls.
    let descriptor: Int32
    package private(set) var port: UInt16

    /// Port 0 takes a free one.
    package init(host: String = "127.0.0.1", port: UInt16 = 0) throws {
        let address = SocketAddress(host: host, port: port)
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw systemError("no socket") }
        self.descriptor = descriptor
        self.port = 0
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard try address.withSockaddr({ bind(descriptor, $0, $1) }) == 0, listen(descriptor, 64) == 0 else {
            throw systemError("listening on \(address)")
        }
        self.port = SocketAddress.localPort(of: descriptor)
    }

    deinit {
        close(descriptor)
    }

    package func accept(within seconds: Double = 10) throws -> ByteStream {
        guard waitUntilReady(descriptor, POLLIN, .after(seconds: seconds)), let stream = try acceptIfAny() else {
            throw SupportError("nobody connected to port \(port)")
        }
        return stream
    }

    /// The same, and the TLS server of what comes. `identity` is PEM: certificate and key.
    package func acceptTLS(
        identity: (certificate: [UInt8], key: [UInt8]), within seconds: Double = 10
    ) throws -> ByteStream {
        guard waitUntilReady(descriptor, POLLIN, .after(seconds: seconds)) else {
            throw SupportError("nobody connected to port \(port)")
        }
        return try TLSByteStream(
            accepted: try acceptDescriptor(), from: SocketAddress(host: "127.0.0.1", port: port), identity: identity,
            within: seconds)
    }

    /// A connection that waits already.
    package func acceptIfAny() throws -> ByteStream? {
        guard waitUntilReady(descriptor, POLLIN, .after(seconds: 0)) else { return nil }
        return ByteStream(accepted: try acceptDescriptor(), from: SocketAddress(host: "127.0.0.1", port: port))
    }

    private func acceptDescriptor() throws -> Int32 {
        let accepted = Foundation.accept(descriptor, nil, nil)
        guard accepted >= 0 else { throw systemError("accepting") }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        _ = fcntl(accepted, F_SETFL, O_NONBLOCK)
        return accepted
    }
}
