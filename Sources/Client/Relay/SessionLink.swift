import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Payloads

/// What speaks over a session's link: a chat, a file that is sent or received. All calls come on the transport's loop.
protocol LinkUser: AnyObject {
    /// The way stands: every relay has granted its URI, or, without relays, the connection is open.
    func established(_ link: SessionLink)
    /// What comes over the connection, but for answers to AUTH.
    func part(_ part: Part, from connection: Connection)
    /// `Connection.notifyWhenWritable` was asked for.
    func writable(_ connection: Connection)
    /// Every `TransportLoop.tick`, while the link lives.
    func ticked(_ now: NIODeadline)
    /// It never stood, or is lost. The last call.
    func ended(_ error: ClientError)
}

/// The client's connection for one session, and the way to it: to its own relays, with AUTH and its refreshes, or, without
/// relays, to the peer's first hop. Confined to the transport's loop.
final class SessionLink: SessionOwner {
    /// One of the user's relays.
    struct Relay {
        /// Where to connect to; only the first one's count.
        var candidates: [RelayLocator.Candidate]
        /// What AUTH is addressed to (RFC 4976 section 5.1).
        var uri: URI
        /// For messages to people.
        var name: String
    }

    /// How the link gets to the other side.
    enum Way {
        case relays([Relay], RelayOptions)
        case direct(Destination)
    }

    private enum Phase {
        case connecting
        case authenticating(relay: Int)
        case standing
        case over
    }

    /// How long an answer to AUTH is waited for (RFC 4975 section 7.1.1).
    static let answerTimeout: TimeAmount = .seconds(30)
    /// A grant is refreshed when this part of its time is left, in percent, and at least so many seconds before.
    private static let refreshShare: Int64 = 25
    private static let leastTimeLeft: Int64 = 20

    let transport: TransportLoop
    let id: SessionID
    /// Weak: who uses the link owns it.
    weak var user: (any LinkUser)?
    private(set) var connection: Connection?
    /// Our own URI; known when the connection stands, unless it was given.
    private(set) var localPath: Path?
    /// The way through our relays, the nearest first; empty without relays.
    private(set) var usePath: [URI] = []

    private let way: Way
    private var phase = Phase.connecting
    private var attempt = 0
    private var exchanges: [AuthExchange] = []
    private var refreshes: [NIODeadline?] = []
    private var pending: (id: TransactionID, relay: Int, deadline: NIODeadline)?
    private var isAnswer = false
    private var answer: Head?

    /// - Parameter localPath: our own URI; nil for one of the address that the connection will have.
    init(transport: TransportLoop, id: SessionID = .random(), way: Way, localPath: Path? = nil) {
        self.transport = transport
        self.id = id
        self.way = way
        self.localPath = localPath
    }

    /// The a=path for the peer: our relays from the farthest to the nearest, and ourselves (RFC 4976 section 5.1).
    var advertisedPath: Path? { localPath.flatMap { Path(usePath.reversed() + $0.uris) } }

    /// The To-Path for requests to a peer of this a=path; nil for one that is too long.
    func toPath(_ remotePath: Path) -> Path? { Path(usePath + remotePath.uris) }

    /// Whether the server that we are connected to shows one of the certificates that its answer announced; true where it
    /// announced none. Behind relays the certificate is the relay's, and was looked at when the connection was made.
    func shows(oneOf fingerprints: [Fingerprint]) -> Bool {
        let fingerprints = fingerprints.compactMap { NIOGnuTLS.CertificateFingerprint($0.value) }
        guard usePath.isEmpty, !fingerprints.isEmpty else { return true }
        guard let certificate = connection?.peerCertificate else { return false }
        return NIOGnuTLS.CertificateFingerprint.match(certificate: certificate, oneOf: fingerprints)
    }

    func start() {
        let bound = NIOLoopBound(self, eventLoop: transport.eventLoop)
        transport.everyTick { now in bound.value.ticked(now) }
        connect()
    }

    /// Ends the session after what is queued was written; the user hears no more.
    func close() {
        phase = .over
        user = nil
        connection?.close(.orderly)
    }

    private func end(_ error: ClientError) {
        if case .over = phase { return }
        phase = .over
        connection?.close(.now)
        let user = user
        self.user = nil
        user?.ended(error)
    }

    // MARK: Connecting

    private func connect() {
        let destination: Destination
        switch way {
        case .direct(let given):
            destination = given
        case .relays(let relays, let options):
            guard let first = relays.first, attempt < first.candidates.count else {
                return end(.noAnswer("there is no relay to connect to"))
            }
            let candidate = first.candidates[attempt]
            destination = Destination(
                host: candidate.host, port: candidate.port, isTLS: options.security.usesTLS, serverName: candidate.name,
                isAtPeersWord: false, verifiesName: options.security.verifies)
        }
        transport.connector.connect(to: destination, owner: self, session: nil) { [self] result in
            if case .failure(let error) = result { connectFailed(destination, error) }
        }
    }

    private func connectFailed(_ destination: Destination, _ error: ConnectError) {
        attempt += 1
        if case .relays(let relays, _) = way, let first = relays.first, attempt < first.candidates.count {
            return connect()
        }
        let place = RelayAddress(host: destination.host, port: destination.port)
        var text = "can't connect to \(place): \(error.text)"
        if error == .tlsFailed {
            text +=
                "; is its certificate good for \(destination.serverName ?? destination.host)? "
                + "--trust FILE names other authorities, --no-verify takes any certificate, --no-tls uses none"
        }
        end(.noAnswer(text))
    }

