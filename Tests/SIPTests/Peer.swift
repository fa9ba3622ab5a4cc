import Glibc
import SIP

/// A SIP peer made of a plain socket: it sends exactly the bytes it is given and shows the bytes it gets.
final class Peer {
    let transport: SIPTransport
    let descriptor: Int32
    /// Where its packets come from.
    let port: Int
    private let server: Endpoint
    private var child: pid_t?
    /// Stream octets that are not a whole message yet.
    private var held: [UInt8] = []

    enum Failure: Error { case socket(String) }

    /// A socket towards `server`; streams are connected.
    init(_ server: Endpoint) throws {
        transport = server.transport
        self.server = server
        let stream = server.transport == .tcp
        let kind = stream ? Int32(SOCK_STREAM.rawValue) : Int32(SOCK_DGRAM.rawValue)
        descriptor = socket(server.isIPv6 ? AF_INET6 : AF_INET, kind, 0)
        guard descriptor >= 0 else { throw Failure.socket("socket") }
        var storage = sockaddr_storage()
        let size: socklen_t
        if server.isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = UInt16(server.port).bigEndian
            inet_pton(AF_INET6, server.host, &address.sin6_addr)
            size = socklen_t(MemoryLayout<sockaddr_in6>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in6.self) }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(server.port).bigEndian
            inet_pton(AF_INET, server.host, &address.sin_addr)
            size = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in.self) }
        }
        let descriptor = descriptor
        let connected = withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard connected == 0 else {
            close(descriptor)
            throw Failure.socket(String(cString: strerror(errno)))
        }
        var own = sockaddr_storage()
        var ownSize = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &own) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &ownSize) }
        }
        // sin_port and sin6_port stand at the same place.
        port = withUnsafeBytes(of: &own) {
            Int(UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        }
    }

    /// A TLS connection to `server`, made by `openssl s_client`.
    init(tls server: Endpoint, options: [String] = []) throws {
        transport = .tls
        self.server = server
        port = 5061
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { throw Failure.socket("pair") }
        descriptor = ends[0]
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        child = try spawn(
            ["openssl", "s_client", "-quiet", "-connect", server.authority] + options, input: ends[1], output: ends[1])
        close(ends[1])
    }

    deinit {
        close(descriptor)
        if let child {
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
        }
    }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        repeat {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(transport == .udp ? rest.count : count)
        } while !rest.isEmpty
    }

    /// Sends a message written with plain line feeds; `$via` stands for this peer's Via value.
    func send(_ text: String) { send(Array(wire(text).utf8)) }

    func wire(_ text: String) -> String {
        let name = transport.rawValue.uppercased()
        return
            text
            .replacing("$via", with: "SIP/2.0/\(name) 127.0.0.1:\(port);rport")
            .replacing("$host", with: "127.0.0.1:\(port)")
            .replacing("\n", with: "\r\n")
    }

    /// The next message, or nil when none comes in time.
    func receive(milliseconds: Int = 3000) -> Message? {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while true {
            if transport != .udp, let message = Message.take(from: &held) { return message }
            let left = Int((end - ContinuousClock.now) / .milliseconds(1))
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&poll, 1, Int32(max(left, 0))) > 0 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 70_000)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            if transport == .udp { return Message(Array(buffer[..<count])) }
            held += buffer[..<count]
        }
    }

    /// Octets as they come, for what is no SIP message (keep-alives).
    func receiveBytes(milliseconds: Int = 3000) -> [UInt8]? {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, Int32(milliseconds)) > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 70_000)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count >= 0 ? Array(buffer[..<count]) : nil
    }

    /// Whether the other side closes the connection in time.
    func waitForEnd(milliseconds: Int) -> Bool {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while true {
            let left = Int((end - ContinuousClock.now) / .milliseconds(1))
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left > 0, Glibc.poll(&poll, 1, Int32(left)) > 0 else { return false }
            var buffer = [UInt8](repeating: 0, count: 4096)
            if recv(descriptor, &buffer, buffer.count, 0) <= 0 { return true }
        }
    }

    /// The next message that satisfies `condition`; others are skipped.
    func receive(milliseconds: Int = 3000, where condition: (Message) -> Bool) -> Message? {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while true {
            let left = Int((end - ContinuousClock.now) / .milliseconds(1))
            guard left > 0, let message = receive(milliseconds: left) else { return nil }
            if condition(message) { return message }
        }
    }

    /// The next final response.
    func receiveFinal(milliseconds: Int = 3000) -> Message? { receive(milliseconds: milliseconds) { $0.status >= 200 } }
}

/// A SIP message as a test looks at it.
struct Message: CustomStringConvertible {
    let bytes: [UInt8]
    let startLine: String
    private let lines: [(name: String, value: String)]
    let body: String

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        var heads = parts[0].split(separator: "\r\n", omittingEmptySubsequences: true).map(String.init)
        startLine = heads.isEmpty ? "" : heads.removeFirst()
        lines = heads.map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            let value = line[colon...].dropFirst()
            return (line[..<colon].lowercased(), value.trimmed)
        }
        body = parts.count > 1 ? String(parts[1]) : ""
    }

    /// The first message in a stream's octets, which it is taken from; nil when there is no whole one.
    static func take(from held: inout [UInt8]) -> Message? {
        let blank: [UInt8] = [13, 10, 13, 10]
        guard let end = held.indices.first(where: { held[$0...].starts(with: blank) }) else { return nil }
        let head = end + blank.count
        let length = Message(Array(held[..<head])).header("Content-Length").flatMap { Int($0) } ?? 0
        let total = head + length
        guard held.count >= total else { return nil }
        defer { held.removeFirst(total) }
        return Message(Array(held[..<total]))
    }

    var description: String { String(decoding: bytes, as: UTF8.self) }

    /// 0 for a request.
    var status: Int { startLine.hasPrefix("SIP/2.0 ") ? Int(startLine.dropFirst(8).prefix(3)) ?? 0 : 0 }
    var method: String { status == 0 ? String(startLine.prefix { $0 != " " }) : "" }

    func header(_ name: String) -> String? { lines.first { $0.name == name.lowercased() }?.value }
    func headers(_ name: String) -> [String] { lines.filter { $0.name == name.lowercased() }.map(\.value) }

    /// A 200 to this request.
    func ok(_ extra: String = "", body: String = "") -> [UInt8] { response("200 OK", extra, body: body) }

    func response(_ status: String, _ extra: String = "", body: String = "") -> [UInt8] {
        var text = "SIP/2.0 \(status)\r\n"
        for via in headers("Via") { text += "Via: \(via)\r\n" }
        text += "From: \(header("From") ?? "")\r\n"
        let to = header("To") ?? ""
        text += "To: \(to)\(to.contains("tag=") ? "" : ";tag=peer")\r\n"
        text += "Call-ID: \(header("Call-ID") ?? "")\r\nCSeq: \(header("CSeq") ?? "")\r\n"
        text += extra.replacing("\n", with: "\r\n")
        if !body.isEmpty { text += "Content-Type: application/sdp\r\n" }
        return Array("\(text)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
    }
}

extension Substring {
    var trimmed: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
