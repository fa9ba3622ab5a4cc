import MediaMixer
import SIP

/// Makes the Contact of a response: the room (or the server) at the address the request arrived on
/// (RFC 3261 section 12.1.1, RFC 4579 section 5.1).
struct ContactAddress: Sendable {
    let advertise: HostAndPort?
    let listeners: [Endpoint]
    let resolver: RoomResolver

    /// A whole Contact value, with isfocus (RFC 3840 section 10.18).
    func value(for room: RoomAddress?, request: Request) -> String {
        "<\(uri(for: room, local: request.local, isSecure: Self.isSecure(request)))>;isfocus"
    }

    func uri(for room: RoomAddress?, local: Endpoint, isSecure: Bool) -> SIPURI {
        // A sips URI must lead to a TLS listener, also when the request came some other way through a proxy.
        var local = local
        if isSecure, local.transport != .tls {
            let secure = listeners.filter { $0.transport == .tls }
            if let listener = secure.first(where: { $0.host == local.host }) ?? secure.first {
                local = Endpoint(
                    transport: .tls, host: listener.isWildcard ? local.host : listener.host, port: listener.port)
            }
        }
        let host = advertise?.host ?? local.host
        var uri = SIPURI(
            scheme: isSecure ? "sips" : "sip", user: room?.user, host: host, port: port(of: local))
        if let room, !resolver.reaches(room, host: host) {
            uri.parameters.append(.init(RoomResolver.domainParameter, room.domain))
        }
        switch local.transport {
        case .udp: break
        case .tcp: uri.parameters.append(.init("transport", "tcp"))
        case .tls: if !isSecure { uri.parameters.append(.init("transport", "tls")) }
        }
        return uri
    }

    /// The advertised port stands for UDP and TCP, which share one; TLS has another and keeps its listener's, unless
    /// TLS is all there is.
    private func port(of local: Endpoint) -> Int {
        guard let port = advertise?.port else { return local.port }
        return local.transport == .tls && listeners.contains { $0.transport != .tls } ? local.port : port
    }

    /// Whether our Contact must be a sips URI: the Request-URI is one, or the topmost Record-Route, or without any of
    /// these the Contact (RFC 3261 section 12.1.1).
    static func isSecure(_ request: Request) -> Bool {
        if request.requestURI.isSecure { return true }
        if let route = request.headers["Record-Route"] {
            return NameAddr.list(route).first?.uri.isSecure ?? false
        }
        return request.contacts.first?.uri.isSecure ?? false
    }
}
