internal import MediaMixer

/// Everything that `confd serve` can be told, checked and typed.
struct Settings: Equatable, Sendable {
    struct SIP: Equatable, Sendable {
        var listen: [ListenEntry]
        var advertise: HostPort?
        /// Empty: every name and address of this host.
        var domains: [String]
        var certificate: String?
        var key: String?
        var ackTimeout: Duration
        var sessionExpires: Duration
        var minSE: Duration
        var maxDialogs: Int
        var shutdownTime: Duration
        /// Never nil once the settings are read: none on loopback, else required.
        var auth: AuthChoice
        var nonceLifetime: Duration
        /// `address/bits`
        var trusted: [String]
        var trustedNames: [String]
        var trust: String?
        /// Requests a second and at once, failures a minute.
        var requestRate: Int
        var requestBurst: Int
        var failuresPerMinute: Int
        var throttleAll: Bool
        var maxSubscriptions: Int

        /// Whether no other machine reaches the listeners.
        var isOnLoopback: Bool { listen.allSatisfy { Settings.isLoopback($0.host) } }
    }

    struct MSRP: Equatable, Sendable {
        var host: String
        var port: Int
        var advertise: HostPort?
        var maxMessageSize: Int
        var certificate: String?
        var key: String?
        var trust: String?
        var verifyPeers: Bool
        var egress: EgressChoice
        var maxUnchunked: Int
        var gracePeriod: Duration
        var reconnectSameSession: Bool
        var transactionTimeout: Duration
        var connectTimeout: Duration
        var handshakeTimeout: Duration
        var silentTimeout: Duration
        var slowMemberWait: Duration
        var chunkTimeout: Duration
        /// Beginnings of User-Agent values.
        var noChunks: [String]
        var threads: Int
        var maxConnections: Int
        var maxConnectionsPerAddress: Int
        var maxConnectsPerDestination: Int
        var maxHeadSize: Int
        var maxQueueSize: Int
        var offer: OfferChoice
    }

    /// `[Outbound]`
    struct Outbound: Equatable, Sendable {
        /// A SIP URI.
        var proxy: String?
        var user: String?
        var password: String?
        var tlsVerify: Bool
    }

    struct Conference: Equatable, Sendable {
        var adhocRooms: Bool
        var stateDirectory: String?
        var maxRooms: Int
        var maximumParticipants: Int
        var plainText: Bool
        var welcome: String?
        var pendingMessages: Int
        var demo: Bool
        var adhocGrace: Duration
        /// Nil: there is no factory.
        var factory: String?
        var notifyInterval: Duration
        var fullState: Bool
        var publishPersists: Bool
        var maxListEntries: Int
        var maxDialOuts: Int
        var maxDialOutsPerAccount: Int
        var dialOutsPerMinute: Int
        var dialOutTimeout: Duration
        var create: RoomConfiguration.Group
        /// Nil: as it is best for each kind of room.
        var ends: RoomConfiguration.Ending?
        var rules: Rules
        var habits: Habits
    }

    struct Room: Equatable, Sendable {
        /// As written: case-sensitive user part.
        var user: String
        /// In lower case.
        var domain: String
        var title: String?
        var welcome: String?
        var plainText: Bool
        var maximumParticipants: Int
        var subject: String?
        var isLocked: Bool
        var rules: Rules
        var habits: Habits
    }

    struct Log: Equatable, Sendable {
        var level: LogLevel
        var sipLevel: LogLevel
        /// Nil: as the way of starting suggests.
        var target: LogTarget?
    }

    /// Whether calls are taken: without [SIP] but with [Relay], the relay runs alone.
    var runsSIP: Bool
    var sip: SIP
    var msrp: MSRP
    var conference: Conference
    var rooms: [Room]
    var outbound: Outbound
    var files: Files
    /// Nil: AUTH is refused.
    var relay: Relay?
    var database: Database
    var memory: [MemoryAccount]
    /// Those beyond the ones of [SIP], [MSRP] and [Relay].
    var certificates: [DomainCertificate]
    var log: Log

    /// Reads every option from `source`; what can't be read takes its default and is reported there.
    init(_ source: inout SettingsSource) {
        sip = SIP(&source)
        msrp = MSRP(&source)
        let conference = Conference(&source)
        self.conference = conference
        rooms = source.rooms.map { Room(user: $0.user, domain: $0.domain, section: $0.section, conference, &source) }
        outbound = Outbound(&source)
        files = Files(&source)
        let relay = Relay(&source)
        self.relay = source.has("Relay") ? relay : nil
        runsSIP = source.has("SIP") || !source.has("Relay")
        database = Database(&source)
        memory = source.accounts.map(\.account)
        certificates = source.certificates.compactMap { DomainCertificate($0, &source) }
        log = Log(&source)
        shareAddress(source)
        if self.relay?.egress == .automatic { self.relay?.egress = msrp.egress }
        checkTogether(&source)
        checkRelay(&source)
    }

