import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// Whom to ask about names, and how long: what /etc/resolv.conf says.
package struct ResolverConfiguration: Sendable, Equatable {
    package struct Server: Sendable, Equatable {
        /// Numeric; IPv6 without brackets, perhaps with a zone.
        package var address: String
        package var port: Int

        package init(address: String, port: Int = 53) {
            self.address = address
            self.port = port
        }
    }

    /// resolv.conf(5) takes no more.
    package static let mostServers = 3

    package var servers: [Server]
    /// Until the next server is asked, milliseconds.
    package var timeout = 3000
    /// Rounds over all servers.
    package var attempts = 2

    package init(servers: [Server]) { self.servers = servers }

    /// Reads the text of a resolv.conf; without a name server in it the one of this host is asked.
    package init(parsing text: String) {
        servers = []
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count >= 2 else { continue }
            if words[0] == "nameserver", servers.count < Self.mostServers {
                servers.append(Server(address: String(words[1])))
            } else if words[0] == "options" {
                for word in words.dropFirst() {
                    if word.hasPrefix("timeout:"), let value = Int(word.dropFirst(8)) {
                        timeout = min(max(value, 1), 30) * 1000
                    } else if word.hasPrefix("attempts:"), let value = Int(word.dropFirst(9)) {
                        attempts = min(max(value, 1), 5)
                    }
                }
            }
        }
        if servers.isEmpty { servers = [Server(address: "127.0.0.1")] }
    }

    /// What the system is configured for.
    package static func system(file: String = "/etc/resolv.conf") -> ResolverConfiguration {
        var text: [UInt8] = []
        if let stream = fopen(file, "re") {
            defer { fclose(stream) }
            // What is longer than this is no resolv.conf.
            text = [UInt8](repeating: 0, count: 64 << 10)
            text.removeLast(text.count - fread(&text, 1, text.count, stream))
        }
        return ResolverConfiguration(parsing: String(decoding: text, as: UTF8.self))
    }
}

/// Looks SRV records up, which getaddrinfo can't. Blocks threads of the pool only.
package struct DNSResolver: Sendable {
    package enum Failure: Error, Sendable, Equatable {
        /// No name server answered in time.
        case noAnswer
        /// They answered with these codes (RFC 1035 section 4.1.1), the last one's here.
        case refused(code: UInt8)
    }

    private let configuration: ResolverConfiguration

    package init(_ configuration: ResolverConfiguration = .system()) { self.configuration = configuration }

    /// The SRV records of a name; none when there are no such records.
    package func services(_ name: String) async throws(Failure) -> [ServiceRecord] {
        let configuration = configuration
        let answer = try? await NIOThreadPool.singleton.runIfActive {
            Result<[ServiceRecord], Failure> { () throws(Failure) in try Self.ask(name, configuration) }
        }
        guard let answer else { throw .noAnswer }
        return try answer.get()
    }

    /// Blocks.
    private static func ask(_ name: String, _ configuration: ResolverConfiguration) throws(Failure) -> [ServiceRecord] {
        var failure = Failure.noAnswer
        for _ in 0..<configuration.attempts {
            for server in configuration.servers {
                // Another id for each question, so that a late answer to one is none to the next.
                let id = UInt16.random(in: .min ... .max)
                guard let query = DNSMessage.query(id: id, name: name) else { return [] }
                var answer = exchange(query, id: id, name: name, server, isStream: false, configuration.timeout)
                if answer == .truncated {
                    answer = exchange(query, id: id, name: name, server, isStream: true, configuration.timeout)
                }
                switch answer {
                case .services(let records): return records
                case .absent: return []
                case .failed(let code): failure = .refused(code: code)
                case .truncated, nil: break
                }
            }
        }
        throw failure
    }

    /// One question to one server; nil when no right answer came within `timeout` milliseconds.
    private static func exchange(
        _ query: [UInt8], id: UInt16, name: String, _ server: ResolverConfiguration.Server, isStream: Bool,
        _ timeout: Int
    ) -> DNSMessage.Answer? {
        guard let address = try? SocketAddress(ipAddress: server.address, port: server.port) else { return nil }
        let type = isStream ? SOCK_STREAM : SOCK_DGRAM
        let flags = Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.protocol == .inet6 ? AF_INET6 : AF_INET, flags, 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let deadline = NIODeadline.now() + .milliseconds(Int64(timeout))
        // A connected datagram socket takes answers of this server only, and hears that nobody listens there.
        let connected = address.withSockAddr { connect(descriptor, $0, socklen_t($1)) }
        guard connected == 0 || errno == EINPROGRESS, wait(descriptor, POLLOUT, until: deadline) else { return nil }
        let count = UInt16(clamping: query.count)
        let message = isStream ? [UInt8(count >> 8), UInt8(count & 0xFF)] + query : query
        guard send(descriptor, message, message.count, Int32(MSG_NOSIGNAL)) == message.count else { return nil }
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: DNSMessage.longest)
        while wait(descriptor, POLLIN, until: deadline) {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count > 0 else { return nil }
            if !isStream {
                // What doesn't answer the question may be forged: the right answer may still come.
                if let answer = DNSMessage.answer(chunk[..<count], id: id, name: name) { return answer }
                continue
            }
            received += chunk[..<count]
            guard received.count >= 2 else { continue }
            let length = Int(received[0]) << 8 | Int(received[1])
            if received.count >= 2 + length {
                return DNSMessage.answer(received[2..<(2 + length)], id: id, name: name)
            }
        }
        return nil
    }

    private static func wait(_ descriptor: Int32, _ events: Int32, until deadline: NIODeadline) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let left = (deadline - .now()).nanoseconds / 1_000_000
            guard left > 0 else { return false }
            let count = poll(&entry, 1, Int32(clamping: left))
            if count > 0 { return true }
            if count == 0 || errno != EINTR { return false }
        }
    }
}
