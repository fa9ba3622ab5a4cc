import DigestAuth
package import Logging
import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import Payloads
import SIP

/// One participant of a chat room: calls the room, sends the lines of its input, shows what comes.
///
/// Everything that happens, on the SIP thread, on the message session's loop, in the input and by the clock, comes
/// through one queue and is handled in turn.
package actor ChatClient {
    enum Happening: Sendable {
        case sip(SIPEvent)
        case session(MessageSession.Event)
        /// Nil: the input has ended.
        case line(String?)
        case answerOverdue
        case waitOver
        case reportsOverdue
        case byeOverdue
        case farewellOverdue
        /// The subscription's timer of this number ran out.
        case subscriptionDue(Int)
        case rosterOverdue
        /// The line that the user types has changed.
        case typed(isEmpty: Bool)
        case typingDue
        /// Of the transfer of this number.
        case file(Int, FileHappening)
        /// The picture that the user wants to show was read.
        case picture(name: String, Result<[UInt8], FileError>)
        case saved(Result<String, FileError>)
        case interrupted
    }

    enum Phase: Equatable {
        /// Our relays have not all given us their URIs.
        case reserving
        /// The INVITE has no final answer.
        case calling
        /// The MSRP session isn't bound.
        case connecting
        case chatting
        /// BYE is on its way.
        case leaving
        case over
    }

    /// Messages and their octets that may be unacknowledged before the next line is read.
    static let window = 64
    private static let windowOctets = 4 << 20
    /// How long the room's reports are waited for before BYE.
    private static let reportTime: Duration = .seconds(3)
    /// How long the BYE may come after the end of the MSRP connection.
    private static let byeWait: Duration = .milliseconds(500)
    /// How long an answer to BYE is waited for, and how long when the server seems to be gone.
    private static let farewell: Duration = .seconds(4)
    private static let shortFarewell: Duration = .seconds(1)

    let options: ChatOptions
    let printer: ChatPrinter
    let console: ChatConsole
    let logger: Logger
    private let happenings: AsyncStream<Happening>
    let happened: AsyncStream<Happening>.Continuation

    var phase = Phase.calling
    var failure: ClientError?
    /// The MSRP connection went first.
    private(set) var hasLostSession = false
    var stack: SIPStack?
    var session: NIOLoopBound<MessageSession>?
    var negotiation: MSRPNegotiation
    var media: ChosenMedia?
    var dialog: Call?
    var localPath = ""
    var hasTriedPassword = false
    var credentials: ChatCredentials?
    /// The room as messages name it: another one than was called when that was a conference factory.
    var room: SIPURI
    /// Where the server wants requests within the call, and beside it: its Contact.
    var focus: SIPURI

    var showsParticipants = false
    var subscription = ChatSubscription()
    var roster = ChatRoster()
    var errands: [Exchange: Errand] = [:]
    /// The entity tag of what we published (RFC 3903 section 4.1).
    var publication: String?
    /// REFERs whose outcome is still to come, by their CSeq, which is their subscription's id (RFC 3515 section 2.4.6).
    var referrals: [String: Referral] = [:]
    var earlyNotices: [String: [(fragment: String, isLast: Bool)]] = [:]
    /// `/who` was asked before the server had told.
    var awaitsRoster = false

    /// The files that the room has told of, and those that are being sent or got.
    var files = RoomFiles()
    var orders: [FileOrder] = []
    var transfer: FileTransfer?
    var lastTransfer = 0
    var untransferred = 0
    var transportConfiguration: TransportConfiguration?
    /// On a loop of its own: disks are written and read on it.
    var filesTransport: TransportHandle?
    var attachments = ChatAttachments()
    /// Pictures that are being read or saved.
    var diskErrands = 0

    var typing = TypingTeller()
    var typers = TypingWatch()
    var typersText: String?
    var awaitsTyping = false
    /// When the session began, seconds since 1970: what was said before is replayed.
    var joined: Int64?
    private let start = ContinuousClock.now

    var inputEnded = false
    private var isReading = false
    private var isWaiting = false
    var waitIsOver = false
    /// Octets of the messages that are not yet acknowledged.
    var outstanding: [MessageID: Int] = [:]
    var outstandingOctets = 0
    private var undelivered = 0
    /// Messages through a relay, whose 200 says only that the relay has them, until the room reports that it does. Only
    /// the latest ones, since not every server reports.
    var unreported: [MessageID] = []
    private var awaitsReports = false
    var received = 0

    package init(options: ChatOptions, printer: ChatPrinter, console: ChatConsole, logger: Logger) {
        self.options = options
        room = options.room
        focus = options.peer.target
        credentials = ChatCredentials(
            username: options.username ?? options.identity.user, password: options.password)
        self.printer = printer
        self.console = console
        self.logger = logger
        (happenings, happened) = AsyncStream.makeStream()
        let accept = options.plainText ? ["text/plain"] : ["message/cpim", "text/plain"]
        let local = LocalMedia(
            maxSize: nil, chatroom: options.plainText ? nil : .init(nicknames: true, privateMessages: true),
            acceptTypes: accept, allowsTCP: !options.usesTLS, allowsTLS: options.usesTLS,
            offeredSetup: options.isPassive ? .passive : .active,
            usesRelay: options.relay != nil)
        negotiation = MSRPNegotiation(local: local, originID: UInt64.random(in: .min ... .max))
    }

    /// Leaves the room in an orderly way; from a signal handler's task.
    package nonisolated func leave() { happened.yield(.interrupted) }

    /// The line that the user types on a terminal has changed.
    package nonisolated func typed(isEmpty: Bool) { happened.yield(.typed(isEmpty: isEmpty)) }

    func output(_ text: String) { console.output(text) }

    func notices(_ text: String) { console.notice(text) }

    /// Seconds on a clock that never goes back.
    var now: Double {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    /// Takes part until the input ends, the user leaves, or the server ends it.
    package func run() async throws(ClientError) -> ChatOutcome {
        let pipe = SIPEventPipe { [happened] in happened.yield(.sip($0)) }
        let transport = try await openTransport()
        let stack = try await ClientStack.start(for: options.peer, logger: logger)
        self.stack = stack
        await stack.setHandler(pipe)
        do throws(ClientError) {
            if let relay = options.relay { try await reserve(relay) } else { await call() }
        } catch {
            await stack.shutdown()
            await transport.shutdown()
            throw error
        }
        for await happening in happenings {
            await handle(happening)
            if phase == .over { break }
        }
        await stack.shutdown()
        await transport.shutdown()
        await filesTransport?.shutdown()
        withExtendedLifetime(pipe) {}
        if let failure { throw failure }
        if let wanted = options.exitAfter, received < wanted { return .incomplete(received: received) }
        if undelivered > 0 { return .undelivered(undelivered) }
        return untransferred > 0 ? .untransferred(untransferred) : .complete
    }

    private func call() async {
        phase = .calling
        await callRoom(retrying: nil, authorization: nil)
        after(options.timeout, .answerOverdue)
    }

    private func openTransport() async throws(ClientError) -> TransportHandle {
        let configuration: TransportConfiguration
        if let relay = options.relay {
            configuration = try ClientTransport.configuration(relay.security)
        } else {
            var identity: TLSIdentity?
            do throws(CertificateError) {
                if options.usesTLS { identity = try SelfSignedCertificate.generate(names: [options.identity.host]) }
            } catch {
                throw .unusableAnswer("\(error)")
            }
            negotiation.local.fingerprints = [identity?.fingerprint()].compactMap {
                guard let text = $0?.description, case .fingerprint(let fingerprint) = Fingerprint.parse(text) else {
                    return nil
                }
                return fingerprint
            }
            let security = LinkSecurity(usesTLS: options.usesTLS, verifies: false)
            configuration = try ClientTransport.configuration(security, identity: identity)
        }
        transportConfiguration = configuration
        let transport = await ClientTransport.start(configuration, logger: logger)
        let chunkSize = options.chunkSize
        let happened = happened
        let session = await transport.perform { transport in
            NIOLoopBound(
                MessageSession(transport: transport, chunkSize: chunkSize) { happened.yield(.session($0)) },
                eventLoop: transport.eventLoop)
        }
        self.session = session
        let id = await transport.perform { _ in session.value.id.text }
        // Nobody connects to an active end: port 9, the discard port, says so (RFC 6135 section 4.2.1).
        localPath = MSRPNegotiation.localPath(
            host: options.peer.localAddress, port: 9, isTLS: options.usesTLS, sessionID: id)
        return transport
    }

    /// The call needs our path, so the relays come first.
    private func reserve(_ relay: RelayOptions) async throws(ClientError) {
        phase = .reserving
        let relays = try await RelayWay.find(relay)
        if let session { try? await session.onLoop { $0.reserve(relays, relay) } }
    }

    func after(_ delay: Duration, _ happening: Happening) {
        let happened = happened
        Task {
            try? await Task.sleep(for: delay)
            happened.yield(happening)
        }
    }

    func notice(_ text: String) {
        if !options.isQuiet { notices(text) }
    }

    // MARK: What happens

    private func handle(_ happening: Happening) async {
        switch happening {
        case .sip(let event):
            if await !handleForFile(event) { await handle(event) }
            await goOn()
        case .session(let event): await handle(event)
        case .line(let line):
            isReading = false
            if let line { await obey(ChatInput(line)) } else { inputEnded = true }
            await goOn()
        case .answerOverdue:
            if phase == .calling {
                failure = .noAnswer("no answer from \(options.peer.route) within \(options.timeout.formatted)")
                phase = .over
            }
        case .reportsOverdue:
            unreported = []
            await goOn()
        case .waitOver:
            waitIsOver = true
            await goOn()
        case .farewellOverdue:
            phase = .over
        case .byeOverdue:
            await hangUp()
        case .subscriptionDue(let number):
            await subscriptionDue(number)
        case .rosterOverdue:
            rosterOverdue()
            await goOn()
        case .typed(let isEmpty):
            await tell(typing.typed(isEmpty: isEmpty, now: now))
        case .typingDue:
            awaitsTyping = false
            await tell(typing.tick(now: now))
            typers.tick(now: now)
            showTypers()
        case .file(let number, let happening):
            await handle(number, happening)
            await goOn()
        case .picture(let name, let result):
            diskErrands -= 1
            await show(picture: name, result)
            await goOn()
        case .saved(let result):
            diskErrands -= 1
            saved(result)
            await goOn()
        case .interrupted:
            if phase == .chatting || phase == .connecting { await hangUp() } else { phase = .over }
        }
    }

    /// Reads the next line if more may be sent, or leaves if nothing is left to do.
    private func goOn() async {
        guard phase == .chatting, !hasLostSession else { return }
        if !inputEnded {
            guard !isReading, outstanding.count < Self.window, outstandingOctets < Self.windowOctets else { return }
            isReading = true
            let (nextLine, happened) = (console.nextLine, happened)
            Task { happened.yield(.line(await nextLine())) }
            return
        }
        guard outstanding.isEmpty, !awaitsErrands, transfer == nil, orders.isEmpty, diskErrands == 0 else { return }
        // A BYE now could be at the room before them.
        guard unreported.isEmpty else {
            if !awaitsReports { after(Self.reportTime, .reportsOverdue) }
            awaitsReports = true
            return
        }
        let hasEnough = options.exitAfter.map { received >= $0 }
        let waits = options.wait != nil && !waitIsOver
        if hasEnough == true || waitIsOver || (hasEnough == nil && !waits) { return await hangUp() }
        if let wait = options.wait, !isWaiting {
            isWaiting = true
            after(wait, .waitOver)
        }
    }

    func fail(_ error: ClientError) async {
        if failure == nil { failure = error }
        await hangUp()
    }

    func hangUp() async {
        guard phase != .leaving, phase != .over else { return }
        await dropFiles()
        guard phase != .leaving, phase != .over else { return }
        phase = .leaving
        showTypers()
        if let dialog { await stack?.bye(dialog) }
        if let session { try? await session.onLoop { $0.close() } }
        after(failure == nil ? Self.farewell : Self.shortFarewell, .farewellOverdue)
    }

    // MARK: The session

    private func handle(_ event: MessageSession.Event) async {
        switch event {
        case .reserved(let path):
            guard phase == .reserving else { return }
            localPath = path
            await call()
        case .bound:
            guard phase == .connecting else { return }
            phase = .chatting
            joined = InternetDateTime.seconds(console.clock().dateTime)
            notice("joined \(room)")
            if showsParticipants { await subscribe() }
            if let nickname = options.nickname { await obey(.nick(nickname)) }
        case .received(let contentType, let body):
            show(contentType, body)
        case .delivered(let delivery):
            outstandingOctets -= outstanding.removeValue(forKey: delivery.messageID) ?? 0
            switch delivery.outcome {
            case .acknowledged: break
            case .failed(let status): undelivered(because: "\(status)")
            case .timedOut: undelivered(because: "no answer")
            }
            if delivery.outcome != .acknowledged { unreported.removeAll { $0 == delivery.messageID } }
        case .reported(let report):
            unreported.removeAll { $0 == report.messageID }
            if !report.status.isSuccess { notice("a message did not reach everybody: \(report.status)") }
        case .nicknameAnswered(let status):
            notice(status.isSuccess ? "nickname accepted" : "nickname refused: \(Self.refusal(ofNickname: status))")
        case .closed(let error):
            if phase == .reserving {
                failure = error
                phase = .over
            } else if phase != .leaving {
                // The BYE may be right behind it, and says more.
                hasLostSession = true
                if failure == nil { failure = error }
                after(Self.byeWait, .byeOverdue)
            }
        }
        await goOn()
    }

    /// RFC 7701 section 7.1.
    private static func refusal(ofNickname status: Status) -> String {
        switch status.code {
        case 403: "you may not set one here (\(status))"
        case 424: "the room can't take this one (\(status))"
        case 425: "somebody has it already, or it is kept for somebody (\(status))"
        default: "\(status)"
        }
    }

    func undelivered(because reason: String) {
        undelivered += 1
        notice("a message was not delivered: \(reason)")
    }
}
