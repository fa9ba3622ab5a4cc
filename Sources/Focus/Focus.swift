package import FileSpool
package import Logging
package import MediaMixer
import Payloads
package import SIP

/// The conference focus (RFC 4579): takes INVITEs to rooms, has the mixer make the sessions, and keeps the dialogs.
///
/// It runs on the SIP thread, so events come in and answers go out as plain calls; only the mixer is waited for. The
/// decisions are those of `InviteMachine` and of the values in `Requests/`.
package actor Focus: SIPHandler {
    nonisolated let signalling: any Signalling
    nonisolated let mixer: any Mixer
    let logger: Logger
    let now: @Sendable () -> ContinuousClock.Instant

    var configuration: FocusConfiguration
    var resolver: RoomResolver
    var contacts: ContactAddress
    var mediaAuthority: MediaAuthority

    var dialogs: [Call: ParticipantDialog] = [:]
    var calls: [MemberID: Call] = [:]
    /// Calls for one file each, which are nobody's part in the room.
    var files = FileBook()
    /// Where pushed files are; nil: files are refused.
    nonisolated let shelf: (any FileShelf)?
    /// Participants' calls: being set up, running, and being ended.
    package var callCount: Int { dialogs.count }
    var roster = Roster()
    var notifying = NotifyDesk()
    var rooms: RoomBook
    var referring = ReferDesk()
    var dialling = DialOutDesk()
    var dialCounters = DialCounters()
    /// Nil: nothing outlives the process.
    let keeper: RoomKeeper?
    /// INVITEs whose callers are being asked who they are.
    var admitting: Set<Call> = []
    var access: AccessDesk
    /// INVITEs the mixer is asked about.
    var pendingInvites = 0
    /// Members that ended before their reservation was heard of.
    var endedEarly: [MemberID: EndCause] = [:]
    var anonymousCallers: UInt64 = 0
    var isShuttingDown = false
    private var acknowledgements = AcknowledgementWatch()
    private var shutdownWaiter: CheckedContinuation<Void, Never>?

    package nonisolated var unownedExecutor: UnownedSerialExecutor { signalling.executor }

    /// Makes the focus the stack's handler; from now on calls are taken. The stack holds it weakly.
    ///
    /// - Parameters:
    ///   - events: what the mixer reports, in its order.
    ///   - store: where rooms are kept; they are back when this returns. Nil: nothing outlives the process.
    ///   - files: where people's files are kept, the mixer's own. Nil: nobody can push any.
    ///   - fileEvents: what the mixer reports of transfers.
    /// - Throws: the store's error.
    package static func start(
        stack: SIPStack, mixer: MixerHandle, events: AsyncStream<MemberEvent>, store: (any RoomStore)? = nil,
        files: FileSpool? = nil, fileEvents: AsyncStream<FileEvent>? = nil,
        configuration: FocusConfiguration, logger: Logger
    ) async throws -> Focus {
        let focus = Focus(
            signalling: StackSignalling(stack: stack), mixer: MixerPost(mixer), store: store, shelf: files,
            configuration: configuration, logger: logger)
        await focus.follow(events)
        if let fileEvents { await focus.follow(fileEvents) }
        try await focus.restoreRooms()
        await focus.tendFiles()
        await stack.setHandler(focus)
        return focus
    }

    package init(
        signalling: any Signalling, mixer: any Mixer, store: (any RoomStore)? = nil,
        shelf: (any FileShelf)? = nil, configuration: FocusConfiguration, logger: Logger,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) {
        self.signalling = signalling
        self.mixer = mixer
        self.shelf = shelf
        self.configuration = configuration
        self.logger = logger
        self.now = now
        access = AccessDesk(configuration.access, now: now())
        keeper = store.map { RoomKeeper($0, logger: logger) }
        rooms = RoomBook(configuration)
        (resolver, contacts, mediaAuthority) = Self.addresses(configuration, signalling.listeners)
        for room in rooms.all { mixer.open(room.terms) }
    }

    /// Takes new settings for what comes from now on; calls that are there go on as they are.
    package func configure(_ configuration: FocusConfiguration) async {
        self.configuration = configuration
        access.configure(configuration.access)
        (resolver, contacts, mediaAuthority) = Self.addresses(configuration, signalling.listeners)
        await takeRooms()
    }

    private static func addresses(
        _ configuration: FocusConfiguration, _ listeners: [Endpoint]
    ) -> (RoomResolver, ContactAddress, MediaAuthority) {
        let aliases =
            listeners.filter { !$0.isWildcard }.map(\.host) + [configuration.advertise?.host].compactMap { $0 }
        let resolver = RoomResolver(domains: configuration.domains, aliases: aliases)
        return (
            resolver,
            ContactAddress(advertise: configuration.advertise, listeners: listeners, resolver: resolver),
            MediaAuthority(advertise: configuration.mediaAdvertise, listeners: configuration.mediaListeners)
        )
    }

    /// The participants of a room.
    package func participants(of room: RoomAddress) -> [Roster.Entry] { roster.entries(of: room) }

    /// INVITE dialogs that exist, those that are ending included.
    package var dialogCount: Int { dialogs.count + files.count }

    // MARK: Events

    package nonisolated func received(_ event: SIPEvent) {
        assumeIsolated { $0.handle(event) }
    }

    package func handle(_ event: SIPEvent) {
        if let (transaction, request, isNew) = event.question, turnsAway(transaction, request, isNew: isNew) { return }
        switch event {
        case .invite(let call, let transaction, let request): invited(call, transaction, request)
        case .reinvite(let call, let transaction, let request): offered(call, transaction, request, isInvite: true)
        case .update(let call, let transaction, let request): offered(call, transaction, request, isInvite: false)
        case .acknowledged(let call, let body): acknowledged(call, body)
        case .cancelled(let call, _): cancelled(call)
        case .bye(let call, _): peerGone(call, how: "bye")
        case .ended(let call, let ending): ended(call, ending)
        case .request(let transaction, let request): requested(transaction, request, within: nil)
        case .inDialogRequest(let call, let transaction, let request):
            requested(transaction, request, within: .call(call))
        case .dialogRequest(let dialog, let transaction, let request):
            requested(transaction, request, within: .dialog(dialog))
        case .notify(let exchange, let transaction, let request): notified(transaction, request, of: exchange)
        case .response(let call, let method, let response):
            if method == "INVITE", !fileOffered(call, response) { dialled(call, response) }
        case .answer(let exchange, let response):
            _ =
                notifyAnswered(exchange, response) || reportAnswered(exchange, response)
                || referAnswered(exchange, response)
        }
    }

    private func follow(_ events: AsyncStream<MemberEvent>) {
        Task { [weak self] in
            for await event in events { await self?.handle(event) }
        }
    }

    private func follow(_ events: AsyncStream<FileEvent>) {
        Task { [weak self] in
            for await event in events { await self?.handle(event) }
        }
    }

    package func handle(_ event: MemberEvent) {
        updateRoster(event)
        switch event {
        case .ended(let member, let cause): mediaEnded(member.id, cause)
        case .mediaLost(let member):
            // Of somebody who left there is nothing to say.
            if let call = calls[member.id] {
                dialogs[call]?.hasLostMedia = true
                logger.info("media lost", metadata: ["room": "\(member.room)", "participant": "\(member.uri)"])
            }
        case .mediaActive(let member):
            if let call = calls[member.id] { dialogs[call]?.hasLostMedia = false }
        case .joined, .left, .nicknameChanged: break
        }
    }

    // MARK: Watching for ACKs

    func watchForAcknowledgement(_ call: Call) {
        let timeout = configuration.acknowledgementTimeout
        if acknowledgements.add(call.id, deadline: now() + timeout) { startTimer(after: timeout) }
    }

    private func startTimer(after delay: Duration) {
        signalling.schedule(after: delay) { [weak self] in
            self?.assumeIsolated { $0.checkAcknowledgements() }
        }
    }

    private func checkAcknowledgements() {
        let now = now()
        let (due, next) = acknowledgements.expire(now: now)
        for call in due { acknowledgementTimedOut(Call(id: call)) }
        if let next { startTimer(after: next - now) }
    }

    // MARK: Shutting down

    /// Sends BYE to everybody and waits until all dialogs are over, at most `shutdownTimeout`.
    package func shutdown() async {
        isShuttingDown = true
        stopDialling()
        stopReporting()
        await shutdownSubscriptions()
        await keeper?.settle()
        for call in dialogs.keys { hangUp(call, reason: HangUpReason.shutdown, leaving: .shutdown) }
        endTransfers(reason: HangUpReason.shutdown)
        guard dialogCount > 0, shutdownWaiter == nil else { return }
        logger.info("waiting for calls to end", metadata: ["calls": "\(dialogCount)"])
        signalling.schedule(after: configuration.shutdownTimeout) { [weak self] in
            self?.assumeIsolated { $0.finishShutdown() }
        }
        await withCheckedContinuation { shutdownWaiter = $0 }
    }

    private func finishShutdown() {
        if dialogCount > 0 { logger.warning("calls left behind", metadata: ["calls": "\(dialogCount)"]) }
        shutdownWaiter?.resume()
        shutdownWaiter = nil
    }

    func finishShutdownIfDone() {
        if dialogCount == 0, shutdownWaiter != nil { finishShutdown() }
    }

    func forget(_ call: Call) {
        dropSubscriptions(within: call)
        files.pushing.forget(call)
        if let dialog = dialogs.removeValue(forKey: call) { vacate(call, dialog) }
        finishShutdownIfDone()
    }

    // MARK: Answering

    /// - Parameter level: what anybody may send at any rate is not worth a line each.
    func reject(
        _ transaction: Transaction, _ rejection: Rejection, metadata: Logger.Metadata, level: Logger.Level = .info
    ) {
        logger.log(
            level: level, "refused",
            metadata: metadata.merging(["status": "\(rejection.status)", "why": "\(rejection.why)"]) { $1 })
        signalling.respond(
            to: transaction, status: rejection.status, phrase: nil, contact: nil, headers: rejection.headers, body: nil)
    }

    func accept(_ transaction: Transaction, contact: String, body: MessageBody?) {
        signalling.respond(
            to: transaction, status: 200, phrase: nil, contact: contact, headers: [], body: body)
    }

    func metadata(_ request: Request) -> Logger.Metadata {
        [
            "method": "\(request.method)", "uri": "\(request.requestURI)", "call-id": "\(request.callID)",
            "source": "\(request.source)",
        ]
    }

    func metadata(_ dialog: ParticipantDialog) -> Logger.Metadata {
        ["room": "\(dialog.room)", "participant": "\(dialog.participant)", "call-id": "\(dialog.callID)"]
    }

    /// Our name in Warning headers (RFC 3261 section 20.43).
    func agent(_ local: Endpoint) -> String { configuration.advertise?.description ?? local.authority }
}
