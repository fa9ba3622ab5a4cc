import SIP

/// Where in-dialog requests go: to the packet's source where the Contact says something else, because clients behind
/// NAT write addresses that nobody else can reach.
enum PeerRoute {
    /// Nil: the dialog's own route will do.
    static func source(of request: Request) -> Endpoint? {
        route(to: request.source, contact: request.contacts.first, request.headers)
    }

    /// The same for the answer to a request of ours.
    static func source(of response: Response) -> Endpoint? {
        response.source.flatMap { route(to: $0, contact: response.contacts.first, response.headers) }
    }

    private static func route(to source: Endpoint, contact: NameAddr?, _ headers: HeaderFields) -> Endpoint? {
        // With a proxy in between, its Record-Route is the next hop and the Contact is its business.
        guard !headers.contains("Record-Route") else { return nil }
        guard let uri = contact?.uri, uri.isSIP else { return source }
        let transport = OutboundAddress.transport(of: uri)
        let isSame =
            transport == source.transport && (uri.port ?? transport.defaultPort) == source.port
            && RoomResolver.normalized(uri.host) == RoomResolver.normalized(source.host)
        return isSame ? nil : source
    }
}
