import NIOCore
package import NIOGnuTLS

/// Where to connect to, and who asked for it.
package struct Destination: Sendable {
    /// A name or a numeric address, IPv6 without brackets.
    package var host: String
    package var port: Int
    package var isTLS: Bool
    /// Sent as SNI; nil: the host.
    package var serverName: String?
    /// The address the signalling came from, for `EgressPolicy.sameSource`.
    package var signallingSource: IPAddress?
    /// False: the operator or the user of this process named the destination, so no policy applies.
    package var isAtPeersWord: Bool
    /// The last path part of the URI. When it is a session of ours, the way leads to our own listener, whatever the host
    /// and the policy say: two clients of one relay, or a relay's client in a room.
    package var sessionKey: String?
    /// What the connection is made with; nil: `TransportLoop.clientTLS`.
    package var tlsContext: TLSContext?
    /// Whether the peer's certificate must lead to a trust anchor of the context and be for its name; nil: as
    /// `TransportConfiguration.verifiesPeers` says for destinations at a peer's word.
    package var verifiesName: Bool?

    package init(
        host: String, port: Int, isTLS: Bool, serverName: String? = nil, signallingSource: IPAddress? = nil,
        isAtPeersWord: Bool = true, sessionKey: String? = nil, tlsContext: TLSContext? = nil, verifiesName: Bool? = nil
    ) {
        self.host = host
        self.port = port
        self.isTLS = isTLS
        self.serverName = serverName
        self.signallingSource = signallingSource
        self.isAtPeersWord = isAtPeersWord
        self.sessionKey = sessionKey
        self.tlsContext = tlsContext
        self.verifiesName = verifiesName
    }
}

package enum ConnectError: Error, Sendable, Equatable {
    case unknownHost
    case refusedByPolicy(EgressRefusal)
    /// `TransportLimits.connectsPerDestination`, `connects` or `outboundPerDestination`, or `connections`
    case tooManyConnections
    case timedOut
    /// Nobody there, reset, unreachable.
    case failed
    case noTLS
    case tlsFailed
    case shuttingDown
}

/// Opens connections: resolves without blocking, asks the egress policy about every address, keeps the limits.
package final class Connector {
    private unowned let transport: TransportLoop
    private var connecting: [String: Int] = [:]
    private var connectingInAll = 0

    init(transport: TransportLoop) {
        self.transport = transport
    }

    /// Opens a connection and attaches it to the owner (`bound` with no head) when it can be used, TLS handshake
    /// included.
    /// - Parameters:
    ///   - session: our session that the connection is for; nil for none.
    ///   - completion: called once, on the loop, before `bound` in case of success.
    package func connect(
        to destination: Destination, owner: any SessionOwner, session: SessionID?,
        completion: @escaping (Result<Connection, ConnectError>) -> Void
    ) {
        let key = "\(destination.host.lowercased()):\(destination.port)"
        guard !transport.isClosing else { return completion(.failure(.shuttingDown)) }
        guard connectingInAll < transport.limits.connects,
            connecting[key, default: 0] < transport.limits.connectsPerDestination
        else {
            transport.counters.connectFailures &+= 1
            return completion(.failure(.tooManyConnections))
        }
        if destination.isTLS, destination.tlsContext ?? transport.clientTLS == nil {
            return completion(.failure(.noTLS))
        }
        connecting[key, default: 0] += 1
        connectingInAll += 1

        let attempt = ConnectAttempt(transport: transport, destination: destination, owner: owner, session: session) {
            [self] result in
            connectingInAll -= 1
            if let count = connecting[key] { connecting[key] = count > 1 ? count - 1 : nil }
            switch result {
            case .success: break
            case .failure(.refusedByPolicy): transport.counters.egressRefusals &+= 1
            case .failure: transport.counters.connectFailures &+= 1
            }
            completion(result)
        }
        attempt.start()
    }
}

@available(*, unavailable)
extension Connector: Sendable {}
