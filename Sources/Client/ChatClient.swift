import DigestAuth
package import Logging
import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS
import NIOPosix
import Payloads
package import SIP

/// One participant of a chat room: calls the room, sends the lines of its input, shows what comes.
///
/// Everything that happens, on the SIP thread, on the message session's loop, in the input and by the clock, comes
/// through one queue and is handled in turn.
package actor ChatClient {
    private enum Happening: Sendable {
        case sip(SIPEvent)
        case session(MessageSession.Event)
        /// Nil: the input has ended.
        case line(String?)
        case answerOverdue
        case waitOver
        case farewellOverdue
        case interrupted
    }

    private enum Phase: Equatable {
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
    private static let window = 64
    private static let windowOctets = 4 << 20
    /// How long an answer to BYE is waited for, and how long when the server seems to be gone.
    private static let farewell: Duration = .seconds(4)
    private static let shortFarewell: Duration = .seconds(1)

    private let options: ChatOptions
    private let printer: ChatPrinter
    private let nextLine: @Sendable () async -> String?
    private let output: @Sendable (String) -> Void
    private let notices: @Sendable (String) -> Void
    private let clock: @Sendable () -> (display: String, dateTime: String)
    private let logger: Logger
    private let happenings: AsyncStream<Happening>
    private let happened: AsyncStream<Happening>.Continuation

    private var phase = Phase.calling
    private var failure: ClientError?
    private var stack: SIPStack?
    private var session: NIOLoopBound<MessageSession>?
    private var negotiation: MSRPNegotiation
    private var media: ChosenMedia?
    private var call: Call?
    private var localPath = ""
    private var hasTriedPassword = false
    private var showsParticipants = false

    private var inputEnded = false
    private var isReading = false
    private var isWaiting = false
    private var waitIsOver = false
    /// Octets of the messages that are not yet acknowledged.
    private var outstanding: [MessageID: Int] = [:]
    private var outstandingOctets = 0
    private var undelivered = 0
    private var received = 0

    /// - Parameters:
    ///   - nextLine: the input; nil is its end.
    ///   - output: takes messages, with their line ends.
    ///   - notices: takes what happens beside them, without.
    ///   - clock: the time of day for people, and the moment as RFC 3339 has it.
    package init(
        options: ChatOptions, printer: ChatPrinter, nextLine: @escaping @Sendable () async -> String?,
        output: @escaping @Sendable (String) -> Void, notices: @escaping @Sendable (String) -> Void,
        clock: @escaping @Sendable () -> (display: String, dateTime: String), logger: Logger
    ) {
        self.options = options
        self.printer = printer
        self.nextLine = nextLine
        self.output = output
        self.notices = notices
        self.clock = clock
        self.logger = logger
        (happenings, happened) = AsyncStream.makeStream()
        let accept = options.plainText ? ["text/plain"] : ["message/cpim", "text/plain"]
        let local = LocalMedia(
            maxSize: nil, chatroom: options.plainText ? nil : .init(nicknames: true, privateMessages: true),
            acceptTypes: accept, allowsTCP: !options.usesTLS, allowsTLS: options.usesTLS, offeredSetup: .active)
        negotiation = MSRPNegotiation(local: local, originID: UInt64.random(in: .min ... .max))
    }

    /// Leaves the room in an orderly way; from a signal handler's task.
    package nonisolated func leave() { happened.yield(.interrupted) }

    /// Takes part until the input ends, the user leaves, or the server ends it.
    package func run() async throws(ClientError) -> ChatOutcome {
        let pipe = SIPEventPipe { [happened] in happened.yield(.sip($0)) }
        let transport = try await openTransport()
        let stack = try await ClientStack.start(for: options.peer, logger: logger)
        self.stack = stack
        await stack.setHandler(pipe)
        await callRoom(retrying: nil, authorization: nil)
        after(options.timeout, .answerOverdue)
        for await happening in happenings {
            await handle(happening)
            if phase == .over { break }
        }
        await stack.shutdown()
        await transport.shutdown()
        withExtendedLifetime(pipe) {}
        if let failure { throw failure }
        if let wanted = options.exitAfter, received < wanted { return .incomplete(received: received) }
        return undelivered > 0 ? .undelivered(undelivered) : .complete
    }

    private func openTransport() async throws(ClientError) -> TransportHandle {
        var configuration = TransportConfiguration(egress: .any)
        do throws(CertificateError) {
            if options.usesTLS {
                let identity = try SelfSignedCertificate.generate(names: [options.identity.host])
                configuration.clientTLS = try TLSContext.client(identity: identity)
                negotiation.local.fingerprints = [identity.fingerprint()].compactMap {
                    guard case .fingerprint(let fingerprint) = Fingerprint.parse($0.description) else { return nil }
                    return fingerprint
                }
            }
        } catch {
            throw .unusableAnswer("\(error)")
        }
        let transport = await TransportHandle.start(
            on: MultiThreadedEventLoopGroup.singleton.next(), configuration: configuration, logger: logger)
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

    private func after(_ delay: Duration, _ happening: Happening) {
        let happened = happened
        Task {
            try? await Task.sleep(for: delay)
            happened.yield(happening)
        }
    }

    private func notice(_ text: String) {
        if !options.isQuiet { notices(text) }
    }

    // MARK: What happens

    private func handle(_ happening: Happening) async {
        switch happening {
        case .sip(let event): await handle(event)
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
        case .waitOver:
            waitIsOver = true
            await goOn()
        case .farewellOverdue:
            phase = .over
        case .interrupted:
            if phase == .chatting || phase == .connecting { await hangUp() } else { phase = .over }
        }
    }

    /// Reads the next line if more may be sent, or leaves if nothing is left to do.
    private func goOn() async {
        guard phase == .chatting else { return }
        if !inputEnded {
            guard !isReading, outstanding.count < Self.window, outstandingOctets < Self.windowOctets else { return }
            isReading = true
            let (nextLine, happened) = (nextLine, happened)
            Task { happened.yield(.line(await nextLine())) }
            return
        }
        guard outstanding.isEmpty else { return }
        let hasEnough = options.exitAfter.map { received >= $0 }
        let waits = options.wait != nil && !waitIsOver
        if hasEnough == true || waitIsOver || (hasEnough == nil && !waits) { return await hangUp() }
        if let wait = options.wait, !isWaiting {
            isWaiting = true
            after(wait, .waitOver)
        }
    }

    private func fail(_ error: ClientError) async {
        if failure == nil { failure = error }
        await hangUp()
    }

    private func hangUp() async {
        guard phase != .leaving, phase != .over else { return }
        phase = .leaving
        if let call { await stack?.bye(call) }
        if let session { try? await session.onLoop { $0.close() } }
        after(failure == nil ? Self.farewell : Self.shortFarewell, .farewellOverdue)
    }

    // MARK: The call

    private func callRoom(retrying: Call?, authorization: HeaderField?) async {
        let offer = negotiation.makeOffer(localPath: localPath)
        let from = NameAddr(displayName: options.nickname, uri: options.identity).description
        call = await stack?.invite(
            options.peer.target, from: from, to: "<\(options.room)>", route: options.peer.route,
            headers: authorization.map { [$0] } ?? [],
            body: MessageBody(contentType: "application/sdp", content: offer), retrying: retrying)
    }

    private func handle(_ event: SIPEvent) async {
        switch event {
        case .response(let call, let method, let response) where call == self.call && method == "INVITE":
            if phase == .calling, !response.isProvisional { await answered(response) }
        case .ended(let call, let ending) where call == self.call:
            if phase != .leaving, failure == nil { failure = .lost("the call ended: \(ending.text)") }
            phase = .over
        case .bye(let call, let request) where call == self.call:
            let reason = request.headers["Reason"].map { ": \(Self.words(of: $0))" } ?? ""
            if phase != .leaving { failure = .lost("the server ended the call\(reason)") }
        case .reinvite(let call, let transaction, let request), .update(let call, let transaction, let request):
            if call == self.call { await renegotiate(transaction, request) }
        case .invite(_, let transaction, _):
            await stack?.respond(to: transaction, status: 486)
        case .inDialogRequest(_, let transaction, let request), .request(let transaction, let request):
            await stack?.respond(to: transaction, status: request.method == "OPTIONS" ? 200 : 405)
        default:
            break
        }
    }

    /// The text of a Reason header (RFC 3326), else all of it.
    private static func words(of reason: String) -> String {
        guard let start = reason.firstRange(of: "text=\"") else { return reason }
        return String(reason[start.upperBound...].prefix { $0 != "\"" })
    }

    private func answered(_ response: Response) async {
        guard let call else { return }
        if response.status == 401 || response.status == 407, await authenticate(response, call) { return }
        guard response.isSuccess else {
            failure = refusal(response)
            phase = .over
            return
        }
        await stack?.acknowledge(call)
        phase = .connecting
        showsParticipants =
            response.headers.contains("Allow-Events", token: "conference") && response.allow.contains("SUBSCRIBE")
        if !response.contacts.contains(where: { $0.parameter("isfocus") != nil }) {
            notice("\(options.room) is not a conference focus; going on all the same")
        }
        do {
            let examination = try negotiation.acceptAnswer(response.body?.content ?? [])
            try await connect(examination.media)
        } catch let error as ClientError {
            await fail(error)
        } catch {
            await fail(.unusableAnswer("the server's answer can't be used: \(error)"))
        }
    }

    private func refusal(_ response: Response) -> ClientError {
        if response.isLocal {
            return .noAnswer("no answer from \(options.peer.route): \(response.status) \(response.phrase)")
        }
        var detail = response.headers["Warning"] ?? response.headers["Reason"]
        if response.status == 401 || response.status == 407 {
            detail = hasTriedPassword ? "wrong name or password" : "give the password by --password"
        }
        return .refused(status: response.status, phrase: response.phrase, detail: detail)
    }

    /// Calls again with what the challenge asks for (RFC 3261 section 22).
    private func authenticate(_ response: Response, _ call: Call) async -> Bool {
        let isProxy = response.status == 407
        guard let password = options.password, let user = options.identity.user,
            let challenge = DigestChallenge.best(of: isProxy ? response.proxyChallenges : response.challenges),
            !hasTriedPassword || challenge.isStale
        else { return false }
        hasTriedPassword = true
        let credentials = DigestCredentials(
            answering: challenge, username: user, password: password, method: "INVITE",
            uri: options.peer.target.description,
            count: .init(cnonce: String(UInt64.random(in: .min ... .max), radix: 16)))
        await callRoom(
            retrying: call,
            authorization: HeaderField(isProxy ? "Proxy-Authorization" : "Authorization", credentials.headerValue))
        return true
    }

    private func connect(_ media: ChosenMedia) async throws {
        self.media = media
        guard let remote = Path(media.remotePath), let local = Path(localPath), let target = media.target, let session
        else { throw ClientError.unusableAnswer("the server's a=path can't be used: \(media.remotePath)") }
        let destination = Destination(
            host: target.host, port: Int(target.port), isTLS: media.isTLS, isAtPeersWord: false)
        let fingerprints = media.fingerprints
        try await session.onLoop {
            $0.start(localPath: local, remotePath: remote, destination: destination, fingerprints: fingerprints)
        }
    }

    private func renegotiate(_ transaction: Transaction, _ request: Request) async {
        guard let body = request.body else {
            await stack?.respond(to: transaction, status: 200)
            return
        }
        do throws(Refusal) {
            _ = try negotiation.examine(offer: body.content)
            let answer = MessageBody(contentType: "application/sdp", content: negotiation.answer(localPath: localPath))
            await stack?.respond(to: transaction, status: 200, body: answer)
        } catch {
            await stack?.respond(to: transaction, status: error.status)
        }
    }

    // MARK: The session

    private func handle(_ event: MessageSession.Event) async {
        switch event {
        case .bound:
            guard phase == .connecting else { return }
            phase = .chatting
            notice("joined \(options.room)")
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
        case .reported(let report):
            if !report.status.isSuccess { notice("a message did not reach everybody: \(report.status)") }
        case .nicknameAnswered(let status):
            notice(status.isSuccess ? "nickname accepted" : "nickname refused: \(status)")
        case .closed(let reason):
            // The BYE may be right behind it, and says more.
            if phase != .leaving { await fail(.lost(reason)) }
        }
        await goOn()
    }

    private func undelivered(because reason: String) {
        undelivered += 1
        notice("a message was not delivered: \(reason)")
    }

    private func show(_ contentType: String, _ body: ByteBuffer) {
        guard let message = ChatMessage(contentType: contentType, body: body, me: options.identity) else {
            return notice("a message that is no message/cpim was skipped")
        }
        guard !message.isSilent else { return }
        let isFromRoom = message.from.flatMap { SIPURI($0) }.map { $0.isSamePerson(as: options.room) } ?? false
        if !isFromRoom { received += 1 }
        output(printer.line(for: message, clock: clock().display))
    }

    // MARK: What the user wants

    private func obey(_ input: ChatInput) async {
        switch input {
        case .nothing:
            break
        case .say(let text):
            await send(text, to: options.room)
        case .privately(let to, let text):
            guard media?.chatroom?.privateMessages == true else {
                return notice("this room can't carry private messages yet")
            }
            guard let receiver = address(of: to) else { return notice("'\(to)' is not an address") }
            await send(text, to: receiver)
        case .nick(let name):
            guard media?.chatroom?.nicknames == true else { return notice("this room can't set nicknames yet") }
            if let session { try? await session.onLoop { $0.requestNickname(name) } }
        case .who:
            notice(
                showsParticipants
                    ? "this client can't show the room's participants yet"
                    : "this server can't tell who is in the room yet")
        case .quit:
            inputEnded = true
            waitIsOver = true
        case .help:
            notices(ChatInput.helpText)
        case .wrong(let text):
            notices(text)
        }
    }

    private func address(of who: String) -> SIPURI? {
        if who.contains(":") { return SIPURI(who) }
        let parts = who.split(separator: "@", maxSplits: 1)
        return parts.count == 2 ? SIPURI("sip:\(who)") : SIPURI(user: who, host: options.identity.host)
    }

    private func send(_ text: String, to receiver: SIPURI) async {
        var body = ByteBuffer()
        var contentType = "text/plain;charset=UTF-8"
        if media?.format == .cpim {
            body.writeBytes(
                CPIMWrapper.head(
                    from: CPIMAddress(uri: options.identity.description), to: [CPIMAddress(uri: receiver.description)],
                    dateTime: clock().dateTime, contentType: contentType))
            contentType = "message/cpim"
        }
        body.writeString(text)
        let (type, message) = (contentType, body)
        guard let session,
            let id = try? await session.onLoop({ $0.send(contentType: type, body: message) })
        else { return undelivered(because: "it can't be sent") }
        outstanding[id] = message.readableBytes
        outstandingOctets += message.readableBytes
    }
}

extension NIOLoopBound where Value == MessageSession {
    /// Runs `body` on the session's loop, and flushes what it wrote.
    fileprivate func onLoop<Result: Sendable>(
        _ body: @escaping @Sendable (MessageSession) -> Result
    ) async throws -> Result {
        try await eventLoop.submit {
            let result = body(self.value)
            self.value.flush()
            return result
        }.get()
    }
}

extension Ending {
    /// For people.
    fileprivate var text: String {
        switch self {
        case .bye: "the server hung up"
        case .hungUp: "we hung up"
        case .cancelled: "cancelled"
        case .rejected(let status): "refused with \(status)"
        case .unacknowledged: "our ACK did not arrive"
        case .sessionExpired: "the session timer ran out"
        case .failed(let status, let phrase): "\(status) \(phrase)"
        case .shutDown: "shut down"
        }
    }
}
