import Logging
import MSRP
import MSRPTransport
import NIOCore

/// A session of the relay: the client that reserved it by AUTH on one side, one peer on the other
/// (RFC 4976 sections 6.3 and 6.4).
///
/// It is bound as soon as it has a peer, and ends with either connection: its URI is of no use on another
/// (RFC 4976 section 6.3).
final class RelaySession: SessionOwner, OpenedSession {
    enum State: String {
        case unbound, connecting, bound
    }

    let relay: Relay
    let id: SessionID
    let account: RelayAccount
    /// The configuration the session was opened under.
    let terms: RelayTerms
    let isRelayPeer: Bool
    private(set) var client: Side!
    private(set) var peer: Side!
    /// The place in `Relay.sessions`.
    var index = 0

    private let opened: NIODeadline
    /// The AUTH's Expires, if it had one.
    private var expiry: NIODeadline?
    /// Until when a session without Expires waits for its peer.
    private var unboundExpiry: NIODeadline
    /// What our URI begins with: scheme, host and port.
    private let isSecure: Bool
    private(set) var isEnded = false
    private(set) var isConnecting = false
    /// Where the peer leg was opened to; nil when the peer came to us.
    private var farHop: URI?
    /// What the relay there calls itself in the Use-Path it gave; AUTH may have found it by another name
    /// (RFC 4976 sections 5.1 and 8).
    private var farRelay: URI?
    /// The peer leg was opened to a relay by mutual TLS: AUTH may go there.
    private var leadsToRelay = false
    /// AUTHs that another relay refused (RFC 4976 section 6.3).
    private var refusedAuths = 0

    init(
        relay: Relay, id: SessionID, account: RelayAccount, terms: RelayTerms, clientPath: Path, isSecure: Bool,
        isRelayPeer: Bool, expires: Int?, rates: (client: SideRates?, peer: SideRates?), now: NIODeadline
    ) {
        self.relay = relay
        self.id = id
        self.account = account
        self.terms = terms
        self.isSecure = isSecure
        self.isRelayPeer = isRelayPeer
        opened = now
        expiry = expires.map { now + .seconds(Int64($0)) }
        unboundExpiry = now + .seconds(Int64(terms.configuration.defaultExpires))
        client = Side(
            session: self, isClient: true, paths: SidePaths(from: ByteBuffer(string: clientPath.description)))
        peer = Side(session: self, isClient: false, paths: SidePaths())
        client.rates = rates.client
        peer.rates = rates.peer
    }

    var windowBytes: Int { terms.configuration.windowBytes }
    /// How long a next hop has to answer.
    var answerTime: TimeAmount { terms.answerTime }
    var allowsOtherMethods: Bool { terms.configuration.allowsOtherMethods }
    var state: State { peer.leg != nil ? .bound : isConnecting ? .connecting : .unbound }

    func id(avoiding body: ByteBuffer) -> UInt64 {
        var ids = IDGenerator()
        return ids.next(avoiding: body)
    }

    // MARK: For the AUTH desk

    var usePath: String {
        let own = URI(
            scheme: isSecure ? .msrps : .msrp, host: terms.configuration.hostname, port: terms.configuration.port,
            sessionID: id.text)
        guard client.paths.from.readableBytesView.contains(UInt8(ascii: " ")) else { return own.description }
        let way = client.paths.from.withUnsafeReadableBytes { Path($0) }
        let relays = way?.uris.dropLast().reversed().map(\.description) ?? []
        return (relays + [own.description]).joined(separator: " ")
    }

    func refreshed(expires: Int?) {
        let now = NIODeadline.now()
        expiry = expires.map { now + .seconds(Int64($0)) }
        unboundExpiry = now + .seconds(Int64(terms.configuration.defaultExpires))
    }

    // MARK: Connections

    func sharing(on connection: Connection) -> ConnectionSharing {
        connection === client.leg?.connection && !isRelayPeer ? .alone : .relaySessions
    }

    /// The first SEND from outside binds its sender as the peer, if it knows the way to the client; nobody else can
    /// (RFC 4976 section 6.4).
    func admits(_ connection: Connection, head: Head, session: SessionID) -> Admission {
        let admission = admission(of: head)
        if case .no(let status) = admission { relay.counters.countRefusal(status.code) }
        return admission
    }

    private func admission(of head: Head) -> Admission {
        guard !isEnded, peer.leg == nil, head.method == .send, head.defect == nil else { return .no(.noSuchSession) }
        var paths = SidePaths()
        guard paths.judge(head, session: id, other: client.paths.from) == .accepted else {
            return .no(.noSuchSession)
        }
        let expected = client.paths.to
        return expected.readableBytes == 0 || SidePaths.isWay(expected, to: paths.from) ? .yes : .no(.noSuchSession)
    }