    func bound(_ connection: Connection, head: Head?) {
        guard case .connecting = phase else { return connection.close(.now) }
        self.connection = connection
        if localPath == nil, let uri = ownURI(connection) { localPath = Path(uri) }
        guard localPath != nil else { return end(.noAnswer("the connection has no local address")) }
        guard case .relays = way else { return stand() }
        authenticate(0)
    }

    private func ownURI(_ connection: Connection) -> URI? {
        guard let address = connection.localAddress, let host = address.ipAddress, let port = address.port else {
            return nil
        }
        return URI(scheme: connection.isTLS ? .msrps : .msrp, host: host, port: port, sessionID: id.text)
    }

    private func stand() {
        phase = .standing
        user?.established(self)
    }

    // MARK: AUTH

    private func authenticate(_ index: Int) {
        guard case .relays(let relays, let options) = way else { return }
        guard index < relays.count else { return stand() }
        phase = .authenticating(relay: index)
        guard let toPath = Path(usePath + [relays[index].uri]) else {
            return end(.unusableAnswer("the way through the relays is too long"))
        }
        var exchange = AuthExchange(
            user: options.user, password: options.password, toPath: toPath, expires: options.expires,
            relay: relays[index].name)
        let headers = exchange.begin()
        exchanges.append(exchange)
        refreshes.append(nil)
        sendAuth(index, headers)
    }

    private func sendAuth(_ index: Int, _ headers: [AuthExchange.Header]) {
        guard let localPath, let connection else { return }
        let transaction = TransactionID(UInt64.random(in: .min ... .max))
        pending = (transaction, index, .now() + Self.answerTimeout)
        connection.withOutput { output in
            Frame.writeRequestStart(
                id: transaction, method: "AUTH", toPath: exchanges[index].toPath, fromPath: localPath, into: &output)
            for header in headers { Frame.writeHeader(name: header.name, header.value, into: &output) }
            Frame.writeEndLine(id: transaction, .complete, into: &output)
        }
    }

    private func answered(_ head: Head) {
        guard let pending else { return }
        self.pending = nil
        let index = pending.relay
        switch exchanges[index].received(head) {
        case .retry(let headers): sendAuth(index, headers)
        case .failed(let error): end(error)
        case .granted(let grant): granted(grant, by: index)
        }
    }

    private func granted(_ grant: RelayGrant, by index: Int) {
        refreshes[index] = grant.expires.map { Self.refreshTime(expires: Int64($0), now: .now()) }
        exchanges[index].refresh(grant)
        guard case .authenticating(index) = phase else {
            // A refresh that names other URIs would leave the peer with a way that leads nowhere.
            if index == exchanges.count - 1, grant.usePath.uris != usePath {
                end(.lost("the relay changed our session's URI"))
            }
            return
        }
        usePath = grant.usePath.uris
        authenticate(index + 1)
    }

    static func refreshTime(expires: Int64, now: NIODeadline) -> NIODeadline {
        let left = max(expires * refreshShare / 100, min(leastTimeLeft, expires / 2))
        return now + .seconds(max(expires - left, 1))
    }

    // MARK: SessionOwner

    func part(_ part: Part, from connection: Connection) {
        switch part {
        case .head(let head):
            isAnswer = head.status != nil && head.transactionID == pending?.id
            guard isAnswer else { break }
            answer = head
            return
        case .end where isAnswer:
            isAnswer = false
            if let answer { answered(answer) }
            answer = nil
            return
        case .body, .outgoingEndLine, .end:
            if isAnswer { return }
        }
        guard case .standing = phase else { return }
        user?.part(part, from: connection)
    }

    func writable(_ connection: Connection) { user?.writable(connection) }

    func closed(_ connection: Connection, reason: CloseReason) {
        let text =
            switch reason {
            case .peerClosed: "the other side closed the connection"
            case .garbage: "the other side doesn't speak MSRP"
            case .tlsFailed: "TLS failed"
            case .failed, .unboundTimeout, .closedHere: "the connection was lost"
            }
        self.connection = nil
        end(.lost(text))
    }

    private func ticked(_ now: NIODeadline) {
        if case .over = phase { return }
        if let pending, pending.deadline <= now {
            return end(.noAnswer("the relay doesn't answer AUTH"))
        }
        if case .standing = phase, pending == nil,
            let index = refreshes.firstIndex(where: { $0.map { $0 <= now } ?? false })
        {
            refreshes[index] = nil
            sendAuth(index, exchanges[index].begin())
        }
        user?.ticked(now)
    }
}

@available(*, unavailable)
extension SessionLink: Sendable {}

extension ConnectError {
    /// For people.
    var text: String {
        switch self {
        case .unknownHost: "no such host"
        case .refusedByPolicy: "not allowed"
        case .tooManyConnections: "too many connections"
        case .timedOut: "no answer in time"
        case .failed: "nobody there"
        case .noTLS, .tlsFailed: "TLS failed"
        case .shuttingDown: "leaving"
        }
    }
}
