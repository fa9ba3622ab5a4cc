import DigestAuth
import Logging
import MSRP
import MSRPTransport
import NIOCore

/// Where AUTHs are handed in: reads them, has `AuthMachine` judge them, asks the account store without blocking the
/// loop, answers, and has the relay open a session for those who proved who they are.
///
/// - It owns no connection (`TransportLoop.authOwner`): until a session is opened the connection stays nobody's, and is
///   closed when nobody's time is over (RFC 4976 section 6.1).
/// - Each AUTH is answered once, or its connection closed.
/// - While the store is asked, nothing more is read from a client's connection; from a relay's, up to
///   `mostLookUpsOfRelay` AUTHs are looked up at a time, and its other traffic goes on.
final class AuthDesk: SessionOwner, SessionRefresher {
    /// Octets of an AUTH's body; it is skipped, and a longer one ends the connection.
    static let largestBody = 16 * 1024
    /// A store that doesn't answer within this is unavailable.
    var patience: TimeAmount = .seconds(10)
    static let mostLookUpsOfRelay = 16

    /// What is known of one connection's AUTHs.
    private final class Visit {
        var machine: AuthMachine
        /// The AUTH that is coming in.
        var head: Head?
        var bodyBytes = 0
        var lookUps = 0

        init(machine: AuthMachine) { self.machine = machine }
    }

    /// An AUTH that waits for the store.
    private struct Job {
        let head: Head
        let connection: Connection
        let visit: Visit
        let request: AuthRequest
        let scene: AuthMachine.Scene
        let session: (any OpenedSession)?
        let step: Step
        let deadline: NIODeadline
    }

    private enum Step {
        case account(DigestClaim)
        case algorithms(AuthChallenge)
    }

    private enum Answer: Sendable {
        case account(AccountLookup)
        case algorithms([DigestAlgorithm])
    }

    private let opener: any SessionOpener
    private var accounts: any AccountStore
    private let transport: TransportLoop
    private let logger: Logger
    private let clock: () -> NIODeadline
    private let source: NonceSource
    /// The same for all: it is to be returned and means nothing here.
    private let opaque: String
    private var visits: [ObjectIdentifier: Visit] = [:]
    private var jobs: [UInt64: Job] = [:]
    private var lastJob: UInt64 = 0
    private var offered = OfferedAlgorithms()
    private var throttle = FailureThrottle()
    /// For tests: whether failures are counted for loopback, too.
    var throttlesLoopback = true

    /// - Parameters:
    ///   - clock: and `source`: for tests.
    init(
        transport: TransportLoop, opener: any SessionOpener, accounts: any AccountStore, logger: Logger,
        clock: @escaping () -> NIODeadline = { .now() }, source: NonceSource = .system
    ) {
        self.transport = transport
        self.opener = opener
        self.accounts = accounts
        self.logger = logger
        self.clock = clock
        self.source = source
        var source = source
        opaque = source.text()
        transport.everyTick { [weak self] now in self?.ticked(at: now) }
    }

    /// From now on these accounts count.
    func renew(accounts: any AccountStore) {
        self.accounts = accounts
        offered.forget()
    }

    /// Connections and look-ups under way, for tests.
    var load: (visits: Int, jobs: Int) { (visits.count, jobs.count) }

    // MARK: SessionOwner

    func bound(_ connection: Connection, head: Head?) {
        visits[ObjectIdentifier(connection)] = Visit(machine: AuthMachine(source: source))
    }

    func part(_ part: Part, from connection: Connection) {
        let visit = visit(of: connection)
        switch part {
        case .head(let head):
            visit.head = head
            visit.bodyBytes = 0
        case .body(let bytes):
            visit.bodyBytes &+= bytes.readableBytes
            if visit.bodyBytes > Self.largestBody {
                visit.head = nil
                connection.close(.now)
            }
        case .outgoingEndLine:
            break
        case .end(let continuation):
            guard let head = visit.head else { return }
            visit.head = nil
            take(head, isWhole: continuation == .complete, visit, over: connection, session: nil)
        }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        guard let visit = visits.removeValue(forKey: ObjectIdentifier(connection)), visit.lookUps > 0 else { return }
        jobs = jobs.filter { $0.value.connection !== connection }
    }

    // MARK: SessionRefresher

    func authenticate(_ head: Head, over connection: Connection, for session: any OpenedSession) {
        take(head, isWhole: true, visit(of: connection), over: connection, session: session)
    }

    // MARK: One AUTH

    private func visit(of connection: Connection) -> Visit {
        let key = ObjectIdentifier(connection)
        if let visit = visits[key] { return visit }
        let visit = Visit(machine: AuthMachine(source: source))
        visits[key] = visit
        return visit
    }

