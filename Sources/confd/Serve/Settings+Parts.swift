internal import DigestAuth
internal import FileSpool
internal import Focus
internal import FoundationEssentials
internal import Logging
internal import MSRPTransport
internal import MediaMixer
internal import NIOCore
internal import NIOGnuTLS
internal import NIOPosix
internal import Payloads
internal import SIP

// The settings in the words of each part.

extension Settings {
    /// Turns into the transport's configuration.
    func transport(_ certificates: Certificates) throws(StartError) -> TransportConfiguration {
        var limits = TransportLimits()
        limits.connections = msrp.maxConnections
        limits.connectionsPerAddress = msrp.maxConnectionsPerAddress
        limits.headBytes = msrp.maxHeadSize
        limits.queueBytes = msrp.maxQueueSize
        limits.unboundTimeout = TimeAmount(msrp.silentTimeout)
        limits.tlsHandshakeTimeout = TimeAmount(msrp.handshakeTimeout)
        limits.connectTimeout = TimeAmount(msrp.connectTimeout)
        limits.connectsPerDestination = msrp.maxConnectsPerDestination
        limits.userTimeout = TimeAmount(msrp.transactionTimeout)
        // Relays are told by their certificates, whatever is asked of other peers.
        let needsTrust = msrp.verifyPeers || !(relay?.peers.isEmpty ?? true)
        let trust: TrustAnchors = needsTrust ? msrp.trust.map(TrustAnchors.file) ?? .system : .none
        do {
            return TransportConfiguration(
                limits: limits, egress: egress,
                serverTLS: try TLSContext.server(identities: certificates.onMSRPPorts(self), trust: trust),
                clientTLS: try TLSContext.client(
                    identity: runsSIP ? certificates.msrp : certificates.relay, trust: trust),
                verifiesPeers: msrp.verifyPeers)
        } catch {
            throw StartError("MSRP", "certificate", "\(error)")
        }
    }

    /// Where callers may be anybody, they may have us connect to where they are and nowhere else.
    var egress: EgressPolicy? {
        let believesAll = runsSIP && sip.auth == .none && !sip.isOnLoopback
        return believesAll && msrp.egress == .automatic ? .sameSource : msrp.egress.policy
    }

    var mixer: MixerConfiguration {
        var configuration = MixerConfiguration()
        configuration.maximumMessageSize = msrp.maxMessageSize
        configuration.maximumUnchunkedSize = msrp.maxUnchunked
        configuration.memberQueueBytes = msrp.maxQueueSize
        configuration.slowMemberWait = TimeAmount(msrp.slowMemberWait)
        configuration.gracePeriod = TimeAmount(msrp.gracePeriod)
        configuration.transactionTimeout = TimeAmount(msrp.transactionTimeout)
        configuration.messagesBeforeBind = conference.pendingMessages
        configuration.reconnectsSameSession = msrp.reconnectSameSession
        configuration.chunkReceptionTime = TimeAmount(msrp.chunkTimeout)
        configuration.agentsWithoutChunks = msrp.noChunks
        configuration.maximumRooms = conference.maxRooms + rooms.count
        configuration.maximumMembersPerRoom = conference.maximumParticipants
        configuration.maximumMembers = sip.maxDialogs
        return configuration
    }

    /// - Throws: the file of `[SIP] trust` can't be read.
    func stack(_ certificates: Certificates) throws(StartError) -> SIPConfiguration {
        let trust: String?
        do {
            trust = try sip.trust.map { try String(contentsOfFile: $0, encoding: .utf8) }
        } catch {
            throw StartError("SIP", "trust", "'\(sip.trust ?? "")' can't be read")
        }
        var configuration = SIPConfiguration(
            listeners: sip.listen.map(\.endpoint),
            identity: SIPConfiguration.TLSIdentity(
                certificateChain: String(decoding: certificates.sip.certificatePEM, as: UTF8.self),
                privateKey: String(decoding: certificates.sip.keyPEM, as: UTF8.self)))
        // The focus refuses first, with 480.
        configuration.maximumCalls = sip.maxDialogs * 2
        configuration.maximumDialogs = sip.maxSubscriptions * 2
        // Room for what is refused with more than "too large": a list, a roster document.
        configuration.maximumMessageSize = 1_280 * 1024
        configuration.trust = trust
        configuration.verifiesPeers = outbound.tlsVerify
        configuration.sessionTimer = SIPConfiguration.SessionTimer(
            interval: Int(sip.sessionExpires.components.seconds), minimum: Int(sip.minSE.components.seconds))
        return configuration
    }

