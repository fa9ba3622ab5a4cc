package import NIOCore

/// What peers may use of the transport, each limit with its name. They hold for all its loops together, unless it says
/// that a loop has its part.
package struct TransportLimits: Sendable {
    /// Open connections, inbound and outbound together; a connection beyond it is closed at once.
    package var connections = 20_000

    /// Connections from one address; loopback is exempt.
    package var connectionsPerAddress = 256

    /// Octets of a start line with its header fields.
    package var headBytes = 16 * 1024

    /// Octets that may wait for a connection before its owner has to stop giving it more.
    package var queueBytes = 16 * 1024 * 1024

    /// Octets, of all connections together, that wait for the end of a pause after their senders have closed: then the
    /// operating system hands over at once all that it kept for a socket. Each loop has its part.
    package var drainedBytes = 256 * 1024 * 1024

    /// They wait for so long after the last of them was taken.
    package var drainTimeout: TimeAmount = .seconds(30)

    /// A connection that named no session by then is closed.
    package var unboundTimeout: TimeAmount = .seconds(30)

    package var tlsHandshakeTimeout: TimeAmount = .seconds(15)

    /// Until a connection to a peer stands, DNS and TLS included.
    package var connectTimeout: TimeAmount = .seconds(10)

    /// Connections being opened to one host and port at a time, and in all (RFC 4975 section 14.5). Each loop has its
    /// part, and at least one.
    package var connectsPerDestination = 8
    package var connects = 256

    /// Connections that wait until they may be opened, on each loop.
    package var connectsWaiting = 4096

    /// Unacknowledged data is given up after this (TCP_USER_TIMEOUT).
    package var userTimeout: TimeAmount = .seconds(30)

    /// After an orderly close the peer has this long to take what was sent.
    package var lingerTimeout: TimeAmount = .seconds(2)

    /// Sessions bound to one connection (RFC 4975 section 5.4).
    package var sessionsPerConnection = 1024

    /// Session-ids that are reserved or bound.
    package var sessions = 50_000

    package init() {}
}