    private func take(
        _ head: Head, isWhole: Bool, _ visit: Visit, over connection: Connection, session: (any OpenedSession)?
    ) {
        let rules = opener.configuration
        // No request but SEND comes in chunks (RFC 4975 section 7.1).
        let request = isWhole ? AuthRequest(head) : nil
        var scene = AuthMachine.Scene(isProtected: connection.isTLS)
        scene.isRelayPeer = request.map { isRelayPeer($0, connection, rules) } ?? false
        scene.isTaken = connection.owner != nil
        scene.session = session?.account
        let now = clock()
        // Who has a session is not to lose it for what others at the address do.
        if session == nil, let address = countedAddress(of: connection, scene),
            throttle.isBlocked(address, at: now.uptimeNanoseconds)
        {
            // Others may share the address: this doesn't say that their password is wrong.
            let refusal = AuthRefusal(status: .timeout, reason: .throttled, isFailure: false, closes: true)
            return refuse(refusal, head, request, scene, connection)
        }
        switch visit.machine.receive(request, in: scene, rules: rules, at: now.uptimeNanoseconds) {
        case .decided(.refuse(let refusal)):
            refuse(refusal, head, request, scene, connection)
        case .decided(.challenge(let challenge)):
            guard let request else { return }
            prepare(challenge, head, request, scene, visit, connection, session)
        case .decided(.grant):
            break
        case .lookUp(let claim):
            guard let request else { return }
            let job = Job(
                head: head, connection: connection, visit: visit, request: request, scene: scene, session: session,
                step: .account(claim), deadline: now + patience)
            let (username, realm) = (claim.username, claim.realm)
            if let account = accounts.known(username: username, realm: realm) {
                judge(job, claim, account)
            } else {
                wait(for: job) { .account(await $0.lookUp(username: username, realm: realm)) }
            }
        }
    }

    private func judge(_ job: Job, _ claim: DigestClaim, _ account: AccountLookup) {
        if case .unavailable(let reason) = account {
            // The store logs it as an error, once a minute; this is of each client.
            logger.debug(
                "accounts cannot be looked up",
                metadata: ["realm": "\(job.scene.session?.realm ?? claim.realm)", "reason": "\(reason)"])
        }
        let decision = job.visit.machine.judge(
            job.request, claim, account, in: job.scene, rules: opener.configuration, at: clock().uptimeNanoseconds)
        switch decision {
        case .refuse(let refusal):
            refuse(refusal, job.head, job.request, job.scene, job.connection)
        case .challenge(let challenge):
            prepare(challenge, job.head, job.request, job.scene, job.visit, job.connection, job.session)
        case .grant(let grant):
            self.grant(grant, job)
        }
    }

    private func isRelayPeer(_ request: AuthRequest, _ connection: Connection, _ rules: RelayConfiguration) -> Bool {
        guard connection.isTLS, !rules.peers.isEmpty else { return false }
        let hop = request.fromPath.first
        return rules.peers.contains {
            $0.host.lowercased() == hop.host.lowercased() && ($0.port ?? hop.port) == hop.port
        }
            && connection.peerIsTrusted(for: hop.host)
    }

    // MARK: Answers

    private func prepare(
        _ challenge: AuthChallenge, _ head: Head, _ request: AuthRequest, _ scene: AuthMachine.Scene, _ visit: Visit,
        _ connection: Connection, _ session: (any OpenedSession)?
    ) {
        let now = clock()
        let known = accounts.knownAlgorithms(realm: challenge.realm).map(OfferedAlgorithms.order)
        if let algorithms = known ?? offered.known(challenge.realm, at: now.uptimeNanoseconds) {
            return self.challenge(challenge, algorithms, head, request, scene, connection)
        }
        let realm = challenge.realm
        let job = Job(
            head: head, connection: connection, visit: visit, request: request, scene: scene, session: session,
            step: .algorithms(challenge), deadline: now + patience)
        wait(for: job) { .algorithms(await $0.algorithms(realm: realm)) }
    }

    private func challenge(
        _ challenge: AuthChallenge, _ algorithms: [DigestAlgorithm], _ head: Head, _ request: AuthRequest,
        _ scene: AuthMachine.Scene, _ connection: Connection
    ) {
        if let reason = challenge.reason {
            note(reason, 401, request, scene, connection, isFailure: challenge.isFailure)
        }
        connection.writeWhole {
            AuthReply.write(challenge, algorithms: algorithms, opaque: opaque, to: head, into: &$0)
        }
        finish(.unauthorized, connection, closes: challenge.closes)
    }

    private func refuse(
        _ refusal: AuthRefusal, _ head: Head, _ request: AuthRequest?, _ scene: AuthMachine.Scene,
        _ connection: Connection
    ) {
        note(refusal.reason, refusal.status.code, request, scene, connection, isFailure: refusal.isFailure)
        connection.writeWhole { AuthReply.write(refusal, to: head, isAddressed: request != nil, into: &$0) }
        finish(refusal.status, connection, closes: refusal.closes)
    }

