internal import Focus
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
                limits: limits, egress: msrp.egress.policy,
                serverTLS: try TLSContext.server(identities: certificates.onMSRPPorts(self), trust: trust),
                clientTLS: try TLSContext.client(
                    identity: runsSIP ? certificates.msrp : certificates.relay, trust: trust),
                verifiesPeers: msrp.verifyPeers)
        } catch {
            throw StartError("MSRP", "certificate", "\(error)")
        }
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
        configuration.maximumRooms = conference.maxRooms
        configuration.maximumMembersPerRoom = conference.maximumParticipants
        configuration.maximumMembers = sip.maxDialogs
        configuration.onDemand.allowsPlainText = conference.plainText
        if let welcome = conference.welcome { configuration.onDemand.welcome = .everybody(text: welcome) }
        return configuration
    }

    func stack(_ certificates: Certificates) -> SIPConfiguration {
        var configuration = SIPConfiguration(
            listeners: sip.listen.map(\.endpoint),
            identity: SIPConfiguration.TLSIdentity(
                certificateChain: String(decoding: certificates.sip.certificatePEM, as: UTF8.self),
                privateKey: String(decoding: certificates.sip.keyPEM, as: UTF8.self)))
        // The focus refuses first, with 480.
        configuration.maximumCalls = sip.maxDialogs * 2
        configuration.sessionTimer = SIPConfiguration.SessionTimer(
            interval: Int(sip.sessionExpires.components.seconds), minimum: Int(sip.minSE.components.seconds))
        return configuration
    }

    func focus(
        _ domains: ServedDomains, _ certificates: Certificates, _ msrpListeners: [SocketAddress]
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
        configuration.createsRoomsOnDemand = conference.adhocRooms
        configuration.acknowledgementTimeout = sip.ackTimeout
        configuration.shutdownTimeout = sip.shutdownTime
        configuration.limits.participants = sip.maxDialogs
        configuration.limits.dialogs = sip.maxDialogs + sip.maxDialogs / 4
        return configuration
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
    var configuration: RoomConfiguration {
        RoomConfiguration(
            address: RoomAddress(user: user, domain: domain), title: title ?? "", allowsPlainText: plainText,
            welcome: welcome.map { .everybody(text: $0) } ?? .clientsUnawareOfChatRooms(text: nil),
            maximumMembers: maximumParticipants)
    }
}

extension ListenEntry {
    var endpoint: Endpoint {
        let transport: SIPTransport =
            switch transport {
            case .udp: .udp
            case .tcp: .tcp
            case .tls: .tls
            }
        return Endpoint(transport: transport, host: host == "*" ? "0.0.0.0" : host, port: port)
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