    func bound(_ connection: Connection, head: Head?) {
        if client.leg == nil {
            client.leg = Leg.of(connection)
            return
        }
        guard !isEnded, peer.leg == nil else { return connection.leave(self, closing: .now) }
        peer.leg = Leg.of(connection)
        if !connection.isOutbound { forgetFarHop() }
        relay.logger.debug("relay session bound", metadata: metadata)
        client.release(.connecting)
    }

    func part(_ part: Part, from connection: Connection) {
        guard !isEnded else { return }
        side(of: connection).receive(part)
    }

    func rawRead(_ buffer: inout ByteBuffer, from connection: Connection) {
        side(of: connection).takeExpectedAnswers(&buffer)
    }

    private func side(of connection: Connection) -> Side {
        connection === client.leg?.connection ? client : peer
    }

    func writable(_ connection: Connection) {
        Leg.of(connection).writable()
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        guard !isEnded else { return }
        let isOrderly = reason == .peerClosed || reason == .closedHere
        if connection === client.leg?.connection {
            end(isOrderly ? .clientClosed : .clientFailed, lost: client)
        } else if connection === peer.leg?.connection {
            // A relay that only saw AUTHs: the client may still turn to somebody else.
            guard client.paths.isFixed || peer.paths.isFixed else { return losePeer() }
            end(isOrderly ? .peerClosed : .peerFailed, lost: peer)
        }
    }

    private func losePeer() {
        for entry in peer.requests.abandon() { client.writeAnswer(entry.head, .timeout) }
        peer.detach()
        forgetFarHop()
    }

    private func forgetFarHop() {
        farHop = nil
        farRelay = nil
        leadsToRelay = false
    }

    // MARK: Going out

    /// Whether what this side says may go where the other side's connection leads.
    func mayPassOn(from side: Side) -> Bool {
        guard side.isClient, farHop != nil, let next = firstHop(of: client.paths.to) else { return true }
        return leads(to: next)
    }

    private func leads(to hop: URI) -> Bool {
        [farHop, farRelay].contains {
            guard let known = $0 else { return false }
            return known.host.lowercased() == hop.host.lowercased() && known.scheme == hop.scheme
                && (hop.port == nil || hop.port == known.port ?? Self.defaultPort)
        }
    }

    /// Opens the peer leg to the first hop of the way.
    func connect(toward way: ByteBuffer) {
        // An AUTH, whose way is not the side's, has begun to.
        guard !isConnecting else { return }
        guard let hop = firstHop(of: way) else { return connectFailed(.badRequest, "the next hop is no URI") }
        connect(to: hop) { destination in destination }
    }

    /// Opens the far leg to the relay that an AUTH names behind us, by mutual TLS (RFC 4976 section 6.3).
    /// - Returns: how to refuse the AUTH; nil: it can be passed on, as soon as there is a peer leg.
    func reachRelay(_ head: Head) -> Status? {
        let configuration = terms.configuration
        guard let path = head.toPath, path.uris.count > 1 else { return .badRequest }
        var hop = path.uris[1]
        if peer.leg != nil || isConnecting { return leadsToRelay && leads(to: hop) ? nil : .forbidden }
        let known = configuration.peers.first {
            $0.host.lowercased() == hop.host.lowercased() && ($0.port == nil || hop.port == nil || $0.port == hop.port)
        }
        guard let known, hop.scheme == .msrps, let context = relay.peerTLS else { return .forbidden }
        // AUTH alone may leave the port out (RFC 4976 section 8); the operator knows it.
        hop.port = hop.port ?? known.port
        leadsToRelay = true
        connect(to: hop) { destination in
            var destination = destination
            destination.tlsContext = context
            destination.verifiesName = true
            // The operator named it.
            destination.isAtPeersWord = false
            destination.sessionKey = nil
            return destination
        }
        return nil
    }

    /// The port registered for MSRP (RFC 4975 section 15.4), where a URI names none.
    static let defaultPort = 2855

    private func firstHop(of way: ByteBuffer) -> URI? {
        way.withUnsafeReadableBytes { Path($0) }?.first
    }

    private func connect(to hop: URI, adjust: (Destination) -> Destination) {
        guard !isConnecting else { return }
        isConnecting = true
        farHop = hop
        var destination = Destination(
            host: hop.host, port: hop.port ?? Self.defaultPort, isTLS: hop.scheme == .msrps,
            signallingSource: client.leg?.connection.remoteIP, sessionKey: hop.sessionKey.map(String.init))
        destination.policy = terms.configuration.egress
        relay.transport.connector.connect(to: adjust(destination), owner: self, session: id) { [self] result in
            isConnecting = false
            guard case .failure(let error) = result, !isEnded, peer.leg == nil else { return }
            connectFailed(error.relayStatus, "\(error)")
        }
    }

