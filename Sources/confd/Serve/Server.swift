internal import Focus
internal import Logging
internal import MSRPTransport
internal import MediaMixer
internal import NIOCore
internal import NIOGnuTLS
internal import NIOPosix
internal import RelayCore
internal import SIP
internal import Store

#if canImport(Glibc)
    internal import Glibc
#endif

/// All parts of the running server, wired together.
///
/// Started from the inside out, so that whoever can reach a part finds those behind it ready: transport, relay, then
/// mixer, SIP stack and focus. Ended from the outside in.
actor Server {
    /// What holds now; SIGHUP changes it.
    private(set) var settings: Settings
    private(set) var certificates: Certificates
    private(set) var listeners: OpenListeners
    /// What each option's value is, in the words of `SettingsSource.taken`.
    private(set) var inForce: [SettingsSource.Place: String]
    private var relay: RunningRelay?
    private var accounts: Accounts?
    /// Rooms, roles, subjects, policy documents; nil where no rooms are served.
    private let database: EmbeddedDatabase?
    private var control: ControlSocket?

    nonisolated let stateDirectory: String
    nonisolated let transport: TransportHandle
    /// Nil where the relay runs alone.
    nonisolated let conference: ConferenceService?
    private nonisolated let began = ContinuousClock.now
    private nonisolated let logger: Logger

    /// Opens every listener, or throws and leaves none open.
    static func start(_ loaded: SettingsFile.Loaded) async throws(StartError) -> Server {
        let settings = loaded.settings
        let logger = Logger(label: "confd")
        raiseFileLimit(logger)
        let stateDirectory = try StateDirectory.prepare(settings.conference.stateDirectory)
        let domains = ServedDomains(settings)
        let certificates = try Certificates(settings, stateDirectory: stateDirectory, names: domains.certificateNames)
        let plan = try ListenPlan(settings)
        let accounts = try await Accounts.open(settings, stateDirectory: stateDirectory)
        let database = settings.runsSIP ? try await openDatabase(stateDirectory) : nil
        let transport = await TransportHandle.start(
            on: eventLoops(settings.msrp.threads),
            configuration: try settings.transport(certificates), logger: Logger(label: "msrp"))
        do throws(StartError) {
            let listeners = try await OpenListeners.open(plan, on: transport)
            let relay = try await RunningRelay.start(
                settings, certificates, listeners: listeners.relay, transport, accounts)
            var conference: ConferenceService?
            if let database {
                conference = try await ConferenceService.start(
                    settings, certificates, msrpListeners: listeners.msrp, transport, accounts?.store, database,
                    stateDirectory: stateDirectory)
            }
            let server = Server(
                settings, loaded.source.taken, certificates, listeners, relay, accounts, database, stateDirectory,
                transport, conference, logger)
            await server.complete(domains)
            return server
        } catch {
            await transport.shutdown()
            await accounts?.close()
            await database?.close()
            throw error
        }
    }

    private init(
        _ settings: Settings, _ inForce: [SettingsSource.Place: String], _ certificates: Certificates,
        _ listeners: OpenListeners, _ relay: RunningRelay?, _ accounts: Accounts?,
        _ database: EmbeddedDatabase?, _ stateDirectory: String,
        _ transport: TransportHandle, _ conference: ConferenceService?, _ logger: Logger
    ) {
        self.settings = settings
        self.inForce = inForce
        self.certificates = certificates
        self.listeners = listeners
        self.relay = relay
        self.accounts = accounts
        self.database = database
        self.stateDirectory = stateDirectory
        self.transport = transport
        self.conference = conference
        self.logger = logger
    }

    /// What needs the whole server: the socket by which its state is asked for.
    private func complete(_ domains: ServedDomains) async {
        do throws(StartError) {
            control = try await ControlSocket.start(
                path: ControlSocket.path(stateDirectory: stateDirectory), logger: Logger(label: "control")
            ) { [self] in await answer($0) }
        } catch {
            logger.warning("confd status will not work", metadata: ["reason": "\(error)"])
        }
        var metadata: Logger.Metadata = ["state": "\(stateDirectory)"]
        if conference != nil {
            metadata["domains"] = "\(domains.all.joined(separator: ","))"
            metadata["rooms"] = "\(settings.rooms.count)"
        }
        if let relay { metadata["relay"] = "\(relay.configuration.hostname)" }
        logger.info("serving", metadata: metadata)
        await warn()
    }

    /// What an operator will hardly want.
    private func warn() async {
        guard settings.runsSIP else { return }
        if settings.sip.auth == .none, !settings.sip.isOnLoopback {
            logger.warning(
                "callers are not asked who they are: everybody who reaches a SIP port is believed; [SIP] auth = required changes it"
            )
        }
        if settings.sip.auth == .required, settings.accountsBackend == .database, settings.database.uri == nil,
            (try? await database?.accounts())?.isEmpty == true
        {
            logger.warning("nobody can call: there are no accounts; 'confd account add user@domain' makes one")
        }
    }

    /// Several have threads of their own, for as long as the process lives.
    private static func eventLoops(_ count: Int) -> [any EventLoop] {
        guard count > 1 else { return [MultiThreadedEventLoopGroup.singleton.next()] }
        return Array(MultiThreadedEventLoopGroup(numberOfThreads: count).makeIterator())
    }

    private static func openDatabase(_ stateDirectory: String) async throws(StartError) -> EmbeddedDatabase {
        do {
            return try await EmbeddedDatabase.open(stateDirectory: stateDirectory)
        } catch {
            throw StartError(error.description)
        }
    }

    // MARK: New settings (Reload.swift)

    /// The accounts that new settings ask for: those that are open, unless other ones are meant.
    func nextAccounts(_ next: Settings) async throws(StartError) -> (value: Accounts, isNew: Bool)? {
        let isSameDatabase = next.accountsBackend == .database && settings.accountsBackend == .database
        if isSameDatabase, next.database == settings.database, let accounts { return (accounts, false) }
        return try await Accounts.open(next, stateDirectory: stateDirectory).map { ($0, true) }
    }

    func moveListeners(to plan: ListenPlan) async throws(StartError) {
        var moved = listeners
        try await moved.move(to: plan, on: transport)
        listeners = moved
    }

    /// The part of a reload that can't fail.
    func change(
        to next: Settings, _ nextCertificates: Certificates, _ accounts: Accounts?, _ peerTLS: TLSContext?,
        _ loaded: SettingsFile.Loaded
    ) async {
        let address = listeners.relay.first.map { HostPort($0) }
        if let accounts,
            let configuration = next.relay?.configuration(
                nextCertificates, listener: address, answerTime: next.msrp.transactionTimeout)
        {
            if let running = relay {
                await running.handle.reconfigure(configuration, accounts: accounts.store, peerTLS: peerTLS)
                relay = RunningRelay(handle: running.handle, configuration: configuration)
            } else {
                let handle = await RelayHandle.start(
                    transport: transport, configuration: configuration, accounts: accounts.store, peerTLS: peerTLS,
                    logger: Logger(label: "relay"))
                relay = RunningRelay(handle: handle, configuration: configuration)
            }
        }
        await conference?.reconfigure(
            next, nextCertificates, msrpListeners: listeners.msrp, accounts: accounts?.store)
        if let old = self.accounts, accounts.map({ !old.isSame(as: $0) }) ?? true { await old.close() }
        self.accounts = accounts
        settings = next
        certificates = nextCertificates
        for (place, value) in loaded.source.taken {
            guard let option = Options.all.first(where: { $0.isAt(place) }), option.isReadAgain else { continue }
            inForce[place] = value
        }
    }

    // MARK: The end

    /// Ends every call with BYE, then every connection. Takes no longer than `shutdown_time` and a second.
    func shutdown() async {
        logger.info("ending")
        await control?.close()
        await conference?.hangUp()
        async let connections: Void = closeConnections()
        async let calls: Void? = conference?.endCalls()
        _ = await (connections, calls)
        await accounts?.close()
        await conference?.history.close()
        await database?.close()
        logger.info("ended")
    }

    private func closeConnections() async {
        await conference?.closeRooms()
        await relay?.handle.shutdown()
        await transport.shutdown()
    }

    /// `confd ready: sip=udp:127.0.0.1:5060,tcp:127.0.0.1:5060 msrp=127.0.0.1:2855 pid=123`; without `sip=` where the
    /// relay runs alone, and with `relay=` where it has an address of its own.
    var readyLine: String {
        let words = addresses.map { "\($0.name)=\($0.addresses.joined(separator: ","))" }
        return "confd ready: \(words.joined(separator: " ")) pid=\(getpid())"
    }

    /// The listeners by their names in the ready line.
    private var addresses: [(name: String, addresses: [String])] {
        func text(_ addresses: [SocketAddress]) -> [String] { addresses.map { HostPort($0).description } }
        var result: [(name: String, addresses: [String])] = []
        if let conference { result.append(("sip", conference.sipListeners.map(\.description))) }
        result.append(("msrp", text(conference == nil ? listeners.relay : listeners.msrp)))
        if !listeners.plan.isShared { result.append(("relay", text(listeners.relay))) }
        return result
    }

    /// Answers a command.
    private func answer(_ request: ControlMessage.Request) async -> ControlMessage.Answer {
        switch request.command {
        case "status": return ControlMessage.Answer(status: await status())
        case "room":
            guard let order = request.room else { return ControlMessage.Answer(error: "the request has no 'room'") }
            guard let conference, let database else {
                return ControlMessage.Answer(error: "the server is a relay only: it serves no rooms")
            }
            return await ControlSocketRooms(
                focus: conference.focus, database: database, mixer: conference.mixer, history: conference.history
            ).answer(order)
        case let command: return ControlMessage.Answer(error: "the command '\(command)' is not known")
        }
    }

    /// For `confd status`.
    private func status() async -> ServerStatus {
        async let transport = transport.counters()
        async let rooms = conference?.mixer.counters()
        async let sip = conference?.focus.status
        async let relay = relay?.handle.snapshot()
        return await ServerStatus(
            version: Confd.version, pid: getpid(),
            uptimeSeconds: Int((ContinuousClock.now - began).components.seconds),
            listeners: Dictionary(addresses.map { ($0.name, $0.addresses) }) { first, _ in first },
            transport: ServerStatus.Transport(transport), sip: sip,
            rooms: rooms.map { ServerStatus.Rooms($0) }, relay: relay)
    }

    /// A connection is a descriptor: allow as many as the system lets us.
    private static func raiseFileLimit(_ logger: Logger) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        guard limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
            logger.notice("the limit of open files stays as it is", metadata: ["limit": "\(limit.rlim_cur)"])
        }
    }
}

extension HostPort {
    /// The address and port of a listener.
    init(_ address: SocketAddress) {
        self.init(host: address.ipAddress ?? "\(address)", port: address.port)
    }
}