    /// An address of [MSRP] or [Relay] that isn't given is the other's.
    private mutating func shareAddress(_ source: SettingsSource) {
        guard let address = relay.map({ HostPort(host: $0.host, port: $0.port) }) else { return }
        if source.isGiven(Options.MSRP.address), !source.isGiven(Options.Relay.address) {
            relay?.host = msrp.host
            relay?.port = msrp.port
        } else if !source.isGiven(Options.MSRP.address) {
            msrp.host = address.host
            msrp.port = address.port ?? msrp.port
        }
    }

    /// Rules that concern more than one option.
    private func checkTogether(_ source: inout SettingsSource) {
        source.requirePair(Options.SIP.certificate, Options.SIP.key)
        source.requirePair(Options.MSRP.certificate, Options.MSRP.key)
        if msrp.maxQueueSize < msrp.maxMessageSize {
            source.report(
                Options.MSRP.maxQueueSize, "MSRP",
                "\(Values.printSize(msrp.maxQueueSize)) is less than max_message_size "
                    + "(\(Values.printSize(msrp.maxMessageSize))); make it at least as large")
        }
        for room in rooms {
            guard let size = room.habits.maxMessageSize, size > msrp.maxMessageSize else { continue }
            source.report(
                room: room,
                "max_message_size is more than that of [MSRP] (\(Values.printSize(msrp.maxMessageSize))); make it at most as large"
            )
        }
        if files.roomSize < files.maxSize {
            source.report(Options.Files.roomSize, "Files", "is less than max_size; make it at least as large")
        }
        if sip.minSE > sip.sessionExpires {
            source.report(Options.SIP.minSE, "SIP", "is more than session_expires; make it at most as long")
        }
        if let advertise = sip.advertise, Self.isWildcard(advertise.host) {
            source.report(Options.SIP.advertise, "SIP", "nobody can call \(advertise.host); write a name or an address")
        }
        if let advertise = msrp.advertise, Self.isWildcard(advertise.host) {
            source.report(
                Options.MSRP.advertise, "MSRP", "nobody can reach \(advertise.host); write a name or an address")
        }
        checkListeners(&source)
        checkAccess(&source)
        if !runsSIP {
            for room in rooms {
                source.report(
                    room: room, "without [SIP] there are no rooms; add a [SIP] section, or leave this one out")
            }
        }
        for room in rooms where !sip.domains.isEmpty && !sip.domains.contains(room.domain) {
            source.report(
                room: room,
                "the domain '\(room.domain)' is not served; add it to [SIP] domains (\(sip.domains.joined(separator: ", ")))"
            )
        }
    }

    private func checkAccess(_ source: inout SettingsSource) {
        if sip.listen.contains(where: { $0.transport == .tlsTrusted }), sip.trustedNames.isEmpty {
            source.report(
                Options.SIP.listen, "SIP",
                "a tls-trusted listener lets nobody in without trusted_names; name the certificates of your peers there"
            )
        }
        if outbound.password != nil, outbound.user == nil {
            source.report(Options.Outbound.password, "Outbound", "needs 'user' as well")
        }
    }

    /// One port can be opened once for each transport, and a wildcard opens it for all addresses of its family.
    private func checkListeners(_ source: inout SettingsSource) {
        guard runsSIP else { return }
        let media = ListenEntry(transport: .tcp, host: msrp.host, port: msrp.port)
        for (index, entry) in sip.listen.enumerated() where entry.port != 0 {
            for other in sip.listen[..<index] where other.collides(with: entry) {
                source.report(Options.SIP.listen, "SIP", "\(entry) and \(other) are the same port; leave one of them")
            }
            if entry.collides(with: media) {
                let isRelays = !source.isGiven(Options.MSRP.address) && source.isGiven(Options.Relay.address)
                let option = isRelays ? Options.Relay.address : Options.MSRP.address
                source.report(option, option.section, "\(entry) of [SIP] listen has this port already; choose another")
            } else if let relay, entry.collides(with: ListenEntry(transport: .tcp, host: relay.host, port: relay.port))
            {
                source.report(
                    Options.Relay.address, "Relay", "\(entry) of [SIP] listen has this port already; choose another")
            }
        }
    }

    /// Whether only this machine reaches `host`.
    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." }
    }

    /// Whether `host` stands for every address of the host.
    static func isWildcard(_ host: String) -> Bool { host == "0.0.0.0" || host == "::" || host == "*" }
}

extension Settings.SIP {
    init(_ source: inout SettingsSource) {
        listen = source.value(Options.SIP.listen)
        advertise = source.value(Options.SIP.advertise)
        domains = source.value(Options.SIP.domains)
        certificate = source.value(Options.SIP.certificate)
        key = source.value(Options.SIP.key)
        ackTimeout = source.value(Options.SIP.ackTimeout)
        sessionExpires = source.value(Options.SIP.sessionExpires)
        minSE = source.value(Options.SIP.minSE)
        maxDialogs = source.value(Options.SIP.maxDialogs)
        shutdownTime = source.value(Options.SIP.shutdownTime)
        let isOnLoopback = listen.allSatisfy { Settings.isLoopback($0.host) }
        auth = source.value(Options.SIP.auth) ?? (isOnLoopback ? .none : .required)
        nonceLifetime = source.value(Options.SIP.nonceLifetime)
        trusted = source.value(Options.SIP.trusted)
        trustedNames = source.value(Options.SIP.trustedNames)
        trust = source.value(Options.SIP.trust)
        requestRate = source.value(Options.SIP.requestRate)
        requestBurst = source.value(Options.SIP.requestBurst)
        failuresPerMinute = source.value(Options.SIP.failureRate)
        throttleAll = source.value(Options.SIP.throttleAll)
        maxSubscriptions = source.value(Options.SIP.maxSubscriptions)
    }
}

