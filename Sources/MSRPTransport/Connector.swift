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
    /// Instead of the transport's; for owners whose peers are more, or less, trusted than others'.
    package var policy: EgressPolicy?
    /// The last path part of the URI. When it is a session of ours, the way leads to our own listener, whatever the host
    /// and the policy say: two clients of one relay, or a relay's client in a room.
    package var sessionKey: String?
    /// Whether that holds for a session with this owner; asked on the loop of the session.
    package var reachesOwn: @Sendable (any SessionOwner) -> Bool
    /// What the connection is made with; nil: `TransportLoop.clientTLS`.
    package var tlsContext: TLSContext?
    /// Whether the peer's certificate must lead to a trust anchor of the context and be for its name; nil: as
    /// `TransportConfiguration.verifiesPeers` says for destinations at a peer's word.
    package var verifiesName: Bool?

    package init(
        host: String, port: Int, isTLS: Bool, serverName: String? = nil, signallingSource: IPAddress? = nil,
        isAtPeersWord: Bool = true, sessionKey: String? = nil,
        reachesOwn: @escaping @Sendable (any SessionOwner) -> Bool = { _ in true }, tlsContext: TLSContext? = nil,
        verifiesName: Bool? = nil
    ) {
        self.reachesOwn = reachesOwn
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
    /// `TransportLimits.connectsWaiting` or `connections`
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
    /// Those that wait for their turn, oldest first; also some that were given up meanwhile.
    private var waiting: [ConnectAttempt] = []
    private var isBeginning = false

    init(transport: TransportLoop) {
        self.transport = transport
    }

    /// Opens a connection and attaches it to the owner (`bound` with no head) when it can be used, TLS handshake
    /// included. Of many at a time some wait for their turn; `TransportLimits.connectTimeout` goes on meanwhile.
    /// - Parameters:
    ///   - session: our session that the connection is for; nil for none.
    ///   - completion: called once, on the loop, before `bound` in case of success.
    package func connect(
        to destination: Destination, owner: any SessionOwner, session: SessionID?,
        completion: @escaping (Result<Connection, ConnectError>) -> Void
    ) {
        guard !transport.isClosing else { return completion(.failure(.shuttingDown)) }
        if destination.isTLS, destination.tlsContext ?? transport.clientTLS == nil {
            return completion(.failure(.noTLS))
        }
        let attempt = ConnectAttempt(transport: transport, destination: destination, owner: owner, session: session) {
            [self] attempt, result in
            if attempt.hasBegun { leave(attempt.place) }
            switch result {
            case .success: break
            case .failure(.refusedByPolicy): transport.counters.egressRefusals &+= 1
            case .failure: transport.counters.connectFailures &+= 1
            }
            completion(result)
            beginNext()
        }
        if mayEnter(attempt.place) {
            enter(attempt)
        } else if waiting.count < transport.limits.connectsWaiting {
            waiting.append(attempt)
            attempt.startTimer()
        } else {
            waiting.removeAll(where: \.isOver)
            transport.counters.connectFailures &+= 1
            completion(.failure(.tooManyConnections))
        }
    }

    private func mayEnter(_ place: String) -> Bool {
        mayEnterAny
            && connecting[place, default: 0] < transport.share.part(of: transport.limits.connectsPerDestination)
    }

    private var mayEnterAny: Bool { connectingInAll < transport.share.part(of: transport.limits.connects) }

    private func enter(_ attempt: ConnectAttempt) {
        connectingInAll += 1
        connecting[attempt.place, default: 0] += 1
        attempt.start()
    }

    private func leave(_ place: String) {
        connectingInAll -= 1
        if let count = connecting[place] { connecting[place] = count > 1 ? count - 1 : nil }
    }

    /// Those that may now, oldest first. One that fails at once makes room for another.
    private func beginNext() {
        guard !waiting.isEmpty, !isBeginning else { return }
        isBeginning = true
        waiting.removeAll(where: \.isOver)
        while mayEnterAny, let index = waiting.firstIndex(where: { mayEnter($0.place) }) {
            enter(waiting.remove(at: index))
        }
        isBeginning = false
    }
}

@available(*, unavailable)
extension Connector: Sendable {}