    private func connectFailed(_ status: Status, _ reason: String) {
        relay.counters.connectsFailed &+= 1
        var metadata = metadata
        if let farHop { metadata["peer"] = "\(farHop.host):\(farHop.port ?? Self.defaultPort)" }
        metadata["reason"] = "\(reason)"
        relay.logger.info("cannot connect to the peer of a relay session", metadata: metadata)
        forgetFarHop()
        client.connectFailed(status)
    }

    /// An answer from the peer side went back. Several AUTHs that another relay refused end the connection of a client
    /// (RFC 4976 section 6.3).
    func passedAnswer(_ head: Head, to entry: PassedRequests.Entry, from side: Side) {
        if leadsToRelay, entry.head.method == .auth, head.status == .ok, let way = head.usePath?.uris,
            let own = way.firstIndex(where: { $0.sessionKey == Substring(id.text) }), own + 1 < way.count
        {
            farRelay = way[own + 1]
        }
        guard entry.hasCredentials, !side.isClient, !isRelayPeer, let status = head.status else { return }
        let isStale = head.value("WWW-Authenticate")?.lowercased().contains("stale=true") == true
        guard status == .forbidden || (status == .unauthorized && !isStale) else { return }
        refusedAuths += 1
        if refusedAuths >= terms.configuration.maxAuthAttempts { end(.authFailures, lost: nil) }
    }

    // MARK: Time

    func ticked(at now: NIODeadline) {
        tick(client, peer, at: now)
        tick(peer, client, at: now)
        if let expiry {
            if expiry <= now { end(.expired, lost: nil) }
        } else if state != .bound {
            if unboundExpiry <= now { end(.unused, lost: nil) }
        } else if let longest = terms.configuration.maximumSessionTime, opened + TimeAmount(longest) <= now {
            end(.maximumTime, lost: nil)
        }
    }

    private func tick(_ side: Side, _ other: Side, at now: NIODeadline) {
        if let deadline = side.hop.nextDeadline, deadline <= now {
            for failure in side.hop.expire(now: now) { other.report(failure) }
            side.heedAnswers()
        }
        for entry in side.requests.expire(now: now) { other.writeAnswer(entry.head, .timeout) }
        side.ticked(at: now)
    }

    // MARK: The end

    /// Both sides are told what did not arrive, and their connections closed when all that was passed on is written.
    /// - Parameter lost: the side whose connection is gone.
    func end(_ reason: SessionEnd, lost: Side?) {
        guard !isEnded else { return }
        // What it says is known now, and said at the end.
        let line = relay.logger.logLevel <= .info ? endLine(reason) : [:]
        isEnded = true
        relay.transport.sessions.release(id)
        client.giveUpChunk()
        peer.giveUpChunk()
        settle(client, peer, lost: lost)
        settle(peer, client, lost: lost)
        let connections = [client.leg?.connection, peer.leg?.connection]
        client.detach()
        peer.detach()
        for connection in connections { connection?.leave(self, closing: .orderly) }
        relay.forget(self, reason)
        relay.logger.info("relay session ended", metadata: line)
    }

    /// Tells a side what became of what it sent to the other.
    private func settle(_ side: Side, _ other: Side, lost: Side?) {
        let failures = other.hop.abandon()
        let requests = other.requests.abandon()
        guard side !== lost else { return }
        for failure in failures { side.report(failure) }
        side.reportPending()
        for entry in requests { side.writeAnswer(entry.head, .timeout) }
    }

    private func endLine(_ reason: SessionEnd) -> Logger.Metadata {
        var line = metadata
        line["client"] = "\(client.address)"
        line["peer"] = "\(peer.leg == nil ? "none" : peer.address)"
        line["from-client"] = "\(client.octets)"
        line["from-peer"] = "\(peer.octets)"
        line["reason"] = "\(reason.rawValue)"
        return line
    }

    private var metadata: Logger.Metadata {
        ["account": "\(account)", "session": "\(id.text.prefix(8))", "state": "\(state.rawValue)"]
    }

    func snapshot(now: NIODeadline) -> RelaySnapshot.Session {
        RelaySnapshot.Session(
            account: account.description, state: state.rawValue, clientAddress: client.address,
            peerAddress: peer.leg == nil ? nil : peer.address, bytesFromClient: client.octets,
            bytesFromPeer: peer.octets, messages: client.messages &+ peer.messages,
            age: Int((now - opened).nanoseconds / 1_000_000_000))
    }
}

@available(*, unavailable)
extension RelaySession: Sendable {}

extension ConnectError {
    /// What the sender hears of it.
    var relayStatus: Status {
        switch self {
        case .refusedByPolicy, .noTLS: .forbidden
        case .unknownHost, .tooManyConnections, .timedOut, .failed, .tlsFailed, .shuttingDown: .timeout
        }
    }
}
