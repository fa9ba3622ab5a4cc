internal import DigestAuth
internal import FileSpool
internal import Focus
internal import Logging
internal import MSRPTransport
internal import MediaMixer
internal import NIOCore
internal import SIP
internal import Store
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// The rooms and their callers: mixer, SIP stack, focus.
struct ConferenceService: Sendable {
    /// With the actual ports.
    let sipListeners: [Endpoint]
    let mixer: MixerHandle
    private let stack: SIPStack
    let focus: Focus
    /// Keeps what is said in rooms.
    let history: HistoryWriter
    /// What rooms keep that are made by a call.
    private let adhocHistory: AdhocHistory

    private final class AdhocHistory: Sendable {
        let rule: Mutex<RoomConfiguration.History>

        init(_ settings: Settings) { rule = Mutex(settings.adhocRoom.history) }
    }

    /// Opens the SIP listeners, or throws and leaves none open.
    static func start(
        _ settings: Settings, _ certificates: Certificates, msrpListeners: [SocketAddress],
        _ transport: TransportHandle, _ accounts: (any AccountStore)?, _ database: EmbeddedDatabase,
        stateDirectory: String
    ) async throws(StartError) -> ConferenceService {
        let spool = try await openSpool(settings, database, stateDirectory: stateDirectory)
        let (fileEvents, fileHappened) = AsyncStream.makeStream(of: FileEvent.self)
        let (events, happened) = AsyncStream.makeStream(of: MemberEvent.self)
        let history = HistoryWriter(store: database, logger: Logger(label: "history"))
        let mixer = await MixerHandle.start(
            transport: transport, configuration: settings.mixer,
            services: MixerServices(history: history, spool: spool) { fileHappened.yield($0) },
            logger: Logger(label: "mixer")
        ) { happened.yield($0) }
        var configuration = try settings.stack(certificates)
        Capabilities.apply(to: &configuration)
        let stack: SIPStack
        do {
            stack = try await SIPStack.start(configuration, logger: Logger(label: "sip"))
        } catch {
            throw settings.startError(error)
        }
        let focus: Focus
        do {
            focus = try await Focus.start(
                stack: stack, mixer: mixer, events: events, store: database, files: spool, fileEvents: fileEvents,
                configuration: settings.focus(ServedDomains(settings), certificates, msrpListeners, accounts),
                logger: Logger(label: "focus"))
        } catch {
            await stack.shutdown()
            throw StartError("Conference", "state_directory", "the rooms can't be read: \(error)")
        }
        let adhocHistory = AdhocHistory(settings)
        history.startSweeping { room in
            await focus.roomDetails(room)?.configuration.history ?? adhocHistory.rule.withLock { $0 }
        } clock: {
            Int64(time(nil)) * 1000
        }
        return ConferenceService(
            sipListeners: stack.listeners, mixer: mixer, stack: stack, focus: focus, history: history,
            adhocHistory: adhocHistory)
    }

    private static func openSpool(
        _ settings: Settings, _ database: EmbeddedDatabase, stateDirectory: String
    ) async throws(StartError) -> FileSpool {
        let directory = settings.files.directory ?? "\(stateDirectory)/files"
        do {
            return try await FileSpool.open(
                directory: directory, limits: settings.spoolLimits, index: database, logger: Logger(label: "files"))
        } catch {
            throw StartError("Files", "directory", "'\(directory)' can't be used: \(error)")
        }
    }

    /// Takes other rooms, and what offers and answers say of the MSRP port; the options of [SIP] and [Conference] that
    /// `settings` has are those the service was started with.
    func reconfigure(
        _ settings: Settings, _ certificates: Certificates, msrpListeners: [SocketAddress],
        accounts: (any AccountStore)?
    ) async {
        adhocHistory.rule.withLock { $0 = settings.adhocRoom.history }
        await focus.configure(settings.focus(ServedDomains(settings), certificates, msrpListeners, accounts))
    }

    /// Ends every call with BYE.
    func hangUp() async { await focus.shutdown() }

    /// Everybody leaves; the connections are the transport's to end.
    func closeRooms() async { await mixer.closeAll() }

    /// Waits until the calls have ended.
    func endCalls() async { await stack.shutdown() }
}
