package import MSRPTransport

/// How the relay is to work (`[Relay]`).
package struct RelayConfiguration: Sendable, Equatable {
    /// The host name in our session URIs; it must be in the certificate clients see.
    package var hostname: String
    /// The port in our session URIs.
    package var port: Int
    /// The realm of every account; nil: the host of AUTH's To-Path.
    package var defaultDomain: String?
    /// Whether methods other than SEND, REPORT and NICKNAME are forwarded (501 otherwise).
    package var allowsOtherMethods = true
    /// Whether AUTH is taken without TLS (`debug_notls`).
    package var allowsPlainAuth = false
    package var logsFailedAuth = false
    /// The attempt of this number, when it fails, ends the connection.
    package var maxAuthAttempts = 3
    /// How long a nonce may be used.
    package var challengeLifetime: Duration = .seconds(15)
    /// Bounds of Expires in AUTH, and what holds without it, in seconds.
    package var minimumExpires = 60
    package var defaultExpires = 600
    package var maximumExpires = 3600
    /// The longest life of a session whose AUTH had no Expires; nil: as long as its connection.
    package var maximumSessionTime: Duration?
    /// Relays that AUTH may be forwarded to, and that may forward AUTH to us.
    package var peers: [RelayPeer] = []
    /// Where a client may have us connect to; nil: as for all MSRP.
    package var egress: EgressPolicy?
    /// How long the next hop has to answer a request (RFC 4976 section 6.4.1).
    package var answerTime: Duration = .seconds(30)
    /// Octets that may wait for one side before reading from the other stops.
    package var windowBytes = 256 * 1024
    /// Octets a second and direction that a session or an account may pass; nil: no limit.
    package var sessionRate: Int?
    package var accountRate: Int?

    package init(hostname: String, port: Int) {
        self.hostname = hostname
        self.port = port
    }
}

/// Another relay (RFC 4976 section 6.3).
package struct RelayPeer: Sendable, Hashable {
    package var host: String
    /// Nil: any.
    package var port: Int?

    package init(host: String, port: Int?) {
        self.host = host
        self.port = port
    }
}

/// Who reserved a session.
package struct RelayAccount: Sendable, Hashable, CustomStringConvertible {
    package var username: String
    package var realm: String

    package init(username: String, realm: String) {
        self.username = username
        self.realm = realm
    }

    package var description: String { "\(username)@\(realm)" }
}
