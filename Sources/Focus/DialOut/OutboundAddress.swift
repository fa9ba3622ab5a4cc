import SIP

/// Where requests of ours go that begin a dialog, and which of our addresses they name (RFC 3261 sections 8.1.1.8
/// and 8.1.2).
struct OutboundAddress: Sendable {
    let listeners: [Endpoint]
    /// `[Outbound] proxy`
    let proxy: SIPURI?

    /// The next hop that is not the target's own: nil lets the stack find it (RFC 3263).
    func route(to target: SIPURI) -> Endpoint? {
        guard let proxy else { return nil }
        var transport = Self.transport(of: proxy)
        var port = proxy.port
        // A sips URI is not given away over anything but TLS (RFC 3261 section 26.2.2).
        if target.isSecure, transport != .tls {
            transport = .tls
            port = nil
        }
        return Endpoint(transport: transport, host: proxy.host, port: port ?? transport.defaultPort)
    }

    /// Our address as the peer sees it: the listener of the request's transport, with a wildcard made concrete.
    /// - Parameter facing: the address that the system would send to a peer from; nil when the peer is a name.
    func local(to target: SIPURI, facing: (String) -> String?) -> Endpoint {
        let route = route(to: target)
        let transport = route?.transport ?? Self.transport(of: target)
        let peer = route?.host ?? target.host
        let facing = facing(peer) ?? facing(Self.anywhere)
        let sameTransport = listeners.filter { $0.transport == transport }
        let candidates = sameTransport.isEmpty ? listeners : sameTransport
        let exact = candidates.first { listener in
            facing.map { RoomResolver.normalized($0) == RoomResolver.normalized(listener.host) } ?? false
        }
        let wildcard = candidates.first { $0.isWildcard && ($0.host == "::" || !(facing ?? "").contains(":")) }
        let isIPv6 = peer.contains(":")
        guard let found = exact ?? wildcard ?? candidates.first(where: { $0.isIPv6 == isIPv6 }) ?? candidates.first
        else { return Endpoint(transport: transport, host: facing ?? "127.0.0.1", port: transport.defaultPort) }
        guard found.isWildcard, let facing else { return found }
        return Endpoint(transport: found.transport, host: facing, port: found.port)
    }

    /// Whether a URI with a host of ours would bring the request back to one of our listeners.
    func returns(_ target: SIPURI) -> Bool {
        guard proxy == nil else { return false }
        let port = target.port ?? Self.transport(of: target).defaultPort
        return listeners.contains { $0.port == port }
    }

    static func transport(of uri: SIPURI) -> SIPTransport {
        if uri.isSecure { return .tls }
        return uri.parameter("transport").flatMap { SIPTransport(rawValue: $0.lowercased()) } ?? .udp
    }

    /// Stands for a peer whose address is not known yet: the system's answer is that of its default route (RFC 5737).
    private static let anywhere = "198.51.100.1"
}
