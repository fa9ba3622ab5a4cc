import Client
import Foundation
import Support
import Testing

@Suite("Looking relays up")
struct ClientLookupTests {
    private let records = [
        ServiceRecord(priority: 10, weight: 60, port: 2855, target: "big.example.com"),
        ServiceRecord(priority: 10, weight: 20, port: 2855, target: "small.example.com"),
        ServiceRecord(priority: 10, weight: 0, port: 2855, target: "spare.example.com"),
        ServiceRecord(priority: 5, weight: 0, port: 9000, target: "first.example.com"),
    ]

    @Test("priority goes before weight, and everybody is in the order once (RFC 2782)")
    func priorities() {
        for seed in 0..<50 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let order = ServiceRecord.order(records, using: &generator)
            #expect(order.first?.target == "first.example.com")
            #expect(Set(order) == Set(records) && order.count == records.count)
        }
    }

    @Test("weights are followed within a priority (RFC 2782): 60 to 20, the one of weight 0 hardly ever")
    func weights() {
        var generator = SeededGenerator(seed: 1)
        var firsts: [String: Int] = [:]
        for _ in 0..<8000 {
            let first = ServiceRecord.order(Array(records.prefix(3)), using: &generator).first
            firsts[first?.target ?? "", default: 0] += 1
        }
        // Of 0...80: 0 is the spare's, 1...20 the small one's or 1...60 the big one's by place.
        #expect((5500...6300).contains(firsts["big.example.com"] ?? 0))
        #expect((1700...2300).contains(firsts["small.example.com"] ?? 0))
        #expect((20...250).contains(firsts["spare.example.com"] ?? 0))
    }

    // MARK: Messages

    private static let name = "_msrps._tcp.example.com"

    /// An answer with two SRV records, the second's target compressed, behind an alias.
    private static func answer(id: UInt16 = 0x1234, flags: UInt16 = 0x8180, count: UInt16 = 3) -> [UInt8] {
        func two(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
        func label(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
        var bytes = two(id) + two(flags) + two(1) + two(count) + two(0) + two(0)
        // At 12: _msrps, 19: _tcp, 24: example.com
        bytes += label("_msrps") + label("_tcp") + label("example") + label("com") + [0] + two(33) + two(1)
        guard count > 0 else { return bytes }
        bytes += [0xC0, 12] + two(5) + two(1) + [0, 0, 0, 60] + two(2) + [0xC0, 19]
        let target = label("server1") + [0xC0, 24]
        bytes += [0xC0, 12] + two(33) + two(1) + [0, 0, 0, 60] + two(UInt16(6 + target.count)) + two(0) + two(1)
        bytes += two(9000) + target
        let other = label("server2") + label("example") + label("com") + [0]
        bytes += [0xC0, 12] + two(33) + two(1) + [0, 0, 0, 60] + two(UInt16(6 + other.count)) + two(0) + two(2)
        return bytes + two(9000) + other
    }

    private static let found = [
        ServiceRecord(priority: 0, weight: 1, port: 9000, target: "server1.example.com"),
        ServiceRecord(priority: 0, weight: 2, port: 9000, target: "server2.example.com"),
    ]

    @Test("a question is written to the octet (RFC 1035 section 4.1)")
    func question() {
        #expect(
            DNSMessage.query(id: 0x1234, name: "_msrps._tcp.a.b")
                == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + [6] + Array("_msrps".utf8) + [4] + Array("_tcp".utf8)
                + [1, 0x61, 1, 0x62, 0, 0, 33, 0, 1])
        #expect(DNSMessage.query(id: 1, name: String(repeating: "a", count: 64)) == nil)
    }

    @Test("an answer is read, with aliases and compression (RFC 1035 section 4.1.4)")
    func answers() {
        #expect(DNSMessage.answer(Self.answer(), id: 0x1234, name: Self.name) == .services(Self.found))
        #expect(DNSMessage.answer(Self.answer(), id: 0x1234, name: Self.name.uppercased()) == .services(Self.found))
        #expect(DNSMessage.answer(Self.answer(count: 0), id: 0x1234, name: Self.name) == .absent)
        #expect(DNSMessage.answer(Self.answer(flags: 0x8183), id: 0x1234, name: Self.name) == .absent)
        #expect(DNSMessage.answer(Self.answer(flags: 0x8182), id: 0x1234, name: Self.name) == .failed(code: 2))
        #expect(DNSMessage.answer(Self.answer(flags: 0x8380), id: 0x1234, name: Self.name) == .truncated)
    }

    @Test("what answers another question, or nothing, is no answer")
    func strangers() {
        #expect(DNSMessage.answer(Self.answer(), id: 0x1235, name: Self.name) == nil)
        #expect(DNSMessage.answer(Self.answer(), id: 0x1234, name: "_msrps._tcp.example.org") == nil)
        #expect(DNSMessage.answer(Self.answer(flags: 0x0180), id: 0x1234, name: Self.name) == nil)
        #expect(DNSMessage.answer([UInt8](), id: 0x1234, name: Self.name) == nil)
    }

    @Test("no cut and no changed octet does more than make an answer unreadable")
    func hostile() {
        let whole = Self.answer()
        for end in 0..<whole.count { #expect(DNSMessage.answer(whole[..<end], id: 0x1234, name: Self.name) == nil) }
        for index in whole.indices {
            for value in [0, 0xC0, 0xFF] as [UInt8] {
                var changed = whole
                changed[index] = value
                _ = DNSMessage.answer(changed, id: 0x1234, name: Self.name)
            }
        }
        // A name that points at itself.
        var loop = whole
        loop[12] = 0xC0
        loop[13] = 12
        #expect(DNSMessage.answer(loop, id: 0x1234, name: Self.name) == nil)
    }

    // MARK: Servers

    @Test("resolv.conf: name servers, timeout and attempts; without any the host itself")
    func configuration() {
        let text = "# c\nnameserver 192.0.2.1\nsearch a b\nnameserver ::1\noptions ndots:2 timeout:1 attempts:9\n"
        let read = ResolverConfiguration(parsing: text)
        #expect(read.servers.map(\.address) == ["192.0.2.1", "::1"] && read.timeout == 1000 && read.attempts == 5)
        #expect(ResolverConfiguration(parsing: "").servers.map(\.address) == ["127.0.0.1"])
    }

    private func resolver(_ servers: [NameServer], timeout: Int = 4000) -> DNSResolver {
        var configuration = ResolverConfiguration(
            servers: servers.map { .init(address: "127.0.0.1", port: Int($0.port)) })
        configuration.timeout = timeout
        return DNSResolver(configuration)
    }

    @Test("an answer that does not fit into a datagram is fetched over TCP (RFC 1035 section 4.2)")
    func truncated() async throws {
        let server = try NameServer(
            datagram: { [Self.answer(id: $0, flags: 0x8380, count: 0)] }, stream: { Self.answer(id: $0) })
        #expect(try await resolver([server]).services(Self.name) == Self.found)
    }

    @Test("a forged answer with another id does not end the waiting for the right one")
    func forged() async throws {
        let server = try NameServer(datagram: { [Self.answer(id: $0 &+ 1, count: 0), Self.answer(id: $0)] })
        #expect(try await resolver([server]).services(Self.name) == Self.found)
    }

    @Test("a server that fails or is silent is passed over")
    func others() async throws {
        let silent = try NameServer(datagram: { _ in [] })
        let failing = try NameServer(datagram: { [Self.answer(id: $0, flags: 0x8182, count: 0)] })
        let right = try NameServer(datagram: { [Self.answer(id: $0)] })
        #expect(try await resolver([silent, failing, right], timeout: 200).services(Self.name) == Self.found)
        await #expect(throws: DNSResolver.Failure.refused(code: 2)) {
            _ = try await resolver([failing], timeout: 2000).services(Self.name)
        }
        await #expect(throws: DNSResolver.Failure.noAnswer) {
            _ = try await resolver([silent], timeout: 50).services(Self.name)
        }
    }

    // MARK: Relays

    private func candidates(
        _ relay: String?, _ records: [ServiceRecord] = []
    ) async throws -> [RelayLocator.Candidate] {
        var generator = SystemRandomNumberGenerator()
        let locator = RelayLocator { name in
            #expect(name == "_msrps._tcp.example.com")
            return records
        }
        return try await locator.candidates(
            relay: relay.flatMap { RelayAddress($0) }, domain: "example.com", using: &generator)
    }

    @Test("the domain's SRV records are followed, their servers held to the domain's name (RFC 4976 sections 8, 9.2)")
    func service() async throws {
        let found = try await candidates(nil, [Self.found[0]])
        #expect(found == [.init(host: "server1.example.com", port: 9000, name: "example.com")])
    }

    @Test("without SRV records it is the domain itself, on port 2855 (RFC 4976 section 8)")
    func fallback() async throws {
        #expect(try await candidates(nil) == [.init(host: "example.com", port: 2855, name: "example.com")])
    }

    @Test("a relay that was named is not looked up")
    func named() async throws {
        #expect(
            try await candidates("r.example.net") == [.init(host: "r.example.net", port: 2855, name: "r.example.net")])
        #expect(try await candidates("[::1]:99") == [.init(host: "::1", port: 99, name: "::1")])
    }

    @Test("a domain that says it has no relay is believed (RFC 2782: the target is the root)")
    func none() async throws {
        await #expect(throws: ClientError.self) {
            _ = try await candidates(nil, [ServiceRecord(priority: 0, weight: 0, port: 1, target: "")])
        }
    }

    @Test(
        "addresses and users are read",
        arguments: [
            ("relay.example.com", "relay.example.com"), ("relay.example.com:2855", "relay.example.com:2855"),
            ("[2001:db8::1]:1", "[2001:db8::1]:1"), ("[2001:db8::1]", "[2001:db8::1]"),
        ])
    func addresses(_ text: String, _ canonical: String) {
        #expect(RelayAddress(text)?.description == canonical)
    }

    @Test(
        "what is no address or no user is refused",
        arguments: ["", ":1", "a:", "a:0", "a:70000", "a b", "[::1", "[x]:1"])
    func wrongAddresses(_ text: String) {
        #expect(RelayAddress(text) == nil)
        #expect(RelayUser(text) == nil)
    }
}

