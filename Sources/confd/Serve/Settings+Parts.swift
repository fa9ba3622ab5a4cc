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
        do {
            return TransportConfiguration(
                limits: limits, egress: msrp.egress.policy,
                serverTLS: try TLSContext.server(identities: [certificates.msrp]),
                clientTLS: try TLSContext.client(
                    identity: certificates.msrp,
                    trust: msrp.verifyPeers ? msrp.trust.map(TrustAnchors.file) ?? .system : .none),
                verifiesPeers: msrp.verifyPeers)
        } catch {
            throw StartError("[MSRP] certificate: \(error)")
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

    /// How much the SIP library says is told apart from the rest.
    var sipLogger: Logger {
        var logger = Logger(label: "sip")
        logger.logLevel = Logger.Level(log.sipLevel)
        return logger
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

    /// Opens the MSRP port; a name in `[MSRP] address` is looked up first, and `[::]` means IPv4 as well.
    func openMSRP(_ transport: TransportHandle) async throws(StartError) -> [SocketAddress] {
        let host = msrp.host == "*" ? "::" : msrp.host
        guard let address = try? SocketAddress.makeAddressResolvingHost(host, port: msrp.port),
            let numeric = address.ipAddress
        else { throw StartError("[MSRP] address: '\(host)' can't be found: no such host") }
        var opened = try await openMSRP(transport, numeric, msrp.port)
        if numeric == "::" {
            opened += try await openMSRP(transport, "0.0.0.0", opened.first?.port ?? msrp.port)
        }
        return opened
    }

    private func openMSRP(
        _ transport: TransportHandle, _ host: String, _ port: Int
    ) async throws(StartError) -> [SocketAddress] {
        do {
            return try await transport.listen(on: [ListenAddress(host: host, port: port)])
        } catch {
            let place = HostPort(host: host, port: port)
            switch error {
            case .addressInUse:
                throw StartError(Self.inUse("MSRP", "address", "\(place)"))
            case .notAnAddress:
                throw StartError("[MSRP] address: \(place) is not an address")
            case .cannotListen(_, let reason):
                throw StartError("[MSRP] address: can't listen on \(place): \(reason)")
            }
        }
    }

    func text(for error: SIPStartError) -> String {
        switch error {
        case .listener(let endpoint, let reason):
            if reason.lowercased().contains("in use") { return Self.inUse("SIP", "listen", "\(endpoint)") }
            return "[SIP] listen: can't listen on \(endpoint): \(reason)"
        case .certificate(let reason): return "[SIP] certificate: \(reason)"
        case .library(let reason): return "SIP can't be started: \(reason)"
        }
    }

    private static func inUse(_ section: String, _ key: String, _ place: String) -> String {
        "[\(section)] \(key): \(place) is in use by another program; end that, or choose another port in "
            + "[\(section)] \(key)"
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