    /// - Parameter accounts: callers'; nil where nobody is asked for one.
    func focus(
        _ domains: ServedDomains, _ certificates: Certificates, _ msrpListeners: [SocketAddress],
        _ accounts: (any AccountStore)?
    ) -> FocusConfiguration {
        let fingerprints: [Fingerprint] = [certificates.msrp.fingerprint()].compactMap {
            guard case .fingerprint(let fingerprint) = Fingerprint.parse($0.description) else { return nil }
            return fingerprint
        }
        let media = LocalMedia(
            maxSize: UInt64(msrp.maxMessageSize),
            chatroom: ChatroomCapabilities(nicknames: true, privateMessages: true),
            allowsPlainText: conference.plainText || rooms.contains(where: \.plainText), fingerprints: fingerprints)
        var configuration = FocusConfiguration(
            domains: domains.all,
            mediaListeners: msrpListeners.map { HostAndPort(host: $0.ipAddress ?? "", port: $0.port) }, media: media)
        configuration.advertise = sip.advertise.map { HostAndPort(host: $0.host, port: $0.port) }
        configuration.mediaAdvertise = msrp.advertise.map { HostAndPort(host: $0.host, port: $0.port) }
        configuration.acknowledgementTimeout = sip.ackTimeout
        configuration.shutdownTimeout = sip.shutdownTime
        configuration.limits.participants = sip.maxDialogs
        configuration.limits.dialogs = sip.maxDialogs + sip.maxDialogs / 4
        configuration.limits.participantsPerRoom = conference.maximumParticipants
        configuration.limits.rooms = conference.maxRooms
        configuration.rooms = rooms.map { $0.configuration(self) }
        configuration.conditions = Dictionary(rooms.map { ($0.address, $0.condition) }) { first, _ in first }
        configuration.createsRoomsOnDemand = conference.adhocRooms
        configuration.mayCreate = conference.create
        configuration.creators = conference.rules.listed
        configuration.adhoc = adhocRoom
        configuration.adhocGrace = conference.adhocGrace
        configuration.factoryName = conference.factory
        configuration.factoryEnds = conference.ends ?? .ownerLeaves
        configuration.access = access(accounts)
        configuration.notifying = notifying
        configuration.dialling = dialling
        return configuration
    }

    /// What rooms made by a call are like.
    var adhocRoom: RoomConfiguration {
        var room = RoomConfiguration(
            address: RoomAddress(user: "", domain: ""), allowsPlainText: conference.plainText,
            welcome: conference.welcome.map { .everybody(text: $0) } ?? .clientsUnawareOfChatRooms(text: nil),
            maximumMembers: conference.maximumParticipants)
        conference.rules.apply(to: &room)
        conference.habits.apply(to: &room, slowMemberWait: msrp.slowMemberWait)
        room.ends = conference.ends ?? .lastLeaves
        return room
    }

    private func access(_ accounts: (any AccountStore)?) -> AccessConfiguration {
        var access = AccessConfiguration()
        access.mode =
            switch sip.auth {
            case .required: .required
            case .trustedOnly: .trustedOnly
            case .none: .none
            }
        if let accounts { access.accounts = accounts }
        access.trusted.prefixes = sip.trusted.compactMap { try? AddressPrefix($0) }
        access.trusted.names = Set(sip.trustedNames)
        access.nonceLifetime = sip.nonceLifetime
        access.requestRate = AccessConfiguration.Rate(perSecond: Double(sip.requestRate), burst: sip.requestBurst)
        access.failureRate = AccessConfiguration.Rate(
            perSecond: Double(sip.failuresPerMinute) / 60, burst: sip.failuresPerMinute)
        access.throttlesAll = sip.throttleAll
        return access
    }

