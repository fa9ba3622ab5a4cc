import Logging
import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS

/// The configuration that sessions are opened under, shared by those of one time.
final class RelayTerms: Sendable {
    let configuration: RelayConfiguration
    /// Its `answerTime`, as the event loop counts.
    let answerTime: TimeAmount

    init(_ configuration: RelayConfiguration) {
        self.configuration = configuration
        answerTime = TimeAmount(configuration.answerTime)
    }
}

/// The relay on one event loop: its sessions, what they share, and what happens every tick.
final class Relay: SessionOpener {
    let transport: TransportLoop
    /// For new sessions; running ones keep theirs.
    var configuration: RelayConfiguration {
        didSet { terms = RelayTerms(configuration) }
    }
    private var terms: RelayTerms
    var counters = RelayCounters()
    let logger: Logger
    /// Who answers AUTH; only kept here.
    var desk: AuthDesk?
    /// Who authenticates refreshes.
    var refresher: (any SessionRefresher)?
    /// For connections to relay peers: with our certificate. Nil: no AUTH is forwarded.
    var peerTLS: TLSContext?
    var ids = RelayIDs()
    private(set) var sessions: [RelaySession] = []
    private var accounts: [RelayAccount: AccountRates] = [:]
    private var isClosing = false

    /// What an account's sessions share.
    private struct AccountRates {
        let fromClients: SharedThrottle
        let fromPeers: SharedThrottle
        var sessions = 0
    }

    init(transport: TransportLoop, configuration: RelayConfiguration, logger: Logger) {
        self.transport = transport
        self.configuration = configuration
        terms = RelayTerms(configuration)
        self.logger = logger
        transport.everyTick { [self] in ticked(at: $0) }
    }

    // MARK: Sessions

    func open(
        account: RelayAccount, over connection: Connection, authHead: Head, clientPath: Path, expires: Int?,
        isRelayPeer: Bool
    ) -> (any OpenedSession)? {
        guard !isClosing else { return nil }
        let id = transport.sessions.newID()
        let now = NIODeadline.now()
        let session = RelaySession(
            relay: self, id: id, account: account, terms: terms, clientPath: clientPath, isSecure: connection.isTLS,
            isRelayPeer: isRelayPeer, expires: expires, rates: rates(of: account, now: now), now: now)
        guard transport.sessions.reserve(id, owner: session, deadline: nil) else {
            dropUnusedRates(of: account)
            return nil
        }
        guard connection.attach(to: session, session: id, head: authHead) else {
            transport.sessions.release(id)
            dropUnusedRates(of: account)
            return nil
        }
        session.index = sessions.count
        sessions.append(session)
        accounts[account]?.sessions += 1
        counters.sessions = sessions.count
        counters.sessionsOpened &+= 1
        logger.debug(
            "relay session opened", metadata: ["account": "\(account)", "session": "\(id.text.prefix(8))"])
        return session
    }

    func forget(_ session: RelaySession, _ reason: SessionEnd) {
        guard session.index < sessions.count, sessions[session.index] === session else { return }
        let last = sessions.removeLast()
        if last !== session {
            sessions[session.index] = last
            last.index = session.index
        }
        counters.sessions = sessions.count
        counters.sessionsEnded[reason.rawValue, default: 0] &+= 1
        if let count = accounts[session.account]?.sessions {
            if count > 1 { accounts[session.account]?.sessions = count - 1 } else { accounts[session.account] = nil }
        }
    }

    private func rates(of account: RelayAccount, now: NIODeadline) -> (client: SideRates?, peer: SideRates?) {
        if let rate = configuration.accountRate, accounts[account] == nil {
            accounts[account] = AccountRates(
                fromClients: SharedThrottle(rate: rate, now: now), fromPeers: SharedThrottle(rate: rate, now: now))
        }
        let shared = accounts[account]
        let own = configuration.sessionRate
        return (
            SideRates(session: own, account: shared?.fromClients, now: now),
            SideRates(session: own, account: shared?.fromPeers, now: now)
        )
    }

    private func dropUnusedRates(of account: RelayAccount) {
        if accounts[account]?.sessions == 0 { accounts[account] = nil }
    }

    // MARK: Time

    private func ticked(at now: NIODeadline) {
        // From the end, since sessions that end take the last one's place.
        var index = sessions.count
        while index > 0 {
            index -= 1
            if index < sessions.count { sessions[index].ticked(at: now) }
        }
    }

    func snapshot() -> RelaySnapshot {
        let now = NIODeadline.now()
        return RelaySnapshot(
            counters: counters, sessions: sessions.prefix(RelaySnapshot.mostSessions).map { $0.snapshot(now: now) })
    }

    func shutdown() {
        isClosing = true
        for session in sessions { session.end(.shutdown, lost: nil) }
    }
}

@available(*, unavailable)
extension Relay: Sendable {}
