internal import Focus
internal import Logging
internal import MSRPTransport
internal import MediaMixer
internal import NIOCore
internal import NIOGnuTLS
internal import NIOPosix
internal import Payloads
internal import RelayCore
internal import SIP

#if canImport(Glibc)
    internal import Glibc
#endif

/// All parts of the running server, wired together.
///
/// Started from the inside out, so that whoever can reach a part finds those behind it ready: transport, mixer, SIP
/// stack, focus. Ended from the outside in.
struct Server: Sendable {
    let settings: Settings
    /// With the actual ports.
    let sipListeners: [Endpoint]
    let msrpListeners: [SocketAddress]
    let stateDirectory: String

    private let transport: TransportHandle
    private let mixer: MixerHandle
    private let relay: RelayHandle
    private let stack: SIPStack
    private let focus: Focus
    private let logger: Logger

    /// Opens every listener, or throws and leaves none open.
    static func start(_ settings: Settings) async throws(StartError) -> Server {
        let logger = Logger(label: "confd")
        raiseFileLimit(logger)
        let stateDirectory = try StateDirectory.prepare(settings.conference.stateDirectory)
        let domains = ServedDomains(settings)
        let certificates = try Certificates(settings, stateDirectory: stateDirectory, names: domains.certificateNames)
        let transport = await TransportHandle.start(
            on: MultiThreadedEventLoopGroup.singleton.next(),
            configuration: try settings.transport(certificates), logger: Logger(label: "msrp"))
        do throws(StartError) {
            return try await start(settings, domains, certificates, stateDirectory, transport, logger)
        } catch {
            await transport.shutdown()
            throw error
        }
    }

    private static func start(
        _ settings: Settings, _ domains: ServedDomains, _ certificates: Certificates, _ stateDirectory: String,
        _ transport: TransportHandle, _ logger: Logger
    ) async throws(StartError) -> Server {
        let msrpListeners = try await settings.openMSRP(transport)
        let (events, happened) = AsyncStream.makeStream(of: MemberEvent.self)
        let mixer = await MixerHandle.start(
            transport: transport, configuration: settings.mixer, logger: Logger(label: "mixer")
        ) { happened.yield($0) }
        await mixer.configureRooms(settings.rooms.map(\.configuration))
        let relay = await RelayHandle.start(transport: transport)
        var configuration = settings.stack(certificates)
        Capabilities.apply(to: &configuration)
        let stack: SIPStack
        do {
            stack = try await SIPStack.start(configuration, logger: settings.sipLogger)
        } catch {
            throw StartError(settings.text(for: error))
        }
        let focus = await Focus.start(
            stack: stack, mixer: mixer, events: events,
            configuration: settings.focus(domains, certificates, msrpListeners), logger: Logger(label: "focus"))
        logger.info(
            "serving",
            metadata: [
                "domains": "\(domains.all.joined(separator: ","))", "rooms": "\(settings.rooms.count)",
                "state": "\(stateDirectory)",
            ])
        return Server(
            settings: settings, sipListeners: stack.listeners, msrpListeners: msrpListeners,
            stateDirectory: stateDirectory, transport: transport, mixer: mixer, relay: relay, stack: stack,
            focus: focus,
            logger: logger)
    }

    /// Ends every call with BYE, then every connection. Takes no longer than `shutdown_time` and a second.
    func shutdown() async {
        logger.info("ending")
        await focus.shutdown()
        async let connections: Void = closeConnections()
        async let calls: Void = stack.shutdown()
        _ = await (connections, calls)
        logger.info("ended")
    }

    private func closeConnections() async {
        await mixer.closeAll()
        await transport.shutdown()
    }

    /// `confd ready: sip=udp:127.0.0.1:5060,tcp:127.0.0.1:5060 msrp=127.0.0.1:2855 pid=123`
    var readyLine: String {
        let sip = sipListeners.map(\.description).joined(separator: ",")
        let msrp = msrpListeners.map { HostPort($0).description }.joined(separator: ",")
        return "confd ready: sip=\(sip) msrp=\(msrp) pid=\(getpid())"
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