extension Settings.MSRP {
    init(_ source: inout SettingsSource) {
        let address = source.value(Options.MSRP.address)
        host = address.host
        port = address.port ?? 2855
        advertise = source.value(Options.MSRP.advertise)
        maxMessageSize = source.value(Options.MSRP.maxMessageSize)
        certificate = source.value(Options.MSRP.certificate)
        key = source.value(Options.MSRP.key)
        trust = source.value(Options.MSRP.trust)
        verifyPeers = source.value(Options.MSRP.verify)
        egress = source.value(Options.MSRP.egress)
        maxUnchunked = source.value(Options.MSRP.maxUnchunked)
        gracePeriod = source.value(Options.MSRP.gracePeriod)
        reconnectSameSession = source.value(Options.MSRP.reconnectSameSession)
        transactionTimeout = source.value(Options.MSRP.transactionTimeout)
        connectTimeout = source.value(Options.MSRP.connectTimeout)
        handshakeTimeout = source.value(Options.MSRP.handshakeTimeout)
        silentTimeout = source.value(Options.MSRP.silentTimeout)
        slowMemberWait = source.value(Options.MSRP.slowMemberWait)
        chunkTimeout = source.value(Options.MSRP.chunkTimeout)
        noChunks = source.value(Options.MSRP.noChunks)
        threads = source.value(Options.MSRP.threads)
        maxConnections = source.value(Options.MSRP.maxConnections)
        maxConnectionsPerAddress = source.value(Options.MSRP.maxConnectionsPerAddress)
        maxConnectsPerDestination = source.value(Options.MSRP.maxConnectsPerDestination)
        maxHeadSize = source.value(Options.MSRP.maxHeadSize)
        maxQueueSize = source.value(Options.MSRP.maxQueueSize)
        offer = source.value(Options.MSRP.offer)
    }
}

extension Settings.Outbound {
    init(_ source: inout SettingsSource) {
        proxy = source.value(Options.Outbound.proxy)
        user = source.value(Options.Outbound.user)
        password = source.value(Options.Outbound.password)
        tlsVerify = source.value(Options.Outbound.tlsVerify)
    }
}

extension Settings.Conference {
    init(_ source: inout SettingsSource) {
        adhocRooms = source.value(Options.Conference.adhocRooms)
        stateDirectory = source.value(Options.Conference.stateDirectory)
        maxRooms = source.value(Options.Conference.maxRooms)
        maximumParticipants = source.value(Options.Conference.maximumParticipants)
        plainText = source.value(Options.Conference.plainText)
        welcome = source.value(Options.Conference.welcome)
        pendingMessages = source.value(Options.Conference.pendingMessages)
        demo = source.value(Options.Conference.demo)
        adhocGrace = source.value(Options.Conference.adhocGrace)
        factory = source.value(Options.Conference.factory)
        notifyInterval = source.value(Options.Conference.notifyInterval)
        fullState = source.value(Options.Conference.fullState)
        publishPersists = source.value(Options.Conference.publishPersists)
        maxListEntries = source.value(Options.Conference.maxListEntries)
        maxDialOuts = source.value(Options.Conference.maxDialOuts)
        maxDialOutsPerAccount = source.value(Options.Conference.maxDialOutsPerAccount)
        dialOutsPerMinute = source.value(Options.Conference.dialOutRate)
        dialOutTimeout = source.value(Options.Conference.dialOutTimeout)
        create = source.value(Options.Rules.create)
        ends = source.value(Options.Rules.ends)
        rules = Settings.Rules(&source)
        habits = Settings.Habits(&source)
    }
}

extension Settings.Room {
    init(
        user: String, domain: String, section: String, _ conference: Settings.Conference,
        _ source: inout SettingsSource
    ) {
        self.user = user
        self.domain = domain
        title = source.value(Options.Room.title, in: section)
        welcome = source.value(Options.Room.welcome, in: section) ?? conference.welcome
        plainText = source.value(Options.Room.plainText, in: section) ?? conference.plainText
        maximumParticipants =
            source.value(Options.Room.maximumParticipants, in: section) ?? conference.maximumParticipants
        subject = source.value(Options.Room.subject, in: section)
        isLocked = source.value(Options.Room.locked, in: section)
        rules = Settings.Rules(in: section, else: conference.rules, &source)
        habits = Settings.Habits(in: section, else: conference.habits, &source)
    }
}

extension Settings.Log {
    init(_ source: inout SettingsSource) {
        level = source.value(Options.Log.level)
        sipLevel = source.value(Options.Log.sipLevel)
        target = source.value(Options.Log.target)
    }
}