/// A name server on loopback that answers one question at a time, over UDP and TCP on the same port.
private final class NameServer: @unchecked Sendable {
    // Unchecked: nothing changes after init; each descriptor is used by its own thread.
    let port: UInt16
    private let descriptors: (udp: Int32, tcp: Int32)

    init(datagram: @escaping @Sendable (UInt16) -> [[UInt8]], stream: (@Sendable (UInt16) -> [UInt8])? = nil) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (udp, tcp) = (
            socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0), socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        )
        descriptors = (udp, tcp)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                // The stream's port first: of those there are fewer.
                bind(tcp, $0, length) == 0 && getsockname(tcp, $0, &length) == 0 && bind(udp, $0, length) == 0
                    && listen(tcp, 4) == 0
            }
        }
        guard isBound else { throw SupportError("no name server") }
        port = UInt16(bigEndian: address.sin_port)
        Thread { Self.answerDatagrams(udp, datagram) }.start()
        if let stream { Thread { Self.answerStreams(tcp, stream) }.start() }
    }

    deinit {
        // Wakes the threads, which close them.
        shutdown(descriptors.udp, Int32(SHUT_RDWR))
        shutdown(descriptors.tcp, Int32(SHUT_RDWR))
    }

    private static func answerDatagrams(_ descriptor: Int32, _ answer: (UInt16) -> [[UInt8]]) {
        var bytes = [UInt8](repeating: 0, count: 512)
        while true {
            var from = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isGone = withUnsafeMutablePointer(to: &from) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    let count = recvfrom(descriptor, &bytes, bytes.count, 0, address, &length)
                    guard count > 2 else { return true }
                    for text in answer(UInt16(bytes[0]) << 8 | UInt16(bytes[1])) {
                        sendto(descriptor, text, text.count, 0, address, length)
                    }
                    return false
                }
            }
            if isGone { break }
        }
        close(descriptor)
    }

    private static func answerStreams(_ descriptor: Int32, _ answer: (UInt16) -> [UInt8]) {
        while true {
            let accepted = accept(descriptor, nil, nil)
            guard accepted >= 0 else { break }
            var bytes = [UInt8](repeating: 0, count: 512)
            if recv(accepted, &bytes, bytes.count, 0) > 4 {
                let text = answer(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
                let framed = [UInt8(text.count >> 8), UInt8(text.count & 255)] + text
                // In two pieces, as TCP may cut it.
                send(accepted, Array(framed[..<7]), 7, Int32(MSG_NOSIGNAL))
                send(accepted, Array(framed[7...]), framed.count - 7, Int32(MSG_NOSIGNAL))
            }
            close(accepted)
        }
        close(descriptor)
    }
}