    private func grant(_ grant: AuthGrant, _ job: Job) {
        let session: any OpenedSession
        if let known = job.session {
            // It may have ended while the store was asked.
            guard let key = job.head.sessionKey, transport.sessions.owner(of: SessionID(text: key)) != nil else {
                let refusal = AuthRefusal(
                    status: .noSuchSession, reason: .noSuchSession, isFailure: false, closes: false)
                return refuse(refusal, job.head, job.request, job.scene, job.connection)
            }
            known.refreshed(expires: grant.requestedExpires)
            session = known
        } else {
            let opened = opener.open(
                account: grant.account, over: job.connection, authHead: job.head, clientPath: job.request.fromPath,
                expires: grant.requestedExpires, isRelayPeer: job.scene.isRelayPeer)
            guard let opened else {
                let refusal = AuthRefusal(status: .timeout, reason: .tableFull, isFailure: false, closes: false)
                return refuse(refusal, job.head, job.request, job.scene, job.connection)
            }
            session = opened
        }
        job.connection.writeWhole { AuthReply.write(grant, usePath: session.usePath, to: job.head, into: &$0) }
        finish(.ok, job.connection, closes: false)
    }

    private func finish(_ status: Status, _ connection: Connection, closes: Bool) {
        opener.counters.countAuth(status.code)
        if closes { connection.close(.orderly) }
    }

    // MARK: Failures

    /// The address whose failures count; a relay's clients have theirs at the relay.
    private func countedAddress(of connection: Connection, _ scene: AuthMachine.Scene) -> IPAddress? {
        guard !scene.isRelayPeer, let address = connection.remoteIP, throttlesLoopback || !address.isLoopback else {
            return nil
        }
        return address
    }

    private func note(
        _ reason: AuthFailure, _ code: Int, _ request: AuthRequest?, _ scene: AuthMachine.Scene,
        _ connection: Connection, isFailure: Bool
    ) {
        if isFailure, reason.isGuess, let address = countedAddress(of: connection, scene) {
            throttle.failed(address, at: clock().uptimeNanoseconds)
        }
        let level: Logger.Level = opener.configuration.logsFailedAuth ? .warning : .debug
        guard logger.logLevel <= level else { return }
        var metadata: Logger.Metadata = [
            "peer": "\(connection.remotePlace ?? "unknown")", "reason": "\(reason.rawValue)",
            "status": "\(code)",
        ]
        if case .claim(let claim) = request?.authorization {
            metadata["account"] = "\(claim.username.prefix(128))@\(claim.realm.prefix(128))"
        }
        logger.log(level: level, "AUTH refused", metadata: metadata)
    }

    // MARK: Waiting for the store

    private func wait(for job: Job, _ question: @escaping @Sendable (any AccountStore) async -> Answer) {
        lastJob &+= 1
        let number = lastJob
        jobs[number] = job
        job.visit.lookUps += 1
        job.connection.hold(job.visit.lookUps >= (job.scene.isRelayPeer ? Self.mostLookUpsOfRelay : 1), for: job.visit)
        let (accounts, loop) = (accounts, transport.eventLoop)
        let desk = NIOLoopBound(self, eventLoop: loop)
        Task {
            let answer = await question(accounts)
            loop.execute { desk.value.answered(number, answer) }
        }
    }

    private func answered(_ number: UInt64, _ answer: Answer) {
        guard let job = end(number) else { return }
        switch (job.step, answer) {
        case (.account(let claim), .account(let account)):
            judge(job, claim, account)
        case (.algorithms(let challenge), .algorithms(let stored)):
            let algorithms = offered.learn(stored, realm: challenge.realm, at: clock().uptimeNanoseconds)
            self.challenge(challenge, algorithms, job.head, job.request, job.scene, job.connection)
        default:
            break
        }
        transport.scheduler.flush()
    }

    private func end(_ number: UInt64) -> Job? {
        guard let job = jobs.removeValue(forKey: number) else { return nil }
        job.visit.lookUps -= 1
        job.connection.hold(false, for: job.visit)
        return job
    }

    /// Called every tick, before a flush.
    private func ticked(at now: NIODeadline) {
        guard !jobs.isEmpty else { return }
        for (number, job) in jobs where job.deadline <= now {
            guard end(number) != nil else { continue }
            logger.error("the account store does not answer")
            let refusal = AuthRefusal(status: .timeout, reason: .storeUnavailable, isFailure: false, closes: false)
            refuse(refusal, job.head, job.request, job.scene, job.connection)
        }
    }
}

extension Connection {
    fileprivate func hold(_ holds: Bool, for holder: AnyObject) {
        if holds { pauseReading(by: holder) } else { resumeReading(by: holder) }
    }
}

@available(*, unavailable)
extension AuthDesk: Sendable {}
