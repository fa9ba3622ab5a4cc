internal import DigestAuth
internal import Focus
internal import Logging
internal import MSRPTransport
internal import MediaMixer
internal import NIOCore
internal import SIP

/// The rooms and their callers: mixer, SIP stack, focus.
struct ConferenceService: Sendable {
    /// With the actual ports.
    let sipListeners: [Endpoint]
    let mixer: MixerHandle
    private let stack: SIPStack
    let focus: Focus

    /// Opens the SIP listeners, or throws and leaves none open.
    static func start(
        _ settings: Settings, _ certificates: Certificates, msrpListeners: [SocketAddress],
        _ transport: TransportHandle, _ accounts: (any AccountStore)?, _ store: any RoomStore
    ) async throws(StartError) -> ConferenceService {
        let (events, happened) = AsyncStream.makeStream(of: MemberEvent.self)
        let mixer = await MixerHandle.start(
            transport: transport, configuration: settings.mixer, logger: Logger(label: "mixer")
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
                stack: stack, mixer: mixer, events: events, store: store,
                configuration: settings.focus(ServedDomains(settings), certificates, msrpListeners, accounts),
                logger: Logger(label: "focus"))
        } catch {
            await stack.shutdown()
            throw StartError("Conference", "state_directory", "the rooms can't be read: \(error)")
        }
        return ConferenceService(sipListeners: stack.listeners, mixer: mixer, stack: stack, focus: focus)
    }

    /// Takes other rooms, and what offers and answers say of the MSRP port; the options of [SIP] and [Conference] that
    /// `settings` has are those the service was started with.
    func reconfigure(
        _ settings: Settings, _ certificates: Certificates, msrpListeners: [SocketAddress],
        accounts: (any AccountStore)?
    ) async {
        await focus.configure(settings.focus(ServedDomains(settings), certificates, msrpListeners, accounts))
    }

    /// Ends every call with BYE.
    func hangUp() async { await focus.shutdown() }

    /// Everybody leaves; the connections are the transport's to end.
    func closeRooms() async { await mixer.closeAll() }

    /// Waits until the calls have ended.
    func endCalls() async { await stack.shutdown() }
}
