import SIP

/// Where in-dialog requests go: to the packet's source where the Contact says something else, because clients behind
/// NAT write addresses that nobody else can reach.
enum PeerRoute {
    /// Nil: the dialog's own route will do.
    static func source(of request: Request) -> Endpoint? {
        // With a proxy in between, its Record-Route is the next hop and the Contact is its business.
        guard !request.headers.contains("Record-Route") else { return nil }
        guard let uri = request.contacts.first?.uri, uri.isSIP else { return request.source }
        let transport = transport(of: uri)
        let port = uri.port ?? transport.defaultPort
        let isSame =
            transport == request.source.transport && port == request.source.port
            && RoomResolver.normalized(uri.host) == RoomResolver.normalized(request.source.host)
        return isSame ? nil : request.source
    }

    private static func transport(of uri: SIPURI) -> SIPTransport {
        if uri.isSecure { return .tls }
        return uri.parameter("transport").flatMap { SIPTransport(rawValue: $0.lowercased()) } ?? .udp
    }
}
