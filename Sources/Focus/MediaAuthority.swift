import SIP

#if canImport(Glibc)
    import Glibc
#endif

/// Finds the host and port that a peer can reach the mixer at: what goes into a=path (RFC 4975 section 6).
struct MediaAuthority: Sendable {
    let advertise: HostAndPort?
    let listeners: [HostAndPort]

    /// Never a wildcard. The port 0 means that of the mixer's first listener.
    /// - Parameters:
    ///   - local: the address the peer reached us at for SIP: most likely right for MSRP too.
    ///   - peer: the address the peer's packet came from.
    func facing(_ peer: String, local: String) -> (host: String, port: Int) {
        let local = HostAndPort(host: local).isWildcard ? Self.localAddress(facing: peer) ?? local : local
        if let advertise { return (advertise.host, advertise.port ?? listeners.first?.port ?? 0) }
        if let exact = listeners.first(where: { Self.equal($0.host, local) }) { return (exact.host, exact.port ?? 0) }
        if let wildcard = listeners.first(where: { $0.isWildcard && Self.covers($0.host, local) }) {
            return (local, wildcard.port ?? 0)
        }
        // SIP and MSRP listen on different addresses.
        let isIPv6 = peer.contains(":")
        let specific = listeners.filter { !$0.isWildcard }
        if let listener = specific.first(where: { $0.host.contains(":") == isIPv6 }) ?? specific.first {
            return (listener.host, listener.port ?? 0)
        }
        let port = listeners.first?.port ?? 0
        return (Self.localAddress(facing: peer) ?? local, port)
    }

    private static func equal(_ left: String, _ right: String) -> Bool {
        RoomResolver.normalized(left) == RoomResolver.normalized(right)
    }

    /// A listener on :: takes IPv4 as well.
    private static func covers(_ wildcard: String, _ address: String) -> Bool {
        wildcard != "0.0.0.0" || !address.contains(":")
    }

    /// The address the system would send from; sends nothing (connecting a datagram socket only picks a route).
    static func localAddress(facing peer: String) -> String? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(peer, "9", &hints, &found) == 0, let address = found else { return nil }
        defer { freeaddrinfo(found) }
        let socket = socket(address.pointee.ai_family, Int32(SOCK_DGRAM.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        guard connect(socket, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else { return nil }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let isNamed = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { own in
                getsockname(socket, own, &length) == 0
                    && getnameinfo(own, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            }
        }
        guard isNamed else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