    private var notifying: NotifyConfiguration {
        var notifying = NotifyConfiguration()
        notifying.interval = conference.notifyInterval
        notifying.isFullStateOnly = conference.fullState
        notifying.publicationsPersist = conference.publishPersists
        notifying.maximumSubscriptions = sip.maxSubscriptions
        return notifying
    }

    private var dialling: DialConfiguration {
        var dialling = DialConfiguration()
        dialling.offersTLS = msrp.offer == .tls
        dialling.proxy = outbound.proxy.flatMap { SIPURI($0) }
        if let user = outbound.user {
            dialling.credentials = DialConfiguration.Credentials(user: user, password: outbound.password ?? "")
        }
        dialling.answerTimeout = conference.dialOutTimeout
        dialling.referTimeout = conference.dialOutTimeout
        dialling.limits.listEntries = conference.maxListEntries
        dialling.limits.underWayPerRoom = conference.maxDialOuts
        dialling.limits.underWayPerAccount = conference.maxDialOutsPerAccount
        dialling.limits.intervalPerAddress = .seconds(60) / conference.dialOutsPerMinute
        return dialling
    }

    var spoolLimits: SpoolLimits {
        var limits = SpoolLimits()
        limits.fileSize = files.maxSize
        limits.roomBytes = files.roomSize
        limits.totalBytes = files.totalSize
        limits.filesPerRoom = files.perRoom
        limits.incoming = files.maxIncoming
        limits.age = files.maxAge?.components.seconds
        return limits
    }

    func startError(_ error: SIPStartError) -> StartError {
        switch error {
        case .listener(let endpoint, let reason):
            if reason.lowercased().contains("in use") { return .inUse("SIP", "listen", "\(endpoint)") }
            return StartError("SIP", "listen", "can't listen on \(endpoint): \(reason)")
        case .certificate(let reason): return StartError("SIP", "certificate", reason)
        case .library(let reason): return StartError("SIP can't be started: \(reason)")
        }
    }
}

extension Settings.Room {
    var address: RoomAddress { RoomAddress(user: user, domain: domain) }

    /// What it is like until its people change it.
    var condition: RoomCondition {
        var condition = RoomCondition()
        condition.subject = subject
        condition.isLocked = isLocked
        return condition
    }

    func configuration(_ settings: Settings) -> RoomConfiguration {
        var room = RoomConfiguration(
            address: address, title: title ?? "", allowsPlainText: plainText,
            welcome: welcome.map { .everybody(text: $0) } ?? .clientsUnawareOfChatRooms(text: nil),
            maximumMembers: maximumParticipants)
        rules.apply(to: &room)
        habits.apply(to: &room, slowMemberWait: settings.msrp.slowMemberWait)
        return room
    }
}

extension ListenEntry {
    var endpoint: Endpoint {
        let transport: SIPTransport =
            switch transport {
            case .udp: .udp
            case .tcp: .tcp
            case .tls: .tls
            case .tlsTrusted: .tls
            }
        return Endpoint(
            transport: transport, host: host == "*" ? "0.0.0.0" : host, port: port,
            isTrusted: self.transport == .tlsTrusted)
    }
}

extension EgressChoice {
    /// Nil: as the listeners' addresses suggest.
    var policy: EgressPolicy? {
        switch self {
        case .automatic: nil
        case .sameSource: .sameSource
        case .public: .public
        case .any: .any
        }
    }
}

extension Logger.Level {
    init(_ level: LogLevel) {
        self =
            switch level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
    }
}
